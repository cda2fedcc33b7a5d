"""Drives a real JupyterLab on this machine: starts it, opens a notebook, runs it, asks its kernel.

    with running_lab(folder) as lab:                  # a folder of notebooks
        page = browser.new_page()
        lab.open(page, "07_playground.ipynb")
        lab.run_all(page)
        lab.ask("07_playground.ipynb", "1 + 1")       # '2', from the notebook's own kernel

Lab listens on the loopback address only and asks nothing of any other machine.
"""

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

TOKEN = "only-for-tests"
ARGUMENTS = [
    "--no-sandbox",  # needed where tests run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STDERR = ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']"
# every code cell has its number, or an error stopped the run
FINISHED = """() => {
  const notebook = document.querySelector('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook');
  const prompts = [...notebook.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .map(prompt => prompt.innerText.trim());
  const failed = [...notebook.querySelectorAll(STDERR)]
    .some(output => output.innerText.includes('Traceback'));
  return prompts.length && (prompts.every(text => /^\\[\\d+\\]:$/.test(text))
    || (failed && !prompts.includes('[*]:')));
}""".replace("STDERR", json.dumps(STDERR))


def find_chromium():
    """Return the path of a Chromium or Chrome, or None; the variable CHROMIUM goes first."""
    names = (
        os.environ.get("CHROMIUM"),
        "chromium",
        "chromium-browser",
        "google-chrome",
        "chrome",
    )
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Lab:
    """A running JupyterLab: its address, its folder for kernels."""

    def __init__(self, base, runtime):
        self.base, self.runtime, self._clients = base, Path(runtime), {}

    def open(self, page, name):
        """Open a notebook and wait for its kernel."""
        page.goto(f"{self.base}/lab/tree/{name}?reset&token={TOKEN}")
        page.locator(".jp-NotebookPanel:visible .jp-Notebook").wait_for(timeout=120_000)
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=120_000)

    def run_all(self, page, timeout=600_000):
        """Run all cells as a student does; AssertionError with the traceback if one fails."""
        page.get_by_role("menuitem", name="Edit", exact=True).click()
        page.get_by_role("menuitem", name="Clear Outputs of All Cells").click()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_function(FINISHED, timeout=timeout)
        errors = page.locator(STDERR, has_text="Traceback").all_inner_texts()
        assert not errors, "\n".join(errors)

    def set_theme(self, page, name):
        """Choose a theme, "JupyterLab Light" or "JupyterLab Dark", from the menu."""
        page.get_by_role("menuitem", name="Settings", exact=True).click()
        page.locator(".lm-Menu-itemLabel").get_by_text("Theme", exact=True).click()
        page.locator(".lm-Menu-itemLabel").get_by_text(name, exact=True).click()
        light = "false" if "Dark" in name else "true"
        chosen = page.locator(f"body[data-jp-theme-light='{light}']")
        chosen.wait_for(state="attached", timeout=60_000)

    def ask(self, name, expression, timeout=120):
        """Return the value of an expression in the kernel of an open notebook (literals only)."""
        client = self._client(name)
        reply = client.execute(
            "", silent=True, user_expressions={"answer": expression}, reply=True, timeout=timeout
        )
        answer = reply["content"]["user_expressions"]["answer"]
        assert answer["status"] == "ok", answer
        return ast.literal_eval(answer["data"]["text/plain"])

    def do(self, name, code, timeout=120):
        """Run statements in the kernel of an open notebook."""
        reply = self._client(name).execute(code, silent=True, reply=True, timeout=timeout)
        assert reply["content"]["status"] == "ok", reply["content"]

    def _client(self, name):
        from jupyter_client import BlockingKernelClient

        with urllib.request.urlopen(f"{self.base}/api/sessions?token={TOKEN}") as answer:
            sessions = json.load(answer)
        kernel = next(s["kernel"]["id"] for s in sessions if s["path"].endswith(name))
        if kernel not in self._clients:
            client = BlockingKernelClient()
            client.load_connection_file(str(self.runtime / f"kernel-{kernel}.json"))
            client.start_channels()
            client.wait_for_ready(timeout=120)
            self._clients[kernel] = client
        return self._clients[kernel]

    def close(self):
        for client in self._clients.values():
            client.stop_channels()


@contextmanager
def running_lab(folder, scratch, start=("-m", "jupyterlab"), python=sys.executable):
    """Start JupyterLab over a folder; `scratch` is an empty folder for its settings.

    `start` is what Python is told to start it. A start that names a folder itself, as
    ("-m", "lunsedu", "lab", folder) does, goes with None for the folder.
    """
    scratch = Path(scratch)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    settings = {
        # else a question covers the page
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        # else cells out of sight are not on the page, and cannot be looked at
        "notebook-extension/tracker": {"windowingMode": "none"},
    }
    for name, values in settings.items():
        path = scratch / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    environment = os.environ | {key: str(scratch / name) for key, name in names.items()}
    command = [python, *start, "--no-browser", "--allow-root",
               "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
               f"--IdentityProvider.token={TOKEN}",
               *([] if folder is None else [f"--ServerApp.root_dir={folder}"]),
               "--LabApp.extension_manager=readonly"]  # fmt: skip
    base, log = f"http://127.0.0.1:{port}", scratch / "lab.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    lab = Lab(base, scratch / "runtime")
    try:
        _wait_for(process, f"{base}/api?token={TOKEN}", log)
        yield lab
    finally:
        lab.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(process, address, log):
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended at once:\n{log.read_text(encoding='utf-8')}")
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer within two minutes:\n{log.read_text('utf-8')}")


# --- widgets on the page ----------------------------------------------------------------------


def slider(shell, label):
    """Return (handle, number box) of the slider with this label inside a shell's locator."""
    pair = shell.locator(".lu-pair").filter(has=shell.page.get_by_label(label, exact=True))
    return pair.get_by_role("slider"), pair.get_by_role("spinbutton")


def drag(handle, dx, moves=20, pause=20):
    """Drag a handle by dx pixels, as a hand does: in many small moves."""
    page = handle.page
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for move in range(1, moves + 1):
        page.mouse.move(x + dx * move / moves, y)
        page.wait_for_timeout(pause)
    page.mouse.up()
