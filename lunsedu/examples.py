"""What ships with the course: the texts in data/.

LunsDataset(data_path("chat_data.txt"))
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def data_path(name):
    """Return the path of a file in the course's data folder, from any working directory.

    Looks beside the package (a clone of the repository), then in the data folders of the working
    directory and those above it. Raises FileNotFoundError when it is in none of them.

    >>> data_path("chat_data.txt").name
    'chat_data.txt'
    """
    here = Path.cwd()
    for folder in (PACKAGE.parent, here, *here.parents):
        path = folder / "data" / name
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"there is no data file {name!r}: the texts of the course lie in the folder data/ of the"
        " repository; clone it, or give the path of a text of your own"
    )
