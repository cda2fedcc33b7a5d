"""The form that every lesson keeps.

form_problems(notebook, name) -> list of sentences, empty when the form is right

A pure function of the notebook's JSON, so that tests can feed it broken ones.
"""

import ast
import io
import re
import statistics
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"

COURSE = [
    "00_quick_tour.ipynb",
    "01_tokenizer.ipynb",
    "02_predicting_by_counting.ipynb",
    "03_model.ipynb",
    "04_backpropagation.ipynb",
    "05_training.ipynb",
    "06_insideout.ipynb",
    "07_playground.ipynb",
    "08_save_and_fine_tune.ipynb",
    "09_how_good_is_it.ipynb",
    "10_a_real_language_model.ipynb",
    "11_looking_inside.ipynb",
    "12_learning_from_rewards.ipynb",
    "13_adapting_a_real_model.ipynb",
    "14_beyond_one_machine.ipynb",
]
SHORT = {"00_quick_tour.ipynb", "07_playground.ipynb"}  # little to read, much to do
# a cell with a whole backward pass or optimizer can't be cut; half of the cells hold one
LONG_CELLS = {"04_backpropagation.ipynb", "05_training.ipynb"}

LABELS = ["**What you will do**", "**What you will learn**", "**What you need**", "**Time**"]
TIME = re.compile(r"about \d+ minutes? to read, \d+ seconds? to run\b[^|\n]*, peak memory \d+ MB")
ENDING = ["## Recap", "## Test yourself", "## What the package adds"]
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
NETWORK = set(
    "aiohttp ftplib http httpx huggingface_hub requests socket urllib urllib3 wget".split()
)
PATH = re.compile(r"^(~/|/\w[\w.-]*/|[A-Za-z]:[\\/]\w)")
PATH_IN_TEXT = re.compile(r"(?<![\w./:<])/(home|Users|root|tmp|private|var|usr|opt|mnt|srv)/\w")


def source(cell):
    """The text of a cell; notebooks on disk keep it as a list of lines."""
    return "".join(cell["source"])


def cells(notebook, kind):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def prose(notebook):
    """All markdown as one text."""
    return "\n\n".join(source(cell) for cell in cells(notebook, "markdown"))


TAG = re.compile(r"</?[a-zA-Z][^<>]*>")  # "a < b" is no tag, and hides no words up to the next ">"


def count_words(text):
    """Words a reader reads: no HTML tags, no link targets, no bars of tables, no formulas."""
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(TAG, " ", text))
    return sum(bool(re.search(r"\w", word)) for word in text.split())


def comments(code):
    """Return {line number: comment} of a piece of Python."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


# --- the form -------------------------------------------------------------------------------------


def form_problems(notebook, name):
    """Return a sentence for each way in which a lesson breaks the form."""
    return [
        *opening_problems(notebook, name),
        *ending_problems(notebook, name),
        *size_problems(notebook, name),
        *code_problems(notebook, name),
        *output_problems(notebook),
        *link_problems(notebook),
    ]


def navigation(name):
    """The (Previous, Next) files of a lesson; None at the ends of the course."""
    place = COURSE.index(name)
    return (
        COURSE[place - 1] if place else None,
        COURSE[place + 1] if place + 1 < len(COURSE) else None,
    )


def navigation_problems(text, name, where):
    for word, target in zip(("Previous", "Next"), navigation(name), strict=True):
        if target and not re.search(rf"{word}: \[[^\]]+\]\({re.escape(target)}\)", text):
            yield f"the {where} has no '{word}: [..]({target})'"


def opening_problems(notebook, name):
    first = notebook["cells"][0]
    text = source(first)
    if first["cell_type"] != "markdown" or not text.startswith(f"# {int(name[:2])}. "):
        yield f"the first cell does not start with '# {int(name[:2])}. ' and the title"
    places = [text.find(label) for label in LABELS]
    for label, place in zip(LABELS, places, strict=True):
        if place < 0:
            yield f"the opening lacks {label}"
    if places != sorted(places):
        yield "the labels of the opening stand in another order"
    if not TIME.search(text):
        yield "the opening does not state minutes to read, seconds to run and peak memory"
    yield from navigation_problems(text, name, "opening")


def ending_problems(notebook, name):
    text = prose(notebook)
    headings = re.findall(r"^## .*$", text, re.MULTILINE)
    if headings[-3:] != ENDING:
        yield f"the last headings are {headings[-3:]}, not {ENDING}"
        return
    questions = text.split(ENDING[1])[1].split(ENDING[2])[0]
    if re.findall(r"^(\d+)\. \S", questions, re.MULTILINE) != ["1", "2", "3"]:
        yield "Test yourself does not have three numbered questions"
    answers = re.findall(r"<details><summary>Answer</summary>(.*?)</details>", questions, re.DOTALL)
    if len(answers) != 3 or not all(count_words(answer) for answer in answers):
        yield "Test yourself does not have three folded answers"
    yield from navigation_problems(source(notebook["cells"][-1]), name, "last cell")


def size_problems(notebook, name):
    least = 15 if name in SHORT else 40
    count, words = len(notebook["cells"]), count_words(prose(notebook))
    if not least <= count <= 70:
        yield f"{count} cells, not {least} to 70"
    if words > 3000:
        yield f"{words} words, more than 3,000"
    if not re.search(r"^\*\*Predict:\*\* \S", prose(notebook), re.MULTILINE):
        yield "nothing to predict: no line starts with **Predict:**"


def count_code_lines(code):
    """Lines of code that a reader has to follow.

    Not counted: blank lines, comments, imports, lone closing brackets. A call that describes a
    picture in words (`alt=`) counts as one line.
    """
    skipped = {number for number, line in enumerate(code.split("\n"), 1)
               if not line.strip(" )]},") or line.lstrip().startswith("#")}  # fmt: skip
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            skipped |= set(range(node.lineno, node.end_lineno + 1))
        if isinstance(node, ast.Call) and any(word.arg == "alt" for word in node.keywords):
            skipped |= set(range(node.lineno + 1, node.end_lineno + 1))
    return len(code.split("\n")) - len(skipped)


def code_problems(notebook, name):
    lengths, longest_median = [], 8 if name in LONG_CELLS else 6
    for number, cell in enumerate(cells(notebook, "code"), 1):
        code = source(cell)
        where = f"code cell {number}"
        try:
            tree = ast.parse(code)
        except SyntaxError:
            yield f"{where} is not plain Python (magics and shell commands do not run everywhere)"
            continue
        if not tree.body:
            yield f"{where} is empty"
            continue
        lengths.append(count_code_lines(code))
        if lengths[-1] > 25:
            yield f"{where} has {lengths[-1]} lines of code, more than 25"
        for module in imported(tree) & NETWORK:
            yield f"{where} imports {module}: a lesson needs no network"
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if PATH.match(node.value):
                    yield f"{where} has an absolute path: {node.value!r}"
                if "://" in node.value:
                    yield f"{where} has an address: {node.value!r}"
        for line in arrays_without_shape(tree, code):
            yield f"{where} makes an array without its shape in a comment: {line}"
    if lengths and (median := statistics.median(lengths)) > longest_median:
        yield f"the median code cell has {median} lines of code, more than {longest_median}"


def imported(tree):
    """The top names of all modules that are imported, at any depth of the code."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


MAKERS = set("array zeros ones empty full arange linspace eye concatenate stack".split())
RANDOM_MAKERS = set("standard_normal normal uniform random integers choice permutation".split())


def makes_array(node):
    """Is this expression, at its outside, a call that makes an array of a shape of its own?"""
    if isinstance(node, ast.BinOp):
        return makes_array(node.left) or makes_array(node.right)
    if isinstance(node, ast.Tuple):
        return any(makes_array(part) for part in node.elts)
    if isinstance(node, ast.Subscript):
        return makes_array(node.value)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    name, owner = node.func.attr, node.func.value
    if isinstance(owner, ast.Name):
        if owner.id == "np":
            return name in MAKERS
        sized = any(word.arg == "size" for word in node.keywords)
        first = node.args[:1] if name in ("standard_normal", "random", "permutation") else []
        return name in RANDOM_MAKERS and bool(sized or first)
    return makes_array(owner)  # a method of what was made: np.arange(6).reshape(2, 3)


def arrays_without_shape(tree, code):
    """Yield the first line of each assignment of a new array that has no comment like # [B, T]."""
    notes = comments(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and makes_array(node.value):
            said = " ".join(notes.get(line, "") for line in range(node.lineno, node.end_lineno + 1))
            if not re.search(r"\[[^\]]+\]", said):
                yield code.split("\n")[node.lineno - 1].strip()


def output_problems(notebook):
    numbers = [cell["execution_count"] for cell in cells(notebook, "code")]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the cells were not executed once, in order: {numbers}"
    for number, cell in enumerate(cells(notebook, "code"), 1):
        for output in cell["outputs"]:
            data = output.get("data", {})
            text = "".join(data.get("text/plain", ""))
            shown = text + "".join(output.get("text", ""))
            if output["output_type"] == "error":
                yield f"code cell {number} ended in {output['ename']}"
            if "image/png" in data and (len(text.split()) < 5 or text.lstrip().startswith("<")):
                yield f"code cell {number} has a picture without a description: {text!r}"
            if PATH_IN_TEXT.search(shown):
                yield f"code cell {number} shows an absolute path"


def link_problems(notebook):
    text = prose(notebook)
    for image, words, target in LINK.findall(text):
        if image and not words.strip():
            yield f"the image {target} has no description"
        file = target.split("#")[0]
        known = file in COURSE or "://" in target or target.startswith(("#", "attachment:"))
        if not known and not (NOTEBOOKS / file).exists():
            yield f"the link {target} leads nowhere"
    for tag in re.findall(r"<img\b[^>]*>", text):
        if not re.search(r'alt="[^"]+"', tag):
            yield f"an image has no description: {tag[:60]}"
