"""A co-processor that this machine sees in its address space: Linux UIO or /dev/mem, with a contiguous buffer.

Buffers come from u-dma-buf (https://github.com/ikwzm/udmabuf) or from PYNQ's ``allocate``.
"""

import mmap
import os
import select
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hdp_hw.driver.backend import Memory
from hdp_hw.driver.checks import number, whole
from hdp_hw.driver.errors import HdpError
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.register_map import BY_NAME

Bytes = NDArray[np.uint8]
REGISTER_BYTES = 4096
SYSFS = ("/sys/class/u-dma-buf", "/sys/class/udmabuf")  #: where the newer and the older u-dma-buf has its attributes


class ArrayMemory:
    """A buffer that this process sees as an array.

    Parameters
    ----------
    array : uint8 [size]
    address : int
        Where the co-processor sees its first byte.
    flush, invalidate : function
        What makes the processor's writes visible to the co-processor, and the reverse; nothing if caches do not matter.
    """

    def __init__(
        self,
        array: Bytes,
        address: int,
        flush: Callable[[], Any] | None = None,
        invalidate: Callable[[], Any] | None = None,
    ) -> None:
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 1:
            found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else array
            raise ParameterError("array", found, "a uint8 array [size]")
        whole("address", address, 0)
        self.array, self.address, self.size = array, address, len(array)
        self._flush, self._invalidate = flush, invalidate

    @classmethod
    def pynq(cls, buffer: Any) -> "ArrayMemory":
        """Of a ``pynq.allocate(n_bytes, "u1")``."""
        return cls(
            np.asarray(buffer).reshape(-1).view(np.uint8), buffer.device_address, buffer.flush, buffer.invalidate
        )

    @classmethod
    def u_dma_buf(cls, name: str = "udmabuf0", sysfs: Iterable[str] = SYSFS, dev: str | Path = "/dev") -> "ArrayMemory":
        """All of the device ``/dev/<name>``, not cached (O_SYNC). Raises HdpError where there is no such device."""
        folder = next((Path(place, name) for place in sysfs if Path(place, name).is_dir()), None)
        if folder is None:
            raise HdpError(f"no {name} in {' or '.join(sysfs)}: load u-dma-buf with {name}=<bytes>")
        size = int((folder / "size").read_text(encoding="utf-8"))
        return cls(_map(Path(dev, name), size), int((folder / "phys_addr").read_text(encoding="utf-8"), 16))

    def write(self, offset: int, content: Bytes) -> None:
        """See :class:`hdp_hw.driver.backend.Memory`."""
        self.array[offset : offset + len(content)] = content
        if self._flush:
            self._flush()

    def read(self, offset: int, n_bytes: int) -> Bytes:
        """See :class:`hdp_hw.driver.backend.Memory`."""
        if self._invalidate:
            self._invalidate()
        return self.array[offset : offset + n_bytes].copy()


class MemoryMapped:
    """A :class:`hdp_hw.driver.backend.Bus` of mapped registers.

    Parameters
    ----------
    registers : uint32 array
        The 4 KiB of the register map.
    memory : Memory
    interrupt : file descriptor
        A UIO device: writing 1 enables its interrupt, and reading takes note of one. Without it IRQ_STATUS is polled.
    poll_seconds : float
        Time between two looks at IRQ_STATUS.
    """

    def __init__(
        self, registers: Any, memory: Memory, interrupt: int | None = None, poll_seconds: float = 0.0005
    ) -> None:
        number("poll_seconds", poll_seconds, 0, unit="seconds")
        self.registers, self.memory = registers, memory
        self._interrupt, self._poll_seconds = interrupt, poll_seconds

    @classmethod
    def uio(cls, device: str | Path, memory: Memory) -> "MemoryMapped":
        """Of ``/dev/uio<N>`` whose first map is the register map."""
        registers = _map(device, REGISTER_BYTES).view("<u4")
        return cls(registers, memory, os.open(device, os.O_RDWR))

    @classmethod
    def physical(cls, address: int, memory: Memory, device: str | Path = "/dev/mem") -> "MemoryMapped":
        """Of the register map at a physical address; polled."""
        return cls(_map(device, REGISTER_BYTES, address).view("<u4"), memory)

    def read32(self, address: int) -> int:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        return int(self.registers[address // 4])

    def write32(self, address: int, value: int) -> None:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        self.registers[address // 4] = value

    def wait(self, seconds: float) -> bool:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        if self._interrupt is not None:
            os.write(self._interrupt, (1).to_bytes(4, "little"))
            ready, _, _ = select.select([self._interrupt], [], [], seconds)
            if ready:
                os.read(self._interrupt, 4)
            return bool(ready)
        enabled, status = (BY_NAME[name].address for name in ("IRQ_ENABLE", "IRQ_STATUS"))
        deadline = time.monotonic() + seconds
        while not self.read32(status) & self.read32(enabled):
            if time.monotonic() > deadline:
                return False
            time.sleep(self._poll_seconds)
        return True


def _map(device: str | Path, n_bytes: int, offset: int = 0) -> Bytes:
    """uint8 [n_bytes] of a device file, shared and not cached."""
    descriptor = os.open(device, os.O_RDWR | os.O_SYNC)
    try:
        return np.frombuffer(mmap.mmap(descriptor, n_bytes, offset=offset), np.uint8)
    finally:
        os.close(descriptor)
