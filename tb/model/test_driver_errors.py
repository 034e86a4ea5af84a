"""What the driver, its back ends and simulations refuse: one ParameterError each, in the units of who calls them."""

import numpy as np
import pytest

from hdp_hw.driver import ArrayMemory, Emulator, HdpDriver, LayerSettings, MemoryMapped, Monitor
from hdp_hw.driver.bus_backend import BusBackend
from hdp_hw.driver.checks import number, params_of, whole
from hdp_hw.driver.serial_link import SerialBus, SerialLink
from hdp_hw.driver.trace import draw_masks, layer_masks
from hdp_hw.simulation import MemoryTiming, SimulatedBus, Simulation
from hdp_hw.simulation.compiled_model import Stalls
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams, ParameterError

TINY = CONFIGS["tiny"]
LAYER = LayerSettings(1.0, 1.0, 1.0)
X = np.zeros((2, 4, 32), np.float32)


def attend(q=X, k=X, v=X, layer=LAYER):
    return HdpDriver(Emulator("tiny")).attend(q, k, v, layer)


def with_one(value):
    changed = X.copy()
    changed[1, 2, 3] = value
    return changed


def ragged():
    return [[[1.0, 2.0], [3.0]]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Emulator(read_latency=0), "read_latency = 0 is not legal; legal: at least 1"),
        (lambda: Emulator(write_latency=-1), "write_latency = -1 is not legal; legal: at least 1"),
        (lambda: Emulator(read_latency=1.5), "read_latency = 1.5 is not legal; legal: a whole number, at least 1"),
        (lambda: Emulator(read_latency="4"), "read_latency = '4' is not legal; legal: a whole number"),
        (lambda: Emulator(read_latency=True), "read_latency = True is not legal; legal: a whole number"),
        (lambda: Emulator(None), "config = None is not legal; legal: tiny, edge, large, server, paper, a path"),
        (lambda: Emulator(3), "config = 3 is not legal; legal: tiny, edge, large, server, paper"),
        (lambda: Emulator({"tile": 2}), "config = {'tile': 2} is not legal"),
        (lambda: Simulation(3), "config = 3 is not legal; legal: tiny, edge, large, server, paper"),
        (lambda: HdpDriver(config=3), "config = 3 is not legal; legal: tiny, edge, large, server, paper"),
        (lambda: HdpDriver(config="huge"), "CONFIG = 'huge' is not legal; legal: tiny, edge, large, server, paper"),
        (lambda: HdpDriver("hardware"), "backend = 'hardware' is not legal; legal: emulator, simulation or a Backend"),
        (lambda: HdpDriver(None), "backend = None is not legal; legal: emulator, simulation or a Backend"),
        (lambda: HdpDriver(monitor=3), "monitor = 3 is not legal; legal: a Monitor, or None"),
        (lambda: MemoryTiming(0), "read_latency = 0 is not legal; legal: at least 1"),
        (lambda: MemoryTiming(1, -1), "write_latency = -1 is not legal; legal: at least 1"),
        (lambda: MemoryTiming(2.5), "read_latency = 2.5 is not legal; legal: a whole number, at least 1"),
        (lambda: MemoryTiming(ar=1.5), "ar = 1.5 is not legal; legal: 0 to 1"),
        (lambda: MemoryTiming(b=float("nan")), "b = nan is not legal; legal: 0 to 1"),
        (lambda: MemoryTiming(w="0"), "w = '0' is not legal; legal: a number, 0 to 1"),
        (lambda: SimulatedBus(TINY, size=0), "size = 0 is not legal; legal: at least 1"),
        (lambda: SimulatedBus(TINY, address=3), "address = '0x3' is not legal; legal: multiples of 8"),
        (lambda: SimulatedBus(TINY, seed=-1), "seed = -1 is not legal"),
        (lambda: SimulatedBus(TINY, timing=3), "timing = 3 is not legal; legal: a MemoryTiming"),
        (lambda: Stalls(idle=-0.1), "idle = -0.1 is not legal; legal: 0 to 1"),
        (lambda: Stalls(length=0), "length = 0 is not legal; legal: at least 1"),
        (lambda: Monitor(patience=0), "patience = 0 is not legal; legal: at least 1"),
        (lambda: Monitor(hold=2.5), "hold = 2.5 is not legal; legal: a whole number, at least 1"),
        (lambda: Monitor(bounds={"a": (0, 1)}), "bounds = {'a': (0, 1)} is not legal; legal: {name of a"),
        (lambda: Monitor(bounds=3), "bounds = 3 is not legal"),
        (lambda: Monitor(log=3), "log = 3 is not legal; legal: the path of a file, or None"),
        (lambda: BusBackend(None, -1), "seconds = -1 is not legal; legal: at least 0 seconds"),
        (lambda: BusBackend(None, float("nan")), "seconds = nan is not legal; legal: at least 0 seconds"),
        (lambda: BusBackend(None, "1"), "seconds = '1' is not legal; legal: a number, at least 0 seconds"),
        (lambda: MemoryMapped(None, None, poll_seconds=-1), "poll_seconds = -1 is not legal; legal: at least 0"),
        (lambda: SerialBus(None, -1), "poll_seconds = -1 is not legal; legal: at least 0 seconds"),
        (lambda: SerialLink(None, -1), "seconds = -1 is not legal; legal: at least 0 seconds"),
        (lambda: SerialLink(None, 1, 0), "tries = 0 is not legal; legal: at least 1"),
        (lambda: ArrayMemory(np.zeros(8), 0), "array = 'float64 (8,)' is not legal; legal: a uint8 array [size]"),
        (lambda: ArrayMemory([0] * 8, 0), "array = [0, 0, 0, 0, 0, 0, 0, 0] is not legal; legal: a uint8 array [size]"),
        (lambda: ArrayMemory(np.zeros(8, np.uint8), -8), "address = -8 is not legal; legal: at least 0"),
        (lambda: draw_masks([], "masks.png"), "results = [] is not legal; legal: those of at least one head"),
        (lambda: layer_masks(None, None, LAYER, TINY), "dtype = 'q object, k object, v object' is not legal"),
    ],
)  # fmt: skip
def test_refused(call, message):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value).startswith(f"parameter {message}")


@pytest.mark.parametrize(
    ("operands", "message"),
    [
        ({"q": None}, "dtype = 'q object, k float32, v float32' is not legal; legal: all three of float types, or all"),
        ({"v": X.astype(object)}, "dtype = 'q float32, k float32, v object'"),
        ({"k": X.astype(complex)}, "dtype = 'q float32, k complex128, v float32'"),
        ({"q": X > 0, "k": X > 0, "v": X > 0}, "dtype = 'q bool, k bool, v bool'"),
        ({"q": X.astype("datetime64[s]")}, "dtype = 'q datetime64[s], k float32, v float32'"),
        ({"q": ragged()}, "q = 'list' is not legal; legal: an array of numbers (setting an array element"),
        ({"q": X[0]}, "q.shape = (4, 32) is not legal; legal: [n_heads, n_q, d], none of them 0"),
        ({"q": np.float32(1)}, "q.shape = () is not legal"),
        ({"q": X[:0]}, "q.shape = (0, 4, 32) is not legal; legal: [n_heads, n_q, d], none of them 0"),
        ({"k": X[:, :0], "v": X[:, :0]}, "k.shape = (2, 0, 32) is not legal; legal: [n_kv_heads, n_k, d], none"),
        ({"q": X[..., :0]}, "q.shape = (2, 4, 0) is not legal"),
        ({"q": X[None]}, "q.shape = (1, 2, 4, 32) is not legal"),
        ({"q": with_one(np.nan)}, "q = nan is not legal; legal: finite numbers"),
        ({"k": with_one(np.inf)}, "k = inf is not legal; legal: finite numbers"),
        ({"v": with_one(-np.inf)}, "v = -inf is not legal; legal: finite numbers"),
        ({"layer": None}, "layer = None is not legal; legal: LayerSettings"),
        ({"layer": {"q_absmax": 1.0}}, "layer = {'q_absmax': 1.0} is not legal; legal: LayerSettings"),
    ],
)
def test_refused_operands(operands, message):
    with pytest.raises(ParameterError) as error:
        attend(**operands)
    assert str(error.value).startswith(f"parameter {message}")


def test_output_beyond_the_type_of_q():
    """float16 holds up to 65504; an output that it does not hold is no infinity."""
    v = np.full((2, 4, 32), 60000.0)
    layer = LayerSettings(1.0, 1.0, 1e6)
    assert attend(v=v, q=X.astype(np.float64), layer=layer)[0].max() > 50000
    big = LayerSettings(1.0, 1.0, 60000.0 * 2)
    huge = np.full((2, 4, 32), 119, np.float64) * 1000
    with pytest.raises(ParameterError) as error:
        attend(q=X.astype(np.float16), k=X, v=huge, layer=big)
    assert str(error.value).startswith("parameter v_absmax = 120000.0 is not legal; legal: a scale in which float16")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int8, np.int64])
def test_layout_in_memory_does_not_matter(kind):
    rng = np.random.default_rng(1)
    q, k, v = (rng.integers(-50, 50, (2, 6, 32)).astype(kind) for _ in range(3))
    layer = LayerSettings(50.0, 50.0, 50.0, "mass", 0.05)
    expected, statistics = attend(q, k, v, layer)
    apart = [np.repeat(x, 2, axis=1)[:, ::2] for x in (q, k, v)]
    fortran = [np.asfortranarray(x) for x in (q, k, v)]
    swapped = [x.astype(x.dtype.newbyteorder(">")) for x in (q, k, v)]
    backwards = [x[:, ::-1].copy()[:, ::-1] for x in (q, k, v)]
    for operands in (apart, fortran, swapped, backwards):
        output, same = attend(*operands, layer)
        np.testing.assert_array_equal(output, expected)
        assert same == statistics


def test_checks():
    assert params_of("tiny") == TINY and params_of(HdpParams()) == HdpParams()
    assert whole("n", np.int8(3), 1, 3) == 3 and number("x", 2, 0) == 2.0 and number("x", np.float32(0.5), 0, 1) == 0.5
    with pytest.raises(ParameterError, match="n = 4 is not legal; legal: 1 to 3"):
        whole("n", 4, 1, 3)
