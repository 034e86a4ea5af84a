"""The workflow of public CI: it runs the commands that README names, and nothing that can change under it."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
(JOB,) = WORKFLOW["jobs"].values()


def test_commands_are_those_of_the_readme():
    shown = re.findall(r"^    (make [^#\n]*[^# \n])", (ROOT / "README.md").read_text(), re.M)
    assert [step["run"] for step in JOB["steps"] if "run" in step] == shown and len(shown) == 2


def test_pythons():
    """The oldest that the package takes, and a recent one; each is what the commands run with."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        oldest = tomllib.load(file)["project"]["requires-python"].removeprefix(">=")
    assert JOB["strategy"]["matrix"] == {"python": [oldest, "3.13"]}
    (given,) = [step["with"] for step in JOB["steps"] if "setup-python" in step.get("uses", "")]
    assert given == {"python-version": "${{ matrix.python }}"}


def test_nothing_moves():
    """Actions are commits, the machine is a release, and the job may only read."""
    actions = [step["uses"] for step in JOB["steps"] if "uses" in step]
    assert len(actions) == 2 and all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in actions)
    assert re.fullmatch(r"ubuntu-\d\d\.\d\d", JOB["runs-on"]) and WORKFLOW["permissions"] == {"contents": "read"}
    assert set(WORKFLOW[True]) == {"push", "pull_request"}  # on, which is a truth value in YAML 1.1
