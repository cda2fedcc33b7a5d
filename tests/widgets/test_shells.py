"""The shells around all widgets, and what they show without a kernel."""

import threading

import ipywidgets
import pytest
from pages import Page, assert_harmless, shells, sliders_of, without_time

import lunsedu.widgets
from lunsedu.decoding import SCORES
from lunsedu.display import stills
from lunsedu.display.html_page import shorten
from lunsedu.widgets import playground, tokenizer_explorer
from lunsedu.widgets.controls import NAMES, Shell, choice, slider, text_box
from lunsedu.widgets.widgets import SHOW


def test_every_shell_shows_what_its_view_says(lm):
    for name, shell in shells(lm).items():
        assert without_time(shell.page.value) == without_time(shell.view(**shell.values)), name
        assert shell.notice.value == ""


def test_sliders_set_one_by_one_show_on_the_page(lm):
    for name in ("race", "tokens", "attention"):
        shell = shells(lm)[name]
        for control in sliders_of(shell).values():
            for value in range(control.min, control.max + 1):
                control.value = value
                assert shell.page.value == shell.view(**shell.values)
    shell = playground(lm)
    for control in sliders_of(shell).values():
        for value in (control.min, control.min + 1, control.max):
            control.value = value
            page = shell.view(**shell.values)
            assert without_time(shell.page.value) == without_time(page)
            assert shell.notice.value == ""


def test_buttons_and_text_show_on_the_page(lm):
    shell = playground(lm)
    seen = set()
    for _, show in SHOW:
        for score in SCORES:
            shell.controls["show"].value, shell.controls["score"].value = show, score
            seen.add(without_time(shell.page.value))
            assert f"{score} score" in Page(shell.page.value).text or show == "tree"
    assert len(seen) > 6
    shell.controls["prompt"].value = "how are"
    assert "how are" in Page(shell.page.value).text


def test_every_slider_has_a_box_with_a_label_that_follows(lm):
    for shell in shells(lm).values():
        for control in sliders_of(shell).values():
            pair = next(
                box
                for row in shell.children
                if isinstance(row, ipywidgets.HBox)
                for box in row.children
                if isinstance(box, ipywidgets.HBox) and control in box.children
            )
            number = pair.children[0]
            assert number.description == control.description != ""
            assert (number.min, number.max) == (control.min, control.max)
            number.value = control.max
            assert control.value == control.max
            control.value = control.min
            assert number.value == control.min


def test_every_control_has_a_visible_label(lm):
    def leaves(widget):
        if isinstance(widget, ipywidgets.Box):
            for child in widget.children:
                yield from leaves(child)
        elif not isinstance(widget, ipywidgets.HTML):
            yield widget

    for shell in shells(lm).values():
        for widget in leaves(shell):
            assert widget.description.strip(), widget
            assert not isinstance(widget, (ipywidgets.Dropdown, ipywidgets.Output))


def test_set_moves_several_controls_and_draws_once(lm):
    calls = []

    def view(a, b):
        calls.append((a, b))
        return f"{a} {b}"

    controls = {"a": slider("a", 1, 0, 9)[0], "b": slider("b", 1, 0, 9)[0]}
    shell = Shell(controls, [], view, None)
    shell.set(a=5, b=6)
    assert calls == [(1, 1), (5, 6)] and shell.page.value == "5 6"
    controls["a"].value = 5  # no change, no work
    assert len(calls) == 2
    with pytest.raises(ValueError, match="no control 'c': a, b"):
        shell.set(c=1)


def test_nothing_stale_is_computed_while_work_goes_on():
    """Twenty moves arrive while the first one is being shown: one page more, for the last."""
    calls, begun, go_on = [], threading.Event(), threading.Event()

    def view(a):
        calls.append(a)
        if a == 1:
            begun.set()
            assert go_on.wait(10)
        return str(a)

    control = slider("a", 0, 0, 30)[0]
    shell = Shell({"a": control}, [], view, None)
    first = threading.Thread(target=lambda: setattr(control, "value", 1))
    first.start()
    assert begun.wait(10)
    others = [
        threading.Thread(target=lambda v=v: setattr(control, "value", v)) for v in range(2, 22)
    ]
    for thread in others:
        thread.start()
    for _ in range(1000):
        if control.value == 21:
            break
        threading.Event().wait(0.005)
    go_on.set()
    for thread in [first, *others]:
        thread.join(10)
    assert calls[:2] == [0, 1]
    assert calls[-1] == control.value and shell.page.value == str(control.value)
    assert len(calls) <= 4  # not one for each of the twenty


def test_errors_show_on_the_page_and_go_away():
    def view(n):
        if n == 3:
            raise ValueError("three is <no> number for this")
        return f"page {n}"

    control = slider("n", 1, 0, 9)[0]
    shell = Shell({"n": control}, [], view, None)
    control.value = 3
    assert shell.page.value == ""
    assert "three is <no> number" in assert_harmless(shell.notice.value).text
    control.value = 4
    assert (shell.notice.value, shell.page.value) == ("", "page 4")


def test_an_interrupt_leaves_a_usable_widget():
    def view(n):
        if n == 3:
            raise KeyboardInterrupt
        return f"page {n}"

    control = slider("n", 1, 0, 9)[0]
    shell = Shell({"n": control}, [], view, None)
    control.value = 3
    assert "Interrupted" in shell.notice.value
    control.value = 5
    assert shell.page.value == "page 5"


def test_a_button_that_fails_says_so(lm, tmp_path):
    shell = playground(lm)
    shell.path.value = str(tmp_path / "nothing")
    shell.opener.click()
    assert "nothing" in Page(shell.notice.value).text
    assert "Traceback" in Page(shell.notice.value).text


def test_static_view(lm):
    for name, shell in shells(lm).items():
        data, metadata = shell._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in data, name
        assert "text/html" not in data
        alt, how = data["text/plain"].rsplit("\n", 1)
        assert how == stills.HOW_TO_RUN
        assert metadata["image/png"]["alt"] == alt and len(alt.split()) > 5


def test_static_view_of_the_playground_describes_its_data(lm):
    result = lm.insideout("good day", 12, 5)
    alt = playground(lm)._repr_mimebundle_()[1]["image/png"]["alt"]
    assert alt.startswith(
        f"InsideOut after 'good day': 5 candidates by arithmetic score; best {result.best.text!r},"
        f" {result.best.score:.2f}"
    )


def test_static_view_survives_an_error(lm):
    def broken(**values):
        raise ValueError("cannot be drawn")

    shell = Shell({"n": slider("n", 1, 0, 9)[0]}, [], broken, broken)
    data, _ = shell._repr_mimebundle_()
    assert data["text/plain"].startswith("cannot be drawn")


def test_displays_names_for_sliders_only_in_jupyter(lm, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    shell = tokenizer_explorer(lm.tokenizer)
    shell._ipython_display_()
    assert len(shown) == 1 and "image/png" in shown[0]
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    shell._ipython_display_()
    assert shown[-1]["application/javascript"] == NAMES


def test_stills_of_all_sizes(lm):
    for candidates, tokens in ((1, 1), (3, 48), (16, 12)):
        picture = stills.candidates_picture(lm.insideout("good", tokens, candidates))
        assert picture.png.startswith(b"\x89PNG")
    assert stills.candidates_picture(lm.insideout("", 5)).alt.startswith("InsideOut without a")


def test_controls_clip_and_choose():
    assert slider("n", 99, 0, 9)[0].value == 9
    assert choice("c", [("a", 1), ("b", 2)], 2).value == 2
    assert isinstance(text_box("t", "", rows=3), ipywidgets.Textarea)


def test_shorten_keeps_the_end():
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 4) == "…efg"


def test_names_are_public():
    for name in lunsedu.widgets.__all__:
        function = getattr(lunsedu.widgets, name)
        assert callable(function) and function.__doc__
