"""Charts, errors, escaping, colours and motion: what all pages share."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from colours import contrast
from pages import HOSTILE, Page, assert_harmless, svg_of

import lunsedu.display as display
from lunsedu.display import stills
from lunsedu.display.attention import attention_view
from lunsedu.display.html_page import STYLE, error_view, note_view
from lunsedu.display.line_chart import line_chart, ticks
from lunsedu.display.race_page import race
from lunsedu.display.tokens import tokens_view
from lunsedu.display.training import training_view
from lunsedu.display.tree import candidate_tree
from lunsedu.display.winners import comparison, headline
from lunsedu.looks import safe
from lunsedu.training import History, TrainingState
from lunsedu.widgets.controls import CONTROLS_STYLE
from lunsedu.widgets.widgets import SHOW, playground_view


def test_line_chart_places_points_by_value():
    points = [(0, 0.0), (5, 1.0), (10, 0.5)]
    svg = svg_of(line_chart([dict(points=points, name="a")], "A chart", floor={"floor": 0.25}))
    assert svg.get("role") == "img" and svg.get("aria-label") == "A chart"
    line = svg.find("polyline").get("points")
    (x0, y0), (x1, y1), (x2, y2) = [map(float, p.split(",")) for p in line.split()]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y2 == pytest.approx(y2 - y1, abs=0.2) and y1 < y2 < y0
    dashed = next(one for one in svg.iter("line") if one.get("stroke-dasharray"))
    assert float(dashed.get("y1")) == pytest.approx((y0 + y2) / 2, abs=0.2)
    assert line_chart([], "nothing") == ""


def test_line_chart_labels_do_not_overlap():
    series = [dict(points=[(0, 1.0), (1, 0.5 + i / 1000)], name=f"s{i}") for i in range(8)]
    svg = svg_of(line_chart(series, "c"))
    ys = sorted(float(t.get("y")) for t in svg.iter("text") if t.text.startswith("s"))
    assert min(np.diff(ys)) >= 14.9 and 0 < ys[0] and ys[-1] < 220


@pytest.mark.parametrize("name", ["a", "single steps 0.53", "floor of a small model"])
def test_line_chart_leaves_room_for_its_names(name):
    chart = line_chart([dict(points=[(0, 1.0), (1, 0.5)], name=name)], "c", floor={name: 0.1})
    svg = svg_of(chart)
    for text in [t for t in svg.iter("text") if t.text.startswith(name)]:
        assert float(text.get("x")) + 7.5 * len(text.text) <= float(svg.get("width"))


def test_what_may_be_too_wide_scrolls_and_takes_focus(lm):
    results = [lm.insideout("good", 4, 2)]
    for shown in (
        line_chart([dict(points=[(0, 1.0)])], "c"),
        candidate_tree(results[0]),
        comparison(results),
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
        candidate_tree(result),
        comparison([result]),
        race(result, 3),
        tokens_view(lm.tokenizer, "good", 9),
        attention_view(weights, ["a", "b", "c"], 1, 1, 2),
        training_view(state),
    ):
        sizes = [float(size) for size in re.findall(r'font(?:-size="|-size: |: )([\d.]+)', shown)]
        assert min(sizes, default=12) >= 12
    # the ranked table is the Result's own, and sets 10 pixels where there is no page around it
    assert ".lunsedu-token > span" in CONTROLS_STYLE and "12px !important" in CONTROLS_STYLE


@pytest.mark.parametrize("low, high", [(0, 1), (0, 6.3), (-30, 0), (0, 0), (0, 1e-3), (0, 250)])
def test_ticks_are_few_round_and_cover(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 8 and found == sorted(set(found))
    assert found[0] <= low and found[-1] >= high - 1e-9


def test_error_view_is_one_sentence_with_the_rest_folded():
    try:
        raise ValueError("the prompt <b>is</b> bad")
    except ValueError as error:
        page = assert_harmless(error_view(error))
    head, folded = page.text.split("Where it happened")
    assert head == "⚠ Error: the prompt <b>is</b> bad"
    assert "Traceback" in folded and "test_error_view" in folded
    assert page.tags.index("details") > 0
    for error in (KeyError("x"), RuntimeError(), ZeroDivisionError("a")):
        assert Page(error_view(error)).text.startswith(
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
        candidate_tree(result),
        comparison([result]),
        headline(result),
        race(result, 3),
        tokens_view(lm.tokenizer, text, 5),
        attention_view(weights, [text, text], 1, 0, 2),
        training_view(state),
        note_view(text),
        error_view(ValueError(text)),
        *(playground_view({"m": lm}, "m", text, 3, 6, "sum", show) for _, show in SHOW),
    ]
    for page in pages:
        assert_harmless(page)
        for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
            ElementTree.fromstring(svg)
    assert safe("a\x00") != "a\x00"
    for picture in (
        stills.candidates_picture(result),
        stills.race_picture(result, 3),
        stills.tokens_picture(lm.tokenizer, text, 5),
    ):
        assert picture.png.startswith(b"\x89PNG")


def test_shown_as_typed(lm):
    for text in HOSTILE[:4]:
        assert text in Page(playground_view({"m": lm}, "m", text, 3, 6, "sum", "table")).text


def colours(theme):
    """Return {name: hex} of the style's variables in a theme, with JupyterLab's own colours."""
    light, dark = re.findall(r"\.lunsedu \{ (--lu-.*?) \}", STYLE, re.DOTALL)
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
    animated = re.findall(r"\.(lu-[\w-]+) \{ animation: [^n]", STYLE)
    assert animated == ["lu-new"]
    reduced = STYLE.split("prefers-reduced-motion: reduce")[1]
    assert ".lu-new { animation: none; }" in reduced
    modules = [module for module in Path(display.__path__[0]).glob("*.py")]
    sources = "".join(m.read_text("utf-8") for m in modules if m.name != "html_page.py")
    assert len(modules) > 8
    assert "animation" not in sources and "transition" not in CONTROLS_STYLE
