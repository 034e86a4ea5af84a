"""What a back end is: the job that it takes, the run that it returns, and the bus below those that program registers.

There are two levels. A *Backend* runs whole jobs; the driver knows nothing else. One of them,
:class:`hdp_hw.driver.bus_backend.BusBackend`, programs registers through a *Bus*, whatever that is: memory-mapped, a
simulation, a serial line.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hdp_hw.driver.norm_job import NormJob, NormRun
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.register_map import REGISTERS
from hdp_hw.spec.settings import HeadSettings, Verdict

#: Counters of the register map, in lower case.
COUNTERS = tuple(
    register.name.removesuffix("_LOW").lower()
    for register in REGISTERS
    if register.group == "counters" and register.name.endswith("_LOW")
)


@dataclass(frozen=True, eq=False)
class LayerJob:
    """One attention layer in integers, or part of a linear layer, whose heads are blocks of output channels.

    q : int64 [n_heads, n_q, d]; k, v : int64 [n_kv_heads, n_k, d]; of 2w bits. Of a linear layer: q the rows
    [1, n_q, d], k the weights of each block of channels, v their scales [n_heads, n_k, SCALES_BYTES], bytes.
    settings : HeadSettings of each query head, alike but for scales and thresholds.
    timeout_cycles : clock cycles after which the co-processor gives up, 0 for never.
    table : int64 [2^SEGMENT_BITS, 2], of a linear layer's activation TABLE.
    planes : the results lie in memory as digit planes, which saturate at +- digit_max, for the job that reads them.
    chain : address of the descriptor of the job that follows, 0 for none; the run ends with the last one's end.
    norm : what runs beside the heads, if there are any: see :meth:`of_norm`.
    """

    q: NDArray[np.int64]
    k: NDArray[np.int64]
    v: NDArray[np.int64]
    settings: tuple[HeadSettings, ...]
    timeout_cycles: int = 0
    table: NDArray[np.int64] | None = None
    planes: bool = False
    chain: int = 0
    norm: NormJob | None = None

    @classmethod
    def of_norm(cls, norm: NormJob, timeout_cycles: int = 0, chain: int = 0) -> "LayerJob":
        """The job of a norm alone."""
        none = np.zeros((0, 0, 0), np.int64)
        return cls(none, none, none, (), timeout_cycles, chain=chain, norm=norm)

    @property
    def linear(self) -> bool:
        """It is part of a linear layer."""
        return bool(self.settings) and self.settings[0].linear

    @property
    def has_table(self) -> bool:
        """Heads differ, so that their scales and thresholds come from a table."""
        return len(set(self.settings)) > 1


class HeadRecord(NamedTuple):
    """What became of a head; blocks as in :class:`golden.bits.core.attention_core.HeadResult`."""

    verdict: Verdict
    n_visited: int
    n_kept: int
    theta_head: int


@dataclass(frozen=True, eq=False)
class LayerRun:
    """What a job produced.

    output : int64 [n_heads, n_q, d], of 2w bits, or of a linear layer [n_q, n_heads * n_k], operands or words;
    heads : HeadRecord of each; counters : ``{name: count}`` of COUNTERS, of this job alone, as far as the back end
    knows them; norm : NormRun of the job's norm.
    """

    output: NDArray[np.int64]
    heads: tuple[HeadRecord, ...]
    counters: dict[str, int]
    norm: NormRun | None = None


class Backend(Protocol):
    """Runs jobs on something with ``params``."""

    params: HdpParams

    def run(self, job: LayerJob) -> LayerRun:
        """Run one job to its end. Raises HdpError."""
        ...


class Memory(Protocol):
    """A contiguous buffer that both sides see; the co-processor finds its first byte at ``address``."""

    @property
    def address(self) -> int:
        """Of the first byte, as the co-processor sees it."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def write(self, offset: int, content: NDArray[np.uint8]) -> None:
        """Put uint8 [n] at ``offset``, so that the co-processor sees it from now on."""
        ...

    def read(self, offset: int, n_bytes: int) -> NDArray[np.uint8]:
        """uint8 [n_bytes] as the co-processor left them."""
        ...


class Bus(Protocol):
    """Registers, a buffer and an interrupt; addresses are those of the register map.

    On the other side time passes in :meth:`wait`; a simulation may stand still in between.
    """

    @property
    def memory(self) -> Memory:
        """The buffer."""
        ...

    def read32(self, address: int) -> int:
        """The register at ``address``."""
        ...

    def write32(self, address: int, value: int) -> None:
        """Write all of the register at ``address``."""
        ...

    def wait(self, seconds: float) -> bool:
        """Return when ``irq`` is high, or after ``seconds``; whether it is high. It may also return for no reason."""
        ...
