"""FrameTransmitter against hdp_hw.driver.frames, byte by byte."""

import random

import cocotb
from cocotb.triggers import RisingEdge

from hdp_hw.driver.frames import encode_frame
from hdp_hw.rtl.boards.frame_transmitter import FrameTransmitter
from hdp_hw.spec.link_protocol import END, ESC
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate


@cocotb.test()
@cocotb.parametrize(stalls=[0.0, 0.5])
async def frames(dut, stalls):
    """Every byte in its turn, stable while it is not taken; a byte a clock cycle without stalls."""
    await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    frames = [bytes(rng.choice([END, ESC, rng.randrange(256)]) for _ in range(rng.randrange(1, 12))) for _ in range(60)]
    queue = [(byte, int(place == len(frame) - 1)) for frame in frames for place, byte in enumerate(frame)]
    expected = b"".join(map(encode_frame, frames))
    received, offered, held, ready, cycle = bytearray(), False, None, 0, 0
    while len(received) < len(expected):
        if not offered and queue and rng.random() >= stalls:
            offered = True
            dut.i_data.value, dut.i_last.value = queue[0]
        ready = int(rng.random() >= stalls)
        dut.i_valid.value, dut.o_ready.value = int(offered), ready
        await RisingEdge(dut.aclk)
        valid = read(dut.o_valid, "o_valid")
        byte = read(dut.o_payload, "o") if valid else None
        assert held in (None, byte), "o changed before it was taken"
        held = byte if valid and not ready else None
        if valid and ready:
            received.append(byte)
        if offered and read(dut.i_ready, "i_ready"):
            queue.pop(0)
            offered = False
        cycle += 1
        assert cycle < 20 * len(expected), "no end"
    assert bytes(received) == expected and not queue
    if not stalls:
        assert cycle == len(expected)


def test_frame_transmitter(simulator):
    simulate(FrameTransmitter(), __name__, simulator, name="frame_transmitter")
