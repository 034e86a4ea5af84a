"""hdp-hw faults: what the simulated co-processor makes of everything that can go wrong around it."""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hdp_hw.simulation.fault_bench import FAST, SLOW, FaultBench
from hdp_hw.spec.output_file import write

FOLDER = Path("build", "bench")


@dataclass
class Row:
    """What came of a fault, in numbers of tries.

    fault : its name; expected : bits of IRQ_STATUS one of which it should set, see FaultBench.faults; as_expected : so
    it was, and nothing else was set; interrupt : irq rose, or after a reset was low; next_right : the next job gave the
    golden output and records; hung : did not end; accepted : a wrong output, and nothing to say so; notes : what was
    not as it should be.
    """

    fault: str
    expected: tuple
    tries: int = 0
    as_expected: int = 0
    interrupt: int = 0
    next_right: int = 0
    hung: int = 0
    accepted: int = 0
    notes: list = field(default_factory=list)

    @property
    def good(self):
        """Whether there were tries, and all was as it should be."""
        well = self.tries == self.as_expected == self.interrupt == self.next_right
        return self.tries > 0 and well and not self.hung and not self.accepted

    def add(self, what, seen, wrong):
        """A try: ``seen`` as FaultBench has it, and what was wrong with the next job, None if nothing."""
        allowed = [set() if bit == "silence" else {"job_done", bit} - {"none"} for bit in self.expected]
        self.tries += 1
        self.as_expected += seen.events in allowed
        self.interrupt += seen.interrupt
        self.next_right += wrong is None
        self.hung += seen.events is None
        self.accepted += seen.accepted
        if not (seen.events in allowed and seen.interrupt and wrong is None) or seen.accepted:
            events = "hung" if seen.events is None else ", ".join(sorted(seen.events)) or "silence"
            accepted = ", a wrong output accepted" * seen.accepted
            self.notes.append(f"{what}: {events}{accepted}; next job: {wrong or 'right'}")


def run(label, params, tries, seed=1):
    """Try every fault, print the table and write ``faults.json``; returns whether all is well.

    tries : of what strikes at random, and at most of what strikes one beat. Raises DriverError.
    """
    say(f"{label}: building the simulation")
    bench, rows = FaultBench(params, seed), []
    for name, bits, attempts in bench.faults(tries):
        rows.append(row := Row(name, bits))
        for what, attempt in attempts:
            bench.bus.timing = bench.random.choice([FAST, SLOW])
            row.add(what, attempt(), bench.next_job())
        say(f"{name}: {row.tries} tries, {'all well' if row.good else '; '.join(['NOT WELL', *row.notes[:3]])}")
    facts = {"config": label, "seed": seed, "cycles": bench.bus.cycle, "faults": [asdict(row) for row in rows]}
    write(FOLDER / "faults.json", json.dumps(facts, indent=1) + "\n")
    print(table(rows))
    print(f"\n{FOLDER / 'faults.json'}: {sum(row.tries for row in rows)} tries, {bench.bus.cycle:,} clock cycles")
    return all(row.good for row in rows)


def table(rows):
    """The rows as text, a line each."""
    lines = [["fault", "sets", "tries", "as expected", "interrupt", "next job right", "hung", "wrong output accepted"]]
    for row in rows:
        counts = row.tries, row.as_expected, row.interrupt, row.next_right, row.hung, row.accepted
        lines.append([row.fault, " or ".join(row.expected), *map(str, counts)])
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def say(line):
    """Progress, on stderr."""
    print(f"faults: {line}", file=sys.stderr, flush=True)
