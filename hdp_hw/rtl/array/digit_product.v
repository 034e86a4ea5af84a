// Yosys techmap: products of digits of up to 4 bits in logic. Yosys would give each of them a multiplier of the ECP5, of
// which an LFE5U-85F has 156 and an array of 4 x 4 x 16 needs 256; vendor tools do so by themselves. Two bits of b at a time:
// three adders of a few bits, and no multiples of a to make. Kept out of the Verilog that ships, where `*` simulates faster.
(* techmap_celltype = "$mul" *)
module digit_product(A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;

  wire _TECHMAP_FAIL_ = !A_SIGNED || !B_SIGNED || A_WIDTH > 4 || B_WIDTH > 4;
  wire signed [3:0] a = $signed(A);
  wire signed [3:0] b = $signed(B);

  wire signed [5:0] low = (b[0] ? a : 4'sd0) + (b[1] ? a <<< 1 : 5'sd0);
  wire signed [5:0] high = (b[2] ? a : 4'sd0) - (b[3] ? a <<< 1 : 5'sd0);
  wire signed [7:0] product = low + (high <<< 2);
  assign Y = product;
endmodule

// Other small products in logic too, so that the multipliers are left to the array: an LFE5U-25F has 28. Yosys says what
// is small.
`ifndef SMALL
`define SMALL 48
`endif
(* techmap_celltype = "$mul" *)
module small_product(A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output reg [Y_WIDTH-1:0] Y;

  wire _TECHMAP_FAIL_ = A_WIDTH * B_WIDTH > `SMALL || A_SIGNED || B_SIGNED;
  localparam NARROW = A_WIDTH < B_WIDTH ? A_WIDTH : B_WIDTH;
  wire [Y_WIDTH-1:0] wide = A_WIDTH < B_WIDTH ? B : A;
  wire [NARROW-1:0] narrow = A_WIDTH < B_WIDTH ? A : B;

  integer i;
  always @* begin
    Y = 0;
    for (i = 0; i < NARROW; i = i + 1)
      Y = Y + (narrow[i] ? wide << i : {Y_WIDTH{1'b0}});
  end
endmodule
