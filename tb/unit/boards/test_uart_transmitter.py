"""UartTransmitter, clock cycle by clock cycle."""

import os
import random
from itertools import pairwise

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.rtl.boards.uart_transmitter import UartTransmitter
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate

DIVISOR = int(os.environ.get("HDP_DIVISOR", "4"))


@cocotb.test()
@cocotb.parametrize(pauses=[False, True])
async def line(dut, pauses):
    """Bytes become bits of DIVISOR clock cycles each; in between the line is high."""
    await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    due, offered, n_sent, taken_at = [], None, 0, []
    for cycle in range(40 * (10 * DIVISOR + 1) * (1 + pauses)):
        await RisingEdge(dut.aclk)
        assert read(dut.tx, "tx") == (due.pop(0) if due else 1), f"cycle {cycle}"
        if offered is not None and read(dut.i_ready, "i_ready"):
            assert not due
            bits = [0, *(offered >> place & 1 for place in range(8)), 1]
            due = [bit for bit in bits for _ in range(DIVISOR)]
            n_sent, offered = n_sent + 1, None
            taken_at.append(cycle)
        if offered is None and not (pauses and rng.random() < 0.99):
            offered = rng.randrange(256)
            dut.i_payload.value = offered
        dut.i_valid.value = int(offered is not None)
    assert n_sent >= 10
    if not pauses:
        assert {later - earlier for earlier, later in pairwise(taken_at)} == {10 * DIVISOR + 1}


@pytest.mark.parametrize("divisor", [4, 9])
def test_uart_transmitter(simulator, divisor):
    name = f"uart_transmitter_{divisor}"
    simulate(UartTransmitter(divisor), __name__, simulator, name=name, plusenv={"HDP_DIVISOR": str(divisor)})
