"""What the page of an exploration shows."""

from hdp_hw.study.accuracy.linear import ESTIMATE
from hdp_hw.study.explore.records import OBJECTIVES, TITLES
from hdp_hw.study.explore.targets import NAMES
from hdp_hw.study.report import Section, Table, render
from hdp_hw.study.report.figures import scatter_figure


def page(records, found, model, checks, job, device, command):
    """``(HTML text, SVG of its plot)``. Raises MissingPackage."""
    built = [record for record in records if not record.reason]
    figure = scatter_figure(_groups(built), "LUTs", "clock cycles of the workload")
    fastest, compared = found[0], ", ".join(NAMES.get(name, name) for name in OBJECTIVES)
    lead = [
        f"{job.workload}: {len(built)} of {len(records)} co-processors can be built on {device.device}; "
        f"{len(found)} of them are Pareto points, beaten by no other of their digit width in {compared}.",
        f"The fastest, {fastest.label}, takes {fastest.result['cycles']:,} clock cycles and "
        f"{fastest.resources['luts']:,} LUTs ({fastest.source}).",
        of_model(fastest),
    ]
    sections = [
        Section("Cycles against LUTs", _text(), [figure]),
        Section("Pareto points", [], [], [Table(TITLES, [record.cells for record in found])]),
        *_checks(checks),
        _model(model),
        _all(built, found),
        _refused([record for record in records if record.reason]),
    ]
    settings = {"device": vars_of_device(device), "memory latency": f"{job.latency} clock cycles"}
    return render(f"Co-processors for {device.device}", lead, sections, settings, command), figure


def of_model(record):
    """Sentences: what pruning saves of the model that the workload is of, on a record's co-processor."""
    model = record.result["model"]
    return (
        f"There, attention is {model['cycles_share']:.1%} of the model's dense cycles and {model['macs_share']:.1%} of "
        f"its multiplications; pruning saves {model['attention_saving']:.1%} of attention's cycles, and of the model's "
        f"{model['cycles_saving']:.1%}, of the bytes that it reads {model['bytes_saving']:.1%}. {ESTIMATE}"
    )


def _text():
    return [
        "Clock cycles are those of the cycle model, which equals the RTL. Area is measured, by synthesis, or fitted; "
        "the model and its error are below. Labels: t tile, l lanes, w digit width, d head "
        "dimension, n length, c cores, b bits of the bus. "
        "The clock frequency is known of cores that were placed and routed only.",
    ]


def _groups(built):
    """``{name: (x, y, labels)}`` of the plot."""
    groups = {}
    for width in sorted({record.values["digit_width"] for record in built}):
        for marked in (False, True):
            own = [each for each in built if each.values["digit_width"] == width and each.pareto == marked]
            own.sort(key=lambda each: each.resources["luts"])
            name = f"w = {width}" + (", Pareto points" if marked else "")
            xs, ys = ([each.resources["luts"] for each in own], [each.result["cycles"] for each in own])
            groups[name] = xs, ys, [each.label for each in own] if marked else []
    return groups


def _checks(checks):
    if not checks:
        return []
    rows = [
        [label, *(f"{a:,} / {b:,} ({(a - b) / max(b, 1):+.1%})" for a, b in kinds.values())] for label, kinds in checks
    ]
    titles = ["co-processor", *(NAMES.get(kind, kind) for kind in checks[0][1])]
    text = [
        "Predicted / measured, and the error, of the points that were Pareto points before: cycles by simulation of "
        "the RTL, area by synthesis."
    ]
    return [Section("Predictions against simulation and synthesis", text, [], [Table(titles, rows)])]


def _model(model):
    text = [
        "Terms and coefficients are chosen by leave-one-out error over the records of synthesis: each is predicted "
        "from the others. Block RAMs of a core follow from the shapes of its memories."
    ]
    return Section("Area model", text, [], [Table(["resource", "model", "error"], list(model.lines()))])


def _all(built, found):
    strong = tuple(place for place, record in enumerate(built) if record in found)
    return Section("All that can be built", [], [], [Table(TITLES, [x.cells for x in built], strong, folded=True)])


def _refused(refused):
    rows = [[record.label, record.reason] for record in refused]
    return Section("What cannot be built, and why", [], [], [Table(["co-processor", "why"], rows, folded=True)])


def vars_of_device(device):
    """Text of a device's resources."""
    return f"{device.device}: " + ", ".join(f"{getattr(device, kind):,} {name}" for kind, name in NAMES.items())
