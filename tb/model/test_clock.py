"""Simulated clock cycles: events, queues, and cycles that are skipped."""

from hdp_hw.golden.cycles.clock import BufferedQueue, Clock, Queue


class Log:
    """Looks, and runs a script: ``{cycle: action}``."""

    def __init__(self, clock, script):
        self.clock, self.script, self.seen = clock, script, []
        for cycle in script:
            if cycle:
                clock.at(cycle, lambda: None)

    def look(self):
        self.seen.append(self.clock.now)
        self.script.get(self.clock.now, lambda: None)()


def test_cycles_are_skipped():
    clock = Clock()
    log = Log(clock, {3: lambda: clock.at(4, lambda: None), 100: lambda: clock.set(log, mark=True)})
    clock.blocks = [log]
    clock.run()
    assert log.seen == [0, 3, 7, 100, 101] and log.mark


def test_actions_of_a_cycle_keep_their_order():
    clock, order = Clock(), []
    clock.at(2, lambda: order.append("later, first"))
    clock.at(2, lambda: order.append("later, second"))
    clock.at(1, lambda: clock.at(1, lambda: order.append("next")))
    clock.run()
    assert order == ["next", "later, first", "later, second"]


def levels(kind, depth, pushes, pops, until):
    """``[(level, whether it is full, its head)]`` in each cycle of a queue that items come to and are read from."""
    clock = Clock()
    queue, seen = kind(clock, depth), []

    class Watch:
        def look(self):
            if clock.now < until:
                clock.at(1, lambda: None)
            seen.append((queue.level, queue.full, queue.head))
            if clock.now in pops:
                assert queue.pop() == pops[clock.now]
            if clock.now in pushes:
                queue.push(pushes[clock.now])

    clock.blocks = [Watch()]
    clock.run()
    return seen


def test_queue():
    """As amaranth.lib.fifo.SyncFIFO: an item can be read one cycle after it came."""
    seen = levels(Queue, 2, {0: "a", 1: "b"}, {3: "a", 4: "b"}, 5)
    assert seen == [
        (0, False, None), (1, False, "a"), (2, True, "a"), (2, True, "a"), (1, False, "b"), (0, False, None)
    ]  # fmt: skip


def test_buffered_queue():
    """As SyncFIFOBuffered: two cycles after; the item at the output takes no place of the others."""
    seen = levels(BufferedQueue, 3, {0: "a", 1: "b", 2: "c"}, {4: "a", 5: "b"}, 6)
    assert seen == [
        (0, False, None), (1, False, None), (2, False, "a"), (3, True, "a"), (3, True, "a"), (2, False, "b"),
        (1, False, "c"),
    ]  # fmt: skip
