"""BoardMemory: bursts and single words at the same time, against an array of bytes."""

import os
import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.rtl.boards.board_memory import BoardMemory
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.spec.depths import MAX_BURST_BEATS
from hdp_hw.spec.link_protocol import MEMORY_BASE
from hdp_hw.spec.params import HdpParams, ParameterError
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate

PARAMS = HdpParams(bus_width=int(os.environ.get("HDP_BUS_WIDTH", "64")))
SIZE, BUS = 4096, PARAMS.bus_bytes
HALF = SIZE // 2  #: the host has the lower half, bursts have the upper: no order between them is promised


class Bench:
    """Runs a host, a reader and a writer at the same time; ``data`` is what the memory holds."""

    def __init__(self, dut, stalls):
        self.dut, self.rng, self.stalls = dut, random.Random(cocotb.RANDOM_SEED), stalls
        self.data, self.counts = bytearray(SIZE), {"host": 0, "read": 0, "write": 0}
        for first in range(0, SIZE, 4):  # what the host writes before
            self.data[first : first + 4] = self.rng.randbytes(4)

    async def until(self, condition, limit=500):
        for _ in range(limit):
            await RisingEdge(self.dut.aclk)
            if condition():
                return
        raise AssertionError("no end")

    async def pause(self):
        while self.rng.random() < self.stalls:
            await RisingEdge(self.dut.aclk)

    async def access(self, write, address, data=0):
        """An access of the host; ``(data, error)``, None for the data if there are none."""
        dut = self.dut
        dut.host_access_valid.value, dut.host_access_write.value = 1, write
        dut.host_access_address.value, dut.host_access_data.value = address, data
        await self.until(lambda: read(dut.host_access_ready, "ready"))
        dut.host_access_valid.value = 0
        await RisingEdge(dut.aclk)
        assert read(dut.host_result_valid, "valid"), "the result comes one clock cycle after the access"
        error = read(dut.host_result_error, "error")
        return None if write or error else read(dut.host_result_data, "data"), error

    async def host(self, n):
        for _ in range(n):
            await self.pause()
            if self.rng.random() < 0.1:
                outside = self.rng.choice([MEMORY_BASE - 4, MEMORY_BASE + SIZE, 0, 0xFFFF_FFFC])
                assert (await self.access(self.rng.randrange(2), outside, 0xBAD))[1]
                continue
            place, write = self.rng.randrange(0, HALF, 4), self.rng.randrange(2)
            word = self.rng.randbytes(4)
            data, error = await self.access(write, MEMORY_BASE + place, int.from_bytes(word, "little"))
            assert not error
            if write:
                self.data[place : place + 4] = word
            else:
                assert data.to_bytes(4, "little") == self.data[place : place + 4], f"word {place:#x}"
            self.counts["host"] += 1

    def burst(self):
        """``(id, place, beats, outside)`` in the upper half, or outside the memory."""
        beats = self.rng.randrange(1, MAX_BURST_BEATS + 1)
        place = HALF + BUS * self.rng.randrange((SIZE - HALF) // BUS - beats)
        return self.rng.getrandbits(PARAMS.axi_id_width), place, beats, self.rng.random() < 0.1

    async def request(self, channel, identity, place, beats, outside):
        dut = self.dut
        base = MEMORY_BASE + self.rng.choice([SIZE, 1 << 33]) if outside else MEMORY_BASE
        values = {"id": identity, "addr": base + place, "len": beats - 1, "valid": 1}
        for name, value in values.items():
            getattr(dut, f"{channel}_{name}").value = value
        await self.until(lambda: read(getattr(dut, f"{channel}_ready"), "ready"))
        getattr(dut, f"{channel}_valid").value = 0

    async def reader(self, n):
        dut = self.dut
        for _ in range(n):
            await self.pause()
            identity, place, beats, outside = self.burst()
            await self.request("read_ar", identity, place, beats, outside)
            expected, cycles = self.data[place : place + BUS * beats], 0
            for beat in range(beats):
                ready = taken = False
                while not taken:
                    ready = self.rng.random() >= self.stalls
                    dut.read_r_ready.value = int(ready)
                    await RisingEdge(dut.aclk)
                    cycles += 1
                    assert cycles < 500, "no beat"
                    taken = ready and read(dut.read_r_valid, "r_valid")
                got = [read(getattr(dut, f"read_r_{name}"), name) for name in ("id", "resp", "last")]
                assert got == [identity, Response.DECERR if outside else Response.OKAY, int(beat == beats - 1)]
                word = read(dut.read_r_data, "data").to_bytes(BUS, "little")
                assert outside or word == expected[BUS * beat : BUS * (beat + 1)], f"beat {beat} of {place:#x}"
            dut.read_r_ready.value = 0
            if not self.stalls:
                self.timing(cycles, beats + 2)
            self.counts["read"] += 1

    def timing(self, cycles, ideal):
        """So many clock cycles; some more while the host has accesses."""
        assert ideal - 1 <= cycles <= 2 * ideal + 2, f"{cycles} clock cycles, not {ideal}"

    async def writer(self, n):
        dut = self.dut
        for _ in range(n):
            await self.pause()
            identity, place, beats, outside = self.burst()
            await self.request("write_aw", identity, place, beats, outside)
            new = bytearray(self.data[place : place + BUS * beats])
            for beat in range(beats):
                await self.pause()
                strobe, word = (
                    self.rng.choice([-1, self.rng.getrandbits(BUS)]) & (1 << BUS) - 1,
                    self.rng.randbytes(BUS),
                )
                for lane in range(BUS):
                    if strobe >> lane & 1:
                        new[BUS * beat + lane] = word[lane]
                dut.write_w_valid.value, dut.write_w_strb.value = 1, strobe
                dut.write_w_data.value, dut.write_w_last.value = int.from_bytes(word, "little"), int(beat == beats - 1)
                await self.until(lambda: read(dut.write_w_ready, "w_ready"))
                dut.write_w_valid.value = 0
            await self.pause()
            dut.write_b_ready.value = 1
            await self.until(lambda: read(dut.write_b_valid, "b_valid"), 3)
            assert read(dut.write_b_id, "id") == identity
            assert read(dut.write_b_resp, "resp") == (Response.DECERR if outside else Response.OKAY)
            dut.write_b_ready.value = 0
            if not outside:
                self.data[place : place + len(new)] = new
            self.counts["write"] += 1


@cocotb.test()
@cocotb.parametrize(stalls=[0.0, 0.5])
async def everything(dut, stalls):
    """The host fills the memory; then it goes on while bursts are read, and after that while bursts are written."""
    await start(dut)
    bench = Bench(dut, stalls)
    for place in range(0, SIZE, 4):
        word = int.from_bytes(bench.data[place : place + 4], "little")
        assert not (await bench.access(1, MEMORY_BASE + place, word))[1]
    for _ in range(2):
        host = cocotb.start_soon(bench.host(150))
        await bench.reader(30)
        await bench.writer(30)
        await host
    await bench.reader(60)
    assert bench.counts == {"host": bench.counts["host"], "read": 120, "write": 60} and bench.counts["host"] > 200
    for place in range(0, SIZE, 4):
        data, _ = await bench.access(0, MEMORY_BASE + place)
        assert data.to_bytes(4, "little") == bench.data[place : place + 4]


@pytest.mark.parametrize("bus_width", [32, 64, 128])
def test_board_memory(simulator, bus_width):
    component = BoardMemory(HdpParams(bus_width=bus_width), SIZE)
    plusenv = {"HDP_BUS_WIDTH": str(bus_width)}
    simulate(component, __name__, simulator, name=f"board_memory_{bus_width}", plusenv=plusenv)


@pytest.mark.parametrize("n_bytes", [2048, 6144, 1 << 29])
def test_refuses(n_bytes):
    with pytest.raises(ParameterError, match=f"n_bytes = {n_bytes} is not legal; legal: a power of two, 4096 to"):
        BoardMemory(HdpParams(), n_bytes)
