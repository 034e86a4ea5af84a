"""HostLink against a model of the link and of the bus behind it."""

import random

import cocotb
from cocotb.triggers import RisingEdge

from hdp_hw.driver.frames import encode_request
from hdp_hw.rtl.boards.host_link import HostLink
from hdp_hw.spec.link_protocol import CRC_BYTES, MAX_WORDS, WORD_BYTES, Command, Status
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate

READ, WRITE = Command.READ, Command.WRITE
FAULTY = 0x40  #: words at multiples of it refuse every access


class Bus:
    """The words behind the link; answers an access after some clock cycles."""

    def __init__(self, rng):
        self.rng, self.words, self.accesses = rng, {}, []
        self._due, self._result = None, None

    def step(self, dut, pause):
        """One clock cycle: what was offered, then what is driven."""
        ready = read(dut.bus_access_ready, "ready")
        if read(dut.bus_access_valid, "valid") and ready:
            write, address, data = (read(getattr(dut, f"bus_access_{x}"), x) for x in ("write", "address", "data"))
            error = address % FAULTY == 0
            self.accesses.append((write, address))
            if write and not error:
                self.words[address] = data
            self._result = (0 if write else self.words.get(address, address ^ 0xFFFF), int(error))
            self._due = self.rng.randrange(pause)
        dut.bus_result_valid.value = int(self._due == 0)
        if self._due == 0:
            dut.bus_result_data.value, dut.bus_result_error.value = self._result
        self._due = self._due - 1 if self._due else None
        dut.bus_access_ready.value = int(self._due is None and self.rng.random() < 0.7)


class Bench:
    """Frames in and out."""

    def __init__(self, dut, pause=4):
        self.dut, self.rng, self.pause = dut, random.Random(cocotb.RANDOM_SEED), pause
        self.bus, self.answers, self._answer = Bus(self.rng), [], bytearray()

    async def cycle(self):
        dut, ready = self.dut, int(self.rng.random() < 0.8)
        dut.o_ready.value = ready
        await RisingEdge(dut.aclk)
        if read(dut.o_valid, "o_valid") and ready:
            self._answer.append(read(dut.o_data, "o_data"))
            if read(dut.o_last, "o_last"):
                self.answers.append(bytes(self._answer))
                self._answer.clear()
        self.bus.step(dut, self.pause)

    async def send(self, content, good=True):
        """A frame of content and checksum; the latter's bytes do not matter here."""
        for byte in content + bytes(self.rng.randrange(256) for _ in range(CRC_BYTES)):
            self.dut.i_valid.value, self.dut.i_data.value = 1, byte
            await self.cycle()
            self.dut.i_valid.value = 0
        self.dut.i_end_valid.value, self.dut.i_end_good.value = 1, int(good)
        await self.cycle()
        self.dut.i_end_valid.value = 0

    async def ask(self, content, good=True, timeout=20_000):
        """Send a frame and return the answer to it."""
        await self.send(content, good)
        for _ in range(timeout):
            await self.cycle()
            if self.answers:
                return self.answers.pop()
        raise AssertionError("no answer")


def head(sequence, status):
    return bytes([sequence, status, 0, 0])


def words_of(*numbers):
    return b"".join(number.to_bytes(WORD_BYTES, "little") for number in numbers)


@cocotb.test()
async def requests(dut):
    """Reads and writes of 1 to MAX_WORDS words, with words that refuse; memory and answers as the model's."""
    await start(dut)
    bench = Bench(dut)
    rng, model = bench.rng, {}
    counts = [1, 2, MAX_WORDS, MAX_WORDS, *(rng.randrange(1, 12) for _ in range(60))]
    for sequence, n in enumerate(counts):
        address, write = 4 * rng.randrange(0, 64), sequence % 2 == 0
        places = range(address, address + 4 * n, 4)
        faulty = any(place % FAULTY == 0 for place in places)
        numbers = [rng.getrandbits(32) for _ in places]
        before = len(bench.bus.accesses)
        answer = await bench.ask(encode_request(sequence, int(write), n, address, words_of(*numbers) if write else b""))
        assert bench.bus.accesses[before:] == [(int(write), place) for place in places]
        if write:
            model |= {place: number for place, number in zip(places, numbers) if place % FAULTY}
        expected = head(sequence, Status.BUS_ERROR if faulty else Status.OK)
        if not write and not faulty:
            expected += words_of(*(model.get(place, place ^ 0xFFFF) for place in places))
        assert answer == expected, f"request {sequence}"
        assert read(dut.o_failed, "o_failed") == faulty
    assert bench.bus.words == model


@cocotb.test()
async def refused(dut):
    """Damaged frames and requests that are none are answered, and do nothing; the next request is carried out."""
    await start(dut)
    bench, words = Bench(dut), words_of(1, 2, 3)
    good = encode_request(7, WRITE, 3, 4, words)
    cases = [
        (good, False, head(0, Status.BAD_FRAME)),
        (b"", True, head(0, Status.BAD_FRAME)),
        (good[:7], True, head(0, Status.BAD_FRAME)),
        (good[:-1], True, head(7, Status.BAD_REQUEST)),
        (good + b"x", True, head(7, Status.BAD_REQUEST)),
        (encode_request(8, 2, 1, 4), True, head(8, Status.BAD_REQUEST)),
        (encode_request(8, READ, 0, 4), True, head(8, Status.BAD_REQUEST)),
        (encode_request(8, READ, MAX_WORDS + 1, 4), True, head(8, Status.BAD_REQUEST)),
        (encode_request(8, WRITE, MAX_WORDS + 1, 4, bytes(4 * MAX_WORDS + 4)), True, head(8, Status.BAD_REQUEST)),
        (encode_request(8, READ, 1, 6), True, head(8, Status.BAD_REQUEST)),
        (encode_request(8, WRITE, 1, 4, bytes(5000)), True, head(8, Status.BAD_REQUEST)),
    ]
    for content, whole, expected in cases:
        assert await bench.ask(content, whole) == expected
        assert not bench.bus.accesses and read(dut.o_failed, "o_failed")
    assert await bench.ask(good) == head(7, Status.OK)
    assert bench.bus.words == {4: 1, 8: 2, 12: 3}


@cocotb.test()
async def repeated(dut):
    """A write that comes again is answered as before, and not carried out again, unless a read came between."""
    await start(dut)
    bench = Bench(dut)
    fine, faulty = encode_request(1, WRITE, 1, 4, words_of(5)), encode_request(2, WRITE, 1, FAULTY, words_of(5))
    for request, expected in ((fine, head(1, Status.OK)), (faulty, head(2, Status.BUS_ERROR))):
        before = len(bench.bus.accesses)
        for _ in range(3):
            assert await bench.ask(request) == expected
            assert await bench.ask(request, good=False) == head(0, Status.BAD_FRAME)
        assert len(bench.bus.accesses) == before + 1
    assert await bench.ask(encode_request(3, READ, 1, 4)) == head(3, Status.OK) + words_of(5)
    assert await bench.ask(encode_request(3, WRITE, 1, 4, words_of(6))) == head(3, Status.OK)
    assert bench.bus.words == {4: 6} and len(bench.bus.accesses) == 4


@cocotb.test()
async def too_early(dut):
    """What comes while a request is carried out is lost, and damages its frame; the frame after that is taken."""
    await start(dut)
    bench = Bench(dut, pause=100)
    await bench.send(encode_request(1, READ, 4, 4))
    await bench.send(encode_request(2, READ, 1, 4))  # all of it is lost
    for byte in encode_request(3, READ, 1, 4)[:4]:
        dut.i_valid.value, dut.i_data.value = 1, byte
        await bench.cycle()
        dut.i_valid.value = 0
    for _ in range(2000):
        await bench.cycle()
    assert [answer[:2] for answer in bench.answers] == [bytes([1, Status.OK])]
    bench.answers.clear()
    assert await bench.ask(encode_request(3, READ, 1, 4)[4:]) == head(0, Status.BAD_FRAME)
    assert (await bench.ask(encode_request(4, READ, 1, 4)))[:2] == bytes([4, Status.OK])


def test_host_link(simulator):
    simulate(HostLink(), __name__, simulator, name="host_link")
