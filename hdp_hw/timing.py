"""Clock cycles that the cycle model shares with the RTL; the components assert that they keep them.

The predictor's hold for every configuration: short adder trees are padded to the longest.
"""

PREDICTOR_ROWS = 4  #: rows that may be on their way between a row's first tile and its o_row_done
ROW_CYCLES_MIN = 16  #: stages B and C take at least so long for a row

PREDICTOR_LATENCY_A = 7  #: from a row's last tile to the first read of stage B, which is idle
PREDICTOR_LATENCY_B = 13  #: from the end of a row's turn in stage B to the first read of stage C
PREDICTOR_LATENCY_C = 6  #: from the cycle after a head's last read of stage C to o_done

QUEUE_DEPTH = 4  #: rows that wait between two stages of execution
