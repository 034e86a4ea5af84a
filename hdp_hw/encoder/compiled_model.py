"""A compiled model on a co-processor: words of embeddings in, words of hidden states out, by one start."""

import numpy as np

from hdp_hw.driver.bus_backend import BusBackend
from hdp_hw.encoder.image import Image
from hdp_hw.spec.encoder import WORD_WIDTH
from hdp_hw.spec.formats import DESCRIPTOR_BYTES
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.registers import WORD_BYTES

JOB_BASE = BY_NAME["JOB_ID"].address
JOB_REGISTERS = [register for register in REGISTERS if register.group in ("job", "encoder")]


class CompiledModel:
    """An Image in the memory of a co-processor.

    Parameters
    ----------
    image : Image
    backend : BusBackend
        Of a simulation, of a board, or of a :class:`hdp_hw.driver.emulated_bus.EmulatedBus`.

    Attributes
    ----------
    counters : dict
        ``{counter: count}`` of the last inference.

    Raises
    ------
    ImageError
        The image is for another core.
    ParameterError
        The memory is too small, or at an illegal address.
    """

    def __init__(self, image: Image, backend: BusBackend) -> None:
        self.image, self.backend, self.counters = image, backend, dict[str, int]()
        image.check(backend.params)
        backend.check_buffer(image.header["memory_bytes"], "this model")
        backend.prepare()
        self._content = image.at(backend.bus.memory.address)
        backend.bus.memory.write(0, self._content)

    def __call__(self, words: np.ndarray) -> np.ndarray:
        """Words of hidden states [n, features] of words of embeddings, likewise.

        They are [1, features], the first row alone, of a model of which nothing else is read. Raises ParameterError,
        HdpError.
        """
        of, memory = self.image.header, self.backend.bus.memory
        words = self._checked(words)
        n, chain = len(words), self.image.chain_of(len(words))
        self.backend.prepare()
        rows = np.zeros((chain["tokens"], of["rows_stride"]), np.uint8)
        rows[:n, : 2 * of["features"]] = words.astype("<i2").view(np.uint8)
        memory.write(of["rows"], rows.reshape(-1))
        unused = np.zeros((chain["tokens"] - n) * of["context_stride"], np.uint8)
        for plane in ("context_integer", "context_fraction"):
            memory.write(of[plane] + n * of["context_stride"], unused)
        self._set_length(chain, n)
        first = self._content[chain["first"] :][:DESCRIPTOR_BYTES].view("<u4")
        registers = {each.name: int(first[(each.address - JOB_BASE) // WORD_BYTES]) for each in JOB_REGISTERS}
        self.counters = self.backend.execute(registers, f"a model's {chain['jobs']} jobs")
        n_results = of["results"] or n
        results = memory.read(of["rows"], n_results * of["rows_stride"]).reshape(n_results, -1)
        return np.ascontiguousarray(results[:, : 2 * of["features"]]).view("<i2").astype(np.int64)

    def _checked(self, words: np.ndarray) -> np.ndarray:
        limit = 1 << (WORD_WIDTH - 1)
        if words.ndim != 2 or words.shape[1] != self.image.header["features"] or words.dtype.kind not in "iu":
            legal = f"integers (n, {self.image.header['features']})"
            raise ParameterError("words", f"{words.dtype} {words.shape}", legal)
        if words.size and not -limit <= words.min() <= words.max() < limit:
            raise ParameterError("words", f"{words.min()} to {words.max()}", f"{-limit} to {limit - 1}")
        return words

    def _set_length(self, chain: dict[str, int], n: int) -> None:
        """The number of tokens to the attention jobs of a chain."""
        memory = self.backend.bus.memory
        for job in self.image.attention(chain):
            place = slice(job["descriptor"], job["descriptor"] + DESCRIPTOR_BYTES)
            words = self._content[place].view("<u4")
            table = memory.address + job["table"] + (n - 1) * job["table_stride"]
            changes = {"N_K": n, "TABLE_LOW": table & 0xFFFFFFFF, "TABLE_HIGH": table >> 32}
            for name, word in (changes | ({"N_Q": n} if job["queries"] else {})).items():
                words[(BY_NAME[name].address - JOB_BASE) // WORD_BYTES] = word
            memory.write(place.start, self._content[place])
