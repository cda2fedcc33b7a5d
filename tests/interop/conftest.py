"""What several files of this room share."""

import shutil
from types import SimpleNamespace

import pytest
from model_folders import new_lm


@pytest.fixture(scope="session")
def interop():
    """transformers and torch, or a skip that says what is missing."""
    reason = 'needs the extra [interop]: pip install "lunsedu[interop]"'
    torch = pytest.importorskip("torch", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)  # small models: a second thread only waits
    return SimpleNamespace(torch=torch, transformers=transformers)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of ours; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("saved")
    new_lm(num_kv_heads=2).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")
