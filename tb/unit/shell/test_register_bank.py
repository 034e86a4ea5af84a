"""RegisterBank, every output in every clock cycle, against golden/bits/shell/register_bank.py."""

import cocotb
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.register_bank import FULL_STROBE, RegisterBank
from hdp_hw.rtl.shell import register_bank
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from tb.lib.lockstep import pack, read, start
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

MAPPED = [register.address for register in REGISTERS]
ADDRESSES = [
    *range(0, MAPPED[-1] + 64, 4),
    *(top | address for top in (0x400, 0x800, 0xC00) for address in MAPPED[::9]),
]
EVENTS = [field.name for field in BY_NAME["IRQ_STATUS"].fields]
STATUS = {name: shape.width for name, shape in register_bank.status_layout().members.items()}
COUNTERS = list(register_bank.counter_layout().members)
LOW = {name: BY_NAME[f"{name.upper()}_LOW"].address for name in COUNTERS}
HIGH = {name: BY_NAME[f"{name.upper()}_HIGH"].address for name in COUNTERS}
CONTROL, STATUS_WORD, ENABLE = (BY_NAME[name].address for name in ("CONTROL", "IRQ_STATUS", "IRQ_ENABLE"))


class Bench:
    """Drives a clock cycle's inputs and compares its outputs; hardware's values are random unless told otherwise."""

    def __init__(self, dut):
        self.dut, self.rng, self.golden, self.answers = dut, bench_rng(), RegisterBank(PARAMS), 0
        self.driven, self.status, self.counters, self.seen_job = {}, {}, {}, {}
        self.job = {name: getattr(dut, f"o_job_{name}") for name in self.golden.job}

    async def clock(self, write=None, read_from=None, events=(), counters=None, load=None):
        """One clock cycle; ``write`` is (address, data) or (address, data, strobe), ``load`` (index, word)."""
        rng = self.rng
        write = write and (*write, FULL_STROBE)[:3]
        if not self.counters or rng.random() < 0.2:
            self.status = {name: int(rng.integers(0, 1 << width)) for name, width in STATUS.items()}
            self.counters = {name: int(rng.integers(0, 1 << 64, dtype="uint64")) for name in COUNTERS}
        self.counters = counters or self.counters
        address, data, strobe = write or (int(rng.choice(ADDRESSES)), int(rng.integers(0, 1 << 32)), FULL_STROBE)
        inputs = {"write": write is not None, "write_address": address >> 2, "write_data": data, "write_strobe": strobe}
        inputs |= {"read": read_from is not None, "read_address": (address if read_from is None else read_from) >> 2}
        inputs = {f"registers_{name}": value for name, value in inputs.items()}
        inputs |= {f"i_status_{name}": value for name, value in self.status.items()}
        inputs |= {f"i_counters_{name}": value for name, value in self.counters.items()}
        inputs |= {f"i_events_{name}": name in events for name in EVENTS}
        if PARAMS.encoder:
            index, word = load or (int(rng.integers(0, 48)), int(rng.integers(0, 1 << 32)))
            inputs |= {"i_load_valid": load is not None, "i_load_index": index, "i_load_word": word}
        for name, value in inputs.items() - self.driven.items():
            signal = getattr(self.dut, name)
            signal.value = pack(int(value), len(signal))
        self.driven = inputs
        await RisingEdge(self.dut.aclk)
        outputs = {"irq": self.golden.irq} | {f"registers_{name}": value for name, value in self.golden.answer.items()}
        if PARAMS.encoder:
            outputs["i_load_ready"] = int(write is None)
        outputs |= {f"o_control_{name}": value for name, value in self.golden.control.items()}
        for name, value in outputs.items():
            self._compare(name, getattr(self.dut, name), value)
        job = self.golden.job
        if job != self.seen_job or rng.random() < 0.05:  # many, and they seldom change
            for name, value in job.items():
                self._compare(f"o_job_{name}", self.job[name], value)
        self.seen_job = job
        self.answers += len(self.golden.answer)
        self.golden.clock(write, read_from, events, self.status, self.counters, load)

    def _compare(self, name, signal, value):
        got = read(signal, name)
        assert got == value, f"{name} is {got:#x}, expected {value:#x}"

    async def end(self, n_answers):
        """Two more clock cycles; so many answers must have been compared."""
        await self.clock()
        await self.clock()
        assert self.answers == n_answers, f"{self.answers} answers compared, not {n_answers}"


@cocotb.test()
async def reset_values(dut):
    """Every address is read, one a clock cycle; then every one is written, and read again."""
    await start(dut)
    bench = Bench(dut)
    for address in ADDRESSES:
        await bench.clock(read_from=address)
    for address in ADDRESSES:
        if address != CONTROL:
            await bench.clock(write=(address, 0xFFFFFFFF))
    for address in ADDRESSES:
        await bench.clock(read_from=address)
    await bench.end(2 * 2 * len(ADDRESSES) + len(ADDRESSES) - 1)


@cocotb.test()
async def fields(dut):
    """A one walks through every bit of every register that can be written; partial strobes write nothing."""
    await start(dut)
    bench, n = Bench(dut), 0
    for register in REGISTERS:
        if "w" not in register.access:
            continue
        for bit in range(32):
            await bench.clock(write=(register.address, 1 << bit))
            await bench.clock(read_from=register.address)
        for strobe in range(FULL_STROBE):
            await bench.clock(write=(register.address, 0xFFFFFFFF, strobe))
        await bench.clock(read_from=register.address)
        n += 32 * 3 + FULL_STROBE + 2
    await bench.end(n)


@cocotb.test()
async def interrupts(dut):
    """Each event alone: seen, held, masked, cleared; and cleared in the clock cycle in which it happens again."""
    await start(dut)
    bench = Bench(dut)
    for bit, event in enumerate(EVENTS):
        await bench.clock(write=(ENABLE, 1 << bit))
        await bench.clock(events=[event])
        await bench.clock(read_from=STATUS_WORD)
        await bench.clock(write=(ENABLE, ~(1 << bit) & 0xFFFFFFFF))
        await bench.clock(write=(STATUS_WORD, ~(1 << bit) & 0xFFFFFFFF), read_from=STATUS_WORD)
        await bench.clock(write=(STATUS_WORD, 1 << bit), events=[event])
        await bench.clock(read_from=STATUS_WORD)
        await bench.clock(write=(STATUS_WORD, 1 << bit))
        await bench.clock(read_from=STATUS_WORD)
        assert bench.golden.answer["read_data"] == 0
    await bench.end(len(EVENTS) * (5 + 4 * 2))


@cocotb.test()
async def snapshots(dut):
    """The high word is of the clock cycle in which the low one was read, whatever is read in between."""
    await start(dut)
    bench = Bench(dut)
    for name in COUNTERS:
        await bench.clock(read_from=LOW[name], counters=dict.fromkeys(COUNTERS, 0xFFFFFFFF))
    for name in COUNTERS:
        await bench.clock(read_from=HIGH[name], counters=dict.fromkeys(COUNTERS, 1 << 32))
    for name in bench.rng.permutation(COUNTERS):
        await bench.clock(read_from=LOW[name])
    for name in bench.rng.permutation(COUNTERS):
        await bench.clock(read_from=HIGH[name])
    await bench.end(4 * 2 * len(COUNTERS))


@cocotb.test()
async def anything(dut):
    """Everything at random and at once, resets too."""
    await start(dut)
    bench, rng, n = Bench(dut), bench_rng(), 0
    for _ in range(2500):
        busy = [MAPPED, [CONTROL, STATUS_WORD, ENABLE], [*LOW.values(), *HIGH.values()], ADDRESSES]
        write = read_from = None
        if rng.random() < 0.7:
            address = int(rng.choice(busy[rng.integers(4)]))
            data = int(rng.integers(0, 1 << 32)) & (0xB if address == CONTROL and rng.random() < 0.9 else 0xFFFFFFFF)
            write = (address, data, int(rng.integers(0, 16)) if rng.random() < 0.1 else FULL_STROBE)
        if rng.random() < 0.7:
            read_from = int(rng.choice(busy[rng.integers(4)]))
        events = [event for event in EVENTS if rng.random() < 0.03]
        loads = PARAMS.encoder and rng.random() < 0.3
        load = (int(rng.integers(0, 48)), int(rng.integers(0, 1 << 32))) if loads else None
        await bench.clock(write, read_from, events, load=load)
        n += (write is not None) + 2 * (read_from is not None)
    await bench.end(n)


@on_cores("encoder")
def test_register_bank(simulator, core):
    run(register_bank.RegisterBank(CORES[core]), __name__, simulator, core)
