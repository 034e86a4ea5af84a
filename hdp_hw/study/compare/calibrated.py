"""HDP under the settings file of a model, as hdp-hw calibrate writes it."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.driver.layer import LayerSettings
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.peers.hdp import GoldenCore


@dataclass(eq=False)
class CalibratedHdp(GoldenCore):
    """HDP with rules and thresholds of their own for layers and heads.

    Parameters
    ----------
    params : HdpParams
        The array.
    layers : list of LayerSettings
        Of each layer.
    """

    params: HdpParams
    layers: list[LayerSettings]

    def of_layer(self, layer, n_heads, n, d):
        chosen = self.layers[layer]
        scales = [np.reshape(absmax, (-1, 1, 1)) for absmax in (chosen.q_absmax, chosen.k_absmax, chosen.v_absmax)]
        return scales, chosen.head_settings(n_heads, n_heads, n, n, d, self.params)
