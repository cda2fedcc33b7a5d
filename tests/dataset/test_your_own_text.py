"""Your own text: many files, packed files, books, tables of all countries, columns in memory."""

import gzip
import warnings

import numpy as np
import pytest

from lunsedu import LunsDataset


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder that is the working directory, and a function that writes files into it."""
    monkeypatch.chdir(tmp_path)

    def write(**files):
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return tmp_path

    return write


def files(folder, **contents):
    return folder(**{name.replace(".", "_DOT_"): content for name, content in contents.items()})


# --- many files -----------------------------------------------------------------------------------


def test_a_folder_is_read_by_name_with_its_own_folders(folder):
    files(folder, **{"texts__b.md": "two", "texts__a.txt": "one", "texts__deep__c.txt": "three"})
    dataset = LunsDataset("texts/")
    assert dataset.texts == ["one", "two", "three"]
    assert [path.as_posix() for path in dataset.paths] == [
        "texts/a.txt",
        "texts/b.md",
        "texts/deep/c.txt",
    ]
    assert repr(dataset) == "LunsDataset('texts', 3 files, 3 texts)"


def test_what_a_folder_leaves_out_is_named(folder):
    files(
        folder, **{"t__a.txt": "one", "t__.hidden.txt": "no", "t__b.pdf": "%PDF", "t__c.txt": "\n"}
    )
    with pytest.warns(UserWarning) as caught:
        assert LunsDataset("t").texts == ["one"]
    (told,) = [str(warning.message) for warning in caught]
    assert "t/.hidden.txt (hidden)" in told.replace("\\", "/")
    assert "b.pdf (no text that can be read" in told and "c.txt (no text in it)" in told
    assert caught[0].filename == __file__


def test_a_list_keeps_its_order_and_a_glob_goes_by_name(folder):
    files(folder, **{"b.txt": "two", "a.txt": "one", "c.md": "three"})
    assert LunsDataset(["b.txt", "a.txt"]).texts == ["two", "one"]
    assert LunsDataset(["c.md", "*.txt"]).texts == ["three", "one", "two"]
    assert LunsDataset("*.txt").texts == ["one", "two"]
    assert LunsDataset(["a.txt"]).path is None


@pytest.mark.parametrize(
    "path, error, words",
    [
        ([], ValueError, "the list of files is empty"),
        (["a.txt", "a.txt"], ValueError, "a.txt is named twice"),
        (["a.txt", "none.txt"], FileNotFoundError, "none.txt"),
        (["a.txt", "empty.txt"], ValueError, "empty.txt: the file holds no text"),
        (["a.txt", 5], TypeError, "must hold their names, not int"),
        ("*.csv", FileNotFoundError, "In the glob *.csv there is no file to read"),
        ("nothing", FileNotFoundError, "left out: nothing/.x.txt".replace("/", "/")),
        ({"a.txt"}, TypeError, "not set"),
    ],
)
def test_files_that_are_refused(folder, path, error, words):
    files(folder, **{"a.txt": "one", "empty.txt": "", "nothing__.x.txt": "hidden"})
    with pytest.raises(error) as caught:
        LunsDataset(path)
    assert words in str(caught.value).replace("\\", "/") and "\n" not in str(caught.value)


def test_a_broken_file_among_many_is_named(folder):
    files(folder, **{"a.txt": "one", "b.txt": b"caf\xe9"})
    with pytest.raises(ValueError, match="b.txt, line 1: the byte 0xE9"):
        LunsDataset(["a.txt", "b.txt"])


def test_options_go_to_the_files_that_they_are_for(folder):
    files(folder, **{"a.csv": "text,n\none,1\n", "b.txt": "two", "c.jsonl": '{"say": "three"}'})
    assert LunsDataset(".", column="text", field="say").texts == ["one", "two", "three"]
    with pytest.raises(ValueError, match="field= is for .json and .jsonl files"):
        LunsDataset(["a.csv", "b.txt"], column="text", field="say")


# --- packed files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, content, options",
    [
        ("a.txt.gz", "one\ntwo", {}),
        ("a.MD.GZ", "one\ntwo", {}),
        ("a.csv.gz", "text;n\none;1\ntwo;2", {"column": "text"}),
        ("a.tsv.gz", "text\tn\none\t1\ntwo\t2", {"column": "text"}),
        ("a.json.gz", '["one", "two"]', {}),
        ("a.jsonl.gz", '"one"\n"two"', {}),
    ],
)
def test_packed_files(folder, name, content, options):
    files(folder, **{name: gzip.compress(content.encode())})
    assert LunsDataset(name, **options).texts == ["one", "two"]


def test_a_broken_packed_file_is_refused(folder):
    whole = gzip.compress(b"hello " * 100)
    files(folder, **{"no.txt.gz": b"hello", "cut.txt.gz": whole[:-9]})
    for name in ("no.txt.gz", "cut.txt.gz"):
        with pytest.raises(ValueError, match=f"{name} is not a whole gzip file"):
            LunsDataset(name)


# --- what is one text -----------------------------------------------------------------------------

LINE = "It was a fine day and the boat lay in the harbour, as boats will do."
BOOK = "\n\n".join("\n".join([LINE] * 5) for _ in range(6)) + "\n"


def test_a_book_gets_advice_and_both_ways_work(folder):
    files(folder, **{"book.txt": BOOK})
    with pytest.warns(UserWarning, match='wrapped like a book.*split="paragraphs"') as caught:
        assert len(LunsDataset("book.txt").texts) == 30
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LunsDataset("book.txt", split="paragraphs").texts == [" ".join([LINE] * 5)] * 6
        assert LunsDataset("book.txt", split="file").texts == [BOOK.strip("\n")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_paragraphs(folder, end):
    content = f"{end}one{end}  more {end} {end}\t{end}two{end}{end}"
    files(folder, **{"a.md": content})
    assert LunsDataset("a.md", split="paragraphs").texts == ["one more", "two"]


def test_lines_that_are_no_book_get_no_advice(folder):
    files(folder, **{"a.txt": (LINE + "\n") * 60, "b.txt": "short\n\n" * 60})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(LunsDataset(["a.txt", "b.txt"]).texts) == 120


def test_split_is_one_of_three_and_for_plain_text(folder):
    files(folder, **{"a.txt": "one", "a.json": '["one"]'})
    with pytest.raises(ValueError, match="split must be one of 'lines', 'paragraphs', 'file'"):
        LunsDataset("a.txt", split="sentences")
    with pytest.raises(ValueError, match="split= is for .txt and .md files"):
        LunsDataset("a.json", split="file")


# --- tables ---------------------------------------------------------------------------------------

ROWS = [("mia", 'hello, "you"; all'), ("tom", "two\nlines | one\ttab"), ("sue", "1,5 naïve")]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_sign_between_columns_is_found(folder, sign, mark, end):
    quoted = [(name, '"' + text.replace('"', '""') + '"') for name, text in ROWS]
    content = mark + end.join(sign.join(row) for row in [("name", "text"), *quoted])
    files(folder, **{"talk.csv": content})
    expected = [text for _, text in ROWS]
    assert LunsDataset("talk.csv", column="text").texts == expected
    assert LunsDataset("talk.csv", column="text", delimiter=sign).texts == expected
    with pytest.raises(ValueError, match="the columns are 'name', 'text': say with column="):
        LunsDataset("talk.csv")


def test_a_european_spreadsheet_with_decimal_commas(folder):
    content = "sep=;\r\nname;wert;text\r\nmia;1,5;Grüße, ihr!\r\ntom;2,25;ja; \r\n"
    files(folder, **{"a.csv": content.encode("cp1252").replace(b"ja; ", b"ja;")})
    assert LunsDataset("a.csv", column="text", encoding="cp1252").texts == ["Grüße, ihr!", "ja"]


def test_one_column_with_commas_in_its_texts_loses_nothing(folder):
    files(folder, **{"a.csv": "text\nhello, you\nno comma\nand, more, of it\n"})
    assert LunsDataset("a.csv", column="text").texts == [
        "hello, you",
        "no comma",
        "and, more, of it",
    ]


def test_a_wrong_guess_says_what_it_took(folder):
    files(folder, **{"a.csv": "id^text\n1^hello\n", "b.csv": "n,text\n1,hello, you\n2,b\n3,c"})
    with pytest.raises(
        ValueError, match="read with commas between them the columns are 'id\\^text'"
    ):
        LunsDataset("a.csv", column="text")
    assert LunsDataset("a.csv", column="text", delimiter="^").texts == ["hello"]
    with pytest.raises(ValueError, match="b.csv, line 2: this row has 3 values.*2 columns.*commas"):
        LunsDataset("b.csv", column="text")


@pytest.mark.parametrize("delimiter", ["", ";;", "\n", '"'])
def test_a_delimiter_is_one_character(folder, delimiter):
    files(folder, **{"a.csv": "id;text\n1;hello\n"})
    with pytest.raises(ValueError, match="delimiter must be one character"):
        LunsDataset("a.csv", column="text", delimiter=delimiter)


# --- encodings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, written, proposed",
    [
        ("one\n“curly” – €", "cp1252", "cp1252"),
        ("one\ncafé", "latin-1", "latin-1"),
        ("one\nтри", "utf-16", "utf-16"),
        ("é one two three", "utf-16-le", "utf-16-le"),
        ("é one two three", "utf-16-be", "utf-16-be"),
    ],
)
def test_the_encoding_proposed_is_the_right_one(folder, text, written, proposed):
    files(folder, **{"a.txt": text.encode(written)})
    with pytest.raises(ValueError, match=f"encoding='{proposed}'"):
        LunsDataset("a.txt")
    assert LunsDataset("a.txt", encoding=proposed).texts == text.split("\n")


def test_windows_text_is_not_taken_for_latin_1(folder):
    files(folder, **{"a.txt": "one\n“two”".encode("cp1252")})
    with pytest.raises(
        ValueError, match="line 2: the byte 0x93 .* encoding='cp1252', where it is “"
    ):
        LunsDataset("a.txt", encoding="latin-1")


# --- columns in memory ----------------------------------------------------------------------------


class FakeTable:
    columns = ["name", "text"]

    def __iter__(self):
        return iter(self.columns)


@pytest.mark.parametrize(
    "texts, error, words",
    [
        (FakeTable(), TypeError, "not a whole table (FakeTable).*'name', 'text'"),
        ({"text": ["one"]}, TypeError, "not a whole table (dict).*'text'"),
        ({"one", "two"}, TypeError, "a set, which has no order"),
        (["one", float("nan")], ValueError, "texts[1] is missing (nan)"),
        (["one", None], ValueError, "texts[1] is missing (None)"),
        (["one", 2], TypeError, "texts[1] must be a str, not int"),
    ],
)
def test_what_texts_may_not_be(texts, error, words):
    with pytest.raises(error) as caught:
        LunsDataset(texts=texts)
    for part in words.split(".*"):
        assert part in str(caught.value)


def test_any_iterable_of_str():
    assert LunsDataset(texts=iter(["one", "two"])).texts == ["one", "two"]
    array = LunsDataset(texts=np.array(["one", "two"]))
    assert array.texts == ["one", "two"] and {type(text) for text in array.texts} == {str}
    assert array.fingerprint == LunsDataset(texts=("one", "two")).fingerprint


@pytest.mark.parametrize("library", ["pandas", "polars", "datasets"])
def test_a_column_of_a_table_in_memory(library):
    module = pytest.importorskip(library)
    if library == "datasets":
        table = module.Dataset.from_dict({"text": ["one", "two"], "n": [1, 2]})
        broken = module.Dataset.from_dict({"text": ["one", None]})
    else:
        table = module.DataFrame({"text": ["one", "two"], "n": [1, 2]})
        broken = module.DataFrame({"text": ["one", None]})
    assert LunsDataset(texts=table["text"]).texts == ["one", "two"]
    with pytest.raises(ValueError, match=r"texts\[1\] is missing"):
        LunsDataset(texts=broken["text"])
    with pytest.raises(TypeError, match="not a whole table"):
        LunsDataset(texts=table)
