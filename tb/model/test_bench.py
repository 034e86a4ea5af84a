"""hdp-hw bench without its simulations: the arithmetic of the records, the tables, the README's block."""

from types import SimpleNamespace

import pytest

from hdp_hw import bench
from hdp_hw.__main__ import main
from hdp_hw.configs import CONFIGS
from hdp_hw.params import ParameterError
from hdp_hw.settings import Rule, Verdict

KEYS = {
    "config", "source", "n", "d", "rule", "threshold", "kept_share", "heads_kept_share", "measured_cycles",
    "predicted_cycles", "ideal_cycles", "busy_ratio", "speedup_over_dense", "n_heads",
}  # fmt: skip


def records():
    """A dense record and one of the README's setting, of two heads in 1000 and in 400 clock cycles."""
    workload = bench.Workload("tiny", "captured", 128, 32, heads=[None] * 2)

    def one(rule, share, done, kept, verdicts, ideal, dense_cycles):
        heads = [SimpleNamespace(done=d, n_kept=k, n_visited=8, verdict=v) for d, k, v in zip(done, kept, verdicts)]
        run = SimpleNamespace(heads=heads, array_time=ideal + 10)
        predicted = SimpleNamespace(done=done)
        return bench.record(workload, rule, share, 0.01, {}, run, predicted, ideal, dense_cycles)

    return [
        one(Rule.DENSE, 1.0, [499, 999], [8, 8], [Verdict.DENSE] * 2, 990, None),
        one(Rule.MASS, 0.25, [299, 399], [4, 0], [Verdict.SPARSE, Verdict.PRUNED], 350, 1000),
    ]


def test_record():
    dense, pruned = records()
    assert dense.keys() >= KEYS
    assert (dense["measured_cycles"], dense["predicted_cycles"], dense["ideal_cycles"]) == (1000, 1000, 990)
    assert (dense["speedup_over_dense"], dense["kept_share"], dense["heads_kept_share"]) == (1.0, 1.0, 1.0)
    assert (pruned["rule"], pruned["source"], pruned["n_heads"]) == ("mass", "captured", 2)
    assert (pruned["speedup_over_dense"], pruned["kept_share"], pruned["heads_kept_share"]) == (2.5, 0.25, 0.5)
    assert pruned["busy_ratio"] == 350 / 360


def test_tables():
    lines = bench.record_table(records()).splitlines()
    assert len(lines) == 3 and {len(line) for line in lines} == {len(lines[0])}
    table = bench.readme_table(records(), {"tiny": {"multipliers": 64, "memory_bits": 1234}})
    assert table.splitlines()[2:] == ["| tiny | 64 | 1,234 | 128 x 32, captured | 500 | 200 | 2.50 | 99.0% | 97.2% |"]


@pytest.mark.parametrize("name", CONFIGS)
def test_workloads(name):
    """Every length of every head dimension that the core takes, several heads each."""
    params = CONFIGS[name]
    made = list(bench.workloads(name, params, bench.LENGTHS))
    shapes = {(x.source, x.n, x.d) for x in made}
    dims = {"captured": 32, "synthetic": 64}
    assert shapes == {
        (source, n, d)
        for source, d in dims.items()
        for n in bench.LENGTHS
        if n <= params.max_seq_len and d <= params.max_head_dim
    }
    for workload in made:
        assert len(workload.heads) >= bench.HEADS_MIN
        assert {(head.n_q, head.head_dim) for head in workload.heads} == {(workload.n, workload.d)}


def test_readme_block(tmp_path):
    path = tmp_path / "README.md"
    begin, end = bench.MARKERS
    path.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    assert bench.with_block(path, "new") == f"before\n{begin}\nnew\n{end}\nafter\n"
    for bad in ("nothing", f"{end}\n{begin}", f"{begin}\n{begin}\n{end}"):
        path.write_text(bad)
        with pytest.raises(ParameterError, match=r"readme = .*bench:begin"):
            bench.with_block(path, "new")


def test_refusals(tmp_path, capsys):
    """What is wrong on the command line is said before anything is built."""
    for arguments, word in (
        (["nonsense"], "CONFIG"),
        (["tiny", "TILE=3"], "tile"),
        (["--readme", "none.md"], "none.md"),
    ):
        assert main(["bench", *arguments]) == 2
        assert word in capsys.readouterr().err
