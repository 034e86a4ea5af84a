"""Random norms, for tests of what a co-processor makes of them."""

from hdp_hw.driver.norm_job import NormJob
from hdp_hw.spec.encoder import GAMMA_SHIFT_MAX, GAMMA_SHIFT_MIN, WORD_WIDTH
from hdp_hw.spec.formats import NORM_SCALES

LIMIT = 1 << (WORD_WIDTH - 1)
WRITTEN = ((True, True), (True, True), (True, False), (False, True))  #: words and operands


def random_words(rng, *shape):
    """Words of some magnitude around some mean, or extremes alone."""
    if rng.random() < 0.2:
        return rng.choice([-LIMIT, LIMIT - 1, 0], shape)
    spread = 2.0 ** rng.integers(0, WORD_WIDTH - 1)
    return rng.normal(rng.uniform(-50, 50), spread, shape).clip(-LIMIT, LIMIT - 1).astype(int)


def random_norm(rng, params, n=None, rows=None, **more):
    """A NormJob with at most four rows; ``more`` replaces fields."""
    n, rows = n or int(rng.integers(2, params.max_features + 1)), rows or int(rng.integers(1, 5))
    magnitudes = 1 << rng.integers(1, WORD_WIDTH, (n, len(NORM_SCALES)))
    fields = {"a": int(rng.integers(1 << 16)), "b": int(rng.integers(1, 1 << 16)) if rng.random() < 0.7 else 0}
    fields |= {"epsilon": int(rng.choice([0, 1, rng.integers(1 << 40)]))}
    fields |= {name: bool(rng.integers(2)) for name in ("rms", "pre_norm")}
    fields |= {name: int(rng.integers(GAMMA_SHIFT_MIN, GAMMA_SHIFT_MAX + 1)) for name in ("shift", "operand_shift")}
    fields |= dict(zip(("words", "operands"), WRITTEN[rng.integers(len(WRITTEN))])) | more
    y = random_words(rng, rows, n) if fields["b"] else None
    return NormJob(random_words(rng, rows, n), y, rng.integers(-magnitudes, magnitudes), **fields).validate(params)
