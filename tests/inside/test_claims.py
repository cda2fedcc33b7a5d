"""What lesson 11 says of the shipped model: measured here with intervals, on fixed puzzles."""

import re

import numpy as np
import pytest

from lunsedu import load_example
from lunsedu.evaluation.intervals import mean, proportion
from lunsedu.grammar import story_grammar
from lunsedu.inside import activations, head_taken_out, patched, probe

SWAPS = ("1 2", "1 3", "1 4", "2 3", "2 4", "3 4")
SPEAKS = [27 + 3 * k for k in range(5)]  # the places before each of the five spoken numbers


def walk(prompt):
    """The cups that the pea lies under, at the start and after each swap."""
    cups = [int(re.search(r"cup (\d)", prompt)[1])]
    for one, other in re.findall(r"(\d) (\d)", prompt):
        cups.append({int(one): int(other), int(other): int(one)}.get(cups[-1], cups[-1]))
    return cups


def encoded(texts):
    return np.array([LM.tokenizer.encode_prompt(text) for text in texts])  # [N, T]


LM = load_example("stories")
PUZZLES = story_grammar.puzzles(held_out=True)
ALOUD = [f"{p} {' , then '.join(map(str, walk(p)))} ." for p in PUZZLES[:400]]
CUPS = np.array([walk(p) for p in PUZZLES[:400]])  # [N, 5]


@pytest.fixture(scope="module")
def run():
    return activations(LM.model, encoded(ALOUD))


def test_aloud_each_next_number_is_right(run):
    ids = encoded(ALOUD)
    for place in SPEAKS[1:]:
        assert (run.logits[:, place].argmax(axis=1) == ids[:, place + 1]).all()


def test_before_it_speaks_the_start_is_there_and_the_final_cup_at_chance(run):
    start = probe(run.residual[2][:, SPEAKS[0]], CUPS[:, 0])
    assert start.accuracy == 1.0 and start.interval[0] > 0.98
    for layer in range(3):
        final = probe(run.residual[layer][:, SPEAKS[0]], CUPS[:, 4])
        assert final.interval[0] < 0.25 < final.interval[1]


def test_before_the_last_number_the_final_cup_is_there(run):
    found = [probe(run.residual[layer][:, SPEAKS[4]], CUPS[:, 4]) for layer in range(3)]
    assert found[0].interval[0] < 0.25 and 0.4 < found[1].accuracy < 0.75
    assert found[2].accuracy == 1.0


def last_swap_pairs(count=200):
    """Ids of prompts, and of the same with another last swap; the right answers of both."""
    rng, mine, theirs, answers = np.random.default_rng(0), [], [], []
    for prompt in PUZZLES[:count]:
        spot = re.search(r"\d \d(?= \. so)", prompt)
        cups = walk(prompt)
        changed = [prompt[: spot.start()] + s + prompt[spot.end() :] for s in SWAPS]
        changed = [other for other in changed if walk(other)[-1] != cups[-1]]
        other = changed[rng.integers(len(changed))]
        spoken = " " + " , then ".join(map(str, cups[:-1])) + " , then"
        mine.append(prompt + spoken)
        theirs.append(other + spoken)
        answers.append([LM.tokenizer.encode(f" {walk(p)[-1]}")[0] for p in (prompt, other)])
    return encoded(mine), encoded(theirs), np.array(answers)


def test_two_heads_of_the_last_layer_carry_most_of_the_difference():
    ids, other, answers = last_swap_pairs()
    a, b = activations(LM.model, ids), activations(LM.model, other)
    rows = np.arange(len(ids))

    def gap(logits):
        return logits[rows, -1, answers[:, 1]] - logits[rows, -1, answers[:, 0]]

    def share(*heads):
        patches = {("heads", i, h, -1): b.heads[i, :, h, -1] for i, h in heads}
        return mean((gap(patched(LM.model, ids, patches)) - before) / (after - before))

    before, after = gap(a.logits), gap(b.logits)
    assert (before < 0).all() and (after > 0).all()  # both are answered rightly
    assert share((1, 0), (1, 2)).low >= 0.8
    assert share((1, 1)).high < 0.1 and share((1, 3)).high < 0.2
    assert share((0, 0), (0, 1), (0, 2), (0, 3)).high < 0.01
    after_mlp = gap(patched(LM.model, ids, {("mlp", 1, -1): b.mlp[1, :, -1]}))
    assert mean((after_mlp - before) / (after - before)).low > 0.9


def test_without_a_head_that_works_few_answers_are_right_and_without_another_all(run):
    ids = encoded(ALOUD)[:200]
    a = activations(LM.model, ids)

    def right(layer, head):
        logits = patched(LM.model, ids, head_taken_out(a, layer, head))
        places = SPEAKS[1:]
        good = logits[:, places].argmax(axis=2) == ids[:, [p + 1 for p in places]]
        return proportion(int(good.all(axis=1).sum()), len(ids))

    assert right(0, 3).low > 0.95
    assert right(0, 0).high < 0.1 and right(1, 2).high < 0.5


def test_it_goes_on_from_a_false_number_which_one_head_fetches():
    mine, theirs, answers = [], [], []
    for n, prompt in enumerate(PUZZLES[:100]):
        *spoken, before, right = walk(prompt)
        lie = (before + n % 3) % 4 + 1  # never the right cup
        one, other = map(int, re.findall(r"(\d) (\d)", prompt)[-1])
        wrong = {one: other, other: one}.get(lie, lie)
        texts = [
            f"{prompt} {' , then '.join(map(str, [*spoken, x]))} , then" for x in (before, lie)
        ]
        mine.append(texts[0])
        theirs.append(texts[1])
        answers.append([LM.tokenizer.encode(f" {x}")[0] for x in (right, wrong)])
    ids, other, answers = encoded(mine), encoded(theirs), np.array(answers)
    b, rows = activations(LM.model, other), np.arange(len(ids))

    def gap(logits):
        return logits[rows, -1, answers[:, 1]] - logits[rows, -1, answers[:, 0]]

    assert (b.logits[:, -1].argmax(axis=1) == answers[:, 1]).all()
    before, after = gap(LM.model.forward(ids)), gap(b.logits)
    found = gap(patched(LM.model, ids, {("heads", 0, 0, -1): b.heads[0, :, 0, -1]}))
    assert mean((found - before) / (after - before)).low > 0.95
