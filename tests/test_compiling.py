"""What numba kept of loops that have changed since is not used again."""

import os
import subprocess
import sys
import time

import pytest

from lunsedu.compiling import forget_outdated


def kept(folder, name, age):
    path = folder / "__pycache__" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    os.utime(path, (1000 - age, 1000 - age))
    return path


def test_only_what_is_older_than_its_neighbours_is_forgotten(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    for source, then in ((tmp_path / "a.py", 900), (inner / "b.py", 400), (inner / "c.py", 600)):
        source.write_text("")
        os.utime(source, (then, then))
    young = kept(inner, "b.f-1.py311.nbi", age=300)  # made at 700, c.py changed at 600
    old = kept(inner, "b.g-1.py311.nbi", age=500)  # made at 500: before c.py, which it may call
    other = kept(inner, "b.g-1.py311.1.nbc", age=500)  # the code: an index leads to it
    outer = kept(tmp_path, "a.f-1.py311.nbi", age=50)
    forget_outdated(tmp_path)
    assert young.exists() and outer.exists() and other.exists() and not old.exists()


def test_nothing_to_forget(tmp_path):
    forget_outdated(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    orphan = kept(tmp_path, "a.f-1.py311.nbi", age=0)  # a source that is gone
    (tmp_path / "locked.py").mkdir()  # no file, as little as an editor's lock that leads nowhere
    forget_outdated(tmp_path)
    assert orphan.exists()


LOOP = (
    "import numba\nfrom other import two\n@numba.njit(cache=True)\ndef loop(): return two() + 1\n"
)
OTHER = "import numba\n@numba.njit\ndef two(): return {}\n"


def test_numba_itself_would_go_on_with_the_old_code(tmp_path):
    """The reason for all this. Where it no longer holds, forget_outdated() can go."""
    pytest.importorskip("numba")
    (tmp_path / "loop.py").write_text(LOOP)
    other, now = tmp_path / "other.py", time.time()
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}

    def run():
        command = [sys.executable, "-B", "-c", "from loop import loop; print(loop())"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    for value, changed in ((2, now - 100), (40, now + 100)):
        other.write_text(OTHER.format(value))
        os.utime(other, (changed, changed))
        assert run() == 3
    forget_outdated(tmp_path)
    assert run() == 41
