"""What each decoder promises, against slow searches written from the definition."""

import gc

import pytest
from every_decoder import BOS, DECODERS, EOS, PAD, SCORES
from fakes import TableModel, table_from_probs
from hypothesis import given, settings
from hypothesis import strategies as st

from lunsedu.decoding import beam_search, exhaustive, greedy, insideout, place, sample
from lunsedu.decoding.scores import score_tokens

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
