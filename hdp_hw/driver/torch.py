"""Attention of PyTorch modules on the co-processor, or on what behaves like one. Forward only; takes PyTorch.

:class:`HDPAttention` stands in for ``torch.nn.MultiheadAttention``, :func:`register` gives Hugging Face's models an
attention implementation. Both run one sequence at a time through a :class:`hdp_hw.driver.HdpDriver`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from hdp_hw.driver import HdpDriver, LayerSettings
from hdp_hw.spec.params import ParameterError

DEFAULT = {"rule": "mass", "threshold": 1.0, "relative": True, "compensate": True}  #: without settings


def attend(
    driver: HdpDriver,
    layer: LayerSettings | None,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    lengths: torch.Tensor | None = None,
) -> torch.Tensor:
    """Context [batch, n_heads, n_q, d] of tensors q [batch, n_heads, n_q, d], k and v [batch, n_kv_heads, n_k, d].

    layer : LayerSettings; None for those of DEFAULT with the scales of each sequence.
    lengths : numbers of the first keys that count, of each sequence; all of them by default.
    """
    contexts = []
    for index, sequence in enumerate(zip(q, k, v)):
        of_q, of_k, of_v = (x.detach().to("cpu", torch.float32).numpy() for x in sequence)
        n_k = of_k.shape[1] if lengths is None else int(lengths[index])
        operands = of_q, of_k[:, :n_k], of_v[:, :n_k]
        contexts.append(driver.attend(*operands, layer or LayerSettings.fit(*operands, **DEFAULT))[0])
    return torch.from_numpy(np.stack(contexts)).to(q.device, q.dtype)


class HDPAttention(nn.Module):
    """``torch.nn.MultiheadAttention`` with its weights, computed by a driver.

    ``forward`` takes the same arguments and returns ``(output, None)``: there are no weights to return. Padding may
    only be behind the keys. An ``attn_mask`` must be the causal one, and the layer's settings say ``causal``.

    Parameters
    ----------
    attention : torch.nn.MultiheadAttention
        One kind of keys and values, no additional ones.
    layer : LayerSettings
        By default those of DEFAULT, with scales that are fitted to each sequence.
    driver : HdpDriver
        By default the emulator of ``edge``.
    """

    def __init__(
        self, attention: nn.MultiheadAttention, layer: LayerSettings | None = None, driver: HdpDriver | None = None
    ) -> None:
        super().__init__()
        if not attention._qkv_same_embed_dim or attention.bias_k is not None or attention.add_zero_attn:
            raise ParameterError("attention", "kdim, vdim, add_bias_kv or add_zero_attn", "none of them")
        self.attention, self.layer, self.driver = attention, layer, driver or HdpDriver()

    @torch.no_grad()
    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, None]:
        """``(output, None)``, as MultiheadAttention's."""
        causal = is_causal or attn_mask is not None
        if causal != bool(self.layer and self.layer.causal):
            raise ParameterError("causal", not causal, f"{causal}, as is_causal and attn_mask say")
        if attn_mask is not None and not _is_causal(attn_mask):
            raise ParameterError("attn_mask", tuple(attn_mask.shape), "the causal mask")
        batched, sides = query.dim() == 3, [query, key, value]
        if not batched:
            sides = [x.unsqueeze(0) for x in sides]
        elif not self.attention.batch_first:
            sides = [x.transpose(0, 1) for x in sides]
        weights = self.attention.in_proj_weight.chunk(3)
        biases = [None] * 3 if self.attention.in_proj_bias is None else self.attention.in_proj_bias.chunk(3)
        heads = self.attention.num_heads, self.attention.head_dim
        q, k, v = (
            nn.functional.linear(x, weight, bias).unflatten(-1, heads).transpose(1, 2)
            for x, weight, bias in zip(sides, weights, biases)
        )
        padding = None if key_padding_mask is None else key_padding_mask.reshape(len(k), -1)
        context = attend(self.driver, self.layer, q, k, v, None if padding is None else _lengths(~_excluded(padding)))
        output = self.attention.out_proj(context.transpose(1, 2).flatten(-2))
        if not batched:
            output = output.squeeze(0)
        elif not self.attention.batch_first:
            output = output.transpose(0, 1)
        return output, None


def register(layers: Sequence[LayerSettings] | None = None, driver: HdpDriver | None = None, name: str = "hdp") -> None:
    """Register an attention implementation with Hugging Face's transformers: ``model.set_attn_implementation(name)``.

    layers : LayerSettings of each layer, in the order in which a model calls them; as HDPAttention's by default.
    Masks may only exclude padding behind the keys.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    driver, order = driver or HdpDriver(), dict[int, int]()

    @torch.no_grad()
    def hdp_attention(
        module: nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        scaling: float | None = None,
        dropout: float = 0.0,
        **more: Any,
    ) -> tuple[torch.Tensor, None]:
        index = order.setdefault(id(module), len(order))
        if scaling is not None and abs(scaling * query.shape[-1] ** 0.5 - 1) > 1e-6:
            raise ParameterError("scaling", scaling, "1 / sqrt(head_dim)")
        lengths = None
        if attention_mask is not None:
            allowed = ~_excluded(attention_mask.expand(len(query), 1, query.shape[2], key.shape[2])[:, 0])
            if (allowed != allowed[:, :1]).any():
                raise ParameterError("attention_mask", tuple(attention_mask.shape), "padding, the same for each query")
            lengths = _lengths(allowed[:, 0])
        context = attend(driver, layers[index % len(layers)] if layers else None, query, key, value, lengths)
        return context.transpose(1, 2).contiguous(), None

    AttentionInterface.register(name, hdp_attention)
    AttentionMaskInterface.register(name, eager_mask)


def _excluded(mask: torch.Tensor) -> torch.Tensor:
    """Boolean of a mask in which True, or a very negative number, excludes."""
    return mask if mask.dtype == torch.bool else mask < -1e4


def _lengths(allowed: torch.Tensor) -> torch.Tensor:
    """Numbers of allowed keys of bool [batch, n_k]. Raises ParameterError unless they are the first ones."""
    lengths = allowed.sum(-1)
    if (allowed != (torch.arange(allowed.shape[-1], device=allowed.device) < lengths[:, None])).any():
        raise ParameterError("mask", tuple(allowed.shape), "padding behind the keys")
    return lengths


def _is_causal(mask: torch.Tensor) -> bool:
    n_q, n_k = mask.shape[-2:]
    return bool((_excluded(mask) == torch.ones(n_q, n_k, dtype=torch.bool, device=mask.device).triu(1)).all())
