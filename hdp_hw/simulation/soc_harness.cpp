// Runs the clock of a SoC, its serial line on the standard output, until that says that it is all.

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "Vsoc.h"
#include "verilated.h"

constexpr uint64_t RESET_CYCLES = 4;
constexpr int END_OF_TRANSMISSION = 4;

// With the number of clock cycles after which it gives up, which is told by exit code 1.
int main(int, char** arguments) {
    VerilatedContext context;
    Vsoc top{&context};
    top.serial_source_ready = 1;
    const uint64_t limit = strtoull(arguments[1], nullptr, 10);
    for (uint64_t cycle = 0; cycle < limit; ++cycle) {
        top.sys_rst = cycle < RESET_CYCLES;
        top.sys_clk = 0;
        top.eval();
        if (top.serial_source_valid && !top.sys_rst) {
            if (top.serial_source_data == END_OF_TRANSMISSION) return 0;
            putchar(top.serial_source_data);
            if (top.serial_source_data == '\n') fflush(stdout);
        }
        top.sys_clk = 1;
        top.eval();
    }
    return 1;
}
