"""Other pruned attentions beside HDP, behind one interface and under one model of cost, in float32.

:mod:`hdp_hw.study.peers.method` has the interface, :mod:`hdp_hw.study.peers.cost` what is counted of attention and
:mod:`hdp_hw.study.peers.model_work` what is of a model.
"""

from hdp_hw.study.peers.a3 import A3
from hdp_hw.study.peers.dynatran import DynaTran
from hdp_hw.study.peers.energon import Energon
from hdp_hw.study.peers.hdp import Hdp
from hdp_hw.study.peers.leaving import LeavingHdp
from hdp_hw.study.peers.oracle import Oracle
from hdp_hw.study.peers.sanger import Sanger
from hdp_hw.study.peers.spatten import SpAtten

METHODS = {
    "hdp": Hdp,
    "leaving": LeavingHdp,
    "oracle": Oracle,
    "spatten": SpAtten,
    "a3": A3,
    "energon": Energon,
    "dynatran": DynaTran,
    "sanger": Sanger,
}
