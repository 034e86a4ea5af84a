"""FrameReceiver against hdp_hw.driver.frames: frames, damaged frames, garbage."""

import random

import cocotb
from cocotb.triggers import RisingEdge

from hdp_hw.driver.frames import FrameDecoder, encode_frame
from hdp_hw.rtl.boards.frame_receiver import FrameReceiver
from hdp_hw.spec.link_protocol import CRC_BYTES, END, ESC, ESCAPES
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate

SPECIAL = (END, ESC, *ESCAPES.values())


def traffic(rng, n):
    """Pairs (byte, error) of ``n`` frames, whole or damaged in every way."""
    for _ in range(n):
        content = bytes(
            rng.choice(SPECIAL) if rng.random() < 0.3 else rng.randrange(256) for _ in range(rng.randrange(1, 20))
        )
        frame = [(byte, 0) for byte in encode_frame(content)]
        kind, place = rng.randrange(9), rng.randrange(1, len(frame) - 1)
        if kind == 0:
            frame[place] = (frame[place][0] ^ 1 << rng.randrange(8), 0)
        elif kind == 1:
            frame[place] = (frame[place][0], 1)
        elif kind == 2:
            del frame[place]
        elif kind == 3:
            frame.insert(place, (rng.choice(SPECIAL), 0))
        elif kind == 4:
            frame = frame[: place + 1]  # the next frame's first END is the last of this one
        elif kind == 5:
            frame.insert(len(frame) - 1, (ESC, 0))
        yield from frame


@cocotb.test()
@cocotb.parametrize(pauses=[False, True])
async def frames(dut, pauses):
    await start(dut)
    rng, decoder = random.Random(cocotb.RANDOM_SEED), FrameDecoder()
    content, outcomes = bytearray(), {True: 0, False: 0}
    for byte, error in traffic(rng, 400):
        if error:
            decoder.damage()
        expected = [] if error else decoder.feed([byte])
        while pauses and rng.random() < 0.5:
            dut.i_valid.value, dut.i_data.value, dut.i_error.value = 0, rng.choice(SPECIAL), rng.randrange(2)
            await RisingEdge(dut.aclk)
            assert not read(dut.o_valid, "o_valid") and not read(dut.o_end_valid, "o_end_valid")
        dut.i_valid.value, dut.i_data.value, dut.i_error.value = 1, byte, error
        await RisingEdge(dut.aclk)
        if read(dut.o_valid, "o_valid"):
            content.append(read(dut.o_data, "o_data"))
        assert read(dut.o_end_valid, "o_end_valid") == len(expected)
        if expected:
            good = bool(read(dut.o_end_good, "o_end_good"))
            assert good == (expected[0] is not None)
            if good:
                assert bytes(content[:-CRC_BYTES]) == expected[0]
            outcomes[good] += 1
            content.clear()
    assert min(outcomes.values()) > 100, outcomes


def test_frame_receiver(simulator):
    simulate(FrameReceiver(), __name__, simulator, name="frame_receiver")
