"""Refuses settings that the core can't run."""

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.spec.settings import field_limits


class SettingsCheck(wiring.Component):
    """Says whether settings are within :func:`hdp_hw.spec.settings.field_limits` and go together.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_settings : In(settings_layout(params))
        The head table's settings of a head, in any clock cycle.
    o_legal : Out(unsigned(1))
        The core can run a head with these settings.

    Timing
    ------
    Combinational: latency 0.

    Numerics
    --------
    Golden twin ``hdp_hw.spec.settings.HeadSettings.validate``.
    """

    def __init__(self, params):
        self.params = params
        super().__init__({"i_settings": In(settings_layout(params)), "o_legal": Out(unsigned(1))})

    def elaborate(self, platform):
        m = Module()
        settings = self.i_settings
        slice_bits = (self.params.slice_width - 1).bit_length()
        wrong = [
            settings.head_dim[:slice_bits].any() if slice_bits else 0,
            settings.causal & (settings.compensate | settings.mean_output),
        ]
        for name, (low, high) in field_limits(self.params).items():
            value = settings[name]
            lowest = -(1 << (len(value) - 1)) if low < 0 else 0
            if low > lowest:
                wrong.append(value < low)
            if high < lowest + (1 << len(value)) - 1:
                wrong.append(value > high)
        m.d.comb += self.o_legal.eq(~Cat(wrong).any())
        return m
