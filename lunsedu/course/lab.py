"""Open JupyterLab in a folder of the course, at its first lesson."""

import importlib.util
import os
from collections.abc import Sequence

from lunsedu import checks


def open_lab(folder: str | os.PathLike[str] = ".", more: Sequence[str] = ()) -> None:
    """Run JupyterLab in this process until it is shut down.

    `more` are further arguments for it, such as "--no-browser". Raises FileNotFoundError when the
    folder holds no course, ImportError when JupyterLab is not installed.
    """
    arguments = lab_arguments(folder, more)
    if importlib.util.find_spec("jupyterlab") is None:
        raise ImportError('JupyterLab is not installed: pip install "lunsedu[lab]"')
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments)


def lab_arguments(folder: str | os.PathLike[str] = ".", more: Sequence[str] = ()) -> list[str]:
    """Return what JupyterLab is told: where it is at home, and what it opens first.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     lab_arguments(empty)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    FileNotFoundError: there is no course in ...: copy it there with: lunsedu course ...
    """
    given = checks.path(folder, "folder").expanduser()
    home = given.resolve()
    if home.name == "notebooks":
        home = home.parent  # a lesson's links lead to data/, so that must be in sight, too
    lessons = sorted((home / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not lessons:
        sentence = f"there is no course in {given}: copy it there with: lunsedu course {given}"
        for option in ("--port", "--ip"):
            if option in more:  # its value was taken for the folder
                sentence = (
                    f"write {option}={given}, with =: {given} was taken for the course's folder"
                )
        raise FileNotFoundError(sentence)
    return [
        f"--ServerApp.root_dir={home}",
        "--KernelManager.transport_encryption=auto",  # else ipykernel warns at each start
        *more,
        str(lessons[0]),
    ]
