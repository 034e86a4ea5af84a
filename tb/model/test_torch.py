"""The stand-in for PyTorch's attention against PyTorch's own: hdp_hw/driver/torch.py."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from hdp_hw.driver import Emulator, HdpDriver, LayerSettings  # noqa: E402
from hdp_hw.driver.torch import HDPAttention, register  # noqa: E402
from hdp_hw.spec.params import HdpParams, ParameterError  # noqa: E402

PARAMS = HdpParams(tile=2, lanes=16, digit_width=8, max_head_dim=16, max_seq_len=32)
DRIVER = HdpDriver(Emulator(PARAMS))  # 16-bit operands, near enough to float
CAUSAL = torch.ones(9, 9, dtype=torch.bool).triu(1)


def multi_head(**options):
    torch.manual_seed(1)
    return torch.nn.MultiheadAttention(32, 2, **options).eval()


def dense_layer(attention, x, **more):
    """Dense settings with scales that suit x."""
    q, k, v = (torch.nn.functional.linear(x, w) for w in attention.in_proj_weight.chunk(3))
    return LayerSettings.fit(*(y.detach().numpy() for y in (q, k, v)), rule="dense", **more)


@pytest.mark.parametrize("options", [{"batch_first": True}, {}, {"bias": False}], ids=str)
@pytest.mark.parametrize("kind", ["plain", "padded", "causal", "single", "cross"])
def test_dense_equals_torch(options, kind):
    attention, x = multi_head(**options), 3 * torch.randn(4, 9, 32)
    layer = dense_layer(attention, x, causal=kind == "causal")
    key, more = x, {}
    if kind == "single":
        x = key = x[0]
    elif kind == "cross":
        x = x[:, :5]
    if kind == "padded":
        more["key_padding_mask"] = torch.arange(9) >= torch.tensor([[9], [5], [1], [7]])
    if kind == "causal":
        more["attn_mask"] = CAUSAL
    if kind != "single" and not options.get("batch_first"):
        x, key = x.transpose(0, 1), key.transpose(0, 1)
    with torch.no_grad():
        expected, _ = attention(x, key, key, need_weights=False, **more)
    output, weights = HDPAttention(attention, layer, DRIVER)(x, key, key, **more)
    assert weights is None and output.shape == expected.shape and output.dtype == expected.dtype
    np.testing.assert_allclose(output, expected, atol=0.01 * expected.abs().max().item())


def test_output_is_the_driver_s():
    """Bit for bit, under a rule that prunes."""
    attention, x = multi_head(batch_first=True, bias=False), 3 * torch.randn(2, 9, 32)
    layer = LayerSettings(4, 4, 4, "mass", 2.0, relative=True, compensate=True)
    seen = []

    class Recorder(HdpDriver):
        def attend(self, q, k, v, layer):
            output, statistics = super().attend(q, k, v, layer)
            seen.append((output, statistics.kept_share))
            return output, statistics

    output, _ = HDPAttention(attention, layer, Recorder(Emulator(PARAMS)))(x, x, x)
    contexts = torch.tensor(np.stack([context for context, _ in seen]))
    np.testing.assert_array_equal(output, attention.out_proj(contexts.transpose(1, 2).flatten(-2)).detach())
    assert len(seen) == 2 and all(share < 1 for _, share in seen)


def test_without_settings():
    attention, x = multi_head(batch_first=True), torch.randn(2, 9, 32)
    with torch.no_grad():
        expected, _ = attention(x, x, x)
    output, _ = HDPAttention(attention, driver=DRIVER)(x, x, x)
    assert torch.nn.functional.cosine_similarity(output.flatten(), expected.flatten(), dim=0) > 0.98


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"attn_mask": CAUSAL}, "parameter causal = False is not legal; legal: True, as is_causal"),
        ({"key_padding_mask": torch.arange(9).expand(2, 9) < 3}, "legal: padding behind the keys"),
    ],
)
def test_masks_that_are_refused(more, message):
    x = torch.randn(2, 9, 32)
    with pytest.raises(ParameterError, match=message):
        HDPAttention(multi_head(batch_first=True), driver=DRIVER)(x, x, x, **more)


def test_other_masks_are_refused():
    attention, x = multi_head(batch_first=True), torch.randn(2, 9, 32)
    layer = dense_layer(attention, x, causal=True)
    with pytest.raises(ParameterError, match="legal: the causal mask"):
        HDPAttention(attention, layer, DRIVER)(x, x, x, attn_mask=CAUSAL.T)


def test_other_modules_are_refused():
    with pytest.raises(ParameterError, match="legal: none of them"):
        HDPAttention(multi_head(kdim=8))


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "vit"])
def test_hugging_face(kind):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
    if kind == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 40}
    sizes |= {"image_size": 8, "patch_size": 2, "num_channels": 1} if kind == "vit" else {"vocab_size": 30}
    torch.manual_seed(1)
    model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **sizes)).eval()
    given = {"pixel_values": torch.randn(2, 1, 8, 8)}
    if kind != "vit":
        mask = torch.ones(2, 9, dtype=torch.long)
        mask[1, 6:] = 0
        given = {"input_ids": torch.randint(3, 30, (2, 9)), "attention_mask": mask}
    calls = []

    class Recorder(HdpDriver):
        def attend(self, q, k, v, layer):
            calls.append((layer.name, k.shape[1]))
            return super().attend(q, k, v, layer)

    layers = [LayerSettings(8, 8, 8, "dense", name=name) for name in ("first", "second")]
    with torch.no_grad():
        expected = model(**given).last_hidden_state
        register(layers, Recorder(Emulator(PARAMS)), "hdp-test")
        model.set_attn_implementation("hdp-test")
        hidden = model(**given).last_hidden_state
    lengths = [17, 17] if kind == "vit" else [9, 6]
    assert calls == [(name, n) for name in ("first", "second") for n in lengths]
    np.testing.assert_allclose(hidden[0], expected[0], atol=0.02)
