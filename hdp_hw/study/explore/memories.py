"""Memories of a core, exactly, and the block RAMs that yosys makes of them for an ECP5."""

import re
import warnings
from collections import Counter

from amaranth.back import rtlil
from amaranth.hdl import UnusedElaboratable

from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.spec.params import ceil_div

SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))  #: bits x words of a block RAM
LUTRAM = 4, 16  #: bits x words of a LUT RAM
LUTRAM_CELLS = 22  #: LUT RAMs that yosys takes in place of a block RAM, as its netlists show


def memories(params):
    """``[(bits, words, read ports)]`` of the memories of an AttentionCore."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        text = rtlil.convert(AttentionCore(params), name="core", emit_src=False)
    found = []
    for module in text.split("\nend\n"):
        reads = Counter(re.findall(r'cell \$memrd_v2 .*\n *parameter \\MEMID "\\\\(.+)"', module))
        shapes = re.findall(r"^ *memory width (\d+) size (\d+) \\(.+)", module, re.M)
        found += [(int(width), int(words), reads[name]) for width, words, name in shapes]
    return found


def memory_bits(shapes):
    """Bits of memories as of :func:`memories`."""
    return sum(width * words for width, words, _ in shapes)


def block_rams(shapes):
    """Block RAMs of memories as of :func:`memories`.

    The fewest of one shape for each read port, which has a copy of its own; none where LUT RAMs are cheaper. Yosys may
    take fewer where a head is narrower than a word, or nothing predicts.
    """
    return sum(reads * _block_rams(width, words) for width, words, reads in shapes)


def _block_rams(width, words):
    blocks = min(_pieces(width, words, *shape) for shape in SHAPES)
    return 0 if _pieces(width, words, *LUTRAM) <= LUTRAM_CELLS * blocks else blocks


def _pieces(width, words, piece_width, piece_words):
    return ceil_div(width, piece_width) * ceil_div(words, piece_words)
