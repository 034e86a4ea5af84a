"""Reference pages: the Python interface from its docstrings, the commands from their parsers."""

import os

PYTHON = """# Python interface
What `hdp_hw.driver` offers. The [driver guide](driver.md) has examples.

```{eval-rst}
.. automodule:: hdp_hw.driver
   :members:
   :imported-members:
```
"""


def write(folder):
    """Write ``python.md`` and ``commands.md`` into ``folder``."""
    (folder / "python.md").write_text(PYTHON)
    (folder / "commands.md").write_text(commands())


def commands():
    """The page of the commands: what ``hdp-hw COMMAND --help`` prints of each."""
    os.environ |= {"COLUMNS": "100", "NO_COLOR": "1"}  # argparse asks for them
    from hdp_hw.__main__ import COMMANDS, command_line

    (choices,) = [action.choices for action in command_line()._actions if action.dest == "command"]
    lines = ["# Commands", "`hdp-hw COMMAND --help` prints what stands here."]
    for each in COMMANDS:
        lines += [f"\n## hdp-hw {each.NAME}", "```text", choices[each.NAME].format_help().rstrip(), "```"]
    return "\n".join(lines) + "\n"
