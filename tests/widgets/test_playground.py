"""The playground, at every position of its sliders."""

from types import SimpleNamespace

import pytest
from pages import Page, fresh, without_time

from lunsedu import LunsformterModel
from lunsedu.decoding import SCORES
from lunsedu.decoding.tree_and_race import tree_nodes
from lunsedu.widgets import attention_viewer, insideout_race, playground, tokenizer_explorer
from lunsedu.widgets import widgets as lunsedu_widgets
from lunsedu.widgets.widgets import MAX_CANDIDATES, MAX_NEW_TOKENS, playground_view


@pytest.mark.parametrize("score", SCORES)
def test_playground_at_every_slider_position(lm, score):
    """All candidates; tokens in steps that meet every one of the 48 over the three scores."""
    first = list(SCORES).index(score)
    models = {"m": lm}
    for candidates in range(1, MAX_CANDIDATES + 1):
        for new_tokens in range(1 + (first + candidates) % 3, MAX_NEW_TOKENS + 1, 3):
            show = ("table", "tree", "compare")[(candidates + new_tokens // 3) % 3]
            html = playground_view(models, "m", "good", candidates, new_tokens, score, show)
            result = lm.insideout("good", new_tokens, candidates, score=score)
            page = Page(html)
            assert f"★ best good{result.best.text}InsideOut: score {result.best.score:.3f}," in (
                page.text
            )
            assert f"{result.forward_steps} forward step" in page.text
            assert len(result.candidates) == candidates
            if show == "table":
                assert page.tags.count("tr") == 1 + candidates
            elif show == "tree":
                nodes = page.text.split("ms", 1)[1]
                assert nodes.count("chosen ") == len(tree_nodes(result))
            else:
                assert page.tags.count("tr") == 4


def test_playground_views_hold_every_candidate(lm):
    for candidates in (1, 2, 7, MAX_CANDIDATES):
        result = lm.insideout("good", 12, candidates)
        page = Page(playground_view({"m": lm}, "m", "good", candidates, 12, "arithmetic", "table"))
        for candidate in result.candidates:
            assert f"{candidate.score:.3f}" in page.text
            assert candidate.text.strip() in page.text


def test_playground_takes_one_model_several_or_none(lm):
    assert playground(lm).models["this model"] is lm
    other = fresh()
    assert list(playground([lm, other]).models)[:2] == ["model 1", "model 2"]
    shell = playground({"trained": lm, "fresh": other}, prompt="good")
    before = without_time(shell.page.value)
    shell.controls["model"].value = "fresh"
    assert without_time(shell.page.value) != before
    for wrong in (3, "path", [lm, 3]):
        with pytest.raises(TypeError, match="not a LunsformterModel"):
            playground(wrong)


def test_playground_without_a_model_says_what_to_do(monkeypatch):
    monkeypatch.setattr(lunsedu_widgets, "_examples", dict)
    shell = playground()
    assert "There is no model yet" in Page(shell.page.value).text
    assert shell.notice.value == ""
    assert "No model yet" in shell.still(**shell.values).alt


def test_shipped_examples_join_the_choice_and_load_on_use(lm, tmp_path, monkeypatch):
    from lunsedu import examples

    loaded = []
    monkeypatch.setattr(examples, "load_example", lambda name: loaded.append(name) or lm)
    monkeypatch.setattr(examples, "PACKAGE", tmp_path)
    assert list(playground(fresh()).models) == ["this model"]  # none is there, none is offered
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained" / "stories.safetensors").touch()
    shell = playground(fresh())
    assert list(shell.models) == ["this model", "stories"] and loaded == []
    shell.controls["model"].value = "stories"
    assert loaded == ["stories"] and shell.notice.value == ""
    assert playground().controls["model"].value == "stories"


def test_playground_opens_a_saved_model(lm, tmp_path):
    lm.save(tmp_path / "saved")
    other = fresh()
    shell = playground(other, prompt="good")
    shell.path.value = str(tmp_path / "saved")
    shell.opener.click()
    assert shell.notice.value == ""
    assert shell.controls["model"].value == "saved"
    expected = playground_view({"m": lm}, "m", "good", 5, 12, "arithmetic", "table")
    assert without_time(shell.page.value) == without_time(expected)


def test_first_prompt_is_from_the_data(lm):
    assert playground(lm).controls["prompt"].value == "good day"
    no_data = LunsformterModel.from_parts(lm.model, lm.tokenizer)
    assert playground(no_data).controls["prompt"].value == "Once upon a time"


def test_attention_viewer_on_edge_texts(lm):
    shell = attention_viewer(lm, "good day")
    shell.controls["text"].value = "x" * 500
    assert shell.notice.value == ""
    shell.controls["text"].value = ""
    assert shell.notice.value == "" and "bos" in Page(shell.page.value).text


def test_race_buttons_step_back_and_forth(lm):
    shell = insideout_race(lm, "good", max_tokens=5)
    assert shell.controls["step"].value == 1
    for _ in range(7):
        shell.forth.click()
    assert shell.controls["step"].value == 5
    assert "wins" in shell.page.value
    for _ in range(7):
        shell.back.click()
    assert shell.controls["step"].value == 0
    assert "ready to start" in shell.page.value


def test_moving_the_step_runs_no_model(lm):
    counted = SimpleNamespace(runs=0)

    class Counting:
        def insideout(self, *args):
            counted.runs += 1
            return lm.insideout(*args)

    shell = insideout_race(Counting(), "good")
    for step in range(12):
        shell.set(step=step)
    assert counted.runs == 1
    shell.set(prompt="how")
    assert counted.runs == 2


@pytest.mark.parametrize(
    ("widget", "arguments", "error", "message"),
    [
        (playground, dict(prompt=5), TypeError, "prompt must be a str, not int: 5"),
        (playground, dict(candidates="x"), ValueError, "candidates must be a whole number"),
        (playground, dict(candidates=0), ValueError, "whole number of at least 1, not 0"),
        (playground, dict(new_tokens=2.5), ValueError, "new_tokens must be a whole number"),
        (insideout_race, dict(prompt=5), TypeError, "prompt must be a str, not int: 5"),
        (insideout_race, dict(score="x"), ValueError, "score must be 'arithmetic'"),
        (insideout_race, dict(max_tokens=None), ValueError, "max_tokens must be a whole"),
        (insideout_race, dict(num_candidates=0), ValueError, "num_candidates must be a whole"),
        (attention_viewer, dict(text=5), TypeError, "text must be a str, not int: 5"),
    ],
)
def test_arguments_are_asked_before_boxes_are_built(lm, widget, arguments, error, message):
    with pytest.raises(error, match=message):
        widget(lm, **arguments)


@pytest.mark.parametrize("widget", [insideout_race, attention_viewer])
def test_the_model_alone_is_not_enough_for_a_widget(lm, widget):
    with pytest.raises(TypeError, match="lm must be a LunsformterModel, not Lunsformter: pass lm"):
        widget(lm.model)


def test_the_explorer_wants_the_tokenizer_alone(lm):
    with pytest.raises(TypeError, match="must be a Tokenizer, not LunsformterModel: pass lm.token"):
        tokenizer_explorer(lm)
    with pytest.raises(TypeError, match="text must be a str"):
        tokenizer_explorer(lm.tokenizer, text=5)
