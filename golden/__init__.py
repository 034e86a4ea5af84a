"""The golden model: numpy, bit-exact, composed as the hardware is, block by block under the hardware's names."""
