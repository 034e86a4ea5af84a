"""Files of examples that cannot be used: each ends in one error that names file, line, and what would be legal."""

import json
import re

import numpy as np
import pytest

from hdp_hw.spec.failure import Failure
from hdp_hw.study.models import Encoder, Model
from hdp_hw.study.tasks import TaskError, load_task
from tb.model.test_models import VIT, random_tensors
from tb.model.test_tasks import model, written


def refused(folder, name, content, n_labels=2, columns=None):
    """The message with which a file is refused."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TaskError) as error:
        load_task(path, model(n_labels=n_labels), columns=columns)
    assert isinstance(error.value, Failure) and str(error.value).startswith(str(path)) and "\n" not in str(error.value)
    return str(error.value).removeprefix(str(path))


# -- files ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"PK", r": a file of examples ends in \.tsv, \.csv, \.txt, \.jsonl, \.ndjson, \.json or \.npz"),
        ("a.csv", b"", " holds no examples: it is empty"),
        ("a.tsv", b"\n \r\n", " holds no examples: it is empty"),
        ("a.csv", b"\xef\xbb\xbf", " holds no examples: it is empty"),
        ("a.csv", b",,\n,,\n", " holds no examples"),
        ("a.tsv", b"sentence\tlabel\n", " holds no examples, only a heading"),
        ("a.csv", b"text,label\nok,1\ncaf\xe9,1\n",
         r", line 3: byte 0xe9 is not UTF-8; .* convert it: iconv -f WINDOWS-1252 -t UTF-8 a\.csv"),
        ("a.csv", b"\xff\xfetext,label\n", r" begins as UTF-16, but byte \d+ is not; save it as UTF-8"),
        ("a.csv", "text,label\na,1\n".encode("utf-16-le"), ", line 1: a NUL byte, which no text has; save .* as UTF-8"),
        ("a.csv", b"text,label\nok,1\na\0b,1\n", ", line 3: a NUL byte"),
        ("a.csv", b"\n<!-- saved -->\n<!DOCTYPE html>\n<html><p>so good</html>\n",
         r" holds HTML, .* legal: the content of a \.tsv, .* or \.npz; a link to a page .* take the file's own"),
        ("a.csv", b"<HTML lang='en'>\n", " holds HTML, "),
        ("a.tsv", b'<?xml version="1.0"?>\n<a>so good</a>\n', r" holds XML, .* \.npz$"),
        ("a.txt", b"<a id='1'>\n<b>so good</b>\n<b>bad</b>\n</a>\n", " holds XML, "),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\n", " is a Git LFS pointer"),
    ],
)  # fmt: skip
def test_files(tmp_path, name, content, message):
    assert re.fullmatch(f"{message}.*", refused(tmp_path, name, content))


def test_images_without_a_file():
    vit = Model("mine", Encoder(VIT, random_tensors(VIT, 2)), None, None, ("0", "1"))
    with pytest.raises(TaskError, match=r"^mine takes images, and has none of its own: give an \.npz file; legal:"):
        load_task(None, vit)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(TaskError, match=r"none\.csv does not exist"):
        load_task(tmp_path / "none.csv", model())
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(TaskError, match=r"a\.csv is a folder"):
        load_task(tmp_path / "a.csv", model())


# -- rows -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "sentence\tlabel\nno good\tat\t\n", ", line 2: 3 columns, not 2 as in its first line, with tabs"),
        ("a.csv", "text,label\na,1\nb, c,0\n", ", line 3: 3 columns, not 2 as in its first line, with commas"),
        ("a.csv", "text;label\na,1\nb, c;0\n", ", line 2: 1 column, not 2 as in its first line, with semicolons"),
        ("a.csv", "a,1\nb, c,0\nd,1\n", r", line 2: 3 columns, not 2 as in most lines, .* a line ends in \.txt"),
        ("a.csv", "a title\ntext,label\na,1\nb,0\n", ", line 1: 1 column, not 2 as in most lines"),
        ("a.txt", "one\ttwo\tthree\nfour\tfive\nsix\tseven\n", ", line 1: 3 columns, not 2 as in most lines"),
        ("a.csv", '"a,1\nb,0\n', ", line 1: a quote that begins here does not end"),
        ("a.csv", 'text,label\na,1\n"b,0\nc,1\n', ", line 3: a quote that begins here does not end"),
        ("a.csv", 'text,label\na,1\n\n"b" c,0\nc,1\n', ", line 4: text behind a closing quote; quotes inside"),
        ("a.csv", 'text,label\n"a,1\nb,0\n"c",1\n', ", line 2: text behind a closing quote"),
        ("a.csv", "text,label\n ,1\n", ", line 2: the text in 'text' is empty"),
        ("a.csv", "text,label\na,1\nb,\n", ", line 3: the label in 'label' is empty"),
        ("a.csv", "a b,1\nb c,\nc d,0\n", ", line 2: the label in column 2 is empty"),
        ("a.csv", "text,label\na,1\ntext,label\nb,0\n", ", line 3: the heading again"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b"\n', r", line 2: not sound JSON .*; legal: an object"),
        ("a.json", '[{"text": "a", "label": 1},\n{"text" 1}]', r", line 2: not sound JSON"),
        ("a.json", "[1, 2]", r", entry 1: not an object, \{\.\.\.\}"),
        ("a.json", "[]", " holds no examples"),
        ("a.txt", "__label__1 good\n__label__0 bad\n", ": labels of fastText are not read"),
        ("a.txt", "so good,1\nso, bad,0\n", ": every line ends in a number behind a delimiter, as a label"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": ["b"], "label": 1}', ", line 2: the text in 'text' is a list"),
        ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "b"}', ", line 2: the label in 'label' is empty"),
        ("a.json", '{"data": [{"text": "a"}]}', r", line 1: the columns 'data' are not understood"),
    ],
)  # fmt: skip
def test_rows(tmp_path, name, content, message):
    assert re.match(message, refused(tmp_path, name, content))


# -- columns ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("v1,v2\n1,a b\n0,c\n", ", line 1: the columns 'v1', 'v2' are not understood: they are a heading, but no name"),
        ("v1,v2,,\nham,a b,,\nspam,c d,,\nham,e f,,\n", ", line 1: the columns 'v1', 'v2', '', '' .* like a heading"),
        ('"3","Wall St.","Short, and"\n"1","Carlyle Looks","Reuters - P"\n', ": .* the first may be a class"),
        ("kind,body_of_it\nyes,a b\nno,c\n", ", line 1: the columns 'kind', 'body_of_it' .*: they are a heading"),
        ("Remark\na b\nc d\n", ", line 1: the columns 'Remark' are not understood: they look like a heading"),
        ("text,mood\na b,1\nc,0\n", ", line 1: .*: 'mood' may be the label, but is not known as one"),
        ("text,mood,label,score\na b,1,2,3\n", ": more than one may be the label"),
        ("sentence,review,label\na b,c,1\n", ": 2 of them may be the text"),
        ("title,description,label\na b,c,1\n", ": 2 of them may be the text"),
        ("thing,label\na b,1\n", ", line 1: the columns 'thing', 'label' are not understood: none is known for texts"),
        ("text,Text,label\na b,c,1\n", ", line 1: .*: two columns are called 'text'"),
        ("a,b c\nc,d e\n", r": its first line names no columns, and of its 2 columns none looks like a label\. Put a "
                           r"heading such as text,label or sentence1,sentence2,score above them, or say which"),
        ("a b,0,1\nc,0,1\nd,1,0\n", ": .* its 3 columns 1 may be texts and 2 labels"),
        ("a b,x y,v w,1\nc d,d e,e f,0\n", ": .* its 4 columns 3 may be texts and 1 labels"),
        ("0,1467,Mon Apr 06,NO_QUERY,Spec,a b c\n4,1468,Tue Apr 06,NO_QUERY,Karoli,c d e\n", ": .* may be texts"),
        ("x7,a b\nx9,b c\n", ": .* none looks like a label"),
        ("".join(f"a b,c d,{7919 * n % 100}\n" for n in range(1, 12)),
         ": .* none but column 3, of numbers that all differ, looks like a label"),
    ],
)  # fmt: skip
def test_columns(tmp_path, content, message):
    said = refused(tmp_path, "a.csv", content)
    assert re.search(message, said) and "--columns" in said
    assert "not understood" not in said or ("Known for texts: text, " in said and "for labels: label, " in said)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("review", "columns 'review' are not legal; legal: text=NAME,label=NAME, with text twice for pairs"),
        ("label=b", "columns 'label=b' are not legal"),
        ("text=a,text=b,text=c", "columns .* are not legal"),
        ("text=a,label=a", "columns .* are not legal"),
        ("text=x,label=b", ": there is no column 'x'; legal: 1 to 3, or one of a, b, c"),
        ("text=1,label=4", ": there is no column '4'; legal: 1 to 3, or one of a, b, c"),
        ("text=0,label=1", ": there is no column '0'"),
    ],
)
def test_columns_by_request(tmp_path, columns, message):
    with pytest.raises(TaskError, match=message):
        load_task(written(tmp_path, "a.csv", "a,b,c\nx y,1,2\n"), model(n_labels=2), columns=columns)


def test_columns_without_a_file():
    with pytest.raises(TaskError, match="columns 'text=a' are those of a file, and there is none"):
        load_task(None, model(), columns="text=a")


# -- labels -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("n_labels", "content", "message"),
    [
        (2, "text,label\na,1\nb,2\n", ", line 3: the label '2' in 'label' is not legal; legal: 0 to 1, or one of no"),
        (2, "text,label\na,-1\n", ", line 2: the label '-1' in 'label' is not legal"),
        (2, "text,label\na,0.5\n", ", line 2: the label '0.5' in 'label' is not legal"),
        (2, "text,label\na,nan\n", ", line 2: the label 'nan' in 'label' is not legal"),
        (2, "text,label\na,positive\n", ", line 2: the label 'positive' .* legal: 0 to 1, or one of no, yes"),
        (2, "a b\t1\nb\t2\n", ", line 2: the label '2' in column 2 is not legal"),
        (3, "premise,hypothesis,gold_label\na,b,neutral\n", ", line 2: the label 'neutral' .* one of no, yes, maybe"),
        (3, "premise,hypothesis,gold_label\na,b,-\n", " holds no examples with a consensus"),
        (3, "sentence1,sentence2,score\na,b,2.5\n", ", line 2: the label '2.5' in 'score' is not legal"),
        (0, "text,label\na,0.5\nb,1\n", ", line 2: the label '0.5' in 'label' is not legal; legal: a whole number"),
        (0, "text,label\na,0.5\nb,0.7\n", ", line 2: the label '0.5' .*: this model has no output for the score"),
        (0, "text,label\na,1\nb,1\n", ": all labels in 'label' are '1'; legal: at least 2 classes"),
        (0, "text,label\n" + "".join(f"a,{n * 7}\n" for n in range(9)), ": 'label' has 9 different labels"),
        (0, "sentence1,sentence2,score\na,b,nan\nc,d,1\n", ", line 2: the label 'nan' .* a finite number"),
        (0, "sentence1,sentence2,score\na,b,1\nc,d,inf\n", ", line 3: the label 'inf' .* a finite number"),
        (0, "sentence1,sentence2,score\na,b,1\nc,d,x\n", ", line 3: the label 'x' in 'score' .* a finite number"),
        (0, "sentence1,sentence2,score\na,b,1\nc,d,\n", ", line 3: the label in 'score' is empty"),
        (0, "sentence1,sentence2,score\na,b,1\nc,d,1\n", ": all scores in 'score' are 1"),
        (0, "premise,hypothesis,label\na,b,1\nc,d,0\n", ": pairs with a class .* tiny has no classifier"),
        (0, "sentence1,sentence2\na,b\n", ": pairs of texts without a label .* judged by their similarity"),
        (1, "text\na\n", ": texts without a label .* tiny has one output, a score"),
        (1, "text,label\na,good\nb,1\n", ", line 2: the label 'good' in 'label' is not legal; legal: a finite number"),
    ],
)  # fmt: skip
def test_labels(tmp_path, n_labels, content, message):
    name = "a.tsv" if "\t" in content else "a.csv"
    assert re.match(message, refused(tmp_path, name, content, n_labels))


# -- images -----------------------------------------------------------------------------------------------------------
IMAGES = np.zeros((4, 3, 6, 6))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES}, "the arrays labels are missing; it has images; legal: arrays `images`"),
        ({"x": IMAGES, "y": np.zeros(4)}, "the arrays images, labels are missing; it has x, y"),
        ({"images": np.zeros((4, 6, 6, 3)), "labels": np.zeros(4)}, r"\(4, 6, 6, 3\); legal for tiny: \(n, 3, 6, 6\)"),
        ({"images": np.zeros((4, 3, 8, 8)), "labels": np.zeros(4)}, r"images have the shape \(4, 3, 8, 8\)"),
        ({"images": IMAGES[0], "labels": np.zeros(4)}, r"images have the shape \(3, 6, 6\)"),
        ({"images": IMAGES[:0], "labels": np.zeros(0)}, "holds no examples"),
        ({"images": IMAGES.astype(str), "labels": np.zeros(4)}, "images are <U32; legal: integers or floats"),
        ({"images": np.where(np.arange(4)[:, None, None, None] == 2, np.nan, IMAGES), "labels": np.zeros(4)},
         "image 2, counted from 0, holds NaN or infinity"),
        ({"images": IMAGES, "labels": np.zeros(5)}, r"labels have the shape \(5,\); legal: \(4,\)"),
        ({"images": IMAGES, "labels": np.zeros((4, 1))}, r"labels have the shape \(4, 1\)"),
        ({"images": IMAGES, "labels": np.array([0, 1, 3, 2])}, "label 2, counted from 0, is 3; legal for tiny: 0 to 2"),
        ({"images": IMAGES, "labels": np.array([0, -1, 1, 2])}, "label 1, counted from 0, is -1; legal"),
        ({"images": IMAGES, "labels": np.array([0, 1, 0.5, 2])}, "labels are float64, not all whole"),
        ({"images": IMAGES, "labels": np.array(["a", "b", "c", "a"])}, "labels are <U1, not all whole"),
        ({"images": np.array([None, IMAGES], object), "labels": np.zeros(4)}, r"is not a sound \.npz file of numbers"),
    ],
)  # fmt: skip
def test_images(tmp_path, arrays, message):
    vision = Model("tiny", Encoder(VIT, random_tensors(VIT, 3)), lambda image, limit: image, list, ("a", "b", "c"))
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(TaskError, match=rf"a\.npz.*{message}"):
        load_task(tmp_path / "a.npz", vision)


def test_no_images(tmp_path):
    vision = Model("tiny", Encoder(VIT, random_tensors(VIT, 3)), lambda image, limit: image, list, ("a", "b", "c"))
    with pytest.raises(TaskError, match=r"tiny takes images, from a \.npz file"):
        load_task(written(tmp_path, "a.txt", "a"), vision)
    for content in (b"", b"no zip", b"PK\x03\x04 cut off"):
        (tmp_path / "b.npz").write_bytes(content)
        with pytest.raises(TaskError, match=r"b\.npz is not a sound \.npz file of numbers"):
            load_task(tmp_path / "b.npz", vision)
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=np.zeros(4))
    with pytest.raises(TaskError, match="takes texts, not images"):
        load_task(tmp_path / "a.npz", model())
    with pytest.raises(TaskError, match="has arrays and no columns"):
        load_task(tmp_path / "a.npz", vision, columns="text=a")


def test_json_numbers_that_are_none(tmp_path):
    content = json.dumps([{"sentence1": "a", "sentence2": "b", "score": float("nan")}])
    said = refused(tmp_path, "a.json", content, 0)
    assert said == ", entry 1: the label 'nan' in 'score' is not legal; legal: a finite number"
