"""Jobs for hdp_top: in memory, through its registers, and back."""

from dataclasses import dataclass, field

import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.bits.core.plane_loader import integer_and_fraction, value
from hdp_hw.golden.bits.shell.fetch import head_segments
from hdp_hw.golden.bits.shell.read_traffic import bytes_read, bytes_skipped
from hdp_hw.golden.cycles.shell.job import cycles
from hdp_hw.spec.formats import ADDRESSES, ENTRY_BYTES, ENTRY_REGISTERS, MATRICES, PLANES, RECORD_BYTES, SHARED_PLANES
from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.lockstep import pack, read


@dataclass(eq=False)
class TopJob:
    """One layer: HeadSettings of each query head, integer q [n_heads, n_q, d], k and v [n_kv_heads, n_k, d].

    gap : bytes between rows beyond what they need; registers : values that replace what the job would write.
    """

    settings: list
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    job_id: int = 1
    gap: int = 0
    table: bool = False
    records: bool = True
    timeout: int = 0
    registers: dict = field(default_factory=dict)

    def kv_head(self, head):
        return head * len(self.k) // len(self.q)

    def results(self, params):
        """HeadResult of each head."""
        heads = enumerate(self.settings)
        return [attend(self.q[h], self.k[self.kv_head(h)], self.v[self.kv_head(h)], s, params) for h, s in heads]

    def commands(self, places):
        """``[{field: value}]``, a lane's command for each head, with nested fields' names joined by underscores."""
        commands = []
        for head, settings in enumerate(self.settings):
            command = {"head": head, "record": places["record"] + head * RECORD_BYTES}
            command |= {"record_enable": int(self.records)}
            command |= {f"settings_{name}": int(value) for name, value in settings.carried(HdpParams()).items()}
            for plane in MATRICES:
                address, row_stride, head_stride = places[plane]
                number = self.kv_head(head) if plane in SHARED_PLANES else head
                command[f"{plane}_address"] = address + number * head_stride
                command[f"{plane}_row_stride"] = row_stride
            commands.append(command)
        return commands


def threshold_words(settings):
    """The five words of a table entry, which are also registers."""
    words = []
    for register in ENTRY_REGISTERS:
        word = 0
        for each in BY_NAME[register].fields:
            name = register.lower() if len(BY_NAME[register].fields) == 1 else each.name
            word |= (int(getattr(settings, name)) & ((1 << each.width) - 1)) << each.low
        words.append(word)
    return words


def table_entry(settings):
    """A head's entry in the table."""
    return b"".join(word.to_bytes(4, "little") for word in threshold_words(settings))


def round_up(n, multiple):
    return ceil_div(n, multiple) * multiple


class TopBench:
    """Registers, memory and interrupt of an hdp_top under test."""

    def __init__(self, dut, params, memory):
        self.dut, self.params, self.memory = dut, params, memory
        self.free = memory.base
        self.latencies = None  # of a memory that never stalls, read and write

    # -- registers ------------------------------------------------------------------------------------------------
    async def write(self, address, data):
        """Write a register by name or address; returns the response."""
        dut = self.dut
        address = BY_NAME[address].address if isinstance(address, str) else address
        dut.s_axil_awaddr.value, dut.s_axil_awvalid.value = address, 1
        dut.s_axil_wdata.value, dut.s_axil_wstrb.value, dut.s_axil_wvalid.value = data, 15, 1
        dut.s_axil_bready.value = 1
        waiting = {"aw", "w", "b"}
        for _ in range(100):
            await RisingEdge(dut.aclk)
            for channel in ("aw", "w"):
                if channel in waiting and read(getattr(dut, f"s_axil_{channel}ready"), channel):
                    getattr(dut, f"s_axil_{channel}valid").value = 0
                    waiting.discard(channel)
            if read(dut.s_axil_bvalid, "b") and "b" in waiting:
                dut.s_axil_bready.value = 0
                return read(dut.s_axil_bresp, "bresp")
        raise AssertionError(f"no response to a write of register {address:#x}")

    async def read(self, address):
        """Value of a register by name or address; AssertionError unless the response is OKAY."""
        dut = self.dut
        address = BY_NAME[address].address if isinstance(address, str) else address
        dut.s_axil_araddr.value, dut.s_axil_arvalid.value, dut.s_axil_rready.value = address, 1, 1
        for _ in range(100):
            await RisingEdge(dut.aclk)
            if read(dut.s_axil_arready, "ar"):
                dut.s_axil_arvalid.value = 0
            if read(dut.s_axil_rvalid, "r"):
                dut.s_axil_rready.value = 0
                assert read(dut.s_axil_rresp, "rresp") == 0, f"register {address:#x} cannot be read"
                return read(dut.s_axil_rdata, "rdata")
        raise AssertionError(f"no response to a read of register {address:#x}")

    async def counter(self, name):
        """A 64-bit counter."""
        low = await self.read(f"{name}_LOW")
        return low | (await self.read(f"{name}_HIGH")) << 32

    async def write_fields(self, register, **values):
        """Write a whole register, field by field; fields that are not named are 0."""
        fields = {each.name: each for each in BY_NAME[register].fields}
        word = sum((int(v) & ((1 << fields[name].width) - 1)) << fields[name].low for name, v in values.items())
        return await self.write(register, word)

    # -- memory ---------------------------------------------------------------------------------------------------
    def allocate(self, n_bytes, align=64):
        """Address of ``n_bytes`` that nothing else uses."""
        address = round_up(self.free, align)
        self.free = address + n_bytes
        assert self.free <= self.memory.base + len(self.memory.data), "the bench's memory is too small"
        return address

    def place(self, job):
        """Operands into memory; ``{plane: (address, row stride, head stride)}``, and addresses of table and records."""
        params, bus = self.params, self.params.bus_bytes
        places, words = {}, {}
        planes = [integer_and_fraction(q, q, params) for q in job.q]
        words["q_integer"] = [[beat[0] for beat in integer if not beat[1]] for integer, _ in planes]
        words["q_fraction"] = [[beat[0] for beat in fraction if not beat[1]] for _, fraction in planes]
        planes = [integer_and_fraction(k, k, params) for k in job.k]
        words["k_integer"] = [[beat[0] for beat in integer if beat[1]] for integer, _ in planes]
        words["k_fraction"] = [[beat[0] for beat in fraction if beat[1]] for _, fraction in planes]
        words["value"] = [[beat[0] for beat in value(v, params)] for v in job.v]
        n_q, n_k, d = job.q.shape[1], job.k.shape[1], job.q.shape[2]
        for plane in MATRICES:
            n_heads, n_rows = (len(job.k), n_k) if plane in SHARED_PLANES else (len(job.q), n_q)
            if plane == "output":
                row_bytes = d * params.operand_width // 8
            else:
                row_bytes = len(words[plane][0]) // n_rows * params.word_width // 8
            stride = round_up(row_bytes, bus) + job.gap
            head_stride = n_rows * stride + 2 * job.gap
            address = self.allocate(n_heads * head_stride + 64)
            places[plane] = (address, stride, head_stride)
            for head, head_words in enumerate(words.get(plane, [])):
                per_row = len(head_words) // n_rows
                for row in range(n_rows):
                    row_words = head_words[row * per_row : (row + 1) * per_row]
                    bits = sum(pack(w, params.word_width) << (params.word_width * i) for i, w in enumerate(row_words))
                    self.memory.poke(address + head * head_stride + row * stride, bits.to_bytes(row_bytes, "little"))
        places["table"] = self.allocate(len(job.q) * ENTRY_BYTES)
        places["record"] = self.allocate(len(job.q) * RECORD_BYTES)
        return places

    def output(self, job, places):
        """The output that is in memory, [n_heads, n_q, d]."""
        address, stride, head_stride = places["output"]
        n_heads, n_q, d = job.q.shape
        element = self.params.operand_width // 8
        rows = [
            np.frombuffer(self.memory.peek(address + h * head_stride + r * stride, d * element), f"<i{element}")
            for h in range(n_heads)
            for r in range(n_q)
        ]
        return np.array(rows, np.int64).reshape(n_heads, n_q, d)

    # -- jobs -----------------------------------------------------------------------------------------------------
    async def program(self, job, places):
        """Write the job registers, without starting."""
        settings = job.settings[0]
        values = {"JOB_ID": job.job_id, "N_HEADS": len(job.q), "N_KV_HEADS": len(job.k), "TIMEOUT": job.timeout}
        values |= {"N_Q": settings.n_q, "N_K": settings.n_k, "HEAD_DIM": settings.head_dim}
        for plane in ADDRESSES:
            address = places[plane] if plane in ("table", "record") else places[plane][0]
            values[f"{plane.upper()}_LOW"] = address & 0xFFFFFFFF
            values[f"{plane.upper()}_HIGH"] = address >> 32
        for name, plane in (("Q", "q_integer"), ("K", "k_integer"), ("VALUE", "value"), ("OUTPUT", "output")):
            values[f"{name}_ROW_STRIDE"], values[f"{name}_HEAD_STRIDE"] = places[plane][1:]
        mode = {name: getattr(settings, name) for name in ("rule", "causal", "compensate", "mean_output")}
        mode |= {"table_enable": job.table, "record_enable": job.records}
        fields = {each.name: each for each in BY_NAME["MODE"].fields}
        values["MODE"] = sum(int(v) << fields[name].low for name, v in mode.items())
        if job.table:
            for head, each in enumerate(job.settings):
                self.memory.poke(places["table"] + head * ENTRY_BYTES, table_entry(each))
        else:
            values |= dict(zip(ENTRY_REGISTERS, threshold_words(settings)))
        for name, data in (values | job.registers).items():
            assert await self.write(name, data) == 0, f"register {name} cannot be written"

    async def start(self):
        await self.write_fields("CONTROL", start=1)

    async def wait(self, timeout=200_000):
        """Wait for the interrupt; returns the events, which are cleared."""
        for _ in range(timeout):
            await RisingEdge(self.dut.aclk)
            if read(self.dut.irq, "irq"):
                word = await self.read("IRQ_STATUS")
                await self.write("IRQ_STATUS", word)
                return {each.name for each in BY_NAME["IRQ_STATUS"].fields if word >> each.low & 1}
        raise AssertionError(f"no interrupt in {timeout} cycles")

    def check_output(self, job, places):
        """Output and records in memory equal the golden ones."""
        results = job.results(self.params)
        output = self.output(job, places)
        for head, result in enumerate(results):
            wrong = np.argwhere(output[head] != result.output)
            assert not len(wrong), f"head {head}, {job.settings[head]}: {len(wrong)} elements differ, first {wrong[0]}"
            if job.records:
                record = self.memory.peek(places["record"] + head * RECORD_BYTES, RECORD_BYTES)
                numbers = [
                    int.from_bytes(record[a:b], "little")
                    for a, b in ((0, 2), (2, 3), (3, 4), (4, 8), (8, 12), (12, 20))
                ]
                expected = [head, result.verdict, 0, result.n_visited, result.n_kept, result.theta_head]
                assert numbers == expected, f"record of head {head}: {numbers}, not {expected}"
        return results

    def cycles(self, job, places, results):
        """What the cycle model says of a job on an idle co-processor."""
        at = {name: place if name in MATRICES else (place, 0, 0) for name, place in places.items()}
        more = {"n_kv_heads": len(job.k), "table": job.table, "records": job.records}
        return cycles(results, job.settings, at, self.params, self.latencies, **more).counters["cycles"]

    def traffic(self, job, places, results):
        """``(bytes read, bytes that reading everything would take)`` of a job."""
        read_bytes = skipped = 0
        for settings, result in zip(job.settings, results):
            planes = {plane: places[plane][:2] for plane in PLANES}
            for segments in head_segments(result, settings, planes, self.params).values():
                read_bytes += bytes_read(segments, self.params)
                skipped += bytes_skipped(segments, self.params)
        read_bytes += len(job.q) * ENTRY_BYTES * job.table
        return read_bytes, read_bytes + skipped
