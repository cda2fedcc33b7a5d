"""Figures: one type size, one look for the whole series, a description for every picture.

    figure, axes = new_figure()
    axes.plot(losses)
    show(figure, alt="The loss falls from 5.1 to 1.2 nats a token in 40 epochs.")

`show` is the last line of a notebook cell. Every picture carries a description in words, for
people who cannot see it. Figures are made without pyplot: nothing is drawn twice, nothing leaks.

What is not here: the charts themselves (charts.py, squares.py), HTML and SVG (display/).
"""

from __future__ import annotations

import base64
import html
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.looks import COLORS, GREY, INK, LIGHT, PAPER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT_SIZE = 11  # points, for all text
DPI = 144  # pixels an inch; shown at 96, so that sharp screens stay sharp

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": FONT_SIZE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.titlecolor": INK,
    "axes.edgecolor": GREY,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": FONT_SIZE,
    "ytick.labelsize": FONT_SIZE,
    "axes.unicode_minus": True,
    "mathtext.default": "regular",
}


def new_figure(
    rows: int = 1, columns: int = 1, width: float = 7.0, height: float = 3.2
) -> tuple[Figure, Any]:
    """Return (figure, axes) in the series' style; width and height in inches.

    axes is one Axes, or an array of them [rows, columns], flat when one of the two is 1.

    >>> figure, axes = new_figure(columns=2)
    >>> len(axes)
    2
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):  # type: ignore[dict-item]
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)  # draws PNGs, on any machine
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore
        axes = figure.subplots(rows, columns)
    for one in np.ravel(axes):
        _dress(one)
    return figure, axes


def _dress(axes):
    """Give axes their lines: no box, a quiet grid behind the data, the series' colours."""
    from cycler import cycler

    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=LIGHT, linewidth=0.8)
    axes.set_axisbelow(True)
    # said again, since ticks are made when they are needed, with the settings of that moment
    axes.tick_params(length=3, width=0.8, color=GREY, labelcolor=INK, labelsize=FONT_SIZE)
    axes.set_prop_cycle(cycler(color=COLORS, linewidth=[2.2] * len(COLORS)))


def _finish(figure):
    """Set what was added since new_figure in the series' type: titles to the left, legends bare."""
    from matplotlib import rcParams

    for axes in figure.axes:
        text = axes.get_title()
        if text:
            axes.set_title("")
            axes.set_title(text, loc="left", fontsize=FONT_SIZE, fontweight="bold", color=INK)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set(fontsize=FONT_SIZE, color=INK)
        for note in axes.texts:
            if note.get_fontsize() == rcParams["font.size"]:  # nobody chose a size
                note.set_fontsize(FONT_SIZE)
        legend = axes.get_legend()
        if legend is not None:
            legend.set_frame_on(False)
            for entry in legend.get_texts():
                entry.set(fontsize=FONT_SIZE, color=INK)


class Picture:
    """A PNG with its description: `.png` bytes, `.alt` text, `.figure`.

    The description is the picture's plain text and the alt of its metadata, which exports to HTML
    use. JupyterLab gives an image/png no alt: there the picture also comes as `<img alt="...">`.
    Saved notebooks that were executed without JupyterLab hold the PNG once.
    """

    def __init__(self, png: bytes, alt: str, figure: Any = None, width: int | None = None) -> None:
        self.png, self.alt, self.figure = png, alt, figure
        self.width = width  # in CSS pixels

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        if "JPY_SESSION_NAME" in os.environ:  # a Jupyter server started this kernel
            bundle["text/html"] = self.to_html()
        return bundle, {"image/png": {"alt": self.alt, "width": self.width}}

    def to_html(self) -> str:
        """Return the picture as one <img> with its alt."""
        data = base64.b64encode(self.png).decode()
        style = "max-width:100%;height:auto"
        return (
            f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.alt)}"'
            f' width="{self.width}" style="{style}">'
        )

    def __repr__(self) -> str:
        return self.alt

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the PNG to a file, whose name ends in .png.

        Raises ValueError for another ending, TypeError for what is no path, OSError when it cannot
        be written.
        """
        path = checks.path(path)
        if path.suffix.lower() != ".png":
            raise ValueError(f"a picture is saved as a PNG: end the name {path.name!r:.60} in .png")
        with open(path, "wb") as file:
            file.write(self.png)


def show(figure: Figure, alt: str | None) -> Picture:
    """Return the figure as a Picture, the last line of a notebook cell.

    `alt` says in words what the picture shows, with its numbers. ValueError without it.

    >>> figure, axes = new_figure()
    >>> line = axes.plot([3, 2, 1])
    >>> show(figure, alt="A line falls from 3 to 1.")
    A line falls from 3 to 1.
    """
    if not isinstance(alt, str) or len(alt.split()) < 3:
        raise ValueError(
            f"alt={alt!r} describes no picture: say in a sentence what can be seen, with numbers"
        )
    _finish(figure)
    width = round(figure.get_figwidth() * 96)
    return Picture(_png(figure), alt, figure, width)


@contextmanager
def missing_letters() -> Iterator[None]:
    """Inside this context letters that the font lacks (emoji, say) are boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def _png(figure):
    """Return the figure as a PNG of at most 256 colours: a third of the usual size."""
    from PIL import Image  # matplotlib brings it along

    raw, small = io.BytesIO(), io.BytesIO()
    with missing_letters():
        figure.savefig(raw, format="png", dpi=DPI)
    image = Image.open(raw).convert("RGB")
    image.quantize(256, method=Image.Quantize.MEDIANCUT).save(small, "png", optimize=True)
    return small.getvalue()
