"""Several readers at one memory port."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.shell.axi import read_signature
from hdp_hw.spec.params import ParameterError, bits_for

EPOCH_WIDTH = 2  #: bits of an epoch, the highest of an ID
MAX_OUTSTANDING = 128  #: bursts of one reader


class ReadArbiter(wiring.Component):
    """Bursts of the readers in turn; responses go to whom their ID names.

    A reader keeps to one ID, so its responses come in order; those of several readers may come in any order, beats of
    one between beats of another. A response that belongs to an earlier epoch, or that nobody waits for, is taken and
    dropped: what a job that was given up had asked for does no harm when it comes.

    Parameters
    ----------
    params : HdpParams
    n : int
        Readers.

    Ports
    -----
    i : In(read_signature(params)).array(self.n)
        The readers. Their IDs are ignored; responses carry ID 0.
    memory : Out(read_signature(params))
        IDs are ``id_layout``: the reader's index, and the epoch in the highest bits.
    i_epoch : In(unsigned(EPOCH_WIDTH))
        The epoch's name. The readers must be in reset in the clock cycle in which it changes. Nothing is granted until
        all responses of the last epoch of that name have come.
    i_stop : In(unsigned(1))
        Nothing is granted; a burst that is on offer to the memory already stays there until it is accepted.
    o_outstanding : Out(unsigned(bits_for(self.max_outstanding)))
        Bursts of this epoch that, in the clock cycle before, were or had been on offer to the memory, and whose last
        beat had not reached its reader.
    o_idle : Out(unsigned(1))
        There are none, and none of an earlier epoch is on offer.

    Timing
    ------
    A burst and a response per clock cycle. A burst reaches the memory ``latency`` = 2 clock cycles after its reader
    offers it, 1 if the reader's turn has come already; a response reaches its reader after ``response_latency`` = 1.
    ``memory.r.ready`` is low only while a reader is not ready for the response before.

    Numerics
    --------
    Clock cycles: ``golden.cycles.shell.read_arbiter``.

    Raises
    ------
    ParameterError
        An ID cannot name ``n`` readers.
    """

    latency = 2
    response_latency = 1

    def __init__(self, params, n):
        index_width = params.axi_id_width - EPOCH_WIDTH
        if not 1 <= n <= 1 << index_width:
            raise ParameterError("n", n, f"1 to {1 << index_width}")
        self.params, self.n = params, n
        self.max_outstanding = n * MAX_OUTSTANDING
        self.id_layout = data.StructLayout({"index": unsigned(index_width), "epoch": unsigned(EPOCH_WIDTH)})
        super().__init__(
            {
                "i": In(read_signature(params)).array(n),
                "memory": Out(read_signature(params)),
                "i_epoch": In(unsigned(EPOCH_WIDTH)),
                "i_stop": In(unsigned(1)),
                "o_outstanding": Out(unsigned(bits_for(self.max_outstanding))),
                "o_idle": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        epoch, epoch_ends = Signal(EPOCH_WIDTH), Signal()
        m.d.comb += epoch_ends.eq(self.i_epoch != epoch)
        m.d.sync += epoch.eq(self.i_epoch)

        awaited, full, granted, ended = Signal(self.n), Signal(self.n), Signal(self.n), Signal(self.n)
        waits = Signal()  # for responses of the last epoch of this name
        m.d.comb += granted.eq(self._grant(m, full, epoch, self.i_stop | epoch_ends | waits))
        m.d.comb += ended.eq(self._respond(m, awaited, epoch_ends))

        # Bursts of each reader, and of each epoch.
        for k in range(self.n):
            count = Signal(range(MAX_OUTSTANDING + 1), name=f"count_{k}")
            m.d.sync += [
                count.eq(count + granted[k] - ended[k]),
                awaited[k].eq(granted[k] | (awaited[k] & ~(ended[k] & (count == 1)))),
                full[k].eq(count >= MAX_OUTSTANDING - 2),  # two more may be granted before one shows here
            ]
            with m.If(epoch_ends):
                m.d.sync += [count.eq(0), awaited[k].eq(0)]
        begins, ends = Signal(), Signal(1 << EPOCH_WIDTH)
        response, response_epoch = self.memory.r, self.id_layout(self.memory.r.payload.id).epoch
        last_taken = response.valid & response.ready & response.payload.last
        m.d.sync += [begins.eq(granted.any()), ends.eq(Mux(last_taken, 1 << response_epoch, 0))]
        due = [Signal(range(self.max_outstanding + 1), name=f"due_{name}") for name in range(1 << EPOCH_WIDTH)]
        for name, count in enumerate(due):
            m.d.sync += count.eq(count + (begins & (epoch == name)) - (ends[name] & (count != 0)))
        with m.If(epoch_ends):
            m.d.sync += waits.eq(1)
        with m.Elif(Array(due)[epoch] == 0):
            m.d.sync += waits.eq(0)
        m.d.comb += self.o_outstanding.eq(Mux(waits, 0, Array(due)[epoch]))
        m.d.comb += self.o_idle.eq((self.o_outstanding == 0) & ~self.memory.ar.valid)
        return m

    def _grant(self, m, full, epoch, stop):
        """Round robin; returns the reader whose burst is taken, one-hot, or 0.

        Whose turn it is, is found a clock cycle ahead, while another's burst is taken. A reader that has just been
        served has its turn again only if no other asks; if it does not either, the turn passes on.
        """
        ar = self.memory.ar
        asks = Signal(self.n)
        turn, after = Signal(self.n), Signal(self.n)  # one-hot; the readers behind it
        granted, stays = Signal(self.n), Signal()
        m.d.comb += [
            asks.eq(Cat(port.ar.valid for port in self.i)),
            granted.eq(Mux((~ar.valid | ar.ready) & ~stop, turn & asks, 0)),
            stays.eq((turn & asks).any() & ~granted.any()),
        ]
        candidates = asks & ~full
        (first, first_and_below, _), (later, later_and_below, none_later) = (
            self._lowest(m, "first", candidates),
            self._lowest(m, "later", candidates & after),
        )
        with m.If(~stays):
            m.d.sync += [
                turn.eq(Mux(none_later, first, later)),
                after.eq(~Mux(none_later, first_and_below, later_and_below)),
            ]

        m.d.comb += [port.ar.ready.eq(granted[k]) for k, port in enumerate(self.i)]
        chosen = Signal(ar.payload.shape())
        identity = self.id_layout(chosen.id)
        m.d.comb += [
            chosen.addr.eq(_one_of(turn, (port.ar.payload.addr for port in self.i))),
            chosen.len.eq(_one_of(turn, (port.ar.payload.len for port in self.i))),
            identity.index.eq(_one_of(turn, range(self.n))),
            identity.epoch.eq(epoch),
        ]
        with m.If(~ar.valid | ar.ready):
            m.d.sync += [ar.valid.eq(granted.any()), ar.payload.eq(chosen)]
        return granted

    def _lowest(self, m, name, bits):
        """The lowest 1 of ``bits``; it and all below it, all if there is none; whether there is none."""
        less_one, and_below = Signal(self.n + 1, name=f"{name}_less_one"), Signal(self.n, name=f"{name}_and_below")
        m.d.comb += [less_one.eq(bits - 1), and_below.eq(bits ^ less_one)]
        return bits & and_below, and_below, less_one[-1]

    def _respond(self, m, awaited, epoch_ends):
        """Passes responses on; returns the reader whose burst ends, one-hot, or 0."""
        r, identity = self.memory.r, self.id_layout(self.memory.r.payload.id)
        addressee, valids, stalls = Signal(self.n), Signal(self.n), Signal()
        response = Signal(r.payload.shape())
        for k, port in enumerate(self.i):
            m.d.comb += [
                addressee[k].eq((identity.index == k) & awaited[k]),
                port.r.valid.eq(valids[k]),
                port.r.payload.eq(response),
                port.r.payload.id.eq(0),
            ]
        current = r.valid & (identity.epoch == self.i_epoch)
        m.d.comb += [stalls.eq((valids & ~Cat(port.r.ready for port in self.i)).any()), r.ready.eq(~stalls)]
        with m.If(epoch_ends):
            m.d.sync += valids.eq(0)
        with m.Elif(~stalls):
            m.d.sync += [valids.eq(Mux(current, addressee, 0)), response.eq(r.payload)]
        return Mux(current & r.payload.last & ~stalls, addressee, 0)


def _one_of(select, values):
    """The value that the one-hot ``select`` names; 0 if it is 0."""
    chosen = 0
    for bit, value in zip(select, values):
        chosen = chosen | Mux(bit, value, 0)
    return chosen
