"""The heads inside the core: what is known of each and how far it has come."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.common.pipeline import register
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.core.jobs import head_entry_layout
from hdp_hw.rtl.core.settings_check import SettingsCheck
from hdp_hw.spec.formats import HEADS_INSIDE, STREAMS
from hdp_hw.spec.settings import PRUNING_SETTINGS, HeadError, Rule, Verdict


class HeadTable(wiring.Component):
    """Three entries, used in turn: written when settings arrive, given back when the head's status leaves.

    Settings that the core can't run make an entry with the error SETTINGS.

    Parameters
    ----------
    params : HdpParams
    checked : bool
        The host gives no settings that SettingsCheck would refuse.

    Ports
    -----
    i_settings : In(stream.Signature(settings_layout(params)))
        The host's settings of each head. They are taken while an entry is free, every second clock cycle at most. A
        linear layer waits until no head of attention is inside, and the reverse; one that brings rows also until none
        is inside that reuses rows.
    i_errors : In(data.ArrayLayout(unsigned(3), len(STREAMS)))
        Of each plane I, F, V: a HeadError.
    i_loaded : In(data.ArrayLayout(unsigned(HEADS_INSIDE), len(STREAMS)))
        Of each plane: the entry whose plane ends, with ``i_errors``; one-hot, or 0.
    i_predicted : In(unsigned(HEADS_INSIDE))
        The entry whose verdict falls, from PredictControl; one-hot, or 0.
    i_verdict : In(unsigned(3))
        With ``i_predicted``: a Verdict.
    i_theta_head : In(unsigned(params.theta_head_width))
        With ``i_predicted``: the head's importance, from PredictControl.
    i_row_head : In(unsigned(HEADS_INSIDE))
        The entry of which a block row is listed, from ExecuteControl; one-hot, or 0.
    i_row_blocks : In(unsigned(params.n_blocks_width))
        With ``i_row_head``: the row's blocks with a valid element; without any, one counts as visited.
    i_row_tiles : In(unsigned(params.n_blocks_width))
        With ``i_row_head``: the row's executed blocks.
    i_report : In(unsigned(1))
        The oldest head ends; only while ``o_report_free``, and after all that is known of it.
    o_entries : Out(data.ArrayLayout(self.entry_layout, HEADS_INSIDE))
        The entries. What an entry holds is right from its head's entering until it is given back.
    o_used : Out(unsigned(HEADS_INSIDE))
        Bits of the entries in use.
    o_unpredicted : Out(unsigned(HEADS_INSIDE))
        Bits of the heads that need no prediction: the dense rule, or an error of settings or I plane.
    o_failed : Out(unsigned(HEADS_INSIDE))
        Bits of the heads that have an error.
    o_status : Out(stream.Signature(self.status_layout))
        To the host: verdict, error and counts of the head that ended. It waits until it is taken.
    o_report_free : Out(unsigned(1))
        No status waits.
    o_vacated : Out(unsigned(HEADS_INSIDE))
        The entry that ``i_report`` gives back, one-hot, in the same clock cycle; else 0.
    o_retired : Out(unsigned(HEADS_INSIDE))
        The same one clock cycle later, from a register, for what has time until a head can be in that entry again.
    o_linear : Out(unsigned(1))
        With ``encoder``: the heads inside are linear layers. It changes only while none is inside.

    Timing
    ------
    An entry is in use ``latency`` = 2 clock cycles after its settings were taken; settings every second clock cycle at
    most, and none while three entries are in use. What the other inputs change shows one clock cycle later, as
    ``o_status`` after ``i_report``. A status waits until it is taken.

    Numerics
    --------
    Golden twin ``golden.bits.core.attention_core.HeadResult``, its counts and its verdict.
    """

    latency = 2

    def __init__(self, params, checked=False):
        self.params, self.checked = params, checked
        self.entry_layout = head_entry_layout(params)
        self.status_layout = data.StructLayout(
            {
                "verdict": unsigned(3),
                "error": unsigned(3),
                "n_visited": unsigned(params.count_width),
                "n_kept": unsigned(params.count_width),
                "theta_head": unsigned(params.theta_head_width),
            }
        )
        super().__init__(
            {
                "i_settings": In(stream.Signature(settings_layout(params))),
                "i_errors": In(data.ArrayLayout(unsigned(3), len(STREAMS))),
                "i_loaded": In(data.ArrayLayout(unsigned(HEADS_INSIDE), len(STREAMS))),
                "i_predicted": In(unsigned(HEADS_INSIDE)),
                "i_verdict": In(unsigned(3)),
                "i_theta_head": In(unsigned(params.theta_head_width)),
                "i_row_head": In(unsigned(HEADS_INSIDE)),
                "i_row_blocks": In(unsigned(params.n_blocks_width)),
                "i_row_tiles": In(unsigned(params.n_blocks_width)),
                "i_report": In(unsigned(1)),
                "o_entries": Out(data.ArrayLayout(self.entry_layout, HEADS_INSIDE)),
                "o_used": Out(unsigned(HEADS_INSIDE)),
                "o_unpredicted": Out(unsigned(HEADS_INSIDE)),
                "o_failed": Out(unsigned(HEADS_INSIDE)),
                "o_status": Out(stream.Signature(self.status_layout)),
                "o_report_free": Out(unsigned(1)),
                "o_vacated": Out(unsigned(HEADS_INSIDE)),
                "o_retired": Out(unsigned(HEADS_INSIDE)),
                **({"o_linear": Out(unsigned(1))} if params.encoder else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        newest, oldest = Signal(HEADS_INSIDE, init=1), Signal(HEADS_INSIDE, init=1)  # one-hot
        staged, settings = Signal(), Signal(settings_layout(self.params))
        entering = Signal(HEADS_INSIDE)  # with ``staged``: the bit of the entry
        half = Signal()
        slices = settings.head_dim >> (self.params.slice_width - 1).bit_length()
        integer, turns = (slices + 3) >> 2, self.params.predictor_turns
        of_q = self._q_place(m, settings, staged, half, newest) if self.params.encoder else {}
        value_words = Mux(settings.linear, 1, (slices + 1) >> 1) if self.params.encoder else (slices + 1) >> 1

        reused = Signal()  # the head that came last reuses rows
        room = ~staged & ~(self.o_used & newest).any()
        m.d.comb += [
            self.i_settings.ready.eq(room & self._joins(reused) if self.params.encoder else room),
            self.o_report_free.eq(~self.o_status.valid),
            self.o_vacated.eq(Mux(self.i_report, oldest, 0)),
        ]
        illegal = 0  # what is staged
        if not self.checked:
            m.submodules.check = check = SettingsCheck(self.params)
            m.d.comb += check.i_settings.eq(self.i_settings.payload)
            illegal = register(m, ~check.o_legal, "illegal")
        m.d.sync += self.o_retired.eq(self.o_vacated)
        m.d.sync += [staged.eq(0), entering.eq(0)]
        with m.If(self.i_settings.valid & self.i_settings.ready):
            m.d.sync += [staged.eq(1), entering.eq(newest)]
        with m.If(~staged):  # the late signals of a stream need not reach every bit
            m.d.sync += settings.eq(self.i_settings.payload)
        if self.params.encoder:
            with m.If(self.i_settings.valid & self.i_settings.ready):
                m.d.sync += self.o_linear.eq(self.i_settings.payload.linear)
                m.d.sync += reused.eq(self.i_settings.payload.reuse)
        with m.If(staged):
            m.d.sync += [half.eq(~half), newest.eq(newest.rotate_left(1))]
        m.d.sync += self.o_used.eq(self.o_used & ~self.o_vacated | entering)
        with m.If(self.o_status.ready):
            m.d.sync += self.o_status.valid.eq(0)
        with m.If(self.i_report):
            m.d.sync += [self.o_status.valid.eq(1), oldest.eq(oldest.rotate_left(1))]

        for head in range(HEADS_INSIDE):
            entry = self.o_entries[head]
            with m.If(entering[head]):
                m.d.sync += [
                    entry.settings.eq(settings),
                    *(entry.settings[name].eq(0) for name in PRUNING_SETTINGS if not self.params.pruning),
                    entry.half.eq(half),
                    entry.cycles.slices.eq(slices),
                    entry.cycles.integer.eq(integer),
                    entry.cycles.wait.eq(Mux(integer < turns, turns - integer, 0)),
                    entry.cycles.cross.eq((slices + 1) >> 1),
                    entry.words.eq(integer),
                    entry.value_words.eq(value_words),
                    *(entry[name].eq(value) for name, value in of_q.items()),
                    entry.settings_error.eq(illegal),
                    entry.errors.eq(0),
                    self.o_unpredicted[head].eq(illegal | (settings.rule == Rule.DENSE)),
                    self.o_failed[head].eq(illegal),
                ]
            for plane in range(len(STREAMS)):
                with m.If(self.i_loaded[plane][head]):
                    m.d.sync += entry.errors[plane].eq(self.i_errors[plane])
                    with m.If(self.i_errors[plane] != HeadError.NONE):
                        m.d.sync += self.o_failed[head].eq(1)
                        if plane == 0:
                            m.d.sync += self.o_unpredicted[head].eq(1)
            with m.If(self.i_predicted[head]):
                m.d.sync += entry.verdict.eq(self.i_verdict)
            with m.If(oldest[head] & ~self.o_status.valid):  # the report, which comes late, decides on valid alone
                error = entry_error(entry)
                m.d.sync += [
                    self.o_status.payload.error.eq(error),
                    self.o_status.payload.verdict.eq(Mux(error == HeadError.NONE, entry.verdict, Verdict.ERROR)),
                ]
        tally = self._tally(m, entering, oldest)
        with m.If(~self.o_status.valid):
            m.d.sync += tally
        return m

    def _tally(self, m, enters, oldest):
        """What the status says of the oldest head alone: importance, and blocks so far. enters : bit of a new head."""
        status = self.o_status.payload
        names = ("n_visited", "n_kept")
        layout = data.StructLayout({name: unsigned(self.params.count_width) for name in names})
        m.submodules.counts = counts = separate_memory(layout, HEADS_INSIDE)
        m.submodules.thetas = thetas = separate_memory(status.theta_head.shape(), HEADS_INSIDE)
        before, of_oldest, theta = (store.read_port(domain="comb") for store in (counts, counts, thetas))
        counted = Signal(HEADS_INSIDE)  # heads whose counts are stored; those of the others are 0
        m.d.sync += counted.eq((counted | self.i_row_head) & ~enters)
        blocks = (Mux(self.i_row_blocks == 0, 1, self.i_row_blocks), self.i_row_tiles)
        write, write_theta = counts.write_port(), thetas.write_port()
        m.d.comb += [
            before.addr.eq(_index(self.i_row_head)),
            write.addr.eq(before.addr),
            write.en.eq(self.i_row_head.any()),
            write_theta.addr.eq(_index(self.i_predicted)),
            write_theta.data.eq(self.i_theta_head),
            write_theta.en.eq(self.i_predicted.any()),
            *(port.addr.eq(_index(oldest)) for port in (of_oldest, theta)),
        ]
        for name, addend in zip(names, blocks):
            m.d.comb += write.data[name].eq(Mux((counted & self.i_row_head).any(), before.data[name], 0) + addend)
        return [
            *(status[name].eq(Mux((counted & oldest).any(), of_oldest.data[name], 0)) for name in names),
            status.theta_head.eq(theta.data),
        ]

    def _joins(self, reused):
        """Whether the head that is offered may join those inside; reused : the last of these reuses rows.

        Heads of attention and linear layers take turns, and so do linear layers that bring rows and that reuse them.
        """
        offered = self.i_settings.payload
        return ((offered.linear == self.o_linear) & (offered.reuse | ~reused)) | ~self.o_used.any()

    def _q_place(self, m, settings, staged, half, newest):
        """``{field of an entry: value}`` of q_place_layout."""
        q_head, q_half = Signal(2), Signal()  # of the head before
        places, values = {"q_head": (_index(newest), q_head), "q_half": (half, q_half)}, {}
        for name, (own, before) in places.items():
            values[name] = Mux(settings.reuse, before, own)
            with m.If(staged):
                m.d.sync += before.eq(values[name])
        return values


def _index(places):
    """The index of a one-hot entry."""
    return Cat(places[1], places[2])


def entry_error(entry):
    """What is wrong with a head: its settings, or the first of its planes I, F, V that is malformed."""
    first = Mux(entry.errors[1] != HeadError.NONE, entry.errors[1], entry.errors[2])
    first = Mux(entry.errors[0] != HeadError.NONE, entry.errors[0], first)
    return Mux(entry.settings_error, HeadError.SETTINGS, first)
