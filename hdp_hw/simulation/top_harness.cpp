// Runs the clock of hdp_top: the master of its registers, the memory at its port, a look at its interrupt.

#include <array>
#include <cstring>
#include <deque>
#include <string>

#include "Vhdp_top.h"
#include "harness.h"

// What Python shares; ctypes structures of like names there.
extern "C" {
// The memory, which Python may change at any time. A latency is in clock cycles: from the request of a read to its
// first beat, and from the last word of a write to its response.
struct Memory {
    uint8_t* bytes;
    uint64_t base, size;
    uint64_t read_latency, write_latency;
    double ar, r, aw, w, b;                                   // probability that a channel stalls in a clock cycle
    uint64_t fault_begin, fault_end, read_fault, write_fault;  // responses to what touches these addresses
};
// Clock cycles count from 0 after the first reset.
struct State {
    uint64_t cycle;          // how many have passed
    uint64_t start, rise;    // in which the last CONTROL.start was taken, in which irq last went high
    uint64_t irq, response;  // now, and of the last access to a register
    const char* violation;   // the first breach of AXI, or null
};
}

enum : uint64_t { OKAY = 0, DECERR = 3 };
constexpr uint64_t CONTROL = 0x008, PAGE_BYTES = 4096, MAX_BEATS = 16, BURST_INCR = 1, PATIENCE = 1000;
constexpr size_t BUS_BYTES = sizeof(Vhdp_top::m_axi_rdata);

// A request as it is on AR or AW.
struct Request {
    uint64_t id, address, length, size, burst;
    uint64_t due = 0;
    bool operator==(const Request& o) const {
        return id == o.id && address == o.address && length == o.length && size == o.size && burst == o.burst;
    }
};

struct Word {
    std::array<uint8_t, BUS_BYTES> bytes;
    uint64_t strobes, last;
    bool operator==(const Word& o) const { return bytes == o.bytes && strobes == o.strobes && last == o.last; }
};

struct Response {
    uint64_t id, code, due;
};

// A channel that the module drives: what is on offer stays until it is taken.
template <class Payload>
struct Offer {
    bool held = false;
    Payload payload{};

    // Whether the rule was kept.
    bool keeps(bool valid, bool ready, const Payload& now) {
        const bool kept = !held || (valid && now == payload);
        held = valid && !ready;
        payload = now;
        return kept;
    }
};

struct Harness : Clocked<Vhdp_top> {
    Memory& memory;
    State state{};

    Harness(Memory& memory, uint64_t seed) : memory(memory), random(seed) { reset(); }

    void reset() {
        for (CData* valid : {&model.s_axil_awvalid, &model.s_axil_wvalid, &model.s_axil_arvalid, &model.m_axi_rvalid,
                             &model.m_axi_bvalid})
            *valid = 0;
        model.s_axil_bready = model.s_axil_rready = 1;
        pulse_reset();
        reads.clear();
        writes.clear();
        words.clear();
        responses.clear();
        ar = aw = {};
        w = {};
        beat = n_words = state.irq = 0;
        drive(false, false);
    }

    uint32_t read32(uint32_t address) {
        model.s_axil_araddr = address;
        model.s_axil_arvalid = 1;
        await();
        return answer;
    }

    void write32(uint32_t address, uint32_t value) {
        model.s_axil_awaddr = address;
        model.s_axil_wdata = value;
        model.s_axil_wstrb = 15;
        model.s_axil_awvalid = model.s_axil_wvalid = 1;
        starts = address == CONTROL && (value & 1);
        await();
    }

    // Pass some clock cycles, or fewer if irq is high.
    void run(uint64_t cycles, bool until_irq) {
        for (; cycles && !(until_irq && state.irq); --cycles) step();
    }

private:
    std::mt19937_64 random;
    Hold holds[5];
    std::deque<Request> reads, writes;
    std::deque<Word> words;
    std::deque<Response> responses;
    Offer<Request> ar, aw;
    Offer<Word> w;
    uint64_t beat = 0, n_words = 0, write_code = OKAY;  // of the first read and of the first write
    bool answered = false, starts = false;
    uint32_t answer = 0;
    std::string violation;

    void await() {
        answered = false;
        for (uint64_t patience = PATIENCE; !answered && patience; --patience) step();
        require(answered, "AXI4-Lite: no response");
    }

    // One clock cycle; the inputs of the next are set at its end.
    void step() {
        edge(0);
        const Request read{model.m_axi_arid, model.m_axi_araddr, model.m_axi_arlen, model.m_axi_arsize,
                           model.m_axi_arburst};
        const Request write{model.m_axi_awid, model.m_axi_awaddr, model.m_axi_awlen, model.m_axi_awsize,
                            model.m_axi_awburst};
        Word word{{}, model.m_axi_wstrb, model.m_axi_wlast};
        std::memcpy(word.bytes.data(), &model.m_axi_wdata, BUS_BYTES);
        require(ar.keeps(model.m_axi_arvalid, model.m_axi_arready, read), "AR changed while it was stalled");
        require(aw.keeps(model.m_axi_awvalid, model.m_axi_awready, write), "AW changed while it was stalled");
        require(w.keeps(model.m_axi_wvalid, model.m_axi_wready, word), "W changed while it was stalled");

        const bool beat_taken = model.m_axi_rvalid && model.m_axi_rready;
        const bool response_taken = model.m_axi_bvalid && model.m_axi_bready;
        if (model.m_axi_arvalid && model.m_axi_arready) accept(reads, read, memory.read_latency);
        if (model.m_axi_awvalid && model.m_axi_awready) accept(writes, write, 0);
        if (model.m_axi_wvalid && model.m_axi_wready) words.push_back(word);

        const bool awtaken = model.s_axil_awvalid && model.s_axil_awready;
        const bool wtaken = model.s_axil_wvalid && model.s_axil_wready;
        const bool artaken = model.s_axil_arvalid && model.s_axil_arready;
        if (model.s_axil_bvalid) finish(model.s_axil_bresp, 0);
        if (model.s_axil_rvalid) finish(model.s_axil_rresp, model.s_axil_rdata);
        if (model.irq && !state.irq) state.rise = state.cycle;
        state.irq = model.irq;

        edge(1);
        if (awtaken) model.s_axil_awvalid = 0;
        if (wtaken) model.s_axil_wvalid = 0;
        if (artaken) model.s_axil_arvalid = 0;
        if (starts && !model.s_axil_awvalid && !model.s_axil_wvalid) {
            state.start = state.cycle;
            starts = false;
        }
        store();
        ++state.cycle;
        drive(beat_taken, response_taken);
    }

    void finish(uint64_t response, uint32_t data) {
        state.response = response;
        answer = data;
        answered = true;
    }

    void accept(std::deque<Request>& queue, Request request, uint64_t latency) {
        const uint64_t end = request.address + (request.length + 1) * BUS_BYTES - 1;
        require(request.length < MAX_BEATS, "a burst that is too long");
        require(request.burst == BURST_INCR && 1u << request.size == BUS_BYTES, "a burst that is not INCR of bus words");
        require(request.address % BUS_BYTES == 0, "a burst that is not aligned");
        require(request.address / PAGE_BYTES == end / PAGE_BYTES, "a burst across 4 KiB");
        request.due = state.cycle + latency;
        queue.push_back(request);
    }

    // The response to an access to a bus word.
    uint64_t code_of(uint64_t address, uint64_t fault) const {
        if (address < memory.base || address + BUS_BYTES > memory.base + memory.size) return DECERR;
        return address < memory.fault_end && address + BUS_BYTES > memory.fault_begin ? fault : OKAY;
    }

    // Words to memory, as far as their requests have come.
    void store() {
        for (; !words.empty() && !writes.empty(); words.pop_front()) {
            const Request& request = writes.front();
            const Word& word = words.front();
            const uint64_t address = request.address + n_words * BUS_BYTES;
            const uint64_t code = code_of(address, memory.write_fault);
            if (write_code == OKAY) write_code = code;
            for (size_t i = 0; code == OKAY && i < BUS_BYTES; ++i)
                if (word.strobes >> i & 1) memory.bytes[address - memory.base + i] = word.bytes[i];
            require(word.last == (n_words == request.length), "WLAST in the wrong place");
            if (n_words++ < request.length) continue;
            responses.push_back({request.id, write_code, state.cycle + memory.write_latency});
            writes.pop_front();
            n_words = 0;
            write_code = OKAY;
        }
    }

    // The memory's signals of the next clock cycle.
    void drive(bool beat_taken, bool response_taken) {
        model.m_axi_arready = !holds[0](memory.ar, 1, random);
        model.m_axi_awready = !holds[1](memory.aw, 1, random);
        model.m_axi_wready = !holds[2](memory.w, 1, random);
        if (beat_taken) {
            model.m_axi_rvalid = 0;
            if (beat++ == reads.front().length) {
                reads.pop_front();
                beat = 0;
            }
        }
        if (!model.m_axi_rvalid && !holds[3](memory.r, 1, random) && !reads.empty() && reads.front().due <= state.cycle) {
            const Request& request = reads.front();
            const uint64_t address = request.address + beat * BUS_BYTES, code = code_of(address, memory.read_fault);
            std::memset(&model.m_axi_rdata, 0, BUS_BYTES);
            if (code == OKAY) std::memcpy(&model.m_axi_rdata, memory.bytes + (address - memory.base), BUS_BYTES);
            model.m_axi_rid = request.id;
            model.m_axi_rresp = code;
            model.m_axi_rlast = beat == request.length;
            model.m_axi_rvalid = 1;
        }
        if (response_taken) {
            model.m_axi_bvalid = 0;
            responses.pop_front();
        }
        if (!model.m_axi_bvalid && !holds[4](memory.b, 1, random) && !responses.empty() &&
            responses.front().due <= state.cycle) {
            model.m_axi_bid = responses.front().id;
            model.m_axi_bresp = responses.front().code;
            model.m_axi_bvalid = 1;
        }
    }

    void require(bool kept, const char* rule) {
        if (kept || state.violation) return;
        violation = "clock cycle " + std::to_string(state.cycle) + ": " + rule;
        state.violation = violation.c_str();
    }
};

API Harness* harness_create(Memory* memory, uint64_t seed) { return new Harness(*memory, seed); }

API void harness_destroy(Harness* harness) { delete harness; }

API const State* harness_state(Harness* harness) { return &harness->state; }

API void harness_reset(Harness* harness) { harness->reset(); }

API uint32_t harness_read32(Harness* harness, uint32_t address) { return harness->read32(address); }

API void harness_write32(Harness* harness, uint32_t address, uint32_t value) { harness->write32(address, value); }

API void harness_run(Harness* harness, uint64_t cycles, int until_irq) { harness->run(cycles, until_irq); }
