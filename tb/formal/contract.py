"""The contract of streams, for any component: what is offered stays as it is until it is taken."""

from dataclasses import dataclass

from amaranth.hdl import Assert, Assume, Cover, Value
from amaranth.lib.wiring import In

from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.params import HdpParams

#: What the proofs are of: small cores, whose states a solver can go through.
PARAMS = HdpParams(tile=2, lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16)
FEW_BLOCKS = HdpParams(tile=4, lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16)


@dataclass(frozen=True)
class Stream:
    """A stream of a component: ``name`` as in the Verilog, ``consumed`` if it is an input, and its three signals."""

    name: str
    consumed: bool
    valid: Value
    ready: Value
    payload: Value


def streams_of(component):
    """All streams of a component, those inside other interfaces too."""
    members = {path: (member.flow, Value.cast(v)) for path, member, v in component.signature.flatten(component)}
    streams = []
    for (*path, last), (flow, valid) in members.items():
        others = [members.get((*path, other)) for other in ("ready", "payload")]
        if last == "valid" and all(others):
            streams.append(Stream("_".join(map(str, path)), flow == In, valid, *(value for _, value in others)))
    return streams


def past(m, value, cycles=1):
    """``value`` so many clock cycles before; 0 in the first."""
    return delay(m, value, cycles, "past")


def holds(m, stream):
    """Of a Stream or an interface: 1 unless a beat that was not taken in the clock cycle before has changed or gone."""
    stalled = past(m, stream.valid & ~stream.ready)
    return ~stalled | (stream.valid & (Value.cast(stream.payload) == past(m, Value.cast(stream.payload))))


def held(m, value, condition):
    """1 unless ``condition`` was 1 in the clock cycle before and ``value`` is no longer what it was."""
    return ~past(m, condition) | (value == past(m, value))


def stream_contract(m, component):
    """Every output stream holds what it offers, provided that every input stream does; each transfers, and stalls."""
    for stream in streams_of(component):
        transfers = stream.valid & stream.ready
        if stream.consumed:
            m.d.comb += [Assume(holds(m, stream)), Cover(transfers)]
        else:
            m.d.comb += [Assert(holds(m, stream)), Cover(transfers & past(m, stream.valid & ~stream.ready))]


def not_from_ready(component):
    """Pairs for ``assert_independent``: no output stream is valid because it, or another output stream, is ready."""
    outputs = [stream.name for stream in streams_of(component) if not stream.consumed]
    return [(f"{ready}_ready", f"{valid}_valid") for ready in outputs for valid in outputs]
