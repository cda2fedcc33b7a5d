"""Measure how long a page takes to follow a slider, in a real JupyterLab:

    python tests/benchmarks/slider_delay.py [--moves 50] [--show table] [--model stories]

From the press of an arrow key on the slider to the next picture on the screen that holds the new
page: 50 moves of "candidates" and of "new tokens" of the playground of lesson 7, with the model
that ships with the package. Run it on a machine that has nothing else to do.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from lab_driver import ARGUMENTS, find_chromium, running_lab, slider  # noqa: E402

NAME = "07_playground.ipynb"
# resolves to the milliseconds between a key press and the frame after the page has changed
CLOCK = """(page) => new Promise((resolve, reject) => {
  let begin;
  const stop = setTimeout(() => reject(new Error('the page did not change')), 10000);
  const watch = new MutationObserver(() => {
    watch.disconnect();
    requestAnimationFrame(() => setTimeout(() => {
      clearTimeout(stop);
      resolve(performance.now() - begin);
    }));
  });
  document.addEventListener('keydown', () => { begin = performance.now(); },
    { capture: true, once: true });
  watch.observe(page, { childList: true, subtree: true });
})"""


def measure(page, shell, label, moves, high):
    """Return the delays of `moves` moves between the slider's low end and `high`, in ms."""
    handle, box = slider(shell, label)
    area = shell.locator(".lu-page").locator("xpath=..").element_handle()
    low = int(box.get_attribute("min"))
    handle.focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(1000)
    delays, at, step = [], low, 1
    for _ in range(moves):
        if not low <= at + step <= high:
            step = -step
        at += step
        page.evaluate(f"(page) => {{ window.delay = ({CLOCK})(page); }}", area)
        page.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
        delays.append(page.evaluate("() => window.delay"))
        page.wait_for_timeout(60)
    return delays


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--moves", type=int, default=50)
    parser.add_argument("--show", default="table", choices=["table", "tree", "compare"])
    parser.add_argument("--model", default="stories", help='"this model": the one lesson 7 trains')
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as scratch,
        sync_playwright() as playwright,
    ):
        shutil.copy(ROOT / "notebooks" / NAME, folder)
        with running_lab(folder, scratch) as lab:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 1100})
            lab.open(page, NAME)
            lab.run_all(page, timeout=600_000)
            prompt = "Good morning" if options.model == "this model" else "Once upon a time"
            settings = dict(show=options.show, model=options.model, prompt=prompt)
            lab.do(NAME, f"play.set(**{settings!r})")
            shell = page.locator(".lunsedu").first
            # beyond nine tokens all candidates may have ended, and the page stays as it is
            for label, high in (("new tokens", 9), ("candidates", 16)):
                lab.do(NAME, "play.set(candidates=5, new_tokens=12)")
                delays = measure(page, shell, label, options.moves, high)
                print(
                    f"{options.model}, {label}, {options.show}: {len(delays)} moves, median"
                    f" {statistics.median(delays):.0f} ms, worst {max(delays):.0f} ms"
                )
            browser.close()


if __name__ == "__main__":
    main()
