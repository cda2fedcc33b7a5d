"""The shell around every widget: controls on top, a page below, errors in between.

    Shell({"text": text_box("text", "hello")}, view=lambda text: f"<b>{len(text)}</b>", still=...)

A view is a pure function from the values of the controls to HTML. A shell calls it whenever a
value changes, and always with the values of that moment: what changed while it was at work is
shown next, in one go, so nothing stale is ever computed.

Callbacks may come in several threads: JupyterLab sends them past a cell that is running. So all
shells share one lock, and one thing happens at a time.

What is not here: what is shown (display/), the widgets themselves (widgets.py, monitor.py).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import ipywidgets as widgets

from lunsedu.display.html_page import STYLE, error_view, note_view
from lunsedu.display.stills import HOW_TO_RUN

CONTROLS_STYLE = (
    STYLE
    + """<style>
.lunsedu .lu-row { flex-flow: row wrap; gap: 4px 26px; align-items: center; }
.lunsedu .lu-pair { align-items: center; }
.lunsedu .lu-pair .widget-slider .widget-label { display: none; }
.lunsedu .widget-label { font-weight: 600; color: var(--lu-ink); flex-shrink: 0; }
.lunsedu > .widget-html, .lunsedu > .widget-html > .widget-html-content { min-width: 0; flex: 1; }
.lunsedu input, .lunsedu textarea { border: 1px solid var(--lu-grey); }
.lunsedu .widget-toggle-buttons { display: flex; flex-flow: row nowrap; align-items: center; }
.lunsedu .widget-toggle-buttons .widget-label { margin: 0 8px 0 2px; text-align: left; }
.lunsedu .widget-toggle-button, .lunsedu .lu-button { border: 1px solid var(--lu-grey);
  color: var(--lu-ink); background: var(--lu-paper); }
.lunsedu .widget-toggle-button.mod-active { background: #0072b2; color: #fff; font-weight: 600;
  border-color: #0072b2; box-shadow: none; }
.lunsedu button:focus-visible, .lunsedu input:focus-visible, .lunsedu textarea:focus-visible,
.lunsedu .noUi-handle:focus-visible { outline: 3px solid var(--lu-red); outline-offset: 1px; }
.lunsedu .noUi-handle { background: #0072b2; border-color: #0072b2; }
.lunsedu .lu-button:disabled { opacity: 0.55; }
</style>"""
)

# ipywidgets gives the handle of a slider no name, and buttons that stay pressed no state, which
# people who listen to the page need. The labels are there: this copies them over. And in a grid of
# radio buttons the arrow keys walk to the neighbour in that direction (the window is asked first:
# the notebook would take up and down for itself).
NAMES = """(() => {
  const set = (node, name, value) => {
    if (node && node.getAttribute(name) !== value) node.setAttribute(name, value);
  };
  const label = (node) => node.querySelector('.widget-label')?.textContent ?? '';
  const fix = () => {
    for (const slider of document.querySelectorAll('.lunsedu .widget-slider'))
      set(slider.querySelector('[role=slider]'), 'aria-label', label(slider));
    for (const group of document.querySelectorAll('.lunsedu .widget-toggle-buttons')) {
      const buttons = group.querySelectorAll('.widget-toggle-button');
      set(buttons[0]?.parentElement, 'role', 'group');
      set(buttons[0]?.parentElement, 'aria-label', label(group));
      for (const button of buttons)
        set(button, 'aria-pressed', String(button.classList.contains('mod-active')));
    }
  };
  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const walk = (event) => {
    const cell = event.target.closest?.('.lunsedu .lu-grid td'), step = STEPS[event.key];
    if (!cell || !step) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const rows = cell.closest('tbody').rows, row = cell.parentElement;
    const next = rows[row.sectionRowIndex + step[0]]?.cells[cell.cellIndex + step[1]];
    const button = next?.querySelector('input');
    if (button) { button.focus(); button.checked = true; }
  };
  let waiting = false;
  const soon = () => {
    if (!waiting) requestAnimationFrame(() => { waiting = false; fix(); });
    waiting = true;
  };
  if (!window.lunseduNames) {
    window.addEventListener('keydown', walk, true);
    window.lunseduNames = new MutationObserver(soon);
    window.lunseduNames.observe(document.body,
      { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] });
  }
  soon();
})();"""


TURN = threading.RLock()  # held by whoever computes: a page, or a slice of training


class Shell(widgets.VBox):
    """Controls, a notice for errors and warnings, and the page that a view makes.

    `controls` is a dict {argument of the view: widget with a .value}; `rows` are lists of boxes to
    show, one list a line; `view` returns the page's HTML, `still` a Picture for pages without a
    kernel; both get the values of all controls by name.
    """

    def __init__(
        self,
        controls: dict[str, Any],
        rows: Sequence[Any],
        view: Callable[..., str],
        still: Callable[..., Any],
    ) -> None:
        self.controls, self.view, self.still = controls, view, still
        self.notice, self.page = widgets.HTML(), widgets.HTML()
        self._held = False
        self._shown: dict[str, Any] = {}
        lines = [_row(row) for row in rows]
        super().__init__([widgets.HTML(CONTROLS_STYLE), *lines, self.notice, self.page])
        self.add_class("lunsedu")
        for control in controls.values():
            control.observe(self._changed, names="value")
        self.refresh()

    @property
    def values(self) -> dict[str, Any]:
        """The values of all controls, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values: Any) -> Shell:
        """Set some controls at once, as a user would, and show the page for them."""
        with self.hold():
            for name, value in values.items():
                if name not in self.controls:
                    raise ValueError(f"there is no control {name!r}: {', '.join(self.controls)}")
                self.controls[name].value = value
        return self

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Inside this context the page waits; at its end it follows once."""
        with TURN:
            self._held, before = True, self._held
            try:
                yield
            finally:
                self._held = before
            self.refresh()

    def _changed(self, change):
        """A control moved. The page may be up to date already, if another thread was quicker."""
        with TURN:
            if not self._held and self.values != self._shown:
                self.refresh()

    def refresh(self) -> None:
        """Show the page for the present values."""
        with TURN, self.guard():
            self._shown = self.values
            self.page.value = self.view(**self._shown)
            self._say("")

    @contextmanager
    def guard(self) -> Iterator[Any]:
        """Whatever goes wrong inside, the page says so; callbacks alone would be silent.

        Yields an object whose `failed` is True afterwards if something did.
        """
        outcome = SimpleNamespace(failed=False)
        try:
            yield outcome
        except KeyboardInterrupt:
            outcome.failed = True
            self._say(note_view("Interrupted. Change something to try again."))
        except Exception as error:
            outcome.failed = True
            self.page.value = ""
            self._say(error_view(error))

    def on_click(self, button: Any, function: Callable[[], object]) -> None:
        """Call the function when the button is pressed; its errors show on the page."""

        def pressed(_):
            with TURN, self.guard():
                self._say("")
                function()

        button.on_click(pressed)

    def _say(self, html):
        if self.notice.value != html:
            self.notice.value = html

    def _repr_mimebundle_(self, **kwargs):
        """The live widget, and for pages without a kernel its first view as a picture."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        try:
            still, about = self.still(**self.values)._repr_mimebundle_()
        except Exception as error:  # the live widget shows this error on its page
            still, about = {"text/plain": str(error)}, {}
        still.pop("text/html", None)
        still["text/plain"] = f"{still['text/plain']}\n{HOW_TO_RUN}"
        return {**data, **still}, {**metadata, **about}

    def _ipython_display_(self):
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        if "JPY_SESSION_NAME" in os.environ:  # a Jupyter server started this kernel
            display({"application/javascript": NAMES, "text/plain": ""}, raw=True)


def _row(row):
    box = widgets.HBox(row)
    box.add_class("lu-row")
    return box


# --- controls: each with a visible label, each usable by keyboard -----------------------------

WIDE = {"description_width": "initial"}  # labels are never cut


def slider(label: str, value: int, low: int, high: int) -> tuple[Any, Any]:
    """Return (slider, box): a slider with a number box beside it that always agrees with it.

    The box holds the visible label, and names the pair for people who listen to the page.
    """
    value = min(max(value, low), high)
    box = widgets.BoundedIntText(
        value=value, min=low, max=high, description=label, style=WIDE, layout={"width": "auto"}
    )
    box.layout.max_width = f"{len(label) + 13}ch"
    handle = widgets.IntSlider(
        value=value, min=low, max=high, description=label, readout=False, layout={"width": "210px"}
    )
    widgets.link((handle, "value"), (box, "value"))
    pair = widgets.HBox([box, handle])
    pair.add_class("lu-pair")
    return handle, pair


def choice(label: str, options: Any, value: Any = None) -> Any:
    """Return a row of buttons of which one is pressed; options are names or (name, value)."""
    buttons = widgets.ToggleButtons(
        options=options,
        description=label,
        style={"description_width": "initial", "button_width": "auto"},
        layout={"width": "auto"},
    )
    if value is not None:
        buttons.value = value
    return buttons


def text_box(label: str, value: str, rows: int = 1, width: int = 640) -> Any:
    """Return a box for text, of one line or several; width in pixels at most."""
    kind = widgets.Text if rows == 1 else widgets.Textarea
    box = kind(
        value=value, description=label, style=WIDE, layout={"width": f"min(100%, {width}px)"}
    )
    if rows > 1:
        box.rows = rows
    return box


def button(label: str, icon: str = "") -> Any:
    """Return a push button."""
    made = widgets.Button(description=label, icon=icon, layout={"width": "auto"})
    made.add_class("lu-button")
    return made
