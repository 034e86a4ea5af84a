"""JobEngine: heads as a job describes them, lanes served fairly, and every way in which a job stops."""

import random
from collections import Counter

import cocotb
import pytest

from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.job_engine import FLUSH_CYCLES, JOB_QUEUE, JobEngine
from hdp_hw.spec.formats import ENTRY_BYTES, MATRICES
from hdp_hw.spec.settings import HeadError, Verdict
from tb.lib.axi_memory import IDEAL
from tb.lib.lockstep import read
from tb.lib.simulation import SIMULATORS, simulate
from tb.unit.shell.job_engine_bench import BYTES, JOB_FIELDS, PARAMS, SHAPES, SLOW, Bench, Job, as_taken, params_of


@cocotb.test()
@cocotb.parametrize((("timing", "stalls"), [(IDEAL, 0.0), (IDEAL, 0.9), (SLOW, 0.5)]))
async def jobs(dut, timing, stalls):
    """Jobs back to back: every head once, in order, as the job says; the next job waits for the last head."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng, timing, stalls)
    await bench.start()
    jobs = [Job(rng, bench.memory) for _ in range(12)]
    n_started = 0
    while bench.events["job_done"] < len(jobs):
        n_done = bench.events["job_done"]
        if n_started < min(n_done + JOB_QUEUE, len(jobs)) and rng.random() < 0.5:
            n_started += 1
            await bench.begin(jobs[n_started - 1])
        else:
            await bench.step()
        if bench.events["job_done"] > n_done:
            await bench.step()
            assert read(dut.o_last_job_job, "job") == jobs[n_done].id and not read(dut.o_last_job_failed, "failed")
            assert len(bench.results) == len(bench.taken) == sum(len(job.commands) for job in jobs[: n_done + 1])
        assert bench.cycle < 20_000
    expected = [as_taken(command, dut) for job in jobs for command in job.commands]
    assert bench.taken == expected
    assert sorted(result["head"] for result in bench.results) == sorted(command["head"] for command in expected)
    fallbacks = sum(result["verdict"] == Verdict.FALLBACK for result in bench.results)
    assert Counter(bench.told()) == Counter(job_done=len(jobs), fallback=fallbacks)
    assert bench.bytes == ENTRY_BYTES * sum(len(job.commands) for job in jobs if job.table)
    assert read(dut.o_jobs_done, "o_jobs_done") == len(jobs) and not bench.resets
    assert read(dut.o_queue_free, "o_queue_free") == JOB_QUEUE and not read(dut.o_busy, "o_busy")


@cocotb.test()
async def rate(dut):
    """A head every four clock cycles, without a table."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng)
    await bench.start()
    await bench.begin(Job(rng, bench.memory, n_heads=8, table=False))
    await bench.until(lambda: bench.events["job_done"])
    first = bench.cycles[0]
    assert bench.cycles == [first + 4 * n for n in range(8)]


# -- what stops a job --------------------------------------------------------------------------------------------------
async def next_job(bench, rng):
    """A job after one that was stopped is as ever."""
    bench.told()
    bench.taken.clear()
    job = Job(rng, bench.memory, table=True)
    await bench.begin(job)
    await bench.until(lambda: bench.events["job_done"])
    assert set(bench.told()) <= {"job_done", "fallback"}
    assert bench.taken == [as_taken(command, bench.dut) for command in job.commands]
    await bench.step()
    assert read(bench.dut.o_last_job_job, "job") == job.id and not read(bench.dut.o_last_job_failed, "failed")


async def stopped(bench, event, job, head):
    """The job has just been stopped: its end, and what is told of it."""
    dut, resets = bench.dut, bench.resets
    await bench.until(lambda: bench.events["job_done"])
    told = bench.told()
    told.pop("fallback", None)
    assert told == {event: 1, "job_done": 1}
    await bench.step()
    assert bench.resets == resets + 1
    assert (read(dut.o_last_job_job, "job"), read(dut.o_last_job_failed, "failed")) == (job.id, 1)
    error = (read(dut.o_last_error_job, "job"), read(dut.o_last_error_head, "head"))
    assert error == (job.id, head)
    await next_job(bench, bench.rng)
    assert error == (read(dut.o_last_error_job, "job"), read(dut.o_last_error_head, "head")), "it is remembered"


@cocotb.test()
@cocotb.parametrize(event=["read_error", "write_error", "core_error", "aborted"], stalls=[0.0, 0.9])
async def stops(dut, event, stalls):
    """At any moment: the memory port comes to rest, the lanes are reset, the next job is right."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng, SLOW, stalls)
    await bench.start()
    name = {"core_error": "i_malformed", "aborted": "i_abort"}.get(event, f"i_{event}")
    for _ in range(6):
        bench.n_ended, bench.quiet_after = 0, rng.choice([0, 5, 60])
        job = Job(rng, bench.memory, n_heads=8)
        await bench.begin(job)
        await bench.step(rng.choice([1, 3, rng.randint(1, 60 if stalls else 30)]))
        assert not bench.events["job_done"]
        await bench.pulse(**{name: 1})
        await stopped(bench, event, job, bench.n_ended_before)


@cocotb.test()
async def stops_itself(dut):
    """A head that was refused, a table that cannot be read, settings and addresses that are not legal, a time-out."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng, IDEAL, 0.5)
    await bench.start()
    for turn in range(6):
        job = Job(rng, bench.memory, n_heads=8)
        await bench.begin(job)
        await bench.step(rng.randint(1, 40))
        bench.error = HeadError.SETTINGS
        await bench.until(lambda: bench.results and bench.results[-1]["error"])
        await stopped(bench, "core_error", job, bench.results[-1]["head"])

        job = Job(rng, bench.memory, n_heads=4, table=True)
        response = rng.choice([Response.SLVERR, Response.DECERR])
        bench.memory.faults = {job.table_address + turn % 4 * ENTRY_BYTES: response}
        bench.n_ended = 0
        await bench.begin(job)
        await bench.until(lambda: bench.events["read_error"])
        bench.memory.faults = {}
        await stopped(bench, "read_error", job, bench.n_ended_before)

        job = Job(rng, bench.memory, n_heads=4, table=True)
        bench.memory.poke(job.table_address + turn % 4 * ENTRY_BYTES + 16, (257).to_bytes(4, "little"))  # min_keep
        await bench.begin(job)
        await stopped(bench, "bad_settings", job, turn % 4)

        job = Job(rng, bench.memory, n_heads=8, table=False, timeout=rng.randint(4, 20))
        bench.n_ended = 0
        await bench.begin(job)
        begins = bench.cycle + 1  # busy from the clock cycle after the one in which the queue shows the job
        await bench.until(lambda: bench.events["timeout"])
        assert bench.cycle - begins == job.fields["timeout"] + 1
        await stopped(bench, "timeout", job, bench.n_ended_before)

    for name, value in {"n_heads": 0, "n_kv_heads": 9, "n_q": 17, "n_k": 0, "head_dim": 1 << 15}.items():
        job = Job(rng, bench.memory, fields={name: value})
        await bench.begin(job)
        await stopped(bench, "bad_settings", job, 0)
    names = [name for name in JOB_FIELDS if "stride" in name or name in MATRICES or name in ("table", "record")]
    for name in names:
        job = Job(rng, bench.memory, fields={name: BYTES // 2})
        await bench.begin(job)
        await stopped(bench, "misaligned", job, 0)


@cocotb.test()
async def memory_that_stays_busy(dut):
    """The lanes are reset all the same, after FLUSH_CYCLES."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng)
    await bench.start()
    bench.quiet_after = 2 * FLUSH_CYCLES
    job = Job(rng, bench.memory, n_heads=8)
    await bench.begin(job)
    await bench.step(20)
    await bench.pulse(i_read_error=1)
    stopped_in = bench.cycle
    await bench.until(lambda: bench.resets)
    assert FLUSH_CYCLES < bench.cycle - stopped_in < FLUSH_CYCLES + 5


@cocotb.test()
async def queue(dut):
    """One job too many is refused; abort empties the queue, reset does so without a word."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng, stalls=0.99)
    await bench.start()
    for reset in (False, True):
        jobs = [Job(rng, bench.memory, n_heads=4) for _ in range(JOB_QUEUE + 2)]
        for job in jobs[:-1]:
            await bench.begin(job)
            await bench.step(4)
        assert read(dut.o_queue_free, "o_queue_free") == 0 and not bench.told()
        await bench.begin(jobs[-1])
        assert bench.told() == {"queue_full": 1}
        await bench.step(20)
        bench.told()
        await bench.pulse(i_abort=1, i_reset=int(reset))
        await bench.until(lambda: not read(dut.o_busy, "o_busy"))
        await bench.step(10)
        assert bench.told() == ({} if reset else {"aborted": 1, "job_done": 1})
        assert read(dut.o_queue_free, "o_queue_free") == JOB_QUEUE
        assert read(dut.o_jobs_done, "o_jobs_done") == (0 if reset else 1)
        assert read(dut.o_last_error_job, "job") == (0 if reset else jobs[0].id)
        assert read(dut.o_last_job_job, "job") == (0 if reset else jobs[0].id)
    await bench.pulse(i_abort=1)  # nothing runs
    await bench.step(5)
    assert not bench.told()
    await next_job(bench, rng)


# -- norms -------------------------------------------------------------------------------------------------------------
def norm_job(rng, memory, **fields):
    """A Job with a norm, without heads now and then."""
    norm = BYTES * rng.randrange(1, 1 << 32)
    job = Job(rng, memory, fields={"norm": norm} | fields)
    if rng.random() < 0.3:
        job.fields["n_heads"], job.commands = 0, []
    return job


@cocotb.test(skip=not PARAMS.encoder)
@cocotb.parametrize(takes=[(1, 5), (300, 600)])
async def norms(dut, takes):
    """A job with a norm ends when its heads have, if there are any, and the norm has."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng, SLOW, 0.5)
    bench.norm_takes = takes
    await bench.start()
    for _ in range(12):
        bench.taken.clear()
        bench.results.clear()
        bench.norms.clear()
        job = norm_job(rng, bench.memory) if rng.random() < 0.8 else Job(rng, bench.memory)
        norm = job.fields["norm"]
        await bench.begin(job)
        await bench.until(lambda: bench.events["job_done"])
        assert set(bench.told()) <= {"job_done", "fallback"}
        assert bench.taken == [as_taken(command, dut) for command in job.commands]
        assert len(bench.results) == len(job.commands)
        assert bench.norms == ([norm] if norm else []) and (not norm or bench.norm_ends < bench.cycle)
        await bench.step()
        assert read(dut.o_last_job_job, "job") == job.id and not read(dut.o_last_job_failed, "failed")


@cocotb.test(skip=not PARAMS.encoder)
async def refused_norms(dut):
    """A descriptor that NormLane refuses, an address that is misaligned, an error while only the norm runs."""
    rng = random.Random(cocotb.RANDOM_SEED)
    bench = Bench(dut, rng, IDEAL, 0.5)
    await bench.start()
    for event in ("bad_settings", "misaligned", "read_error"):
        for _ in range(4):
            job = norm_job(rng, bench.memory)
            bench.norm_end, bench.n_ended = event, 0
            bench.norm_takes = (20, 60)
            await bench.begin(job)
            if event == "read_error":
                bench.norm_takes = (2000, 2000)
                await bench.step(400)
                await bench.pulse(i_read_error=1)
            bench.norm_takes = (1, 100)
            await bench.until(lambda name=event: bench.events[name])
            bench.norm_end = "done"
            head = bench.n_ended_before if event == "read_error" else job.fields["n_heads"]
            await stopped(bench, event, job, head)
    bench.norms.clear()
    job = norm_job(rng, bench.memory, norm=BYTES // 2)
    await bench.begin(job)
    await stopped(bench, "misaligned", job, 0)
    assert not bench.norms, "its norm began"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape)))
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_job_engine(simulator, shape):
    name = f"job_engine_{'_'.join(map(str, shape))}"
    environment = {"HDP_SHAPE": ",".join(map(str, shape))}
    simulate(JobEngine(params_of(*shape)), __name__, simulator, name=name, plusenv=environment)
