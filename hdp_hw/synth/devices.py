"""Devices that a core is synthesised for, and what their netlists are made of."""

from dataclasses import dataclass
from pathlib import Path

SPEEDS = (6, 7, 8)  #: speed grades of an ECP5, 6 the slowest
DIGIT_PRODUCT = Path(__file__).parents[1] / "array" / "digit_product.v"
#: What yosys does first, with DIGIT_PRODUCT's name: it keeps registers of ``pipeline.LOCAL`` apart, and maps products.
PREPARE = "proc; select -set local */a:keep %ci1 */t:$*dff* %i; setattr -set keep 1 @local; "
PREPARE += "wreduce t:$mul; techmap -autoproc -map {} t:$mul"
KINDS = ("luts", "lutrams", "ffs", "dsps", "brams")


@dataclass(frozen=True)
class Family:
    """How yosys synthesises ``harness`` for it, and ``{kind: {pattern: how many of the kind such a cell is}}``.

    LUTs are those of the family: 6 inputs at Xilinx, 4 elsewhere. LUT RAMs are counted in LUTs at Xilinx, in cells of
    16 x 4 bits elsewhere; block RAMs in 18 Kbit, but in 4 Kbit for iCE40.
    """

    script: str
    cells: dict


ECP5 = Family(
    "synth_ecp5 -top harness",
    {
        "luts": {"LUT4": 1, "CCU2C": 2},  # a carry cell is two LUTs
        "lutrams": {"TRELLIS_DPR16X4": 1},
        "ffs": {"TRELLIS_FF": 1},
        "dsps": {"MULT18X18D": 1},
        "brams": {"DP16KD": 1},
    },
)
XILINX = {
    "luts": {"LUT[1-6]|INV": 1},
    "lutrams": {"SRL.*": 1, "RAM(32|64)X1D": 2, "RAM128X1D|RAM(32|64)M": 4, "RAM256X1D|RAM32M16|RAM64M8": 8},
    "ffs": {"FD[CPRS]E(_1)?": 1},
    "dsps": {"DSP48E[12]": 1},
    "brams": {"RAMB18E[12]": 1, "RAMB36E[12]": 2},
}
XILINX_SCRIPT = "synth_xilinx -family {} -flatten -noiopad -noclkbuf -top harness; autoname"
XC7, XCUP = (Family(XILINX_SCRIPT.format(family), XILINX) for family in ("xc7", "xcup"))
ICE40 = Family(
    "synth_ice40 -dsp -top harness",
    {
        "luts": {"SB_LUT4": 1},
        "lutrams": {},  # it has none
        "ffs": {"SB_DFF.*": 1},
        "dsps": {"SB_MAC16": 1},
        "brams": {"SB_RAM40_4K.*": 1},
    },
)
GW2A = Family(
    "synth_gowin -family gw2a -noiopads -top harness",
    {
        "luts": {"LUT[1-4]|ALU": 1},
        "lutrams": {"RAM16SDP[124]|RAM16S[124]": 1},
        "ffs": {"DFF.*": 1},
        "dsps": {"MULT.*": 1},
        "brams": {"(SDP|DP|SP)(X9)?B?|pROM(X9)?": 1},
    },
)


@dataclass(frozen=True)
class Device:
    """A family; with nextpnr's ``option`` and a ``package`` that the device comes in, if it is placed and routed."""

    family: Family
    option: str = ""
    package: str = ""


DEVICES = {
    "LFE5U-25F": Device(ECP5, "--25k", "CABGA381"),
    "LFE5U-45F": Device(ECP5, "--45k", "CABGA554"),
    "LFE5U-85F": Device(ECP5, "--85k", "CABGA756"),
    "xc7": Device(XC7),
    "xcup": Device(XCUP),
    "ice40": Device(ICE40),
    "gw2a": Device(GW2A),
}
