"""Refuses settings that the core can't run."""

from amaranth.hdl import Cat, Module, Mux, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.spec.settings import Rule, field_limits


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
        if self.params.encoder:
            wrong += self._layer(settings)
        m.d.comb += self.o_legal.eq(~Cat(wrong).any())
        return m

    def _layer(self, settings):
        """What is wrong with a linear layer, or with attention on a core that has linear layers too."""
        params, bank_bits = self.params, self.params.bank_bits
        # A bank holds powers of two of rows and of words. All numbers are less one; what is 1 in n_q or n_k reaches as
        # high as the larger of them.
        words, n_q, n_k = (
            (settings[name] - 1)[(unit - 1).bit_length() : len(settings[name])]
            for name, unit in (("head_dim", params.lanes), ("n_q", params.tile), ("n_k", params.tile))
        )
        rows = n_q | n_k
        too_many = [words[bits:].any() & rows[bank_bits - bits - 1 :].any() for bits in range(bank_bits)]
        too_many.append(rows[bank_bits:].any())
        step_bits = (params.channel_step - 1).bit_length()
        others = (settings.rule != Rule.DENSE) | settings.causal | settings.compensate | settings.mean_output
        of_layer = [settings.n_k[:step_bits].any(), others, *too_many]
        of_attention = [settings.head_dim > params.max_head_dim, settings.words, settings.activation.any()]
        of_attention.append(settings.reuse)
        return [Mux(settings.linear, Cat(of_layer).any(), Cat(of_attention).any())]
