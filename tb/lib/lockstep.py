"""Lockstep check of a fixed-latency pipeline against its golden twin.

Such a block has inputs ``i_<field>`` and outputs ``o_<field>``, takes an item a cycle without back-pressure and answers
``latency`` cycles later. It has ``i_valid`` and ``o_valid`` too, or neither.
"""

import os
import random
from collections import deque

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

RESET_CYCLES = 3


async def start(dut):
    """Clock of 10 ns; reset from time 0, all other inputs 0, for ``RESET_CYCLES``; returns with the reset released."""
    for name in _inputs():
        getattr(dut, name).value = 0
    Clock(dut.aclk, 10, unit="ns").start()
    for _ in range(RESET_CYCLES):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    await RisingEdge(dut.aclk)


def _inputs():
    """Names of the block's inputs, as tb.lib.simulation tells them."""
    return os.environ["HDP_INPUTS"].split(",")


def _flat(value):
    """Integers of a nested sequence (lists, arrays), in order."""
    try:
        elements = iter(value)
    except TypeError:
        return [int(value)]
    return [integer for element in elements for integer in _flat(element)]


def pack(value, width):
    """Bits of an integer, or of a (nested) sequence of integers with element 0 lowest, as a ``width``-bit unsigned."""
    elements = _flat(value)
    each, rest = divmod(width, len(elements))
    assert not rest, f"{len(elements)} elements do not fit a port of {width} bits"
    mask = (1 << each) - 1
    return sum((element & mask) << (index * each) for index, element in enumerate(elements))


def read(signal, what):
    """Unsigned value of an output; AssertionError if any bit is X or Z."""
    value = signal.value
    assert value.is_resolvable, f"{what} is {value}"
    return int(value)


async def lockstep(dut, inputs, expected, latency, gaps=True):
    """Drive ``inputs`` and compare every output beat, bit for bit, and its latency, cycle for cycle.

    Parameters
    ----------
    inputs, expected : list of dict
        ``{field: value}`` of each item, fields without ``i_`` and ``o_``; values as :func:`pack` takes them.
    latency : int
        Cycles from inputs to outputs; 0 for a combinational block.
    gaps : bool
        Idle cycles at random, with random data on the inputs.
    """
    assert inputs and len(inputs) == len(expected), f"{len(inputs)} inputs, {len(expected)} expected outputs"
    await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    drivers = {field: getattr(dut, f"i_{field}") for field in inputs[0]}
    widths = {field: len(signal) for field, signal in drivers.items()}
    monitors = {field: getattr(dut, f"o_{field}") for field in expected[0]}
    has_valid = "i_valid" in _inputs()
    due = deque()  # cycles at which a beat must leave
    driven = left = idle = cycle = 0
    driving = False
    while idle <= latency + 4:  # so long after the last input: nothing may be left over
        await RisingEdge(dut.aclk)  # values read now are those before the edge
        if driving:
            due.append(cycle + latency)
        leaves = bool(due) and due[0] == cycle
        if has_valid:
            valid, then = read(dut.o_valid, "o_valid"), due[0] if due else "none"
            assert valid == leaves, (
                f"cycle {cycle}: o_valid is {valid}; {left} beats out, the next is due in cycle {then}"
            )
        if leaves:
            due.popleft()
            for field, signal in monitors.items():
                got, want = read(signal, f"o_{field} of beat {left}"), pack(expected[left][field], len(signal))
                assert got == want, (
                    f"beat {left}: o_{field} is {got:#x}, not {want:#x} = {expected[left][field]}, for {inputs[left]}"
                )
            left += 1
        driving = driven < len(inputs) and not (gaps and rng.random() < 0.3)
        if has_valid:
            dut.i_valid.value = int(driving)
        for field, signal in drivers.items():
            signal.value = pack(inputs[driven][field], widths[field]) if driving else rng.getrandbits(widths[field])
        driven += driving
        idle = idle + 1 if driven == len(inputs) and not driving else 0
        cycle += 1
    assert left == len(expected), f"{left} of {len(expected)} beats came out"
