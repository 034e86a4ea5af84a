"""How much the blocks of the shell hold, which decides when they wait; the cycle model shares it with the RTL."""

from hdp_hw.spec.params import HdpParams, bits_for, ceil_div

MAX_BURST_BEATS = 16  #: longest burst that the shell makes: 64 to 256 bytes

JOB_QUEUE = 2  #: jobs that wait behind the running one
HEADS_AHEAD = 4  #: heads whose I planes were requested and whose F planes were not

MAX_SEGMENTS = 32  #: of a plane reader, whose words are asked for before the first of them is delivered
JOINED_BITS = 5  #: of the bus words of a row, at least, for rows that are read as one region
FIFO_WORDS = 128  #: bus words asked for and not yet delivered: enough to hide a latency of 80 clock cycles

HELD_WORDS = 2 * MAX_BURST_BEATS  #: bus words in a row writer: a burst that leaves and one that grows
HELD_BURSTS = MAX_BURST_BEATS  #: bursts in a row writer, when they are short
OPEN_BURSTS = 2 * MAX_BURST_BEATS  #: bursts of a row writer whose response has not come, and ends of heads

ARBITER_WORDS = 4 * MAX_BURST_BEATS  #: words that the write arbiter took, or that are due, and that have not left
ARBITER_REQUESTS = 8  #: requests that it took and that have not left
MAX_OUTSTANDING_WRITES = 32  #: bursts that it took and whose response has not come


def joined_row_bits(params: HdpParams) -> int:
    """Bits of the bus words of rows that are read as one region where there is no gap between them: all of attention's.

    Longer ones, of linear layers, are regions of their own: a product of their number and their length would take
    more logic than their bursts, a few more, take time.
    """
    longest = ceil_div(params.max_value_words * params.word_width, params.bus_width)
    return max(JOINED_BITS, bits_for(longest))
