"""What of a hand-in comes onto a teacher's or a student's page: no live script, and not too much.

Outputs that were handed in are dropped. What runs in the fence is shown as plain text. Of HTML in
a student's texts only harmless tags stay; and the finished page forbids all scripts by a content
security policy, whatever was overlooked.

What is not here: nbgrader's steps (nbgrader_steps.py).
"""

import re
from typing import Any

MOST_OUTPUT = 20_000  # characters of one cell's outputs
MOST_SOURCE = 40_000  # characters of one cell on a page
MOST_PAGE = 1_900_000  # bytes of a page
MOST_PICTURE = 300_000  # characters of a picture that is attached to a text, as base64

POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
    " style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'\">"
)
TAGS = set(
    "a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p"
    " pre s small span strong sub summary sup table tbody td th thead tr u ul".split()
)
ATTRIBUTES = {"a": ["href", "title"], "img": ["src", "alt", "title", "width"], "*": ["title"]}
TAG_BEGINS = re.compile(r"<\s*[a-zA-Z/!?]")
BAD_LINK = re.compile(r"(?i)\b(?:javascript|vbscript|data)\s*:")
SCRIPT = re.compile(r"(?is)<script\b.*?</script\s*>|</?script\b[^>]*>")


def harmless(text: str) -> str:
    """Return a student's Markdown with only harmless HTML in it.

    >>> harmless("2 < 3, *yes* <b onclick='x()'>bold</b><script>x()</script>")
    '2 &lt; 3, *yes* <b>bold</b>&lt;script&gt;x()&lt;/script&gt;'
    >>> harmless("2 < 3"), harmless("[a](javascript:x)")
    ('2 < 3', '[a](blocked:x)')
    """
    if TAG_BEGINS.search(text):
        text = _cleaned(text)
    return BAD_LINK.sub("blocked:", text)


def _cleaned(text):
    try:
        import bleach  # comes with nbgrader
    except ModuleNotFoundError:
        return text.replace("<", "&lt;")
    return bleach.clean(text, tags=TAGS, attributes=ATTRIBUTES, protocols=["http", "https"])


def shortened(text: str, most: int) -> str:
    """Return at most so many characters, and say how many were left out.

    >>> shortened("abcdef", 4)
    'abcd\\n... and 2 characters more'
    """
    if len(text) <= most:
        return text
    return f"{text[:most]}\n... and {len(text) - most:,} characters more"


def attachments(found: Any) -> dict:
    """Return those pictures attached to a text that may be shown."""
    kept = {}
    for name, kinds in found.items() if isinstance(found, dict) else ():
        for kind in ("image/png", "image/jpeg", "image/gif"):
            data = kinds.get(kind) if isinstance(kinds, dict) else None
            if isinstance(data, str) and len(data) <= MOST_PICTURE:
                if re.fullmatch(r"[A-Za-z0-9+/=\s]*", data):
                    kept[str(name)] = {kind: data}
    return kept if sum(len(str(one)) for one in kept.values()) < 2 * MOST_PICTURE else {}


def closed(page: str) -> str:
    """Return a page of HTML in which no script runs.

    >>> closed("<html><head><script src='x'></script></head></html>")[:43]
    '<html><head><meta http-equiv="Content-Secur'
    """
    page = SCRIPT.sub("", page)
    return re.sub(r"(?i)<head\b[^>]*>", lambda found: found[0] + POLICY, page, count=1)
