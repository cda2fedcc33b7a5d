"""The playground in a real JupyterLab, as a student uses it: types, drags, trains, stops."""

import pytest

from browser.lab_driver import drag, slider
from browser.test_notebooks_in_lab import assert_page_is_what_the_view_says, serious_findings

NAME = "07_playground.ipynb"
HOSTILE = "<img src=x onerror=alert(1)>\"'></title><script>alert(2)</script>"


@pytest.fixture
def page(opened, lab):
    page = opened(NAME)
    lab.do(NAME, "play.set(prompt='Good morning', candidates=5, new_tokens=12, show='table')")
    return page


@pytest.fixture
def shell(page):
    return page.locator(".lunsedu").first


def until(page, condition, seconds=60):
    """Wait until a Python condition holds."""
    for _ in range(seconds * 10):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"this did not come true within {seconds} seconds")


@pytest.mark.parametrize("show", ["ranked table", "candidate tree", "other decoders"])
def test_hostile_prompt_is_shown_as_typed(page, shell, lab, show):
    shell.get_by_role("button", name=show).click()
    box = shell.get_by_label("prompt", exact=True)
    box.fill(HOSTILE)
    until(page, lambda: HOSTILE in shell.locator(".lu-head").first.inner_text())
    assert_page_is_what_the_view_says(page, lab, NAME, 0, shell)
    assert shell.locator(".lu-page img, .lu-page script").count() == 0
    assert page.complaints == []


def test_typing_into_the_box_reaches_the_page(page, shell, lab):
    box = shell.get_by_label("prompt", exact=True)
    box.fill("")
    box.press_sequentially("How are", delay=30)
    until(page, lambda: "How are" in shell.locator(".lu-head").first.inner_text())
    assert lab.ask(NAME, "play.controls['prompt'].value") == "How are"
    assert_page_is_what_the_view_says(page, lab, NAME, 0, shell)


def test_a_drag_over_slow_work_ends_at_the_last_value(page, shell, lab):
    """However slow a page is: once the mouse rests, at most two more are made, the last right."""
    lab.do(
        NAME,
        "import time\n"
        "made, view = [], play.view\n"
        "def slow(**values):\n"
        "    made.append(values['new_tokens']); time.sleep(0.4); return view(**values)\n"
        "play.view = slow",
    )
    try:
        handle, box = slider(shell, "new tokens")
        drag(handle, 110, moves=60, pause=10)
        at_rest = lab.ask(NAME, "len(made)")
        goal = float(handle.get_attribute("aria-valuenow"))
        until(page, lambda: abs(lab.ask(NAME, "made[-1]") - goal) <= 1)  # 18.999 is cut to 18
        page.wait_for_timeout(1000)
        last = lab.ask(NAME, "made[-1]")
        assert_page_is_what_the_view_says(page, lab, NAME, 0, shell)
        assert last > 25 and int(box.input_value()) == last
        assert lab.ask(NAME, "made").index(last) + 1 - at_rest <= 2
    finally:
        lab.do(NAME, "play.view = view")


def test_alternatives_open_on_hover_and_on_focus(page, shell):
    shell.get_by_role("button", name="candidate tree").click()
    nodes = shell.locator(".lu-hit")
    nodes.nth(5).wait_for()
    popup = nodes.nth(1).locator(".lu-popup")
    assert not popup.is_visible()
    nodes.nth(1).hover()
    assert popup.is_visible()
    assert "chosen" in popup.text_content()
    page.mouse.move(0, 0)
    assert not popup.is_visible()
    nodes.nth(1).focus()
    assert popup.is_visible()
    page.keyboard.press("Tab")
    assert not popup.is_visible()
    assert nodes.nth(2).locator(".lu-popup").is_visible()


def test_an_error_is_one_sentence_on_the_page(page, shell):
    box = shell.get_by_label("saved model", exact=True)
    box.fill("there/is/no such <b>model")
    shell.get_by_role("button", name="Open").click()
    error = shell.locator(".lu-error")
    error.wait_for()
    assert "no such <b>model" in error.inner_text()
    assert not error.locator("pre").is_visible()
    error.get_by_text("Where it happened").click()
    assert "Traceback" in error.locator("pre").inner_text()
    shell.get_by_role("button", name="geometric").click()
    error.wait_for(state="detached")  # it goes when the next thing works
    shell.get_by_role("button", name="arithmetic").click()


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe_finds_nothing_serious_in_any_view(page, shell, lab, theme):
    """Each view of the playground, an error and a running training, in both themes."""
    lab.set_theme(page, theme)
    monitor = page.locator(".lunsedu").nth(4)
    lab.do(NAME, "monitor.epochs = 100_000")
    shell.get_by_label("saved model", exact=True).fill("no such model")
    for show in ("candidate tree", "other decoders", "ranked table"):
        shell.get_by_role("button", name=show).click()
        assert_page_is_what_the_view_says(page, lab, NAME, 0, shell)
        assert serious_findings(page) == []
    shell.get_by_role("button", name="Open").click()
    shell.locator(".lu-error").wait_for()
    monitor.get_by_role("button", name="Start").click()
    monitor.get_by_text("Training.", exact=True).wait_for()
    monitor.get_by_role("button", name="Pause").click()
    monitor.get_by_text("Paused.").wait_for()
    assert serious_findings(page) == []
    monitor.get_by_role("button", name="Stop").click()
    monitor.get_by_text("Stopped.").wait_for()


def test_new_tokens_appear_without_motion_if_asked(page, lab):
    race = page.locator(".lunsedu").nth(1)
    newest = "() => getComputedStyle(document.querySelector('.lu-new')).animationName"
    lab.do(NAME, "race.set(step=4)")
    race.get_by_role("button", name="Back").click()
    race.locator(".lu-new").first.wait_for()
    assert page.evaluate(newest) == "lu-appear"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(newest) == "none"
    page.emulate_media(reduced_motion="no-preference")


def test_a_long_prompt_leaves_the_answer_in_sight(page, shell):
    shell.get_by_label("prompt", exact=True).fill("Good morning " * 250)
    note = shell.locator(".lu-note")
    note.wait_for()
    assert "are read" in note.inner_text()
    assert shell.locator(".lu-head").bounding_box()["height"] < 120
    assert shell.locator(".lunsedu-prompt").bounding_box()["height"] < 60
    shell.get_by_label("prompt", exact=True).fill("")  # no prompt is fine, too
    until(page, lambda: "without a prompt" in shell.locator(".lu-page").inner_text())
    assert shell.locator(".lu-error").count() == 0


def test_buttons_work_by_keyboard(page, lab):
    race, monitor = page.locator(".lunsedu").nth(1), page.locator(".lunsedu").nth(4)
    lab.do(NAME, "race.set(step=3); monitor.epochs = 100_000")
    for name, key, step in (("Next", "Enter", 4), ("Next", "Space", 5), ("Back", "Enter", 4)):
        race.get_by_role("button", name=name).focus()
        page.keyboard.press(key)
        until(page, lambda step=step: lab.ask(NAME, "race.values['step']") == step)
    for name, status in (("Start", "training"), ("Pause", "paused"), ("Stop", "stopped")):
        monitor.get_by_role("button", name=name).focus()
        page.keyboard.press("Enter")
        until(page, lambda status=status: lab.ask(NAME, "monitor.state.status") == status)


def test_training_can_be_paused_and_stopped_while_sliders_work(page, shell, lab):
    monitor = page.locator(".lunsedu").nth(4)
    lab.do(NAME, "monitor.epochs = 100_000")

    def steps():
        return lab.ask(NAME, "len(student.history.step_loss)")

    before = steps()
    monitor.get_by_role("button", name="Start").click()
    until(page, lambda: steps() > before + 5)
    monitor.get_by_text("Training.", exact=True).wait_for()

    handle, box = slider(shell, "candidates")  # another widget, meanwhile
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert_page_is_what_the_view_says(page, lab, NAME, 0, shell)
    now = steps()
    until(page, lambda: steps() > now)

    monitor.get_by_role("button", name="Pause").click()
    monitor.get_by_text("Paused.").wait_for()
    resting = steps()
    page.wait_for_timeout(500)
    assert steps() == resting
    monitor.get_by_role("button", name="Resume").click()
    until(page, lambda: steps() > resting)

    monitor.get_by_role("button", name="Stop").click()
    monitor.get_by_text("Stopped. What was learned is kept").wait_for()
    ended = steps()
    page.wait_for_timeout(300)
    assert steps() == ended
    assert monitor.get_by_role("button", name="Start").is_enabled()
    assert lab.ask(NAME, "student.generate('Good', 2).startswith('Good')")
    assert monitor.locator("svg").get_attribute("aria-label").startswith("Training loss: from")


def test_a_cell_can_run_while_a_model_trains(page, lab):
    monitor = page.locator(".lunsedu").nth(4)
    monitor.get_by_role("button", name="Start").click()
    try:
        until(page, lambda: lab.ask(NAME, "monitor.state.status") == "training")
        assert lab.ask(NAME, "6 * 7") == 42
        assert lab.ask(NAME, "monitor.state.status") == "training"
    finally:
        monitor.get_by_role("button", name="Stop").click()
        until(page, lambda: lab.ask(NAME, "monitor.state.status") == "stopped")


def test_nothing_went_wrong_on_the_way(page):
    assert page.complaints == []
