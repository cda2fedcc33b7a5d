"""Settings for all tests."""

import matplotlib
import pytest
from pages import TEXTS

from lunsedu import LunsDataset, LunsformterModel

# Plugins and benchmarks are no modules with examples in their docstrings.
collect_ignore_glob = ["conftest.py", "*/conftest.py", "benchmarks/*"]

matplotlib.use("Agg")  # pictures go to memory; no windows open, on any system


@pytest.fixture(scope="module")
def lm():
    """A small model that has learned a little: probabilities of all sizes."""
    dataset = LunsDataset(texts=TEXTS, vocab_size=300)
    model = LunsformterModel(dataset, dim=16, hidden_dim=32, num_layers=2, num_heads=2, seed=3)
    model.fit(epochs=60, verbose=False, lr=0.01)
    return model
