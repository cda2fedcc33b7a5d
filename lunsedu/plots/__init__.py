"""Pictures for lessons: matplotlib figures in one look, each with a description in words.

Read in this order: figures.py (new_figure, show, Picture), charts.py (losses, bars), squares.py
(heatmaps, attention). matplotlib is loaded when the first picture is drawn.

What is not here: colours (looks.py), widgets' pages and their still pictures (display/).
"""

from lunsedu.looks import (
    BLUE,
    COLORS,
    GREEN,
    GREY,
    INK,
    LIGHT,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    SKY,
    YELLOW,
)
from lunsedu.plots.charts import bars, loss_curve, named_floors
from lunsedu.plots.figures import DPI, FONT_SIZE, Picture, missing_letters, new_figure, show
from lunsedu.plots.squares import attention_maps, heatmap

__all__ = [
    "BLUE",
    "COLORS",
    "DPI",
    "FONT_SIZE",
    "GREEN",
    "GREY",
    "INK",
    "LIGHT",
    "ORANGE",
    "PAPER",
    "PURPLE",
    "RED",
    "SKY",
    "YELLOW",
    "Picture",
    "attention_maps",
    "bars",
    "heatmap",
    "loss_curve",
    "missing_letters",
    "named_floors",
    "new_figure",
    "show",
]
