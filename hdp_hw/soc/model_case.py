"""A model and an input of it for the firmware, with what the golden model has."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.encoder.compile import compile_model
from hdp_hw.encoder.image import Image
from hdp_hw.encoder.model import IntegerModel
from hdp_hw.soc.c_source import array, initialiser
from hdp_hw.soc.model_source import model_source, outline
from hdp_hw.spec.formats import REGION_ALIGNMENT
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.study.accuracy.calibrate import Workplace
from hdp_hw.study.encoder.calibrate import calibrate, separate
from hdp_hw.study.encoder.units import WORD_MAX
from hdp_hw.study.models import Encoder

NO_MODEL = '#include "model.h"\n\nconst model_case *const model = 0;\n'


@dataclass(frozen=True, eq=False)
class ModelCase:
    """One input of a classifier.

    embeddings, hidden : words [n, hidden_size] that enter, and [rows, hidden_size] that must leave; answer : class.
    """

    name: str
    encoder: Encoder
    model: IntegerModel
    params: HdpParams
    embeddings: np.ndarray
    hidden: np.ndarray
    answer: int

    @classmethod
    def of(cls, place: Workplace, n_sample: int = 128) -> "ModelCase":
        """The longest input of those that calibration, on ``n_sample`` others at most, does not see.

        Raises ParameterError for a model that is no classifier, or not one that the firmware computes.
        """
        inputs, task = separate(place.task, n_sample, place.seed)
        encoder = task.model.encoder
        if not encoder.n_labels or encoder.layout.pooler not in ("", "tanh"):
            raise ParameterError("MODEL", task.model.name, "a classifier, without a pooler or with one of tanh")
        model = calibrate(encoder, inputs, place.layers).model
        example = max(task.inputs, key=encoder.seq_len)
        words = np.rint(encoder.embed(example) / model.embedding_unit)
        embeddings = np.clip(words, -WORD_MAX, WORD_MAX).astype(np.int64)
        hidden = model(embeddings[None], place.params)[0]
        logits = encoder.classify(hidden[0].astype(np.float32) * np.float32(model.hidden_unit))
        return cls(task.model.name, encoder, model, place.params, embeddings, hidden, int(logits.argmax()))

    def image(self) -> Image:
        """Of the model for inputs of this length. Raises ParameterError for what the core does not take."""
        return compile_model(self.model, self.params, [len(self.embeddings)])

    def source(self, image: Image | None = None) -> str:
        """C of model.h; image : of the model, for the co-processor."""
        n, tensors = len(self.embeddings), self.encoder.tensors
        parts = [outline(self.model, n) if image else model_source(self.model, n, self.params)]
        values = {"name": f'"{self.name}"', "model": "&encoder", "n_words": self.hidden.size, "answer": self.answer}
        values["unit"] = float(self.model.hidden_unit)
        if image:
            size = image.header["memory_bytes"]
            parts.append(array("image", "uint8_t", image.data))
            parts.append(f"static uint8_t memory[{size}] __attribute__((aligned({REGION_ALIGNMENT})));\n")
            values |= {"image": "image", "image_bytes": len(image.data), "memory": "memory", "memory_bytes": size}
        for name in ("embeddings", "hidden"):
            parts.append(array(name, "int16_t", getattr(self, name)))
            values[name] = name
        for layer in ("pooler", "classifier"):
            if f"{layer}.weight" in tensors:
                n_out, k = tensors[f"{layer}.weight"].shape
                names = {part: f"{layer}_{part}" for part in ("weight", "bias")}
                parts += [array(name, "float", tensors[f"{layer}.{part}"]) for part, name in names.items()]
                values[layer] = initialiser({"n_out": n_out, "k": k, **names})
        labels = ", ".join(f'"{label}"' for label in self.encoder.labels)
        parts.append(f"static const char *const labels[] = {{{labels}}};\n")
        values["labels"] = "labels"
        parts.append(f"static const model_case the_case = {initialiser(values)};\n")
        return "".join(['#include "model.h"\n\n', *parts, "const model_case *const model = &the_case;\n"])
