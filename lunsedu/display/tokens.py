"""The tokenizer as HTML: a text cut into its tokens, as many merges as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lunsedu.display.html_page import page, tiles
from lunsedu.looks import safe, visible

if TYPE_CHECKING:
    from lunsedu.tokenizer.tokenizer import Tokenizer

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


def tokens_view(tokenizer: Tokenizer, text: str, merges: int) -> str:
    """Return the page of the tokenizer explorer: counts, the pieces, the merge learned last."""
    pieces = tokenizer.pieces(text, merges)
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


def _last_merge(tokenizer, merges):
    if not merges:
        return "<p>No merge yet: every byte is a token of its own.</p>"
    left, right = tokenizer.merges[merges - 1]
    a, b = (visible(tokenizer.token_text(i)) for i in (left, right))
    return (
        f'<p>Merge number {merges} joins <bdi class="lu-code"><b>{safe(a)}</b></bdi> and'
        f' <bdi class="lu-code"><b>{safe(b)}</b></bdi>.</p>'
    )
