"""Area of a co-processor: what was synthesised, and a model for the rest.

A part's resources are a sum of terms, each of which stands for something in it. Coefficients are those with the least
squared relative error over the records of :mod:`hdp_hw.study.explore.synthesis`; where these are few, the last terms
are left out. Each record is also predicted from the others, and the error of that is the model's. Block RAMs of a core
follow from its memories, without coefficients.
"""

import json
from dataclasses import dataclass
from functools import cache

import numpy as np

from hdp_hw.deliver.synth.flow import BUILD
from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.explore.space import CORE
from hdp_hw.study.explore.synthesis import RECORDS, core_records
from hdp_hw.study.explore.targets import NAMES

LUTRAM_LUTS = 6  #: LUTs that a LUT RAM takes, four that hold the bits and two that write them
OUTSIDE = "products outside of the array"  #: of predictor, softmax, means and drain
PACKED = "multipliers of the array"
TERMS = {
    "control": lambda p: 1,
    "digit multipliers": lambda p: p.multipliers,
    PACKED: lambda p: p.multipliers // 4,
    "elements of a tile": lambda p: p.tile**2,
    "operands a cycle": lambda p: p.tile * p.lanes,
    "score slots": lambda p: p.score_slots,
    OUTSIDE: lambda p: 4 - 2 * p.spares_multipliers + p.tile * p.predictor_rows + 2 * p.softmax_lanes + 2 * p.out_lanes,
    "cores": lambda p: p.n_cores,
    "bus bits": lambda p: p.bus_width,
}
ARRAY = ("digit multipliers", "control", "elements of a tile", "score slots")
REGISTERS = ("control", "elements of a tile", "operands a cycle")
PACKED_ARRAY = (*REGISTERS, "score slots")
SHELL = ("control", "bus bits")
#: The terms of a resource, the most important first: of a core by its array, of a lane and of the top.
MODEL = {
    "core, w = 4": {"luts": ARRAY, "ffs": REGISTERS, "dsps": (OUTSIDE,)},
    "core, w = 4, on multipliers": {"luts": PACKED_ARRAY, "ffs": PACKED_ARRAY, "dsps": (PACKED, OUTSIDE)},
    "core, w = 8": {"luts": ARRAY[:3], "ffs": REGISTERS, "dsps": ("digit multipliers", OUTSIDE)},
    "lane": {"luts": SHELL, "ffs": SHELL, "dsps": SHELL, "brams": SHELL[::-1]},
    "top": {"luts": (*SHELL, "cores"), "ffs": (*SHELL, "cores"), "dsps": SHELL, "brams": SHELL},
}
PARTS = ("core", "lane", "top")
RECORDS_MIN = 2  #: of a core's digit width, below which nothing is said of it
MEASURED, CORE_MEASURED, FITTED = "measured", "core measured", "fitted"  #: where an area comes from


@dataclass(frozen=True, eq=False)
class Fit:
    """A resource of a part. errors : relative, of each record predicted from the others; none of a single record."""

    terms: tuple
    coefficients: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, terms, params, values):
        """Of as many of ``terms`` as there are records. params : of the records; values : what they hold."""
        terms, values = terms[: len(values)], np.array(values, float)
        columns = np.array([[TERMS[term](each) for term in terms] for each in params], float)
        scale = 1 / np.maximum(values, 1)

        def solve(chosen):
            return np.linalg.lstsq(columns[chosen] * scale[chosen, None], values[chosen] * scale[chosen], rcond=None)[0]

        places = np.arange(len(values))
        left_out = [columns[place] @ solve(places != place) for place in places if len(places) > 1]
        errors = (np.array(left_out) - values) * scale if left_out else np.array([])
        return cls(terms, solve(places >= 0), errors)

    def __call__(self, params):
        """The number for a co-processor."""
        return max(0, round(float(sum(c * TERMS[term](params) for term, c in zip(self.terms, self.coefficients)))))

    @property
    def accuracy(self):
        """Its errors as text."""
        if not self.errors.size:
            return "error not known, of one record"
        errors = 100 * np.abs(self.errors)
        return f"error {errors.mean():.1f} % mean, {errors.max():.1f} % largest, each of {errors.size} records left out"

    def __str__(self):
        return " + ".join(f"{c:.4g} x {term}" for term, c in zip(self.terms, self.coefficients) if abs(c) > 1e-9) or "0"


@dataclass(frozen=True, eq=False)
class AreaModel:
    """Area of any co-processor. records : of synthesis; fits : ``{part: {kind: Fit}}``."""

    records: list
    fits: dict

    @classmethod
    def of(cls, records):
        """From records. A lane or top without any counts as nothing, and :meth:`lines` says so."""
        own, fits = {}, {}
        for record in records:
            params = HdpParams(**record["parameters"])
            for part, resources in record["resources"].items():
                own.setdefault(_model_of(part, params), []).append((params, _with_lutrams(resources)))
        for name, kinds in MODEL.items():
            if name in own:
                params, values = zip(*own[name])
                fits[name] = {kind: Fit.of(terms, params, [x[kind] for x in values]) for kind, terms in kinds.items()}
        return cls(records, fits)

    def area(self, params, core_brams=0):
        """``({kind: number}, where from)`` of a co-processor; ``core_brams``: of :func:`block_rams`, for each core."""
        parts = {part: self._measured(part, params) for part in PARTS}
        source = FITTED if not parts["core"] else CORE_MEASURED if not all(parts.values()) else MEASURED
        for part in PARTS:
            fits = self.fits.get(_model_of(part, params), {})
            fitted = {kind: fits[kind](params) if kind in fits else 0 for kind in NAMES}
            parts[part] = parts[part] or fitted | ({"brams": core_brams} if part == "core" else {})
        return {
            kind: params.n_cores * (parts["core"][kind] + parts["lane"][kind]) + parts["top"][kind] for kind in NAMES
        }, source

    def gap(self, params):
        """Why the model says nothing of a co-processor, or ""."""
        name = _model_of("core", params)
        if name in self.fits and len(self.fits[name]["luts"].errors) >= RECORDS_MIN:
            return ""
        such = f"multiplier {params.multiplier}, digit_width {params.digit_width}"
        return f"area not known: fewer than {RECORDS_MIN} cores of {such} were synthesised"

    def fmax(self, params):
        """MHz of a record of such a core that was placed and routed, or None."""
        return next((record["fmax_mhz"] for record in self._such("core", params) if record.get("fmax_mhz")), None)

    def _measured(self, part, params):
        """Resources of the record of such a part, or None."""
        return next((_with_lutrams(record["resources"][part]) for record in self._such(part, params)), None)

    def _such(self, part, params):
        """The records of such a part."""
        for record in self.records:
            if part in record["resources"] and _key(part, HdpParams(**record["parameters"])) == _key(part, params):
                yield record

    def lines(self):
        """``[(resource, model, error)]``, all of them text."""
        for name in MODEL:
            for kind, fit in self.fits.get(name, {}).items():
                yield f"{NAMES[kind]} of {name}", str(fit), fit.accuracy
            if name not in self.fits:
                yield name, "nothing", "error not known, of no record"


def _model_of(part, params):
    """The name in MODEL of a part of a co-processor."""
    if part != "core":
        return part
    array = ", on multipliers" if params.multiplier else ""
    return f"core, w = {params.digit_width}{array}{'' if params.pruning else ', without predictor'}"


def _key(part, params):
    """Parameters that matter to a part."""
    values = vars_of(params)
    if part == "core":
        return {name: values[name] for name in CORE}
    return values if part == "top" else values | {"n_cores": None}


def _with_lutrams(resources):
    """``{kind: number}`` of a record's part; LUTs with those that are LUT RAMs."""
    resources = dict(resources)
    resources["luts"] += LUTRAM_LUTS * resources.pop("lutrams")
    return resources


def load_records(build=BUILD):
    """Records that came with the package, and those made here, which take the place of the former."""

    def read(pattern):
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(build.glob(pattern))]

    own = read("*/record.json") + core_records(read("*.json"))
    by_design = {(HdpParams(**each["parameters"]), *each["resources"]): each for each in committed_records() + own}
    return list(by_design.values())


@cache
def committed_records():
    """Records that came with the package."""
    return json.loads(RECORDS.read_text(encoding="utf-8"))
