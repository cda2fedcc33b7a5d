"""A file that was read is let go: Windows replaces no file that a program still holds open."""

import os
import sys
from pathlib import Path

import pytest
from model_folders import new_lm

from lunsedu import LunsDataset, LunsformterModel, Tokenizer
from lunsedu.adapters import LowRank

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the open files")


def held(folder):
    """Return the files of a folder that this process holds, open or mapped into its memory."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    mapped = [line.split(maxsplit=5)[5] for line in maps if str(folder) in line]
    handles = [os.path.join("/proc/self/fd", fd) for fd in os.listdir("/proc/self/fd")]
    names = [os.readlink(handle) for handle in handles if os.path.islink(handle)]
    return sorted({Path(name).name for name in mapped + names if str(folder) in name})


def through_gguf(lm, folder):
    pytest.importorskip("gguf", reason='needs the extra [smollm2]: pip install "gguf"')
    lm.save_gguf(folder / "m.gguf")
    return LunsformterModel.from_gguf(folder / "m.gguf")


def through_an_own_save(lm, folder):
    lm.save(folder / "m")
    return LunsformterModel.load(folder / "m")


def through_a_folder(lm, folder):
    lm.save_pretrained(folder)
    return LunsformterModel.from_pretrained(folder)


def through_an_adapter(lm, folder):
    LowRank(lm.model, rank=1).save(folder)
    return LowRank.load(lm.model, folder)


def through_a_tokenizer(lm, folder):
    lm.tokenizer.save(folder / "t.json")
    return Tokenizer.load(folder / "t.json")


def through_texts(lm, folder):
    (folder / "a.txt").write_text("a boat\n" * 9, encoding="utf-8")
    (folder / "b.csv").write_text("said,by\na harbour,ann\n", encoding="utf-8")
    return [LunsDataset(folder / "a.txt"), LunsDataset(folder / "b.csv", column="said")]


@pytest.mark.parametrize(
    "through",
    [
        through_an_own_save,
        through_a_folder,
        through_gguf,
        through_an_adapter,
        through_a_tokenizer,
        through_texts,
    ],
)
def test_what_was_read_is_let_go(tmp_path, through):
    kept = through(new_lm(), tmp_path)
    assert kept is not None and held(tmp_path) == []


def test_a_damaged_gguf_file_is_let_go_too(tmp_path):
    through_gguf(new_lm(), tmp_path)
    whole = (tmp_path / "m.gguf").read_bytes()
    for end in (100, len(whole) - 1):
        (tmp_path / "m.gguf").write_bytes(whole[:end])
        with pytest.raises(ValueError, match="not a whole GGUF file"):
            LunsformterModel.from_gguf(tmp_path / "m.gguf")
        assert held(tmp_path) == []


def test_the_test_sees_an_open_file_and_a_mapped_one(tmp_path):
    import numpy as np

    with open(tmp_path / "open", "wb") as file:
        file.write(b"12345678")
        file.flush()
        assert held(tmp_path) == ["open"]
    mapped = np.memmap(tmp_path / "open", mode="r")
    assert held(tmp_path) == ["open"] and mapped[0] == ord("1")
