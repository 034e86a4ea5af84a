"""AxiLite between a manager that stalls and the golden register bank; and in front of RegisterBank itself."""

import os
from collections import deque

import cocotb
from amaranth.hdl import Module
from amaranth.lib import wiring
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.register_bank import FULL_STROBE, RegisterBank
from hdp_hw.rtl.shell import register_bank
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.axi_lite import AxiLite
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from tb.lib.lockstep import read, start
from tb.unit.block_bench import PARAMS, bench_rng, run

WITH_BANK = "HDP_BANK" in os.environ  #: what is under test
CHANNELS = {
    "aw": ("addr", "prot"),
    "w": ("data", "strb"),
    "ar": ("addr", "prot"),
    "b": ("resp",),
    "r": ("data", "resp"),
}
HANDSHAKE = ("valid", "ready")
ADDRESSES = [register.address for register in REGISTERS] + [0x03C + 4, 0x0B4, 0x120, 0x200, 0x400, 0xFFC]

#: Probability that a channel that could begin a transfer, or be ready, does; what waits ``after`` which other channel
STALLS = {
    "none": {},
    "random": {"aw": 0.5, "w": 0.5, "ar": 0.5, "b": 0.5, "r": 0.5},
    "address first": {"w": 0.1, "b": 0.5},
    "data first": {"aw": 0.1, "b": 0.5},
    "slow manager": {"b": 0.05, "r": 0.05},
    "data waits for address": {"after": {"w": "aw"}, "r": 0.5},
    "address waits for data": {"after": {"aw": "w"}, "r": 0.5},
    "ready waits for valid": {"ready_after_valid": True},
}


class Bench:
    """A manager's five channels, clock cycle by clock cycle; a test fills ``queues``."""

    def __init__(self, dut, stalls):
        self.dut, self.rng, self.stalls = dut, bench_rng(), stalls
        self.ports = {(c, f): getattr(dut, f"{c}_{f}") for c, fields in CHANNELS.items() for f in (*fields, *HANDSHAKE)}
        self.queues = {"aw": deque(), "w": deque(), "ar": deque()}  # tuples of the channel's fields
        self.offered = dict.fromkeys(self.queues)
        self.n_taken = dict.fromkeys(CHANNELS, 0)
        self.held = {}

    def drive(self):
        """Inputs of the next clock cycle."""
        after, ready_after_valid = self.stalls.get("after", {}), self.stalls.get("ready_after_valid", False)
        for channel, queue in self.queues.items():
            first = after.get(channel)
            may = first is None or self.n_taken[first] > self.n_taken[channel]
            if self.offered[channel] is None and queue and may and self._happens(channel):
                self.offered[channel] = queue.popleft()
                for field, value in zip(CHANNELS[channel], self.offered[channel]):
                    self.ports[channel, field].value = value
            self.ports[channel, "valid"].value = int(self.offered[channel] is not None)
        self.ready = {}
        for channel in ("b", "r"):
            self.ready[channel] = channel in self.held if ready_after_valid else self._happens(channel)
            self.ports[channel, "ready"].value = int(self.ready[channel])

    def _happens(self, channel):
        return self.rng.random() < self.stalls.get(channel, 1)

    def sample(self):
        """``{channel: fields}`` of the transfers at this clock edge; responses must hold while they are not taken."""
        transfers = {}
        for channel, offered in self.offered.items():
            if offered is not None and read(self.ports[channel, "ready"], f"{channel}_ready"):
                transfers[channel], self.offered[channel] = offered, None
        for channel in ("b", "r"):
            valid = read(self.ports[channel, "valid"], f"{channel}_valid")
            assert valid or channel not in self.held, f"{channel}_valid fell before its response was taken"
            if valid:
                fields = tuple(read(self.ports[channel, field], f"{channel}_{field}") for field in CHANNELS[channel])
                assert fields == self.held.get(channel, fields), f"{channel} changed before it was taken"
                self.held[channel] = fields
                if self.ready[channel]:
                    transfers[channel] = self.held.pop(channel)
        for channel in transfers:
            self.n_taken[channel] += 1
        return transfers

    @property
    def over(self):
        """Whether every request was taken and answered."""
        idle = not any(self.queues.values()) and set(self.offered.values()) == {None}
        return idle and self.n_taken["aw"] == self.n_taken["b"] and self.n_taken["ar"] == self.n_taken["r"]


def response(error):
    return int(Response.SLVERR if error else Response.OKAY)


def requests(rng, n):
    """Random writes (address, data, strobe) and addresses of reads, of registers and of what lies between them."""
    places = (rng.choice(ADDRESSES, (2, n)) + rng.integers(0, 4, (2, n))).tolist()
    strobes = rng.choice([FULL_STROBE] * 64 + list(range(FULL_STROBE)), n).tolist()
    return list(zip(places[0], rng.integers(0, 1 << 32, n).tolist(), strobes)), places[1]


@cocotb.test(skip=WITH_BANK)
@cocotb.parametrize(stalls=list(STALLS))
async def traffic(dut, stalls):
    """Reads and writes at the same time. The bank sees each once and in order; each gets its answer."""
    await start(dut)
    bench, golden = Bench(dut, STALLS[stalls]), RegisterBank(PARAMS)
    rng = bench.rng
    writes, reads = requests(rng, 200)
    bench.queues["aw"].extend((address, int(rng.integers(0, 8))) for address, _, _ in writes)
    bench.queues["w"].extend((data, strobe) for _, data, strobe in writes)
    bench.queues["ar"].extend((address, int(rng.integers(0, 8))) for address in reads)
    to_write, to_read = deque(writes), deque(reads)
    answers = {"b": deque(), "r": deque()}
    taken = {channel: [] for channel in CHANNELS}  # clock cycles
    counters = dict.fromkeys(register_bank.counter_layout().members, 0x123456789)
    status = dict.fromkeys(register_bank.status_layout().members, 1)
    cycle = 0
    while not bench.over or cycle < 20:
        bench.drive()
        # The bank's answer, and nonsense when there is none.
        for name, width in (("write_error", 1), ("read_error", 1), ("read_data", 32)):
            value = golden.answer.get(name, int(rng.integers(0, 1 << width)))
            getattr(dut, f"registers_{name}").value = value
        await RisingEdge(dut.aclk)
        strobes = {kind: read(getattr(dut, f"registers_{kind}"), kind) for kind in ("write", "read")}
        write = read_from = None
        if strobes["write"]:
            address, data, strobe = to_write.popleft()
            write = (address & ~3, data, strobe)
            port = [int(getattr(dut, f"registers_write_{name}").value) for name in ("address", "data", "strobe")]
            assert port == [address >> 2, data, strobe], f"the bank is to write {port}, not {write}"
            place = len(writes) - len(to_write)
            assert len(taken["aw"]) >= place and len(taken["w"]) >= place, "the bank is to write what was not sent yet"
        if strobes["read"]:
            read_from = to_read.popleft() & ~3
            assert int(dut.registers_read_address.value) == read_from >> 2, "the bank is to read elsewhere"
        golden.clock(write, read_from, status=status, counters=counters)
        if strobes["write"]:
            answers["b"].append((response(golden.answer["write_error"]),))
        if strobes["read"]:
            answers["r"].append((golden.answer["read_data"], response(golden.answer["read_error"])))
        for channel, fields in bench.sample().items():
            taken[channel].append(cycle)
            if channel in answers:
                assert answers[channel], f"{channel} answers nothing"
                assert fields == answers[channel].popleft(), f"{channel} {len(taken[channel])} is {fields}"
        cycle += 1
        assert cycle < 20_000, f"no end: {bench.n_taken}"
    assert not to_write and not to_read and {len(cycles) for cycles in taken.values()} == {200}
    if stalls == "none":
        # The first of each has its latency; from then on a request waits while its predecessor is answered.
        assert taken["b"][0] - taken["aw"][0] == taken["r"][0] - taken["ar"][0] == AxiLite.latency
        assert {later - earlier for earlier, later in zip(taken["b"], taken["b"][1:])} == {AxiLite.latency}
        assert {later - earlier for earlier, later in zip(taken["r"], taken["r"][1:])} == {AxiLite.latency}


@cocotb.test(skip=not WITH_BANK)
async def registers(dut):
    """One access after another to every register, through both blocks."""
    await start(dut)
    bench, golden = Bench(dut, STALLS["random"]), RegisterBank(PARAMS)
    status = dict.fromkeys(register_bank.status_layout().members, 0)
    counters = dict.fromkeys(register_bank.counter_layout().members, 0)

    async def access(channel):
        while True:
            bench.drive()
            await RisingEdge(dut.aclk)
            if fields := bench.sample().get(channel):
                return fields

    n_refused = 0
    for address in [*ADDRESSES, *(address for address in reversed(ADDRESSES) if address != BY_NAME["CONTROL"].address)]:
        data, strobe = int(bench.rng.integers(0, 1 << 32)), FULL_STROBE if bench.rng.random() < 0.9 else 7
        bench.queues["aw"].append((address, 0))
        bench.queues["w"].append((data, strobe))
        golden.clock(write=(address, data, strobe))
        error = golden.answer["write_error"]
        assert await access("b") == (response(error),), f"writing {address:#x}"
        golden.clock()  # a reset that was written
        bench.queues["ar"].append((address, 0))
        golden.clock(read=address, status=status, counters=counters)
        expected = (golden.answer["read_data"], response(golden.answer["read_error"]))
        assert await access("r") == expected, f"reading {address:#x}"
        n_refused += error
    assert bench.over and 0 < n_refused < 2 * len(ADDRESSES)


class AxiLiteBank(wiring.Component):
    """Both blocks, the hardware's side of the bank at 0."""

    def __init__(self, params):
        self.axi_lite, self.bank = AxiLite(), register_bank.RegisterBank(params)
        members = dict(self.axi_lite.signature.members)
        super().__init__({channel: members[channel] for channel in CHANNELS})

    def elaborate(self, platform):
        m = Module()
        m.submodules.axi_lite, m.submodules.bank = self.axi_lite, self.bank
        wiring.connect(m, self.axi_lite.registers, self.bank.registers)
        for channel in CHANNELS:
            wiring.connect(m, wiring.flipped(getattr(self, channel)), getattr(self.axi_lite, channel))
        return m


def test_axi_lite(simulator):
    run(AxiLite(), __name__, simulator, "tiny")


def test_axi_lite_with_bank(simulator):
    run(AxiLiteBank(PARAMS), __name__, simulator, "tiny", "_bank", HDP_BANK="1")
