"""What columns of examples are called, and what their cells look like."""

import math
import re
from collections.abc import Sequence

#: Headings of one text.
TEXTS = (
    *("text", "texts", "sentence", "sentences", "review", "reviews", "content", "comment", "comments", "tweet"),
    *("tweets", "question", "query", "document", "doc", "body", "message", "messages", "post", "utterance", "input"),
    *("passage", "paragraph", "article", "abstract", "phrase", "statement", "premise", "context", "headline"),
    *("string", "snippet", "sms", "email", "news", "lyrics", "caption", "reviewtext", "reviewbody", "tweettext"),
    *("commenttext", "questiontext", "cleantext", "fulltext"),
)
#: Of these the texts are read where there is no heading of TEXTS.
MINOR_TEXTS = ("title", "summary", "description", "subject", "name")
#: Headings of two texts.
PAIRS = (
    *(("sentence1", "sentence2"), ("text1", "text2"), ("premise", "hypothesis"), ("question1", "question2")),
    *(("texta", "textb"), ("sentencea", "sentenceb"), ("senta", "sentb"), ("sent1", "sent2"), ("s1", "s2")),
    *(("string1", "string2"), ("1string", "2string"), ("query1", "query2"), ("text", "textpair")),
    *(("query", "passage"), ("query", "document"), ("query", "doc"), ("query", "text"), ("query", "response")),
    *(("question", "sentence"), ("question", "passage"), ("question", "context"), ("question", "answer")),
    *(("claim", "evidence"), ("context", "response"), ("anchor", "positive"), ("text", "hypothesis")),
)
#: Headings of labels. Those of GOLD go before others.
GOLD = ("goldlabel",)
LABELS = (
    *("label", "labels", "class", "classes", "category", "categories", "target", "targets", "stars", "star"),
    *("rating", "ratings", "score", "scores", "similarity", "similarityscore", "sentiment", "polarity", "gold"),
    *("quality", "isduplicate", "relevance", "relatednessscore", "entailmentlabel", "entailmentjudgment", "emotion"),
    *("intent", "topic", "y", "output", "starrating", "reviewrating", "overall", "acceptability", "isspam", "spam"),
    *("toxic", "annotation", "labelid", "classlabel", "classid"),
)
#: Headings of what is no part of an example.
INDICES = ("", "index", "idx", "id", "ids", "guid", "uid", "uuid", "rowid", "row", "no", "nr", "number", "pairid")
INDICES += ("textid", "sentenceid", "reviewid", "promptid", "qid", "qid1", "qid2", "1id", "2id", "unnamed0", "key")
CLASSES_ONLY = ("hypothesis", "entailmentlabel", "entailmentjudgment", "goldlabel")  #: the label is a class, no score


def plain(name: object) -> str:
    """A heading in lower case, letters and digits alone."""
    return re.sub(r"[\W_]+", "", str(name)).lower()


def is_heading(cells: Sequence[object]) -> bool:
    """Whether a row names columns: it holds a known name of a text or a label, and no number."""
    names = {plain(cell) for cell in cells}
    known = {*TEXTS, *MINOR_TEXTS} | ({*LABELS, *GOLD} if len(cells) > 1 else set())
    found = bool(names & known) or any(names.issuperset(pair) for pair in PAIRS)
    return found and not any(is_number(cell, True) for cell in cells)


def number_of(cell: object, decimal_comma: bool = False) -> float:
    """The number that a cell holds, also NaN or infinity. Raises ValueError.

    What begins with a zero that a number does not need is no number, but a mark, as 0017.
    """
    text = str(cell).strip()
    if decimal_comma and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if re.match(r"[+-]?0\d", text) or "_" in text:
        raise ValueError(text)
    return float(text)


def is_number(cell: object, decimal_comma: bool = False) -> bool:
    """Whether a cell holds a number."""
    try:
        number_of(cell, decimal_comma)
    except ValueError:
        return False
    return True


def is_whole(cell: object) -> bool:
    """Whether a cell holds an integer."""
    return is_number(cell) and math.isfinite(number_of(cell)) and number_of(cell).is_integer()


def is_mark(cell: object) -> bool:
    """Whether a cell looks like a name that a program gives: a word with a digit, as gj04 or 0017."""
    text = str(cell).strip()
    return bool(re.fullmatch(r"[\w.:/#-]*\d[\w.:/#-]*", text)) and not is_number(text)
