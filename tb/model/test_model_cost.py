"""What a whole model takes beside its attention: hdp_hw/study/accuracy/linear.py and model_cost.py."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver.layer import LayerSettings
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.accuracy.attention import HdpAttention
from hdp_hw.study.accuracy.cost import Cost, CostMeter
from hdp_hw.study.accuracy.linear import Linear, attention_macs, layer_linears, model_linears
from hdp_hw.study.accuracy.model_cost import TITLES, ModelCost, model_costs
from hdp_hw.study.models.encoder import Encoder, softmax_attention
from tb.lib.tiny_model import CONFIG, VIT, random_tensors

EDGE = CONFIGS["edge"]
SETTINGS = [LayerSettings(3, 3, 3, "mass", 2.0, relative=True), LayerSettings(3, 3, 3, "mass", 4.0, relative=True)]


def encoder_of(config=CONFIG, n_labels=0):
    return Encoder(config, random_tensors(config, n_labels))


# -- linear layers ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("linear", "cycles"),
    [
        (Linear(64, 384, 84), 16 * 21 * 48),
        (Linear(20, 1536, 20), 5 * 5 * 192),
        (Linear(1, 384, 384), 96 * 48),  # three of four rows of the array have nothing to do
        (Linear(5, 12, 5), 2 * 2 * 2),  # nor has a half of the last slice
    ],
)
def test_cycles_on_edge(linear, cycles):
    """T = 4, 8 inputs a cycle: 128 products in each."""
    assert linear.cost(EDGE).cycles == cycles


@pytest.mark.parametrize("name", CONFIGS)
def test_a_busy_array_makes_all_its_products(name):
    """Where tiles, slices and cores come out even, cycles times products a cycle are the multiply-accumulates."""
    params = replace(CONFIGS[name], n_cores=2)
    for linear in layer_linears(256, 1024, 64):
        assert linear.cost(params).cycles * 2 * params.tile**2 * params.slice_width == linear.macs


def test_cores_share_the_rows():
    linear = Linear(28, 64, 64)  # seven tile rows
    cycles = [linear.cost(replace(EDGE, n_cores=n)).cycles for n in (1, 2, 3, 8)]
    assert cycles == [7 * 128, 4 * 128, 3 * 128, 128]


def test_weights_are_read_for_each_set_of_rows():
    """A core of edge holds 32,768 operands: 84 rows of 384, in whole tiles. Activations move once."""
    read = {rows: Linear(rows, 384, 100).cost(EDGE).bytes_read for rows in (1, 84, 85, 168, 169)}
    assert {rows: (x - 384 * rows) / 38400 for rows, x in read.items()} == {1: 1, 84: 1, 85: 2, 168: 2, 169: 3}
    assert Linear(85, 384, 100).cost(EDGE).bytes_written == 8500
    two = Linear(96, 384, 100).cost(replace(EDGE, n_cores=2))  # 48 rows each
    assert two.bytes_read == 384 * (96 + 2 * 100)
    wide = HdpParams(digit_width=8, max_head_dim=16, max_seq_len=16)
    assert Linear(4, 1024, 3).cost(wide).bytes_read == 2 * 1024 * (4 + 2 * 3)  # a tile row of two at a time, at least


@pytest.mark.parametrize(("hidden", "shares"), [(384, (5.3, 10.0, 18.2, 30.8)), (768, (2.7, 5.3, 10.0, 18.2))])
def test_share_of_attention(hidden, shares):
    """2n / (12 hidden + 2n): MiniLM's and BERT-Base's at 128 to 1,024 positions."""
    for n, percent in zip((128, 256, 512, 1024), shares):
        linear = sum(each.macs for each in layer_linears(hidden, 4 * hidden, n))
        cost = ModelCost(attention_macs=attention_macs(hidden, n), linear_macs=linear)
        assert 100 * cost.macs_share == pytest.approx(percent, abs=0.05)
        assert cost.macs_share == pytest.approx(2 * n / (12 * hidden + 2 * n))


@pytest.mark.parametrize("config", [CONFIG, VIT], ids=["bert", "vit"])
def test_multiplications_are_those_of_the_encoder(config, monkeypatch):
    """Counted as it computes; the last layer's for one row as it computes when the others are cut off."""
    encoder, made = encoder_of(config), {"linear": 0, "attention": 0}
    linear = Encoder._linear

    def counted(self, name, x):
        made["linear"] += x.size * len(self.tensors[f"{name}.weight"])
        return linear(self, name, x)

    def attention(layer, q, k, v):
        made["attention"] += 2 * q.size * k.shape[-2]
        return softmax_attention(layer, q, k, v)

    monkeypatch.setattr(Encoder, "_linear", counted)
    n = encoder.max_seq_len if encoder.layout.images else 9
    encoder(np.zeros((3, 6, 6)) if encoder.layout.images else [1] * n, attention)
    assert made["linear"] == sum(each.macs for each in model_linears(encoder, n))
    assert made["attention"] == encoder.n_layers * attention_macs(encoder.hidden_size, n)

    made["linear"] = 0
    x = np.zeros((n, encoder.hidden_size), np.float32)
    for part, rows in (("query", 1), ("key", n), ("value", n), ("context", 1)):
        encoder._linear(f"0.{part}", x[:rows])
    encoder._inner(0, x[:1])
    few = model_linears(encoder, n, first_only=True)
    assert made["linear"] == sum(each.macs for each in few) - sum(each.macs for each in model_linears(encoder, n)) / 2


def test_values_that_nobody_reads():
    """Elements of V that are spared are outputs of one layer, and inputs of another."""
    every, fewer = layer_linears(64, 256, 10), layer_linears(64, 256, 10, spared=16)
    spared = [a.macs - b.macs for a, b in zip(every, fewer)]
    assert spared == [10 * 64 * 16, 10 * 16 * 64, 0, 0]
    first = [a.macs - b.macs for a, b in zip(layer_linears(64, 256, 10, 1), layer_linears(64, 256, 10, 1, 16))]
    assert first == [0, 10 * 64 * 16, 16 * 64, 0, 0]


# -- models -----------------------------------------------------------------------------------------------------------
def meter_of(encoder, lengths, params=EDGE):
    meter = CostMeter(encoder.n_layers, params)
    attention = HdpAttention(SETTINGS, params, meter)
    for n in lengths:
        encoder(np.arange(n)[None] % encoder.n_tokens, attention)
    return meter


def test_costs_by_length():
    """Each length has its inputs' own; together they are what the layers took."""
    encoder, lengths = encoder_of(), [20, 8, 20]
    meter = meter_of(encoder, lengths)
    found = model_costs(meter, encoder, lengths)
    assert list(found) == [8, 20]
    alone = model_costs(meter_of(encoder, [8]), encoder, [8])
    assert found[8] == alone[8]
    assert sum((each.attention for each in found.values()), Cost()) == sum(meter.layers, Cost())
    assert sum((each.dense for each in found.values()), Cost()) == sum(meter.dense, Cost())
    linears = model_linears(encoder, 20)
    assert found[20].linear == sum([each.cost(EDGE) for each in 2 * linears], Cost())
    assert found[20].linear_macs == 2 * sum(each.macs for each in linears)
    assert found[20].attention_macs == 2 * 2 * attention_macs(32, 20)


def test_rows_that_nobody_reads():
    """One dense query of each head is left of the last layer's attention; the layer before stays as it is."""
    encoder = encoder_of(n_labels=3)
    meter = meter_of(encoder, [20])
    every, first = (model_costs(meter, encoder, [20], first_only=x)[20] for x in (False, True))
    query = meter.dense_cost(2, 20, 16, n_q=1)
    assert first.attention == meter.costs[20][0] + query and first.dense == meter.dense_cost(2, 20, 16) + query
    assert query.cycles < meter.dense_cost(2, 20, 16).cycles
    assert query.bytes_written < meter.dense_cost(2, 20, 16).bytes_written
    assert first.linear.cycles < every.linear.cycles and first.attention_macs < every.attention_macs


def test_savings():
    cost = ModelCost(Cost(30, 50, 7), Cost(100, 80, 7), Cost(900, 20, 9), 1, 3)
    assert cost.macs_share == 0.25 and cost.cycles_share == 0.1 and cost.attention_saving == pytest.approx(0.7)
    assert cost.cycles_saving == pytest.approx(0.07) and cost.bytes_saving == pytest.approx(0.3)
    assert cost.cells == ["25.0%", "10.0%", "30.0%", "93.0%", "70.0%"] and len(TITLES) == len(cost.cells)
    twice = cost + cost
    assert twice.cycles_saving == cost.cycles_saving and twice.linear == Cost(1800, 40, 18)
    worse = replace(cost, attention=Cost(200, 100))
    assert worse.cycles_saving == pytest.approx(-0.1) and worse.bytes_saving == pytest.approx(-0.2)
    assert cost.facts()["linear"] == {"cycles": 900, "bytes_read": 20, "bytes_written": 9}
