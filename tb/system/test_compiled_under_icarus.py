"""A compiled model under Icarus: from one start to the interrupt every byte of memory and every clock cycle."""

import cocotb
import numpy as np
import pytest

from hdp_hw.encoder.compiled_model import JOB_REGISTERS
from hdp_hw.rtl.shell.hdp_top import HdpTop
from tb.lib.compiled_models import MASS, PARAMS, checked, example_of
from tb.lib.simulation import simulate
from tb.system.test_hdp_top import BASE, begin, wait_for_end

CONFIG = "tiny encoder=1"


def started(example, words, latencies):
    """An inference on the emulator: memory before and after, registers of the first job, clock cycles."""
    read_latency, write_latency = latencies
    bus = example.bus(address=BASE, read_latency=read_latency, write_latency=write_latency)
    compiled, seen = example.on(bus), {}
    execute = compiled.backend.execute

    def noted(registers, what):
        seen.update(registers=dict(registers), before=bus.memory.array.tobytes())
        return execute(registers, what)

    compiled.backend.execute = noted
    checked(example, compiled, words)
    return seen["before"], bus.memory.array.tobytes(), seen["registers"], compiled.counters["cycles"]


@cocotb.test()
async def whole_model(dut):
    example = example_of("bert", prune=MASS)
    bench, _, _ = await begin(dut, size=example.image.header["memory_bytes"])
    words = min(example.inputs, key=len)
    before, after, registers, cycles = started(example, words, bench.latencies)
    bench.memory.poke(BASE, before)
    for register in JOB_REGISTERS:
        await bench.write(register.name, registers[register.name])
    await bench.start()
    assert await wait_for_end(bench, timeout=10 * cycles) == {"job_done"}
    wrong = np.flatnonzero(
        np.frombuffer(bench.memory.peek(BASE, len(after)), np.uint8) != np.frombuffer(after, np.uint8)
    )
    assert not wrong.size, f"{wrong.size} bytes of {len(after)} differ, the first at {wrong[0]:#x}"
    assert await bench.counter("CYCLES") == cycles


@pytest.mark.slow
def test_compiled_model():
    simulate(HdpTop(PARAMS), __name__, "icarus", name="compiled_top", top="hdp_top", plusenv={"HDP_CONFIG": CONFIG})
