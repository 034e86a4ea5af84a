"""Flat ports, determinism and memory count of generated Verilog, on a component of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import Component, In, Out

from hdp_hw.deliver.manifest import memory_bits
from hdp_hw.rtl.verilog import ports_of, to_verilog

ROOT = Path(__file__).resolve().parents[2]


class Ports(Component):
    """Every kind of member that flattens in its own way."""

    i: In(stream.Signature(data.StructLayout({"data": data.ArrayLayout(signed(4), 3), "last": 1})))
    o: Out(stream.Signature(signed(8)))
    settings: In(data.StructLayout({"n_q": 5, "rho": signed(3)}))
    i_row: In(data.ArrayLayout(unsigned(2), 4))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.i.ready.eq(self.o.ready), self.o.valid.eq(self.i.valid)]
        m.d.comb += self.o.payload.eq(self.i.payload.data[1] + self.settings.rho)
        return m


class Clash(Component):
    """Two members of one flat name."""

    i: In(stream.Signature(8))
    i_valid: In(1)


class Memories(Component):
    """A memory of ``depth`` words of 8 bits, and with ``depth > 2`` two components half as deep."""

    i_address: In(4)
    o_data: Out(8)

    def __init__(self, depth):
        self.depth = depth
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = memory.Memory(shape=8, depth=self.depth, init=[])
        port = words.read_port()
        m.d.comb += [port.addr.eq(self.i_address), self.o_data.eq(port.data)]
        if self.depth > 2:
            halves = [Memories(self.depth // 2) for _ in range(2)]
            m.submodules += halves
            m.d.comb += [half.i_address.eq(self.i_address) for half in halves]
            m.d.comb += self.o_data.eq(port.data ^ halves[0].o_data ^ halves[1].o_data)
        return m


def test_ports_are_flat():
    assert ports_of(Ports()) == [
        ("aclk", "input", 1),
        ("aresetn", "input", 1),
        ("i_data", "input", 12),
        ("i_last", "input", 1),
        ("i_valid", "input", 1),
        ("i_ready", "output", 1),
        ("o_payload", "output", 8),
        ("o_valid", "output", 1),
        ("o_ready", "input", 1),
        ("settings_n_q", "input", 5),
        ("settings_rho", "input", 3),
        ("i_row", "input", 8),
    ]


def test_verilog_has_these_ports():
    text = to_verilog(Ports(), "flat")
    top = text[text.index("module flat(") :].partition("endmodule")[0]
    for name, direction, width in ports_of(Ports()):
        vector = f" [{width - 1}:0]" if width > 1 else ""
        assert f"\n  {direction}{vector} {name};" in top


def test_clash_is_refused():
    with pytest.raises(ValueError, match="Clash: two members flatten to the port 'i_valid'"):
        ports_of(Clash())


def test_memory_bits_count_every_instance():
    assert memory_bits(to_verilog(Memories(8), "memories")) == 8 * (8 + 2 * (4 + 2 * 2))


def test_same_bytes_in_any_process(tmp_path):
    script = "from tb.model.test_generate import *; print(to_verilog(Memories(8), 'memories'))"
    texts = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for folder, seed in ((ROOT, "1"), (tmp_path, "2"))
    ]
    assert texts[0] == texts[1]
    assert str(ROOT) not in texts[0]
