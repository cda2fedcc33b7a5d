"""The small languages: exact numbers against hand sums, samples and a second way of counting."""

import hashlib
import math
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lunsedu.grammar import (
    CORPORA,
    END,
    class_grammar,
    main,
    miniature_grammar,
    story_grammar,
    write_corpora,
)
from lunsedu.grammar.puzzles import PuzzleSet, track

DATA = Path(__file__).parents[2] / "data"
GRAMMARS = pytest.mark.parametrize(
    "grammar", [story_grammar, class_grammar, miniature_grammar], ids=lambda grammar: grammar.name
)
WITH_PUZZLES = pytest.mark.parametrize(
    "grammar", [story_grammar, class_grammar], ids=lambda grammar: grammar.name
)
PUZZLE = re.compile(r"under cup (\d) \. swap ([\d ,]+) \. ")
SUM = re.compile(r"has (\d+) \w+ , (\d+) \w+ and (\d+) \w+ \. ")


@cache
def samples(grammar):
    return grammar.corpus(8_000, seed=99)


def puzzle_in(text):
    """(cup, swap, swap, ...) of a shell game, (a, b, c) of a sum, None without either."""
    if found := PUZZLE.search(text):
        swaps = found[2].split(" , ")
        return (int(found[1]), *(tuple(map(int, swap.split())) for swap in swaps))
    found = SUM.search(text)
    return tuple(map(int, found.groups())) if found else None


# --- probabilities --------------------------------------------------------------------------------


def test_the_miniature_by_hand():
    # i (see|like) (kites|birds) [too] / how are you / oh my my my
    grammar = miniature_grammar
    assert grammar.next_words() == pytest.approx({"i": 0.60, "how": 0.25, "oh": 0.15})
    assert list(grammar.next_words()) == ["i", "how", "oh"]
    assert grammar.next_words("i like birds") == pytest.approx({END: 0.7, "too": 0.3})
    assert grammar.log_prob("i like birds") == pytest.approx(math.log(0.6 * 0.45 * 0.45 * 0.7))
    assert grammar.log_prob("i like birds too", prompt="i like") == pytest.approx(
        math.log(0.45 * 0.3)
    )
    assert grammar.log_prob("i like you") == -math.inf
    assert grammar.log_prob("i like") == -math.inf  # a beginning is no sentence
    assert grammar.log_prob_of_start("i like") == pytest.approx(math.log(0.6 * 0.45))
    halves = -(0.55 * math.log(0.55) + 0.45 * math.log(0.45))
    ending = -(0.7 * math.log(0.7) + 0.3 * math.log(0.3))
    first = -sum(p * math.log(p) for p in (0.6, 0.25, 0.15))
    assert grammar.entropy() == pytest.approx(first + 0.6 * (2 * halves + ending))
    assert grammar.expected_tokens() == pytest.approx(0.6 * 4.3 + 0.25 * 4 + 0.15 * 5)
    assert grammar.count() == 10
    assert grammar.mode() == "how are you"
    assert grammar.mode("i") == "i see kites"


def test_the_miniature_sums_to_one():
    listed = dict(miniature_grammar.sentences())
    assert len(listed) == miniature_grammar.count()
    assert sum(math.exp(log_prob) for log_prob in listed.values()) == pytest.approx(1, abs=1e-12)
    for text, log_prob in listed.items():
        assert miniature_grammar.log_prob(text) == pytest.approx(log_prob)
    assert -sum(math.exp(lp) * lp for lp in listed.values()) == pytest.approx(
        miniature_grammar.entropy()
    )
    assert max(listed, key=listed.get) == miniature_grammar.mode()


def test_a_line_of_chat_by_hand():
    text = "good day , tom . how are you ?"
    for grammar, share in ((class_grammar, 0.30), (story_grammar, 0.25)):
        assert grammar.log_prob(text) == pytest.approx(math.log(share * 0.51 * 0.20 * 0.30))
        assert grammar.mode() == text
    given = class_grammar.log_prob("good day , tom . i see kites .", prompt="good day , tom .")
    assert given == pytest.approx(math.log(0.45 * 0.30 * 0.24 * 0.60))
    assert next(iter(class_grammar.next_words("good day , tom ."))) == "i"  # the trap for greedy
    assert class_grammar.mode("good day , tom .") == text


@GRAMMARS
def test_entropy_against_samples(grammar):
    surprise = -np.array([grammar.log_prob(text) for text in samples(grammar)])
    assert np.isfinite(surprise).all()
    error = surprise.std() / math.sqrt(len(surprise))
    assert 0 < error < 0.04
    assert abs(surprise.mean() - grammar.entropy()) < 4 * error
    lengths = np.array([len(text.split()) + 1 for text in samples(grammar)])
    error = lengths.std() / math.sqrt(len(lengths))
    assert abs(lengths.mean() - grammar.expected_tokens()) < 4 * error


@GRAMMARS
def test_entropy_against_the_rules(grammar):
    """A second way: a sentence is derived in one way only, so the choices' entropies add up."""

    @cache
    def entropy(call):
        choices = grammar.rules.table[call[0]](*call[1:])
        total, nats = sum(weight for weight, *_ in choices), 0.0
        for weight, *parts in choices:
            inner = sum(entropy(part) for part in parts if isinstance(part, tuple))
            nats += weight / total * (inner - math.log(weight / total))
        return nats

    assert grammar.entropy() == pytest.approx(entropy((grammar.rules.start,)), abs=1e-9)


def test_the_documented_numbers():
    assert story_grammar.entropy() == pytest.approx(10.2795, abs=5e-5)
    assert class_grammar.entropy() == pytest.approx(9.5759, abs=5e-5)
    assert story_grammar.expected_tokens() == pytest.approx(19.9406, abs=5e-4)
    assert class_grammar.expected_tokens() == pytest.approx(23.226, abs=5e-4)
    assert (len(story_grammar.words), len(class_grammar.words)) == (123, 67)


@GRAMMARS
def test_next_words_sum_to_one_and_never_tie(grammar):
    closest, situations = math.inf, 0
    for words in grammar.situations():
        ranked = list(words.values())
        situations += 1
        assert math.fsum(ranked) == pytest.approx(1, abs=1e-12)
        for stronger, weaker in zip(ranked, ranked[1:], strict=False):
            closest = min(closest, 1 - weaker / stronger)
    assert situations > (8 if grammar is miniature_grammar else 4_000)
    assert closest > 1e-5  # of the probability: no argmax hangs on rounding, not even in float32


def test_no_two_puzzles_tie():
    for grammar in (story_grammar, class_grammar):
        puzzles = grammar.rules.families["shell game"].puzzles
        weights = [puzzles.weight(puzzle) for puzzle in puzzles.kept]
        assert len(set(weights)) == len(weights)
        assert max(weights) / min(weights) < 1.25


# --- samples, files, puzzles ----------------------------------------------------------------------


@GRAMMARS
def test_samples_are_accepted(grammar):
    for text in samples(grammar)[:2_000]:
        assert grammar.accepts(text)
        assert grammar.answer_is_right(text) is (True if puzzle_in(text) else None)


def test_samples_given_a_prompt():
    rng = np.random.default_rng(5)
    drawn = Counter(miniature_grammar.sample(rng, prompt="i see birds") for _ in range(4_000))
    assert set(drawn) == {"i see birds", "i see birds too"}
    assert abs(drawn["i see birds too"] / 4_000 - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 4_000)


def test_families_take_their_shares():
    texts = samples(story_grammar)
    shares = {"hides": 0.28, "good": 0.25, "has": 0.12, "gives": 0.10, "saw": 0.09}
    for word, share in shares.items():
        seen = sum(word in text.split()[:2] for text in texts) / len(texts)
        assert abs(seen - share) < 4 * math.sqrt(share * (1 - share) / len(texts))


def test_files_are_made_again_byte_for_byte(tmp_path):
    for path in write_corpora(tmp_path):
        made, shipped = path.read_bytes(), (DATA / path.name).read_bytes()
        assert made == shipped, f"{path.name}: run python -m lunsedu.grammar --write data"
        assert shipped.count(b"\n") == CORPORA[path.name][1]


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_held_out_puzzles_never_occur_in_the_files(name):
    grammar = CORPORA[name][0]
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    seen = {puzzle_in(line) for line in lines} - {None}
    for family in grammar.rules.families:
        held_out = {puzzle_in(text) for text in grammar.puzzles(family=family)}
        kept = {puzzle_in(text) for text in grammar.puzzles(held_out=False, family=family)}
        assert not seen & held_out
        assert len(seen & kept) > 0.7 * len(kept)
        assert len(held_out) == (len(held_out) + len(kept)) // 5


@WITH_PUZZLES
def test_puzzles(grammar):
    swaps = 4 if grammar is story_grammar else 3
    everything = 4 * 6**swaps
    early, late = grammar.puzzles(), grammar.puzzles(held_out=True, question="late")
    kept = grammar.puzzles(held_out=False)
    assert (len(early), len(kept)) == (everything // 5, everything - everything // 5)
    assert len({puzzle_in(text) for text in early + kept}) == everything
    assert early == grammar.puzzles()
    assert [puzzle_in(text) for text in early] == [puzzle_in(text) for text in late]
    assert all(text.endswith(" . so where is it now ?") for text in early)
    assert all(text.endswith(" . do you know ?") for text in late)
    whole = grammar.unrestricted
    for prompt in early[:20] + late[:20]:
        assert grammar.log_prob_of_start(prompt) == -math.inf
        assert whole.count(prompt) == 2
        assert all(grammar.answer_is_right(text) for text, _ in whole.sentences(prompt))
    for prompt in kept[:20]:
        assert grammar.count(prompt) == 2
        path = [str(cup) for cup in track(puzzle_in(prompt))]
        assert grammar.next_words(prompt) == pytest.approx({"under": 0.6, path[0]: 0.4})
        assert [text for text, _ in grammar.sentences(prompt)] == [
            f"{prompt} {' , then '.join(path)} .",
            f"{prompt} under {path[-1]} .",
        ]
    starts = Counter(puzzle_in(text)[0] for text in early[:150])
    assert set(starts) == {1, 2, 3, 4}  # shuffled: the first ones are a fair sample


def test_sum_puzzles():
    prompts = story_grammar.puzzles(family="sums")
    assert (len(prompts), len(story_grammar.puzzles(False, family="sums"))) == (43, 173)
    for prompt in prompts[:20]:
        right = [text for text, _ in story_grammar.unrestricted.sentences(prompt)]
        assert len(right) == 2
        assert all(text.endswith(f" {sum(puzzle_in(prompt))} .") for text in right)
    assert all(text.endswith("?") for text in story_grammar.puzzles(family="sums", question="late"))


def test_puzzles_that_are_not_there():
    assert miniature_grammar.puzzles() == []
    with pytest.raises(ValueError, match=r"no family 'sums'; choose from \['shell game'\]"):
        class_grammar.puzzles(family="sums")
    with pytest.raises(ValueError, match="'early' or 'late', but got 'soon'"):
        class_grammar.puzzles(question="soon")
    with pytest.raises(ValueError, match="no family 'cards'"):
        class_grammar.variant(opened=["cards"])


def test_tracking():
    assert track((2, (1, 2), (1, 4), (3, 4), (2, 3))) == (2, 1, 4, 3, 2)
    assert track((3, (1, 2), (2, 3), (2, 3))) == (3, 3, 2, 3)


def test_a_puzzle_set_by_hand():
    puzzles = PuzzleSet([(1, 2), "abc"], seed=0)
    assert len(puzzles.held_out) == 1 and len(puzzles.kept) == 5
    assert puzzles.weight((2, "a")) == 1013 * 1019  # primes 1009, 1013; 1019, 1021, 1031
    (start, letter) = puzzles.held_out[0]
    assert letter not in [option for _, option in puzzles.options((start,))]
    other = 3 - start
    assert len(puzzles.options((other,))) == 3
    whole = dict((option, weight) for weight, option in puzzles.options(()))
    assert whole[start] == sum(puzzles.weight(p) for p in puzzles.kept if p[0] == start)
    assert len(PuzzleSet([(1, 2), "abc"], seed=0, closed=False).options((start,))) == 3


# --- judging --------------------------------------------------------------------------------------

HIDDEN = "mia hides a pea under cup 2 . swap 1 2 , 1 4 , 3 4 , 2 3 ."  # path 2 1 4 3 2


@pytest.mark.parametrize(
    "question, answer, right",
    [
        ("so where is it now ?", "under 2 .", True),
        ("so where is it now ?", "2 , then 1 , then 4 , then 3 , then 2 .", True),
        ("do you know ?", "yes , under 2 .", True),
        ("do you know ?", "yes , 2 , then 1 , then 4 , then 3 , then 2 .", True),
        ("so where is it now ?", "under 3 .", False),
        ("so where is it now ?", "2 , then 1 , then 4 , then 3 , then 3 .", False),  # a wrong end
        ("so where is it now ?", "2 , then 2 , then 4 , then 3 , then 2 .", False),  # a lucky end
        ("so where is it now ?", "2 , then 1 , then 4 , then 3 .", False),  # a step is missing
        (
            "so where is it now ?",
            "2 , then 1 , then 4 , then 3 , then 2 , then 2 .",
            False,
        ),  # one too many
        ("so where is it now ?", "1 , then 1 , then 4 , then 3 , then 2 .", False),  # a wrong start
        ("so where is it now ?", "under 2", False),  # not finished
        ("so where is it now ?", "under 2 . under 2 .", False),
        ("so where is it now ?", "yes , under 2 .", False),  # the answer to the other question
        ("do you know ?", "under 2 .", False),
        ("so where is it now ?", "", False),
        ("so where is it now ?", "a dragon took it .", False),
    ],
)
def test_answers_to_the_shell_game(question, answer, right):
    assert story_grammar.answer_is_right(f"{HIDDEN} {question} {answer}") is right


def test_answers_to_sums():
    prompt = "tom has 3 figs , 7 nuts and 5 plums . so how many in all ?"
    right = story_grammar.answer_is_right
    assert right(f"{prompt} he has 15 .") is True
    assert right(f"{prompt} 3 and 7 is 10 , and 5 is 15 .") is True
    assert right(f"{prompt} he has 14 .") is False
    assert right(f"{prompt} she has 15 .") is False  # tom is a boy
    assert right(f"{prompt} 3 and 7 is 9 , and 5 is 15 .") is False
    assert right(prompt) is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tom saw a cat .",
        "good day , tom . how are you ?",
        HIDDEN,  # no question yet
        "mia hides a pea under cup 7 . swap 1 2 , 1 4 , 3 4 , 2 3 . so where is it now ? under 7 .",
        "mia hides a pea under cup 2 . swap 1 2 , 1 4 , 3 4 . so where is it now ? under 3 .",  # 3
    ],
)
def test_no_puzzle_no_answer(text):
    assert story_grammar.answer_is_right(text) is None


@pytest.mark.parametrize(
    "text, position, reason",
    [
        ("i see you", 2, 'word 3 is "you", expected "kites" or "birds"'),
        ("i see", 2, 'the text stops after "see", expected "kites" or "birds"'),
        ("how are you too", 3, 'word 4 is "too", expected the end'),
        ("", 0, 'the text is empty, expected "i", "how" or "oh"'),
        ("i see kites now", 3, 'word 4 is "now", expected the end or "too"'),
        ("how are you <|eos|>", 3, "word 4 is <|eos|>, but the end of a sentence is not written"),
    ],
)
def test_reasons_of_refusals(text, position, reason):
    verdict = miniature_grammar.accepts(text)
    assert not verdict
    assert (verdict.position, verdict.reason) == (position, reason)


def test_acceptance():
    verdict = miniature_grammar.accepts("  i like   birds\n")  # spaces do not count
    assert verdict and verdict.reason == "" and verdict.position is None
    expected = class_grammar.accepts("dragons fly").expected
    assert set(expected) == set(class_grammar.next_words()) and expected[0] == "good"
    assert class_grammar.accepts("dragons fly").reason.endswith('"sam" or 3 others')


def test_a_held_out_puzzle_is_refused_as_such():
    text = class_grammar.unrestricted.mode(class_grammar.puzzles()[0])
    assert class_grammar.log_prob(text) == -math.inf
    verdict = class_grammar.accepts(text)
    assert "every puzzle that begins with these words is held out" in verdict.reason
    assert class_grammar.unrestricted.accepts(text)
    wrong = re.sub(r"under \d", "under 9", text)
    assert "held out" not in class_grammar.unrestricted.accepts(wrong).reason


def test_what_cannot_be_used_is_said_in_a_sentence():
    with pytest.raises(ValueError, match='begins with .i you.: word 2 is "you", expected "see"'):
        miniature_grammar.next_words("i you")
    with pytest.raises(ValueError, match="nothing comes after"):
        miniature_grammar.next_words(f"how are you {END}")
    with pytest.raises(ValueError, match="must begin with the prompt 'how'"):
        miniature_grammar.log_prob("i see kites", prompt="how")
    with pytest.raises(TypeError, match="str of words, but got list"):
        miniature_grammar.log_prob(["i", "see"])
    with pytest.raises(TypeError, match=r"np.random.default_rng\(0\), but got int"):
        miniature_grammar.sample(3)


# --- knowing less ---------------------------------------------------------------------------------


def test_the_gap_of_the_class_size_by_hand():
    terms = class_grammar.gap_terms()
    assert list(terms) == ["shell game: direct answers", "shell game: held-out puzzles"]
    puzzles = class_grammar.rules.families["shell game"].puzzles
    weight = {puzzle: puzzles.weight(puzzle) for puzzle in puzzles.kept}
    total = sum(weight.values())
    ends = Counter()
    for puzzle in puzzles.kept:
        ends[track(puzzle)[-1]] += weight[puzzle] / total
    unsure = -sum(share * math.log(share) for share in ends.values())
    assert terms["shell game: direct answers"] == pytest.approx(0.6 * 0.6 * unsure)
    assert unsure == pytest.approx(math.log(4), abs=1e-3)
    missing = sum(map(puzzles.weight, puzzles.held_out))
    expected = 0.6 * math.log((total + missing) / total)
    assert terms["shell game: held-out puzzles"] == pytest.approx(expected)
    assert expected == pytest.approx(0.6 * math.log(864 / 692), abs=1e-3)


def test_the_gap_of_the_full_size():
    terms = story_grammar.gap_terms()
    assert terms["shell game: direct answers"] == pytest.approx(0.28 * 0.6 * math.log(4), abs=1e-3)
    assert terms["shell game: held-out puzzles"] == pytest.approx(
        0.28 * math.log(5184 / 4148), abs=1e-3
    )
    assert terms["sums: held-out puzzles"] == pytest.approx(0.12 * math.log(216 / 173), abs=1e-3)
    assert 0.15 < terms["sums: direct answers"] < 0.12 * 0.6 * math.log(16)  # totals 6 to 21
    both = story_grammar.divergence(story_grammar.unrestricted)
    shell, sums = terms["shell game: held-out puzzles"], terms["sums: held-out puzzles"]
    assert both == pytest.approx(shell + sums)


def test_divergence_against_samples():
    guessing = class_grammar.variant(guessed=["shell game"])
    cost = np.array(
        [class_grammar.log_prob(text) - guessing.log_prob(text) for text in samples(class_grammar)]
    )
    error = cost.std() / math.sqrt(len(cost))
    assert abs(cost.mean() - class_grammar.divergence(guessing)) < 4 * error
    assert class_grammar.divergence(class_grammar) == 0
    assert class_grammar.unrestricted.divergence(class_grammar) == math.inf
    assert miniature_grammar.gap_terms() == {}


@pytest.mark.parametrize("count", [-1, 2.0, "3", None, True])
def test_a_corpus_has_a_number_of_sentences(count):
    with pytest.raises(ValueError, match="^count must be a whole number of at least 0, not "):
        miniature_grammar.corpus(count, 0)
    assert miniature_grammar.corpus(0, 0) == []
    assert miniature_grammar.corpus(np.int64(2), 0) == miniature_grammar.corpus(3, 0)[:2]


# --- the same everywhere --------------------------------------------------------------------------


@pytest.mark.threads_or_processes
def test_nothing_depends_on_the_hash_seed():
    code = """
from lunsedu.grammar import class_grammar as g
print(g.corpus(300, seed=4), g.puzzles(), g.entropy(), g.mode(), g.words)
print(g.next_words("tom"), g.accepts("tom flies"), list(g.sentences(g.puzzles(held_out=False)[0])))
"""
    outputs = set()
    for hash_seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        )
        assert len(done.stdout) > 10_000
        outputs.add(hashlib.sha256(done.stdout).hexdigest())
    assert len(outputs) == 1


def test_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lunsedu.grammar.CORPORA", {"small.txt": (miniature_grammar, 5, 0)})
    main(["--write", str(tmp_path)])
    assert (tmp_path / "small.txt").read_text(
        encoding="utf-8"
    ).splitlines() == miniature_grammar.corpus(5, 0)
    assert "small.txt" in capsys.readouterr().out


def test_the_corpora_are_written_into_a_folder_that_is_there_or_a_sentence_says_so(
    tmp_path, capsys
):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for folder in (str(tmp_path / "missing"), str(tmp_path / "file"), ""):
        with pytest.raises(SystemExit, match=r"lunsedu\.grammar: there is no folder '.*make it"):
            main(["--write", folder])
        assert capsys.readouterr().out == ""
    (tmp_path / "stories.txt").mkdir()  # stands in the way
    with pytest.raises(SystemExit, match=r"lunsedu\.grammar: .*stories\.txt"):
        main(["--write", str(tmp_path)])
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
