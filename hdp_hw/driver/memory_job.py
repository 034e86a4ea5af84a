"""A job as registers describe it, on what lies in memory: the other direction of hdp_hw.driver.memory_layout."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from hdp_hw.driver.backend import COUNTERS, HeadRecord, LayerJob
from hdp_hw.driver.emulator import Emulator, Placement
from hdp_hw.driver.errors import JobError
from hdp_hw.driver.memory_layout import MODES, RECORD, pack_rows
from hdp_hw.driver.memory_mapped import ArrayMemory
from hdp_hw.driver.operands import Integers, digits_of, unpack_digits
from hdp_hw.golden.bits.shell import norm_lane
from hdp_hw.golden.cycles.shell.norm_lane import NormPlan
from hdp_hw.spec.encoder import SCALES_BYTES, TABLE_BYTES, Activation
from hdp_hw.spec.formats import (
    DESCRIPTOR_BYTES,
    ENTRY_BYTES,
    ENTRY_REGISTERS,
    NORM_BYTES,
    RECORD_BYTES,
    STRIDES,
    entry_fields,
)
from hdp_hw.spec.params import HdpParams, ParameterError, ceil_div
from hdp_hw.spec.settings import HeadSettings, Rule


class JobFault(Exception):
    """A job that fails: bit of IRQ_STATUS, and the head that ERROR_INFO names."""

    def __init__(self, bit: str, head: int = 0) -> None:
        self.bit, self.head = bit, head
        super().__init__(bit)


class MemoryJob:
    """A job of a co-processor with ``params``: ``{member of the job registers: value}``, and the memory.

    kind : "linear", "attention", or "norm" of a job without heads.
    """

    def __init__(self, registers: Mapping[str, int], memory: ArrayMemory, params: HdpParams) -> None:
        self.registers, self.memory, self.params = registers, memory, params
        self.n_heads = registers["n_heads"]
        self.kind = ("linear" if registers["mode_linear"] else "attention") if self.n_heads else "norm"

    def run(self, emulator: Emulator) -> dict[str, int]:
        """``{counter: count}`` of the job, whose results are in memory then. Raises JobFault."""
        self._check()
        norm = self._norm()
        try:
            job = self._job()
            run = emulator.run(job, Placement(self._places(), norm))
        except ParameterError:
            raise JobFault("bad_settings") from None
        except JobError as error:
            raise JobFault(error.bit) from None
        if self.n_heads:
            self._write(job, run.output, run.heads)
        for address, content in norm_lane.contents(self._read, norm.fields, self.params) if norm else ():
            self._store(address, 0, np.frombuffer(content, np.uint8)[None])
        return dict.fromkeys(COUNTERS, 0) | run.counters

    def following(self) -> NDArray[np.uint32] | None:
        """Words of the descriptor of the job that follows, None where none does. Raises JobFault."""
        chain = self._address("chain")
        return self._words(chain, DESCRIPTOR_BYTES) if chain else None

    # -- registers ----------------------------------------------------------------------------------------------------
    def _address(self, name: str) -> int:
        """What an address register holds."""
        return self.registers[f"{name}_high"] << 32 | self.registers[f"{name}_low"]

    def _places(self) -> dict[str, tuple[int, int, int]]:
        """``{matrix: (address, bytes between rows, bytes between heads)}`` of what the job has, see Emulator.run."""
        of, places = self.registers, dict[str, tuple[int, int, int]]()
        for name, register in (STRIDES | {"output_fraction": "output"}).items():
            strides = of[f"{register}_row_stride"], of[f"{register}_head_stride"]
            places[name] = self._address(name), *strides
        if of["mode_table_enable"] or of["mode_activation"] == Activation.TABLE:
            places["table"] = self._address("table"), 0, 0
        if of["mode_record_enable"]:
            places["record"] = self._address("record"), 0, 0
        return places

    def _check(self) -> None:
        """Raise JobFault for what the hardware refuses before it reads operands; settings aside."""
        places = self._places()
        values = [value for place in places.values() for value in place] + [self._address(x) for x in ("norm", "chain")]
        if any(value % self.params.bus_bytes or value >> self.params.address_width for value in values):
            raise JobFault("misaligned")
        of = self.registers
        excluded = (of["mode_words"] and of["mode_planes"]) or (of["mode_linear"] and of["mode_table_enable"])
        legal = 1 <= of["n_kv_heads"] <= self.n_heads and not excluded
        if not (legal if self.n_heads else self.params.encoder and self._address("norm")):
            raise JobFault("bad_settings")

    def _job(self) -> LayerJob:
        """LayerJob that registers and memory describe."""
        of, chain = self.registers, self._address("chain")
        if not self.n_heads:
            none = np.zeros((0, 0, 0), np.int64)
            return LayerJob(none, none, none, (), of["timeout"], chain=chain)
        n_q, n_k, d, kv, places = of["n_q"], of["n_k"], of["head_dim"], of["n_kv_heads"], self._places()
        settings = tuple(self._settings())
        for each in settings:
            each.validate(self.params)
        linear, table = settings[0].linear, None
        if linear and self.n_heads > 1 and places["q_integer"][2]:
            raise JobFault("bad_settings")  # legal, but no driver's: heads with rows of their own
        q = self._operands("q", 1 if linear else self.n_heads, n_q, d)
        k = self._operands("k", kv, n_k, d)
        width = 8 if linear else self.params.operand_width
        v = self._rows("value", kv, n_k, SCALES_BYTES if linear else d, width)
        if settings[0].activation == Activation.TABLE:
            table = self._words(self._address("table"), TABLE_BYTES).view("<i2").reshape(-1, 2).astype(np.int64)
        return LayerJob(q, k, v, settings, of["timeout"], table, bool(of["mode_planes"]), chain)

    def _settings(self) -> list[HeadSettings]:
        """HeadSettings of each head."""
        of = self.registers
        shared: dict[str, Any] = {name: of[f"mode_{name}"] for name in MODES}
        shared |= {name: of[name] for name in ("n_q", "n_k", "head_dim")} | {"rule": Rule(of["mode_rule"])}
        if not of["mode_table_enable"]:
            return [HeadSettings(**shared, **self._scales())] * self.n_heads
        words = self._words(self._address("table"), ENTRY_BYTES * self.n_heads).reshape(self.n_heads, -1)
        return [HeadSettings(**shared, **_entry(of_head.tolist())) for of_head in words]

    def _scales(self) -> dict[str, Any]:
        """``{setting: value}`` of the registers that serve all heads."""
        names = {name: ENTRY_REGISTERS[field.word].lower() for name, field in entry_fields().items()}
        return {name: self.registers[name if name == of else f"{of}_{name}"] for name, of in names.items()}

    # -- memory -------------------------------------------------------------------------------------------------------
    def _words(self, address: int, n_bytes: int) -> NDArray[np.uint32]:
        """uint32 of so many bytes. Raises JobFault."""
        return np.frombuffer(self._read(address, n_bytes), "<u4")

    def _read(self, address: int, n_bytes: int) -> bytes:
        return self._view(address, 0, (1, n_bytes), "read_error").tobytes()

    def _view(self, address: int, stride: int, shape: tuple[int, int], fault: str) -> NDArray[np.uint8]:
        """uint8 [rows, bytes] of the memory itself."""
        begin = address - self.memory.address
        if begin < 0 or begin + (shape[0] - 1) * stride + shape[1] > self.memory.size:
            raise JobFault(fault)
        return as_strided(self.memory.array[begin:], shape, (stride, 1))

    def _rows(self, name: str, n_heads: int, n_rows: int, n: int, width: int) -> Integers:
        """int64 [heads, rows, n] of integers of ``width`` bits, 4, 8 or 16."""
        address, row_stride, head_stride = self._places()[name]
        n_bytes = ceil_div(n * width, 8)
        shape = n_rows, n_bytes
        heads = [self._view(address + h * head_stride, row_stride, shape, "read_error") for h in range(n_heads)]
        content = np.stack(heads)
        integers = unpack_digits(content) if width == 4 else content.view(f"<i{width // 8}").astype(np.int64)
        return integers.reshape(n_heads, n_rows, -1)[..., :n]

    def _operands(self, name: str, n_heads: int, n_rows: int, d: int) -> Integers:
        """int64 [heads, rows, d] of Q or K, of both planes."""
        w = self.params.digit_width
        integer, fraction = (self._rows(f"{name}_{part}", n_heads, n_rows, d, w) for part in ("integer", "fraction"))
        return (integer << w) + fraction

    def _write(self, job: LayerJob, output: Integers, heads: tuple[HeadRecord, ...]) -> None:
        """A job's results and records to memory."""
        places, params = self._places(), self.params
        if job.linear:
            output = output.reshape(len(output), len(heads), -1).swapaxes(0, 1)
        planes = {"output": output}
        width = 16 if job.settings[0].words else params.operand_width
        if job.planes:
            width, planes = params.digit_width, dict(zip(("output", "output_fraction"), digits_of(output, params)))
        unit = 2 * params.out_lanes if job.planes else 1  # elements that a row is filled up to
        n_bytes = ceil_div(output.shape[-1], unit) * unit * width // 8
        for name, matrix in planes.items():
            address, row_stride, head_stride = places[name]
            for head, rows in enumerate(pack_rows(matrix, width, n_bytes)):
                self._store(address + head * head_stride, row_stride, rows)
        if "record" in places:
            records = np.zeros(len(heads), RECORD)
            for head, record in enumerate(heads):
                records[head] = (head, record.verdict, 0, record.n_visited, record.n_kept, record.theta_head, b"")
            self._store(places["record"][0], RECORD_BYTES, records.view(np.uint8).reshape(len(heads), -1))

    def _store(self, address: int, stride: int, rows: NDArray[np.uint8]) -> None:
        self._view(address, stride, (rows.shape[0], rows.shape[1]), "write_error")[:] = rows

    # -- the norm beside the heads ------------------------------------------------------------------------------------
    def _norm(self) -> NormPlan | None:
        """What the cycle model takes of the norm, None where there is none. Raises JobFault."""
        if not (self.params.encoder and (address := self._address("norm"))):
            return None
        fields = norm_lane.unpacked(self._read(address, NORM_BYTES))
        if bit := norm_lane.refused(fields, self.params):
            raise JobFault(bit)
        x, y = self._stream(fields, "x"), self._stream(fields, "y") if fields["b"] else None
        return NormPlan(address, fields, norm_lane.exponents(fields, x, y))

    def _stream(self, fields: Mapping[str, int], name: str) -> Integers:
        """int64 [rows, features] of the norm's words x or y."""
        shape = fields["rows"], 2 * fields["features"]
        rows = self._view(fields[f"{name}_address"], fields[f"{name}_row_stride"], shape, "read_error")
        return np.ascontiguousarray(rows).view("<i2").astype(np.int64)


def _entry(words: list[int]) -> dict[str, Any]:
    """``{setting: value}`` of the words of a table entry."""
    values = {}
    for name, field in entry_fields().items():
        value = words[field.word] >> field.low & (1 << field.width) - 1
        values[name] = value - (1 << field.width) if field.signed and value >> (field.width - 1) else value
    return values
