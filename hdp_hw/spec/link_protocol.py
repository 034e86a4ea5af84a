"""What a host and a board say to each other over a serial line; docs/boards.md explains it.

A frame is its bytes and their CRC-32 (Ethernet's, lowest byte first), between two END bytes, with END and ESC in
between replaced as RFC 1055 (SLIP) has it. A request and its answer begin with these bytes:

    request: sequence, command, number of words (2 bytes), address (4 bytes); then the words, if it is a write
    answer:  sequence, status, 0, 0; then the words, if it was a read that went well
"""

from enum import IntEnum

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
ESCAPES = {END: ESC_END, ESC: ESC_ESC}  #: what follows ESC in place of a byte
WORD_BYTES = 4
REQUEST_BYTES, ANSWER_BYTES, CRC_BYTES = 8, 4, 4
MAX_WORDS = 256  #: of a request

REGISTERS_BASE = 0  #: where the host finds the registers
MEMORY_BASE = 0x1000_0000  #: where both, the host and the co-processor, find the memory


class Command(IntEnum):
    """What a request asks for."""

    READ = 0
    WRITE = 1


class Status(IntEnum):
    """What became of a request."""

    OK = 0  #: done
    BAD_FRAME = 1  #: the frame was damaged; nothing was done, and the sequence of the answer is 0
    BAD_REQUEST = 2  #: no such command, no such number of words, or an address that is no word's; nothing was done
    BUS_ERROR = 3  #: at least one of the words is no register or memory, or refuses it; the others were done
