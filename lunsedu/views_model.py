"""The tokenizer, the attention and the training as HTML and SVG.

tokens_view(tokenizer, text, merges)                -> the tokens of a text, as coloured pieces
attention_view(weights, tokens, layer, head, ...)   -> where a token looks
training_view(TrainingState(...))                   -> the loss so far, and what the model says
"""

import math
from dataclasses import dataclass, field

import numpy as np

from lunsedu.results_html import percent, visible
from lunsedu.training import History
from lunsedu.views import LETTER, line_chart, note_view, page, safe, shorten

# --- the tokenizer ----------------------------------------------------------------------------

TOKENS_STYLE = """<style>
.lunsedu .lu-tokens { line-height: 2.7; margin: 6px 0; padding: 0; list-style: none;
  display: flex; flex-wrap: wrap; gap: 6px 3px; }
.lunsedu .lu-tokens li { line-height: 1.2; padding: 3px 5px 2px; text-align: center; margin: 0;
  border-bottom: 3px solid var(--lu-edge); background: var(--lu-soft); border-radius: 3px 3px 0 0;
  overflow-wrap: anywhere; white-space: pre-wrap; font-size: 15px; }
.lunsedu .lu-tokens li.lu-word { margin-left: 7px; }
.lunsedu .lu-tokens small { display: block; font-size: 12px; color: var(--lu-quiet);
  font-family: var(--jp-ui-font-family, sans-serif); }
</style>"""

EDGES = ("var(--lu-blue)", "var(--lu-red)", "var(--lu-green)", "var(--lu-grey)")


def token_pieces(tokenizer, text, merges):
    """Return the tokens of a text when only the first `merges` merges are known.

    A list of dicts: id, text (as shown to people), bytes, starts_word (bool).
    """
    pieces = []
    for word in tokenizer.split(text):
        ids = tokenizer.encode_with_merges(word, merges)
        for place, token_id in enumerate(ids):
            shown = tokenizer.token_text(token_id)
            raw = tokenizer.token_bytes(token_id)
            pieces.append(dict(id=token_id, text=shown, bytes=raw, starts_word=place == 0))
    return pieces


def tokens_view(tokenizer, text, merges):
    """Return the page of the tokenizer explorer: counts, the pieces, the merge learned last."""
    pieces = token_pieces(tokenizer, text, merges)
    count, raw = len(pieces), len(text.encode("utf-8"))
    numbers = [
        ("characters", len(text)),
        ("bytes", raw),
        ("tokens", count),
        ("bytes a token", f"{raw / count:.2f}" if count else "&#8211;"),
    ]
    items = []
    for i, piece in enumerate(pieces):
        codes = " ".join(f"{byte:02X}" for byte in piece["bytes"])
        shown = safe(visible(piece["text"]))
        gap = ' class="lu-word"' if piece["starts_word"] and i else ""
        items.append(
            f'<li{gap} style="--lu-edge:{EDGES[i % len(EDGES)]}" title="bytes {codes}">'
            f'<bdi class="lu-code">{shown}</bdi><small>{piece["id"]}</small></li>'
        )
    label = f"{count} tokens"
    return page(
        TOKENS_STYLE,
        tiles(numbers),
        f'<ol class="lu-tokens" aria-label="{label}">{"".join(items)}</ol>'
        if items
        else "<p>No text, no tokens: type something above.</p>",
        _last_merge(tokenizer, merges),
        '<p class="lu-quiet">Each piece is a token, the small number its id. A wider gap is a'
        " word's end, which merges never cross. &#183; is a space, \\x.. a byte that is no"
        " character by itself.</p>",
    )


def tiles(numbers):
    """Return pairs (name, value) as a row of large numbers with their names."""
    inner = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in numbers)
    return f'<dl class="lu-tiles">{inner}</dl>'


def _last_merge(tokenizer, merges):
    if not merges:
        return "<p>No merge yet: every byte is a token of its own.</p>"
    left, right = tokenizer.merges[merges - 1]
    a, b = (visible(tokenizer.token_text(i)) for i in (left, right))
    return (
        f'<p>Merge number {merges} joins <bdi class="lu-code"><b>{safe(a)}</b></bdi> and'
        f' <bdi class="lu-code"><b>{safe(b)}</b></bdi>.</p>'
    )


# --- attention --------------------------------------------------------------------------------

CELL, MAX_TOKENS = 15, 28  # pixels of a square; positions drawn, so that the picture stays legible
NAME = 10  # letters of a token beside its row

BOLD = ' font-weight="700"'

ATTENTION_STYLE = """<style>
.lunsedu .lu-looks { display: flex; flex-wrap: wrap; gap: 4px; margin: 8px 0; padding: 0;
  list-style: none; align-items: end; }
.lunsedu .lu-looks li { text-align: center; margin: 0; padding: 2px 3px; border-radius: 3px; }
.lunsedu .lu-looks li.lu-asks { outline: 3px solid var(--lu-red); }
.lunsedu .lu-looks i { display: block; width: 20px; height: 54px; margin: 0 auto 2px;
  background: linear-gradient(to top, var(--lu-blue) var(--lu-p), var(--lu-soft) 0); }
.lunsedu .lu-looks small { display: block; font-size: 12px; }
.lunsedu .lu-maps { display: flex; flex-wrap: wrap; gap: 12px; }
.lunsedu .lu-maps figure { margin: 0; }
.lunsedu .lu-maps figcaption { font-weight: 600; }
.lunsedu .lu-maps .lu-frame { fill: none; stroke: var(--lu-grey); }
.lunsedu .lu-maps .lu-asks { fill: none; stroke: var(--lu-red); stroke-width: 2; }
.lunsedu .lu-maps .lu-cell { fill: var(--lu-blue); }
</style>"""


def attention_weights(model, ids):
    """Return the attention weights [L, H, T, T] of all L layers for one list of T ids.

    Row t says where position t looks; it sums to 1 and is 0 for what comes later.
    """
    _, (_, blocks, _, _) = model._forward(np.asarray([ids], dtype=np.int64))
    return np.stack([attended[-1][0] for _, _, attended, *_ in blocks])


def attention_view(weights, tokens, layer, head, position, total=0):
    """Return the page of the attention viewer.

    weights [L, H, T, T]; `layer` and `head` count from 1, head 0 is the mean of all heads;
    `position`, from 1, is the token that looks. `total` is the number of tokens of the whole text,
    when only its first ones are shown.
    """
    _, H, T, _ = weights.shape
    at = min(position, T) - 1
    chosen = weights[layer - 1].mean(axis=0) if head == 0 else weights[layer - 1, head - 1]
    row = chosen[at]  # [T]
    shown = [visible(token) for token in tokens]
    most = int(np.argmax(row))
    who = "the mean of all heads" if head == 0 else f"head {head}"
    items = "".join(
        f'<li class="{"lu-asks" if t == at else ""}"><i style="--lu-p:{100 * row[t]:.0f}%"></i>'
        f'<bdi class="lu-code">{safe(shown[t])}</bdi>'
        f"<small>{safe(percent(float(row[t])))}</small></li>"
        for t in range(at + 1)
    )
    cut = f"The text has {total:,} tokens: the first {T} are shown." if total > T else ""
    return page(
        ATTENTION_STYLE,
        note_view(cut) if cut else "",
        f'<p class="lu-head">Layer {layer}, {who}: token {at + 1},'
        f' <b class="lu-code">{safe(shown[at])}</b>, looks most at token {most + 1},'
        f' <b class="lu-code">{safe(shown[most])}</b> ({safe(percent(float(row[most])))}).</p>',
        f'<ol class="lu-looks" aria-label="Where token {at + 1} looks">{items}</ol>',
        '<div class="lu-maps">',
        *(_map(weights[layer - 1, h], shown, h + 1, at, head in (0, h + 1)) for h in range(H)),
        "</div>",
        '<p class="lu-quiet">The outlined token looks back at the tokens up to itself; bars and'
        " percentages say how much. In the squares each row is a token that looks, a"
        " stronger colour is more; the outlined row is the chosen one.</p>",
    )


def _map(weights, shown, number, at, active):
    """One head as a square of at most MAX_TOKENS rows, the last ones when there are more."""
    T = len(weights)
    first = max(0, T - MAX_TOKENS)
    side = (T - first) * CELL
    names, left = [], 0
    if number == 1:  # the rows are the same in all heads: named once, at the left
        cut = [name if len(name) <= NAME else name[: NAME - 1] + "…" for name in shown[first:]]
        left = LETTER * max(map(len, cut)) + 10
        names = [
            f'<text class="lu-code" x="{left - 6:.0f}" y="{(row + 0.8) * CELL:.0f}"'
            f' text-anchor="end" font-size="12"{BOLD if row + first == at else ""}>{safe(name)}'
            "</text>"
            for row, name in enumerate(cut)
        ]
    cells = "".join(
        f'<rect class="lu-cell" x="{(s - first) * CELL}" y="{(t - first) * CELL}" width="{CELL}"'
        f' height="{CELL}" fill-opacity="{weights[t, s]:.2f}"/>'
        for t in range(first, T)
        for s in range(first, t + 1)
        if weights[t, s] >= 0.005
    )
    most = int(np.argmax(weights[at]))
    label = f"Head {number}: {shown[at]} looks most at {shown[most]}, {weights[at, most]:.2f}"
    line = ""
    if at >= first:
        y = (at - first) * CELL
        line = f'<rect class="lu-asks" x="1" y="{y}" width="{side - 2}" height="{CELL}"/>'
    pale = "" if active else ' opacity="0.45"'  # the picture alone: words stay readable
    indent = f' style="padding-left:{left:.0f}px"' if left else ""
    return (
        f"<figure><figcaption{indent}>head {number}"
        "</figcaption>"
        f'<svg role="img" aria-label="{safe(label)}" width="{left + side:.0f}" height="{side}">'
        f'{"".join(names)}<g transform="translate({left:.0f})"{pale}>{cells}'
        f'<rect class="lu-frame" x="0.5" y="0.5" width="{side - 1}" height="{side - 1}"/>{line}'
        "</g></svg></figure>"
    )


# --- training ---------------------------------------------------------------------------------


@dataclass
class TrainingState:
    """What the training monitor shows; losses are in nats a token.

    The steps before `first_step` and the epochs before `first_epoch` of the history belong to
    earlier trainings. `samples` are pairs (epoch, text), oldest first; `floors` a dict
    {name: loss}.
    """

    status: str = "ready"  # one of STATUS
    history: History = field(default_factory=History)
    epochs: int = 0  # the last one, counted from the very first
    steps_per_epoch: int = 1
    first_epoch: int = 0
    first_step: int = 0
    floors: dict = field(default_factory=dict)
    tokens_per_second: float = 0.0
    prompt: str = ""
    samples: list = field(default_factory=list)


STATUS = {
    "ready": "Ready. Press start.",
    "training": "Training.",
    "paused": "Paused. Press resume to go on, or stop to end here.",
    "stopping": "Stopping.",
    "stopped": "Stopped. What was learned is kept; start goes on from here.",
    "done": "Done.",
    "failed": "Failed.",
}


def thin_out(losses, limit=240):
    """Return at most `limit` points (step, mean loss) that stand for all losses, in order.

    >>> thin_out([4.0, 2.0, 1.0], limit=2)
    [(2, 3.0), (3, 1.0)]
    """
    size = -(-len(losses) // limit) or 1
    return [
        (min(start + size, len(losses)), float(np.mean(losses[start : start + size])))
        for start in range(0, len(losses), size)
    ]


def training_view(state):
    """Return the page of the training monitor.

    Its loss is the mean over all tokens of an epoch, as in the history, and so are the distances
    to the floors. The mean over steps is another number: there a batch of short texts weighs as
    much as one of long texts.
    """
    history = state.history
    loss = history.train_loss[-1] if history.train_loss else None
    none = "&#8211;"
    numbers = [
        ("epoch", f"{history.epochs} of {state.epochs}" if state.epochs else history.epochs),
        ("loss, nats a token", none if loss is None else f"{loss:.3f}"),
        *(
            (f"above the {safe(name)}", none if loss is None else f"{loss - floor:.3f}")
            for name, floor in state.floors.items()
        ),
        (
            "tokens a second",
            _timed(f"{state.tokens_per_second:,.0f}" if state.tokens_per_second else none),
        ),
    ]
    return page(
        f'<p class="lu-head" role="status">{STATUS[state.status]}</p>',
        _unlearning(state),
        tiles(numbers),
        _loss_chart(state),
        _samples(state),
    )


def _timed(text):
    """Mark a number that differs from run to run."""
    return f'<span class="lu-time">{text}</span>'


def _unlearning(state):
    """Return a note if the loss is far above its best by now, else ""."""
    losses = [loss for _, loss in thin_out(state.history.step_loss, 60)]
    if not losses or losses[-1] < min(losses) + 1 or losses[-1] < 1.5 * min(losses):
        return ""
    return note_view(
        f"The loss rose from {min(losses):.2f} to {losses[-1]:.2f}: the model is unlearning. Stop,"
        " and train a fresh model with a smaller lr."
    )


def _loss_chart(state):
    """The epochs of the history as a thick line, the steps of this training as a thin one."""
    history, first = state.history, state.first_epoch
    steps = [
        (first + step / state.steps_per_epoch, loss)
        for step, loss in thin_out(history.step_loss[state.first_step :])
    ]
    epochs = list(enumerate(history.train_loss, start=1))
    if not steps and not epochs:
        return '<p class="lu-quiet">The loss will be drawn here while the model learns.</p>'
    series, words = [], []
    if steps:
        name = f"single steps {steps[-1][1]:.2f}"
        series.append(dict(points=steps, name=name, color="var(--lu-grey)", thick=False))
    if epochs:
        if steps:  # an epoch that was left in the middle
            epochs[-1] = (min(epochs[-1][0], steps[-1][0]), epochs[-1][1])
        series.append(dict(points=epochs, name=f"training {epochs[-1][1]:.2f}"))
        words.append(f"Training loss: from {epochs[0][1]:.2f} to {epochs[-1][1]:.2f} nats a token")
    else:
        words.append(
            f"Loss of the steps: from {steps[0][1]:.2f} to {steps[-1][1]:.2f} nats a token"
        )
    if history.validation_loss:
        points = list(zip(history.validation_epochs, history.validation_loss, strict=True))
        name = f"validation {points[-1][1]:.2f}"
        series.append(dict(points=points, name=name, color="var(--lu-red)", dash="6 4"))
        words.append(f"validation loss {points[-1][1]:.2f}")
    words += [f"{name} {value:.2f}" for name, value in state.floors.items()]
    end = math.ceil(max(x for one in series for x, _ in one["points"]))
    size = dict(width=720, height=240)
    chart = line_chart(series, "; ".join(words) + ".", "epochs", state.floors, (0, end), **size)
    return chart + (
        '<p class="lu-quiet">Thick: the mean of each epoch, every token counts the same. Thin:'
        " single steps, every batch counts the same, so short texts count more.</p>"
    )


def _samples(state):
    """The text that the model makes from one prompt, now and at earlier times."""
    if not state.samples:
        return ""
    prompt = safe(shorten(state.prompt, 120))
    rows = "".join(
        f'<tr><td class="lu-number">{epoch}</td><td dir="auto"><span class="lu-quiet">'
        f"{prompt}</span><b>{safe(text.removeprefix(state.prompt))}</b></td></tr>"
        for epoch, text in reversed(state.samples)
    )
    return (
        '<table><thead><tr><th scope="col" class="lu-number">epoch</th>'
        f'<th scope="col">what it makes of &#8220;{prompt}&#8221;</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
