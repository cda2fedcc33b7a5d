"""Pictures: one palette, one type size, one look for the whole series.

    figure, axes = new_figure()
    axes.plot(losses)
    show(figure, alt="The loss falls from 5.1 to 1.2 nats a token in 40 epochs.")

`show` is the last line of a notebook cell. Every picture carries a description in words, for
people who cannot see it. Figures are made without pyplot: nothing is drawn twice, nothing leaks.

What is not here: the HTML and SVG of the widgets (views.py).
"""

import base64
import html
import io
import os
import warnings
from contextlib import contextmanager

import numpy as np

# Okabe and Ito's palette, told apart by colour-blind eyes, too (jfly.uni-koeln.de/color/).
BLUE, RED, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
PURPLE, SKY, YELLOW = "#cc79a7", "#56b4e9", "#f0e442"
GREY, LIGHT, INK, PAPER = "#5f6b76", "#e3e7eb", "#1c2733", "#ffffff"
COLORS = [BLUE, RED, GREEN, ORANGE, PURPLE, SKY]  # in the order in which series get them
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


def new_figure(rows=1, columns=1, width=7.0, height=3.2):
    """Return (figure, axes) in the series' style; width and height in inches.

    axes is one Axes, or an array of them [rows, columns], flat when one of the two is 1.

    >>> figure, axes = new_figure(columns=2)
    >>> len(axes)
    2
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE, "backend": "agg"}):
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)  # draws PNGs, on any machine
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
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

    def __init__(self, png, alt, figure=None, width=None):
        self.png, self.alt, self.figure = png, alt, figure
        self.width = width  # in CSS pixels

    def _repr_mimebundle_(self, include=None, exclude=None):
        bundle = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        if "JPY_SESSION_NAME" in os.environ:  # a Jupyter server started this kernel
            bundle["text/html"] = self.to_html()
        return bundle, {"image/png": {"alt": self.alt, "width": self.width}}

    def to_html(self):
        """Return the picture as one <img> with its alt."""
        data = base64.b64encode(self.png).decode()
        style = "max-width:100%;height:auto"
        return (
            f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.alt)}"'
            f' width="{self.width}" style="{style}">'
        )

    def __repr__(self):
        return self.alt

    def save(self, path):
        """Write the PNG to a file."""
        with open(path, "wb") as file:
            file.write(self.png)


def show(figure, alt):
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
def missing_letters():
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


# --- pictures of the series -------------------------------------------------------------------


def loss_curve(history, floor=None, title="", width=7.0, height=3.2):
    """Draw the loss of a History over its epochs; return a Picture.

    `history` is a training.History, or a list of losses in nats a token, one an epoch. `floor` is
    a loss that no model can beat, or a dict {name: loss} of several such lines. Raises ValueError
    when there is nothing to draw.

    >>> loss_curve([3.0, 2.0, 1.5], floor=1.2).alt
    'Training loss over 3 epochs: from 3.00 to 1.50 nats a token. Floor at 1.20.'
    """
    train = list(getattr(history, "train_loss", history))
    validation = list(getattr(history, "validation_loss", []))
    events = list(getattr(history, "events", []))
    if not train:
        raise ValueError("there is no loss to draw yet: train for at least one epoch")
    figure, axes = new_figure(width=width, height=height)
    epochs = len(train)
    marker = "o" if epochs == 1 else ""
    axes.plot(range(1, epochs + 1), train, color=BLUE, marker=marker, label="training")
    alt = f"Training loss over {_count(epochs, 'epoch')}: from {train[0]:.2f} to {train[-1]:.2f}"
    alt += " nats a token."
    if validation:
        measured = history.validation_epochs
        marker = "o" if len(validation) == 1 else ""
        axes.plot(measured, validation, "--", color=RED, marker=marker, label="validation")
        best = int(np.argmin(validation))
        alt += (
            f" Validation loss ends at {validation[-1]:.2f}, its best was {validation[best]:.2f}"
            f" at epoch {measured[best]}."
        )
    floors = {} if floor is None else floor if isinstance(floor, dict) else {"floor": floor}
    dashes = [(0, (6, 2)), (0, (2, 2)), (0, (6, 2, 1, 2))]
    for (name, value), dash in zip(floors.items(), dashes * len(floors), strict=False):
        label = f"{name} {value:.2f}"
        axes.axhline(value, color=GREEN, linewidth=1.8, linestyle=dash, label=label)
        alt += f" {name.capitalize()} at {value:.2f}."
    for epoch, name in events:
        axes.axvline(epoch, color=GREY, linewidth=1, linestyle=":")
        axes.text(epoch, 0.02, f" {name}", color=GREY, transform=axes.get_xaxis_transform())
        alt += f" {name.capitalize()} after epoch {epoch}."
    axes.set(xlabel="epoch", ylabel="loss (nats a token)", ylim=(0, None), title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if validation or floors:
        axes.legend(loc="upper right")
    return show(figure, alt)


def bars(labels, values, title="", xlabel="", highlight=None, digits=2, alt=None, width=7.0):
    """Draw one horizontal bar a label, the first on top; return a Picture.

    `highlight` is the index of a bar that stands out. Without `alt` the description lists the
    bars. Raises ValueError when labels and values differ in number or there are none.

    >>> bars(["a", "b"], [0.75, 0.25], title="Next token").alt
    'Next token: a 0.75, b 0.25.'
    """
    labels, values = [str(label) for label in labels], [float(value) for value in values]
    if not labels or len(labels) != len(values):
        raise ValueError(f"{len(labels)} labels and {len(values)} values make no bars: give equal")
    figure, axes = new_figure(width=width, height=0.9 + 0.34 * len(labels))
    chosen = [highlight is None or i == highlight for i in range(len(labels))]
    boxes = axes.barh(
        range(len(labels)), values, height=0.7, color=[BLUE if c else "#a8b4bf" for c in chosen]
    )
    axes.bar_label(boxes, fmt=f"%.{digits}f", padding=4, fontsize=FONT_SIZE, color=INK)
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.invert_yaxis()
    axes.grid(False)
    axes.grid(axis="x", color=LIGHT, linewidth=0.8)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)
    axes.set(xlabel=xlabel)
    axes.set_title(title)
    listed = ", ".join(f"{n} {v:.{digits}f}" for n, v in zip(labels, values, strict=True))
    return show(figure, alt or f"{title or 'Bars'}: {listed}.")


def heatmap(values, rows=None, columns=None, title="", numbers=None, digits=2, alt=None, width=7.0):
    """Draw an array [R, C] as coloured squares; return a Picture.

    `rows` and `columns` are the labels. Values of both signs get two colours around zero, others
    go from white to blue. `numbers` writes each value into its square (by itself up to 64
    squares). Without `alt` the description says the range and where the largest value is.
    """
    values = np.asarray(values, dtype=float)  # [R, C]
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a heatmap needs an array [R, C] with values, not shape {values.shape}")
    R, C = values.shape
    figure, axes = new_figure(width=width, height=min(9.0, 1.1 + 0.42 * R))
    _squares(axes, values, values.size <= 64 if numbers is None else numbers, digits)
    _name_squares(axes, rows, columns)
    axes.set_title(title)
    r, c = np.unravel_index(np.argmax(values), values.shape)
    row, column = (rows or range(R))[r], (columns or range(C))[c]
    alt = alt or (
        f"{title or 'Heatmap'}: {R} rows, {C} columns, values from {values.min():.{digits}f} to"
        f" {values.max():.{digits}f}; the largest at row {row}, column {column}."
    )
    return show(figure, alt)


def _squares(axes, values, numbers=False, digits=2, limits=None):
    """Draw values [R, C] into axes."""
    from matplotlib.colors import LinearSegmentedColormap

    if limits is None:
        low, high = float(values.min()), float(values.max())
        limits = (-max(-low, high), max(-low, high)) if low < 0 < high else (min(low, 0), high)
    colors = [RED, PAPER, BLUE] if limits[0] < 0 < limits[1] else [PAPER, SKY, BLUE, "#003a5d"]
    if limits[1] <= 0:
        colors = [RED, PAPER]
    ramp = LinearSegmentedColormap.from_list("series", colors)
    axes.imshow(values, cmap=ramp, vmin=limits[0], vmax=limits[1] or 1e-9, aspect="auto")
    axes.grid(False)
    if numbers:
        for (r, c), value in np.ndenumerate(values):
            share = (value - limits[0]) / ((limits[1] - limits[0]) or 1)
            red, green, blue, _ = ramp(share)
            light = 0.21 * red**2.2 + 0.72 * green**2.2 + 0.07 * blue**2.2 > 0.18  # luminance
            axes.text(c, r, f"{value:.{digits}f}", ha="center", va="center",
                      color="#000000" if light else PAPER)  # fmt: skip


def _name_squares(axes, rows, columns):
    """Label the rows at the left and the columns at the top; text is shown as it is, never math."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    if rows is not None:
        axes.set_yticks(range(len(rows)), [str(r) for r in rows], parse_math=False)
    if columns is not None:
        long = max((len(str(c)) for c in columns), default=0) > 2
        axes.set_xticks(
            range(len(columns)),
            [str(c) for c in columns],
            parse_math=False,
            rotation=90 if long and len(columns) > 8 else 0,
        )


def attention_maps(weights, tokens, title="", width=7.0):
    """Draw the attention weights [H, T, T] of all heads of a layer; return a Picture.

    Row t of a square shows where token t looks, darker is more. Up to four heads stand side by
    side, fewer where the tokens' names need more room.
    Raises ValueError unless there is one label a position.
    """
    weights = np.asarray(weights, dtype=float)  # [H, T, T]
    T = len(tokens)
    if weights.ndim != 3 or weights.shape[1:] != (T, T):
        raise ValueError(f"attention weights must be [H, {T}, {T}] for {T} tokens, not"
                         f" {weights.shape}")  # fmt: skip
    heads, columns = len(weights), min(4, len(weights))
    while columns > 1 and width / columns - 0.5 < 0.14 * T:  # inches, for the columns' names
        columns = -(-columns // 2)
    lines = -(-heads // columns)
    names = 0.2 * T + 0.55  # inches: a line for each row's name, and the names of the columns
    side = max(min(width / columns, 2.5 if columns > 1 else 3.5), names)
    figure, grid = new_figure(lines, columns, width=width, height=lines * (side + 0.3) + 0.5)
    for head, axes in enumerate(np.ravel(grid)):
        axes.set_visible(head < heads)
        if head < heads:
            _squares(axes, weights[head], limits=(0.0, 1.0))
            first_in_row = head % columns == 0
            _name_squares(axes, tokens if first_in_row else [""] * T, tokens)
            axes.tick_params(axis="x", labelrotation=90)
            axes.set_title(f"head {head + 1}")
    if title:
        figure.suptitle(title, x=0.012, ha="left", fontsize=FONT_SIZE, fontweight="bold")
    looks = []
    for head in range(heads):
        to = int(np.argmax(weights[head, -1]))
        looks.append(f"head {head + 1} at {tokens[to]!r} ({weights[head, -1, to]:.2f})")
    alt = f"{title or 'Attention'} of {_count(heads, 'head')} over {_count(T, 'token')}. The last"
    return show(figure, f"{alt} token, {tokens[-1]!r}, looks most: {', '.join(looks)}.")


def _count(number, noun):
    return f"{number} {noun}{'s' * (number != 1)}"
