"""What the widgets show: pure functions from numbers to HTML, and the style that they share.

    html = error_view(error)

Every function of this room takes plain values and returns a
string of HTML or SVG; nothing is drawn by hand or kept. All text of users and models is escaped.
Colours follow JupyterLab's light or dark theme. Nothing depends on colour alone, every picture
has its description in words, and what moves stands still for people who ask for that.

What is not here: sliders and buttons (widgets/), static pictures (stills.py).
"""

import traceback
from collections.abc import Iterable

from lunsedu.looks import THEME, safe

LETTER = 7.5  # pixels of a letter in a chart, at most in the mean

STYLE = (
    "<style>"
    + THEME
    + """
.lunsedu .lu-page { color: var(--lu-ink); font: 14px/1.45 var(--jp-ui-font-family, sans-serif);
  max-width: 70em; padding: 2px; container-type: inline-size; }
.lunsedu .lu-page p { margin: 4px 0; }
.lunsedu .lu-head { font-size: 16px; margin: 2px 0 6px; overflow-wrap: anywhere; }
.lunsedu .lu-quiet { color: var(--lu-quiet); }
.lunsedu .lu-winner { background: #0072b2; color: #fff; border-radius: 3px; padding: 1px 7px;
  font-weight: 600; white-space: nowrap; }
.lunsedu .lu-scroll { overflow: auto; max-height: 560px; border-radius: 4px; }
.lunsedu .lu-code { font-family: var(--jp-code-font-family, monospace); white-space: pre; }
.lunsedu .lu-tiles { display: flex; flex-wrap: wrap; gap: 8px 28px; margin: 4px 0 8px; padding: 0; }
.lunsedu .lu-tiles div { display: flex; flex-direction: column-reverse; }
.lunsedu .lu-tiles dt { color: var(--lu-quiet); font-weight: 400; white-space: nowrap; }
.lunsedu .lu-tiles dd { margin: 0; font-size: 20px; font-weight: 600; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.lunsedu .lu-error, .lunsedu .lu-note { border-left: 4px solid var(--lu-red); color: var(--lu-ink);
  background: var(--lu-soft); padding: 8px 12px; margin: 4px 0; overflow-wrap: anywhere;
  font: 14px/1.45 var(--jp-ui-font-family, sans-serif); max-width: 70em; }
.lunsedu .lu-note { border-color: var(--lu-blue); }
.lunsedu .lu-error pre { font-size: 12px; overflow-x: auto; color: inherit; background: none;
  margin: 6px 0 0; }
.lunsedu .lu-page svg { display: block; max-width: none; font-family: inherit; }
.lunsedu .lu-page svg text { fill: var(--lu-ink); }
.lunsedu .lu-page svg .lu-quiet { fill: var(--lu-quiet); }
.lunsedu .lu-page table { border-collapse: collapse; border: none; font-size: 14px; margin: 4px 0;
  color: inherit; }
.lunsedu .lu-page table th, .lunsedu .lu-page table td { text-align: left; border: none;
  padding: 5px 14px 5px 6px; border-top: 1px solid var(--lu-rule); vertical-align: top;
  max-width: none; overflow-wrap: anywhere; }
.lunsedu .lu-page table tr { background: none; }
.lunsedu .lu-page table th { white-space: nowrap; }
.lunsedu .lu-page table thead th { border-top: none; color: var(--lu-quiet); font-weight: 600;
  white-space: normal; overflow-wrap: normal; vertical-align: bottom; }
.lunsedu .lu-page .lu-number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.lunsedu .lu-page table thead th.lu-number { white-space: normal; }
.lunsedu .lu-both { display: flex; flex-wrap: wrap; gap: 4px 28px; }
.lunsedu .lu-both section { flex: 1 1 22em; min-width: 0; overflow-wrap: anywhere;
  container-type: inline-size; }
.lunsedu .lu-progress { width: min(100%, 24em); height: 12px; accent-color: var(--lu-blue);
  vertical-align: middle; }
.lunsedu .lu-page details { margin: 6px 0; }
.lunsedu .lunsedu-result { font-size: 14px; }
.lunsedu .lunsedu-result .lunsedu-token > span, .lunsedu .lunsedu-result .lunsedu-token > bdi,
.lunsedu .lunsedu-result .lunsedu-note { font-size: 12px !important; }
.lunsedu .lunsedu-result .lunsedu-prompt { display: -webkit-inline-box; overflow: hidden;
  -webkit-box-orient: vertical; -webkit-line-clamp: 2; vertical-align: bottom; }
.lunsedu .lu-page svg.lu-chart { min-width: 560px; max-width: 100%; height: auto; }
@container (max-width: 520px) {
  .lunsedu .lunsedu-result thead { display: none; }
  .lunsedu .lunsedu-result tbody tr { display: grid; grid-template-columns: 5em 1fr auto;
    border-top: 1px solid var(--lu-rule); }
  .lunsedu .lunsedu-result table tbody th, .lunsedu .lunsedu-result table tbody td { border: none; }
  .lunsedu .lunsedu-result table td.lunsedu-text { grid-row: 2; grid-column: 1 / -1; width: auto; }
  .lunsedu .lu-page table th, .lunsedu .lu-page table td { padding: 5px 8px 5px 4px; }
}
.lunsedu .lu-new { animation: lu-appear 0.35s ease-out; }
@keyframes lu-appear { from { opacity: 0.25; } to { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { .lunsedu .lu-new { animation: none; } }
</style>"""
)


def scrolling(html: str, label: str) -> str:
    """Return HTML in a frame that scrolls sideways where the page is too narrow for it."""
    return (
        f'<div class="lu-scroll" tabindex="0" role="group" aria-label="{safe(label)}">{html}</div>'
    )


def page(*parts: str) -> str:
    """Return the parts as one page; `None` and "" are left out.

    The shell around it (controls.py) has the class "lunsedu" and the STYLE that pages need.
    """
    return f'<div class="lu-page">{"".join(part for part in parts if part)}</div>'


def error_view(error: BaseException) -> str:
    """Return an exception as one clear sentence, with its traceback folded.

    The package's own errors are written for people and shown as they are; anything else is named.

    >>> "bad prompt" in error_view(ValueError("bad prompt"))
    True
    """
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    message = str(error).strip()
    if not isinstance(error, (ValueError, TypeError, OSError, FloatingPointError)) or not message:
        message = f"this did not work ({type(error).__name__}{': ' * bool(message)}{message})"
    return (
        f'<div class="lu-error" role="alert"><b>&#9888; Error:</b> {safe(message)}'
        "<details><summary>Where it happened</summary>"
        f'<pre tabindex="0">{safe("".join(lines))}</pre></details></div>'
    )


def note_view(text: str) -> str:
    """Return a sentence that is no error, such as a warning of the package."""
    return f'<div class="lu-note" role="status">&#8505; {safe(text)}</div>'


def shorten(text: str, length: int) -> str:
    """Return the end of a text, at most `length` characters, with an ellipsis for what is gone.

    >>> shorten("once upon a time", 7)
    '…a time'
    """
    return text if len(text) <= length else "…" + text[1 - length :]


def tiles(numbers: Iterable[tuple[str, object]]) -> str:
    """Return pairs (name, value) as a row of large numbers with their names."""
    inner = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in numbers)
    return f'<dl class="lu-tiles">{inner}</dl>'
