"""Products of digits as yosys makes them of logic: hdp_hw/rtl/array/digit_product.v."""

import subprocess

import pytest

from hdp_hw.deliver.synth.devices import DIGIT_PRODUCT

BENCH = """
module bench #(parameter A = 4, B = 4);
  reg signed [A-1:0] a;
  reg signed [B-1:0] b;
  wire signed [A+B-1:0] y;
  integer i;
  digit_product #(.A_SIGNED(1), .B_SIGNED(1), .A_WIDTH(A), .B_WIDTH(B), .Y_WIDTH(A + B)) product(.A(a), .B(b), .Y(y));
  initial for (i = 0; i < 1 << (A + B); i = i + 1) begin
    {a, b} = i;
    #1 $display("%0d %0d %0d", a, b, y);
  end
endmodule
"""


@pytest.mark.parametrize("widths", [(4, 4), (4, 3), (2, 4)])
def test_digit_product(tmp_path, widths):
    """All of them."""
    (tmp_path / "bench.v").write_text(BENCH)
    options = [f"-Pbench.{name}={width}" for name, width in zip("AB", widths)]
    subprocess.run(["iverilog", *options, "-o", tmp_path / "bench", tmp_path / "bench.v", DIGIT_PRODUCT], check=True)
    printed = subprocess.run(["vvp", tmp_path / "bench"], capture_output=True, text=True, check=True).stdout
    products = [tuple(map(int, line.split())) for line in printed.splitlines()]
    assert len({(a, b) for a, b, _ in products}) == 1 << sum(widths)
    assert all(a * b == y for a, b, y in products)
