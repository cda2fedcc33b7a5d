"""Every wrong answer is rejected in words that name its mistake; every right one passes."""

import inspect
import pkgutil
from collections import Counter
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from catalogue import RIGHT, WRONG

import lunsedu.exercises
from lunsedu.exercises.judge.judging import Exercise, judge

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
    assert sum(known is check for known, _, _ in WRONG) >= 10
    assert sum(known is check for known, _ in RIGHT) >= 5


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


def known_mistakes():
    for module in pkgutil.iter_modules(lunsedu.exercises.__path__):
        names = vars(import_module(f"lunsedu.exercises.{module.name}"))
        for exercise in (value for value in names.values() if isinstance(value, Exercise)):
            for number, mistake in enumerate(exercise.mistakes):
                yield pytest.param(exercise, mistake, id=f"{exercise.name}-{number}-{mistake.name}")


@pytest.mark.parametrize("exercise, mistake", list(known_mistakes()))
def test_a_known_mistake_is_wrong_and_called_by_its_own_name(exercise, mistake):
    freely = replace(exercise, not_allowed=())  # mistakes may be built on the package's functions
    check = judge(freely, mistake.wrong)
    assert check.status == "not right yet"
    assert check.mistake == mistake.name
    assert check.message.startswith(mistake.says)
