"""The site: built without a warning, every link leads somewhere, everybody can read it."""

import functools
import http.server
import os
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import pytest

pytest.importorskip("myst_nb", reason='needs the extra [site]: pip install -e ".[site]"')
pytest.importorskip("sphinx_design", reason='needs the extra [site]: pip install -e ".[site]"')

from browser.lab_driver import ARGUMENTS, find_chromium  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(path.stem for path in ROOT.glob("notebooks/[0-9]*.ipynb"))
LOADED = {"img": "src", "script": "src", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """The links, anchors, pictures and loaded files of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.loaded, self.pictures = [], set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "link" and attrs.get("rel") not in ("canonical", "next", "prev", "search"):
            self.loaded.append(attrs["href"])
        if attrs.get(LOADED.get(tag)):
            self.loaded.append(attrs[LOADED[tag]])
        if tag == "img":
            self.pictures.append(attrs)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built as the README says; any warning is an error."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-E", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(out / ".trees"), str(ROOT / "notebooks" / "site"), str(out / "html")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return out / "html"


@pytest.fixture(scope="module")
def pages(site):
    """{address: Page} of all pages."""
    found = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    return {path.relative_to(site).as_posix(): Page(path) for path in found}


def test_every_lesson_exercise_and_text_is_there(pages):
    exercises = sorted(path.stem for path in ROOT.glob("notebooks/exercises/*.ipynb"))
    expected = [f"notebooks/{name}.html" for name in LESSONS]
    expected += [f"notebooks/exercises/{name}.html" for name in exercises]
    expected += ["index.html", "search.html", "notebooks/GLOSSARY.html", "notebooks/TEACHING.html"]
    expected += ["tests/benchmarks/README.html", "reference/lunsedu.decoding.html"]
    assert set(expected) <= set(pages)


def test_every_internal_link_and_anchor_resolves(site, pages):
    broken = []
    for address, page in pages.items():
        for link in page.links:
            if urlparse(link).scheme:
                continue
            target, anchor = urldefrag(urljoin(f"/{address}", link))
            target = unquote(target).lstrip("/") or "index.html"
            found = (site / target).is_file()
            if found and anchor and target in pages:
                found = unquote(anchor) in pages[target].ids
            if not found:
                broken.append(f"{address}: {link}")
    assert broken == []
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_nothing_is_loaded_from_elsewhere(site, pages):
    for address, page in pages.items():
        for link in page.loaded:
            assert not urlparse(link).netloc, f"{address} loads {link}"
            name = unquote(urlparse(urljoin(f"/{address}", link)).path).lstrip("/")
            assert link.startswith("data:") or (site / name).is_file(), f"{address}: {link}"


def test_every_picture_says_in_words_what_it_shows(pages):
    for address, page in pages.items():
        for picture in page.pictures:
            assert len(picture.get("alt", "").split()) >= 3, f"{address}: {picture['src']}"


def test_formulas_are_mathematics(site):
    text = (site / "notebooks/13_adapting_a_real_model.html").read_text(encoding="utf-8")
    assert "<math" in text and "$$" not in text


def test_hints_stay_folded_and_what_is_in_them_is_text(site):
    text = (site / "notebooks/exercises/03_model.html").read_text(encoding="utf-8")
    assert text.count("<details>") == text.count("</details>") > 5
    assert "<details open" not in text


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(site):
    """The address of the site on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason='needs the extra [browser]: pip install -e ".[browser]"'
    )
    if find_chromium() is None:
        pytest.skip("no Chromium or Chrome was found: install it, or set CHROMIUM to its path")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, served):
    """A page that keeps its complaints and every address that it asked for."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.complaints, page.asked = [], []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            page.complaints.append(f"{page.url}: {message.text}")
            if message.type == "error"
            else None
        ),
    )
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    page.close()


def addresses(pages):
    return [address for address in pages if address != "genindex.html"]


def test_pages_load_in_peace_and_fit_a_telephone_and_a_screen(page, pages, served):
    for address in addresses(pages):
        page.goto(f"{served}/{address}")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.scrollingElement.scrollWidth")
            assert wide <= width, f"{address} is {wide} pixels wide on a screen of {width}"
    assert page.complaints == []
    assert all(asked.startswith((served, "data:")) for asked in page.asked)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, pages, served, theme):
    axe = os.environ.get("AXE_CORE")
    if not axe:
        pytest.skip("axe-core was not found: set AXE_CORE to the path of its axe.min.js")
    page.add_init_script(f"localStorage.setItem('mode', '{theme}')")
    serious = []
    # in the dark a page of each kind: their colours come from one style sheet
    for address in addresses(pages) if theme == "light" else KINDS:
        page.goto(f"{served}/{address}")
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        page.add_script_tag(path=axe)
        if address not in KINDS:  # code is most of a page, and its colours are the same everywhere
            page.evaluate(CODE_WITHOUT_COLOURS)
        serious += [(address, *one) for one in page.evaluate(AXE)]
    assert serious == []


KINDS = (
    "index.html",
    "lessons.html",
    "search.html",
    "notebooks/03_model.html",
    "notebooks/09_how_good_is_it.html",
    "notebooks/exercises/06_insideout.html",
    "notebooks/TEACHING.html",
    "reference/lunsedu.decoding.html",
)

CODE_WITHOUT_COLOURS = """() => document.querySelectorAll('.highlight pre')
  .forEach(code => code.textContent = code.textContent)"""

# the rules of WCAG 2.1 at its levels A and AA, and of what they find the serious part
AXE = """() => axe.run(document, {
  resultTypes: ['violations'],
  runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']},
}).then(result => result.violations
  .filter(found => ['serious', 'critical'].includes(found.impact))
  .map(found => [found.id, found.nodes.map(node => node.html.slice(0, 160))]))"""


def test_search_finds_insideout(page, served):
    page.goto(f"{served}/search.html?q=InsideOut")
    page.wait_for_selector("#search-results li")
    found = page.locator("#search-results li").all_inner_texts()
    assert any("InsideOut" in words for words in found) and len(found) > 3


def test_a_reader_goes_from_lesson_to_lesson(page, served):
    page.goto(f"{served}/notebooks/{LESSONS[0]}.html")
    for name in LESSONS[1:4]:
        page.locator(".prev-next-footer .right-next").click()
        page.wait_for_url(f"**/notebooks/{name}.html")


def test_in_the_dark_theme_pictures_keep_their_paper(page, served):
    page.add_init_script("localStorage.setItem('mode', 'dark')")
    page.goto(f"{served}/index.html")
    picture = page.locator(".bd-article img").first
    paper = picture.evaluate("node => getComputedStyle(node).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, ground.removeprefix("rgb(").rstrip(")").split(","))) < 150
