"""The patching grid: every square of every kind of patch says what a patch made by hand does."""

import html
import re

import numpy as np
import pytest
from pages import HOSTILE, PATCHED, Page, assert_harmless

from lunsedu.display.patching import patching_view, strongest_place, told
from lunsedu.inside import Effects, patching_effects, prompt_pair
from lunsedu.widgets import patching, patching_grid
from lunsedu.widgets.patching import WHAT, patching_page

KINDS = [*WHAT, "head 1", "head 2"]


def radios(text):
    """Return the attributes of each radio button, in order."""
    found = re.findall(r"<input type=\"radio\"[^>]*>", text)
    return [
        dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) | {"on": " checked" in tag} for tag in found
    ]


@pytest.mark.parametrize("what", KINDS)
def test_the_whole_grid_shows_the_effects(lm, what):
    pair = prompt_pair(lm, *PATCHED)
    kind, head = WHAT[what] if what in WHAT else ("heads", int(what[-1]) - 1)
    effects = patching_effects(lm.model, pair, kind, head)
    text = patching_page(lm, *PATCHED, what)
    page, buttons = Page(text), radios(text)
    assert len(buttons) == effects.share.size and len({b["name"] for b in buttons}) == 1
    numbers = re.findall(r"<b style=\"background: rgba\((.*?), ([\d.]+)\)\">(-?[\d.]+)</b>", text)
    assert len(numbers) == effects.share.size
    say = lm.tokenizer.token_text
    for (place, share), (tint, strength, number), button in zip(
        np.ndenumerate(effects.share), numbers, buttons, strict=True
    ):
        assert number == f"{share:.2f}".replace("-0.00", "0.00")
        assert float(strength) == pytest.approx(0.55 * min(abs(share), 1), abs=0.006)
        assert tint == ("var(--lu-tint)" if share >= 0 else "213, 94, 0")
        label = html.unescape(button["aria-label"])
        assert f"place {pair.first + place[1] + 1} " in label and f"{number} of the way" in label
        answer = say(int(effects.answer[place]))
        becomes = "stays" if effects.answer[place] == pair.answer else "becomes"
        assert f"The answer {becomes} “{answer.replace(' ', '·')}”" in label
        assert page.text.count(label) >= 1  # shown below the grid, too
    assert [b["on"] for b in buttons].count(True) == 1
    assert buttons[np.ravel_multi_index(strongest_place(effects), effects.share.shape)]["on"]


def test_rows_and_columns_are_named(lm):
    page = Page(patching_page(lm, *PATCHED, "residual stream"))
    for name in ("embedding", "after layer 1", "after layer 2", "t", "h"):
        assert name in page.text
    assert ("scope", "row") in page.attributes and ("scope", "col") in page.attributes
    assert "The first token is the same in both prompts" in page.text
    assert "after layer" not in Page(patching_page(lm, *PATCHED, "head 2")).text


def effects_of(share):
    share = np.array(share)  # [R, P]
    return Effects("mlp", 1, share, np.zeros(share.shape, dtype=int), np.full(share.shape, 0.001))


def test_a_negative_zero_and_extremes_are_written_plainly():
    html = patching_view(
        effects_of([[-0.001, 1.7, -0.4]]), list("abcd"), list("abxd"), ("p", "q"), {0: "p"}
    )
    assert ">0.00</b>" in html and ">-0.00<" not in html
    assert 'rgba(var(--lu-tint), 0.55)">1.70</b>' in html
    assert 'rgba(213, 94, 0, 0.22)">-0.40</b>' in html


def test_a_square_in_words():
    said = told(
        effects_of([[0.25, 0.5]]), 0, 1, ["a", "b", " c"], ["a", "b", " d"], (" p", "q"), {0: " p"}
    )
    assert said == (
        "Layer 1, place 3 (“·c”, in the second prompt “·d”): 0.50 of the way. The answer stays"
        " “·p”; “q” has <1%."
    )


@pytest.mark.parametrize("hostile", HOSTILE)
def test_tokens_are_shown_as_typed_and_do_nothing(hostile):
    html = patching_view(
        effects_of([[0.25, 0.5]]), ["a", hostile, "b"], ["a", "b", hostile],
        (hostile, "q"), {0: hostile}, "head 1",
    )  # fmt: skip
    assert_harmless(html)


def test_prompts_that_are_typed_reach_the_page_and_errors_are_sentences(lm):
    shell = patching_grid(lm, *PATCHED)
    pages = {shell.page.value}
    for what in KINDS[1:]:
        shell.set(what=what)
        assert shell.page.value == shell.view(**shell.values)
        pages.add(shell.page.value)
    assert len(pages) == len(KINDS)
    for other, message in (
        ("h good day and more", "equally long"),
        (PATCHED[0], "the prompts are the same"),
        ("<b>", "tokens"),
    ):
        shell.set(other=other)
        assert shell.page.value == "" and message in Page(shell.notice.value).text
    shell.set(other=PATCHED[1])
    assert shell.notice.value == "" and shell.page.value in pages


def test_arguments_are_asked_before_boxes_are_built(lm):
    with pytest.raises(TypeError, match="other must be a str, not int: 5"):
        patching_grid(lm, "good day", 5)
    with pytest.raises(TypeError, match="pass lm itself, not lm.model"):
        patching_grid(lm.model, *PATCHED)


def test_too_many_places_are_refused(lm, monkeypatch):
    monkeypatch.setattr(patching, "MAX_PLACES", 3)
    with pytest.raises(ValueError, match="there are 4 tokens, and the grid shows at most 3"):
        patching_page(lm, *PATCHED, "head 1")


def test_the_still_picture_has_its_words(lm):
    shell = patching_grid(lm, *PATCHED)
    for what in KINDS:
        picture = shell.still(**(shell.values | {"what": what}))
        assert (
            picture.alt.startswith(f"A grid of patches, {what},")
            and "The strongest:" in picture.alt
        )
    data, _ = shell._repr_mimebundle_()
    assert "image/png" in data and "A still picture" in data["text/plain"]


def test_a_model_with_fewer_key_value_heads():
    from lunsedu import LunsDataset, LunsformterModel

    lm = LunsformterModel(
        LunsDataset(texts=["abc abd", "bcd"]),
        dim=24,
        hidden_dim=16,
        num_layers=2,
        num_heads=6,
        num_kv_heads=2,
    )
    shell = patching_grid(lm, "ab", "cd")
    assert len(shell.controls["what"].options) == 8
    for what in shell.controls["what"].options:
        shell.set(what=what)
