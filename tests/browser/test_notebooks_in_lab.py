"""Every notebook with a widget, in a real JupyterLab: it runs, and its widgets do what they say.

The pages are compared with what the pure functions behind the widgets return: the notebook's own
kernel is asked for it.
"""

import os
import re

import pytest

from browser.conftest import notebooks_with_widgets
from browser.lab_driver import STDERR, drag

NAMES = notebooks_with_widgets()
# a real model takes seconds for a page, so its sliders are not moved through all their ends
QUICK = [name for name in NAMES if not name.startswith(("10_", "13_"))]
ON_PAGE = """(node, html) => {
  const words = (root) => {
    for (const gone of root.querySelectorAll('style, .lu-time')) gone.remove();
    return root.textContent.replace(/\\d+ ms/g, '').replace(/\\s+/g, ' ').trim();
  };
  return [words(node.cloneNode(true)),
    words(new DOMParser().parseFromString(html, 'text/html').body)];
}"""


def shells_of(page, lab, name):
    """Return the locators of all shells, in the order of the kernel's list `shells`."""
    found = page.locator(".lunsedu")
    count = lab.ask(name, "len(shells)")
    assert found.count() == count, "each widget of the notebook is shown once"
    return [found.nth(i) for i in range(count)]


def assert_page_is_what_the_view_says(page, lab, name, number, shell):
    """Compare words and numbers of a shell's page with its pure function, once it has followed."""
    for _ in range(100):
        html = lab.ask(name, f"shells[{number}].view(**shells[{number}].values)")
        shown, expected = shell.locator(".lu-page").evaluate(ON_PAGE, html)
        if shown == expected:
            break
        page.wait_for_timeout(100)
    assert shown == expected
    assert len(shown) > 20


def sliders(shell):
    """Return (handle, box) for each slider of a shell."""
    pairs = shell.locator(".lu-pair")
    return [
        (pairs.nth(i).get_by_role("slider"), pairs.nth(i).get_by_role("spinbutton"))
        for i in range(pairs.count())
    ]


@pytest.mark.parametrize("name", NAMES)
def test_runs_without_errors(opened, name):
    page = opened(name)
    assert page.locator(STDERR, has_text="Traceback").count() == 0
    assert page.locator(".lunsedu .lu-error").count() == 0
    assert page.get_by_text("Error displaying widget").count() == 0
    assert page.locator(".lunsedu").count() > 0
    assert page.complaints == []


@pytest.mark.parametrize("name", NAMES)
def test_first_view_is_what_the_pure_function_says(opened, lab, name):
    page = opened(name)
    for number, shell in enumerate(shells_of(page, lab, name)):
        assert_page_is_what_the_view_says(page, lab, name, number, shell)


@pytest.mark.parametrize("name", QUICK)
def test_sliders_follow_keyboard_and_mouse(opened, lab, name):
    page = opened(name)
    for number, shell in enumerate(shells_of(page, lab, name)):
        for handle, box in sliders(shell):
            low, high = (int(box.get_attribute(end)) for end in ("min", "max"))
            if low == high:
                continue
            handle.focus()
            page.keyboard.press("Home")
            _wait_for_value(page, box, low)
            assert_page_is_what_the_view_says(page, lab, name, number, shell)
            before = shell.locator(".lu-page").inner_html()
            page.keyboard.press("ArrowRight")
            _wait_for_value(page, box, low + 1)
            assert_page_is_what_the_view_says(page, lab, name, number, shell)
            assert shell.locator(".lu-page").inner_html() != before

            drag(handle, 70)
            # the handle may say 19.0 where ipywidgets cut 18.999 down to 18
            page.wait_for_function(
                "([handle, box]) => +box.value >= Math.min(+box.min + 2, +box.max)"
                " && Math.abs(+handle.getAttribute('aria-valuenow') - box.value) <= 1",
                arg=[handle.element_handle(), box.element_handle()],
            )
            assert_page_is_what_the_view_says(page, lab, name, number, shell)

            box.fill(str(high))
            box.press("Enter")
            page.wait_for_function(
                "([handle, high]) => +handle.getAttribute('aria-valuenow') === high",
                arg=[handle.element_handle(), high],
            )
            assert_page_is_what_the_view_says(page, lab, name, number, shell)


def _wait_for_value(page, box, value):
    page.wait_for_function(
        "([box, value]) => +box.value === value", arg=[box.element_handle(), value]
    )


@pytest.mark.parametrize("name", QUICK)
def test_choices_follow_mouse_and_keyboard(opened, lab, name):
    page = opened(name)
    for number, shell in enumerate(shells_of(page, lab, name)):
        groups = shell.locator(".widget-toggle-buttons")
        for group in [groups.nth(i) for i in range(groups.count())]:
            buttons = group.locator(".widget-toggle-button")
            for i in reversed(range(buttons.count())):
                if i % 2:
                    buttons.nth(i).click()
                else:
                    buttons.nth(i).focus()
                    page.keyboard.press("Enter")
                pressed = group.locator(".widget-toggle-button[aria-pressed=true]")
                page.wait_for_function(
                    "([group, i]) => group.querySelectorAll('.widget-toggle-button')[i]"
                    ".getAttribute('aria-pressed') === 'true'",
                    arg=[group.element_handle(), i],
                )
                assert pressed.count() == 1
                assert_page_is_what_the_view_says(page, lab, name, number, shell)


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_and_control_has_a_name(opened, name):
    page = opened(name)
    pictures = page.locator(".jp-OutputArea-output img")
    for i in range(pictures.count()):
        assert len((pictures.nth(i).get_attribute("alt") or "").split()) >= 5
    for role in ("slider", "spinbutton", "textbox", "button"):
        for control in page.locator(".lunsedu").get_by_role(role).all():
            assert control.evaluate(
                "node => (node.getAttribute('aria-label') || node.labels?.[0]?.innerText"
                " || node.innerText || '').trim()"
            )


@pytest.mark.parametrize("name", NAMES)
def test_focus_follows_the_order_of_reading(opened, name):
    """Tab goes from control to control from top to bottom, and within a line to the right."""
    page = opened(name)
    for shell in page.locator(".lunsedu").all():
        controls = shell.locator(
            "input:visible, textarea:visible, button:enabled:visible, [role=slider]:visible"
        )
        controls.first.focus()
        seen = []
        for _ in range(controls.count()):
            seen.append(
                page.evaluate(
                    # from the shell's own top: the panel around it scrolls to what has the focus
                    "() => { const node = document.activeElement;"
                    " const box = node.getBoundingClientRect();"
                    " const top = node.closest('.lunsedu').getBoundingClientRect().top;"
                    " return [node.outerHTML.slice(0, 80),"
                    " Math.round((box.top + box.bottom) / 2 - top), box.left]; }"
                )
            )
            page.keyboard.press("Tab")
        assert len({html for html, *_ in seen}) >= min(2, len(seen))
        for (_, top, left), (html, next_top, next_left) in zip(seen, seen[1:], strict=False):
            below = next_top > top + 14
            beside = abs(next_top - top) <= 14 and next_left > left
            assert below or beside, html


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_serious(opened, name):
    assert serious_findings(opened(name)) == []


def serious_findings(page):
    """Return what axe-core finds serious or critical in all outputs of a page."""
    path = os.environ.get("AXE_CORE")
    if not path:
        pytest.skip("axe-core was not found: set AXE_CORE to the path of its axe.min.js")
    page.add_script_tag(path=path)
    found = page.evaluate(
        "() => axe.run({include: [['.lunsedu'], ['.jp-OutputArea-output']]})"
        ".then(result => ({violations: result.violations.map(v => [v.id, v.impact,"
        " v.nodes.map(n => n.html.slice(0, 200))]),"
        " looked_at: result.passes.flatMap(rule => rule.nodes).length}))"
    )
    assert found["looked_at"] > 10  # it did look
    return [v for v in found["violations"] if v[1] in ("serious", "critical")]


@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_cut_off_on_a_narrow_screen(opened, name):
    """What is wider than the page scrolls in its own frame; labels are whole."""
    page = opened(name)
    page.set_viewport_size({"width": 800, "height": 1000})
    try:
        page.wait_for_timeout(500)
        for shell in page.locator(".lunsedu").all():
            room = shell.evaluate("node => node.getBoundingClientRect().right")
            assert shell.evaluate(TOO_WIDE, room + 1) == []
    finally:
        page.set_viewport_size({"width": 1280, "height": 1100})
        page.wait_for_timeout(500)


TOO_WIDE = """(shell, room) => [...shell.querySelectorAll('*')]
  .filter(node => !node.closest('style') && node.getClientRects().length)
  .filter(node => (!node.parentElement.closest('.lu-scroll')
      && node.getBoundingClientRect().right > room)
    || (node.classList.contains('widget-label') && node.scrollWidth > node.clientWidth + 1))
  .map(node => node.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_text_can_be_read_in_both_themes(opened, lab, theme):
    """The colours that the browser really uses: at least 4.5 to 1, for all text of all pages."""
    page = opened("07_playground.ipynb")
    lab.set_theme(page, theme)
    page.wait_for_timeout(500)
    weak = [shell.evaluate(WEAK_TEXT) for shell in page.locator(".lunsedu").all()]
    assert weak == [[]] * len(weak) and len(weak) >= 5


WEAK_TEXT = """(root) => {
  const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const read = (text) => text.match(/[\\d.]+/g).map(Number);
  const over = (top, below) => {
    const a = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map(i => a * top[i] + (1 - a) * below[i]);
  };
  const ground = (node) => {
    const layers = [];
    for (; node; node = node.parentElement)
      layers.push(read(getComputedStyle(node).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const weak = [];
  for (const node of root.querySelectorAll('*')) {
    const own = [...node.childNodes].some(c => c.nodeType === 3 && c.textContent.trim());
    if (!own || node.disabled || node.closest('style, .lu-popup') || !node.getClientRects().length)
      continue;
    const style = getComputedStyle(node);
    const color = read(node.namespaceURI.includes('svg') ? style.fill : style.color);
    const lights = [light(over(color, ground(node))), light(ground(node))];
    const [low, high] = lights.sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) < 4.5) weak.push(node.outerHTML.slice(0, 160));
  }
  return weak;
}"""


def test_notebooks_with_widgets_are_found():
    assert "07_playground.ipynb" in NAMES
    assert all(re.fullmatch(r"\d\d_\w+\.ipynb", name) for name in NAMES)
