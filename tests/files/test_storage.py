"""The file of a saved model: whole or not at all, damage noticed, nothing unpickled."""

import os
import pickle
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lunsedu.files.storage import load_arrays, save_arrays, write_atomically

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1.5])}


def test_round_trip(tmp_path):
    path = tmp_path / "model.safetensors"
    save_arrays(path, ARRAYS, {"history": "å 🙂"})
    arrays, texts = load_arrays(path)
    assert arrays.keys() == ARRAYS.keys()
    for name in ARRAYS:
        assert np.array_equal(arrays[name], ARRAYS[name])
        assert arrays[name].dtype == ARRAYS[name].dtype
    assert texts["history"] == "å 🙂"


def test_views_that_are_not_contiguous_are_saved_right(tmp_path):
    array = np.arange(12.0).reshape(3, 4).T[::2]
    save_arrays(tmp_path / "x", {"a": array}, {})
    assert np.array_equal(load_arrays(tmp_path / "x")[0]["a"], array)


def test_every_flipped_byte_and_every_cut_is_noticed(tmp_path):
    path = tmp_path / "model.safetensors"
    save_arrays(path, ARRAYS, {"history": "short"})
    whole = path.read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(bytes(damaged))
        with pytest.raises(ValueError, match="model.safetensors"):
            load_arrays(path)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="model.safetensors"):
            load_arrays(path)
    path.write_bytes(whole)
    load_arrays(path)


class Trap:
    """What a malicious pickle looks like: opening it would run a command."""

    def __reduce__(self):
        return (os.system, ("echo trapped > trapped.txt",))


@pytest.mark.threads_or_processes  # the file would start one
def test_a_malicious_file_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(Trap())
    for number, data in enumerate(
        [pickled, b"\x93NUMPY" + pickled, len(pickled).to_bytes(8, "little") + pickled]
    ):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(data)
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            load_arrays(path)
    np.save(tmp_path / "object.safetensors.npy", np.array([Trap()], dtype=object))
    with pytest.raises(ValueError):
        load_arrays(tmp_path / "object.safetensors.npy")
    assert not (tmp_path / "trapped.txt").exists()


def test_a_foreign_or_a_newer_file(tmp_path):
    from safetensors.numpy import save_file

    save_file(ARRAYS, tmp_path / "foreign")
    with pytest.raises(ValueError, match="not a saved Lunsformter.*from_pretrained"):
        load_arrays(tmp_path / "foreign")
    newer = {"format": "lunsformter", "format_version": "99"}
    save_file(ARRAYS, tmp_path / "newer", newer)
    with pytest.raises(ValueError, match="format version 99.*upgrade"):
        load_arrays(tmp_path / "newer")
    save_file(ARRAYS, tmp_path / "unsigned", newer | {"format_version": "1"})
    with pytest.raises(ValueError, match="checksum"):
        load_arrays(tmp_path / "unsigned")


def test_missing_file_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="no saved model at .*nothing"):
        load_arrays(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="is a folder, not the file of a saved model: ch"):
        load_arrays(tmp_path)
    with pytest.raises(FileNotFoundError, match="no cake at .*nothing: bake one"):
        load_arrays(tmp_path / "nothing", "cake", "bake one")
    save_arrays(tmp_path / "new" / "folder" / "x", ARRAYS, {})
    assert load_arrays(tmp_path / "new" / "folder" / "x")


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match="cannot write .*choose another place"):
        write_atomically(tmp_path / "file" / "x", b"data")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_text("full", encoding="utf-8")
    with pytest.raises(OSError, match="cannot write"):
        write_atomically(tmp_path / "folder", b"data")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


SAVER = """
import sys
import numpy as np
from lunsedu.files.storage import save_arrays
number = 0
while True:
    save_arrays(sys.argv[1], {"a": np.full(50_000, number, np.float32)}, {"number": str(number)})
    if number == 0:
        print("ready", flush=True)
    number += 1
"""


@pytest.mark.threads_or_processes
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_a_random_instant_of_save_a_whole_file_is_left(tmp_path):
    path, instants, seen = tmp_path / "model.safetensors", random.Random(4), set()
    for _ in range(8):
        saver = subprocess.Popen([sys.executable, "-c", SAVER, path], stdout=subprocess.PIPE)
        assert saver.stdout.readline() == b"ready\n"
        time.sleep(instants.uniform(0, 0.05))
        saver.kill()
        saver.wait()
        saver.stdout.close()
        arrays, texts = load_arrays(path)
        assert (arrays["a"] == int(texts["number"])).all()
        seen.add(texts["number"])
    assert len(seen) > 1, "the saver never got beyond its first file"
