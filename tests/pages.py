"""What tests of pages and widgets share: texts, a page that is read strictly, all the shells."""

import html.parser
import re
import xml.etree.ElementTree as ElementTree

import ipywidgets

from lunsedu import LunsDataset, LunsformterModel
from lunsedu.adapters import LowRank
from lunsedu.widgets import (
    adapter_switch,
    attention_viewer,
    insideout_race,
    patching_grid,
    playground,
    reward_monitor,
    tokenizer_explorer,
    training_monitor,
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
PATCHED = ("t good day", "h good day")  # as many tokens each, and another answer


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


def svg_of(page):
    """Return the page's first SVG as an XML tree: it must be well formed."""
    return ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.DOTALL)[0])


def lines_of(html):
    """Return the (x, y) points of the lines of a chart, in the order in which they are drawn."""
    return [
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in svg_of(html).iter("polyline")
    ]


def adapters_for(lm):
    """Two adapters that do change the model: their B is not 0."""
    made = {}
    for seed, name in enumerate(("sea", "<b>land</b>")):
        made[name] = LowRank(lm.model, rank=2, seed=seed)
        for a, b in made[name].factors().values():
            b[:] = 0.5 * a.T[:, :1]
    return made


def shells(lm):
    return {
        "switch": adapter_switch(lm, adapters_for(lm), "good"),
        "patching": patching_grid(lm, *PATCHED),
        "playground": playground(lm),
        "race": insideout_race(lm, "good"),
        "tokens": tokenizer_explorer(lm.tokenizer),
        "attention": attention_viewer(lm),
        "monitor": training_monitor(fresh(), epochs=2),
        "rewards": reward_monitor(fresh(), ["good"], len, steps=2, samples=2),
    }


def sliders_of(shell):
    return {n: c for n, c in shell.controls.items() if isinstance(c, ipywidgets.IntSlider)}
