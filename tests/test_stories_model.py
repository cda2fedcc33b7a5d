"""The model that ships with the course, on what it was made to show: 200 held-out puzzles."""

import numpy as np
import pytest

from lunsedu import load_example
from lunsedu.decoding import beam_search, greedy, insideout
from lunsedu.evaluation.entropy_floor import gap_to_floor
from lunsedu.examples import PACKAGE, RECIPES, train_example
from lunsedu.grammar import story_grammar

TOKENS = 20  # the longest right answer has 17


@pytest.fixture(scope="module")
def lm():
    return load_example("stories")


def percent_right(lm, question, decoder, **options):
    prompts = story_grammar.puzzles(held_out=True, question=question)[:200]
    assert len(set(prompts)) == 200
    results = [lm.decode_with(decoder, prompt, TOKENS, **options) for prompt in prompts]
    return 100 * np.mean([story_grammar.answer_is_right(r.text) is True for r in results])


@pytest.mark.parametrize(
    "question, decoder, options, least, most",
    [
        ("early", greedy, {}, 0, 45),
        ("early", insideout, {"num_candidates": 5, "score": "arithmetic"}, 90, 100),
        ("early", insideout, {"num_candidates": 5, "score": "geometric"}, 95, 100),
        ("early", beam_search, {"num_beams": 5}, 95, 100),
        ("late", insideout, {"num_candidates": 5, "score": "arithmetic"}, 0, 50),
        ("late", insideout, {"num_candidates": 5, "score": "geometric"}, 0, 50),
        ("late", insideout, {"score": "geometric", "branch": "uncertain"}, 90, 100),
        ("late", beam_search, {"num_beams": 5}, 95, 100),
    ],
)
def test_what_the_course_says_of_the_decoders(lm, question, decoder, options, least, most):
    assert least <= percent_right(lm, question, decoder, **options) <= most


def test_it_is_near_the_floor_on_sentences_that_it_never_saw(lm):
    gap = gap_to_floor(lm, story_grammar, story_grammar.corpus(4000, seed=9))
    assert gap.standard_error < 0.05
    assert gap.nats < 0.45


def test_its_file_is_small_and_its_recipe_is_the_one_in_the_package(lm):
    path = PACKAGE / "pretrained" / "stories.safetensors"
    assert path.stat().st_size < 700_000
    _, sizes, settings = RECIPES["stories"]
    config = lm.model.config
    assert all(getattr(config, name) == value for name, value in sizes.items() if name != "seed")
    assert lm.history.epochs == settings["epochs"]


def test_an_example_that_there_is_not():
    with pytest.raises(ValueError, match="no example 'poems': there are stories"):
        load_example("poems")
    with pytest.raises(ValueError, match="no example"):
        train_example("poems")
