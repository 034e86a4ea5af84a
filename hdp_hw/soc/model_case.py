"""A model and an input of it for the firmware, with what the golden model has."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.encoder.compile import compile_model
from hdp_hw.encoder.image import Image
from hdp_hw.encoder.model import IntegerModel
from hdp_hw.soc.c_source import initialiser, string
from hdp_hw.soc.model_source import ModelSource, add_model, add_outline
from hdp_hw.spec.formats import REGION_ALIGNMENT
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.study.accuracy.calibrate import Workplace
from hdp_hw.study.encoder.calibrate import calibrate, separate
from hdp_hw.study.encoder.units import WORD_MAX

NAME = "golden.c"
NO_MODEL = {NAME: '#include "model.h"\n\nconst model_case *const model = 0;\n'}
N_OTHERS, LABEL_LENGTH = 8, 48  #: inputs that an embedding is compared with, and characters of them that are shown


@dataclass(frozen=True, eq=False)
class ModelCase:
    """One input of a classifier, or of an embedding model, whose answer is the nearest of some other inputs.

    mean : of the rows of hidden states is what the ``layers`` read, else the first one; layers : ``{pooler, classifier:
    (weight [n_out, k], bias [n_out])}`` in float, tanh behind the pooler, or without one; labels : of the classes.
    embeddings, hidden : words [n, hidden_size] that enter, and [rows, hidden_size] that must leave; answer : class.
    """

    name: str
    model: IntegerModel
    params: HdpParams
    mean: bool
    layers: dict[str, tuple[np.ndarray, np.ndarray]]
    labels: tuple[str, ...]
    embeddings: np.ndarray
    hidden: np.ndarray
    answer: int

    @classmethod
    def of(cls, place: Workplace, n_sample: int = 128) -> "ModelCase":
        """The longest input of those that calibration, on ``n_sample`` others at most, does not see.

        Raises ParameterError for a classifier that the firmware does not compute.
        """
        inputs, task = separate(place.task, n_sample, place.seed)
        encoder = task.model.encoder
        if encoder.n_labels and encoder.layout.pooler not in ("", "tanh"):
            raise ParameterError("MODEL", task.model.name, "a classifier without a pooler or with one of tanh, or none")
        model = calibrate(encoder, inputs, place.layers).model
        example = max(task.inputs, key=encoder.seq_len)
        words = np.rint(encoder.embed(example) / model.embedding_unit)
        embeddings = np.clip(words, -WORD_MAX, WORD_MAX).astype(np.int64)
        hidden = model(embeddings[None], place.params)[0]
        rows, tensors = hidden.astype(np.float32) * np.float32(model.hidden_unit), encoder.tensors
        if encoder.n_labels:
            names = [name for name in ("pooler", "classifier") if f"{name}.weight" in tensors]
            layers = {name: (tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in names}
            labels, logits = encoder.labels, encoder.classify(rows[0])
        else:
            others = task.model.run(inputs[:N_OTHERS])
            layers = {"classifier": (others, np.zeros(len(others), np.float32))}
            labels = tuple(" ".join(task.model.names(each)[1:-1])[:LABEL_LENGTH] for each in inputs[:N_OTHERS])
            logits = others @ rows.mean(0)
        states = embeddings, hidden, int(logits.argmax())
        return cls(task.model.name, model, place.params, not encoder.n_labels, layers, labels, *states)

    def image(self) -> Image:
        """Of the model for inputs of this length. Raises ParameterError for what the core does not take."""
        return compile_model(self.model, self.params, [len(self.embeddings)])

    def sources(self, image: Image | None = None) -> dict[str, str | bytes]:
        """``{file: content}`` of C for model.h; image : of the model, for the co-processor. Raises ParameterError."""
        source, n, values = ModelSource(), len(self.embeddings), {"name": string(self.name), "model": "&encoder"}
        values |= {"n_words": self.hidden.size, "mean": int(self.mean), "unit": float(self.model.hidden_unit)}
        if image:
            add_outline(source, self.model, n)
            size = image.header["memory_bytes"]
            source.parts.append(f"static uint8_t memory[{size}] __attribute__((aligned({REGION_ALIGNMENT})));\n")
            values |= {"image": source.array("image", "uint8_t", image.data), "image_bytes": len(image.data)}
            values |= {"memory": "memory", "memory_bytes": size}
        else:
            add_model(source, self.model, n, self.params)
        values |= {name: source.array(name, "int16_t", getattr(self, name)) for name in ("embeddings", "hidden")}
        for name, layer in self.layers.items():
            parts = zip(("weight", "bias"), layer, strict=True)
            places = {part: source.array(f"{name}_{part}", "float", tensor) for part, tensor in parts}
            values[name] = initialiser(dict(zip(("n_out", "k"), layer[0].shape, strict=True)) | places)
        labels = ", ".join(map(string, self.labels))
        values |= {"labels": f"(const char *const[]){{{labels}}}", "answer": self.answer}
        text = f"const model_case the_case = {initialiser(values)};\nconst model_case *const model = &the_case;\n"
        return {NAME: "".join(['#include "model.h"\n\n', *source.parts, "static ", text]), **source.files}
