"""Devices that a core is synthesised for, and what their netlists are made of."""

from dataclasses import dataclass, field
from pathlib import Path

from hdp_hw.deliver.synth.tools import NEXTPNR, NEXTPNR_GOWIN, NEXTPNR_NEXUS

SPEEDS = (6, 7, 8)  #: speed grades of an ECP5, 6 the slowest
DIGIT_PRODUCT = Path(__file__).parents[2] / "rtl" / "array" / "digit_product.v"
SMALL = 48  #: bits of a product's factor times bits of the other, up to which it is made of logic
PINS = "pins.cst"  #: where a device's pins are written for nextpnr
KINDS = ("luts", "lutrams", "ffs", "dsps", "brams")


def first_steps(small=SMALL, products=DIGIT_PRODUCT.name):
    """What yosys does first: keep registers of ``pipeline.LOCAL`` apart, and make products up to ``small`` of logic.

    products : where DIGIT_PRODUCT lies for it.
    """
    local = "select -set local */a:keep %ci1 */t:$*dff* %i; setattr -set keep 1 @local"
    return f"proc; {local}; wreduce t:$mul; techmap -autoproc -D SMALL={small} -map {products} t:$mul"


def small_products(params):
    """``small`` of :func:`first_steps`: up to half a product where the core takes some by halves."""
    return 85 if params.spares_multipliers else SMALL


@dataclass(frozen=True)
class Family:
    """How yosys synthesises a design for it, and ``{kind: {pattern: how many of the kind such a cell is}}``.

    LUTs are those of the family: 6 inputs at Xilinx, 4 elsewhere. LUT RAMs are counted in LUTs at Xilinx, in cells of
    16 x 4 bits elsewhere; block RAMs in 18 Kbit, but in 4 Kbit for iCE40. tool : of place and route, if any; choices :
    ``{name: options}`` for it, in the order in which they are tried.
    """

    script: str
    cells: dict
    tool: str = ""
    choices: dict = field(default_factory=dict)


ECP5 = Family(
    "synth_ecp5",
    {
        "luts": {"LUT4": 1, "CCU2C": 2},  # a carry cell is two LUTs
        "lutrams": {"TRELLIS_DPR16X4": 1},
        "ffs": {"TRELLIS_FF": 1},
        "dsps": {"MULT18X18D": 1},
        "brams": {"DP16KD": 1},
    },
    NEXTPNR,
    {
        "static": ("--placer", "static", "--router", "router2"),  # the least wire, above all in a large design
        "heap": ("--placer", "heap", "--router", "router2"),
        "router1": ("--placer", "heap", "--router", "router1"),  # hours where it gets crowded, but it misses no way
    },
)
XILINX = {
    "luts": {"LUT[1-6]|INV": 1},
    "lutrams": {"SRL.*": 1, "RAM(32|64)X1D": 2, "RAM128X1D|RAM(32|64)M": 4, "RAM256X1D|RAM32M16|RAM64M8": 8},
    "ffs": {"FD[CPRS]E(_1)?": 1},
    "dsps": {"DSP48E[12]": 1},
    "brams": {"RAMB18E[12]": 1, "RAMB36E[12]": 2},
}
XILINX_SCRIPT = "synth_xilinx -family {} -flatten -noiopad -noclkbuf; autoname"
XC7, XCUP = (Family(XILINX_SCRIPT.format(family), XILINX) for family in ("xc7", "xcup"))
ICE40 = Family(
    "synth_ice40 -dsp",
    {
        "luts": {"SB_LUT4": 1},
        "lutrams": {},  # it has none
        "ffs": {"SB_DFF.*": 1},
        "dsps": {"SB_MAC16": 1},
        "brams": {"SB_RAM40_4K.*": 1},
    },
)
GW2A = Family(
    "synth_gowin -family gw2a",
    {
        "luts": {"LUT[1-4]|ALU": 1},
        "lutrams": {"RAM16SDP[124]|RAM16S[124]": 1},
        "ffs": {"DFF.*": 1},
        "dsps": {"MULT.*": 1},
        "brams": {"(SDP|DP|SP)(X9)?B?|pROM(X9)?": 1},
    },
    NEXTPNR_GOWIN,
    # Fewer tries to place a cell before it makes way for others: with the default, the first pass does not end.
    {"heap": ("--placer-heap-cell-placement-timeout", "1000000")},
)
NEXUS = Family(
    "synth_nexus",
    {
        "luts": {"LUT4|INV": 1, "CCU2": 2},
        "lutrams": {"DPR16X4": 1},
        "ffs": {"FD1P3.*": 1},
        "dsps": {"MULT(9X9|18X18)": 1, "MULT18X36": 2, "MULT36X36": 4},
        "brams": {"(DP|PDP|PDPSC)16K": 1},
    },
    NEXTPNR_NEXUS,
    {"router1": ("--router", "router1")},  # router2 finds no way from a pin to the clock's global net
)


@dataclass(frozen=True)
class Device:
    """A family; what its ``tool`` is told of it, if there is one, and the ``pins`` file that it must have.

    multipliers : where they are, as :func:`multiplier_places.place_multipliers` takes them; () if it is not known.
    """

    family: Family
    options: tuple = ()
    pins: str = ""
    multipliers: tuple = ()


#: Of each of the three rows of an LFE5U-85F: four in nine columns, a gap in the middle.
MULTIPLIERS_85F = tuple(
    (y, tuple((x + number, number) for x in (*range(4, 60, 9), *range(69, 120, 9)) for number in (0, 1, 4, 5)))
    for y in (10, 34, 58)
)
DEVICES = {
    "LFE5U-25F": Device(ECP5, ("--25k", "--package", "CABGA381", "--lpf-allow-unconstrained")),
    "LFE5U-45F": Device(ECP5, ("--45k", "--package", "CABGA554", "--lpf-allow-unconstrained")),
    "LFE5U-85F": Device(
        ECP5, ("--85k", "--package", "CABGA756", "--lpf-allow-unconstrained"), multipliers=MULTIPLIERS_85F
    ),
    "GW2A-18": Device(
        GW2A,
        ("--device", "GW2A-LV18PG256C8/I7", "--vopt", "family=GW2A-18C", "--vopt", f"cst={PINS}"),
        'IO_LOC "clk" H11;\nIO_LOC "reset_pin" T10;\nIO_LOC "si" T13;\nIO_LOC "so" M11;\n',
    ),
    "LIFCL-40": Device(
        NEXUS,
        ("--device", "LIFCL-40-9BG400C", "--pdc", PINS),
        "".join(
            f"ldc_set_location -site {{{site}}} [get_ports {port}]\n"
            for port, site in {"clk": "L13", "reset_pin": "G19", "si": "E17", "so": "F13"}.items()
        ),
    ),
    "xc7": Device(XC7),
    "xcup": Device(XCUP),
    "ice40": Device(ICE40),
}
