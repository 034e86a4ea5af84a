"""Error bounds that tests hold and ``docs/numerics.md`` prints."""

EXP2_ERROR = 0.0032  #: of the polynomial of exp2, relative
ROW_ERROR = {  #: of a row of attention: {(w, keys): largest error, largest root mean square over one spread}, in LSB
    (4, 1): (0, 0),
    (4, 2): (1.5, 0.37),
    (4, 32): (4.0, 0.7),
    (4, 128): (7.0, 1.3),
    (4, 1024): (11.0, 2.0),
    (8, 1): (0, 0),
    (8, 2): (45, 13),
    (8, 32): (45, 10),
    (8, 128): (40, 10),
    (8, 1024): (45, 10),
}
HEAD_ERROR = [  #: of a head: (w, n, dense, with a rule that keeps all blocks, causal), relative
    (4, 7, 0.026, 0.034, 0.020),
    (4, 64, 0.056, 0.060, 0.036),
    (4, 256, 0.115, 0.120, 0.055),
    (8, 7, 0.0021, 0.0021, 0.0017),
    (8, 64, 0.0026, 0.0026, 0.0022),
    (8, 256, 0.0035, 0.0035, 0.0025),
]
