"""A component's Verilog under Icarus, its input streams played from files by a small test bench in Verilog."""

import shutil
import subprocess
import time
from pathlib import Path

from hdp_hw.driver.errors import SimulationError, SimulatorMissing
from hdp_hw.simulation.streams import stored_bytes
from hdp_hw.spec.output_file import write


def play(model, beats, until, n_beats, timeout, folder):
    """Offer ``beats`` without stalls until the output ``until`` has had ``n_beats`` beats.

    Parameters
    ----------
    model : hdp_hw.simulation.compiled_model.CompiledModel
    beats, until, n_beats, timeout
        As for ``model.run``.
    folder : pathlib.Path
        For the Verilog, the beats and the simulation.

    Returns
    -------
    cycles : list of int
        Clock cycle of each of the beats; fewer than ``n_beats`` when ``timeout`` clock cycles passed before.
    seconds : float
        From clock cycle 0 to the last beat.

    Raises
    ------
    SimulatorMissing, SimulationError
    """
    for program in ("iverilog", "vvp"):
        if not shutil.which(program):
            raise SimulatorMissing(f"Icarus is not installed ({program}): apt-get install iverilog")
    folder = Path(folder)
    write(folder / f"{model.name}.v", model.verilog)
    for name, ports in model.inputs.items():
        words = (beat.tobytes()[::-1].hex() for beat in ports.encode(beats[name]))  # highest byte first
        write(folder / f"{name}.hex", "".join(f"{word}\n" for word in words))
    lengths = {name: len(beats[name]) for name in model.inputs}
    write(folder / "bench.v", _bench(model, lengths, until, n_beats, timeout))
    command = ["iverilog", "-g2005", "-o", "bench.vvp", "bench.v", f"{model.name}.v"]
    subprocess.run(command, cwd=folder, check=True)
    cycles, times = [], []
    with subprocess.Popen(["vvp", "-n", "bench.vvp"], cwd=folder, stdout=subprocess.PIPE, text=True) as vvp:
        for line in vvp.stdout:  # `start`, then the clock cycle of each beat
            times.append(time.perf_counter())
            cycles += [int(word) for word in line.split()[1:]]
    if vvp.returncode or not times:
        raise SimulationError(f"vvp in {folder} ended with code {vvp.returncode}")
    return cycles, times[-1] - times[0]


def _bench(model, lengths, until, n_beats, timeout):
    """Text of the test bench; its clock cycle 0 is the one in which the first beats are offered."""
    ready = [f".{name}_ready(1'b1)" for name, ports in model.outputs.items() if ports.has_ready]
    valid = f"{until}_valid" if model.outputs[until].has_valid else until
    connections = [".aclk(aclk)", ".aresetn(aresetn)", *ready, f".{valid}(beat)"]
    players = []
    for name, ports in model.inputs.items():
        n = lengths[name]
        players.append(f"""\
  reg [{8 * ports.beat_bytes - 1}:0] {name} [0:{n - 1}];
  integer {name}_next = 0;
  wire [{8 * ports.beat_bytes - 1}:0] {name}_beat = {name}[{name}_next];
  wire {name}_valid = aresetn && {name}_next < {n};
  wire {name}_ready;
  initial $readmemh("{name}.hex", {name});
  always @(posedge aclk) if ({name}_valid && {name}_ready) {name}_next <= {name}_next + 1;
""")
        connections += [f".{name}_{side}({name}_{side})" for side in ("valid", "ready")]
        lowest = 0
        for field, width in ports.fields.items():
            connections.append(f".{name}_{field}({name}_beat[{lowest + width - 1}:{lowest}])")
            lowest += 8 * stored_bytes(width)
    return f"""\
module bench;
  reg aclk = 0, aresetn = 0;
  wire beat;
  integer cycle = -3, n_beats = 0;
  always #5 aclk = !aclk;
  always @(posedge aclk) begin
    cycle <= cycle + 1;
    aresetn <= cycle >= -1;
    if (cycle == 0) $display("start");
    if (cycle >= 0 && beat) begin
      $display("beat %0d", cycle);
      n_beats = n_beats + 1;
    end
    $fflush;
    if (n_beats == {n_beats} || cycle == {timeout}) $finish;
  end
{"".join(players)}  {model.name} dut ({", ".join(connections)});
endmodule
"""
