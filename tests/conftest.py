"""Settings for all tests."""

import os

import as_in_a_browser
import matplotlib
import pytest
from pages import TEXTS

from lunsedu import LunsDataset, LunsformterModel, use_compiled

# Plugins and benchmarks are no modules with examples in their docstrings.
collect_ignore_glob = ["conftest.py", "*/conftest.py", "benchmarks/*"]

LONG_PIECES = (  # more than a minute each
    "tests/browser",
    "tests/site/test_site.py",
    "tests/exercises/test_hand_ins.py",
    "notebooks/13_adapting_a_real_model.ipynb",
    "notebooks/05_training.ipynb",
    "tests/exercises/test_grading.py",
    "notebooks/06_insideout.ipynb",
    "notebooks/14_beyond_one_machine.ipynb",
)

matplotlib.use("Agg")  # pictures go to memory; no windows open, on any system


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, which may be missing
def pytest_xdist_setupnodes(config, specs):
    """A process for each core: a matrix library that takes all cores in each would only wait."""
    if len(specs) > 1:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the processes inherit it


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share the tests file by file; all browser tests in one process, which begins with them.

    A file's tests stay together, so that what they share is made once, and a notebook's cells are
    run in order. The browser tests share a JupyterLab, and are the longest piece: first of all. The
    other long ones follow, or the last of them would go on alone at the end.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            return "tests/browser" if file.startswith("tests/browser/") else file

        def schedule(self):
            self.config.option.loadscopereorder = False
            super().schedule()

        def _assign_work_unit(self, node):
            first = next((piece for piece in LONG_PIECES if piece in self.workqueue), None)
            if first:
                self.workqueue.move_to_end(first, last=False)
            super()._assign_work_unit(node)

    return ByFile(config, log)


def pytest_addoption(parser):
    parser.addoption("--as-in-a-browser", action="store_true", help=as_in_a_browser.__doc__)


def pytest_configure(config):
    if config.getoption("--as-in-a-browser"):
        as_in_a_browser.forbid()


def pytest_collection_modifyitems(config, items):
    if config.getoption("--as-in-a-browser"):
        for item in items:
            if item.get_closest_marker("threads_or_processes"):
                item.add_marker(pytest.mark.skip(reason="a browser has no threads or processes"))


@pytest.fixture(scope="module")
def lm():
    """A small model that has learned a little: probabilities of all sizes."""
    dataset = LunsDataset(texts=TEXTS, vocab_size=300)
    model = LunsformterModel(dataset, dim=16, hidden_dim=32, num_layers=2, num_heads=2, seed=3)
    model.fit(epochs=60, verbose=False, lr=0.01)
    return model


@pytest.fixture
def compiled():
    """While a test runs, loops are compiled."""
    pytest.importorskip("numba")
    use_compiled()
    yield
    use_compiled(False)
