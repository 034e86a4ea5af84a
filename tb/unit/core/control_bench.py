"""What the benches of the core's control share: entries of the head table, and ports written down cycle by cycle."""

from amaranth.hdl import Shape
from amaranth.lib import data

from hdp_hw.rtl.core.jobs import head_entry_layout
from hdp_hw.spec.settings import Rule
from tb.lib.play import play
from tb.unit.block_bench import PARAMS, bits


def random_fields(rng, layout):
    """A record of a layout, as nested dictionaries and lists of any bits."""
    if isinstance(layout, data.StructLayout):
        return {name: random_fields(rng, field.shape) for name, field in layout}
    if isinstance(layout, data.ArrayLayout):
        return [random_fields(rng, layout.elem_shape) for _ in range(layout.length)]
    return int(rng.integers(1 << Shape.cast(layout).width))


def random_entry(rng, n_q=None, n_k=None, **settings):
    """An entry of the head table: any bits, but for lengths and settings."""
    entry = random_fields(rng, head_entry_layout(PARAMS))
    longest = PARAMS.max_seq_len
    entry["settings"] |= {
        "n_q": n_q or int(rng.integers(1, longest + 1)),
        "n_k": n_k or int(rng.integers(1, longest + 1)),
    }
    entry["settings"] |= {"rule": int(Rule.MASS)} | settings
    return entry


def entry_bits(entries):
    """The port ``i_entries``."""
    layout = head_entry_layout(PARAMS)
    return sum(bits(layout, entry) << (index * layout.size) for index, entry in enumerate(entries))


def flat(prefix, fields):
    """``{port: value}`` of a record's ports."""
    ports = {}
    for name, value in fields.items():
        ports |= flat(f"{prefix}_{name}", value) if isinstance(value, dict) else {f"{prefix}_{name}": value}
    return ports


class Script:
    """Inputs, and every output that counts, clock cycle by clock cycle."""

    def __init__(self):
        self.held, self.values = {}, {}

    @property
    def now(self):
        return len(self.held)

    def cycle(self, inputs, outputs):
        """The next clock cycle."""
        self.values[self.now] = outputs
        self.held[self.now] = inputs

    async def play(self, dut):
        await play(dut, {}, self.held, {}, self.values, idle=0)


class Source:
    """Offers payloads at random on a stream and holds each until it is taken."""

    def __init__(self, rng, name, idle, make):
        self.rng, self.name, self.idle, self.make = rng, name, idle, make
        self.offered = None

    def offer(self, allowed=True):
        """Inputs of this clock cycle."""
        if self.offered is None and allowed and self.rng.random() >= self.idle:
            self.offered = self.make()
        return flat(self.name, self.offered or {}) | {f"{self.name}_valid": int(self.offered is not None)}

    def take(self, ready):
        """The payload, if it is taken in this clock cycle."""
        taken = self.offered if ready else None
        if taken is not None:
            self.offered = None
        return taken
