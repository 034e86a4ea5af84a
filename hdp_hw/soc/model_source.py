"""A model in integers as C, for firmware/encoder.h."""

from hdp_hw.encoder.model import IntegerModel
from hdp_hw.soc.c_source import Source, array, initialiser
from hdp_hw.spec import encoder, tables
from hdp_hw.spec.encoder import Activation
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import Rule

KINDS = {"weight": "int8_t", "bias": "int32_t", "mult": "uint16_t", "shift": "uint8_t", "factor": "uint16_t"}
DIGIT_WIDTH = 4  #: of cores that have linear layers
MAX_KEYS, MAX_CHANNELS = 512, 4096  #: of a row of scores, and of a linear layer's output


def encoder_tables() -> str:
    """C of encoder_tables.h: the constants and tables of hdp_hw.spec that the firmware computes with."""
    one, b, a = tables.exp2_coefficients(DIGIT_WIDTH)
    constants = {name: value for name, value in vars(encoder).items() if isinstance(value, int)} | {
        "MAX_KEYS": MAX_KEYS,
        "MAX_CHANNELS": MAX_CHANNELS,
        "TIME_CONSTANT_BITS": tables.TIME_CONSTANT_BITS,
        "LOGIT_FRACTION": tables.logit_fraction(DIGIT_WIDTH),
        "GUARD": tables.guard(DIGIT_WIDTH),
        "EXP2_ONE": one,
        "EXP2_B": b,
        "EXP2_A": a,
        "RECIPROCAL_BITS": tables.reciprocal_bits(DIGIT_WIDTH),
        "RECIPROCAL_SEGMENT_BITS": tables.reciprocal_segment_bits(DIGIT_WIDTH),
        "RECIPROCAL_FRACTION": tables.RECIPROCAL_FRACTION,
        "REQUANTIZE_FRACTION": tables.REQUANTIZE_FRACTION,
    }
    defines = "".join(f"#define {name} {value}\n" for name, value in constants.items())
    roots = array("root_table", "uint16_t", encoder.root_table())
    segments = ", ".join(f"{{{base}, {slope}}}" for base, slope in tables.reciprocal_table(DIGIT_WIDTH))
    return f"{defines}{roots}static const int16_t reciprocal_table[][2] = {{{segments}}};\n"


class ModelSource(Source):
    """C of a model so far: arrays, which the initialisers that the methods return refer to by ``name``."""

    def linear(self, name, layer):
        """C of the encoder_linear of a Linear."""
        n_out, k = layer.weight.shape
        values = {"n_out": n_out, "k": k, "relu": int(layer.activation == Activation.RELU)}
        for field, kind in KINDS.items():
            of_field = getattr(layer, field)
            values[field] = "0" if of_field is None else self.array(f"{name}_{field}", kind, of_field)
        if layer.table is not None:
            self.array(f"{name}_table", "int16_t", layer.table)
            values["table"] = f"(const int16_t(*)[2]){name}_table"
        return initialiser(values)

    def affine(self, name, part):
        """C of the encoder_affine of an Affine, or of None."""
        if part is None:
            return initialiser({"gamma": "0"})
        places = {field: self.array(f"{name}_{field}", "int16_t", getattr(part, field)) for field in ("gamma", "beta")}
        return initialiser({**places, "shift": part.shift})

    def norm(self, name, norm, n):
        """C of the encoder_norm of a Norm of rows of n elements."""
        numbers = {"n": n, "a": norm.a, "b": norm.b, "epsilon": f"{norm.epsilon}u", "rms": int(norm.rms)}
        parts = {field: self.affine(f"{name}_{field}", getattr(norm, field)) for field in ("words", "operands")}
        return initialiser(numbers | parts)


def add_model(source: ModelSource, model: IntegerModel, n: int, params: HdpParams) -> None:
    """Define ``encoder_model encoder`` of a dense model, for ``n`` positions. Raises ParameterError."""
    hidden = model.layers[0].query.weight.shape[1]
    inner = max(len(layer.inner.weight) for layer in model.layers)
    for name, size, most in (
        ("positions", n, MAX_KEYS),
        ("outputs of a linear layer", max(inner, hidden), MAX_CHANNELS),
    ):
        if size > most:
            raise ParameterError(name, size, f"1 to {most}, on a processor alone")
    layers = []
    for number, layer in enumerate(model.layers):
        if layer.attention.rule != Rule.DENSE:
            raise ParameterError("rule", layer.attention.rule, "dense, on a processor alone")
        heads = layer.attention.head_settings(model.n_heads, model.n_heads, n, n, hidden // model.n_heads, params)
        values, name = {}, f"layer_{number}"
        for each in ("query", "key", "value", "context", "inner", "outer"):
            values[each] = source.linear(f"{name}_{each}", getattr(layer, each))
        for each in ("context_norm", "outer_norm"):
            values[each] = source.norm(f"{name}_{each}", getattr(layer, each), hidden)
        for each in ("mult", "shift"):
            values[each] = source.array(f"{name}_{each}", "uint8_t", [getattr(head, each) for head in heads])
        layers.append(initialiser(values))
    entry = source.norm("entry", model.entry, hidden)
    source.parts.append("static const encoder_layer layers[] = {\n" + ",\n".join(layers) + "};\n")
    words, operands = ("residual", "sums"), ("x", "q", "k", "v", "context")
    sizes = [("int16_t", name, n * hidden) for name in words] + [("int8_t", name, n * hidden) for name in operands]
    for kind, name, size in [*sizes, ("int8_t", "inner", n * inner)]:
        source.parts.append(f"static {kind} {name}[{size}];\n")
    values = {"n": n, "n_heads": model.n_heads, "hidden": hidden, "n_layers": len(layers), "entry": entry}
    values |= {"first_only": int(model.first_only), "layers": "layers"}
    values |= {name: name for name in (*words, *operands, "inner")}
    source.parts.append(f"static const encoder_model encoder = {initialiser(values)};\n")


def add_outline(source: ModelSource, model: IntegerModel, n: int) -> None:
    """Define ``encoder_model encoder`` of a model that a co-processor runs: its sizes, and room for hidden states."""
    hidden = model.layers[0].query.weight.shape[1]
    values = initialiser({"n": n, "hidden": hidden, "residual": "residual"})
    source.parts.append(f"static int16_t residual[{n * hidden}];\nstatic const encoder_model encoder = {values};\n")
