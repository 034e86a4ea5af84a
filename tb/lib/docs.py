"""The generated parts of the documentation: ``python -m tb.lib.docs`` writes them anew.

A part stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->`` in a file of ``docs/``; PARTS says what makes
it. PICTURES are files of their own. tb/model/test_docs.py compares all of them with what is there.
"""

import ast
import inspect
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

from amaranth.hdl import UnusedElaboratable

from hdp_hw.deliver.synth import published
from hdp_hw.driver.errors import CURES
from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.rtl.verilog import ports_of
from hdp_hw.spec import encoder, formats, settings, tables, timing
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.study import timeline
from hdp_hw.study.bench import area
from tb.lib.bounds import EXP2_ERROR, HEAD_ERROR, ROW_ERROR
from tb.lib.doc_pictures import DOCS, handshake, job
from tb.lib.mutation import FAULTS

ROOT = DOCS.parent
#: In the order of the table.
BLOCK_FOLDERS = ("common", "array", "approximation", "pruning", "core", "encoder", "shell", "boards")


def markdown(titles, rows):
    """Lines of a table."""
    cells = [titles, ["---"] * len(titles), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in cells]


def code(content):
    """Inline code."""
    return f"`{content}`" if content else ""


def remarks(module, name):
    """``{name: remark}`` of the ``NAME = value  #: remark`` lines of a class, or of a module without ``name``."""
    source = inspect.getsource(getattr(module, name) if name else module)
    return dict(re.findall(r"^ *([A-Z_]+) = [^#\n]*#: (.*)$", source, re.M))


# -- integration ------------------------------------------------------------------------------------------------------
def ports():
    """Ports of the core, without the settings, and their bits in each named configuration."""
    widths = [dict((port, (direction, width)) for port, direction, width in ports_of(core)) for core in cores()]
    rows = []
    for port, (direction, _) in widths[0].items():
        if not port.startswith("i_settings_") or port in ("i_settings_valid", "i_settings_ready"):
            rows.append([code(port), direction, *(of[port][1] for of in widths)])
    return markdown(["port", "direction", *CONFIGS], rows)


def top_ports():
    """Ports of hdp_top, a line for each interface and channel."""
    tops = [ports_of(HdpTop(params)) for params in CONFIGS.values()]
    widths = [{port: width for port, _, width in top} for top in tops]
    rows = []
    for port, direction, _ in tops[0]:
        rows.append([code(port), direction, _alike([of[port] for of in widths])])
    return markdown(["port", "direction", "bits"], rows)


def cores():
    """A core of each named configuration."""
    return [AttentionCore(params) for params in CONFIGS.values()]


def settings_table():
    """Fields of HeadSettings: port, bits and range, and meaning, as its docstring has it."""
    lines = inspect.getdoc(settings.HeadSettings).splitlines()
    meaning, names = {}, []
    for entry in lines[lines.index("Parameters") + 2 :]:
        if heading := re.fullmatch(r"([\w, ]+) : \w+", entry):
            names = heading[1].split(", ")
        elif entry.strip():
            meaning |= {name: f"{meaning.get(name, '')} {entry.strip()}".strip() for name in names}
    rows = []
    for name, text_of in meaning.items():
        named = [params for params in CONFIGS.values() if name in settings.field_limits(params)]
        cores = named or [replace(CONFIGS["edge"], encoder=1)]
        bits = [settings_layout(params)[name].width for params in cores]
        ranges = ["{} to {}".format(*settings.field_limits(params)[name]) for params in cores]
        rows.append([code(name), _alike(bits), _alike(ranges), text_of.replace("``", "`")])
    return markdown(["field", "bits", "legal", "meaning"], rows)


def _alike(values):
    """One value where all configurations agree, else all of them."""
    return values[0] if len(set(values)) == 1 else ", ".join(map(str, values))


def enum_table(enum, title):
    """Codes of an IntEnum of hdp_hw.spec.settings with their remarks."""
    notes = remarks(settings, enum.__name__)
    return markdown(["code", title, "meaning"], [[x.value, code(x.name), notes.get(x.name, "")] for x in enum])


# -- numerics ---------------------------------------------------------------------------------------------------------
def widths():
    """Widths that HdpParams derives: formula, value in each named configuration, meaning."""
    rows = []
    for name, member in vars(HdpParams).items():
        function = getattr(member, "func", getattr(member, "fget", None))
        if function is None or not name.endswith("_width") or name == "axi_id_width":  # of the memory port
            continue
        formula = re.search(r"return (.*)", inspect.getsource(function))[1].replace("self.", "")
        values = [getattr(params, name) for params in CONFIGS.values()]
        rows.append([code(name), code(formula), *values, inspect.getdoc(member).replace("``", "`")])
    return markdown(["name", "formula", *CONFIGS, "meaning"], rows)


def constants():
    """Constants of hdp_hw.spec.tables for both digit widths."""
    rows = []
    for function in (
        tables.logit_fraction,
        tables.guard,
        tables.exp2_coefficients,
        tables.reciprocal_bits,
        tables.reciprocal_segment_bits,
    ):
        meaning = re.split(r"\.\s|\.$", inspect.getdoc(function))[0]
        rows.append([code(function.__name__), *(function(w) for w in (4, 8)), meaning.replace("``", "`")])
    for name, remark in remarks(tables, None).items():
        rows.append([code(name), *[getattr(tables, name)] * 2, remark])
    return markdown(["name", "w = 4", "w = 8", "meaning"], rows)


def encoder_constants():
    """Constants of hdp_hw.spec.encoder."""
    notes = remarks(encoder, None)
    rows = [[code(name), getattr(encoder, name), notes[name]] for name in notes if hasattr(encoder, name)]
    return markdown(["name", "value", "meaning"], rows)


BOUNDS = {  #: {test: what it bounds}
    "test_exp2_mantissa_within_0_32_percent": "exponential, relative, before its shift",
    "test_exp2_over_the_whole_range": "exponential",
    "test_weight_rounds_the_exponential": "weight P",
    "test_reciprocal_error": "reciprocal, relative",
    "test_requantizer_error": "division and rounding, in LSB of the output",
    "test_mean_score_error": "mean score of the pruned keys",
    "test_probabilities_sum_up_to_one": "sum of a row's probabilities",
    "test_attention_row_error": "row of attention, against float64 on the same scores",
    "test_output_error_against_bits_of_weight": "bits of P",
    "test_worst_tail": "row that the rounding of P hurts most",
    "test_pruned_head": "mean of V",
    "test_word_error": "word of a linear layer, in its LSB",
    "test_activation_error": "activation by table, in LSB of its argument",
    "test_inverse_root_error": "reciprocal square root, relative",
    "test_normalise_error": "normalised element h",
    "test_layer_norm_error": "LayerNorm, in LSB of a word",
}


def bounds():
    """Error bounds, in the words of the tests that hold them."""
    documented = {}
    for name in ("approximation", "attention_core", "encoder_bits"):
        documented |= functions(ROOT / f"tb/model/test_{name}.py")
    documented["test_exp2_mantissa_within_0_32_percent"] = f"{100 * EXP2_ERROR:g} %"
    rows = [[what, " ".join(documented[test].split()), code(test)] for test, what in BOUNDS.items()]
    return markdown(["what", "bound", "test"], rows)


def row_errors():
    """Errors of a row of attention."""
    rows = [[w, n, *errors] for (w, n), errors in ROW_ERROR.items()]
    return markdown(["w", "keys", "largest error, LSB", "root mean square, LSB"], rows)


def head_errors():
    """Errors of a head against float64."""
    return markdown(["w", "n", "dense", "all blocks kept", "causal"], HEAD_ERROR)


# -- architecture -----------------------------------------------------------------------------------------------------
def latencies():
    """Clock cycles of hdp_hw.spec.timing."""
    rows = [
        [code(name), *[getattr(timing, name)] * len(CONFIGS), remark] for name, remark in remarks(timing, None).items()
    ]
    described = re.sub(r"\s+", " ", inspect.getdoc(timing.CoreLatencies).partition("\n\n")[2])
    meaning = {}
    for entry in described.removesuffix(".").split("; "):
        names, _, what = entry.partition(" : ")
        meaning |= dict.fromkeys(names.split(", "), what)
    of = [timing.core_latencies(params) for params in CONFIGS.values()]
    rows += [[code(name), *(getattr(x, name) for x in of), what] for name, what in meaning.items()]
    return markdown(["name", *CONFIGS, "clock cycles"], rows)


def printed(module):
    """Lines that ``python -m module`` prints."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # more of them wait for each other on a busy machine
    command = [sys.executable, "-m", module]
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()


# -- troubleshooting --------------------------------------------------------------------------------------------------
def cures():
    """Bits of IRQ_STATUS that say that something failed."""
    meaning = {field.name: field.desc for field in BY_NAME["IRQ_STATUS"].fields}
    return markdown(["bit", "what happened", "cure"], [[code(bit), meaning[bit], cure] for bit, cure in CURES.items()])


# -- verification -----------------------------------------------------------------------------------------------------
def benches():
    """Blocks, each with its bench, its golden twin and the number of faults that the bench must notice."""
    faults, bench_of = Counter(fault["file"] for fault in FAULTS), {fault["file"]: fault["bench"] for fault in FAULTS}
    rows = []
    for folder in BLOCK_FOLDERS:
        for path in sorted((ROOT / "hdp_hw" / "rtl" / folder).glob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            for name, documented in components(path):
                twin = re.search(r"Golden twins?:?\s[^.]*?((?:golden|hdp_hw)(?:\.\w+)+)", documented)
                rows.append(
                    [linked(file, name), linked(bench_of_block(path)), code(twin and twin[1]), faults.pop(file, 0)]
                )
    rows += [[linked(file), linked(f"{bench_of[file].replace('.', '/')}.py"), "", n] for file, n in faults.items()]
    return markdown(["block", "bench", "golden twin", "planted faults"], rows)


def bench_of_block(path):
    """Path of the bench of a block's file, from the root."""
    places = (f"tb/{where}/test_{path.stem}.py" for where in (f"unit/{path.parent.name}", "system"))
    return next((place for place in places if (ROOT / place).exists()), "")


def components(path):
    """``[(name, docstring)]`` of the public components in a file."""
    classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    classes = [node for node in classes if any("Component" in ast.unparse(base) for base in node.bases)]
    return [(node.name, ast.get_docstring(node)) for node in classes if not node.name.startswith("_")]


def functions(path):
    """``{name: docstring}`` of a file's functions."""
    nodes = ast.parse(path.read_text()).body
    return {node.name: ast.get_docstring(node) or "" for node in nodes if isinstance(node, ast.FunctionDef)}


def linked(file="", name=None):
    """Link to a file from a page of ``docs/``."""
    return f"[{name or Path(file).name}](../{file})" if file else ""


def model_tests():
    """Test files that need no simulator, with their first lines."""
    rows = []
    for path in sorted((ROOT / "tb" / "model").glob("test_*.py")):
        what = ast.get_docstring(ast.parse(path.read_text())).partition("\n")[0]
        rows.append([linked(path.relative_to(ROOT).as_posix()), what])
    return markdown(["file", "what"], rows)


def system_tests():
    """cocotb tests of the whole core, with their docstrings."""
    rows = []
    for node in ast.parse((ROOT / "tb/system/test_attention_core.py").read_text()).body:
        if isinstance(node, ast.AsyncFunctionDef) and node.decorator_list:
            rows.append([code(node.name), " ".join((ast.get_docstring(node) or "").split())])
    return markdown(["test", "what"], rows)


# -- synthesis --------------------------------------------------------------------------------------------------------
def synthesised():
    """Resources and clock of configurations, of the published records."""
    return markdown(published.CONFIG_TITLES, published.config_rows(published.read(DOCS / "synthesis.json")))


def array_sizes():
    """Arrays of several sizes, of the published records."""
    return markdown(published.SIZE_TITLES, published.size_rows(published.read(DOCS / "synthesis.json")))


def pruning_area():
    """Work per LUT of configurations with and without predictor, of the published records, and what others publish."""
    records = published.of_cores(published.read(DOCS / "synthesis.json"))
    results, costs = area.compare([(name, CONFIGS[name]) for name in area.DEFAULT_CONFIGS], records)
    titles, *rows = area.table(results)
    return [*markdown(titles, rows), "", *(f"- {line}" for line in costs)]


# -- encoder ----------------------------------------------------------------------------------------------------------
NORM_MEANINGS = {
    "rows": "Rows, up to MAX_SEQ_LEN.",
    "features": "Elements of a row, at least 2.",
    "a": "Factor of x.",
    "b": "Factor of y; with 0 y is not read.",
    "epsilon": "Added to n^2 variance.",
    "rms": "The mean is taken for 0.",
    "pre_norm": "The words are the sum r, not the normalised z.",
    "words": "Rows of words are written.",
    "operands": "Rows of digit planes are written.",
    "shift": "Behind gamma of the word, 8 to 15.",
    "operand_shift": "Behind gamma of the operand, 8 to 15.",
} | {
    f"{name}_row_stride": f"Bytes between rows of {of}."
    for name, of in {"x": "x", "y": "y", "words": "words", "planes": "either digit plane"}.items()
} | {
    f"{name}_address": f"Address of {of}."
    for name, of in {
        "x": "x",
        "y": "y",
        "scales": "the scales",
        "words": "the words",
        "integer": "the plane of integer digits",
        "fraction": "the plane of fraction digits",
    }.items()
}  # fmt: skip


def norm_fields():
    """Fields of a norm's descriptor: where they lie in its words of 64 bits, and what they mean."""
    rows, low = [], 0
    for name, width in formats.NORM_FIELDS.items():
        word, first = divmod(low, 64)
        if not name.startswith("reserved"):
            bits = f"{first + width - 1}:{first}" if width > 1 else first
            rows.append([word, bits, code(name), NORM_MEANINGS[name]])
        low += width
    return markdown(["word", "bits", "field", "meaning"], rows)


# -- all of them ------------------------------------------------------------------------------------------------------
PARTS = {  #: {file: {name: function that returns lines}}
    "integration.md": {
        "top_ports": top_ports,
        "ports": ports,
        "settings": settings_table,
        "verdicts": lambda: enum_table(settings.Verdict, "verdict"),
        "errors": lambda: enum_table(settings.HeadError, "error"),
    },
    "numerics.md": {
        "widths": widths,
        "constants": constants,
        "encoder_constants": encoder_constants,
        "report": lambda: printed("hdp_hw.study.pruning_error"),
        "bounds": bounds,
        "row_errors": row_errors,
        "head_errors": head_errors,
    },
    "encoder.md": {"norm_fields": norm_fields},
    "architecture.md": {"latencies": latencies, "bubbles": lambda: ["```", *printed("hdp_hw.study.timeline"), "```"]},
    "troubleshooting.md": {"cures": cures},
    "verification.md": {"benches": benches, "system": system_tests, "model": model_tests},
    "synthesis.md": {"configurations": synthesised, "sizes": array_sizes, "area": pruning_area},
}
PICTURES = {
    "images/schedule.svg": timeline.draw,
    "images/handshake.svg": handshake,
    "images/job.svg": job,
}  #: {file: function}


def part_of(content, name):
    """``(before, lines, after)`` of a part in a file's text. ValueError unless its markers stand there once."""
    pattern = rf"(.*<!-- {name}:begin -->\n)(.*)(<!-- {name}:end -->\n.*)"
    match = re.fullmatch(pattern, content, re.S)
    if not match or content.count(f"<!-- {name}:") != 2:
        raise ValueError(f"no single <!-- {name}:begin --> ... <!-- {name}:end -->")
    return match[1], match[2].splitlines(), match[3]


def main():
    warnings.simplefilter("ignore", UnusedElaboratable)  # of components whose ports alone are asked for
    for file, parts in PARTS.items():
        path = DOCS / file
        content = path.read_text()
        for name, make in parts.items():
            before, _, after = part_of(content, name)
            content = before + "\n".join(make()) + "\n" + after
        path.write_text(content)
    for file, make in PICTURES.items():
        (DOCS / file).write_text(make())
    return 0


if __name__ == "__main__":
    sys.exit(main())
