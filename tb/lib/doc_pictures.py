"""Pictures of the documentation that simulations draw: the example of integration.md, and a job of hdp_top."""

import re
import tempfile
from pathlib import Path

from hdp_hw.deliver.packaging.self_test import self_test
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.rtl.verilog import ports_of, to_verilog
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.waves import draw, run_icarus, traced, tracing

DOCS = Path(__file__).resolve().parents[2] / "docs"


# -- the example of integration.md ------------------------------------------------------------------------------------
def example():
    """The Verilog module that integration.md shows."""
    return re.search(r"```verilog\n(.*?)```", (DOCS / "integration.md").read_text(), re.S)[1]


def lowest(value):
    """Text of the lowest element of a beat."""
    return str(value & 255)


def address(value):
    """Text of the lowest digits of an address."""
    return f"{value & 0xFFF:03x}"


CORE_PORTS = (
    *("i_settings_valid", "i_settings_ready"),
    *("i_integer_valid", "i_integer_ready", "i_integer_key", "i_integer_last"),
    *("i_value_valid", "i_value_ready", "i_value_data", "i_value_last"),
    *("o_valid", "o_data", "o_last", "o_status_valid"),
)
CORE_BUSES = {"i_value_data": ("i_value_valid", lowest), "o_data": ("o_valid", lowest)}
BENCH = f"""
module bench;
    reg aclk = 1, aresetn = 0;
    wire [7:0] o_data;
    wire o_valid, finished;
    wire [2:0] error;
    attention_example example (aclk, aresetn, o_data, o_valid, finished, error);
    always #5 aclk = !aclk;
    initial begin
        #30 aresetn <= 1;
        #5000 $display("never finished");
        $finish;
    end
    always @(posedge aclk) if (aresetn) begin
        {tracing(CORE_PORTS, "example.core")}
        if (finished) begin
            $display("error %d", error);
            $finish;
        end
    end
endmodule
"""


def run_example(folder):
    """``[{port: value}]`` of CORE_PORTS in each clock cycle after the reset: the example, run by Icarus.

    The Verilog is left in ``folder``: ``hdp_core.v``, ``example.v`` and ``bench.v``.
    """
    core = to_verilog(AttentionCore(CONFIGS["tiny"]), "hdp_core")
    *lines, end = run_icarus(Path(folder), ["bench"], {"hdp_core": core, "example": example(), "bench": BENCH})
    if end.split() != ["error", "0"]:
        raise RuntimeError(f"the example ended with: {end}")
    return [traced(CORE_PORTS, printed) for printed in lines]


def handshake():
    """Text of the picture of the example's handshakes."""
    with tempfile.TemporaryDirectory() as folder:
        return draw_handshake(run_example(folder))


def draw_handshake(trace):
    """The same of its trace: the beginning, the first output, the end."""
    begin = next(
        index for index, values in enumerate(trace) if values["i_settings_valid"] and values["i_settings_ready"]
    )
    loaded = max(index for index, values in enumerate(trace) if values["i_value_valid"]) - begin
    output = next(index for index, values in enumerate(trace) if values["o_valid"]) - begin
    end = len(trace) - begin
    windows = range(loaded + 2), range(output - 1, output + 2), range(end - 5, end)
    return draw("Handshakes of one small head", trace, CORE_PORTS, CORE_BUSES, windows, begin)


# -- the self-test of hdp_top -----------------------------------------------------------------------------------------
TOP_PORTS = (
    *("s_axil_awvalid", "s_axil_awready", "s_axil_awaddr", "s_axil_wvalid", "s_axil_wready", "s_axil_wdata"),
    *("s_axil_bvalid", "m_axi_arvalid", "m_axi_arready", "m_axi_araddr", "m_axi_arlen", "m_axi_rvalid", "m_axi_rlast"),
    *("m_axi_wvalid", "m_axi_wready", "m_axi_wlast", "m_axi_bvalid", "irq"),
    *("s_axil_arvalid", "s_axil_rvalid", "s_axil_rdata"),
)
TOP_BUSES = {
    "s_axil_awaddr": ("s_axil_awvalid", address),
    "s_axil_wdata": ("s_axil_wvalid", str),
    "m_axi_araddr": ("m_axi_arvalid", address),
    "m_axi_arlen": ("m_axi_arvalid", str),
    "s_axil_rdata": ("s_axil_rvalid", str),
}
TRACE = f"module trace; always @(posedge hdp_top_tb.aclk) {tracing(TOP_PORTS, 'hdp_top_tb')} endmodule\n"


def job():
    """Text of the picture of a job: its start, its first burst, its end. From the self-test that is generated."""
    params = CONFIGS["tiny"]
    top = HdpTop(params)
    files = {"hdp_top": to_verilog(top, "hdp_top"), "bench": self_test("tiny", params, ports_of(top)), "trace": TRACE}
    with tempfile.TemporaryDirectory() as folder:
        *lines, end = run_icarus(Path(folder), ["hdp_top_tb", "trace"], files)
    if end != "PASSED":
        raise RuntimeError(f"the self-test ended with: {end}")
    trace = [traced(TOP_PORTS, printed) for printed in lines]
    control = BY_NAME["CONTROL"].address
    start = max(i for i, row in enumerate(trace) if row["s_axil_awvalid"] and row["s_axil_awaddr"] == control)
    burst = next(i for i, row in enumerate(trace) if row["m_axi_arvalid"]) - start
    written = max(i for i, row in enumerate(trace) if row["m_axi_bvalid"]) - start
    interrupt = next(i for i, row in enumerate(trace) if row["irq"]) - start
    windows = range(-1, 5), range(burst - 1, burst + 6), range(written - 3, written + 2)
    windows += (range(interrupt - 1, interrupt + 5),)
    return draw("A job of hdp_top", trace, TOP_PORTS, TOP_BUSES, windows, start)
