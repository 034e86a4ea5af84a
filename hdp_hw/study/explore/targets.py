"""Devices to explore for, and what they hold."""

from dataclasses import dataclass

from hdp_hw.spec.params import ParameterError

NAMES = {
    "luts": "LUTs",
    "ffs": "flip-flops",
    "dsps": "DSPs",
    "brams": "block RAMs",
}


@dataclass(frozen=True)
class Target:
    """A device: 4-input LUTs, flip-flops, multipliers of 18 x 18 bits, and block RAMs of 18 Kbit."""

    device: str
    luts: int
    ffs: int
    dsps: int
    brams: int

    def lacks(self, resources, fill):
        """What a design of ``{kind: number}`` has too little of, as text; "" where it fits.

        fill : share of the LUTs that place and route can be expected to use.
        """
        limits = {kind: getattr(self, kind) for kind in NAMES}
        limits["luts"] = round(fill * limits["luts"])
        over = [kind for kind in NAMES if resources.get(kind, 0) > limits[kind]]
        return "; ".join(f"{NAMES[kind]}: {resources[kind]:,.0f} of {limits[kind]:,}" for kind in over)

    def share(self, resources):
        """Share of the device that the resource takes of which there is least."""
        return max(resources[kind] / getattr(self, kind) for kind in NAMES)


#: Numbers are those that nextpnr prints.
TARGETS = {
    "ecp5-25": Target("LFE5U-25F", 24_288, 24_288, 28, 56),
    "ecp5-45": Target("LFE5U-45F", 43_848, 43_848, 72, 108),
    "ecp5-85": Target("LFE5U-85F", 83_640, 83_640, 156, 208),
}


def target_of(name):
    """The Target of a name. Raises ParameterError."""
    if name not in TARGETS:
        raise ParameterError("target", name, ", ".join(TARGETS))
    return TARGETS[name]
