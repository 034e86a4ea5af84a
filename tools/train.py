"""Trains the project's own small models, ``bert-tiny-sst2``, ``vit-digits`` and ``vit-vowels``, on one processor.

Takes minutes, and the ``train`` extra: PyTorch, scikit-learn, aeon. Weights go to hdp_hw/study/models/weights as
float16, in the layout of a Hugging Face folder. The last line says how well the numpy model with them does on examples
that it was not trained on.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hdp_hw.study.models import load_model
from hdp_hw.study.models.checkpoint import WEIGHTS
from hdp_hw.study.models.tensors import tensor_names
from hdp_hw.study.tasks import load_task
from hdp_hw.study.tasks.table import read_table

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
BERT = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 128,
    "intermediate_size": 512,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 256,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "type_vocab_size": 1,
    "vocab_size": 4096,
    "id2label": {"0": "negative", "1": "positive"},
}
VIT = {
    "model_type": "vit",
    "hidden_act": "gelu",
    "hidden_size": 64,
    "intermediate_size": 128,
    "layer_norm_eps": 1e-12,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "image_size": 8,
    "patch_size": 1,
    "num_channels": 1,
    "id2label": {str(digit): str(digit) for digit in range(10)},
}
DIGITS_SCALING = {"rescale_factor": 1 / 16, "image_mean": [0.5], "image_std": [0.5]}
STEPS = {"bert-tiny-sst2": 1500, "vit-digits": 1200, "vit-vowels": 800}  #: batches
N_TEST = 360  #: the last of scikit-learn's 1797 digits
N_COEFFICIENTS = 12  #: of a frame of speech, and the frames that an utterance is brought to
VOWELS = VIT | {"image_size": N_COEFFICIENTS, "id2label": {str(index): f"speaker {index + 1}" for index in range(9)}}
VOWELS_SCALING = {"rescale_factor": 1, "image_mean": [0.0], "image_std": [0.5]}


class Trained(nn.Module):
    """PyTorch's own encoder layers between the embeddings and the classifier of a config.json."""

    def __init__(self, config, dropout):
        super().__init__()
        hidden, self.images = config["hidden_size"], config["model_type"] == "vit"
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                hidden, config["num_attention_heads"], config["intermediate_size"], dropout, "gelu",
                layer_norm_eps=config["layer_norm_eps"], batch_first=True, norm_first=self.images,
            )
            for _ in range(config["num_hidden_layers"])
        )  # fmt: skip
        self.norm, self.dropout = nn.LayerNorm(hidden, config["layer_norm_eps"]), nn.Dropout(dropout)
        if self.images:
            patch, n = config["patch_size"], (config["image_size"] // config["patch_size"]) ** 2 + 1
            self.patches = nn.Conv2d(config["num_channels"], hidden, patch, patch)
            self.class_token, self.positions = (nn.Parameter(torch.randn(1, x, hidden) * 0.3) for x in (1, n))
        else:
            sizes = (config[name] for name in ("vocab_size", "max_position_embeddings", "type_vocab_size"))
            self.words, self.positions, self.types = (nn.Embedding(size, hidden) for size in sizes)
            for table in (self.words, self.positions, self.types):
                nn.init.normal_(table.weight, std=0.05)
            self.pooler = nn.Linear(hidden, hidden)
        self.classifier = nn.Linear(hidden, len(config["id2label"]))

    def forward(self, x):
        """Logits of token ids [batch, n], 0 behind a text's end, or of images [batch, channels, edge, edge]."""
        padding = None if self.images else x == 0
        if self.images:
            patches = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.class_token.expand(len(x), -1, -1), patches], 1) + self.positions
        else:
            positions = torch.arange(x.shape[1])
            x = self.norm(self.words(x) + self.positions(positions) + self.types.weight[0])
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        if self.images:
            return self.classifier(self.norm(x)[:, 0])
        return self.classifier(self.dropout(torch.tanh(self.pooler(x[:, 0]))))

    def tensors(self):
        """``{tensor: array}`` by the names of hdp_hw.study.models.layouts."""
        own = {name: array.detach().numpy() for name, array in self.state_dict().items()}
        if self.images:
            own |= {f"{name}.weight": own.pop(name) for name in ("class_token", "positions")}
        names = {"self_attn.out_proj": "context", "norm1": "context_norm", "linear1": "inner"}
        names |= {"linear2": "outer", "norm2": "outer_norm"}
        for layer in range(len(self.layers)):
            for part in ("weight", "bias"):
                joint = own.pop(f"layers.{layer}.self_attn.in_proj_{part}")
                for name, array in zip(("query", "key", "value"), np.split(joint, 3)):
                    own[f"{layer}.{name}.{part}"] = array
                for theirs, name in names.items():
                    own[f"{layer}.{name}.{part}"] = own.pop(f"layers.{layer}.{theirs}.{part}")
        return own


def train(model, batches, rate):
    """AdamW over ``batches``, a list of functions that give (inputs, labels), warm-up and then cosine decay."""
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    warm_up = len(batches) // 20 + 1

    def factor(step):
        return min((step + 1) / warm_up, (1 + math.cos(math.pi * step / len(batches))) / 2)

    schedule, mean = torch.optim.lr_scheduler.LambdaLR(optimiser, factor), 0.0
    model.train()
    for step, batch in enumerate(batches):
        inputs, labels = batch()
        loss = nn.functional.cross_entropy(model(inputs), labels, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        mean += (loss.item() - mean) / min(step + 1, 200)
        if step % 100 == 99:
            print(f"step {step + 1} of {len(batches)}: loss {mean:.3f}", file=sys.stderr, flush=True)


def save(model, config, folder, files):
    """Write a folder of weights, with further ``{name: content}`` as JSON."""
    from safetensors.numpy import save_file

    own, folder = model.tensors(), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = tensor_names(config, len(config["id2label"]))
    assert set(names) == set(own), f"{set(names) ^ set(own)}"
    save_file(
        {name: own[tensor].astype(np.float16) for tensor, (name, _) in names.items()}, folder / "model.safetensors"
    )
    for name, content in {"config.json": config, **files}.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")


# -- sentiment --------------------------------------------------------------------------------------------------------
def word_pieces(texts):
    """A tokenizer with its own vocabulary of word pieces."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=BERT["vocab_size"], special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(name, SPECIAL.index(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer


def texts_of(rng, phrases, limit):
    """``(token ids, label)`` of a batch: of single phrases, or of longer texts of phrases of one label.

    Sentences are short; joined ones train the positions that long texts have.
    """
    n_phrases = 1 if rng.random() < 0.6 else int(rng.integers(2, 24))
    for label in rng.integers(0, 2, max(64 // n_phrases, 8)):
        chosen = [phrases[label][index] for index in rng.integers(0, len(phrases[label]), n_phrases)]
        yield [2, *[token for phrase in chosen for token in phrase][: limit - 2], 3], label


def sentiment(folder, data, steps):
    """BERT-Tiny's shape on SST-2."""
    table = read_table(Path(data))
    texts, labels = [text for (text,) in table.texts], table.labels
    tokenizer, limit = word_pieces(texts), BERT["max_position_embeddings"]
    phrases = {0: [], 1: []}
    for text, label in zip(texts, labels):
        phrases[int(label)].append(tokenizer.encode(text, add_special_tokens=False).ids)
    rng = np.random.default_rng(1)

    def batch():
        rows, chosen = zip(*texts_of(rng, phrases, limit))
        longest = max(map(len, rows))
        return torch.tensor([row + [0] * (longest - len(row)) for row in rows]), torch.tensor(np.array(chosen))

    model = Trained(BERT, dropout=0.2)
    train(model, [batch] * steps, 1e-3)
    save(model, BERT, folder, {"tokenizer.json": json.loads(tokenizer.to_str())})


# -- images -----------------------------------------------------------------------------------------------------------
def digits(folder, steps):
    """A vision transformer on scikit-learn's digits, each pixel a token."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 1, 8, 8).astype(np.uint8)
    x = torch.tensor((images[:-N_TEST] * DIGITS_SCALING["rescale_factor"] - 0.5) / 0.5, dtype=torch.float32)
    y, rng = torch.tensor(labels[:-N_TEST]), np.random.default_rng(1)

    def batch():
        chosen, moves = rng.integers(0, len(x), 48), rng.integers(-1, 2, 2)
        moved = nn.functional.pad(x[chosen], (1, 1, 1, 1), value=-1)
        return moved[..., 1 + moves[0] : 9 + moves[0], 1 + moves[1] : 9 + moves[1]], y[chosen]

    model = Trained(VIT, dropout=0.05)
    train(model, [batch] * steps, 2e-3)
    save(model, VIT, folder, {"preprocessor_config.json": DIGITS_SCALING})
    np.savez_compressed(folder / "examples.npz", images=images[-N_TEST:], labels=labels[-N_TEST:].astype(np.uint8))


def frames(utterance, start=0.0, end=1.0):
    """Part of an utterance, [coefficients, n], at N_COEFFICIENTS evenly spread moments: [1, coefficients, moments]."""
    n = utterance.shape[1] - 1
    moments = np.linspace(start * n, end * n, N_COEFFICIENTS)
    return np.stack([np.interp(moments, range(n + 1), row) for row in utterance])[None]


def vowels(folder, steps):
    """The same on speech: who says the vowels, each coefficient of each frame a token."""
    from aeon.datasets import load_japanese_vowels

    x, labels = load_japanese_vowels(split="train")
    y, rng = torch.tensor(labels.astype(int) - 1), np.random.default_rng(1)

    def batch():
        chosen = rng.integers(0, len(x), 32)
        parts = [frames(x[index], rng.uniform(0, 0.15), rng.uniform(0.85, 1)) for index in chosen]
        noisy = np.array(parts) + rng.normal(0, 0.05, (len(parts), 1, N_COEFFICIENTS, N_COEFFICIENTS))
        return torch.tensor(noisy / VOWELS_SCALING["image_std"][0], dtype=torch.float32), y[chosen]

    model = Trained(VOWELS, dropout=0.1)
    train(model, [batch] * steps, 2e-3)
    save(model, VOWELS, folder, {"preprocessor_config.json": VOWELS_SCALING})
    x, labels = load_japanese_vowels(split="test")
    images = np.array([frames(each) for each in x], np.float16)
    np.savez_compressed(folder / "examples.npz", images=images, labels=labels.astype(np.uint8) - 1)


def main():
    parser = argparse.ArgumentParser(prog="tools/train.py", description=__doc__.partition("\n")[0])
    parser.add_argument("model", choices=STEPS)
    parser.add_argument("--data", type=Path, help="SST-2's training sentences with labels, for bert-tiny-sst2")
    parser.add_argument("--test", type=Path, help="its development sentences, likewise")
    defaults = ", ".join(f"{steps} for {name}" for name, steps in STEPS.items())
    parser.add_argument("--steps", type=int, help=f"batches (default: {defaults})")
    parser.add_argument("-o", "--output", type=Path, help="folder (default: hdp_hw/study/models/weights/MODEL)")
    arguments = parser.parse_args()
    if (arguments.model == "bert-tiny-sst2") != bool(arguments.data and arguments.test):
        parser.error("bert-tiny-sst2 takes --data and --test, and the others neither")
    torch.manual_seed(1)
    torch.set_num_threads(1)
    folder, steps = arguments.output or WEIGHTS / arguments.model, arguments.steps or STEPS[arguments.model]
    if arguments.model == "bert-tiny-sst2":
        sentiment(folder, arguments.data, steps)
    else:
        {"vit-digits": digits, "vit-vowels": vowels}[arguments.model](folder, steps)
    model = load_model(str(folder))
    task = load_task(arguments.test or folder / "examples.npz", model)
    accuracy = task.metric(task.predict(model.run(task.inputs)), task.labels)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {size:,} bytes; accuracy {accuracy:.4f} on {len(task.labels)} examples of {task.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
