"""Every wrong answer is rejected in words that name its mistake; every right one passes."""

import inspect
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
from catalogue import RIGHT, WRONG

import lunsedu.exercises

for file in sorted(Path(__file__).parent.glob("answers_*.py")):
    import_module(file.stem)

NAMES = set(lunsedu.exercises.__all__) - {"Check", "check_prediction"}
CHECKS = [getattr(lunsedu.exercises, name) for name in sorted(NAMES)]


def name(value):
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("check, answer, words", WRONG, ids=name)
def test_a_wrong_answer_is_rejected_and_named(check, answer, words):
    result = check(answer)
    assert not result
    assert result.status == "not right yet", result
    assert words in str(result), result


@pytest.mark.parametrize("check, answer", RIGHT, ids=name)
def test_a_right_answer_written_another_way_passes(check, answer):
    result = check(answer)
    assert result, result
    assert result.status == "right"


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_the_catalogue_is_large_enough(check):
    assert sum(known is check for known, _, _ in WRONG) >= 6
    assert sum(known is check for known, _ in RIGHT) >= 2


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_an_exercise_not_begun_is_neither_right_nor_wrong(check):
    def stub(*arguments):
        """Will be written."""
        ...

    def refuses(*arguments):
        raise NotImplementedError

    for unwritten in (stub, refuses, None, ...):
        result = check(unwritten)
        assert result.status == "not attempted yet"
        assert not result


def test_no_answer_is_in_the_catalogue_twice():
    count = Counter(inspect.getsource(answer) for _, answer, *_ in WRONG + RIGHT)
    assert max(count.values()) == 1
