"""Settings of one head: what the settings stream carries, shared by driver, golden model and RTL."""

from dataclasses import dataclass, fields
from enum import IntEnum

from hdp_hw.spec.encoder import Activation
from hdp_hw.spec.params import HdpParams, ParameterError

RELATIVE_ONE = 256  #: 1.0 of rho and min_keep


class Rule(IntEnum):
    """Block rule, chosen at run time."""

    ROW_THRESHOLD = 0
    MARGIN = 1
    MASS = 2
    DENSE = 3


class Verdict(IntEnum):
    """What became of a head."""

    SPARSE = 0  #: the kept blocks were computed
    PRUNED = 1  #: the whole head was pruned
    FALLBACK = 2  #: fewer blocks than min_keep survived, so the head ran dense
    DENSE = 3  #: the dense rule
    ERROR = 4  #: refused or malformed; no output


class HeadError(IntEnum):
    """Why a head ended with Verdict.ERROR."""

    NONE = 0
    SETTINGS = 1  #: a length, dimension or combination that is not legal
    SHORT = 2  #: `last` before the end of a plane
    LONG = 3  #: no `last` at the end of a plane
    ORDER = 4  #: a beat of K where Q belongs, or the reverse


#: Fields that nothing but the predictor, or what follows from its verdict, looks at.
PRUNING_SETTINGS = ("compensate", "mean_output", "rho", "margin", "log_mass", "kappa", "kappa_shift")
PRUNING_SETTINGS += ("tau_head", "min_keep")


def field_limits(params: HdpParams) -> dict[str, tuple[int, int]]:
    """``{field: (lowest, highest)}`` of HeadSettings for a core with ``params``; widths in hardware follow from it."""
    pruning = params.pruning
    of_layers = dict.fromkeys(("linear", "words", "reuse"), (0, 1)) | {"activation": (0, max(Activation))}
    return {
        "n_q": (1, params.max_seq_len),
        "n_k": (1, params.max_seq_len),
        "head_dim": (1, params.max_row_length),
        "rule": (0 if pruning else Rule.DENSE, Rule.DENSE),
        "causal": (0, 1),
        "compensate": (0, pruning),
        "mean_output": (0, pruning),
        "rho": (-255, 255),
        "margin": (0, 2**16 - 1),
        "log_mass": (0, 511),
        "kappa": (0, 255),
        "kappa_shift": (0, 31),
        "mult": (0, 255),
        "shift": (0, 63),
        "tau_head": (0, 2 ** (12 + 2 * params.digit_width) - 1),
        "min_keep": (0, 256),
        **(of_layers if params.encoder else {}),
    }


@dataclass(frozen=True)
class HeadSettings:
    """Settings of one head; integers as the hardware takes them.

    Parameters
    ----------
    n_q, n_k : int
        Numbers of queries and of valid keys, 1 to ``max_seq_len`` (key padding is n_k below the padded length).
    head_dim : int
        Elements of a row, a multiple of ``lanes / 4`` up to ``max_head_dim``.
    rule : Rule
        Block rule.
    causal : bool
        Query i sees the keys j <= i + n_k - n_q.
    compensate : bool
        One key stands in for the pruned ones of a row. Not with ``causal``.
    mean_output : bool
        A pruned head's output is the mean of V instead of zero. Not with ``causal``.
    rho : int
        s0.8, row_threshold: -255 to 255.
    margin : int
        u16, margin: largest distance below the row's largest A, in units of A.
    log_mass : int
        u5.4, mass: -log2(p), 0 to 511.
    kappa, kappa_shift : int
        u8 and u5, mass: base-2 logits per unit of A are ``kappa >> kappa_shift``, in u4.4.
    mult, shift : int
        u8 and u6, softmax: base-2 logits per unit of S are ``mult >> shift``, with ``logit_fraction`` fraction bits.
    tau_head : int
        u12.8, u20.8 for w = 8: a head whose mean |A| is below is pruned; 0 prunes none.
    min_keep : int
        u1.8, 0 to 256: a head whose kept share of blocks is below runs dense.
    linear : bool
        Instead of attention, a linear layer: ``n_q`` rows of operands in place of Q, weights of ``n_k`` output channels
        in place of K, ``head_dim`` inputs up to ``max_inputs``, the channels' scales in place of V. Not with pruning.
    words : bool
        Of a linear layer: its results are words of 16 bits instead of operands.
    activation : Activation
        Of a linear layer: what its words go through.
    reuse : bool
        Of a linear layer: its rows are those of the head before, a linear layer of as many rows and inputs. They are
        not sent again. A co-processor sees to it itself.
    """

    n_q: int
    n_k: int
    head_dim: int
    rule: Rule = Rule.DENSE
    causal: bool = False
    compensate: bool = False
    mean_output: bool = False
    rho: int = 0
    margin: int = 0
    log_mass: int = 0
    kappa: int = 0
    kappa_shift: int = 0
    mult: int = 0
    shift: int = 0
    tau_head: int = 0
    min_keep: int = 0
    linear: bool = False
    words: bool = False
    activation: int = Activation.NONE
    reuse: bool = False

    def validate(self, params: HdpParams) -> "HeadSettings":
        """Raise ParameterError for the first field that ``params``' core would refuse; returns self."""
        limits = field_limits(params)
        for field in fields(self):
            low, high = limits.get(field.name, (0, 0))
            if not low <= getattr(self, field.name) <= high:
                lacks = "pruning = 0, which has no predictor"
                if field.name not in limits:
                    lacks = "encoder = 0, which has no linear layers"
                legal = f"{low} to {high}" if low < high else f"{low} on a core of {lacks}"
                raise ParameterError(field.name, getattr(self, field.name), legal)
        if self.head_dim % params.slice_width:
            legal = f"a multiple of lanes / 4 = {params.slice_width}"
            raise ParameterError("head_dim", self.head_dim, legal)
        if self.causal and (self.compensate or self.mean_output):
            raise ParameterError("causal", True, "False with compensate or mean_output")
        self._validate_linear(params)
        return self

    def carried(self, params: HdpParams) -> dict[str, int]:
        """``{field: value}`` of the fields that the settings stream of ``params``' core has."""
        return {name: getattr(self, name) for name in field_limits(params)}

    def _validate_linear(self, params: HdpParams) -> None:
        """Raise ParameterError for what a linear layer does not take, and for what only a linear layer takes."""
        if not self.linear:
            for name in ("words", "activation", "reuse"):
                if getattr(self, name):
                    raise ParameterError(name, getattr(self, name), "0 without linear")
            if self.head_dim > params.max_head_dim:
                raise ParameterError("head_dim", self.head_dim, f"1 to {params.max_head_dim} without linear")
            return
        for name, legal in (("rule", Rule.DENSE), ("causal", 0), ("compensate", 0), ("mean_output", 0)):
            if getattr(self, name) != legal:
                raise ParameterError(name, getattr(self, name), f"{legal} with linear")
        if self.n_k % params.channel_step:
            raise ParameterError("n_k", self.n_k, f"a multiple of {params.channel_step} with linear")
        for name in ("n_q", "n_k"):
            if getattr(self, name) > (most := params.max_rows(self.head_dim)):
                legal = f"1 to {most} with linear and head_dim = {self.head_dim}"
                raise ParameterError(name, getattr(self, name), legal)
