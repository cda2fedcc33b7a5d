"""The glossary has every term that a lesson sets in bold, and lessons link to it at that place."""

import json
import re

import pytest
from lesson_rules import ROOT

NOTEBOOKS = ROOT / "notebooks"
GLOSSARY = (NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^### (.+)$", GLOSSARY, flags=re.MULTILINE)
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
# Set in bold for weight and not as a term: rules, results, names of buttons and of sections.
WEIGHT = re.compile(
    r"Predict|What you|Time|Mistake|By hand|.*[.:?=]$|.*[=\\[\]≤·−]|\d+$|Start|direct|distance"
    r"|Expand|Rare words|The mask"
    r"|Score|candidates|show|steps|plain|loading fulfils it|small program|aloud"
    r"|the lower pair of ids wins|space belongs to the word behind it"
    r"|in the order in which they were learned|never load a pickle from somebody you don't trust"
    r"|A (folder|GGUF file) for .*|Install first|held out|tokens"
)


def markdown(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def anchor(term):
    return re.sub(r"[^\w -]", "", term.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
def test_every_term_in_bold_is_in_the_glossary(path):
    known = {term.lower() for term in TERMS}
    bold = re.findall(r"(?<!\w)\*\*([^*\n|]{2,60}?)\*\*(?!\w)", markdown(path))
    terms = [term for term in bold if not WEIGHT.match(term)]
    missing = [t for t in terms if t.lower() not in known and t.lower().rstrip("s") not in known]
    assert missing == []


def test_terms_stand_in_alphabetical_order_and_once():
    assert TERMS == sorted(TERMS, key=str.lower) and len(set(TERMS)) == len(TERMS) > 60


@pytest.mark.parametrize("term", TERMS)
def test_each_term_is_explained_in_few_sentences_with_its_place(term):
    text = GLOSSARY.split(f"### {term}\n\n")[1].split("\n\n")[0]
    assert len(re.findall(r"[.!?)](?: |$)", text)) <= 5
    lesson = re.search(r"First met in \[.*?\]\((\w+\.ipynb)\)\.$", text)[1]
    assert (NOTEBOOKS / lesson).is_file()
    assert f"](GLOSSARY.md#{anchor(term)})" in markdown(NOTEBOOKS / lesson), lesson


def test_links_to_the_glossary_lead_to_a_term():
    anchors = {anchor(term) for term in TERMS}
    for path in LESSONS:
        for found in re.findall(r"GLOSSARY\.md#([^)]*)\)", markdown(path)):
            assert found in anchors, (path.name, found)


def test_the_letters_of_shapes_are_there():
    table = GLOSSARY.split("## Letters of shapes")[1]
    assert set(re.findall(r"^\| ([A-Z]) \|", table, re.MULTILINE)) >= set("BTDHKGFV")
