"""Files of examples as people have them: encodings, delimiters, quotes, headings, columns: hdp_hw/study/tasks/."""

import json
import os
import subprocess
import sys

import pytest

from hdp_hw.study.tasks.labels import ClassNames
from hdp_hw.study.tasks.table import read_table

GOOD, BAD = "so good", "très bad"
TABLE = f"text,label\n{GOOD},1\n{BAD},0\n"
IS_LABEL = ClassNames(("negative", "positive")).named


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(folder, name, content, request=None):
    return read_table(written(folder, name, content), request, IS_LABEL)


# -- encodings and ends of lines --------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path, encoding, end):
    read = table(tmp_path, "a.csv", TABLE.replace("\n", end).encode(encoding))
    assert read.texts == [(GOOD,), (BAD,)] and read.labels == ["1", "0"] and read.rows.lines == [2, 3]


def test_utf16_of_either_order_and_mixed_ends_of_lines(tmp_path):
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert table(tmp_path, "a.csv", mark + TABLE.encode(encoding)).texts == [(GOOD,), (BAD,)]
    mixed = table(tmp_path, "a.csv", "text,label\r\na b,1\rc d,0\ne f,1\r\n\r\n")
    assert mixed.texts == [("a b",), ("c d",), ("e f",)] and mixed.rows.lines == [2, 3, 4]


def test_an_ascii_locale_reads_the_same(tmp_path):
    written(tmp_path, "ä.csv", TABLE)
    code = "import sys, pathlib; from hdp_hw.study.tasks.table import read_table as r; "
    code += "print(ascii(r(next(pathlib.Path(sys.argv[1]).glob('*.csv'))).texts))"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == ascii([(GOOD,), (BAD,)]), done.stderr


# -- delimiters and quotes --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.CSV"])
@pytest.mark.parametrize(
    ("delimiter", "how"), [("\t", "tabs"), (";", "semicolons"), (",", "commas"), ("|", "bars")]
)  # fmt: skip
def test_the_file_says_the_delimiter_and_not_its_ending(tmp_path, name, delimiter, how):
    content = f"text{delimiter}label\n{GOOD}{delimiter}1\n{BAD}{delimiter}0\n"
    read = table(tmp_path, name, content)
    assert read.texts == [(GOOD,), (BAD,)] and read.labels == ["1", "0"]
    assert str(read) == f"text in 'text', label in 'label'; {how} between columns"


@pytest.mark.parametrize(
    ("name", "content", "texts", "labels", "how"),
    [
        ("a.csv", "Hallo, Welt;1\nNa ja;0\n", [("Hallo, Welt",), ("Na ja",)], ["1", "0"], "semicolons"),
        ("a.csv", "eins, zwei;1\ndrei, vier;0\n", [("eins, zwei",), ("drei, vier",)], ["1", "0"], "semicolons"),
        ("a.csv", "a b;c d;3,5\nc;e f;0,25\n", [("a b", "c d"), ("c", "e f")], ["3,5", "0,25"], "semicolons"),
        ("a.csv", "so; so,1\nna; ja,0\n", [("so; so",), ("na; ja",)], ["1", "0"], "commas"),
        ("a.csv", "sep=;\ntext;label\na;1\nb, c;0\n", [("a",), ("b, c",)], ["1", "0"], "semicolons"),
        ("a.csv", "a, b\t1\nc\t0\n", [("a, b",), ("c",)], ["1", "0"], "tabs"),
        ("a.csv", '"a, ""b""\nc",1\n" d ",0\n', [('a, "b"\nc',), (" d ",)], ["1", "0"], "commas"),
        ("a.csv", 'text, label\n"a, b", 1\n0, 0\n', [("a, b",), ("0",)], ["1", "0"], "commas"),
        ("a.csv", '0, "a, b"\n1, c\n', [("a, b",), ("c",)], ["0", "1"], "commas"),
        ("a.tsv", 'so "good\t1\n"no" way\t0\n', [('so "good',), ('"no" way',)], ["1", "0"], "tabs"),
        ("a.tsv", '"all of it"\t1\nb\t0\n', [('"all of it"',), ("b",)], ["1", "0"], "tabs"),
        ("a.tsv", '"so ""good"""\t1\nb\t0\n', [('so "good"',), ("b",)], ["1", "0"], "tabs"),
        ("a.tsv", '"text"\t"label"\n"a b"\t"1"\n"c"\t"0"\n', [("a b",), ("c",)], ["1", "0"], "tabs"),
        ("a.tsv", 'text\tlabel\n"a b\nc"\t1\n"d\te"\t0\n', [("a b\nc",), ("d\te",)], ["1", "0"], "tabs"),
        ("a.txt", "positive\tso, so\nnegative\tno; no\n", [("so, so",), ("no; no",)], ["positive", "negative"], "tabs"),
        ("a.txt", "so good,1\nso, bad\n", [("so good,1",), ("so, bad",)], None, "a text a line"),
        ("a.txt", "so good,1\nbad,0\n", [("so good",), ("bad",)], ["1", "0"], "commas"),
        ("a.txt", "one, two\n\n  three;\n", [("one, two",), ("three;",)], None, "a text a line"),
        ("a.txt", "<s>so good</s>\n<s>bad</s>\n", [("<s>so good</s>",), ("<s>bad</s>",)], None, "a text a line"),
        ("a.csv", "<b>so</b> good,1\nbad</b>,0\n", [("<b>so</b> good",), ("bad</b>",)], ["1", "0"], "commas"),
        ("a.txt", "text\nlabel\n", [("text",), ("label",)], None, "a text a line"),
        ("a.csv", '"one, two"\nthree\n', [("one, two",), ("three",)], None, "one column"),
        ("a.csv", "text\none two\nthree\n", [("one two",), ("three",)], None, "one column"),
    ],
)  # fmt: skip
def test_delimiters_and_quotes(tmp_path, name, content, texts, labels, how):
    read = table(tmp_path, name, content)
    assert read.texts == texts and read.labels == labels and read.rows.how.startswith(how)


def test_a_very_long_cell(tmp_path):
    long = "word " * 60_000
    assert table(tmp_path, "a.csv", f'text,label\n"{long}",1\nb,0\n').texts == [(long,), ("b",)]
    assert table(tmp_path, "a.tsv", f"{long}\t1\nb\t0\n").texts == [(long,), ("b",)]


# -- headings ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("heading", "row", "texts", "label"),
    [
        ("text,labels", "a b,1", ("a b",), "1"),
        ("Class,REVIEW", "1,a b", ("a b",), "1"),
        ("review,category", "a b,1", ("a b",), "1"),
        ("tweet,target", "a b,1", ("a b",), "1"),
        ("Review_Text,Stars", "a b,1", ("a b",), "1"),
        (" content , rating ", "a b,1", ("a b",), "1"),
        (",text,label", "7,a b,1", ("a b",), "1"),
        ("Unnamed: 0,sentence,sentiment", "7,a b,1", ("a b",), "1"),
        ("text,label,", "a b,1,", ("a b",), "1"),
        ("Id,ProductId,Score,Time,Summary,Text", "1,B0,5,130,Good,a b", ("a b",), "5"),
        ("gold_label,sentence1,sentence2,label1,label2", "1,a,b c,0,1", ("a", "b c"), "1"),
        ("premise,hypothesis,label", "a,b c,0", ("a", "b c"), "0"),
        ("label,text_a,text_b", "0,a,b c", ("a", "b c"), "0"),
        ("hypothesis,premise,label", "a,b c,0", ("b c", "a"), "0"),
        ("index,question,sentence,label", "0,a,b c,entailment", ("a", "b c"), "entailment"),
        ("id,qid1,qid2,question1,question2,is_duplicate", "0,1,2,a,b c,1", ("a", "b c"), "1"),
        ("Quality,#1 ID,#2 ID,#1 String,#2 String", "1,70,71,a,b c", ("a", "b c"), "1"),
        ("pair_ID,sentence_A,sentence_B,relatedness_score", "1,a,b c,4.5", ("a", "b c"), "4.5"),
        ("query,passage,relevance", "a,b c,1", ("a", "b c"), "1"),
        ("id,text", "a7,a b", ("a b",), None),
        ("index,sentence1,sentence2", "1,a,b c", ("a", "b c"), None),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_headings(tmp_path, heading, row, texts, label, delimiter):
    content = f"{heading}\n{row}\n{row}\n".replace(",", delimiter)
    read = table(tmp_path, "a.csv", content)
    assert read.texts == [texts, texts] and read.labels == (None if label is None else [label, label])
    assert read.rows.lines == [2, 3] and "no heading" not in str(read)


GLUE_STSB = "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"
SNLI = (
    "gold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2"
    "\tcaptionID\tpairID\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5"
)


def test_the_columns_of_well_known_files(tmp_path):
    row = '0\tmain-captions\tMSRvid\t2012test\t0001\tnone\tnone\tA "man".\tA boy.\t5.000'
    read = table(tmp_path, "dev.tsv", f"{GLUE_STSB}\n{row}\n")
    assert read.texts == [('A "man".', "A boy.")] and read.labels == ["5.000"]
    rows = [f"{gold}\t( a\t( b\t(R a\t(R b\tA man.\tA boy.\t1.jpg\t1r1n\tneutral\t\t\t\t" for gold in ("neutral", "-")]
    read = table(tmp_path, "snli_1.0_dev.txt", "\n".join([SNLI, *rows]))
    assert read.texts == [("A man.", "A boy.")] and read.labels == ["neutral"]
    assert str(read).endswith("tabs between columns; 1 without consensus left out")
    cola = "gj04\t1\t\tThe sailors rode.\nl-93\t0\t*\tBooks sent to.\nc_13\t1\t\tThey drank.\n"
    read = table(tmp_path, "dev.tsv", cola)
    assert read.texts == [("The sailors rode.",), ("Books sent to.",), ("They drank.",)]
    assert read.labels == ["1", "0", "1"] and "column 4, label in column 2" in str(read)


@pytest.mark.parametrize(
    ("content", "texts", "labels"),
    [
        ("0,a b,0\n1,c d,1\n2,e,0\n3,f,1\n", [("a b",), ("c d",), ("e",), ("f",)], ["0", "1", "0", "1"]),
        ("90,a b,0\n7,c d,1\n55,e,0\n", [("a b",), ("c d",), ("e",)], ["0", "1", "0"]),
        ("id_1,a b,1\nid_2,c,0\n", [("a b",), ("c",)], ["1", "0"]),
        ("1,a b\n2,c\n3,d\n", [("a b",), ("c",), ("d",)], None),
        ("1,a b\n0,c\n1,d\n", [("a b",), ("c",), ("d",)], ["1", "0", "1"]),
        ("a b,positive\nc,Negative\n", [("a b",), ("c",)], ["positive", "Negative"]),
        ("a b,c,0.5\nd,e f,2\n", [("a b", "c"), ("d", "e f")], ["0.5", "2"]),
        ("0,a b,c,0.5\n1,d,e f,2\n2,g,h,4\n", [("a b", "c"), ("d", "e f"), ("g", "h")], ["0.5", "2", "4"]),
    ],
)
def test_without_a_heading(tmp_path, content, texts, labels):
    read = table(tmp_path, "a.csv", content)
    assert read.texts == texts and read.labels == labels and str(read).endswith("no heading")


# -- columns by request -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "request_", "texts", "labels"),
    [
        ("v1,v2\nham,a b\nspam,c\n", "text=v2,label=v1", [("a b",), ("c",)], ["ham", "spam"]),
        ("Body Of It,Mood\na b,1\nc,0\n", "text=Body Of It,label=Mood", [("a b",), ("c",)], ["1", "0"]),
        ("left,right,how\na,b,1\nc,d,2\n", "text1=left,text2=right,label=how", [("a", "b"), ("c", "d")], ["1", "2"]),
        ("Wörter,Maß\na b,1\nc,0\n", "text=W\udcc3\udcb6rter,label=Ma\udcc3\udc9f", [("a b",), ("c",)], ["1", "0"]),
        ("text,label\na b,1\nc,0\n", "text=text", [("a b",), ("c",)], None),
        ("title,text,label\na b,x,1\nc,y,0\n", "text=title,label=label", [("a b",), ("c",)], ["1", "0"]),
        ("x1,a b,c,5\nx2,d,e f,3\n", "text=2,text=3,label=4", [("a b", "c"), ("d", "e f")], ["5", "3"]),
        ("text,label\na b,1\nc,0\n", "label=2,text=1", [("a b",), ("c",)], ["1", "0"]),
    ],
)
def test_columns_by_request(tmp_path, content, request_, texts, labels):
    read = table(tmp_path, "a.csv", content, request_)
    assert read.texts == texts and read.labels == labels


# -- objects ----------------------------------------------------------------------------------------------------------
def test_json_objects_a_line_or_in_a_list(tmp_path):
    objects = [{"text": "a\nb", "label": 1, "more": [1]}, {"label": "0", "text": "ü"}]
    lines = "\n".join(json.dumps(each) for each in objects)
    for name, content in (("a.jsonl", lines), ("a.json", lines), ("a.json", json.dumps(objects, indent=1))):
        read = table(tmp_path, name, content)
        assert read.texts == [("a\nb",), ("ü",)] and read.labels == ["1", "0"]
    assert str(read) == "text in 'text', label in 'label'; JSON objects"
    read = table(tmp_path, "a.jsonl", '{"premise": "a", "hypothesis": "b", "gold_label": "neutral"}\n\n')
    assert read.texts == [("a", "b")] and read.labels == ["neutral"]
