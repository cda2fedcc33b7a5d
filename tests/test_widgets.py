"""The widgets: their pure functions over all slider positions, and the shells around them."""

import asyncio
import html.parser
import inspect
import os
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
from test_plots import contrast

from lunsedu import LunsDataset, LunsformterModel, stills, views, views_decoding, views_model
from lunsedu import widgets as lunsedu_widgets
from lunsedu.controls import CONTROLS_STYLE, NAMES, Shell, choice, slider, text_box
from lunsedu.decoding import beam_search, greedy
from lunsedu.monitor import training_monitor
from lunsedu.results import SCORES
from lunsedu.training import History
from lunsedu.views_model import TrainingState
from lunsedu.widgets import (
    MAX_CANDIDATES,
    MAX_NEW_TOKENS,
    SHOW,
    attention_viewer,
    insideout_race,
    playground,
    playground_view,
    tokenizer_explorer,
)

TEXTS = [
    "good day, how are you?",
    "good day, tom is here.",
    "good night, sleep well.",
    "how are you? I am fine.",
    "once upon a time a king lost his crown.",
    "once upon a time two frogs shared one umbrella.",
]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "'><svg onload=alert(1)>",
    "\u202egnp.exe\u202c ]]> &amp; &lt;",
    "a\x00b\x1b[31m\n\n\ttab 🙂 é",
]


@pytest.fixture(scope="module")
def lm():
    """A small model that has learned a little: probabilities of all sizes."""
    dataset = LunsDataset(texts=TEXTS, vocab_size=300)
    model = LunsformterModel(dataset, dim=16, hidden_dim=32, num_layers=2, num_heads=2, seed=3)
    model.fit(epochs=60, verbose=False, lr=0.01)
    return model


def fresh():
    dataset = LunsDataset(texts=TEXTS, vocab_size=300)
    return LunsformterModel(dataset, dim=16, hidden_dim=32, num_layers=1, num_heads=2)


class Page(html.parser.HTMLParser):
    """Reads a page: its text, its tags; fails on tags that are closed in the wrong order."""

    VOID = {"br", "img", "input", "hr"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.words, self.attributes = [], [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.stack and self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack:
            self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def assert_harmless(text):
    """No element or attribute that could act, whatever was typed."""
    page = Page(text)
    assert not {"script", "img", "iframe", "object", "embed", "link"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on"), (name, value)
        assert not str(value).lower().startswith("javascript:")
    return page


def without_time(text):
    return re.sub(r"\d+ ms", "", text)


# --- the pure functions, at every position of the sliders ---------------------------------------


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
                assert nodes.count("chosen ") == len(views_decoding.tree_nodes(result))
            else:
                assert page.tags.count("tr") == 4


def test_playground_views_hold_every_candidate(lm):
    for candidates in (1, 2, 7, MAX_CANDIDATES):
        result = lm.insideout("good", 12, candidates)
        page = Page(playground_view({"m": lm}, "m", "good", candidates, 12, "arithmetic", "table"))
        for candidate in result.candidates:
            assert f"{candidate.score:.3f}" in page.text
            assert candidate.text.strip() in page.text


# --- the candidate tree -------------------------------------------------------------------------


def svg_of(page):
    """Return the page's first SVG as an XML tree: it must be well formed."""
    return ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.DOTALL)[0])


def test_tree_has_a_node_for_each_different_beginning(lm):
    for options in ({}, {"branch": "uncertain"}, {"branch": "uncertain", "certain": 0.2}):
        result = lm.insideout("once", 12, 6, **options)
        nodes = views_decoding.tree_nodes(result)
        starts = {tuple(c.token_ids[:t]) for c in result.candidates for t in range(1, 49)}
        starts = {s for s in starts if s}
        assert len(nodes) == len(starts)
        for node in nodes:
            parent = node["parent"]
            assert (parent is None) == (node["column"] == 0)
            if parent is not None:
                assert nodes[parent]["column"] == node["column"] - 1


def test_tree_shows_token_probability_and_alternatives(lm):
    result = lm.insideout("good", 12, 5)
    svg = svg_of(views_decoding.candidate_tree(result))
    targets = [g for g in svg.iter() if g.get("tabindex") == "0"]
    assert len(targets) == sum(len(c.token_ids) for c in result.candidates)
    labels = [g.get("aria-label") for g in targets]
    at = 0
    for row, candidate in enumerate(result.candidates):
        name = "best candidate" if row == 0 else f"candidate {row + 1}"
        for t, prob in enumerate(candidate.probs):
            assert labels[at].startswith(f"{name}, token {t + 1}: ")
            assert f"probability {prob:.2f}; strongest here: " in labels[at]
            for _, _, p in candidate.alternatives[t]:
                assert f"{p:.2f}" in labels[at].split("strongest here")[1]
            at += 1
    texts = [text.text for text in svg.iter("text")]
    assert "★ best" in texts and "5" in texts  # the winner by shape and word, the others by rank


def test_tree_boxes_do_not_overlap_and_popups_stay_inside(lm):
    for candidates, tokens in ((1, 1), (2, 3), (5, 12), (16, 48)):
        svg = svg_of(views_decoding.candidate_tree(lm.insideout("good", tokens, candidates)))
        width, height = float(svg.get("width")), float(svg.get("height"))
        rows = {}
        for target in [g for g in svg.iter("g") if g.get("tabindex")]:
            box = target.find("rect")
            x, y, w = (float(box.get(name)) for name in ("x", "y", "width"))
            rows.setdefault(y, []).append((x, x + w))
            popup = target.find("g/rect")
            left, top = float(popup.get("x")), float(popup.get("y"))
            assert 0 <= left and left + float(popup.get("width")) <= width
            assert 0 <= top and top + float(popup.get("height")) <= height
            assert top >= y + views_decoding.BOX or top + float(popup.get("height")) <= y
        for spans in rows.values():
            spans.sort()
            assert all(a[1] < b[0] for a, b in zip(spans, spans[1:], strict=False))


def test_tree_without_tokens_says_so(lm):
    assert "no token to draw" in views_decoding.candidate_tree(lm.insideout("good", 0))


# --- decoders side by side ----------------------------------------------------------------------


def test_comparison_shows_cost_and_marks_the_highest(lm):
    results = [
        lm.insideout("good", 10, 4, score="geometric"),
        lm.decode_with(greedy, "good", 10, score="geometric"),
        lm.decode_with(beam_search, "good", 10, num_beams=4, score="geometric"),
    ]
    html = views_decoding.comparison(results)
    rows = re.findall(r"<tr>(.*?)</tr>", html)[1:]
    best = max(result.best.score for result in results)
    for row, result in zip(rows, results, strict=True):
        text = Page(row).text
        assert text.startswith(f"{result.method}{result.best.score:.3f}{result.best.text.strip()}")
        assert ("★ highest" in text) == (result.best.score >= best - 1e-5)
        assert f"{result.forward_steps}{result.tokens_computed}" in text
    assert playground_view({"m": lm}, "m", "good", 4, 10, "geometric", "compare").endswith("</div>")


def test_a_prompt_that_is_too_long_is_announced(lm):
    with pytest.warns(UserWarning, match="only the last"):
        result = lm.insideout("good day " * 40, 12)
    assert result.dropped > 0
    note = views_decoding.too_long(result)
    assert f"has {len(result.prompt_ids)} tokens" in note
    assert f"last {len(result.prompt_ids) - result.dropped} are read" in note
    assert views_decoding.too_long(lm.insideout("good", 12)) == ""


def test_a_long_prompt_leaves_room_for_the_rest(lm):
    prompt = "once upon a time " * 100
    with pytest.warns(UserWarning, match="only the last"):
        result = lm.insideout(prompt, 6)
    assert len(Page(views_decoding.headline(result)).text) < 500
    assert "…" in views_decoding.headline(result) and "…" not in views_decoding.headline(
        lm.insideout("once upon a time", 6)
    )
    assert "are read" in views_decoding.race(result, 2)
    state = TrainingState(prompt=prompt, samples=[(1, prompt + "there"), (2, prompt + "was")])
    page = Page(views_model.training_view(state))
    assert len(page.text) < 900 and "there" in page.text and "was" in page.text
    ids = np.array(lm.tokenizer.encode(prompt, add_bos=True))
    page = attention_viewer(lm, prompt).page.value
    assert f"The text has {len(ids):,} tokens: the first 48 are shown." in page
    assert "are shown" not in attention_viewer(lm, "good day").page.value


# --- the race -----------------------------------------------------------------------------------


@pytest.mark.parametrize("score", SCORES)
def test_race_at_every_step(lm, score):
    result = lm.insideout("good", 12, 6, score=score)
    longest = max(len(c.token_ids) for c in result.candidates)
    for step in range(longest + 1):
        lanes = views_decoding.race_standing(result, step)
        starts = [result.candidates[lane["candidate"]].start_prob for lane in lanes]
        assert starts == sorted(starts, reverse=True)
        for lane in lanes:
            candidate = result.candidates[lane["candidate"]]
            seen = min(step, len(candidate.token_ids))
            assert lane["tokens"] == candidate.tokens[:seen]
            if seen:
                expected = candidate.running_scores(score)[seen - 1]
                assert lane["score"] == pytest.approx(expected)
        leaders = [lane for lane in lanes if lane["leads"]]
        assert len(leaders) == (1 if step else 0)
        if step:
            assert leaders[0]["score"] == max(lane["score"] for lane in lanes)
        page = Page(views_decoding.race(result, step))
        assert page.text.startswith(f"After {step} of {longest} tokens")
        assert ("★ wins" in page.text) == (step == longest)
        assert ("★ leads" in page.text) == (0 < step < longest)
    final = views_decoding.race_standing(result, longest)
    winner = next(lane for lane in final if lane["leads"])
    assert result.candidates[winner["candidate"]].score == result.best.score


def test_race_draws_scores_that_are_not_finite(lm):
    result = lm.insideout("good", 4, 3, score="sum")
    result.candidates[1].probs = np.zeros(len(result.candidates[1].probs))
    html = views_decoding.race(result, 4)
    assert "nan" not in html.lower().replace("-inf", "") and "<svg" in html


# --- tokens -------------------------------------------------------------------------------------


def test_tokens_at_every_number_of_merges(lm):
    tokenizer, text = lm.tokenizer, "good day, Tom é🙂\n  <b>"
    counts = []
    for merges in range(len(tokenizer.merges) + 1):
        pieces = views_model.token_pieces(tokenizer, text, merges)
        assert b"".join(piece["bytes"] for piece in pieces) == text.encode()
        counts.append(len(pieces))
        page = assert_harmless(views_model.tokens_view(tokenizer, text, merges))
        assert f"tokens{len(pieces)}bytes a token" in page.text
        assert page.tags.count("li") == len(pieces)
    assert counts[0] == len(text.encode()) and counts == sorted(counts, reverse=True)
    assert [piece["id"] for piece in pieces] == tokenizer.encode(text)


def test_tokens_of_nothing(lm):
    assert "type something" in Page(views_model.tokens_view(lm.tokenizer, "", 3)).text


def test_last_merge_is_named(lm):
    text = Page(views_model.tokens_view(lm.tokenizer, "good", 1)).text
    left, right = (lm.tokenizer.token_text(i) for i in lm.tokenizer.merges[0])
    assert f"Merge number 1 joins {left} and {right}." in text.replace("·", " ")
    assert "No merge yet" in Page(views_model.tokens_view(lm.tokenizer, "good", 0)).text


# --- attention ----------------------------------------------------------------------------------


def test_attention_weights_are_causal_and_sum_to_one(lm):
    ids = lm.tokenizer.encode("good day, how are you?", add_bos=True)
    weights = views_model.attention_weights(lm.model, ids)
    assert weights.shape == (2, 2, len(ids), len(ids))
    assert np.allclose(weights.sum(axis=-1), 1, atol=1e-5)
    assert not np.triu(weights, 1).any()


def test_attention_weights_are_those_the_model_uses(lm):
    """Only what a token can see by them changes its logits: here in layer 1, head by head."""
    ids = lm.tokenizer.encode("good day", add_bos=True)
    from lunsedu import layers

    weights = views_model.attention_weights(lm.model, ids)
    w = lm.model.named_parameters()
    x = w["embedding"][np.array([ids])]
    y, _ = layers.rmsnorm_forward(x, w["layers.0.attention_norm"], lm.model.config.norm_eps)
    q, k, _ = np.split(y @ w["layers.0.qkv"], 3, axis=-1)
    T, H, K = len(ids), 2, 8
    cos, sin = layers.rope_tables(T, K, lm.model.config.rope_theta)
    heads = [z.reshape(1, T, H, K).transpose(0, 2, 1, 3) for z in (q, k)]
    q, k = (layers.rope_forward(z, cos, sin) for z in heads)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(K) + layers.causal_mask(T, T)
    assert np.allclose(layers.softmax(scores)[0], weights[0], atol=1e-4)


def test_attention_at_every_layer_head_and_position(lm):
    ids = lm.tokenizer.encode("good day, how are you?", add_bos=True)
    tokens = [lm.tokenizer.token_text(i) for i in ids]
    weights = views_model.attention_weights(lm.model, ids)
    for layer in (1, 2):
        for head in (0, 1, 2):
            chosen = weights[layer - 1].mean(0) if head == 0 else weights[layer - 1, head - 1]
            for position in range(1, len(ids) + 1):
                html = views_model.attention_view(weights, tokens, layer, head, position)
                page = Page(html)
                row = chosen[position - 1]
                most = int(np.argmax(row))
                assert f"looks most at token {most + 1}," in page.text
                assert f"({100 * row[most]:.0f}%)" in page.text
                assert page.tags.count("li") == position
                assert page.tags.count("svg") == 2


def test_attention_of_a_long_text_draws_the_last_tokens():
    weights = np.tril(np.ones((1, 1, 40, 40))) / np.arange(1, 41)[:, None]
    html = views_model.attention_view(weights, ["t"] * 40, 1, 1, 40)
    svg = svg_of(html)
    frame = next(one for one in svg.iter("rect") if one.get("class") == "lu-frame")
    assert float(frame.get("width")) == views_model.MAX_TOKENS * views_model.CELL - 1
    assert 'class="lu-asks"' in views_model.attention_view(weights, ["t"] * 40, 1, 1, 40)


def test_attention_names_the_rows_once():
    weights = np.tril(np.ones((1, 3, 4, 4))) / np.arange(1, 5)[:, None]
    tokens = ["<b>", " cat", "a_very_long_token", "."]
    html = views_model.attention_view(weights, tokens, 1, 2, 3)
    svgs = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html)]
    names = [[text.text for text in svg.iter("text")] for svg in svgs]
    assert names == [["<b>", "·cat", "a_very_lo…", "."], [], []]
    bold = [text.text for text in svgs[0].iter("text") if text.get("font-weight")]
    assert bold == ["a_very_lo…"]  # the token that looks
    pale = [svg.find("g").get("opacity") is not None for svg in svgs]
    assert pale == [True, False, True]  # never the words


# --- training -----------------------------------------------------------------------------------


def test_thinned_losses_keep_mean_and_end():
    losses = list(np.random.default_rng(0).random(1001))
    points = views_model.thin_out(losses, 100)
    assert len(points) <= 100 and points[-1][0] == 1001
    sizes = np.diff([0] + [step for step, _ in points])
    assert np.average([loss for _, loss in points], weights=sizes) == pytest.approx(np.mean(losses))
    assert views_model.thin_out([]) == []


@pytest.mark.parametrize("status", views_model.STATUS)
def test_training_view_in_every_state(status):
    state = TrainingState(status=status, epochs=4, steps_per_epoch=2, floors={"floor": 0.5})
    text = Page(views_model.training_view(state)).text
    assert "will be drawn here" in text and "above the floor–" in text
    state.history = History([3.25, 1.75], [3.5, 2.5], step_loss=[4.0, 3.0, 2.0, 1.5])
    state.tokens_per_second, state.prompt = 12345.6, "<b>"
    state.samples = [(0, "<b>zz"), (2, "<b> hello")]
    html = views_model.training_view(state)
    page = assert_harmless(html)
    assert "epoch2 of 4" in page.text and "loss, nats a token1.750" in page.text
    assert "above the floor1.250" in page.text and "tokens a second12,346" in page.text
    assert page.text.index("<b> hello") < page.text.index("<b>zz")  # the newest on top
    label = svg_of(html).get("aria-label")
    assert label == (
        "Training loss: from 3.25 to 1.75 nats a token; validation loss 2.50; floor 0.50."
    )


def lines_of(html):
    """Return the (x, y) points of the lines of a chart, in the order in which they are drawn."""
    return [
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in svg_of(html).iter("polyline")
    ]


def test_training_view_draws_epochs_over_the_steps_of_this_training():
    history = History([4.0, 3.0, 2.0], [3.0], step_loss=[9.0, 9.0, 4.0, 2.0, 1.0])
    state = TrainingState(history=history, steps_per_epoch=2, first_epoch=1, first_step=2)
    steps, epochs, _ = lines_of(views_model.training_view(state))
    unit = steps[1][0] - steps[0][0]  # half an epoch to the right
    assert len(steps) == 3  # not those of earlier trainings
    # the third epoch was stopped in its middle, where the steps end
    assert epochs[1][0] - epochs[0][0] == pytest.approx(2 * unit, abs=0.2)
    assert epochs[2][0] == pytest.approx(steps[2][0], abs=0.2)
    assert epochs[1][0] == pytest.approx(steps[1][0], abs=0.2)
    assert epochs[0][1] < epochs[1][1] < epochs[2][1]  # y goes down the page


def test_training_view_before_the_first_epoch_ends():
    state = TrainingState(history=History(step_loss=[5.0, 4.0]), steps_per_epoch=9)
    html = views_model.training_view(state)
    assert "loss, nats a token–" in Page(html).text
    assert svg_of(html).get("aria-label") == "Loss of the steps: from 5.00 to 4.00 nats a token."


def test_losses_of_the_monitor_are_means_over_tokens():
    """One batch of many short texts, one of long ones: the mean over steps would be far off."""
    texts = ["ab"] * 32 + ["one two three four five six seven eight nine ten. " * 2] * 32
    lm = LunsformterModel(LunsDataset(texts=texts, vocab_size=280), dim=16, hidden_dim=32)
    monitor = training_monitor(lm, epochs=3, floor=0.25, lr=0.01)
    monitor.start()
    loss, steps = lm.history.train_loss[-1], np.mean(lm.history.step_loss[-2:])
    assert abs(loss - steps) > 0.01
    text = Page(monitor.page.value).text
    assert f"loss, nats a token{loss:.3f}above the floor{loss - 0.25:.3f}" in text
    first, last = lm.history.train_loss[0], loss
    said = f"from {first:.2f} to {last:.2f} nats a token"
    assert said in svg_of(monitor.page.value).get("aria-label")
    assert said in stills.training_picture(monitor.state).alt


def test_the_still_of_the_training_shows_validation_and_floor():
    history = History([3.0, 2.0], [2.5, 1.5], step_loss=[9.0, 9.0])
    state = TrainingState(history=history, floors={"floor": 1.0})
    assert stills.training_picture(state).alt == (
        "Training loss over 2 epochs: from 3.00 to 2.00 nats a token. Validation loss ends at"
        " 1.50, its best was 1.50 at epoch 2. Floor at 1.00."
    )


def test_unlearning_is_said():
    state = TrainingState(history=History(step_loss=[5.0, 2.0, 9.0]), epochs=3, steps_per_epoch=3)
    assert "rose from 2.00 to 9.00" in Page(views_model.training_view(state)).text
    state.history.step_loss = [5.0, 2.0, 2.5]
    assert "rose" not in Page(views_model.training_view(state)).text


# --- charts, errors, escaping -------------------------------------------------------------------


def test_line_chart_places_points_by_value():
    points = [(0, 0.0), (5, 1.0), (10, 0.5)]
    svg = svg_of(
        views.line_chart([dict(points=points, name="a")], "A chart", floor={"floor": 0.25})
    )
    assert svg.get("role") == "img" and svg.get("aria-label") == "A chart"
    line = svg.find("polyline").get("points")
    (x0, y0), (x1, y1), (x2, y2) = [map(float, p.split(",")) for p in line.split()]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y2 == pytest.approx(y2 - y1, abs=0.2) and y1 < y2 < y0
    dashed = next(one for one in svg.iter("line") if one.get("stroke-dasharray"))
    assert float(dashed.get("y1")) == pytest.approx((y0 + y2) / 2, abs=0.2)
    assert views.line_chart([], "nothing") == ""


def test_line_chart_labels_do_not_overlap():
    series = [dict(points=[(0, 1.0), (1, 0.5 + i / 1000)], name=f"s{i}") for i in range(8)]
    svg = svg_of(views.line_chart(series, "c"))
    ys = sorted(float(t.get("y")) for t in svg.iter("text") if t.text.startswith("s"))
    assert min(np.diff(ys)) >= 14.9 and 0 < ys[0] and ys[-1] < 220


@pytest.mark.parametrize("name", ["a", "single steps 0.53", "floor of a small model"])
def test_line_chart_leaves_room_for_its_names(name):
    chart = views.line_chart([dict(points=[(0, 1.0), (1, 0.5)], name=name)], "c", floor={name: 0.1})
    svg = svg_of(chart)
    for text in [t for t in svg.iter("text") if t.text.startswith(name)]:
        assert float(text.get("x")) + 7.5 * len(text.text) <= float(svg.get("width"))


def test_what_may_be_too_wide_scrolls_and_takes_focus(lm):
    results = [lm.insideout("good", 4, 2)]
    for shown in (
        views.line_chart([dict(points=[(0, 1.0)])], "c"),
        views_decoding.candidate_tree(results[0]),
        views_decoding.comparison(results),
    ):
        frame = re.search(
            r'<div class="lu-scroll" tabindex="0" role="group" aria-label="(.*?)"', shown
        )
        assert "scrolls" in frame[1]


def test_no_letter_is_smaller_than_twelve_pixels(lm):
    """Small print can't be read from the last row of a classroom."""
    result = lm.insideout("good", 6, 3)
    state = TrainingState(history=History([3.0, 2.0], step_loss=[4.0, 3.0]), floors={"floor": 1.0})
    weights = np.ones((1, 2, 3, 3)) / 3
    for shown in (
        CONTROLS_STYLE,
        views_decoding.candidate_tree(result),
        views_decoding.comparison([result]),
        views_decoding.race(result, 3),
        views_model.tokens_view(lm.tokenizer, "good", 9),
        views_model.attention_view(weights, ["a", "b", "c"], 1, 1, 2),
        views_model.training_view(state),
    ):
        sizes = [float(size) for size in re.findall(r'font(?:-size="|-size: |: )([\d.]+)', shown)]
        assert min(sizes, default=12) >= 12
    # the ranked table is the Result's own, and sets 10 pixels where there is no page around it
    assert ".lunsedu-token > span" in CONTROLS_STYLE and "12px !important" in CONTROLS_STYLE


@pytest.mark.parametrize("low, high", [(0, 1), (0, 6.3), (-30, 0), (0, 0), (0, 1e-3), (0, 250)])
def test_ticks_are_few_round_and_cover(low, high):
    ticks = views._ticks(low, high)
    assert 2 <= len(ticks) <= 8 and ticks == sorted(set(ticks))
    assert ticks[0] <= low and ticks[-1] >= high - 1e-9


def test_error_view_is_one_sentence_with_the_rest_folded():
    try:
        raise ValueError("the prompt <b>is</b> bad")
    except ValueError as error:
        page = assert_harmless(views.error_view(error))
    head, folded = page.text.split("Where it happened")
    assert head == "⚠ Error: the prompt <b>is</b> bad"
    assert "Traceback" in folded and "test_error_view" in folded
    assert page.tags.index("details") > 0
    for error in (KeyError("x"), RuntimeError(), ZeroDivisionError("a")):
        assert Page(views.error_view(error)).text.startswith(
            f"⚠ Error: this did not work ({type(error).__name__}"
        )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_everywhere(lm, text):
    result = lm.insideout(text, 6, 3)
    for candidate in result.candidates:
        candidate.text, candidate.tokens = text, [text] * len(candidate.tokens)
        candidate.alternatives = [[(1, text, 0.5)]] * len(candidate.tokens)
    history = History([1.0], step_loss=[1.0])
    state = TrainingState(history=history, prompt=text, samples=[(1, text)], floors={text: 0.1})
    weights = np.ones((1, 1, 2, 2)) / 2
    pages = [
        views_decoding.candidate_tree(result),
        views_decoding.comparison([result]),
        views_decoding.headline(result),
        views_decoding.race(result, 3),
        views_model.tokens_view(lm.tokenizer, text, 5),
        views_model.attention_view(weights, [text, text], 1, 0, 2),
        views_model.training_view(state),
        views.note_view(text),
        views.error_view(ValueError(text)),
        *(playground_view({"m": lm}, "m", text, 3, 6, "sum", show) for _, show in SHOW),
    ]
    for page in pages:
        assert_harmless(page)
        for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
            ElementTree.fromstring(svg)
    assert views.safe("a\x00") != "a\x00"
    for picture in (
        stills.candidates_picture(result),
        stills.race_picture(result, 3),
        stills.tokens_picture(lm.tokenizer, text, 5),
    ):
        assert picture.png.startswith(b"\x89PNG")


def test_shown_as_typed(lm):
    for text in HOSTILE[:4]:
        assert text in Page(playground_view({"m": lm}, "m", text, 3, 6, "sum", "table")).text


# --- colours and motion -------------------------------------------------------------------------


def colours(theme):
    """Return {name: hex} of the style's variables in a theme, with JupyterLab's own colours."""
    light, dark = re.findall(r"\.lunsedu \{ (--lu-.*?) \}", views.STYLE, re.DOTALL)
    found = dict(re.findall(r"--lu-(\w+): (#\w{6})", light))
    found |= {"ink": "#212121", "paper": "#ffffff", "soft": "#eeeeee"}
    if theme == "dark":
        found |= dict(re.findall(r"--lu-(\w+): (#\w{6})", dark))
        found |= {"ink": "#e0e0e0", "paper": "#111111", "soft": "#424242"}
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(theme):
    c = colours(theme)
    for text, ground in (("ink", "paper"), ("ink", "soft"), ("quiet", "paper"), ("quiet", "soft")):
        assert contrast(c[text], c[ground]) >= 4.5, (text, ground)
    for mark in ("blue", "red", "green", "grey"):  # bars, lines and frames
        assert contrast(c[mark], c["paper"]) >= 3, mark
    assert contrast("#ffffff", "#0072b2") >= 4.5  # the winner's badge


def test_motion_stops_for_those_who_ask():
    animated = re.findall(r"\.(lu-[\w-]+) \{ animation: [^n]", views.STYLE)
    assert animated == ["lu-new"]
    reduced = views.STYLE.split("prefers-reduced-motion: reduce")[1]
    assert ".lu-new { animation: none; }" in reduced
    sources = inspect.getsource(views_decoding) + inspect.getsource(views_model)
    assert "animation" not in sources and "transition" not in CONTROLS_STYLE


# --- the shells ---------------------------------------------------------------------------------


def shells(lm):
    return {
        "playground": playground(lm),
        "race": insideout_race(lm, "good"),
        "tokens": tokenizer_explorer(lm.tokenizer),
        "attention": attention_viewer(lm),
        "monitor": training_monitor(fresh(), epochs=2),
    }


def sliders_of(shell):
    return {n: c for n, c in shell.controls.items() if isinstance(c, ipywidgets.IntSlider)}


def test_every_shell_shows_what_its_view_says(lm):
    for name, shell in shells(lm).items():
        assert without_time(shell.page.value) == without_time(shell.view(**shell.values)), name
        assert shell.notice.value == ""


def test_sliders_set_one_by_one_show_on_the_page(lm):
    for name in ("race", "tokens", "attention"):
        shell = shells(lm)[name]
        for control in sliders_of(shell).values():
            for value in range(control.min, control.max + 1):
                control.value = value
                assert shell.page.value == shell.view(**shell.values)
    shell = playground(lm)
    for control in sliders_of(shell).values():
        for value in (control.min, control.min + 1, control.max):
            control.value = value
            page = shell.view(**shell.values)
            assert without_time(shell.page.value) == without_time(page)
            assert shell.notice.value == ""


def test_buttons_and_text_show_on_the_page(lm):
    shell = playground(lm)
    seen = set()
    for _, show in SHOW:
        for score in SCORES:
            shell.controls["show"].value, shell.controls["score"].value = show, score
            seen.add(without_time(shell.page.value))
            assert f"{score} score" in Page(shell.page.value).text or show == "tree"
    assert len(seen) > 6
    shell.controls["prompt"].value = "how are"
    assert "how are" in Page(shell.page.value).text


def test_every_slider_has_a_box_with_a_label_that_follows(lm):
    for shell in shells(lm).values():
        for control in sliders_of(shell).values():
            pair = next(
                box
                for row in shell.children
                if isinstance(row, ipywidgets.HBox)
                for box in row.children
                if isinstance(box, ipywidgets.HBox) and control in box.children
            )
            number = pair.children[0]
            assert number.description == control.description != ""
            assert (number.min, number.max) == (control.min, control.max)
            number.value = control.max
            assert control.value == control.max
            control.value = control.min
            assert number.value == control.min


def test_every_control_has_a_visible_label(lm):
    def leaves(widget):
        if isinstance(widget, ipywidgets.Box):
            for child in widget.children:
                yield from leaves(child)
        elif not isinstance(widget, ipywidgets.HTML):
            yield widget

    for shell in shells(lm).values():
        for widget in leaves(shell):
            assert widget.description.strip(), widget
            assert not isinstance(widget, (ipywidgets.Dropdown, ipywidgets.Output))


def test_set_moves_several_controls_and_draws_once(lm):
    calls = []

    def view(a, b):
        calls.append((a, b))
        return f"{a} {b}"

    controls = {"a": slider("a", 1, 0, 9)[0], "b": slider("b", 1, 0, 9)[0]}
    shell = Shell(controls, [], view, None)
    shell.set(a=5, b=6)
    assert calls == [(1, 1), (5, 6)] and shell.page.value == "5 6"
    controls["a"].value = 5  # no change, no work
    assert len(calls) == 2
    with pytest.raises(ValueError, match="no control 'c': a, b"):
        shell.set(c=1)


def test_nothing_stale_is_computed_while_work_goes_on():
    """Twenty moves arrive while the first one is being shown: one page more, for the last."""
    calls, begun, go_on = [], threading.Event(), threading.Event()

    def view(a):
        calls.append(a)
        if a == 1:
            begun.set()
            assert go_on.wait(10)
        return str(a)

    control = slider("a", 0, 0, 30)[0]
    shell = Shell({"a": control}, [], view, None)
    first = threading.Thread(target=lambda: setattr(control, "value", 1))
    first.start()
    assert begun.wait(10)
    others = [
        threading.Thread(target=lambda v=v: setattr(control, "value", v)) for v in range(2, 22)
    ]
    for thread in others:
        thread.start()
    for _ in range(1000):
        if control.value == 21:
            break
        threading.Event().wait(0.005)
    go_on.set()
    for thread in [first, *others]:
        thread.join(10)
    assert calls[:2] == [0, 1]
    assert calls[-1] == control.value and shell.page.value == str(control.value)
    assert len(calls) <= 4  # not one for each of the twenty


def test_errors_show_on_the_page_and_go_away():
    def view(n):
        if n == 3:
            raise ValueError("three is <no> number for this")
        return f"page {n}"

    control = slider("n", 1, 0, 9)[0]
    shell = Shell({"n": control}, [], view, None)
    control.value = 3
    assert shell.page.value == ""
    assert "three is <no> number" in assert_harmless(shell.notice.value).text
    control.value = 4
    assert (shell.notice.value, shell.page.value) == ("", "page 4")


def test_an_interrupt_leaves_a_usable_widget():
    def view(n):
        if n == 3:
            raise KeyboardInterrupt
        return f"page {n}"

    control = slider("n", 1, 0, 9)[0]
    shell = Shell({"n": control}, [], view, None)
    control.value = 3
    assert "Interrupted" in shell.notice.value
    control.value = 5
    assert shell.page.value == "page 5"


def test_a_button_that_fails_says_so(lm, tmp_path):
    shell = playground(lm)
    shell.path.value = str(tmp_path / "nothing")
    shell.opener.click()
    assert "nothing" in Page(shell.notice.value).text
    assert "Traceback" in Page(shell.notice.value).text


# --- which model --------------------------------------------------------------------------------


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


# --- pages without a kernel ---------------------------------------------------------------------


def test_static_view(lm):
    for name, shell in shells(lm).items():
        data, metadata = shell._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in data, name
        assert "text/html" not in data
        alt, how = data["text/plain"].rsplit("\n", 1)
        assert how == stills.HOW_TO_RUN
        assert metadata["image/png"]["alt"] == alt and len(alt.split()) > 5


def test_static_view_of_the_playground_describes_its_data(lm):
    result = lm.insideout("good day", 12, 5)
    alt = playground(lm)._repr_mimebundle_()[1]["image/png"]["alt"]
    assert alt.startswith(
        f"InsideOut after 'good day': 5 candidates by arithmetic score; best {result.best.text!r},"
        f" {result.best.score:.2f}"
    )


def test_static_view_survives_an_error(lm):
    def broken(**values):
        raise ValueError("cannot be drawn")

    shell = Shell({"n": slider("n", 1, 0, 9)[0]}, [], broken, broken)
    data, _ = shell._repr_mimebundle_()
    assert data["text/plain"].startswith("cannot be drawn")


def test_displays_names_for_sliders_only_in_jupyter(lm, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    shell = tokenizer_explorer(lm.tokenizer)
    shell._ipython_display_()
    assert len(shown) == 1 and "image/png" in shown[0]
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    shell._ipython_display_()
    assert shown[-1]["application/javascript"] == NAMES


def test_stills_of_all_sizes(lm):
    for candidates, tokens in ((1, 1), (3, 48), (16, 12)):
        picture = stills.candidates_picture(lm.insideout("good", tokens, candidates))
        assert picture.png.startswith(b"\x89PNG")
    assert stills.candidates_picture(lm.insideout("", 5)).alt.startswith("InsideOut without a")


# --- training monitor ---------------------------------------------------------------------------


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_monitor_without_a_loop_trains_to_the_end():
    lm = fresh()
    monitor = training_monitor(lm, epochs=3, floor=0.5, prompt="good", lr=0.01)
    assert monitor.state.status == "ready" and not monitor.start_button.disabled
    monitor.start_button.click()
    assert monitor.state.status == "done" and lm.history.epochs == 3
    page = Page(monitor.page.value)
    assert "epoch3 of 3" in page.text and "Done." in page.text
    assert monitor.state.tokens_per_second > 0
    assert [epoch for epoch, _ in monitor.state.samples] == [0, 3]
    assert monitor.state.samples[-1][1] == lm.generate("good", 12)


def test_monitor_trains_as_fit_does():
    by_hand, watched = fresh(), fresh()
    by_hand.fit(epochs=4, verbose=False, lr=0.005)
    training_monitor(watched, epochs=4, lr=0.005).start()
    assert np.array_equal(by_hand.model.parameters, watched.model.parameters)
    assert watched.history.step_loss == by_hand.history.step_loss


def test_monitor_leaves_the_loop_to_others():
    lm = fresh()
    monitor = training_monitor(lm, epochs=10_000)

    async def use():
        monitor.start()
        assert monitor.state.status == "training"
        assert monitor.start_button.disabled and not monitor.stop_button.disabled
        monitor.start()  # once is enough
        while len(lm.history.step_loss) < 5:
            await asyncio.sleep(0.01)  # returns, so others get their turn
        monitor.pause_button.click()
        assert monitor.pause_button.description == "Resume"
        await asyncio.sleep(0.1)
        paused = len(lm.history.step_loss)
        await asyncio.sleep(0.1)
        assert len(lm.history.step_loss) == paused
        monitor.pause_button.click()
        while len(lm.history.step_loss) < paused + 5:
            await asyncio.sleep(0.01)
        monitor.stop_button.click()
        await monitor.wait()

    run(use())
    assert monitor.state.status == "stopped"
    assert "What was learned is kept" in Page(monitor.page.value).text
    assert lm.history.events[-1] == (lm.history.epochs, "stopped")
    assert lm.history.epochs < 10_000
    assert lm.generate("good", 3).startswith("good")


def test_monitor_stops_when_asked_from_another_thread():
    lm = fresh()
    monitor = training_monitor(lm, epochs=10_000)

    async def use():
        monitor.start()
        await asyncio.sleep(0.05)
        await asyncio.to_thread(monitor.stop_button.click)
        await monitor.wait()

    run(use())
    assert monitor.state.status == "stopped" and monitor.notice.value == ""


def test_monitor_starts_again_after_stop_or_end():
    lm = fresh()
    monitor = training_monitor(lm, epochs=2)
    monitor.start()
    monitor.start()
    assert lm.history.epochs == 4 and "epoch4 of 4" in Page(monitor.page.value).text


def test_samples_come_while_it_trains_and_the_last_ones_stay(monkeypatch):
    for name in ("SLICE", "REST", "REDRAW", "SAMPLE"):
        monkeypatch.setattr(f"lunsedu.monitor.{name}", 0.0)
    monitor = training_monitor(fresh(), epochs=9, prompt="good")
    monitor.start()
    epochs = [epoch for epoch, _ in monitor.state.samples]
    assert epochs == [5, 6, 7, 8, 9]
    assert "9" in re.findall(r"<td[^>]*>(\d+)</td>", monitor.page.value)


def test_pausing_or_stopping_at_rest_does_nothing():
    monitor = training_monitor(fresh(), epochs=2)
    monitor.pause()
    monitor.stop()
    assert monitor.state.status == "ready"
    assert monitor.pause_button.disabled and monitor.stop_button.disabled


def test_two_monitors_do_not_train_one_model():
    lm = fresh()
    first, second = training_monitor(lm, 10_000), training_monitor(lm, 10_000)

    async def use():
        first.start()
        second.start_button.click()
        assert "another monitor trains this model" in Page(second.notice.value).text
        assert second.state.status == "ready"
        first.stop()
        await first.wait()
        second.start_button.click()
        assert second.state.status == "training" and second.notice.value == ""
        second.stop()
        await second.wait()

    run(use())


def test_monitor_shows_errors_of_settings_and_of_training(monkeypatch):
    monitor = training_monitor(fresh(), epochs=2, colour="red")
    monitor.start_button.click()
    assert "'colour' is no setting of fit()" in Page(monitor.notice.value).text
    assert monitor.state.status == "ready"

    lm = fresh()
    monitor = training_monitor(lm, epochs=2)
    monkeypatch.setattr(lm.model, "loss_and_gradient", lambda *a, **k: (np.nan, np.ones(9)))
    monkeypatch.setattr("lunsedu.training.clip_gradient", lambda *a: np.nan)
    monitor.start_button.click()
    assert monitor.state.status == "failed" and not monitor.start_button.disabled
    assert "the loss became nan" in Page(monitor.notice.value).text


def test_monitor_needs_data_and_epochs(lm):
    with pytest.raises(ValueError, match="no data to learn from"):
        training_monitor(LunsformterModel.from_parts(lm.model, lm.tokenizer))
    with pytest.raises(ValueError, match="whole number"):
        training_monitor(fresh(), epochs=-1)


def test_a_new_prompt_begins_new_samples():
    monitor = training_monitor(fresh(), epochs=1, prompt="good")
    monitor.start()
    assert len(monitor.state.samples) == 2
    monitor.controls["prompt"].value = "how"
    assert monitor.state.prompt == "how" and monitor.state.samples == []


def test_interrupt_key_stops_the_training():
    """Jupyter's stop button sends SIGINT; seen in a process of its own."""
    code = """
import os, signal, threading
from lunsedu import LunsDataset, LunsformterModel
from lunsedu.widgets import training_monitor
lm = LunsformterModel(LunsDataset(texts=["good day", "good night"] * 3), dim=16, hidden_dim=32)
monitor = training_monitor(lm, epochs=1_000_000)
steps = lm.train_steps
def interrupted(*args, **settings):
    for i, loss in enumerate(steps(*args, **settings)):
        if i == 20:
            os.kill(os.getpid(), signal.SIGINT)
        yield loss
lm.train_steps = interrupted
monitor.start()
print(monitor.state.status, len(lm.history.step_loss) < 10_000)
"""
    if os.name == "nt":
        pytest.skip("Windows has no SIGINT for another process")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["stopped", "True"], done.stderr


# --- small parts --------------------------------------------------------------------------------


def test_controls_clip_and_choose():
    assert slider("n", 99, 0, 9)[0].value == 9
    assert choice("c", [("a", 1), ("b", 2)], 2).value == 2
    assert isinstance(text_box("t", "", rows=3), ipywidgets.Textarea)


def test_shorten_keeps_the_end():
    assert views.shorten("abcdef", 6) == "abcdef"
    assert views.shorten("abcdefg", 4) == "…efg"


def test_names_are_public():
    for name in lunsedu_widgets.__all__:
        function = getattr(lunsedu_widgets, name)
        assert callable(function) and function.__doc__
