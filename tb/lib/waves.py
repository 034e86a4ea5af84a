"""Pictures of handshakes: the ports that a bench prints, clock cycle by clock cycle, under Icarus."""

import subprocess
from itertools import groupby

from hdp_hw.study.svg import line, picture, text

WIDTH, HEIGHT, LEFT, TOP, STEP = 36, 22, 150, 44, 29  #: of a clock cycle, of a wave; the first wave; between waves


def run_icarus(folder, tops, files):
    """Lines that the Verilog ``files`` ``{name: text}`` print; they are left in ``folder``."""
    for name, content in files.items():
        (folder / f"{name}.v").write_text(content)
    program = str(folder / "bench.vvp")
    options = [option for top in tops for option in ("-s", top)]
    sources = [str(folder / f"{name}.v") for name in files]
    subprocess.run(["iverilog", "-g2005", *options, "-o", program, *sources], check=True)
    return subprocess.run(["vvp", program], capture_output=True, text=True, check=True).stdout.splitlines()


def tracing(names, scope):
    """A Verilog statement that prints the ports ``names`` of the instance ``scope``."""
    return f'$display("{" ".join(["%h"] * len(names))}", {", ".join(f"{scope}.{name}" for name in names)});'


def traced(names, printed):
    """``{port: value}`` of what :func:`tracing` printed in one clock cycle; None for X."""
    return {name: None if "x" in value else int(value, 16) for name, value in zip(names, printed.split())}


def draw(title, trace, names, buses, windows, origin):
    """SVG of parts of a trace.

    trace : ``[{port: value}]``; names : ports, from top to bottom; buses : ``{port: (valid, function)}`` of those that
    are shown as a text while the port ``valid`` is high; windows : ranges of clock cycles, counted from ``origin``.
    """
    elements = [text(LEFT - 12, 28, "clock cycle", "small end")]
    elements += [text(LEFT - 12, TOP + place * STEP + 16, name, "code end") for place, name in enumerate(names)]
    x = LEFT
    for window in windows:
        rows = [trace[origin + cycle] for cycle in window]
        for index, cycle in enumerate(window):
            elements.append(text(x + (index + 0.5) * WIDTH, 28, str(cycle), "small middle"))
        end = TOP + STEP * len(names) - 8
        elements += [line(x + i * WIDTH, 36, x + i * WIDTH, end) for i in range(len(rows) + 1)]
        for place, name in enumerate(names):
            y = TOP + place * STEP
            if name in buses:
                valid, show = buses[name]
                elements += _bus([show(row[name]) if row[valid] else None for row in rows], x, y)
            else:
                elements.append(_wire([row[name] for row in rows], x, y))
        x += (len(rows) + 1) * WIDTH
    cycles = sum(map(len, windows)) + len(windows) - 1
    return picture(LEFT + cycles * WIDTH + 20, TOP + STEP * len(names) + 6, title, elements)


def _wire(values, x, y):
    levels = [y + (3 if value else HEIGHT - 3) for value in values]
    path = f"M{x} {levels[0]}" + "".join(f"V{level}h{WIDTH}" for level in levels)
    return f'<path d="{path}" class="wave"/>'


def _bus(texts, x, y):
    """Boxes around the texts; one for as long as a text stays."""
    parts, index = [], 0
    for content, group in groupby(texts):
        n = len(list(group))
        if content is not None:
            box = f'x="{x + index * WIDTH + 1}" y="{y + 3}" width="{n * WIDTH - 2}" height="{HEIGHT - 6}" rx="3"'
            middle = x + (index + n / 2) * WIDTH
            parts += [f'<rect {box} class="bus"/>', text(middle, y + 16.5, content, "small middle")]
        index += n
    return parts
