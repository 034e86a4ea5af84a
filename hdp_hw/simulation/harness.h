// What the harnesses share: the clock of a verilated module, and channels that hold back at random.

#pragma once

#include <cstdint>
#include <random>

#include "verilated.h"

#define API extern "C" __attribute__((visibility("default")))

template <class Model>
struct Clocked {
    VerilatedContext context;
    Model model{&context, "top"};

    void edge(int level) {
        model.aclk = level;
        model.eval();
    }

    void pulse_reset() {
        for (int level : {0, 1}) {
            for (int cycle = 0; cycle < 3; ++cycle) {
                model.aresetn = level;
                edge(0);
                edge(1);
            }
        }
    }
};

// Something holds back for `length` clock cycles, with a probability in each in which it does not.
class Hold {
    uint64_t left = 0;

public:
    bool operator()(double probability, uint64_t length, std::mt19937_64& random) {
        if (!left && probability > 0 && std::uniform_real_distribution<>()(random) < probability) left = length;
        return left && left--;
    }
};
