"""How a check behaves: it stops what does not end, shows the student's line, and harms nothing."""

import threading

import numpy as np
import pytest

import lunsedu.exercises
from lunsedu.exercises import Check, check_attention, check_embedding_backward, check_softmax
from lunsedu.exercises.judge.judging import Case, Exercise, difference, judge
from lunsedu.exercises.judge.running import run


def endless(scores):
    while True:
        total = 1  # noqa: F841


def endless_and_stubborn(scores):
    while True:
        try:
            print("still here")
        except BaseException:  # noqa: B036
            pass


def endless_and_hungry(scores):
    found = []
    while len(found) >= 0:
        found.append(scores)
    return found


def test_an_endless_loop_is_stopped_and_its_line_shown():
    for answer in (endless, endless_and_hungry):
        result = run(answer, (np.ones(2),), limit=0.2)
        assert "still running after 0.2 seconds" in result.problem
        assert "at your line" in result.problem
        lines = ("`while True:`", "`total = 1", "`while len(found)", "`found.append(")
        assert any(line in result.problem for line in lines)


@pytest.mark.threads_or_processes
def test_a_loop_that_catches_everything_is_stopped_and_its_print_is_kept_short():
    result = run(endless_and_stubborn, (np.ones(2),), limit=0.2)
    assert "still running" in result.problem
    assert len(result.printed) < 2500


def test_an_endless_loop_ends_in_a_clear_answer():
    result = check_softmax(endless)
    assert not result
    assert "a loop that never ends" in str(result)


@pytest.mark.threads_or_processes
def test_no_alarm_is_left_behind():
    before = threading.active_count()
    for _ in range(50):
        run(lambda x: sum(range(1000)), (1,), limit=0.0)  # in time or not: a race, on purpose
    sum(range(100_000))  # a late alarm would go off here
    assert threading.active_count() == before


def test_calls_without_end_are_named():
    def again(scores):
        return again(scores)

    assert "calls itself without end" in str(check_softmax(again))


def helper(scores):
    return scores.no_such_thing


def test_the_deepest_line_of_the_student_is_shown():
    def uses_numpy(scores):
        return np.concatenate([scores, 3.0])

    def uses_helper(scores):
        return helper(scores)

    assert "`return np.concatenate([scores, 3.0])`" in str(check_softmax(uses_numpy))
    assert "`return scores.no_such_thing`" in str(check_softmax(uses_helper))


def test_leaving_python_is_an_error_like_others():
    def leaves(scores):
        raise SystemExit("bye")

    assert "SystemExit: bye" in str(check_softmax(leaves))


def test_arrays_of_the_student_stay_as_they_were():
    given = (np.array([1.0, 2.0]), [3, 4], {"a": [5]})

    def answer(array, numbers, table):
        array[0] = numbers[0] = 9
        table["a"].append(6)
        return 1

    assert run(answer, given).changed == "table"
    assert given[0].tolist() == [1.0, 2.0]
    assert given[1:] == ([3, 4], {"a": [5]})


def test_what_is_no_function_is_explained():
    assert "without brackets" in str(check_softmax(np.ones(3)))
    assert "keep the arguments" in str(check_attention(lambda q: q))


def test_a_check_is_not_fooled_by_one_lucky_answer():
    first = check_softmax(lambda scores: np.array([0.04201007, 0.1141952, 0.84379473]))
    assert not first


def test_text_of_the_student_is_escaped_in_html():
    def prints(scores):
        print("<b>bold</b>")
        raise ValueError("<script>alert(1)</script>")

    html = check_softmax(prints)._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert "<b>bold" not in html and "&lt;b&gt;bold" in html


def test_warnings_and_output_do_not_leak(capfd):
    def noisy(scores):
        print("hello")
        return np.log(scores * 0) / 0

    check = check_softmax(noisy)
    assert "hello" in str(check)
    assert capfd.readouterr() == ("", "")


def test_a_check_is_shown_by_word_and_sign_not_by_colour_alone():
    right = check_softmax(
        lambda s: (
            np.exp(s - s.max(-1, keepdims=True))
            / np.exp(s - s.max(-1, keepdims=True)).sum(-1, keepdims=True)
        )
    )
    assert right and "✓ softmax: right" in right._repr_html_()
    assert "not attempted yet" in repr(check_softmax(None))
    assert isinstance(right, Check)


def test_two_mistakes_at_once_are_still_rejected():
    def both(dy, ids, vocab_size):
        table = np.zeros((vocab_size, dy.shape[-1]))
        table[ids] = -dy
        return table

    assert check_embedding_backward(both).status == "not right yet"


def test_an_error_in_a_later_case_does_not_hide_a_mistake_in_an_earlier_one():
    exercise = Exercise(
        name="double",
        call="double(x)",
        truth=lambda x: 2 * x,
        cases=lambda: [Case("one", (1.5,)), Case("a list", ([1],))],
    )

    def answer(x):
        return x + 10.0

    assert "expected 3, received 11.5" in str(judge(exercise, answer))


def test_differences_are_told_in_words():
    assert difference([1, 2], [1, 2]) == ""
    assert difference(np.float32(1.0), 1.0) == ""
    assert "expected a dict" in difference([1], {"a": 1})
    assert "unequal length" in difference([[1.0], [1.0, 2.0]], np.ones((2, 2)))
    assert "expected numbers" in difference("seven", 7.0)
    assert difference({(1, 2): np.int64(3)}, {(1, 2): 3}) == ""
    assert "expected 3 for (1, 2), received nothing" in difference({}, {(1, 2): 3})
    assert "received nan" in difference(np.array([np.nan]), np.array([1.0]))


# --- what is shown belongs to the test that failed ------------------------------------------------


def test_prints_and_arguments_are_those_of_the_test_that_failed():
    def talks(scores):
        print("shape", scores.shape)
        e = np.exp(scores)
        return e / e.sum(axis=0 if scores.ndim == 2 else -1, keepdims=True)

    check = check_softmax(talks)
    assert "(2, 4)" in check.message and check.printed == "shape (2, 4)"
    (scores,) = check.arguments
    assert scores.shape == (2, 4)
    assert check.message.splitlines()[-1].endswith("scores, = check_softmax(talks).arguments")
    assert not np.allclose(talks(scores).sum(axis=-1), 1)  # the failure can be seen in a cell


def test_arguments_are_copies_and_right_answers_have_none():
    check = check_attention(lambda q, k, v: v)
    check.arguments[0][...] = 0
    assert check_attention(lambda q, k, v: v).arguments[0].any()
    assert check_attention(_attention_by_hand).arguments is None


def _attention_by_hand(q, k, v):
    T, width = q.shape[2:]
    scores = q @ k.swapaxes(2, 3) / width**0.5
    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) @ v


def test_the_last_line_names_the_check_that_made_the_arguments():
    for name in lunsedu.exercises.__all__:
        if name.startswith("check_") and name != "check_prediction":
            check = getattr(lunsedu.exercises, name)
            result = check(lambda *args: "nonsense")
            if result.arguments is not None:
                assert f"= {name}(your_function).arguments" in result.message


def test_numpy_speaks_after_the_lesson_and_its_traceback_is_folded():
    def forgets_keepdims(scores):
        return scores / scores.sum(axis=-1)

    check = check_softmax(forgets_keepdims)
    page = check._repr_html_()
    assert "unless you write keepdims=True" in check.message or check.mistake
    matrix = check_attention(lambda q, k, v: q @ k @ v)
    assert "print both shapes" in matrix.message
    page = matrix._repr_html_()
    assert "<details><summary>Where it happened</summary>" in page and "Traceback" not in str(
        matrix
    )
    assert "running.py" not in matrix.traceback


def test_no_warning_reaches_the_page(recwarn):
    for answer in (np.log, lambda s: s / 0, lambda s: np.exp(s * 1e9) / np.exp(s * 1e9).sum()):
        assert not check_softmax(answer)
    assert not recwarn.list


def test_a_factor_is_told_only_when_it_is_one():
    assert "the right one times 3, in every test" in check_softmax(lambda s: 3 * _soft(s)).message
    by_width = check_softmax(lambda s: s.shape[-1] * _soft(s)).message
    assert "times" not in by_width


def _soft(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
