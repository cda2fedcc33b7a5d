"""The lessons keep their form and do not drift from the package; and the rules catch who does."""

import copy
import json

import lesson_drift
import lesson_rules as rules
import pytest

from lunsedu import layers

LESSONS = sorted(path.name for path in rules.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
PACKAGE = lesson_drift.package_definitions()


def read(name):
    return json.loads((rules.NOTEBOOKS / name).read_text(encoding="utf-8"))


# --- the lessons ----------------------------------------------------------------------------------


def test_lessons_are_those_of_the_course():
    assert LESSONS == rules.COURSE


@pytest.mark.parametrize("name", LESSONS)
def test_form(name):
    assert rules.form_problems(read(name), name) == []


@pytest.mark.parametrize("name", LESSONS)
def test_no_drift(name):
    assert lesson_drift.drift_problems(read(name), PACKAGE) == []


@pytest.mark.parametrize(
    ("lesson", "half"), [("03_model.ipynb", "forward"), ("04_backpropagation.ipynb", "backward")]
)
def test_every_layer_is_taught(lesson, half):
    names = {name for name in vars(layers) if name.endswith("_" + half)}
    assert len(names) >= 6
    missing = names - lesson_drift.taught(read(lesson))
    assert missing == set()


# --- a sound notebook, and broken ones ------------------------------------------------------------

OPENING = """# 3. A title

| | |
|---|---|
| **What you will do** | a |
| **What you will learn** | b |
| **What you need** | c |
| **Time** | about 5 minutes to read, 3 seconds to run, peak memory 90 MB |

Previous: [2](02_predicting_by_counting.ipynb) · Next: [4](04_backpropagation.ipynb)"""

ENDING = """## Recap

- All is well.

## Test yourself

1. One?

<details><summary>Answer</summary>

Yes.

</details>

2. Two?

<details><summary>Answer</summary>

Yes.

</details>

3. Three?

<details><summary>Answer</summary>

Yes.

</details>

## What the package adds

More.

Previous: [2](02_predicting_by_counting.ipynb) · Next: [4](04_backpropagation.ipynb)"""

PICTURE = {
    "output_type": "execute_result",
    "data": {"image/png": "AAAA", "text/plain": ["A line falls from 3 to 1."]},
}


def markdown(text):
    return {"cell_type": "markdown", "source": [text]}


def code(text, outputs=()):
    return {"cell_type": "code", "source": [text], "outputs": list(outputs)}


def notebook(*middle):
    """A sound notebook of 46 cells or more, with these cells in its middle."""
    filler = [markdown("## Idea\n\n**Predict:** what is 2 + 2?"), code("print(2 + 2)")] * 22
    parts = [markdown(OPENING), *filler, *middle, markdown(ENDING)]
    made = {
        "cells": [copy.deepcopy(cell) for cell in parts]
    }  # a copy of each, also of repeated ones
    for number, cell in enumerate(rules.cells(made, "code"), 1):
        cell["execution_count"] = number
    return made


def form(*middle):
    return rules.form_problems(notebook(*middle), "03_model.ipynb")


def test_a_sound_notebook_has_no_problem():
    sound = [
        code("import numpy as np\n\nx = np.zeros((2, 3))  # [B, D]"),
        code("y = rng.standard_normal((2, 3)) * 4  # [B, D]\nn = rng.integers(3, 9)"),
        code("z = np.arange(6).reshape(\n    2, 3  # [B, D]\n)"),
        code("plots.show(figure, alt='A line falls.')", [PICTURE]),
        markdown("![a tree](04_backpropagation.ipynb) and [numpy](https://numpy.org)"),
    ]
    assert form(*sound) == []


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (code("x = np.zeros((2, 3))"), "without its shape"),
        (code("x = np.arange(6).reshape(2, 3)  # numbers"), "without its shape"),
        (code("def f():\n    x = 2 * rng.standard_normal(3)\n    return x"), "without its shape"),
        (code("x = rng.integers(5, size=3)"), "without its shape"),
        (code("x, y = np.ones(2), 3"), "without its shape"),
        (code("import urllib.request"), "imports urllib"),
        (code("def f():\n    from requests import get"), "imports requests"),
        (code("!pip install torch"), "not plain Python"),
        (code("%matplotlib inline"), "not plain Python"),
        (code("load('https://example.org/x.txt')"), "has an address"),
        (code("open('/home/me/data.txt')"), "absolute path"),
        (code("open('C:\\\\data\\\\x.txt')"), "absolute path"),
        (code("# nothing"), "is empty"),
        (code("\n".join(f"x{i} = {i}" for i in range(26))), "26 lines of code"),
        (code("f()", [{**PICTURE, "data": {"image/png": "A"}}]), "without a description"),
        (
            code(
                "f()",
                [{**PICTURE, "data": {"image/png": "A", "text/plain": ["<Figure 1 of 2 x>"]}}],
            ),
            "without a description",
        ),
        (code("f()", [{"output_type": "error", "ename": "NameError"}]), "ended in NameError"),
        (
            code("f()", [{"output_type": "stream", "text": ["saved to /tmp/model.npz\n"]}]),
            "shows an absolute path",
        ),
        (markdown("![](04_backpropagation.ipynb)"), "has no description"),
        (markdown('<img src="tree.png">'), "has no description"),
        (markdown("[here](missing.ipynb)"), "leads nowhere"),
        (markdown("word " * 3001), "more than 3,000"),
        (markdown("## One more idea\n\n## Recap"), None),
    ],
)
def test_a_broken_cell_is_caught(cell, expected):
    problems = form(cell)
    if expected is None:  # headings before the fixed ending are free
        assert problems == []
    else:
        assert len(problems) == 1 and expected in problems[0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("# 3. A title", "# A title", "does not start with '# 3. '"),
        ("# 3. A title", "# 4. A title", "does not start with '# 3. '"),
        ("**What you need**", "Needs", "lacks **What you need**"),
        ("**What you will do**", "**What you need**", "lacks **What you will do**"),
        ("3 seconds to run", "soon done", "does not state"),
        (", peak memory 90 MB", "", "does not state"),
        ("Previous: [2](02_predicting_by_counting.ipynb)", "Previous: 2", "no 'Previous:"),
        ("Next: [4](04_backpropagation.ipynb)", "Next: [5](05_training.ipynb)", "no 'Next:"),
        ("## Recap", "## Summary", "the last headings"),
        ("## What the package adds", "## More", "the last headings"),
        ("3. Three?", "Three?", "three numbered questions"),
        ("<details><summary>Answer</summary>", "Answer", "three folded answers"),
        ("Yes.\n\n</details>\n\n2.", "</details>\n\n2.", "three folded answers"),
        ("**Predict:**", "Guess:", "nothing to predict"),
    ],
)
def test_broken_prose_is_caught(old, new, expected):
    made = notebook()
    for cell in rules.cells(made, "markdown"):
        cell["source"] = [rules.source(cell).replace(old, new)]
    assert any(expected in problem for problem in rules.form_problems(made, "03_model.ipynb"))


def test_labels_out_of_order_are_caught():
    made = notebook()
    text = rules.source(made["cells"][0])
    swapped = text.replace("**What you need**", "@").replace(
        "**What you will do**", "**What you need**"
    )
    made["cells"][0]["source"] = [swapped.replace("@", "**What you will do**")]
    assert "another order" in " ".join(rules.form_problems(made, "03_model.ipynb"))


def test_too_few_and_too_many_cells_are_caught():
    made = notebook()
    short = {"cells": made["cells"][:20] + made["cells"][-1:]}
    assert any("21 cells" in problem for problem in rules.form_problems(short, "03_model.ipynb"))
    assert not list(rules.size_problems(short, "07_playground.ipynb"))
    assert any("76 cells" in problem for problem in form(*[markdown("text")] * 30))


def test_long_median_cells_are_caught():
    seven = code("\n".join(f"x{i} = {i}" for i in range(7)))
    assert any("median" in problem for problem in form(*[seven] * 23))


def test_cells_out_of_order_are_caught():
    for counts in ((2, 1), (1, 1), (1, None), (1, 3)):
        made = notebook()
        for cell, count in zip(rules.cells(made, "code"), counts, strict=False):
            cell["execution_count"] = count
        assert any("in order" in problem for problem in rules.form_problems(made, "03_model.ipynb"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("One two, three.", 3),
        ("<details><summary>Answer</summary>\n\nIt is 4.\n\n</details>", 4),
        ('a <br/> b <b class="x">c</b>', 3),
        ("if a < b then c, and d > e", 8),  # a bare < hides nothing
        ("1 <2 and 3> 2", 5),
        ("[the model](03_model.ipynb) | x |", 3),
    ],
)
def test_words_are_those_that_a_reader_reads(text, words):
    assert rules.count_words(text) == words


def test_lines_that_are_no_code_do_not_count():
    text = "import os\n\n# a note\nx = f(\n    1,\n)\nshow(\n    figure,\n    alt='a'\n    'b',\n)"
    assert rules.count_code_lines(text) == 3  # x = f(, 1, show(


# --- drift ----------------------------------------------------------------------------------------

THEIRS = '''
def double(x, times=2):
    """Return x, doubled."""
    y = x * times  # [B]
    return y
'''
SAME = "def double(x, times=2):\n    y = x * times  # twice\n\n    return y"
SIMPLE = "def double(x):\n    # simplified: always by two\n    return x + x"


@pytest.fixture
def package(tmp_path):
    (tmp_path / "module.py").write_text(THEIRS, encoding="utf-8")
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "wrong.py").write_text(
        "def double(x):\n    return x\n", encoding="utf-8"
    )
    return lesson_drift.package_definitions(tmp_path)


def drift(package, *texts):
    return lesson_drift.drift_problems({"cells": [code(text) for text in texts]}, package)


def test_the_same_definition_is_no_drift(package):
    assert drift(package, SAME) == []
    assert drift(package, THEIRS) == []
    assert drift(package, "def triple(x):\n    return 3 * x") == []  # not in the package


@pytest.mark.parametrize(
    "text",
    [
        SAME.replace("times=2", "times=3"),
        SAME.replace("x * times", "x + times"),
        SAME.replace("    return y", "    y += 1\n    return y"),
        SAME.replace("(x, times=2)", "(x, times)"),
        "def double(x):\n    return x",  # as in exercises/, which does not count
        "def double(x):\n    return x + x  # simplified: always by two",
        "def double(x):\n    y = x\n    # simplified: always by two\n    return y + y",
        "def double(x):\n    # simplified:\n    return x + x",
        "# simplified: always by two\ndef double(x):\n    return x + x",
        "class double:\n    pass",
    ],
)
def test_a_drifted_definition_is_caught(package, text):
    problems = drift(package, text, "assert double(2) == module.double(2)")
    assert len(problems) == 1 and "double differs" in problems[0]


@pytest.mark.parametrize(
    "proof",
    [
        "assert double(2) == module.double(2)",
        "mine = double(x)\ntheirs = lunsedu.module.double(x)\nassert np.allclose(mine, theirs)",
        "from lunsedu.module import double as theirs\nassert double(2) == theirs(2)",
    ],
)
def test_a_simplified_definition_with_a_proof_is_fine(package, proof):
    assert drift(package, SIMPLE, proof) == []
    with_docstring = SIMPLE.replace("    # simp", '    """Return it."""\n    # simp')
    assert drift(package, with_docstring, proof) == []


@pytest.mark.parametrize(
    "no_proof",
    [
        "assert double(2) == 4",
        "double(2) == module.double(2)",
        "double(2), module.double(2)\nassert True",
        "assert module.double(2) == 4",
        "from elsewhere import double as package_double\nassert double(2) == package_double(2)",
    ],
)
def test_a_simplified_definition_without_a_proof_is_caught(package, no_proof):
    problems = drift(package, SIMPLE, no_proof)
    assert len(problems) == 1 and "no cell asserts" in problems[0]


def test_the_package_has_what_lessons_teach():
    assert {"softmax", "rmsnorm_backward", "Lunsformter"} <= set(PACKAGE)
