"""The models of an ECP5's cells that post-synthesis simulation takes, against what Lattice says of the cells."""

import subprocess

import numpy as np
import pytest

from tb.lib.simulation import ROOT

UNUSED = ("WEB", "RSTA", "RSTB", "CSA0", "CSA1", "CSA2", "CSB0", "CSB1", "CSB2")  #: pins that are 0
CELLS = ROOT / "tb" / "lib" / "ecp5_cells.v"
BENCH = """
module bench;
  reg clock = 0;
  reg [{width}-1:0] words [0:{count}-1];
  wire [35:0] out;
  integer i = 0;
  wire [{width}-1:0] in = words[i];
  {cell} #({parameters}) dut({ports});
  initial begin
    $readmemh("words", words);
    for (i = 0; i < {count}; i = i + 1) begin
      #1 clock = 1;
      #1 $display("%b", out);
      clock = 0;
    end
  end
endmodule
"""


def play(folder, cell, parameters, inputs, outputs, words):
    """What ``outputs`` (36 pins, highest first) of a cell say, in binary, after the clock edge that takes each word.

    inputs : ``{port: bits}``, of which a word is made, the lowest first; 0 for a port of one pin without a number.
    """
    pins = [name if not bits else f"{name}{bit}" for name, bits in inputs.items() for bit in range(bits or 1)]
    clocks = {"MULT18X18D": ("CLK0",), "DP16KD": ("CLKA", "CLKB")}[cell]
    ports = [f".{pin}(in[{index}])" for index, pin in enumerate(pins)] + [f".{clock}(clock)" for clock in clocks]
    ports += [f".{pin}(out[{35 - index}])" for index, pin in enumerate(outputs)]
    text = ", ".join(f".{name}({value})" for name, value in parameters.items())
    options = {"width": len(pins), "count": len(words), "cell": cell, "parameters": text, "ports": ", ".join(ports)}
    (folder / "bench.v").write_text(BENCH.format(**options))
    (folder / "words").write_text("".join(f"{word:x}\n" for word in words))
    subprocess.run(["iverilog", "-g2005", "-o", "bench", "bench.v", CELLS], cwd=folder, check=True)
    printed = subprocess.run(["vvp", "bench"], cwd=folder, capture_output=True, text=True, check=True).stdout
    return printed.split()


def packed(fields):
    """A word of ``[(value, bits)]``, the lowest first."""
    word, lowest = 0, 0
    for value, bits in fields:
        word |= (int(value) & ((1 << bits) - 1)) << lowest
        lowest += bits
    return word


@pytest.mark.parametrize("signs", [(0, 0), (1, 1), (0, 1)])
@pytest.mark.parametrize("registers", [(), ("INPUTA", "INPUTB"), ("OUTPUT",), ("INPUTA", "INPUTB", "OUTPUT")])
def test_multiplier(tmp_path, signs, registers):
    """Signed and unsigned factors; a clock cycle for the registers of the inputs, one for that of the output."""
    rng = np.random.default_rng(1)
    (a_low, a_end), (b_low, b_end) = ranges = [(-(2**17), 2**17) if signed else (0, 2**18) for signed in signs]
    pairs = [tuple(int(rng.integers(*limits)) for limits in ranges) for _ in range(50)]
    pairs += [(a, b) for a in (a_low, a_end - 1) for b in (b_low, b_end - 1)]
    inputs = {"A": 18, "B": 18, "SIGNEDA": 0, "SIGNEDB": 0, "CE0": 0, "RST0": 0}
    words = [packed([*zip(pair, (18, 18)), *zip(signs, (1, 1)), (1, 1), (0, 1)]) for pair in pairs]
    parameters = {f"REG_{name}_CLK": '"CLK0"' for name in registers}
    seen = play(tmp_path, "MULT18X18D", parameters, inputs, [f"P{bit}" for bit in reversed(range(36))], words)
    late = max(0, ("INPUTA" in registers) + ("OUTPUT" in registers) - 1)  # shown after the edge that takes a word
    expected = [f"{a * b & (1 << 36) - 1:036b}" for a, b in pairs]
    assert seen[late:] == expected[: len(expected) - late]


@pytest.mark.parametrize("write_width", [9, 18, 36])
@pytest.mark.parametrize("read_width", [9, 18, 36])
def test_block_ram(tmp_path, write_width, read_width):
    """Addresses, byte enables and data pins of every width; a byte that is read while it is written is undefined."""
    rng, words, expected = np.random.default_rng(1), [], []
    content = [int(value) for value in rng.integers(0, 512, 2048)]
    parameters = {"DATA_WIDTH_A": write_width, "DATA_WIDTH_B": read_width}
    for row in range(64):  # of 16 words of 18 bits, each with 2 that are none
        value = packed([(content[32 * row + index], 9 + 2 * (index % 2)) for index in range(32)])
        parameters[f"INITVAL_{row:02X}"] = f"320'h{value:x}"
    written_bytes, read_bytes = write_width // 9, read_width // 9
    latched = ["0" * 9] * read_bytes
    for _ in range(400):
        target, source = (int(rng.integers(0, 16)) * 128 // each * each for each in (written_bytes, read_bytes))
        data, (enable, write, read) = [int(value) for value in rng.integers(0, 512, 4)], rng.integers(0, 4, 3) > 0
        mask = int(rng.integers(0, 1 << written_bytes)) if written_bytes > 1 else 1
        written = {target + n: data[n] for n in range(written_bytes) if enable and write and mask >> n & 1}
        if read:
            found = range(source, source + read_bytes)
            latched = ["x" * 9 if index in written else f"{content[index]:09b}" for index in found]
        expected.append("".join(reversed(latched)))
        for index, value in written.items():
            content[index] = value
        below = mask if written_bytes > 1 else 0  # of the address, where a word has no bits of it
        fields = [(value, 9) for value in data] + [(target << 3 | below, 14), (source << 3, 14)]
        words.append(packed([*fields, (enable, 1), (write, 1), (read, 1), *[(0, 1)] * len(UNUSED)]))
    inputs = {"DIA": 18, "DIB": 18, "ADA": 14, "ADB": 14, **dict.fromkeys(("CEA", "WEA", "CEB", *UNUSED), 0)}
    outputs = [f"DO{port}{bit}" for port in "BA" for bit in reversed(range(18))]
    seen = play(tmp_path, "DP16KD", parameters, inputs, outputs, words)
    pins = slice(0, 36) if read_width == 36 else slice(18 - read_width, 18)  # of port B, and below them those of A
    assert [text[pins] for text in seen] == expected
    assert any("x" in text for text in expected)
