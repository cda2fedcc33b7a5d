"""Bring the course into the site's folder: Sphinx reads nothing that lies outside of it.

The copies keep their places (notebooks/, data/, tests/benchmarks/), so that links between them
hold. They are made anew at each build, and git does not see them.
"""

import base64
import json
import shutil
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MADE = ("notebooks", "data", "tests", "pictures", "reference", "LICENSE.md", "CHANGELOG.md")

# the front page's pictures: name -> (lesson, id of the cell that shows it)
PICTURES = {
    "paths": ("06_insideout", "06-insideout-42"),
    "decoders": ("06_insideout", "06-insideout-59"),
}


def mirror(target: Path = HERE) -> None:
    """Copy texts, lessons and exercises into `target`, each picture with its description."""
    for name in MADE:
        shutil.rmtree(target / name, ignore_errors=True)
        (target / name).unlink(missing_ok=True)
    for source in sorted(
        [
            *ROOT.glob("notebooks/*.md"),
            *ROOT.glob("notebooks/images/*.png"),
            *ROOT.glob("tests/benchmarks/*.md"),
            *ROOT.glob("tests/benchmarks/scaling/*.png"),
            ROOT / "data/README.md",
            ROOT / "CHANGELOG.md",
        ]
    ):
        copy = target / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            words = source.read_text(encoding="utf-8").replace("](../LICENSE)", "](../LICENSE.md)")
            if source.name == "GLOSSARY.md":
                words = words.replace("\n### ", "\n## ")  # a page of its own skips no level
            copy.write_text(words, encoding="utf-8")
        else:
            shutil.copy(source, copy)
    license = (ROOT / "LICENSE").read_text(encoding="utf-8")
    (target / "LICENSE.md").write_text(f"# License\n\n{license}", encoding="utf-8")
    for source in sorted(
        [*ROOT.glob("notebooks/[0-9]*.ipynb"), *ROOT.glob("notebooks/exercises/*.ipynb")]
    ):
        copy = target / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        notebook = for_reading(json.loads(source.read_text(encoding="utf-8")))
        copy.write_text(json.dumps(notebook), encoding="utf-8")
    (target / "pictures").mkdir()
    for name, (lesson, cell) in PICTURES.items():
        png, alt = picture(lesson, cell)
        (target / "pictures" / f"{name}.png").write_bytes(png)
        words = f":::{{image}} pictures/{name}.png\n:alt: {alt}\n:::\n"
        (target / "pictures" / f"{name}.txt").write_text(words, encoding="utf-8")


def for_reading(notebook: dict) -> dict:
    """Return the notebook with each picture's description where MyST-NB looks for it."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            about = output.get("metadata", {}).get("image/png", {})
            if about.get("alt"):
                image = {"alt": one_line(about["alt"])}
                if about.get("width"):
                    image["width"] = f"{about['width']}px"
                cell["metadata"]["mystnb"] = {"image": image}
    return notebook


def picture(lesson: str, cell_id: str) -> tuple[bytes, str]:
    """Return (PNG, description) of the picture that a cell of a lesson shows."""
    path = ROOT / "notebooks" / f"{lesson}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for output in next(c for c in cells if c["id"] == cell_id)["outputs"]:
        if "image/png" in output.get("data", {}):
            png = base64.b64decode("".join(output["data"]["image/png"]))
            return png, one_line(output["metadata"]["image/png"]["alt"])
    raise ValueError(f"{path.name}: cell {cell_id} shows no picture")


def one_line(words: str) -> str:
    return " ".join(words.split())
