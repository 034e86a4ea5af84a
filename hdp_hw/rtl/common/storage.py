"""Memories."""

from amaranth.lib import memory


def separate_memory(shape, depth, block=False):
    """A memory of which no word that matters is read in the clock cycle in which it is written; one read port is usual.

    Yosys is told so: else it would add registers and multiplexers behind every block RAM to keep the old word, which
    cost LUTs and, above all, time. block : it becomes a block RAM, even if it is so small that LUTs would do.
    """
    attrs = {"no_rw_check": 1} | ({"ram_style": "block"} if block else {})
    return memory.Memory(shape=shape, depth=depth, init=[], attrs=attrs)
