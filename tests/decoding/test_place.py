"""What may come next: the strongest tokens, probabilities, and logits that can't be used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunsedu import use_compiled
from lunsedu.decoding import place as place_module
from lunsedu.decoding.place import Place, strongest

some_values = st.lists(st.sampled_from([-np.inf, -1.5, 0.0, 2.0, 2.5]), min_size=1, max_size=12)


@given(some_values, st.integers(1, 14))
def test_the_strongest_are_those_that_sorting_finds(values, count):
    finite = [i for i, value in enumerate(values) if value > -np.inf]
    wanted = sorted(finite, key=lambda i: (-values[i], i))[:count]
    given_values = np.array(values)
    assert strongest(given_values, count).tolist() == wanted
    assert given_values.tolist() == values


def test_few_and_many_are_found_in_the_same_order():
    values = np.random.default_rng(3).integers(0, 9, 60).astype(float)  # with many ties
    many = strongest(values, 60)
    for count in (1, place_module.FEW, place_module.FEW + 1, 59):
        np.testing.assert_array_equal(strongest(values, count), many[:count])


def logits(B=3, V=40):
    return (np.random.default_rng(5).normal(size=(B, V)) * 4).astype(np.float32)


def test_row_by_row_gives_the_same_digits(monkeypatch):
    whole = Place(logits(5, 4000), [1])
    find, row = whole.look_back(2)
    now = find(row)
    monkeypatch.setattr(place_module, "SMALL_VOCABULARY", 39)
    rows = Place(logits(5, 4000), [1])
    assert [rows.prob(2, i) for i in range(2, 40)] == [whole.prob(2, i) for i in range(2, 40)]
    assert "logits" not in rows.__dict__  # those of one row are enough to look back
    find, row = rows.look_back(2)
    assert find(row) == now


@pytest.fixture(params=["numpy", "compiled"])
def form(request):
    if request.param == "compiled":
        pytest.importorskip("numba")
        use_compiled()
    yield request.param
    use_compiled(False)


TYPES = {np.float32: 1e-6, np.float64: 1e-12, np.float16: 1e-6, np.int64: 1e-12}


@pytest.mark.parametrize("V", [1, 7, 40, 6000])
@pytest.mark.parametrize("dtype", TYPES)
def test_probabilities_are_those_of_softmax(form, V, dtype):
    given_logits = logits(V=V).astype(dtype)
    found = Place(given_logits, [])
    exact = np.exp(given_logits.astype(np.float64))
    exact /= exact.sum(axis=1, keepdims=True)
    for row in range(3):
        probs = [found.prob(row, token) for token in range(V)]
        assert probs == pytest.approx(exact[row], rel=TYPES[dtype])
    assert found.likeliest == exact.argmax(axis=1).tolist()


@pytest.mark.parametrize(
    ("value", "everywhere", "words"),
    [
        (np.nan, False, "NaN or infinity"),
        (np.inf, False, "NaN or infinity"),
        (np.nan, True, "NaN or infinity"),
        (np.inf, True, "NaN or infinity"),
        (-np.inf, True, "no token that may come next a probability above 0"),
    ],
)
def test_what_cannot_be_chosen_from(form, value, everywhere, words):
    bad = logits()
    bad[1, slice(None) if everywhere else 7] = value
    with pytest.raises(ValueError, match=words):
        Place(bad, [])


def test_some_tokens_may_be_impossible(form):
    some = logits()
    some[1, 7] = -np.inf
    assert Place(some, []).prob(1, 7) == 0.0


def test_forbidden_tokens_are_not_the_likeliest_but_count_in_the_whole(form):
    first = Place(logits(), []).likeliest
    found = Place(logits(), first)
    assert set(found.likeliest).isdisjoint(first)
    assert found.prob(0, found.likeliest[0]) < 0.5
