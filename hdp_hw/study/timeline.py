"""When the core's blocks work: a picture of the schedule, and where the array waits.

``python -m hdp_hw.study.timeline -o FILE.svg`` draws three captured heads that follow each other. Without ``-o``, it
prints where the array waits, rule by rule. Both come from the cycle model.
"""

import argparse
import sys
from pathlib import Path

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.calibration import threshold_for_share
from hdp_hw.golden.cycles.core.attention_core import run
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.stimulus import captured_heads, wide_heads
from hdp_hw.spec.configs import CONFIGS, load_config
from hdp_hw.spec.output_file import write
from hdp_hw.spec.settings import Rule
from hdp_hw.study.svg import box, line, picture, text

LANES = (  # kinds of work, in the order of the picture, with their names
    ("integer", "load I planes"),
    ("fraction", "load F planes"),
    ("value", "load V"),
    ("predict", "array: predict"),
    ("score", "array: score"),
    ("context", "array: context"),
    ("softmax", "softmax"),
    ("drain", "output"),
)
ARRAY = ("predict", "score", "context")
DRAWN = {"config": "edge", "n": 128, "passage": "lighthouse", "share": 0.25}


def timeline(plans, params):
    """``(CoreCycles, work)`` of heads; work : ``(kind, head, row, begin, end)`` of every block, kinds as in LANES."""
    core = run(plans, params)
    return core.cycles(), core.work


def plans_of(heads, rule, kept_share, params):
    """``[HeadPlan]`` of heads under a rule whose threshold keeps about ``kept_share`` of all blocks, compensated."""
    if rule == Rule.DENSE:
        settings = [head.settings(params) for head in heads]
    else:
        threshold, _ = threshold_for_share(heads, rule, kept_share, params)
        settings = [head.settings(params, rule, threshold, compensate=True) for head in heads]
    results = [attend(*head.quantised(params), of_head, params) for head, of_head in zip(heads, settings)]
    return [HeadPlan.of(of_head, result, params) for of_head, result in zip(settings, results)]


def bubbles(cycles):
    """``{cause: array cycles}`` in which the array waits, between its first operation and its last.

    verdict : of the first head, which nothing can hide; end : after the last row of scores, for its softmax; between :
    all others, mostly for the drain, where rows keep few tiles.
    """
    kinds = [operation[:2] for operation in cycles.operations]  # in the order in which the array does them
    last_score = max(index for index, (kind, _) in enumerate(kinds) if kind == "score")
    last_predicted = max((index for index, kind in enumerate(kinds) if kind == ("predict", 0)), default=None)
    causes = {"verdict": 0, "between": 0, "end": 0}
    for index, (before, after) in enumerate(zip(cycles.operations, cycles.operations[1:])):
        cause = "verdict" if index == last_predicted else "end" if index >= last_score else "between"
        causes[cause] += after[3] - before[4]
    return causes


def bubble_table(params, heads):
    """Lines of the table: where the array waits, rule by rule and share by share."""
    yield f"{len(heads)} heads, n = {heads[0].n_q}, d = {heads[0].head_dim}, back to back; array cycles"
    yield f"{'rule':14}{'kept':>5}{'busy':>9}{'verdict':>9}{'between':>9}{'end':>6}{'busy / time':>13}"
    for rule, share in [(Rule.DENSE, 1)] + [(rule, x) for rule in list(Rule)[:3] for x in (0.5, 0.25, 0.1)]:
        plans = plans_of(heads, rule, share, params)
        cycles, _ = timeline(plans, params)
        counts = [cycles.total_busy, *bubbles(cycles).values()]
        kept = sum(plan.executed.sum() for plan in plans) / sum(sum(plan.existing) for plan in plans)
        waits = "".join(f"{count:{width}}" for count, width in zip(counts, (9, 9, 9, 6)))
        yield f"{rule.name.lower():14}{kept:5.2f}{waits}{cycles.total_busy / cycles.array_time:13.1%}"


# -- the picture ------------------------------------------------------------------------------------------------------
def drawn_heads():
    """``(params, heads, plans)`` of the documentation's picture."""
    params = CONFIGS[DRAWN["config"]]
    heads = [head for head in captured_heads(DRAWN["n"]) if head.name.startswith(DRAWN["passage"])][:3]
    return params, heads, plans_of(heads, Rule.MASS, DRAWN["share"], params)


def draw():
    """Text of the picture: the whole of three heads, and below a part of it, larger."""
    params, heads, plans = drawn_heads()
    cycles, work = timeline(plans, params)
    predicted = max(end for kind, *_, end in work if kind == "predict")
    zoom = (predicted - 100, predicted + 800)
    kept = ", ".join(f"{plan.executed.sum() / sum(plan.existing):.0%}" for plan in plans)
    size = f"{DRAWN['config']}, n = {DRAWN['n']}, d = {heads[0].head_dim}"
    busy = f"the array works in {cycles.total_busy} of {cycles.array_time} clock cycles"
    elements = [
        text(20, 30, "Three captured heads, back to back", "title"),
        text(20, 49, f"{size}; rule mass, compensated; blocks kept: {kept}; {busy}", "small"),
        *(
            part
            for index in range(3)
            for part in (box(760 + 80 * index, 20, 12, 12, f"h{index}"), text(777 + 80 * index, 31, f"head {index}"))
        ),
        *_panel(82, LANES, work, cycles.done, (0, cycles.done[-1]), 2000, zoom),
        text(20, 350, "The marked part of it, larger", "title"),
        text(20, 369, "numbers are block rows; the array does one operation at a time", "small"),
        *_panel(386, LANES[3:], work, cycles.done, zoom, 100),
    ]
    return picture(1000, 556, "Schedule of the core for three heads", elements)


def _panel(top, lanes, work, done, window, step, marked=None):
    """Lanes of the work inside ``window``, a line every ``step`` cycles; ``marked`` frames a part of it."""
    left, right, height, gap = 130, 980, 20, 6
    scale = (right - left) / (window[1] - window[0])
    place = {kind: top + index * (height + gap) for index, (kind, _) in enumerate(lanes)}
    bottom = top + len(lanes) * (height + gap)

    def x(cycle):
        return left + (min(max(cycle, window[0]), window[1]) - window[0]) * scale

    for kind, name in lanes:
        yield box(left, place[kind], right - left, height, "lane")
        yield text(left - 10, place[kind] + 15, name, "end")
    for cycle in range(-(-window[0] // step) * step, window[1] + 1, step):
        yield line(x(cycle), top - 2, x(cycle), bottom, "line")
        yield text(x(cycle), bottom + 15, f"{cycle}" if cycle else "clock cycle 0", "small middle")
    for kind, head, row, begin, end in work:
        if kind not in place or end <= window[0] or begin >= window[1]:
            continue
        width = max(x(end) - x(begin) - 0.5, 0.6)
        name = f"{dict(lanes)[kind]}, head {head}" + (f", row {row}" if row is not None else "")
        yield box(x(begin), place[kind], width, height, f"h{head}", f"{name}: cycles {begin} to {end - 1}")
        if row is not None and width > 15:
            yield text(x(begin) + width / 2, place[kind] + 14.5, f"{row}", "row middle")
    if marked:
        yield box(x(marked[0]), top - 5, x(marked[1]) - x(marked[0]), bottom - top + 5, "frame")
    for head, cycle in enumerate(done):
        if window[0] <= cycle <= window[1]:
            yield line(x(cycle), top - 6, x(cycle), bottom, "mark")
            yield text(x(cycle) + 3, top - 9, f"status {head}", "small end")


def main():
    parser = argparse.ArgumentParser(prog="python -m hdp_hw.study.timeline", description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the picture, instead of the table")
    parser.add_argument("-n", type=int, default=128, help="length of the heads of the table (default: 128)")
    parser.add_argument("config", nargs="?", default="edge", help="configuration of the table (default: edge)")
    arguments = parser.parse_args()
    if arguments.output:
        write(arguments.output, draw())
        return 0
    params = load_config(arguments.config)[1]
    heads = wide_heads(arguments.n) if params.max_head_dim >= 64 else captured_heads(arguments.n)
    print("\n".join(bubble_table(params, heads)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
