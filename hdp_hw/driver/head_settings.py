"""Scales and thresholds in real numbers to the integers that the hardware takes.

golden.calibration does the same for the golden model, by code of its own; tests hold the two against each other.
"""

import math

from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import RELATIVE_ONE, HeadSettings, Rule, field_limits
from hdp_hw.spec.tables import COARSE_FRACTION, logit_fraction

LOG2_E = math.log2(math.e)
MANTISSA_BITS = 8  #: of mult and kappa
LOG_MASS_ONE = 16  #: 1.0 of log_mass


def head_settings(
    n_q: int,
    n_k: int,
    head_dim: int,
    q_absmax: float,
    k_absmax: float,
    params: HdpParams,
    rule: Rule = Rule.DENSE,
    threshold: float = 0.0,
    tau_head: float = 0.0,
    min_keep: float = 0.0,
    **flags: bool,
) -> HeadSettings:
    """HeadSettings of a head whose Q and K are quantised with these scales. Raises ParameterError.

    threshold : rho, nats, or a probability, by the rule; tau_head : a mean |A|; min_keep : a share; flags : ``causal``
    and the like.
    """
    limits = field_limits(params)
    logit = q_absmax * k_absmax / params.digit_max**2 * LOG2_E / math.sqrt(head_dim)  # base 2, of a unit of S
    integer_logit = logit * 4**params.digit_width  # of a unit of A
    mult, shift = scaled(logit, logit_fraction(params.digit_width), limits["shift"][1])
    kappa, kappa_shift = scaled(integer_logit, COARSE_FRACTION, limits["kappa_shift"][1])
    rho = margin = log_mass = 0
    if rule == Rule.ROW_THRESHOLD:
        rho = round(threshold * RELATIVE_ONE)
    if rule == Rule.MARGIN:
        margin = round(min(threshold * LOG2_E / integer_logit, limits["margin"][1]))
    if rule == Rule.MASS:
        log_mass = round(min(-math.log2(threshold) * LOG_MASS_ONE, limits["log_mass"][1]))
    return HeadSettings(
        n_q=n_q,
        n_k=n_k,
        head_dim=head_dim,
        rule=rule,
        rho=rho,
        margin=margin,
        log_mass=log_mass,
        mult=mult,
        shift=shift,
        kappa=kappa,
        kappa_shift=kappa_shift,
        tau_head=round(tau_head * RELATIVE_ONE),
        min_keep=round(min_keep * RELATIVE_ONE),
        **flags,
    ).validate(params)


def scaled(factor: float, fraction_bits: int, max_shift: int) -> tuple[int, int]:
    """``(m, s)``, m of 8 bits, with m / 2^s closest to ``factor`` * 2^fraction_bits for an s up to ``max_shift``."""
    mantissa, exponent = math.frexp(factor)  # from 0.5 to below 1
    m, shift = round(math.ldexp(mantissa, MANTISSA_BITS)), MANTISSA_BITS - exponent - fraction_bits
    if m >> MANTISSA_BITS:  # rounded up to the next power of two
        m, shift = m >> 1, shift - 1
    if shift > max_shift:
        return round(math.ldexp(factor, fraction_bits + max_shift)), max_shift
    if shift < 0:
        return (1 << MANTISSA_BITS) - 1, 0  # more than 8 bits hold
    return m, shift
