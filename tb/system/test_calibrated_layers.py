"""A calibrated layer of each model: emulator, golden model in the encoder, and compiled RTL give the same bits."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import Emulator, HdpDriver, load_layers
from hdp_hw.driver.driver import prepare
from hdp_hw.driver.layer import save_layers
from hdp_hw.simulation.check import check, expect
from hdp_hw.simulation.core_simulation import CoreSimulation
from hdp_hw.simulation.head_job import HeadJob
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.settings import Rule
from hdp_hw.study.accuracy.attention import HdpAttention
from hdp_hw.study.accuracy.choices import LayerChoices, Sample
from hdp_hw.study.accuracy.search import price_for
from hdp_hw.study.models import ModelError, load_model
from hdp_hw.study.tasks import load_task
from tb.lib.simulation import MODELS

PARAMS = replace(CONFIGS["tiny"], max_head_dim=64, max_seq_len=256)  # heads of bert-tiny-sst2, positions of vit-vowels
SHARE = 0.4  #: of the dense cycles


@pytest.fixture(scope="module")
def simulation():
    return CoreSimulation(PARAMS, MODELS)


@pytest.mark.parametrize("name", ["minilm", "bert-tiny-sst2", "vit-digits", "vit-vowels"])
def test_same_bits(name, simulation, tmp_path):
    """Of an example that the layer was not calibrated on, through the settings file."""
    try:
        model = load_model(name)
    except ModelError as error:
        pytest.skip(str(error))
    *examples, unseen = load_task(None, model, max_tokens=40, limit=3).inputs[:3]
    layer = model.encoder.n_layers // 2
    choices = LayerChoices(Sample.record(model, examples)[layer], (Rule.MASS, Rule.MARGIN), PARAMS)
    save_layers(tmp_path / "settings.toml", {"calibrated": choices.choose(price_for([choices], [1.0], SHARE))[0]})
    settings = load_layers(tmp_path / "settings.toml")["calibrated"]
    sample = Sample.record(model, [unseen])[layer]
    q, k, v = sample.q[0], sample.k[0], sample.v[0]

    output, statistics = HdpDriver(Emulator(PARAMS)).attend(q, k, v, settings)
    np.testing.assert_array_equal(HdpAttention([settings], PARAMS)(0, q, k, v), output)
    assert 0 < statistics.kept_share < 1

    job, _ = prepare(q, k, v, settings, PARAMS)
    jobs = [HeadJob(*operands) for operands in zip(job.settings, job.q, job.k, job.v)]
    run = simulation.run(jobs)
    check(run, [expect(job, PARAMS) for job in jobs], PARAMS)
    scale = np.reshape(settings.v_absmax, (-1, 1, 1)) / PARAMS.digit_max
    integers = np.stack([head.output for head in run.heads])
    np.testing.assert_array_equal((integers * scale).astype(q.dtype), output)
    assert tuple(head.verdict for head in run.heads) == statistics.verdicts
