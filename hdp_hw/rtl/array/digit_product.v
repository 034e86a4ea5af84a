// Yosys techmap: products of digits of up to 4 bits in logic. Yosys would give each of them a multiplier of the ECP5, of
// which an LFE5U-85F has 156 and the array of `edge` needs 256; vendor tools do so by themselves. Two bits of b at a time:
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
