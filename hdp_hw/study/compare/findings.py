"""What records of a comparison say in words: which settings are chosen, and what they lose on other examples."""

from hdp_hw.study.compare.sweep import JUDGED, SEARCH

BUDGETS = (0.005, 0.01, 0.02)  #: losses of the metric under which methods are compared
BOUND = "oracle"  #: a method that nobody can build


def part(records, name):
    """The records of a part of the examples."""
    return [record for record in records if record.part == name]


def best(records, budget, by=lambda record: record.model.saving):
    """The record that saves most of the model among those that lose no more than ``budget``, or None.

    Loss and standard error together must not: else, with few examples, the luckiest would be taken for the best.
    """
    within = (record for record in records if holds(record, budget) and by(record) is not None)
    return max(within, key=by, default=None)


def holds(record, budget):
    """Whether loss and standard error together are no more than ``budget``."""
    return record.loss + record.stderr <= budget


def curves(records):
    """Names of the curves, in order."""
    return list(dict.fromkeys(record.curve for record in records))


def chosen(records, budget):
    """``{curve: record}`` of the SEARCH records that save most of each curve within the budget, most saving first.

    A curve that saves nothing is left out, unless it is a single setting, which nobody chooses.
    """
    found = []
    for curve in curves(records):
        own = [record for record in part(records, SEARCH) if record.curve == curve]
        record = own[0] if len(own) == 1 else best(own, budget)
        if record and (len(own) == 1 or record.model.saving > 0):
            found.append(record)
    return {record.curve: record for record in sorted(found, key=lambda record: -record.model.saving)}


def judged(records, budget):
    """``{curve: record}`` of the JUDGED records whose settings are :func:`chosen`, most saving first."""
    known = {record.key: record for record in part(records, JUDGED)}
    found = [known[record.key] for record in chosen(records, budget).values() if record.key in known]
    return {record.curve: record for record in sorted(found, key=lambda record: -record.model.saving)}


def findings(records):
    """Sentences: who saves most of the model within each budget, which peers beat HDP, and whose choice would
    save more if it held."""
    sentences = []
    for budget in BUDGETS:
        of_budget = [each for each in judged(records, budget).values() if each.method != BOUND]
        within = [each for each in of_budget if holds(each, budget) and each.model.saving > 0]
        ours = next((record for record in within if record.ours), None)
        peers = [record for record in within if not record.ours]
        most = max((record.model.saving for record in within), default=0)
        failed = [str(each) for each in of_budget if not holds(each, budget) and each.model.saving > most]
        why = "would save more, but on examples that did not choose them they lose more than is allowed"
        more = f" Other choices {why}: {'; '.join(failed)}." if failed else ""
        start = f"At {100 * budget:g} points lost or less, "
        if not within:
            sentences.append(f"{start}no method saves anything.{more}")
            continue
        ahead = [peer for peer in peers if not ours or peer.model.saving > ours.model.saving]
        if ahead:
            winners = "; ".join(map(str, ahead))
            sentence = f"{'peers win' if len(ahead) > 1 else 'a peer wins'}: {winners}. {_best_hdp(ours)}"
        else:
            second = f" The best peer is {peers[0]}." if peers else " No peer saves anything."
            sentence = f"HDP saves most: {ours}.{second}"
        sentences.append(start + sentence + more)
    return sentences


def _best_hdp(ours):
    return f"HDP's best is {ours}." if ours else "HDP saves nothing."
