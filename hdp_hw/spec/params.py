"""The parameters of one generated core: what is legal, and every width that follows from them."""

from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cached_property
from typing import Any

from hdp_hw.spec.encoder import BIAS_WIDTH, MAX_INPUTS, SCALES_BYTES

LEGAL_TILES = (2, 4, 8)
LEGAL_LANES = (4, 8, 16, 32, 64)
LEGAL_DIGIT_WIDTHS = (4, 8)
LEGAL_MULTIPLIERS = (0, 18)
PACKED_DIGIT_WIDTH = 4  #: four products of wider digits take more than an 18 x 18 multiplier
HEAD_DIM_RANGE = (16, 128)
SEQ_LEN_RANGE = (16, 4096)
CORES_RANGE = (1, 8)
LEGAL_BUS_WIDTHS = (32, 64, 128)
ADDRESS_WIDTH_RANGE = (32, 64)


class ArrayMode(IntEnum):
    """What the array computes in one cycle; the modes below CONTEXT contribute to scores."""

    INTEGER = 0
    CROSS = 1
    FULL = 2
    CONTEXT = 3


class ParameterError(ValueError):
    """A parameter that is not legal; the message names it, its value and what would be legal."""

    def __init__(self, name: str, value: Any, legal: Any) -> None:
        super().__init__(f"parameter {name} = {value!r} is not legal; legal: {legal}")
        self.name, self.value, self.legal = name, value, legal

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.name, self.value, self.legal)  # so that it comes back from another process


def ceil_div(a: int, b: int) -> int:
    """Smallest integer not below a / b."""
    return -(-a // b)


def bits_for(n: int) -> int:
    """Bits that hold the unsigned integers 0..n."""
    return max(1, int(n).bit_length())


def least_per_cycle(total: int, cycles: int) -> int:
    """Smallest number a cycle with which ``total`` things, a power of two, take no more than ``cycles``."""
    return max(1, total >> (cycles.bit_length() - 1))


@dataclass(frozen=True)
class HdpParams:
    """Parameters of a co-processor and its cores; every other size is derived from these.

    Parameters
    ----------
    tile : int
        T, the edge of a score block and of the array: T x T scores at a time. 2, 4 or 8.
    lanes : int
        Digit products a cycle for each score: a power of two from 4 to 64.
    digit_width : int
        w, bits of one signed digit; operands have 2w bits. 4 or 8.
    max_head_dim : int
        Largest head dimension, 16 to 128, a multiple of ``lanes / 4``.
    max_seq_len : int
        Largest number of queries and of keys, 16 to 4096, a multiple of ``tile``.
    multiplier : int
        What the array multiplies with: 18, hardware multipliers of 18 x 18 bits, ``tile * tile * lanes / 4`` of them,
        for ``digit_width`` = 4; 0, digit multipliers that tools build of logic. Decides how kept blocks are scored: see
        ``exact``.
    pruning : int
        1: the core has a predictor. 0: it has none, computes every block in full, and refuses heads of another rule
        than dense, with ``compensate`` or with ``mean_output``; smaller, to compare with.
    encoder : int
        1: a head may be a linear layer instead of attention, see docs/encoder.md; needs ``multiplier`` = 18 and 16
        ``lanes`` at least. 0: the core computes attention alone, and is smaller.
    n_cores : int
        Cores behind the memory port, 1 to 8. Not of a core alone.
    bus_width : int
        Bits of the memory port's data: 32, 64 or 128. Not of a core alone.
    address_width : int
        Bits of the memory port's addresses, 32 to 64. Not of a core alone.

    Raises
    ------
    ParameterError
        Names the parameter, its value and what would be legal.
    """

    tile: int = 2
    lanes: int = 16
    digit_width: int = 4
    max_head_dim: int = 32
    max_seq_len: int = 128
    multiplier: int = 0
    pruning: int = 1
    encoder: int = 0
    n_cores: int = 1
    bus_width: int = 64
    address_width: int = 40

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int:
                raise ParameterError(field.name, value, f"an integer, not {type(value).__name__}")
        for name, legal in (
            ("tile", LEGAL_TILES),
            ("lanes", LEGAL_LANES),
            ("digit_width", LEGAL_DIGIT_WIDTHS),
            ("multiplier", LEGAL_MULTIPLIERS),
            ("pruning", (0, 1)),
            ("encoder", (0, 1)),
            ("bus_width", LEGAL_BUS_WIDTHS),
        ):
            if getattr(self, name) not in legal:
                raise ParameterError(name, getattr(self, name), ", ".join(map(str, legal)))
        for name, (low, high), step, why in (
            ("max_head_dim", HEAD_DIM_RANGE, self.slice_width, "lanes / 4"),
            ("max_seq_len", SEQ_LEN_RANGE, self.tile, "tile"),
        ):
            value = getattr(self, name)
            if not low <= value <= high or value % step:
                raise ParameterError(name, value, f"{low} to {high}, a multiple of {why} = {step}")
        if self.multiplier and self.digit_width != PACKED_DIGIT_WIDTH:
            legal = f"0 with digit_width = {self.digit_width}; 18 needs digit_width = {PACKED_DIGIT_WIDTH}"
            raise ParameterError("multiplier", self.multiplier, legal)
        if self.encoder and not (self.multiplier and self.lanes >= SCALES_BYTES * 2):
            needs = f"1 needs multiplier = 18 and lanes = {SCALES_BYTES * 2} or more"
            legal = f"0 with multiplier = {self.multiplier} and lanes = {self.lanes}; {needs}"
            raise ParameterError("encoder", self.encoder, legal)
        for name, (low, high) in (("n_cores", CORES_RANGE), ("address_width", ADDRESS_WIDTH_RANGE)):
            if not low <= getattr(self, name) <= high:
                raise ParameterError(name, getattr(self, name), f"{low} to {high}")

    # -- the array ------------------------------------------------------------------------------------------------
    @property
    def multipliers(self) -> int:
        """Digit products that the whole array makes in a cycle."""
        return self.tile**2 * self.lanes

    @property
    def exact(self) -> bool:
        """Kept blocks are scored in FULL, Q.K^T itself; else in INTEGER and CROSS, without the product of fractions."""
        return self.multiplier != 0

    @property
    def spares_multipliers(self) -> bool:
        """The array takes more than half of the 156 multipliers of an LFE5U-85F, so that logic does small products."""
        return self.exact and self.multipliers // 4 > 156 // 2

    @property
    def integer_shift(self) -> int:
        """Bits by which the array shifts A, the score of a tile that runs in INTEGER alone."""
        return 0 if self.exact else self.operand_width

    @property
    def slice_width(self) -> int:
        """Elements that one FULL cycle covers: four digit multipliers each."""
        return self.lanes // 4

    @property
    def operand_width(self) -> int:
        """Bits of one element of Q, K, V or O."""
        return 2 * self.digit_width

    @property
    def digit_max(self) -> int:
        """Largest operand whose integer digit does not overflow; also the weight that means 1.0 (see tables)."""
        w = self.digit_width
        return 2 ** (2 * w - 1) - 2 ** (w - 1) - 1

    @cached_property
    def max_blocks(self) -> int:
        """Blocks in the longest row, and rows in the longest head."""
        return self.max_seq_len // self.tile

    @cached_property
    def max_slices(self) -> int:
        """FULL cycles of the largest head dimension."""
        return self.max_head_dim // self.slice_width

    @cached_property
    def max_words(self) -> int:
        """Words of ``lanes`` digits in one row of the largest head dimension."""
        return ceil_div(self.max_slices, 4)

    @cached_property
    def max_value_words(self) -> int:
        """Words of ``lanes / 2`` elements of V in one row of the largest head dimension."""
        return ceil_div(self.max_slices, 2)

    @cached_property
    def out_lanes(self) -> int:
        """Output elements per beat: the drain keeps up with four to five kept tiles a row."""
        return max(1, min(self.tile * self.lanes // 32, self.slice_width))

    @cached_property
    def score_slots(self) -> int:
        """Tiles whose scores, or weights, the core holds: two of the longest rows, a power of two."""
        return 2 << bits_for(self.max_blocks - 1)

    @cached_property
    def softmax_lanes(self) -> int:
        """Elements of a tile that softmax takes in a cycle, to keep up with the array at half of ``max_head_dim``."""
        return least_per_cycle(self.tile**2, 2 * self.slices(self.max_head_dim // 2))

    @property
    def softmax_steps(self) -> int:
        """Clock cycles in which softmax takes a tile."""
        return self.tile**2 // self.softmax_lanes

    @cached_property
    def predictor_rows(self) -> int:
        """Query rows of a tile that the predictor takes in a cycle, to keep up with the array at ``max_head_dim``."""
        return least_per_cycle(self.tile, self.integer_cycles(self.max_head_dim))

    @property
    def predictor_turns(self) -> int:
        """Cycles that the predictor takes for a tile, whose query rows take turns."""
        return self.tile // self.predictor_rows

    @property
    def turn_width(self) -> int:
        """Bits of the index of a turn of the predictor."""
        return bits_for(self.predictor_turns - 1)

    @cached_property
    def mask_word(self) -> int:
        """Blocks that one word of the block mask covers, a power of two."""
        return min(16, 1 << bits_for(self.max_blocks - 1))

    @cached_property
    def mask_words(self) -> int:
        """Mask words of the longest row."""
        return ceil_div(self.max_blocks, self.mask_word)

    # -- linear layers --------------------------------------------------------------------------------------------
    @property
    def bank_bits(self) -> int:
        """log2 of the words of a plane of Q or K that a head has in each of T banks."""
        return self.block_width + bits_for(self.max_words - 1)

    @property
    def max_inputs(self) -> int:
        """Inputs of the widest linear layer, a row of which lies in one bank; 0 without ``encoder``."""
        return min(MAX_INPUTS, self.lanes << self.bank_bits) if self.encoder else 0

    @property
    def max_features(self) -> int:
        """Elements of the longest row of a norm; 0 without ``encoder``.

        The widest linear layers have four times as many inputs, as the inner layer of a transformer has.
        """
        return self.max_inputs // 4

    @property
    def max_row_slices(self) -> int:
        """FULL cycles of a tile of the widest rows."""
        return max(self.max_slices, self.max_inputs // self.slice_width)

    @property
    def max_row_words(self) -> int:
        """Words of ``lanes`` digits in one of the widest rows."""
        return ceil_div(self.max_row_slices, 4)

    @property
    def max_row_length(self) -> int:
        """Elements of the widest rows of Q and K."""
        return max(self.max_head_dim, self.max_inputs)

    def max_rows(self, n_inputs: int) -> int:
        """Rows of operands, and as many output channels, that a linear layer of so many inputs has at once."""
        of_words = (ceil_div(self.slices(n_inputs), 4) - 1).bit_length()  # bits of a word's index in its row
        return min(self.max_seq_len, self.tile << self.bank_bits - of_words)

    @property
    def channel_step(self) -> int:
        """Output channels of a linear layer are a multiple of it: whole tiles, whole beats."""
        return max(self.tile, self.slice_width)

    # -- the memory port ------------------------------------------------------------------------------------------
    @property
    def bus_bytes(self) -> int:
        """Bytes of a bus word: addresses and strides are multiples of it."""
        return self.bus_width // 8

    @property
    def word_width(self) -> int:
        """Bits of a word of the operand streams: ``lanes`` digits, or ``lanes / 2`` operands."""
        return self.lanes * self.digit_width

    @cached_property
    def axi_id_width(self) -> int:
        """Bits of an AXI ID: two of the epoch, then the requester: four per core, and what a norm needs."""
        return 2 + bits_for(max(4 * self.n_cores, 3 * (self.n_cores + self.encoder)) - 1)

    # -- widths ---------------------------------------------------------------------------------------------------
    @cached_property
    def a_width(self) -> int:
        """Signed bits of an integer score A: a sum of max_head_dim products of two digits."""
        return bits_for(4 ** (self.digit_width - 1) * self.max_head_dim) + 1

    @cached_property
    def s_width(self) -> int:
        """Signed bits of a score S in units of the product of two operand LSBs."""
        return bits_for(4 ** (self.operand_width - 1) * self.max_head_dim) + 1

    @property
    def sum_width(self) -> int:
        """Signed bits of a score or of a linear layer's sum of products, at the array."""
        return max(self.s_width, BIAS_WIDTH * self.encoder)

    @cached_property
    def dot_width(self) -> int:
        """Signed bits of what one dot unit delivers in one cycle: the FULL mode's lanes / 4 operand products."""
        return bits_for(4 ** (self.operand_width - 1) * self.slice_width) + 1

    @cached_property
    def theta_width(self) -> int:
        """Unsigned bits of a block importance, the sum of T x T magnitudes of A."""
        return bits_for(4 ** (self.digit_width - 1) * self.max_head_dim * self.tile**2)

    @cached_property
    def seq_width(self) -> int:
        """Bits of a length, 0 to max_seq_len."""
        return bits_for(self.max_seq_len)

    @cached_property
    def block_width(self) -> int:
        """Bits of a block index."""
        return bits_for(self.max_blocks - 1)

    @cached_property
    def n_blocks_width(self) -> int:
        """Bits of a number of blocks in a row, 0 to max_blocks."""
        return bits_for(self.max_blocks)

    @cached_property
    def score_slot_width(self) -> int:
        """Bits of an index of a score slot."""
        return bits_for(self.score_slots - 1)

    @cached_property
    def dim_width(self) -> int:
        """Bits of the length of a row, 0 to max_row_length."""
        return bits_for(self.max_row_length)

    @cached_property
    def slice_index_width(self) -> int:
        """Bits of a count of slices, 0 to max_row_slices."""
        return bits_for(self.max_row_slices)

    @cached_property
    def count_width(self) -> int:
        """Bits of a count of blocks in a head."""
        return bits_for(self.max_blocks**2)

    @cached_property
    def theta_head_width(self) -> int:
        """Unsigned bits of a head importance."""
        return bits_for(4 ** (self.digit_width - 1) * self.max_head_dim * self.max_seq_len**2)

    @cached_property
    def row_sum_width(self) -> int:
        """Signed bits of the sum of A over one query row."""
        return self.a_width + bits_for(self.max_seq_len)

    @cached_property
    def context_width(self) -> int:
        """Signed bits of a context sum: at most max_seq_len products of a weight and an operand."""
        return bits_for(self.digit_max * 2 ** (self.operand_width - 1) * self.max_seq_len) + 1

    @cached_property
    def value_sum_width(self) -> int:
        """Signed bits of the sum of V over a head."""
        return bits_for(2 ** (self.operand_width - 1) * self.max_seq_len) + 1

    # -- cycles of the three modes for a run-time head dimension --------------------------------------------------
    def slices(self, head_dim: int) -> int:
        """FULL (and context) cycles of a tile: ``head_dim`` must be a multiple of ``lanes / 4``."""
        return ceil_div(head_dim, self.slice_width)

    def integer_cycles(self, head_dim: int) -> int:
        """INTEGER cycles of a tile (u of the algorithm's cycle formulas)."""
        return ceil_div(self.slices(head_dim), 4)

    def predictor_wait(self, head_dim: int) -> int:
        """Idle cycles of the array before each predicted tile, where the predictor takes longer for one than it."""
        return max(0, self.predictor_turns - self.integer_cycles(head_dim))

    def cross_cycles(self, head_dim: int) -> int:
        """CROSS cycles of a tile."""
        return ceil_div(self.slices(head_dim), 2)
