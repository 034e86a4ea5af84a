"""Other pruned attentions beside HDP, behind one interface and under one model of cost, in float32.

:mod:`golden.peers.method` has the interface, :mod:`golden.peers.cost` what is counted.
"""

from golden.peers.a3 import A3
from golden.peers.dynatran import DynaTran
from golden.peers.energon import Energon
from golden.peers.hdp import Hdp
from golden.peers.oracle import Oracle
from golden.peers.sanger import Sanger
from golden.peers.spatten import SpAtten

METHODS = {
    "hdp": Hdp,
    "oracle": Oracle,
    "spatten": SpAtten,
    "a3": A3,
    "energon": Energon,
    "dynatran": DynaTran,
    "sanger": Sanger,
}
