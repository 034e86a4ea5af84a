// Runs the clock of a verilated module whose ports are streams: whole arrays of beats go in, arrays of beats come out.
//
// A beat is the module's ports of one stream, byte for byte and in order, as Verilator stores them. binding.h, which
// hdp_hw/simulation/compiled_model.py generates, names the module and its ports.

#include <cstring>
#include <vector>

#include "harness.h"

struct Port {
    void* data;
    size_t bytes;
};

struct Stream {
    CData* valid;
    CData* ready;  // null: taken whenever it is valid
    std::vector<Port> fields;
};

struct Ports {
    std::vector<Stream> inputs, outputs;
    std::vector<Port> levels;  // outputs of no stream
};

#define PORT(port) {&(port), sizeof(port)}
#include "binding.h"  // using Model = ...; static Ports bind(Model&)

// What Python shares; ctypes structures of like names there.
extern "C" {
struct Input {
    const uint8_t* beats;
    uint64_t count, taken;
};
struct Output {
    uint64_t first, last, count;  // clock cycles of the first and the last beat, number of beats
    const uint8_t* beats;         // valid until the next run
    const uint64_t* cycles;       // of each beat
};
struct Options {
    uint64_t timeout;         // clock cycles
    uint64_t until, n_beats;  // stop when the output of this index has had so many beats
    double idle, busy;        // probability that an input, or output, begins to hold back in a clock cycle
    uint64_t length, seed;    // of every hold, in clock cycles; of the random numbers
};
}

struct Recording {
    std::vector<uint8_t> beats;
    std::vector<uint64_t> cycles;
};

struct Harness : Clocked<Model> {
    Ports ports = bind(model);
    std::vector<Recording> recordings{ports.outputs.size()};

    void reset() {
        for (Stream& input : ports.inputs) *input.valid = 0;
        pulse_reset();
    }

    // Returns the number of clock cycles that passed.
    uint64_t run(Input* inputs, Output* outputs, const Options& options) {
        const size_t n_inputs = ports.inputs.size(), n_outputs = ports.outputs.size();
        std::mt19937_64 random(options.seed);
        std::vector<Hold> idle(n_inputs), busy(n_outputs);
        std::vector<bool> accepted(n_inputs);
        recordings.assign(n_outputs, {});
        uint64_t cycle = 0;
        for (bool done = false; !done && cycle < options.timeout; ++cycle) {
            for (size_t i = 0; i < n_inputs; ++i) {
                Stream& stream = ports.inputs[i];
                if (*stream.valid || inputs[i].taken == inputs[i].count) continue;
                if (idle[i](options.idle, options.length, random)) continue;
                for (const Port& field : stream.fields) {
                    std::memcpy(field.data, inputs[i].beats, field.bytes);
                    inputs[i].beats += field.bytes;
                }
                *stream.valid = 1;
            }
            for (size_t i = 0; i < n_outputs; ++i)
                if (ports.outputs[i].ready) *ports.outputs[i].ready = !busy[i](options.busy, options.length, random);
            edge(0);
            for (size_t i = 0; i < n_outputs; ++i) {
                const Stream& stream = ports.outputs[i];
                if (!*stream.valid || (stream.ready && !*stream.ready)) continue;
                if (!outputs[i].count++) outputs[i].first = cycle;
                outputs[i].last = cycle;
                done |= i == options.until && outputs[i].count == options.n_beats;
                if (stream.fields.empty()) continue;
                recordings[i].cycles.push_back(cycle);
                for (const Port& field : stream.fields) {
                    const auto* data = static_cast<const uint8_t*>(field.data);
                    recordings[i].beats.insert(recordings[i].beats.end(), data, data + field.bytes);
                }
            }
            for (size_t i = 0; i < n_inputs; ++i) {
                const Stream& stream = ports.inputs[i];
                accepted[i] = *stream.valid && (!stream.ready || *stream.ready);
            }
            edge(1);
            for (size_t i = 0; i < n_inputs; ++i) {
                if (!accepted[i]) continue;
                ++inputs[i].taken;
                *ports.inputs[i].valid = 0;
            }
        }
        for (size_t i = 0; i < n_inputs; ++i) *ports.inputs[i].valid = 0;
        for (size_t i = 0; i < n_outputs; ++i) {
            outputs[i].beats = recordings[i].beats.data();
            outputs[i].cycles = recordings[i].cycles.data();
        }
        return cycle;
    }
};

API Harness* harness_create() {
    auto* harness = new Harness;
    harness->reset();
    return harness;
}

API void harness_destroy(Harness* harness) { delete harness; }

API void harness_reset(Harness* harness) { harness->reset(); }

API uint64_t harness_run(Harness* harness, Input* inputs, Output* outputs, const Options* options) {
    return harness->run(inputs, outputs, *options);
}

API void harness_levels(Harness* harness, uint8_t* to) {
    for (const Port& level : harness->ports.levels) {
        std::memcpy(to, level.data, level.bytes);
        to += level.bytes;
    }
}
