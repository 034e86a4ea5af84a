"""From a text or an image to what the encoder takes, as a model's folder says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.spec.text_file import read_json, read_text
from hdp_hw.study.models.errors import ModelError
from hdp_hw.study.models.folder import file_of, lower_case
from hdp_hw.study.models.tensor_files import EXTRA

Ends = tuple[Callable[[Any, int], Any], Callable[[Any], list[str]]]  #: what prepares an input, and names its positions
#: ``{option in tokenizer_config.json: what tokenizer.json calls it}``.
_BERT_OPTIONS = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
_OLD = ("vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model")  #: tokenizers that are not read


def text_reader(directory: Path, vocabulary: int, n_types: int = 1) -> Ends:
    """``f(text, max_tokens) -> token ids``, with the special tokens at both ends, and names of token ids.

    A pair of texts, ``(first, second)``, makes one input. Where the encoder has types of tokens, those of the second
    text are ``vocabulary`` above their ids. vocabulary : tokens that the encoder knows. Raises ModelError.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ModelError(f"tokenizers cannot be imported: {EXTRA}") from None
    path = _tokenizer_file(directory)
    text = read_text(path)
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # of no narrower type
        raise ModelError(f"{path} is not a sound tokenizer ({error})") from None
    side = _options(directory, json.loads(text))
    lower = lower_case(directory)
    tokenizer.no_padding()

    def tokenize(text: str | tuple[str, str], max_tokens: int) -> list[int]:
        is_pair = not isinstance(text, str)
        n_special = tokenizer.num_special_tokens_to_add(is_pair)
        if is_pair and not n_special and n_types == 1:
            raise ModelError(f"{path} does not say how two texts make one input; the model takes one text")
        if max_tokens <= n_special:
            raise ModelError(f"{max_tokens} tokens a text; legal: above the {n_special} special tokens of {path}")
        tokenizer.enable_truncation(max_tokens, direction=side)
        try:
            texts = [text] if isinstance(text, str) else text
            encoding = tokenizer.encode(*(each.lower() if lower else each for each in texts))
            tokens = encoding.ids
        except Exception as error:  # of no narrower type
            raise ModelError(f"{path} does not take the text {_short(text)} ({error})") from None
        if not tokens:
            raise ModelError(f"{path} makes no token of the text {_short(text)}")
        if (highest := max(tokens)) >= vocabulary:
            name = tokenizer.id_to_token(highest)
            raise ModelError(
                f"{path}: the token {name!r} of the text {_short(text)} is number {highest}; the model knows those "
                f"below vocab_size = {vocabulary}"
            )
        return [token + min(kind, n_types - 1) * vocabulary for token, kind in zip(tokens, encoding.type_ids)]

    return tokenize, lambda tokens: [tokenizer.id_to_token(token % vocabulary) for token in tokens]


def image_reader(directory: Path, shape: tuple[int, int, int], patch_size: int) -> Ends:
    """``f(image, max_tokens) -> image`` scaled as ``preprocessor_config.json`` says, and names of the patches.

    There is nothing to truncate. Without the file, images are taken as they are; what the file leaves out has the
    default of Hugging Face's ViTImageProcessor. shape : (channels, height, width) of an image. Raises ModelError.
    """
    path = directory / "preprocessor_config.json"
    options = read_json(path) if path.is_file() else {"do_rescale": False, "do_normalize": False}
    factor, mean, deviation = 1.0, 0.0, 1.0
    if options.get("do_rescale", True):
        factor = _numbers(path, options, "rescale_factor", 1 / 255, 1)
    if options.get("do_normalize", True):
        mean, deviation = (_numbers(path, options, f"image_{name}", 0.5, shape[0]) for name in ("mean", "std"))
        if not np.all(deviation):
            raise ModelError(f"{path}: image_std = {options['image_std']!r} is not legal; legal: no zeros")

    def read(image: Any, max_tokens: int) -> np.ndarray:
        return ((np.asarray(image) * factor - mean) / deviation).astype(np.float32)

    edge = shape[1] // patch_size
    return read, lambda image: ["[CLS]", *(f"{row},{column}" for row in range(edge) for column in range(edge))]


def _numbers(path: Path, options: dict[str, Any], name: str, default: float, most: int) -> np.ndarray:
    """A number, or ``most`` of them, as [channels, 1, 1]."""
    value = options.get(name, default)
    numbers = value if isinstance(value, list) else [value]
    sound = all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
    if not sound or len(numbers) not in (1, most) or not np.all(np.isfinite(numbers)):
        legal = f"a finite number, or one for each of {most} channels" if most > 1 else "a finite number"
        raise ModelError(f"{path}: {name} = {value!r} is not legal; legal: {legal}")
    return np.reshape(numbers, (-1, 1, 1))


def _tokenizer_file(directory: Path) -> Path:
    """tokenizer.json; where there is an older kind alone, the error says what makes it one."""
    if not (directory / "tokenizer.json").exists() and (old := [x for x in _OLD if (directory / x).exists()]):
        code = "from transformers import AutoTokenizer as T; T.from_pretrained('.').save_pretrained('.')"
        raise ModelError(
            f"{directory}/tokenizer.json is missing, and {old[0]} cannot be read; to write it, run in the folder: "
            f'python -c "{code}"'
        )
    return file_of(directory, "tokenizer.json")


def _options(directory: Path, tokenizer: dict[str, Any]) -> str:
    """Which end of a text truncation cuts, ``left`` or ``right``.

    Raises ModelError where tokenizer_config.json contradicts tokenizer.json.
    """
    path = directory / "tokenizer_config.json"
    config = read_json(path) if path.is_file() else {}
    normalizer = tokenizer.get("normalizer") or {}
    if normalizer.get("type") == "BertNormalizer":
        for name, own in _BERT_OPTIONS.items():
            if name in config and config[name] != normalizer.get(own):
                raise ModelError(
                    f"{path}: {name} = {config[name]!r}, but in tokenizer.json {own} = {normalizer.get(own)!r}; "
                    "make both say the same"
                )
    side = config.get("truncation_side") or (tokenizer.get("truncation") or {}).get("direction") or "right"
    if not isinstance(side, str) or side.lower() not in ("left", "right"):
        raise ModelError(f"{path}: truncation_side = {side!r} is not legal; legal: left, right")
    return side.lower()


def _short(text: str | tuple[str, str]) -> str:
    """A text for a message, in one line."""
    text = text if isinstance(text, str) else " | ".join(text)
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
