"""AxiLiteManager against a subordinate that stalls, and with addresses that are none."""

import random

import cocotb
from cocotb.triggers import RisingEdge

from hdp_hw.rtl.boards.axi_lite_manager import AxiLiteManager
from hdp_hw.rtl.shell.axi import Response
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate

OUTSIDE = 0x1000


@cocotb.test()
@cocotb.parametrize(stalls=[0.0, 0.6])
async def accesses(dut, stalls):
    """Each becomes one transaction, stable while it is stalled, and its response one result."""
    await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    get = lambda name: read(getattr(dut, name), name)  # noqa: E731
    latencies = set()
    for _ in range(200):
        write, address = rng.randrange(2), 4 * rng.randrange(2 * OUTSIDE // 4)
        data, answer, response = rng.getrandbits(32), rng.getrandbits(32), rng.choice([0, 0, 2, 3])
        dut.i_access_valid.value, dut.i_access_write.value = 1, write
        dut.i_access_address.value, dut.i_access_data.value = address, data
        waiting, held, responding, cycles, result = {"aw", "w"} if write else {"ar"}, {}, False, 0, None
        outside, taken = address >= OUTSIDE, False
        while result is None:
            ready = {channel: int(rng.random() >= stalls) for channel in ("aw", "w", "ar")}
            for channel, level in ready.items():
                getattr(dut, f"registers_{channel}ready").value = level
            valid = {"b": int(responding and write), "r": int(responding and not write)}
            for channel, level in valid.items():
                getattr(dut, f"registers_{channel}valid").value = level
                getattr(dut, f"registers_{channel}resp").value = response
            dut.registers_rdata.value = answer
            await RisingEdge(dut.aclk)
            if not taken and get("i_access_ready"):
                taken, cycles = True, 0
                dut.i_access_valid.value = 0
            if get("i_result_valid"):
                result = get("i_result_error"), None if write or outside else get("i_result_data")
            for channel in ("aw", "w", "ar"):
                if not get(f"registers_{channel}valid"):
                    assert channel not in held, f"{channel} was withdrawn"
                    continue
                assert channel in waiting and not outside, f"{channel} of {'write' if write else 'read'} {address:#x}"
                fields = ("data", "strb") if channel == "w" else ("addr",)
                payload = [get(f"registers_{channel}{field}") for field in fields]
                assert payload == ([data, 15] if channel == "w" else [address])
                held[channel] = payload
                if ready[channel]:
                    waiting.discard(channel)
                    del held[channel]
            responding |= taken and not waiting and rng.random() >= stalls
            cycles += 1
            assert cycles < 200, "no result"
        assert result == (int(outside or response != Response.OKAY), None if write or outside else answer)
        dut.registers_bvalid.value = dut.registers_rvalid.value = 0
        latencies.add((outside, cycles - 1))
    if not stalls:
        assert latencies == {(True, 1), (False, 2)}


def test_axi_lite_manager(simulator):
    simulate(AxiLiteManager(), __name__, simulator, name="axi_lite_manager")
