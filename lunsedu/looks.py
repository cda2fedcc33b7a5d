"""How everything looks: one palette, and text made safe and visible before it is shown.

    safe("<b>")            -> "&lt;b&gt;"      ready for HTML, in attributes, too
    visible(" a")          -> "·a"            spaces and control characters can be seen
    counted(2, "token")    -> "2 tokens"
    spread([1, 1], gap=2)  -> [1, 3]          labels moved apart

Everything that draws, writes HTML or describes a picture in words takes these from here.

What is not here: figures (plots/), pages (display/), the candidates view (decoding/).
"""

from collections.abc import Sequence
from html import escape

# Okabe and Ito's palette, told apart by colour-blind eyes, too (jfly.uni-koeln.de/color/).
BLUE, RED, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#F0E442"
COLORS = [BLUE, RED, GREEN, ORANGE, PURPLE, SKY]  # in the order in which series get them

# Greys, from paper to ink. Text takes GREY or INK; QUIET has 3 to 1 against white and dark grey.
PAPER, PALE, LIGHT, RULE = "#FFFFFF", "#F3F5F7", "#E3E7EB", "#DFE3E7"
FAINT, PLAIN, QUIET, GREY, INK = "#A8B4BF", "#8A949E", "#7F7F7F", "#5F6B76", "#1C2733"
BEST_TINT = "#E6F0F7"  # behind the best of several
DARKEST_BLUE = "#003A5D"  # the end of a ramp from white

# The same palette for HTML in JupyterLab: the page's own colours, a light and a dark set of ours.
THEME = """
.lunsedu { --lu-ink: var(--jp-ui-font-color1, #222); --lu-paper: var(--jp-layout-color0, #fff);
  --lu-soft: var(--jp-layout-color2, #eee); --lu-rule: var(--jp-border-color1, #bbb);
  --lu-quiet: #595f66; --lu-blue: #0072b2; --lu-red: #d55e00; --lu-green: #00805d;
  --lu-grey: #767676; --lu-tint: 0, 114, 178; }
[data-jp-theme-light="false"] .lunsedu { --lu-quiet: #b4bac0; --lu-blue: #56b4e9;
  --lu-red: #ff8c3a; --lu-green: #2fc79b; --lu-grey: #9a9a9a; --lu-tint: 86, 180, 233; }
"""

# The characters that would be invisible, or would move others about, and what stands for them.
SHOWN = {" ": "·", "\n": "↵", "\t": "⇥"}
MOVES_TEXT = set(map(chr, (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def visible(token: str) -> str:
    """Return a token's text with spaces and control characters made visible.

    >>> visible(" a")
    '·a'
    """
    return "".join(SHOWN.get(c, printable(c)) for c in token) or "∅"


def printable(character: str) -> str:
    """Return the character, or its code where it is invisible, moves text about or is invalid.

    >>> printable("a"), printable(chr(7))
    ('a', '\\\\u0007')
    """
    code = ord(character)
    control = code < 32 or 127 <= code < 160 or 0xD800 <= code < 0xE000
    return f"\\u{code:04x}" if control or character in MOVES_TEXT else character


def safe(text: str) -> str:
    """Escape text for HTML, in attributes too. Line breaks stay, other control characters don't.

    >>> safe('a < "b"')
    'a &lt; &quot;b&quot;'
    """
    return escape("".join(c if c == "\n" else printable(c) for c in text), quote=True)


def percent(prob: float) -> str:
    """Return a probability for people: "41%", and "<1%" for what would round to 0.

    >>> percent(0.414), percent(0.001), percent(0.0)
    ('41%', '<1%', '0%')
    """
    return "<1%" if 0 < prob < 0.005 else f"{100 * prob:.0f}%"


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, with an s unless the number is 1.

    >>> counted(1, "epoch"), counted(12_000, "token")
    ('1 epoch', '12000 tokens')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def spread(
    places: Sequence[float], gap: float, low: float = float("-inf"), high: float = float("inf")
) -> list[float]:
    """Move places, in ascending order, until neighbours are `gap` apart, between low and high.

    So labels at nearly the same height do not lie on each other. Where there is not enough room,
    `high` holds and `low` gives way.

    >>> spread([0, 1, 30], gap=8)
    [0, 8, 30]
    >>> spread([98, 99, 100], gap=8, high=100)
    [84, 92, 100]
    """
    found = []
    for place in places:
        found.append(max(place, found[-1] + gap if found else low))
    limit = high
    for i in reversed(range(len(found))):
        found[i] = min(found[i], limit)
        limit = found[i] - gap
    return found
