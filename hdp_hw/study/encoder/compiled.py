"""hdp-hw compile: a model to an image, and the clock cycles of its jobs on the emulator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hdp_hw.driver.bus_backend import BusBackend
from hdp_hw.driver.driver import MODES
from hdp_hw.driver.emulated_bus import EmulatedBus
from hdp_hw.encoder.compile import check, compile_model
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.encoder.image import Image
from hdp_hw.encoder.model import IntegerModel
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.study.accuracy.calibrate import Workplace
from hdp_hw.study.bench.records import aligned
from hdp_hw.study.encoder.calibrate import calibrate, separate
from hdp_hw.study.encoder.folder import write_folder
from hdp_hw.study.encoder.integer import words_of
from hdp_hw.study.models import find_model
from hdp_hw.study.models.folder import open_folder

KINDS = ("linear", "attention", "norm")  #: of jobs; a norm beside another job is part of that
SHORTEST = 16  #: tokens of the chain for the shortest inputs, unless others are asked for


class Emulated:
    """A CompiledModel on the emulator. kinds : ``{kind of job: [counters of each]}`` of the last inference."""

    def __init__(self, image: Image, latency: int, timed: bool = True) -> None:
        self.bus = EmulatedBus(image.params, image.header["memory_bytes"], 0, latency, latency, timed)
        self.compiled = CompiledModel(image, BusBackend(self.bus))

    @property
    def kinds(self) -> dict[str, list[dict[str, int]]]:
        return {kind: [counters for each, counters in self.bus.runs if each == kind] for kind in KINDS}


def busy_ratio(jobs: Sequence[Mapping[str, int]], n_cores: int) -> float:
    """Share of the clock cycles of jobs, by their counters, in which an array works, the mean of the cores."""
    busy = sum(job[f"busy_{mode}"] for job in jobs for mode in MODES)
    return busy / n_cores / sum(job["cycles"] for job in jobs)


def cycle_table(kinds: Mapping[str, Sequence[Mapping[str, int]]], params: HdpParams) -> str:
    """A line for each kind of job, and one for all."""
    rows = [["jobs of", "number", "clock cycles", "array busy", "bytes read", "bytes written"]]
    every = [counters for of_kind in kinds.values() for counters in of_kind]
    for title, jobs in [*kinds.items(), ("all", every)]:
        sums = {name: sum(job[name] for job in jobs) for name in ("cycles", "bytes_read", "bytes_written")}
        share = f"{busy_ratio(jobs, params.n_cores):.1%}" if sums["cycles"] else "-"
        cycles, *n_bytes = map(str, sums.values())
        rows.append([title, str(len(jobs)), cycles, share, *n_bytes])
    return aligned(rows)


@dataclass(frozen=True, eq=False)
class Compilation:
    """What was compiled. kinds : of jobs, ``{kind: [counters]}``, of an inference of the longest chain."""

    place: Workplace
    model: IntegerModel
    image: Image
    kinds: dict[str, list[dict[str, int]]]
    mhz: float

    def text(self) -> str:
        """Tables of bytes and of clock cycles."""
        of, model = self.image.header, self.place.task.model
        encoder = model.encoder
        heads = f"{encoder.n_heads} heads of {encoder.head_dim}, inner layers of {encoder.inner_size}"
        layers = f"{encoder.n_layers} layers of {of['features']} elements"
        lines = [f"{model.name} on {self.place.label}: {layers}, {heads}."]
        rows = [["what memory holds", "bytes"], *([kind, str(n)] for kind, n in self.image.kinds.items())]
        lines += ["", aligned([*rows, ["memory needed", str(of["memory_bytes"])]])]
        chains = ", ".join(f"{chain['tokens']} tokens ({chain['jobs']} jobs)" for chain in self.image.chains)
        lines += ["", f"Chains of jobs for up to {chains}. A predicted inference of {of['max_tokens']} tokens:"]
        cycles = sum(counters["cycles"] for jobs in self.kinds.values() for counters in jobs)
        lines.append(cycle_table(self.kinds, self.place.params))
        return "\n".join([*lines, "", f"At {self.mhz:g} MHz that is {cycles / self.mhz / 1e3:.1f} ms."])

    def write(self, folder: Path, name: str) -> None:
        """The folder of the model that the command line calls ``name``. Raises OSError."""
        cycles = {kind: sum(job["cycles"] for job in jobs) for kind, jobs in self.kinds.items()}
        write_image(folder, self.place, name, self.model, self.image, predicted_cycles=cycles)


def compile_place(
    place: Workplace, tokens: Sequence[int], n_sample: int, latency: int, mhz: float, say: Callable[[str], None]
) -> Compilation:
    """Compilation of a Workplace's model.

    tokens : as :func:`compile_model` takes them, :func:`lengths` if there are none; n_sample, latency, mhz : as on the
    command line. Raises ParameterError, which says what would take the model.
    """
    encoder = place.task.model.encoder
    inputs, _ = separate(place.task, n_sample, place.seed)
    say(f"calibration: {len(inputs)} inputs")
    model = calibrate(encoder, inputs, place.layers).model
    longest = max(place.task.inputs, key=encoder.seq_len)
    image = image_of(place, model, tokens or lengths(encoder.seq_len(longest), encoder.layout.images))
    say(f"prediction: {image.header['max_tokens']} tokens")
    emulated = Emulated(image, latency)
    emulated.compiled(words_of(encoder.embed(longest), model.embedding_unit)[: image.header["max_tokens"]])
    return Compilation(place, model, image, emulated.kinds, mhz)


def image_of(place: Workplace, model: IntegerModel, tokens: Sequence[int]) -> Image:
    """Image of a Workplace's model in integers. Raises ParameterError, which says what would take the model."""
    try:
        check(model, place.params, tokens)
    except ParameterError as error:
        takes = [name for name, params in CONFIGS.items() if fits(model, params, tokens)]
        hint = f"; {place.task.model.name} fits {', '.join(takes)}" if takes else "; no named configuration takes it"
        raise ParameterError(error.name, error.value, error.legal + hint) from None
    return compile_model(model, place.params, tokens)


def write_image(folder: Path, place: Workplace, name: str, model: IntegerModel, image: Image, **facts: Any) -> None:
    """Write the folder of a Workplace's model, which the command line calls ``name``. Raises OSError."""
    facts |= {"core": place.label, "data": place.task.describe()}
    write_folder(folder, image, place.task.model, open_folder(find_model(name)), model, facts)


def fits(model: IntegerModel, params: HdpParams, tokens: Sequence[int]) -> bool:
    """Whether a core with ``params``, and with linear layers, takes a model."""
    try:
        check(model, replace(params, encoder=1), tokens)
    except ParameterError:
        return False
    return True


def lengths(longest: int, images: bool) -> list[int]:
    """Numbers of tokens of chains: the most, half as many, and so on; of images, which have one length, one."""
    found = [longest]
    while found[-1] > SHORTEST and not images:
        found.append((found[-1] + 1) // 2)
    return found
