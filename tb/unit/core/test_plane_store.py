"""PlaneStore against golden.bits.core.plane_loader: what heads brought can be read, and their totals of V."""

from collections import deque

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.array.tile_array import value_total
from hdp_hw.golden.bits.core.plane_loader import integer_and_fraction, value
from hdp_hw.golden.bits.digits import split
from hdp_hw.rtl.core.plane_store import PlaneStore
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import ceil_div
from hdp_hw.spec.settings import HeadError
from tb.lib.lockstep import pack, read, start
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run, signed_integers
from tb.unit.core.control_bench import entry_bits, random_entry

PLANES = ("integer", "fraction", "value")
TILE, LANES, W = PARAMS.tile, PARAMS.lanes, PARAMS.digit_width


class Head:
    """Operands of a head, its beats, and what must be read of it."""

    def __init__(self, rng, index):
        self.place, self.half = index % HEADS_INSIDE, index % 2
        n_q, n_k = rng.integers(1, min(PARAMS.max_seq_len, 3 * TILE + 2), 2).tolist()
        slices = int(rng.integers(1, PARAMS.max_slices + 1))
        d = slices * PARAMS.slice_width
        self.q, self.k, self.v = (signed_integers(rng, (n, d), PARAMS.operand_width) for n in (n_q, n_k, n_k))
        self.words, self.value_words = ceil_div(slices, 4), ceil_div(slices, 2)
        self.refused = bool(rng.random() < 0.1)
        entry = {"words": self.words, "value_words": self.value_words, "half": self.half}
        self.entry = random_entry(rng, n_q, n_k) | entry | {"settings_error": int(self.refused)}
        self.entry["settings"] = self.entry["settings"] | ({"reuse": 0} if PARAMS.encoder else {})
        integer, fraction = integer_and_fraction(self.q, self.k, PARAMS)
        if PARAMS.exact and rng.random() < 0.5:  # a host that did not saturate
            lowest = 1 - (1 << (W - 1))
            integer = [(np.where(word == lowest, lowest - 1, word), *rest) for word, *rest in integer]
        self.beats = {"integer": integer, "fraction": fraction, "value": value(self.v, PARAMS)}
        self.error = {plane: HeadError.NONE for plane in PLANES}
        if not self.refused and rng.random() < 0.2:  # a plane without its last beat
            plane = str(rng.choice(PLANES))
            if len(self.beats[plane]) > 1:
                *beats, (*last, _) = self.beats[plane][:-1]
                self.beats[plane] = [*beats, (*last, True)]
                self.error[plane] = HeadError.SHORT

    @property
    def sound(self):
        return not self.refused and not any(self.error.values())

    def block(self, operand, plane, block, word):
        """A word of the rows of a block; rows that do not exist are None."""
        integer, fraction = split({"q": self.q, "k": self.k, "v": self.v}[operand], W)
        if plane == "value":
            digits = np.stack([fraction, integer], -1).reshape(len(self.v), -1)
        else:
            digits = integer if plane == "integer" else fraction
        padded = np.zeros((len(digits), (word + 1) * LANES), np.int64)
        width = min(padded.shape[1], digits.shape[1])
        padded[:, :width] = digits[:, :width]
        rows = padded[block * TILE : (block + 1) * TILE, word * LANES :]
        return [pack(row, LANES * W) for row in rows]


class Streams:
    """Beats of the three planes, each stream with pauses of its own."""

    def __init__(self, dut, rng, idle):
        self.dut, self.rng, self.idle = dut, rng, idle
        self.beats, self.driven = {plane: deque() for plane in PLANES}, dict.fromkeys(PLANES, False)
        self.complete = 0  #: ``o_complete`` of the clock cycle before

    def add(self, head):
        for plane in PLANES:
            self.beats[plane].extend(head.beats[plane])

    def drive(self):
        for plane in PLANES:
            if not self.driven[plane] and self.beats[plane] and self.rng.random() >= self.idle:
                word, *key, last = self.beats[plane].popleft()
                signal = getattr(self.dut, f"i_{plane}_data")
                signal.value = pack(word, len(signal))
                getattr(self.dut, f"i_{plane}_last").value = int(last)
                if plane != "value":
                    getattr(self.dut, f"i_{plane}_key").value = key[0]
                self.driven[plane] = True
            getattr(self.dut, f"i_{plane}_valid").value = int(self.driven[plane])

    def look(self):
        for plane in PLANES:
            if self.driven[plane] and read(getattr(self.dut, f"i_{plane}_ready"), "ready"):
                self.driven[plane] = False


@cocotb.test()
@cocotb.parametrize(idle=[0, 0.4])
async def heads(dut, idle):
    """Heads one after another, three inside; each is read as soon as it is there, and then given back."""
    rng = bench_rng()
    await start(dut)
    heads = [Head(rng, index) for index in range(14)]
    streams, inside, entries = Streams(dut, rng, idle), deque(), [random_entry(rng) for _ in range(HEADS_INSIDE)]
    to_come, ended, n_read = deque(heads), {plane: 0 for plane in PLANES}, 0
    for head in heads:
        streams.add(head)
    for _ in range(60_000):
        if to_come and len(inside) < HEADS_INSIDE:
            head = to_come.popleft()
            entries[head.place] = head.entry
            inside.append(head)
        dut.i_entries.value, dut.i_used.value = entry_bits(entries), sum(1 << head.place for head in inside)
        dut.i_vacated.value = dut.i_retired.value = 0
        loaded = await cycle(dut, streams, heads, ended)
        if inside and all(bits >> inside[0].place & 1 for bits in loaded):
            head = inside[0]
            if head.sound:
                await check(dut, rng, head, streams, heads, ended)
                n_read += 1
            dut.i_vacated.value = 1 << head.place
            await cycle(dut, streams, heads, ended)
            inside.popleft()
            dut.i_vacated.value, dut.i_retired.value = 0, 1 << head.place
            dut.i_used.value = sum(1 << head.place for head in inside)
            await cycle(dut, streams, heads, ended)
        if not inside and not to_come:
            break
    assert ended == dict.fromkeys(PLANES, len(heads)), f"planes ended: {ended}"
    assert n_read > 5


async def cycle(dut, streams, heads, ended):
    """A clock cycle; the planes that end in it, end with the right error. Returns ``o_loaded``."""
    streams.drive()
    await RisingEdge(dut.aclk)
    streams.look()
    told, errors = read(dut.o_ended, "o_ended"), read(dut.o_errors, "o_errors")
    for index, plane in enumerate(PLANES):
        place = told >> (HEADS_INSIDE * index) & ((1 << HEADS_INSIDE) - 1)
        if place:
            head = heads[ended[plane]]
            assert place == 1 << head.place, f"the {plane} plane of head {ended[plane]} ended as {place:#b}"
            assert errors >> (3 * index) & 7 == head.error[plane], f"the {plane} plane of head {ended[plane]}"
            ended[plane] += 1
    loaded = read(dut.o_loaded, "o_loaded")
    loaded = [loaded >> (HEADS_INSIDE * index) & ((1 << HEADS_INSIDE) - 1) for index in range(3)]
    assert streams.complete == loaded[0] & loaded[1] & loaded[2], f"{streams.complete:#b} was said to follow"
    streams.complete = read(dut.o_complete, "o_complete")
    return loaded


async def check(dut, rng, head, streams, heads, ended):
    """Read a head: some words of each plane, and its totals."""
    await cycle(dut, streams, heads, ended)  # the last word of V goes through the splitter
    await cycle(dut, streams, heads, ended)
    totals = value_total(head.v, W)
    for _ in range(12):
        row, column = (int(rng.integers(0, ceil_div(len(x), TILE))) for x in (head.q, head.k))
        word, value_word = int(rng.integers(0, head.words)), int(rng.integers(0, head.value_words))
        read_ports = {"integer": 1, "fraction": 1, "value": 1, "head": head.place, "half": head.half}
        if PARAMS.encoder:
            read_ports |= {"q_head": head.place, "q_half": head.half}
        read_ports |= {"row": row, "column": column, "word": word, "value_word": value_word}
        for name, bits in read_ports.items():
            getattr(dut, f"i_read_{name}").value = bits
        dut.i_total_half.value, dut.i_total_word.value = head.half, value_word
        await cycle(dut, streams, heads, ended)
        for name in ("integer", "fraction", "value"):
            getattr(dut, f"i_read_{name}").value = 0
        for _ in range(PlaneStore.latency):
            await cycle(dut, streams, heads, ended)
        places = {"q": (row, word), "k": (column, word)}
        places = {f"{x}_{plane}": (x, plane, *places[x]) for x in "qk" for plane in ("integer", "fraction")}
        for name, place in (places | {"value": ("v", "value", column, value_word)}).items():
            got = int(getattr(dut, f"o_words_{name}").value)
            for r, want in enumerate(head.block(*place)):
                assert got >> (r * LANES * W) & ((1 << LANES * W) - 1) == want, f"{name}, row {r} of {place}"
        want = np.zeros(LANES // 2, np.int64)
        elements = totals[value_word * LANES // 2 : (value_word + 1) * LANES // 2]
        want[: len(elements)] = elements
        assert read(dut.o_total, "o_total") == pack(want, len(dut.o_total)), "totals of V"


@on_cores("packed", "encoder")
def test_plane_store(simulator, core):
    run(PlaneStore(CORES[core]), __name__, simulator, core)
