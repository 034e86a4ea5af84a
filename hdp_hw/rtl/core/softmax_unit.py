"""Scores of a row to weights: the part of softmax between the two products."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.exp2 import Exp2
from hdp_hw.rtl.common.layouts import row_layout, tile_layout
from hdp_hw.rtl.common.pipeline import adder_tree, delay, extreme_tree
from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import exp2_coefficients
from hdp_hw.spec.timing import tree_latency


class SoftmaxUnit(wiring.Component):
    """``P = 2^-((max S - S) * mult >> shift)`` over a row's valid elements, and the sum of P, row by row.

    Score tiles come in as the array makes them and are held in slots, their row maxima on the side. When a row is
    complete, its tiles are read back, ``softmax_lanes`` elements of one tile a cycle, and the weights go to slots of
    the same numbers. When the row is compensated, the exponentials of the keys that stand in for its pruned ones, at
    their mean scores, are the last.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_tile_valid : In(unsigned(1))
        Scores of a tile, row after row, the rows in the order in which ``i`` has those with tiles.
    i_slot : In(unsigned(params.score_slot_width))
        Where they are held: the row's ``base`` and, round the ring, the slots after it.
    i_scores : In(tile_layout(signed(params.sum_width), params))
        With ``i_tile_valid``: the tile's scores, from the array.
    i_elements : In(tile_layout(unsigned(1), params))
        Valid elements.
    i_first_tile : In(unsigned(1))
        With ``i_tile_valid``: the tile is its row's first.
    i_last_tile : In(unsigned(1))
        With ``i_tile_valid``: the tile is its row's last.
    i : In(stream.Signature(row_job_layout(params)))
        A row; its tiles may still be on their way.
    i_scales : In(data.ArrayLayout(self.scale_layout, HEADS_INSIDE))
        Of the heads in the table.
    o_mean_head : Out(unsigned(2))
        The row whose means are needed.
    o_mean_row : Out(unsigned(params.block_width))
        The block row, in ``o_mean_head``, whose means are needed.
    i_mean : In(self.mean_layout)
        Follows ``o_mean_*`` by one clock cycle.
    i_weight_slot : In(unsigned(params.score_slot_width))
        The operand fetch chooses the slot whose weights are read, of a row that was ``o_finished``.
    o_weights : Out(tile_layout(data.ArrayLayout(signed(params.digit_width), 2), params))
        {0: F, 1: I} of each weight.
    o_finished : Out(unsigned(1))
        A row's weights can be read, and ``o_sums`` are its own; in the order of ``i``.
    i_linear : In(unsigned(1))
        With ``encoder``: the tiles are those of linear layers, which LinearDrain reads; no row comes.
    i_linear_slot : In(unsigned(params.score_slot_width))
        With ``i_linear``: LinearDrain chooses a slot.
    i_linear_step : In(unsigned(bits_for(params.softmax_steps - 1)))
        With ``i_linear_slot``: and the step whose elements it takes.
    o_linear_sums : Out(data.ArrayLayout(signed(params.sum_width), params.softmax_lanes))
        The sums of these elements, ``sums_latency`` = 2 clock cycles after ``i_linear_slot``.
    o_sums : Out(self.sums_layout)
        Of each query row, the sum of P, and e_pruned, 0 without a stand-in; ``n_pruned`` keys, n_k without tiles.

    Timing
    ------
    A row can be taken ``max_latency`` + 1 clock cycles after its last tile came, without tiles at once. Taken in cycle
    t, its steps are done from t + 1 on: n_tiles * T^2 / softmax_lanes, and T / softmax_lanes, at least one, for the
    stand-ins, or a single one without tiles. The next row can be taken in the cycle of the last step. ``o_finished``
    comes ``latency`` clock cycles after it. ``o_weights`` follows ``i_weight_slot`` by one clock cycle. At most eight
    rows' maxima may wait.

    Numerics
    --------
    Golden twin ``golden.bits.core.softmax_unit`` (weights, stand_in).
    """

    sums_latency = 2

    def __init__(self, params):
        self.params = params
        self.lanes = [Exp2(params) for _ in range(params.softmax_lanes)]
        self.columns = min(params.softmax_lanes, params.tile)  #: elements of a query row in one step
        self.rows = params.softmax_lanes // self.columns  #: query rows in one step
        self.scale_layout = data.StructLayout(
            {"mult": unsigned(8), "shift": unsigned(6), "n_k": unsigned(params.seq_width)}
        )
        self.mean_layout = data.StructLayout(
            {"mean": row_layout(signed(params.s_width), params), "n_pruned": unsigned(params.seq_width)}
        )
        self.sums_layout = data.StructLayout(
            {
                "weight_sum": row_layout(unsigned(bits_for(params.digit_max * params.max_seq_len)), params),
                "e_pruned": row_layout(unsigned(self.lanes[0].e_width), params),
                "n_pruned": unsigned(params.seq_width),
            }
        )
        digits = data.ArrayLayout(signed(params.digit_width), 2)
        super().__init__(
            {
                "i_tile_valid": In(unsigned(1)),
                "i_slot": In(unsigned(params.score_slot_width)),
                "i_scores": In(tile_layout(signed(params.sum_width), params)),
                "i_elements": In(tile_layout(unsigned(1), params)),
                "i_first_tile": In(unsigned(1)),
                "i_last_tile": In(unsigned(1)),
                "i": In(stream.Signature(row_job_layout(params))),
                "i_scales": In(data.ArrayLayout(self.scale_layout, HEADS_INSIDE)),
                "o_mean_head": Out(unsigned(2)),
                "o_mean_row": Out(unsigned(params.block_width)),
                "i_mean": In(self.mean_layout),
                "i_weight_slot": In(unsigned(params.score_slot_width)),
                "o_weights": Out(tile_layout(digits, params)),
                "o_finished": Out(unsigned(1)),
                "o_sums": Out(self.sums_layout),
                **(self._linear_ports() if params.encoder else {}),
            }
        )

    def _linear_ports(self):
        params = self.params
        return {
            "i_linear": In(unsigned(1)),
            "i_linear_slot": In(unsigned(params.score_slot_width)),
            "i_linear_step": In(unsigned(bits_for(params.softmax_steps - 1))),
            "o_linear_sums": Out(data.ArrayLayout(signed(params.sum_width), params.softmax_lanes)),
        }

    @property
    def max_latency(self):
        """Clock cycles from a row's last tile to its maxima: valid elements, comparator levels, the running maximum."""
        return 1 + (self.params.tile - 1).bit_length() + 1

    @property
    def latency(self):
        """Clock cycles from a row's last step to ``o_finished``: memory, choice of the operands, exponential, sum of a
        step, accumulator."""
        return 3 + self.lanes[0].latency + self._sum_latency + 1

    @property
    def _sum_latency(self):
        """Clock cycles of the sum of a step, in which its weights, too, reach their slots."""
        return max(1, tree_latency(self.columns))

    def elaborate(self, platform):
        m = Module()
        params, tile, n_lanes = self.params, self.params.tile, self.params.softmax_lanes
        n_steps, n_stand_in = params.softmax_steps, tile // self.columns  # of a tile, and of the stand-ins
        maxima = self._row_maxima(m)
        slots = self._score_memory(m)

        # One step a cycle: the next elements of a tile, row by row, or stand-in keys, or nothing.
        job, active = Signal(row_job_layout(params)), Signal()
        row_max = Signal(row_layout(signed(params.s_width), params))
        scale = Signal(self.scale_layout)
        tile_index, step = Signal(params.n_blocks_width), Signal(range(max(n_steps, 2)))
        # What the step is, told a cycle ahead, for the last one decides whether a row is taken.
        first, last_tile, stand_in, last = Signal(), Signal(), Signal(), Signal()
        last_step, free = Signal(), Signal()
        steps = Mux(stand_in, n_stand_in, n_steps)
        m.d.comb += [last_step.eq(step == steps - 1), free.eq(~active | last)]
        next_is_last_tile = tile_index + 2 == job.n_tiles
        m.d.sync += first.eq(0)
        with m.If(active):
            ends_row = stand_in | (last_tile & ~job.stand_in)
            m.d.sync += [step.eq(step + 1), last.eq(ends_row & (step + 2 == steps))]
            with m.If(last_step):
                ends_next = next_is_last_tile & ~job.stand_in & (n_steps == 1)
                m.d.sync += [
                    step.eq(0),
                    tile_index.eq(tile_index + 1),
                    last_tile.eq(next_is_last_tile),
                    stand_in.eq(last_tile),
                    last.eq(Mux(last_tile, n_stand_in == 1, ends_next)),
                ]
        takes = Signal()
        empty = self.i.payload.empty
        m.d.comb += [
            takes.eq(free & self.i.valid & (empty | maxima.valid)),
            self.i.ready.eq(takes),
            maxima.ready.eq(takes & ~empty),
        ]
        with m.If(free):
            m.d.sync += [active.eq(takes), step.eq(0), tile_index.eq(0), stand_in.eq(0)]
        with m.If(takes):
            m.d.sync += [
                job.eq(self.i.payload),
                first.eq(1),
                last_tile.eq(self.i.payload.n_tiles == 1),
                last.eq(empty | ((self.i.payload.n_tiles == 1) & ~self.i.payload.stand_in & (n_steps == 1))),
            ]
        # Maxima and scale are known from a step's second cycle on.
        maxima_then = delay(m, maxima.payload, 1, "maxima")
        with m.If(first):
            m.d.sync += row_max.eq(maxima_then)
        m.d.sync += scale.eq(Array([self.i_scales[head] for head in range(HEADS_INSIDE)])[job.head])

        # The scores, two cycles later, against the row's maximum, then the differences; then their exponentials.
        read_latency = 2
        at_lanes = read_latency + 1
        slot = Signal(params.score_slot_width)
        read_slot, read_step = slot, step
        if params.encoder:
            read_slot = Mux(self.i_linear, self.i_linear_slot, slot)
            read_step = Mux(self.i_linear, self.i_linear_step, step)
        m.d.comb += [
            slot.eq(job.base + tile_index),
            *(port.addr.eq(read_slot) for port in slots[:-1]),
            slots[-1].addr.eq(slot),  # LinearDrain reads no valid elements
            self.o_mean_head.eq(job.head),
            self.o_mean_row.eq(job.row),
        ]
        mean = delay(m, self.i_mean, 1, "mean", reset_less=True)
        *scores, elements = (delay(m, port.data, 1, "stored", reset_less=True) for port in slots)
        max_then = delay(m, row_max, read_latency - 1, "max")
        scale_then = delay(m, scale, at_lanes - 1, "scale")
        stands_in = delay(m, stand_in & active & ~job.empty, read_latency, "stand_in")
        step_then = delay(m, read_step, read_latency, "step")
        computes = delay(m, active & ~stand_in & ~job.empty, read_latency, "computes")
        valid = []
        for index, lane in enumerate(self.lanes):
            m.submodules[f"exp2_{index}"] = lane
            places = [divmod(turn * n_lanes + index, tile) for turn in range(n_steps)]  # row and column of its elements
            score = Array([scores[r][c] for r, c in places])[step_then]
            if params.encoder:
                m.d.comb += self.o_linear_sums[index].eq(score)
                score = self._score(self.o_linear_sums[index])
            maximum = Array([max_then[r] for r, _ in places])[step_then]
            difference = Signal(signed(params.s_width + 1), name=f"difference_{index}")
            floor = Signal(name=f"floor_{index}")
            if index < self.columns:  # and the stand-ins of some query rows
                turns = range(index, tile, self.columns)
                turn = step_then[: bits_for(n_stand_in - 1)]
                score = Mux(stands_in, Array([mean.mean[r] for r in turns])[turn], score)
                maximum = Mux(stands_in, Array([max_then[r] for r in turns])[turn], maximum)
                m.d.comb += floor.eq(delay(m, stands_in, 1, "stand_in") & (difference < 0))
            score, maximum = delay(m, score, 1, f"score_{index}"), delay(m, maximum, 1, f"maximum_{index}")
            m.d.comb += [
                difference.eq(maximum - score),
                lane.i_valid.eq(delay(m, computes | stands_in, 1, "lane_valid")),
                lane.i_difference.eq(Mux(floor, 0, difference)),
                lane.i_mult.eq(scale_then.mult),
                lane.i_shift.eq(scale_then.shift),
            ]
            valid.append(Array([elements[r][c] for r, c in places])[step_then] & computes)

        # Weights to their slots, and their sums.
        at_weights = at_lanes - read_latency + self.lanes[0].latency
        valid = delay(m, Cat(valid), at_weights, "valid")
        writes = delay(m, computes, at_weights, "writes")
        step_of_weights = delay(m, step_then, at_weights, "step_of_weights")
        slot_of_weights = delay(m, slot, read_latency + at_weights, "slot")
        weights = [Mux(valid[index], lane.o_weight, 0) for index, lane in enumerate(self.lanes)]
        self._weight_memory(m, weights, writes, step_of_weights, slot_of_weights)

        tree, rest = self._sum_latency, self._sum_latency - tree_latency(self.columns)
        added = [
            delay(m, adder_tree(m, weights[row * self.columns :][: self.columns], name=f"row_sum_{row}"), rest, "added")
            for row in range(self.rows)
        ]
        at_sum = read_latency + at_weights + tree
        first_then = delay(m, first, at_sum, "first")
        adds = delay(m, writes, tree, "adds")
        steps_in = delay(m, stands_in, at_weights + tree, "steps_in")
        step_of_sum = delay(m, step_of_weights, tree, "step_of_sum")
        job_then = delay(m, Cat(job.stand_in, job.empty), at_sum, "job")
        last_then = delay(m, active & last, at_sum, "last")
        mean_then = delay(m, mean.n_pruned, at_weights + tree, "n_pruned")
        n_k_then = delay(m, scale.n_k, at_sum - 1, "n_k")
        sums = self.o_sums
        with m.If(first_then):  # of a row without keys, a stand-in weighs as much as the largest
            one = exp2_coefficients(params.digit_width)[0]
            m.d.sync += [
                *(sums.weight_sum[r].eq(0) for r in range(tile)),
                *(sums.e_pruned[r].eq(Mux(job_then[0] & job_then[1], one, 0)) for r in range(tile)),
            ]
        rows_of_step = step_of_sum // (tile // self.columns)  # of a tile
        for row in range(self.rows):
            before = Array([sums.weight_sum[r] for r in range(row, tile, self.rows)])[rows_of_step]
            total = Signal(sums.weight_sum[row].shape(), name=f"total_{row}")
            m.d.comb += total.eq(Mux(first_then, 0, before) + added[row])
            for r in range(row, tile, self.rows):
                with m.If(adds & (rows_of_step == r // self.rows)):
                    m.d.sync += sums.weight_sum[r].eq(total)
        for r in range(tile):
            e = delay(m, self.lanes[r % self.columns].o_e, tree, f"e_{r % self.columns}")
            with m.If(steps_in & (step_of_sum == r // self.columns)):
                m.d.sync += sums.e_pruned[r].eq(e)
        with m.If(last_then):
            m.d.sync += sums.n_pruned.eq(Mux(job_then[1], n_k_then, mean_then))
        m.d.sync += self.o_finished.eq(last_then)
        return m

    def _row_maxima(self, m):
        """A stream of rows' maxima, filled as their tiles come."""
        params, tile = self.params, self.params.tile
        lowest = -(1 << (params.s_width - 1))
        running = Signal(row_layout(signed(params.s_width), params))
        for r in range(tile):
            terms = [Mux(self.i_elements[r][c], self._score(self.i_scores[r][c]), lowest) for c in range(tile)]
            terms = [delay(m, term, 1, f"term_{r}") for term in terms]
            largest = extreme_tree(m, terms, largest=True, name=f"larger_{r}")
            valid, first = (delay(m, x, self.max_latency - 1, "tile") for x in (self.i_tile_valid, self.i_first_tile))
            with m.If(valid & (first | (largest > running[r]))):
                m.d.sync += running[r].eq(largest)
        last = self.i_tile_valid & self.i_last_tile
        complete = delay(m, last & ~self.i_linear if params.encoder else last, self.max_latency, "complete")
        m.submodules.maxima = maxima = Queue(running.shape(), depth=8)
        m.d.comb += [maxima.i.payload.eq(running), maxima.i.valid.eq(complete)]
        return maxima.o

    def _score(self, total):
        """A score of attention, which is narrower than the sums of linear layers."""
        return total[: self.params.s_width].as_signed() if self.params.encoder else total

    def _score_memory(self, m):
        """Read ports of the score slots: one a query row, and one of the valid elements."""
        params, ports = self.params, []
        contents = [*((self.i_scores[r], f"scores_{r}") for r in range(params.tile)), (self.i_elements, "elements")]
        for value, name in contents:
            m.submodules[name] = store = separate_memory(value.shape(), params.score_slots)
            write, read = store.write_port(), store.read_port()
            m.d.comb += [
                write.addr.eq(self.i_slot),
                write.data.eq(value),
                write.en.eq(self.i_tile_valid),
                read.en.eq(1),
            ]
            ports.append(read)
        return ports

    def _weight_memory(self, m, weights, writes, step, slot):
        """Weight slots, a bank a query row, written when the last of its weights in a tile is there; weights are stored
        as their two digits."""
        params, w, tile, rows = self.params, self.params.digit_width, self.params.tile, self.rows
        pair = data.ArrayLayout(signed(w), 2)
        steps_of_row = tile // self.columns
        pairs = []
        for index, weight in enumerate(weights):
            digits = Signal(pair, name=f"weight_{index}")
            m.d.sync += [digits[1].eq((weight + (1 << (w - 1))) >> w), digits[0].eq(weight[:w])]
            pairs.append(digits)
        address = delay(m, slot, 1, "address")
        for r in range(tile):
            m.submodules[f"weights_{r}"] = store = separate_memory(row_layout(pair, params), params.score_slots)
            write, read = store.write_port(), store.read_port()
            of_row = pairs[(r % rows) * self.columns :][: self.columns]
            for c in range(tile):
                age = steps_of_row - 1 - c // self.columns
                m.d.comb += write.data[c].eq(delay(m, of_row[c % self.columns], age, f"weight_{r}_{c}"))
            last_step = (r // rows + 1) * steps_of_row - 1
            m.d.comb += [
                write.addr.eq(address),
                write.en.eq(delay(m, writes & (step == last_step), 1, f"write_{r}")),
                read.addr.eq(self.i_weight_slot),
                read.en.eq(1),
                self.o_weights[r].eq(read.data),
            ]
        return read
