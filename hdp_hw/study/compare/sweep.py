"""Which methods are compared, and with which parameters."""

from dataclasses import dataclass
from itertools import groupby, islice

RULES = {
    "row_threshold": (-0.9, -0.7, -0.5, -0.3, -0.1, 0.1, 0.3),
    "margin": (4.0, 2.5, 1.5, 1.0, 0.6, 0.3),
    "mass": (0.25, 0.5, 1.0, 1.7, 3.0, 6.0, 12.0),
}
HEADS = (0.05, 0.1, 0.2, 0.3)  #: share of the heads that are to be pruned, with blocks by the mass rule
MASS = (0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
TOKENS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
VALUES = (0.3, 0.5, 0.7, 0.8, 0.9)
#: Shares of tokens, heads and values.
SPATTEN = (
    (0.05, 0.05, 0.3), (0.1, 0.05, 0.5), (0.2, 0.1, 0.5), (0.4, 0.1, 0.3), (0.4, 0.1, 0.7), (0.6, 0.1, 0.5),
    (0.6, 0.1, 0.7), (0.6, 0.3, 0.8),
)  # fmt: skip
A3 = ((1.0, 1.0), (1.0, 5.0), (0.7, 5.0), (0.5, 1.0), (0.5, 5.0), (0.25, 5.0), (0.125, 10.0))  #: steps, percent
ALPHA = (-0.8, -0.6, -0.4, -0.3, -0.2, -0.1, 0.0, 0.2, 0.4)
TAU = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3)
PROBABILITY = (0.0005, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
#: Thresholds of the mass rule, and the share of the votes that a token needs to stay.
LEAVING = (
    (0.5, 0.0), (0.5, 0.1), (0.5, 0.2), (1.0, 0.0), (1.0, 0.1), (1.0, 0.3), (1.7, 0.0), (1.7, 0.1), (1.7, 0.3),
    (1.7, 0.5), (3.0, 0.1), (3.0, 0.3), (3.0, 0.5), (6.0, 0.3), (6.0, 0.5),
)  # fmt: skip
SEARCH, JUDGED = "search", "judged"  #: parts of the examples: those that settings are chosen by, and others


@dataclass(frozen=True)
class Point:
    """A method with parameters.

    curve : name of the curve that it is on; method : a key of :data:`hdp_hw.study.peers.METHODS`; parameters : ``(name,
    value)`` pairs, the method's own. ``heads`` of HDP is a share that the calibration turns into ``tau_head``. part :
    of the examples, SEARCH or JUDGED.
    """

    curve: str
    method: str
    parameters: tuple = ()
    part: str = SEARCH

    @classmethod
    def of(cls, curve, method, **parameters):
        """From keywords."""
        return cls(curve, method, tuple(parameters.items()))

    def __str__(self):
        return ", ".join([self.curve, *(f"{name} {value:g}" for name, value in self.parameters if is_number(value))])


def is_number(value):
    """Whether the value is on a scale, as opposed to a choice."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def points(settings=None, first_only=False):
    """Every Point, curve after curve, loosest first; HDP with a ``settings`` file is one of them.

    first_only : the model reads the first token, so that it loses nothing more when others are dropped.
    """
    swept = [Point.of("HDP dense", "hdp", rule="dense")]
    if settings:
        swept.append(Point.of("HDP calibrated", "hdp", settings=settings))
    for rule, thresholds in RULES.items():
        for compensate in (False, True):
            curve = f"HDP {rule}" + (", compensated" if compensate else "")
            for value in thresholds:
                swept.append(Point.of(curve, "hdp", rule=rule, threshold=value, compensate=compensate))
    for mean_output in (False, True):
        curve = f"HDP mass, compensated, heads {'to mean V' if mean_output else 'to 0'}"
        swept += [Point.of(curve, "hdp", heads=share, mean_output=mean_output) for share in HEADS]
    curve = "HDP mass, compensated, tokens leave"
    swept += [Point.of(curve, "leaving", threshold=threshold, votes=votes) for threshold, votes in LEAVING]
    for compensate in (False, True):
        curve = "oracle" + (", compensated" if compensate else "")
        swept += [Point.of(curve, "oracle", mass=mass, compensate=compensate) for mass in MASS]
    for drop in (False, True):
        curve = f"SpAtten tokens, {'dropped' if drop else 'out of attention'}"
        swept += [Point.of(curve, "spatten", tokens=share, drop=drop) for share in TOKENS]
    swept += [Point.of("SpAtten heads", "spatten", heads=share) for share in HEADS]
    swept += [Point.of("SpAtten values", "spatten", values=share) for share in VALUES]
    swept += [
        Point.of("SpAtten tokens, heads, values", "spatten", tokens=tokens, heads=heads, values=values, drop=first_only)
        for tokens, heads, values in SPATTEN
    ]
    swept += [Point.of("A3", "a3", steps=steps, percent=percent) for steps, percent in A3]
    swept += [Point.of("Energon", "energon", alpha=alpha) for alpha in ALPHA]
    swept += [Point.of("DynaTran", "dynatran", tau=tau) for tau in TAU]
    swept += [Point.of("Sanger", "sanger", threshold=probability) for probability in PROBABILITY]
    return swept


def thinned(swept, every):
    """Of each curve of the Points, the first and every ``every``-th one behind it."""
    curves = groupby(swept, lambda point: point.curve)
    return [point for _, of_curve in curves for point in islice(of_curve, None, None, every)]
