"""What ships with the course: the texts in data/, and models that are trained already.

    lm = load_example("stories")
    dataset = LunsDataset(data_path("chat_data.txt"))

Anyone can make such a model again, weight for weight on one machine:

    python -m lunsedu.examples stories my_prefix
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lunsedu.files.terminal import print_every_character

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel

PACKAGE = Path(__file__).resolve().parent
# where an installed wheel keeps the course; none in a clone
WHEEL_FILES = PACKAGE / "course" / "files"

# name -> (text, sizes of the model, settings of fit). The small rope_theta lets a head tell
# distances of a few tokens apart, which tracking the pea of the shell game needs.
RECIPES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "stories": (
        "stories.txt",
        dict(dim=64, hidden_dim=176, num_layers=2, num_heads=4, rope_theta=100.0, seed=0),
        dict(epochs=34, total_epochs=34, batch_size=16, lr=0.004, warmup_steps=100),
    ),
}


def data_path(name: str) -> Path:
    """Return the path of a file in the course's data folder, from any working directory.

    Looks beside the package (a clone of the repository), then in the data folders of the working
    directory and those above it (a copy of the course, where a student may have changed a text),
    then among the files of the wheel. Raises FileNotFoundError when it is in none of them,
    TypeError or ValueError for what is no name.

    >>> data_path("chat_data.txt").name
    'chat_data.txt'
    """
    from lunsedu import checks  # late: a build of the package opens this file without numpy

    checks.path(name, "name")
    here = Path.cwd()
    for folder in (PACKAGE.parent, here, *here.parents, WHEEL_FILES):
        path = folder / "data" / name
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"there is no data file {name!r}: the texts of the course lie in its folder data/; copy it"
        " with `lunsedu course my_course`, or give the path of a text of your own"
    )


def load_example(name: str = "stories") -> LunsformterModel:
    """Return a trained LunsformterModel that ships with the package.

    "stories" has learned data/stories.txt, sentences of lunsedu.grammar.story_grammar.
    Raises ValueError for a name that there is not.
    """
    from lunsedu.lm import LunsformterModel

    _check_name(name)
    return LunsformterModel.load(PACKAGE / "pretrained" / name)


def train_example(name: str, verbose: bool = True) -> LunsformterModel:
    """Train such a model from its recipe; the same weights each time on one machine."""
    from lunsedu.dataset.dataset import LunsDataset
    from lunsedu.lm import LunsformterModel

    text, sizes, settings = RECIPES[_check_name(name)]
    lm = LunsformterModel(LunsDataset(data_path(text)), **sizes)
    lm.fit(verbose=verbose, **settings)
    return lm


def _check_name(name):
    if name not in RECIPES:
        raise ValueError(f"there is no example {name!r}: there are {', '.join(sorted(RECIPES))}")
    return name


def main(arguments: Sequence[str] | None = None) -> None:
    """Train an example and save it, without the state of the optimizer."""
    parser = argparse.ArgumentParser(prog="python -m lunsedu.examples", description=main.__doc__)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("prefix", help="where to save it, for example lunsedu/pretrained/stories")
    given = parser.parse_args(arguments)
    print_every_character()
    lm = train_example(given.name)
    lm.save(given.prefix, resume=False)
    print(f"{lm}\nloss {lm.history.train_loss[-1]:.4f} nats a token; saved as {given.prefix}")


if __name__ == "__main__":
    main()
