"""A job of hdp_top in a SoC of LiteX, on each of its buses: registers, memory and interrupt as a processor has them."""

import json
import os
import re

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from hdp_hw.driver.bus_backend import job_registers
from hdp_hw.driver.driver import prepare
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.layer import LayerSettings
from hdp_hw.driver.memory_layout import JobLayout, pack_job, pack_rows, row_bytes
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.rtl.verilog import ports_of, to_verilog
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.lockstep import read
from tb.lib.simulation import BenchFailed, simulate_verilog

REGISTERS, MEMORY, MEMORY_BYTES = 0x3000_0000, 0x4000_0000, 0x4000
MASTER = ("adr", "dat_w", "sel", "cyc", "stb", "we", "cti", "bte")  # Wishbone, 32 bits: LiteX adapts it to its bus
INPUTS = ("sys_clk", "sys_rst", "sim_trace", *(f"external_{name}" for name in MASTER))
OUTPUTS = ("interrupt", "external_dat_r", "external_ack", "external_err")


def params_of(bus_width):
    """A small co-processor: five readers of memory, each with its own ID."""
    return HdpParams(lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16, bus_width=bus_width)


def layer_job(params):
    """Four heads, of which a part of the blocks is pruned."""
    q, k, v = 2 * np.random.default_rng(1).standard_normal((3, 4, 16, 16))
    layer = LayerSettings.fit(q, k, v, rule="mass", threshold=1.0, relative=True, compensate=True)
    return prepare(q, k, v, layer, params)[0]


# -- in the simulator -------------------------------------------------------------------------------------------------
async def access(dut, address, data=None):
    """One access of the external master; returns what a read gave."""
    dut.external_adr.value, dut.external_dat_w.value = address >> 2, data or 0
    dut.external_we.value, dut.external_sel.value = int(data is not None), 15
    dut.external_cyc.value = dut.external_stb.value = 1
    for _ in range(10_000):
        await RisingEdge(dut.sys_clk)
        if read(dut.external_ack, "ack"):
            assert not read(dut.external_err, "err"), f"bus error at {address:#x}"
            dut.external_cyc.value = dut.external_stb.value = 0
            word = read(dut.external_dat_r, "dat_r") if data is None else None
            await RisingEdge(dut.sys_clk)
            return word
    raise AssertionError(f"no answer at {address:#x}")


async def register(dut, name, data=None):
    """Write a register by its name, or read it."""
    return await access(dut, REGISTERS + BY_NAME[name].address, data)


async def load(dut, address, content):
    """Write bytes into the SoC's memory."""
    for at in range(0, len(content), 4):
        await access(dut, address + at, int.from_bytes(content[at : at + 4], "little"))


async def fetch(dut, address, n_bytes):
    """Bytes of the SoC's memory."""
    words = [await access(dut, address + at) for at in range(0, n_bytes, 4)]
    return b"".join(word.to_bytes(4, "little") for word in words)


@cocotb.test()
async def job_in_a_soc(dut):
    """Twice, so that the second finds what the first left in the queues of IDs."""
    params = params_of(int(os.environ["BUS_WIDTH"]))
    for name in INPUTS:
        getattr(dut, name).value = int(name == "sys_rst")
    Clock(dut.sys_clk, 10, unit="ns").start()
    for _ in range(5):
        await RisingEdge(dut.sys_clk)
    dut.sys_rst.value = 0
    job = layer_job(params)
    layout, contents = JobLayout.of(job, params), pack_job(job, params)
    assert layout.size <= MEMORY_BYTES
    for each in BY_NAME.values():
        word = await register(dut, each.name)
        assert each.reset in (word, None), f"{each.name} is {word:#x}"
    for name, content in contents.items():
        place, content = MEMORY + layout.regions[name].offset, content.tobytes()
        await load(dut, place, content)
        assert await fetch(dut, place, len(content)) == content, name
    done = BY_NAME["IRQ_STATUS"].pack(job_done=1)
    n_bytes = row_bytes("output", 16, params)
    expected = pack_rows(Emulator(params).run(job).output, params.operand_width, n_bytes).tobytes()
    assert any(expected)
    for job_id in (1, 2):
        place = MEMORY + layout.regions["output"].offset
        await load(dut, place, bytes(len(expected)))
        words = job_registers(job, layout, MEMORY, job_id, params) | {"TIMEOUT": 100_000, "IRQ_ENABLE": 0x7FF}
        for name, word in words.items():
            await register(dut, name, int(word))
        await register(dut, "CONTROL", BY_NAME["CONTROL"].pack(start=1))
        for _ in range(200_000):
            await RisingEdge(dut.sys_clk)
            if read(dut.interrupt, "interrupt"):
                break
        assert await register(dut, "IRQ_STATUS") == done
        await register(dut, "IRQ_STATUS", done)
        assert await fetch(dut, place, len(expected)) == expected
        assert read(dut.interrupt, "interrupt") == 0


# -- outside ----------------------------------------------------------------------------------------------------------
def soc_verilog(bus, params, folder):
    """Verilog of a SoC without a processor, hdp_top included; an external master takes the processor's place."""
    pytest.importorskip("litex", reason="LiteX is not installed: python3 tools/setup.py packaging")
    from litex.build.generic_platform import Pins
    from litex.build.sim import SimPlatform
    from litex.soc.integration.soc import SoCRegion
    from litex.soc.integration.soc_core import SoCCore
    from litex.soc.interconnect import wishbone
    from migen import ClockDomain

    from hdp_hw.deliver.litex import Hdp

    top = HdpTop(params)
    (folder / "hdp_top.v").write_text(to_verilog(top, "hdp_top"))
    (folder / "manifest.json").write_text(json.dumps({"ports": {"hdp_top": ports_of(top)}}))
    platform = SimPlatform("SIM", [(name, 0, Pins(1)) for name in ("sys_clk", "sys_rst", "interrupt")], name="soc")
    master = wishbone.Interface(data_width=32)
    platform.add_extension(master.get_ios("external"))
    soc = SoCCore(
        platform,
        1e6,
        cpu_type=None,
        with_uart=False,
        with_timer=False,
        integrated_sram_size=0,
        integrated_main_ram_size=MEMORY_BYTES,
        bus_standard=bus,
        bus_data_width=params.bus_width,
    )
    soc.cd_sys = ClockDomain("sys")
    soc.hdp = Hdp(platform, folder)
    soc.bus.add_slave("hdp", soc.hdp.bus, SoCRegion(origin=REGISTERS, size=0x1000, cached=False))
    soc.bus.add_master("hdp", soc.hdp.memory)
    soc.bus.add_master("external", master)
    soc.comb += [
        soc.cd_sys.clk.eq(platform.request("sys_clk")),
        soc.cd_sys.rst.eq(platform.request("sys_rst")),
        *master.connect_to_pads(platform.request("external"), mode="slave"),
        platform.request("interrupt").eq(soc.hdp.ev.job.trigger),
    ]
    soc.finalize()
    assert [file for file, *_ in platform.sources] == [str(folder / "hdp_top.v")]
    text = platform.get_verilog(soc, name="soc").main_source
    instance = re.search(r"^hdp_top hdp_top\((.*?)^\);", text, re.M | re.S)[1]
    assert set(re.findall(r"\.(\w+)", re.sub(r"//.*", "", instance))) == {name for name, *_ in ports_of(top)}
    return text + (folder / "hdp_top.v").read_text()


def simulate_soc(bus, bus_width, folder, name):
    """BenchFailed unless the job runs in such a SoC."""
    text = soc_verilog(bus, params_of(bus_width), folder)
    environment = {"BUS_WIDTH": str(bus_width)}
    simulate_verilog(text, INPUTS + OUTPUTS, __name__, "verilator", name=name, top="soc", plusenv=environment)


@pytest.mark.parametrize(
    ("bus", "bus_width"),
    [
        ("axi", 64),
        ("wishbone", 32),
        pytest.param("axi", 32, marks=pytest.mark.slow),
        pytest.param("axi-lite", 64, marks=pytest.mark.slow),
        pytest.param("wishbone", 64, marks=pytest.mark.slow),
        pytest.param("axi-lite", 32, marks=pytest.mark.slow),
    ],
)
def test_litex(bus, bus_width, tmp_path):
    simulate_soc(bus, bus_width, tmp_path, f"litex_{bus}_{bus_width}")


@pytest.mark.slow
def test_bench_notices_lost_ids(tmp_path, monkeypatch):
    """Without the queues LiteX's interconnect keeps one bit of an ID."""
    litex = pytest.importorskip("hdp_hw.deliver.litex", reason="LiteX is not installed", exc_type=ImportError)

    class Straight(litex.LiteXModule):
        def __init__(self, request_from, request_to, response_from, response_to):
            self.comb += [request_from.connect(request_to), response_from.connect(response_to)]

    monkeypatch.setattr(litex, "IdQueue", Straight)
    with pytest.raises(BenchFailed, match="job_in_a_soc failed"):
        simulate_soc("axi", 32, tmp_path, "litex_lost_ids")
