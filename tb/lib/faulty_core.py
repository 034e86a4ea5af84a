"""A core that goes wrong, for what is around it."""

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hdp_hw.rtl.core.attention_core import AttentionCore


class FaultyCore(wiring.Component):
    """An AttentionCore every beat of whose output says that it is its head's last."""

    def __init__(self, params):
        self.core = AttentionCore(params)
        super().__init__(self.core.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = self.core
        outside = {path: Value.cast(value) for path, _, value in self.signature.flatten(self)}
        for path, member, value in self.core.signature.flatten(self.core):
            inside = Value.cast(value)
            m.d.comb += inside.eq(outside[path]) if member.flow == In else outside[path].eq(inside)
        m.d.comb += self.o.payload.last.eq(1)
        return m
