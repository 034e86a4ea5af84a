"""Lockstep check of blocks with several strobes or streams: what all ports do is written down before, by clock cycle.

A cycle's inputs are driven before its clock edge, and its outputs are what can be read at that edge.
"""

import random

import cocotb
from cocotb.triggers import RisingEdge

from tb.lib.lockstep import pack, read, start


async def play(dut, beats, held, expected, values=None, idle=8):
    """Drive inputs in given clock cycles; compare outputs bit for bit and their strobes cycle for cycle.

    Parameters
    ----------
    beats : {strobe: {cycle: {port: value}}}
        The strobe is 1 in these cycles, with the values; else it is 0 and the ports are random.
    held : {cycle: {port: value}}
        Inputs that keep their values until told otherwise.
    expected : {strobe: {cycle: {port: value}}}
        The strobe must be other than 0 in exactly these cycles, with the values.
    values : {cycle: {port: value}}, optional
        Outputs that have these values in these cycles, whatever they have in others.
    idle : int
        Clock cycles to watch after the last of all these.
    """
    values = values or {}
    assert all(expected.values()) and (expected or values), "something must be expected of every strobe"
    await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    ports = {strobe: sorted({port for beat in cycles.values() for port in beat}) for strobe, cycles in beats.items()}
    last = max(cycle for cycles in (*beats.values(), held, *expected.values(), values) for cycle in cycles)
    for cycle in range(last + 1 + idle):
        for strobe, cycles in beats.items():
            _drive(dut, {strobe: int(cycle in cycles)})
            _drive(dut, cycles.get(cycle) or {port: rng.getrandbits(len(getattr(dut, port))) for port in ports[strobe]})
        _drive(dut, held.get(cycle, {}))
        await RisingEdge(dut.aclk)
        for strobe, cycles in expected.items():
            valid = read(getattr(dut, strobe), strobe)
            assert bool(valid) == (cycle in cycles), f"cycle {cycle}: {strobe} is {valid:#x}"
            if valid:
                _compare(dut, cycles[cycle], cycle)
        _compare(dut, values.get(cycle, {}), cycle)


def _drive(dut, values):
    for port, value in values.items():
        signal = getattr(dut, port)
        signal.value = pack(value, len(signal))


def _compare(dut, values, cycle):
    for port, value in values.items():
        signal = getattr(dut, port)
        got, want = read(signal, f"{port} in cycle {cycle}"), pack(value, len(signal))
        assert got == want, f"cycle {cycle}: {port} is {got:#x}, expected {want:#x} = {value}"
