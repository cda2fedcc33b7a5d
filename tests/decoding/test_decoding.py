import gc
import itertools
import warnings

import numpy as np
import pytest
from fakes import LetterTokenizer, TableModel, table_from_probs
from hypothesis import given, settings
from hypothesis import strategies as st

from lunsedu.decoding import beam_search, exhaustive, greedy, insideout, place, sample
from lunsedu.decoding.choosing import filtered
from lunsedu.decoding.scores import score_tokens
from lunsedu.model import Lunsformter, LunsformterConfig

SCORES = ("arithmetic", "geometric", "sum")
PAD, BOS, EOS = 0, 1, 2
DECODERS = {
    "greedy": greedy,
    "sample": lambda *args, **options: sample(*args, seed=0, num_samples=3, **options),
    "beam_search": beam_search,
    "insideout": insideout,
    "exhaustive": exhaustive,
}
quick = settings(max_examples=40, deadline=None, derandomize=True)
models = st.builds(
    TableModel,
    vocab_size=st.integers(4, 7),
    seed=st.integers(0, 10_000),
    order=st.integers(1, 3),
    scale=st.sampled_from([0.5, 2.0, 4.0]),
)
prompts = st.sampled_from([[], [BOS], [BOS, 3], [3, 2, 3]])
some_score = st.sampled_from(SCORES)


# --- the same, worked out apart: no cache, no batch, from the table's probabilities --------------


def may_come_next(model, prompt, generated):
    """[(token, probability)] of the tokens allowed next, the likeliest first, ties: lower id."""
    probs = model.probs(tuple((prompt or [BOS]) + generated))
    banned = {PAD, BOS} | ({EOS} if prompt in ([], [BOS]) and not generated else set())
    order = sorted(range(len(probs)), key=lambda i: (-probs[i], i))
    return [(i, probs[i]) for i in order if i not in banned]


def expanded(model, prompt, tokens, probs, max_tokens):
    tokens, probs = list(tokens), list(probs)
    while len(tokens) < max_tokens and (not tokens or tokens[-1] != EOS):
        token, prob = may_come_next(model, prompt, tokens)[0]
        tokens.append(token)
        probs.append(prob)
    return tokens, probs


def slow_insideout(model, prompt, max_tokens, num_candidates, score):
    starts = may_come_next(model, prompt, [])[:num_candidates]
    found = [expanded(model, prompt, [t], [p], max_tokens) for t, p in starts]
    return sorted(found, key=lambda f: -score_tokens(f[1], score))  # stable: the likelier start


def all_sequences(model, prompt, max_tokens, tokens=(), probs=()):
    """Yield (tokens, probs) of everything that a decoder may return."""
    if len(tokens) == max_tokens or (tokens and tokens[-1] == EOS):
        yield list(tokens), list(probs)
        return
    for token, prob in may_come_next(model, prompt, list(tokens)):
        yield from all_sequences(model, prompt, max_tokens, (*tokens, token), (*probs, prob))


# --- properties ----------------------------------------------------------------------------------


@quick
@given(models, prompts, st.integers(1, 6))
def test_greedy_is_the_likeliest_token_each_time(model, prompt, max_tokens):
    tokens, probs = expanded(model, prompt, [], [], max_tokens)
    best = greedy(model, prompt, max_tokens).best
    assert best.token_ids == tokens
    assert best.probs == pytest.approx(probs, abs=1e-14)
    assert best.finished == (tokens[-1] == EOS)


@quick
@given(models, prompts, st.integers(1, 6), st.integers(1, 9), some_score)
def test_insideout_is_its_definition(model, prompt, max_tokens, num_candidates, score):
    result = insideout(model, prompt, max_tokens, num_candidates=num_candidates, score=score)
    expected = slow_insideout(model, prompt, max_tokens, num_candidates, score)
    assert [c.score for c in result.candidates] == pytest.approx(
        [score_tokens(probs, score) for _, probs in expected], abs=1e-12
    )
    assert sorted(c.token_ids for c in result.candidates) == sorted(t for t, _ in expected)
    by_tokens = {tuple(tokens): probs for tokens, probs in expected}
    for c in result.candidates:
        assert c.probs == pytest.approx(by_tokens[tuple(c.token_ids)], abs=1e-14)
        assert c.start_prob == c.probs[0]


@quick
@given(models, prompts, st.integers(1, 6), some_score, st.sampled_from(["first", "uncertain"]))
def test_insideout_with_one_candidate_is_greedy(model, prompt, max_tokens, score, branch):
    one = insideout(model, prompt, max_tokens, num_candidates=1, score=score, branch=branch)
    reference = greedy(model, prompt, max_tokens, score=score)
    assert one.token_ids == reference.token_ids
    assert one.best.score == reference.best.score
    assert len(one.candidates) == 1


@quick
@given(models, prompts, st.integers(1, 6), some_score)
def test_best_score_never_falls_with_more_candidates(model, prompt, max_tokens, score):
    best = [
        insideout(model, prompt, max_tokens, num_candidates=n, score=score).best.score
        for n in range(1, model.config.vocab_size + 2)
    ]
    assert best == sorted(best)


@quick
@given(models, prompts, st.integers(1, 4), some_score, st.booleans(), st.integers(1, 6))
def test_exhaustive_finds_the_best_of_all(
    model, prompt, max_tokens, score, prefer_finished, num_candidates
):
    result = exhaustive(
        model,
        prompt,
        max_tokens,
        score=score,
        prefer_finished=prefer_finished,
        num_candidates=num_candidates,
    )
    ranked = sorted(
        all_sequences(model, prompt, max_tokens),
        key=lambda f: (prefer_finished and f[0][-1] == EOS, score_tokens(f[1], score)),
        reverse=True,
    )[:num_candidates]
    assert [c.score for c in result.candidates] == pytest.approx(
        [score_tokens(probs, score) for _, probs in ranked], abs=1e-12
    )
    if prefer_finished:
        assert [c.finished for c in result.candidates] == [t[-1] == EOS for t, _ in ranked]


@quick
@given(models, prompts, st.integers(1, 4), some_score, st.integers(1, 8), st.booleans())
def test_no_decoder_beats_exhaustive_search(model, prompt, max_tokens, score, width, finished):
    options = {"score": score, "prefer_finished": finished}
    limit = exhaustive(model, prompt, max_tokens, **options).best
    for result in (
        greedy(model, prompt, max_tokens, score=score),
        sample(model, prompt, max_tokens, num_samples=4, seed=width, **options),
        beam_search(model, prompt, max_tokens, num_beams=width, **options),
        insideout(model, prompt, max_tokens, num_candidates=width, **options),
        insideout(model, prompt, max_tokens, branch="uncertain", certain=0.5, **options),
    ):
        best = result.best
        if finished and best.finished != limit.finished:
            assert limit.finished
        else:
            assert best.score <= limit.score + 1e-12, result.method


@quick
@given(models, prompts, st.integers(1, 6), some_score)
def test_beam_search_of_width_one_is_greedy(model, prompt, max_tokens, score):
    beam = beam_search(model, prompt, max_tokens, num_beams=1, score=score)
    reference = greedy(model, prompt, max_tokens, score=score)
    assert beam.token_ids == reference.token_ids
    assert (beam.forward_steps, beam.tokens_computed) == (
        reference.forward_steps,
        reference.tokens_computed,
    )


@quick
@given(models, prompts, some_score)
def test_widest_beam_of_two_tokens_is_exhaustive(model, prompt, score):
    V = model.config.vocab_size
    beam = beam_search(model, prompt, 2, num_beams=V, score=score)
    best = exhaustive(model, prompt, 2, num_candidates=V, score=score)
    assert beam.best.token_ids == best.best.token_ids
    assert beam.best.score == best.best.score


@quick
@given(models, prompts, st.integers(1, 5), some_score, st.integers(1, 4))
def test_beam_search_stops_early_only_where_nothing_changes(
    model, prompt, max_tokens, score, width
):
    """Against a beam search in a few lines that always goes to the end."""
    beams, over = [((), ())], []
    for _ in range(max_tokens):
        options = [
            ((*tokens, t), (*probs, p))
            for tokens, probs in beams
            for t, p in may_come_next(model, prompt, list(tokens))
        ]
        options.sort(key=lambda o: -score_tokens(o[1], score))
        over += [o for o in options[:width] if o[0][-1] == EOS]
        beams = [o for o in options[:width] if o[0][-1] != EOS]
    expected = sorted((score_tokens(p, score) for _, p in over + beams), reverse=True)[:width]
    result = beam_search(model, prompt, max_tokens, num_beams=width, score=score)
    assert [c.score for c in result.candidates] == pytest.approx(expected, abs=1e-12)


@quick
@given(models, prompts, st.integers(0, 6), st.sampled_from(sorted(DECODERS)))
def test_what_every_decoder_promises(model, prompt, max_tokens, name):
    max_tokens = min(max_tokens, 3) if name == "exhaustive" else max_tokens
    result = DECODERS[name](model, prompt, max_tokens)
    ranking = [c.score for c in result.candidates]
    assert ranking == sorted(ranking, reverse=True)
    assert result.forward_steps == len(model.calls)
    assert result.tokens_computed == sum(B * T for B, T in model.calls)
    for c in result.candidates:
        assert PAD not in c.token_ids and BOS not in c.token_ids
        assert EOS not in c.token_ids[:-1]
        assert len(c.token_ids) <= max_tokens
        assert c.finished == (c.token_ids[-1:] == [EOS])
        if prompt in ([], [BOS]):
            assert c.token_ids[:1] != [EOS]
        if max_tokens:
            assert c.score == score_tokens(c.probs, result.score_name)
            # The score is of the generated tokens alone, each given all before it.
            for t, token in enumerate(c.token_ids):
                context = tuple((prompt or [BOS]) + c.token_ids[:t])
                assert c.probs[t] == pytest.approx(model.probs(context)[token], abs=1e-14)
                top = [prob for _, _, prob in c.alternatives[t]]
                strongest = may_come_next(model, prompt, c.token_ids[:t])[:5]
                assert top == pytest.approx([p for _, p in strongest], abs=1e-14)


def test_a_large_vocabulary_gives_the_same_alternatives_and_keeps_no_logits(monkeypatch):
    model = TableModel(vocab_size=20, seed=1)
    looked_back = {}
    for limit in (20, 19):
        monkeypatch.setattr(place, "SMALL_VOCABULARY", limit)
        result = insideout(model, [1, 5, 6], 8, num_candidates=4)
        places = [thing for thing in gc.get_objects() if isinstance(thing, place.Place)]
        kept = [one for one in places if one.logits.shape[1] == 20]  # others belong to other tests
        assert bool(kept) == (limit == 20)
        looked_back[limit] = [candidate.alternatives for candidate in result.candidates]
        del result, kept, places
        gc.collect()
    assert looked_back[20] == looked_back[19]
    assert [len(place) for place in looked_back[20][0]] == [5] * len(looked_back[20][0])


# --- cost ----------------------------------------------------------------------------------------


def test_cost_is_one_prefill_and_one_step_a_token_whatever_the_candidates():
    for num_candidates in (1, 3, 16):
        model = TableModel(vocab_size=20, seed=1, eos_id=None)  # nothing ends early
        result = insideout(model, [1, 5, 6, 7], 10, num_candidates=num_candidates)
        assert model.calls == [(1, 4)] + [(num_candidates, 1)] * 9
        assert result.forward_steps == 10
        assert result.tokens_computed == 4 + 9 * num_candidates


def test_finished_candidates_leave_the_batch():
    rows = table_from_probs(  # ids: pad bos eos 3 4 5
        _1=[0, 0, 0, 0.5, 0.3, 0.2],
        _3=[0, 0, 1.0, 0, 0, 0],
        _4=[0, 0, 0.1, 0, 0, 0.9],
        _5=[0, 0, 0.6, 0, 0.4, 0],
    )
    model = TableModel(vocab_size=6, order=1, rows=rows)
    result = insideout(model, [1], 6, num_candidates=3)
    assert sorted(c.token_ids for c in result.candidates) == [[3, 2], [4, 5, 2], [5, 2]]
    assert model.calls == [(1, 1), (3, 1), (1, 1)]  # only 4 5 … goes on
    assert (result.forward_steps, result.tokens_computed) == (3, 5)


def test_walk_to_the_fork_costs_no_more_steps():
    for certain in (0.0, 0.3, 0.9):
        model = TableModel(vocab_size=9, seed=3, eos_id=None)
        result = insideout(model, [1, 3], 8, branch="uncertain", certain=certain)
        assert result.forward_steps == len(model.calls) == 8


# --- InsideOut by hand ---------------------------------------------------------------------------


def hand_model():
    """ids: pad bos eos 3 4 5. After 3 the tokens hesitate, after 4 they are certain."""
    rows = table_from_probs(
        _1=[0, 0, 0, 0.6, 0.3, 0.1],
        _3=[0, 0, 0.4, 0.2, 0.2, 0.2],
        _4=[0, 0, 0.05, 0, 0, 0.95],
        _5=[0, 0, 0.9, 0, 0, 0.1],
    )
    return TableModel(vocab_size=6, order=1, rows=rows)


def test_insideout_by_hand():
    result = insideout(hand_model(), [1], 12, num_candidates=3)
    assert [c.token_ids for c in result.candidates] == [[4, 5, 2], [3, 2], [5, 2]]
    assert [c.score for c in result.candidates] == pytest.approx([2.15 / 3, 0.5, 0.5])
    # 3 2 and 5 2 tie at 0.5: the likelier start comes first.
    assert [c.start_prob for c in result.candidates] == pytest.approx([0.3, 0.6, 0.1])


def test_the_three_scores_by_hand():
    best = {s: insideout(hand_model(), [1], num_candidates=3, score=s).best for s in SCORES}
    assert best["arithmetic"].token_ids == [4, 5, 2]
    assert best["geometric"].score == pytest.approx((0.3 * 0.95 * 0.9) ** (1 / 3))
    assert best["sum"].score == pytest.approx(np.log(0.3 * 0.95 * 0.9))


def test_ties_take_the_lower_id():
    model = TableModel(vocab_size=6, order=1, rows={(i,): np.zeros(6) for i in range(6)})
    result = insideout(model, [3], 2, num_candidates=2)
    assert [c.token_ids for c in result.candidates] == [[2], [3, 2]]
    assert insideout(model, [1], 2, num_candidates=2).token_ids == [1, 3, 2]
    assert greedy(model, [1], 3).best.token_ids == [3, 2]


def test_min_start_ratio_drops_weak_starts():
    starts = lambda ratio: [  # noqa: E731
        c.token_ids[0]
        for c in insideout(hand_model(), [1], num_candidates=9, min_start_ratio=ratio).candidates
    ]
    assert sorted(starts(0.0)) == [3, 4, 5]
    assert sorted(starts(0.4)) == [3, 4]
    assert starts(1.0) == [3]


def test_prefer_finished_ranks_them_first():
    rows = table_from_probs(_1=[0, 0, 0, 0.6, 0.4], _3=[0, 0, 0, 1.0, 0], _4=[0, 0, 0.6, 0.2, 0.2])
    model = TableModel(vocab_size=5, order=1, rows=rows)
    plain = insideout(model, [1], 4)
    assert [c.finished for c in plain.candidates] == [False, True]
    preferred = insideout(model, [1], 4, prefer_finished=True)
    assert [c.finished for c in preferred.candidates] == [True, False]
    assert preferred.best.token_ids == [4, 2]


def test_branch_uncertain_forks_at_the_first_doubt():
    rows = table_from_probs(  # ids: pad bos eos 3 4 5 6
        _1=[0, 0, 0, 0.95, 0.05, 0, 0],
        _3=[0, 0, 0, 0, 0.9, 0.1, 0],  # exactly `certain`: go on
        _4=[0, 0, 0, 0, 0, 0.7, 0.3],
        _5=[0, 0, 0.5, 0.5, 0, 0, 0],
        _6=[0, 0, 1.0, 0, 0, 0, 0],
    )
    model = TableModel(vocab_size=7, order=1, rows=rows)
    model.rows[(3,)] = np.log(np.array([0, 0, 0, 0, 9, 1, 0]) + 1e-300)
    result = insideout(model, [1], 8, branch="uncertain", certain=0.89, num_candidates=5)
    assert result.fork == 2
    assert [c.token_ids for c in result.candidates] == [[3, 4, 6, 2], [3, 4, 5, 2]]
    assert [c.start_prob for c in result.candidates] == pytest.approx([0.3, 0.7])
    # The walked tokens are part of the score.
    assert result.best.score == pytest.approx((0.95 + 0.9 + 0.3 + 1.0) / 4)
    assert insideout(model, [1], 8, branch="uncertain", certain=0.96).fork == 0
    everywhere_certain = insideout(model, [1], 8, branch="uncertain", certain=0.0)
    assert everywhere_certain.token_ids == greedy(model, [1], 8).token_ids
    assert len(everywhere_certain.candidates) == 1


def test_repetition_penalty_changes_the_choice_but_not_the_probabilities():
    logits = np.array([0.0, 0.0, -9.0, 2.0, 1.5, -1.0])
    model = TableModel(vocab_size=6, order=1, rows={(i,): logits for i in range(6)})
    prompt = [1, 3]  # the prompt's own 3 is not penalised
    assert greedy(model, prompt, 4).best.token_ids == [3, 3, 3, 3]
    result = greedy(model, prompt, 4, repetition_penalty=2.0)
    assert result.best.token_ids == [3, 4, 3, 3]  # 3: 2.0 -> 1.0 < 1.5, 4: 1.5 -> 0.75
    odds = np.exp(logits)
    assert result.best.probs == pytest.approx(odds[[3, 4, 3, 3]] / odds.sum())
    # Negative logits are pushed down too.
    logits[:] = [-9.0, -9.0, -9.0, -1.0, -1.5, -9.0]
    assert greedy(model, prompt, 2, repetition_penalty=2.0).best.token_ids == [3, 4]
    several = insideout(model, prompt, 2, num_candidates=2, repetition_penalty=2.0)
    assert sorted(c.token_ids for c in several.candidates) == [[3, 4], [4, 3]]


# --- sampling ------------------------------------------------------------------------------------


def test_samples_have_the_models_frequencies():
    model = TableModel(vocab_size=7, seed=8, pad_id=None, bos_id=None, eos_id=None, scale=1.0)
    result = sample(model, [3], 1, num_samples=5_000, seed=1)
    drawn = np.bincount([c.token_ids[0] for c in result.candidates], minlength=7) / 5_000
    assert drawn == pytest.approx(model.probs((3,)), abs=0.03)  # four standard errors
    warm = sample(model, [3], 1, num_samples=5_000, seed=1, temperature=2.0)
    expected = np.exp(model.table((3,)) / 2)
    drawn = np.bincount([c.token_ids[0] for c in warm.candidates], minlength=7) / 5_000
    assert drawn == pytest.approx(expected / expected.sum(), abs=0.03)


def test_samples_follow_the_seed():
    draw = lambda **how: [  # noqa: E731
        c.token_ids for c in sample(TableModel(seed=2), [3], 6, num_samples=5, **how).candidates
    ]
    assert draw(seed=1) == draw(seed=1) == draw(rng=np.random.default_rng(1))
    assert draw(seed=1) != draw(seed=2)


def test_temperature_zero_and_top_one_are_greedy():
    for seed in range(20):
        model = TableModel(seed=seed)
        expected = greedy(model, [1], 8).token_ids
        for how in ({"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9}):
            assert sample(model, [1], 8, seed=0, **how).token_ids == expected, how


def test_a_tiny_temperature_is_no_trouble():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = sample(hand_model(), [1], 2, seed=0, temperature=1e-310)
    assert result.token_ids == [1, 3, 2]


def test_top_k_and_top_p_keep_the_likeliest():
    probs = [0.0, 0.0, 0.0, 0.5, 0.25, 0.125, 0.125]
    model = TableModel(vocab_size=7, order=1, rows=table_from_probs(_3=probs))
    seen = lambda **how: {  # noqa: E731
        c.token_ids[0] for c in sample(model, [3], 1, num_samples=200, seed=0, **how).candidates
    }
    assert seen() == {3, 4, 5, 6}
    assert seen(top_k=2) == {3, 4}
    assert seen(top_k=3) == {3, 4, 5}  # 5 and 6 tie: the lower id
    assert seen(top_p=0.5) == {3}
    assert seen(top_p=0.51) == {3, 4}
    assert seen(top_p=1.0) == {3, 4, 5, 6}
    assert seen(top_k=2, top_p=0.6) == {3}  # of the two kept, 3 has two thirds


# --- edges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DECODERS)
def test_no_tokens_gives_the_prompt(name):
    tokenizer = LetterTokenizer(["", "", "", " a", " b", " c", " d"])
    model = TableModel()
    result = DECODERS[name](model, [3, 4], 0, tokenizer=tokenizer, prompt="A b")
    assert result.text == "A b" and result.token_ids == [3, 4]
    assert result.best.token_ids == [] and not result.best.finished
    assert result.best.score == (0.0 if result.score_name == "sum" else 1.0)
    assert model.calls == [] and result.forward_steps == result.tokens_computed == 0


@pytest.mark.parametrize("name", DECODERS)
def test_one_token_costs_the_prefill_alone(name):
    model = TableModel()
    result = DECODERS[name](model, [3, 4], 1)
    assert all(len(c.token_ids) == 1 for c in result.candidates)
    assert model.calls == [(1, 2)]


@pytest.mark.parametrize("name", DECODERS)
def test_empty_prompt_starts_from_bos(name):
    result = DECODERS[name](TableModel(seed=3), [], 2)
    assert result.prompt_ids == [BOS] and result.prompt == ""
    assert result.token_ids == DECODERS[name](TableModel(seed=3), [BOS], 2).token_ids
    assert result.token_ids == DECODERS[name](TableModel(seed=3), np.array([], int), 2).token_ids


def test_more_candidates_than_tokens_takes_all_that_may_start():
    for count, prompt, expected in ((7, [1], [3, 4, 5, 6]), (10**9, [3], [2, 3, 4, 5, 6])):
        result = insideout(TableModel(vocab_size=7), prompt, 2, num_candidates=count)
        assert sorted(c.token_ids[0] for c in result.candidates) == expected
    # What the model holds impossible does not start.
    assert len(insideout(hand_model(), [4], 2, num_candidates=9).candidates) == 2


def test_end_token_shared_with_bos_or_pad_may_still_come():
    rows = {(i,): np.array([3.0, 1.0, 0.0, -1.0]) for i in range(4)}
    shared = TableModel(vocab_size=4, order=1, rows=rows, pad_id=0, bos_id=0, eos_id=0)
    assert greedy(shared, [1], 4).best.token_ids == [0]
    assert greedy(shared, [], 4).best.token_ids == [1, 0]
    without = TableModel(vocab_size=4, order=1, rows=rows, pad_id=None, bos_id=None, eos_id=None)
    assert greedy(without, [1], 3).best.token_ids == [0, 0, 0]


def error(call, *args, **options):
    """The message of the error that the call raises: one sentence, in plain words."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 250
    return message


@pytest.mark.parametrize("name", DECODERS)
def test_bad_input_gets_one_sentence(name):
    decode, model = DECODERS[name], TableModel()
    for bad in (None, "text", b"bytes", 3, 2.5, [1.5], [[1, 2]], [None], ["a"], [True], {1: 2}):
        assert "list of token ids" in error(decode, model, bad, 3)
    for bad in ([7], [3, -1]):
        assert f"token id {bad[-1]} in the prompt is outside" in error(decode, model, bad, 3)
    for bad in (-1, -3, 1.5, "3", None, True):
        expected = f"max_tokens must be a whole number of at least 0, not {bad!r}"
        assert error(decode, model, [3], bad) == expected
    assert "score must be" in error(decode, model, [3], 3, score="mean")
    assert "prompt must be a str" in error(decode, model, [3], 3, prompt=5)
    without_bos = TableModel(bos_id=None)
    assert "no <|bos|>" in error(decode, without_bos, [], 3)
    assert model.calls == []


@pytest.mark.parametrize(
    ("decode", "name", "bad", "words"),
    [
        (insideout, "num_candidates", (0, -1, 2.0, "5", None, True), "at least 1"),
        (beam_search, "num_beams", (0, -1, 2.0, None), "at least 1"),
        (exhaustive, "num_candidates", (0, None), "at least 1"),
        (exhaustive, "max_sequences", (0, 1e5), "at least 1"),
        (sample, "num_samples", (0, 1.5), "at least 1"),
        (sample, "top_k", (0, -1, 2.5), "at least 1"),
        (sample, "top_p", (0, -0.1, 1.1, float("nan"), "0.9"), "above 0, at most 1"),
        (sample, "temperature", (-1, float("nan"), float("inf"), None, "1"), "at least 0"),
        (sample, "repetition_penalty", (0.5, 0, float("nan")), "at least 1"),
        (greedy, "repetition_penalty", (0.5, float("inf"), None, True), "at least 1"),
        (insideout, "repetition_penalty", (-1, "1"), "at least 1"),
        (insideout, "min_start_ratio", (-0.1, 1.5, float("nan")), "from 0 to 1"),
        (insideout, "certain", (-0.1, 1.5, None), "from 0 to 1"),
        (insideout, "branch", ("last", None), "'first' or 'uncertain'"),
        (sample, "rng", (3, np.random.RandomState(0)), "numpy.random.Generator"),
    ],
)
def test_bad_options_get_one_sentence(decode, name, bad, words):
    for value in bad:
        message = error(decode, TableModel(), [3], 3, **{name: value})
        assert message.startswith(f"{name} must be") and words in message, message


def test_seed_and_rng_together_are_an_error():
    assert "not with it" in error(
        sample, TableModel(), [3], 3, seed=1, rng=np.random.default_rng(1)
    )


def test_damaged_or_speechless_models_are_errors():
    for value in (np.nan, np.inf):
        model = TableModel(order=1, rows={(3,): np.array([0, 0, 0, 0, 0, 0, value])})
        assert "NaN or infinity" in error(insideout, model, [3], 3)
    nothing = TableModel(order=1, rows={(3,): np.full(7, -np.inf)})
    assert "impossible" in error(greedy, nothing, [3], 3)
    only_pad = TableModel(order=1, rows={(3,): np.array([0.0] + [-np.inf] * 6)})
    assert "impossible" in error(greedy, only_pad, [3], 3)


def test_exhaustive_says_when_there_are_too_many():
    model = TableModel(vocab_size=20, eos_id=None, scale=0.1)
    message = error(exhaustive, model, [3], 6, max_sequences=1000)
    everything = sum(18**t for t in range(1, 7))
    assert "max_sequences=1,000" in message and f"{everything:,}" in message


def test_exhaustive_search_prunes():
    """A sure thing is found without looking at everything."""
    model = TableModel(vocab_size=20, seed=1, scale=8.0, seq_len=40)
    result = exhaustive(model, [3], 8, num_candidates=1, score="sum")
    assert result.tokens_computed < 20_000  # all would be 17**8 = 7 * 10**9
    assert result.best.score >= beam_search(model, [3], 8, num_beams=50).best.score - 1e-12


# --- what fits into the model --------------------------------------------------------------------


@pytest.mark.parametrize("name", DECODERS)
def test_long_prompt_keeps_its_tail_and_says_so_once(name):
    options = {"max_sequences": 10**6} if name == "exhaustive" else {}
    long = [3, 4, 5, 6] * 10
    with pytest.warns(UserWarning, match="40 tokens: only the last 13 are used") as caught:
        result = DECODERS[name](TableModel(seq_len=16, seed=1), long, 4, **options)
    assert len(caught) == 1 and caught[0].filename == __file__
    tail = DECODERS[name](TableModel(seq_len=16, seed=1), long[-13:], 4, **options)
    assert result.best.token_ids == tail.best.token_ids
    assert result.prompt_ids == long and result.dropped == 27
    assert result.tokens_computed == tail.tokens_computed


def test_half_of_the_room_is_left_to_a_long_prompt():
    model = TableModel(seq_len=16, eos_id=None)
    with pytest.warns(UserWarning, match="only the last 8 are used; only 9 of max_tokens=50"):
        result = insideout(model, [3] * 40, 50)
    assert len(result.best.token_ids) == 9  # 8 + 9 - 1 positions: the last token is never read
    assert model.calls[0] == (1, 8) and len(model.calls) == 9


def test_generation_ends_where_the_model_ends():
    model = TableModel(seq_len=16, eos_id=None)
    with pytest.warns(UserWarning, match="only 14 of max_tokens=50 new tokens fit"):
        result = greedy(model, [3, 4, 5], 50)
    assert len(result.best.token_ids) == 14 and result.dropped == 0


def test_what_fits_exactly_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        insideout(TableModel(seq_len=16), [3] * 16, 1)
        insideout(TableModel(seq_len=16), [3] * 5, 12)
        insideout(TableModel(seq_len=16), [3] * 40, 0)
        insideout(TableModel(seq_len=1), [3], 1)


# --- with the real model -------------------------------------------------------------------------


def real_model():
    config = LunsformterConfig(
        vocab_size=24, seq_len=20, dim=16, hidden_dim=24, num_layers=2, num_heads=4, num_kv_heads=2,
        pad_id=21, bos_id=22, eos_id=23,
    )  # fmt: skip
    model = Lunsformter(config, seed=3, dtype=np.float64)
    model.parameters *= 4.0  # far from uniform
    return model


@pytest.mark.parametrize("name", sorted(set(DECODERS) - {"exhaustive"}))
def test_cached_and_uncached_probabilities_agree(name):
    model = real_model()
    result = DECODERS[name](model, [22, 3, 5, 8], 9)
    assert len({round(float(p), 6) for c in result.candidates for p in c.probs}) > 3
    for c in result.candidates:
        ids = result.prompt_ids + c.token_ids
        logits = model.forward(np.array([ids]))[0]  # [T, V]
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probs = odds / odds.sum(axis=-1, keepdims=True)  # [T, V]
        places = np.arange(len(result.prompt_ids) - 1, len(ids) - 1)
        assert c.probs == pytest.approx(probs[places, c.token_ids], abs=1e-10)


def test_same_call_same_result():
    first, second = (insideout(real_model(), [22, 3], 9, num_candidates=6) for _ in range(2))
    assert [c.token_ids for c in first.candidates] == [c.token_ids for c in second.candidates]
    assert all(
        np.array_equal(a.probs, b.probs)
        for a, b in zip(first.candidates, second.candidates, strict=True)
    )


def test_exhaustive_with_the_real_model():
    model = real_model()
    result = exhaustive(model, [22, 3], 2, num_candidates=3)
    scores = []
    for ids in itertools.product([*range(21), 23], repeat=2):
        logits = model.forward(np.array([[22, 3, ids[0]]]))[0, 1:]  # [2, V]
        probs = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probs /= probs.sum(axis=-1, keepdims=True)
        p = [probs[0, ids[0]]] if ids[0] == 23 else [probs[0, ids[0]], probs[1, ids[1]]]
        scores.append(np.mean(p))
    assert [c.score for c in result.candidates] == pytest.approx(
        sorted(set(scores), reverse=True)[:3], abs=1e-10
    )


ORDERS = sorted(set(itertools.permutations([0.3, 0.1, 0.1, 0.5])))
KEEPS = [(0.8, 2), (0.5, 1), (0.81, 3), (0.9, 3), (1.0, 4), (1e-9, 1)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("top_p, keeps", KEEPS)
def test_top_p_keeps_the_smallest_set_that_reaches_p(order, top_p, keeps):
    probs = filtered(np.log(np.array(order)), 1.0, None, top_p)
    kept = np.flatnonzero(probs)
    assert len(kept) == keeps and probs.sum() == pytest.approx(1)
    assert sorted(np.array(order)[kept]) == sorted(order)[-keeps:]
