"""The patching grid in a real JupyterLab: squares are clicked, walked by keys, and read."""

import pytest

from browser.test_notebooks_in_lab import (
    WEAK_TEXT,
    assert_page_is_what_the_view_says,
    serious_findings,
)

NAME = "11_looking_inside.ipynb"


@pytest.fixture
def page(opened):
    return opened(NAME)


@pytest.fixture
def shell(page):
    return page.locator(".lunsedu").first


def chosen(shell):
    """Return (row, column) of the square that is chosen, and the sentence that is shown."""
    at = shell.locator(".lu-grid input:checked").evaluate(
        "node => { const cell = node.closest('td');"
        " return [cell.parentElement.sectionRowIndex, cell.cellIndex - 1]; }"
    )
    said = [node.inner_text() for node in shell.locator(".lu-said:visible").all()]
    assert len(said) == 1
    label = shell.locator(".lu-grid input:checked").get_attribute("aria-label")
    assert said[0] == label
    return tuple(at), label


def test_a_click_chooses_a_square_and_says_what_becomes_of_the_answer(page, shell):
    cells = shell.locator(".lu-grid tbody tr").nth(0).locator("td label")
    cells.nth(2).click()
    at, said = chosen(shell)
    assert at == (0, 2) and said.startswith("Embedding, place ")
    shell.locator(".lu-grid tbody tr").nth(2).locator("td label").last.click()
    at, said = chosen(shell)
    assert at == (2, cells.count() - 1)
    assert "After layer 2" in said and "1.00 of the way. The answer becomes" in said


def test_arrow_keys_walk_in_all_four_directions_and_stop_at_the_edges(page, shell):
    shell.locator(".lu-grid tbody tr").nth(0).locator("td label").nth(0).click()
    steps = [
        ("ArrowUp", (0, 0)),
        ("ArrowLeft", (0, 0)),
        ("ArrowRight", (0, 1)),
        ("ArrowDown", (1, 1)),
        ("ArrowDown", (2, 1)),
        ("ArrowDown", (2, 1)),
        ("ArrowRight", (2, 2)),
        ("ArrowUp", (1, 2)),
        ("ArrowLeft", (1, 1)),
    ]
    for key, at in steps:
        page.keyboard.press(key)
        assert chosen(shell)[0] == at, key
        outline = "node => getComputedStyle(node.closest('label').querySelector('b')).outlineStyle"
        assert shell.locator(".lu-grid input:focus").evaluate(outline) == "solid"


def test_prompts_and_kinds_change_the_grid(page, shell, lab):
    for what in ("head 3", "feed-forward", "residual stream"):
        shell.get_by_role("button", name=what).click()
        assert_page_is_what_the_view_says(page, lab, NAME, 0, shell)
    box = shell.get_by_label("second prompt", exact=True)
    before = box.input_value()
    box.fill("<img src=x onerror=alert(1)>")
    error = shell.locator(".lu-error")
    error.wait_for()
    assert "equally long" in error.inner_text()
    box.fill(before)
    error.wait_for(state="detached")
    assert_page_is_what_the_view_says(page, lab, NAME, 0, shell)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_it_can_be_read_in_both_themes_and_axe_finds_nothing(page, shell, lab, theme):
    lab.set_theme(page, theme)
    page.wait_for_timeout(500)
    assert shell.evaluate(WEAK_TEXT) == []
    assert serious_findings(page) == []


def test_nothing_went_wrong_on_the_way(page):
    assert page.complaints == []
