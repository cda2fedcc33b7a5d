"""The texts in data/: what data/README.md says of them."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
README = (DATA / "README.md").read_text(encoding="utf-8")
HAND_WRITTEN = ["chat_data.txt", "harbour_data.txt"]


def lines(name):
    raw = (DATA / name).read_bytes()
    assert raw.endswith(b"\n") and b"\r" not in raw
    return raw.decode("utf-8").removesuffix("\n").split("\n")


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_lines_are_short_clean_and_different(name):
    texts = lines(name)
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert text == text.strip() == unicodedata.normalize("NFC", text)
        assert 3 <= len(text.split()) <= 14
        assert text.isprintable()


def test_the_readme_lists_every_file_with_its_number_of_lines():
    listed = re.findall(r"^\| `([^`]+)` \| (\d+) \|", README, flags=re.MULTILINE)
    there = {path.name for path in DATA.iterdir() if path.suffix != ".md"}
    assert {name: int(count) for name, count in listed} == {
        name: len(lines(name)) for name in there
    }


def test_chat_openings_come_back_with_different_endings():
    texts = lines("chat_data.txt")
    assert len(texts) >= 240
    openings = Counter(" ".join(re.findall(r"\w+", text)[:2]) for text in texts)
    assert openings["Once upon"] >= 10 and openings["Good morning"] >= 10
    assert sum(count for count in openings.values() if count >= 3) >= len(texts) / 2


@pytest.mark.parametrize("opening", ["Once upon a time", "Good morning"])
def test_an_opening_forks_at_once(opening):
    rests = [text.removeprefix(opening) for text in lines("chat_data.txt") if opening in text]
    assert len({re.match(r" ?\w+|\W", rest)[0] for rest in rests}) >= 4


def test_chat_has_letters_of_more_than_one_byte():
    assert {len(sign.encode()) for text in lines("chat_data.txt") for sign in text} >= {1, 2, 3, 4}


def test_the_two_voices_share_openings_but_no_line():
    chat, harbour = lines("chat_data.txt"), lines("harbour_data.txt")
    assert not set(chat) & set(harbour)
    for opening in ("Good morning", "Once upon a time"):
        assert any(text.startswith(opening) for text in chat)
        assert any(text.startswith(opening) for text in harbour)
