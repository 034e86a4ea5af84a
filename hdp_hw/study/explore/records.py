"""What a sweep found, point by point."""

import json
from dataclasses import dataclass, field

from hdp_hw.spec.output_file import write
from hdp_hw.study.explore.space import LETTERS, pareto

OBJECTIVES = ("cycles", "luts", "brams", "dsps")
MARK = "# hdp-hw explore: "  #: how its configuration files begin


@dataclass(eq=False)
class Record:
    """A co-processor. result : of :func:`worker.evaluate`, None where it is not worth it; resources, source : of
    :meth:`area.AreaModel.area`; reason : why it cannot be built, "" where it can; fmax_mhz : of its core, by place and
    route, None where it was not tried."""

    values: dict
    reason: str = ""
    resources: dict = field(default_factory=dict)
    source: str = ""
    result: dict | None = None
    share: float | None = None
    fmax_mhz: float | None = None
    pareto: bool = False

    @property
    def label(self):
        """Name of its files: ``t4-l16-w4-d32-n128-c1-b64``, without what is 0."""
        return "-".join(f"{letter}{self.values[name]}" for name, letter in LETTERS.items() if self.values.get(name))

    @property
    def costs(self):
        """What is compared, less is better."""
        return (self.result["cycles"], *(self.resources[name] for name in OBJECTIVES[1:]))

    @property
    def cells(self):
        """Row of the tables, see TITLES."""
        result, area, model = self.result, self.resources, self.result["model"]
        return [
            self.label,
            f"{result['cycles']:,}",
            "not measured" if self.fmax_mhz is None else f"{self.fmax_mhz:g}",
            *(f"{area[kind]:,}" for kind in ("luts", "ffs", "dsps", "brams")),
            self.source,
            f"{100 * self.share:.0f} %",
            f"{self.values['n_cores'] * result['memory_bits']:,}",
            f"{100 * result['kept_share']:.1f} %",
            f"{result['output_error']:.4f}",
            f"{model['attention']['cycles'] + model['linear']['cycles']:,}",
            *(f"{100 * model[share]:.1f} %" for share in ("cycles_share", "cycles_saving", "bytes_saving")),
        ]

    def facts(self):
        """As JSON has it."""
        return (
            {"label": self.label, "parameters": self.values}
            | {name: value for name, value in vars(self).items() if name not in ("values", "result")}
            | (self.result or {})
        )


TITLES = ["co-processor", "cycles", "MHz", "LUTs", "FFs", "DSPs", "block RAMs", "area is", "device used"]
TITLES += ["memory bits of the cores", "blocks kept", "error", "the model's cycles", "attention, of them dense"]
TITLES += ["saved of them", "saved of its bytes read"]


def mark_pareto(records):
    """Set ``pareto`` of those that can be built and that no other of the same digit width beats; returns them.

    Operands of 16 bits are more exact than those of 8, so that the two aren't compared.
    """
    for width in {record.values["digit_width"] for record in records}:
        own = [each for each in records if not each.reason and each.values["digit_width"] == width]
        for place in pareto([each.costs for each in own]):
            own[place].pareto = True
    return sorted((each for each in records if each.pareto), key=lambda each: each.result["cycles"])


def write_records(records, found, folder):
    """``explore.json``, and for each of ``found`` a configuration file; returns the paths of these."""
    write(folder / "explore.json", json.dumps([record.facts() for record in records], indent=1) + "\n")
    for path in folder.glob("*.toml"):
        if path.read_text(encoding="utf-8").startswith(MARK):
            path.unlink()  # of an earlier run
    paths = [folder / f"{record.label}.toml" for record in found]
    for path, record in zip(paths, found):
        lines = [f"{MARK}{record.result['cycles']} cycles, {record.resources['luts']} LUTs ({record.source})"]
        write(path, "\n".join([*lines, *(f"{name} = {value}" for name, value in record.values.items())]) + "\n")
    return paths
