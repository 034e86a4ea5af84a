"""hdp-hw calibrate and hdp-hw profile: from their arguments to their files."""

import sys

from hdp_hw.driver.layer import save_layers
from hdp_hw.spec.failure import MissingPackage
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Rule
from hdp_hw.study.accuracy.calibrate import about, bounded, judge, layers_of, open_workplace
from hdp_hw.study.accuracy.calibrate import calibrate as find_settings
from hdp_hw.study.accuracy.choices import THRESHOLDS
from hdp_hw.study.accuracy.page import page
from hdp_hw.study.accuracy.profile import profile as find_profile
from hdp_hw.study.accuracy.profile import write


def calibrate(arguments, command):
    """Find settings and write them; ``command`` is the line that was typed."""
    max_loss, place = share_of(arguments.max_loss), _workplace(arguments)
    best, judged = find_settings(place, max_loss, *_search(arguments))
    save_layers(arguments.output, bounded(best), {"command": command, **about(place, max_loss, best, judged)})
    held = "within" if judged.comparison.loss <= max_loss else "ABOVE"
    print(f"{judged}\n{arguments.output}: loss {held} the allowed {100 * max_loss:g} points on unseen examples")


def profile(arguments, command):
    """Judge settings, which are found first unless there are some, and write JSON and a page."""
    if arguments.timed < 1:
        raise ParameterError("timed", arguments.timed, "1 or more")
    max_loss, place = share_of(arguments.max_loss), _workplace(arguments)
    if arguments.settings:
        layers = layers_of(arguments.settings, place.validation.model.encoder.n_layers)
        judged = judge(place, layers, arguments.jobs, say)
    else:
        judged = find_settings(place, max_loss, *_search(arguments))[1]
    say("clock cycles and bytes")
    result = find_profile(place, judged, max_loss, arguments.timed)
    name = f"{place.validation.model.name}-{place.validation.name}"
    path = write(result, arguments.output, name)
    print(result.text())
    print(path)
    try:
        path.with_suffix(".html").write_text(page(result, place, command))
        print(path.with_suffix(".html"))
    except MissingPackage as error:
        say(f"no page: {error}")


def share_of(text):
    """0.01 of ``1%`` or ``0.01``. Raises ParameterError."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise ParameterError("max_loss", text, "a share of the metric: 0 to 1, or 0% to 100%")
    return share


def rules_of(text):
    """Rules of ``mass,margin``. Raises ParameterError."""
    legal = [rule.name.lower() for rule in THRESHOLDS]
    for name in text.split(","):
        if name not in legal:
            raise ParameterError("rules", name, f"{', '.join(legal)}, with commas between them")
    return tuple(Rule[name.upper()] for name in text.split(","))


def say(line):
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def _workplace(arguments):
    overrides = [tuple(text.partition("=")[::2]) for text in arguments.set]
    return open_workplace(
        arguments.model, arguments.data, arguments.config, overrides, arguments.max_tokens, arguments.limit,
        arguments.jobs, say,
    )  # fmt: skip


def _search(arguments):
    return rules_of(arguments.rules), arguments.sample, arguments.steps, arguments.jobs, say
