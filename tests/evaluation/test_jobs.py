"""The judge on many cores: the same table, whoever computes it; and a worker that dies."""

import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lunsedu import LunsDataset, LunsformterModel
from lunsedu.decoding import greedy, insideout, sample
from lunsedu.evaluation import evaluate
from lunsedu.evaluation.jobs import each_answer
from lunsedu.grammar import GrammarModel, class_grammar, miniature_grammar
from lunsedu.model import use_compiled

pytestmark = pytest.mark.threads_or_processes
PROMPTS = class_grammar.puzzles(question="early")[:20] + ["good day , tom ."] * 5
DECODERS = {"greedy": greedy, "sampling": sample, "two": partial(insideout, num_candidates=2)}


@pytest.fixture(scope="module")
def lm():
    return LunsformterModel(LunsDataset(texts=class_grammar.corpus(50, seed=1)), dim=16, seed=1)


@pytest.fixture(scope="module")
def alone(lm):
    return judged(lm)


def judged(lm, jobs=1):
    return evaluate(lm, DECODERS, PROMPTS, class_grammar, max_tokens=6, seed=3, jobs=jobs)


def dies_once(flag, *arguments, rng=None, **options):
    """A decoder in a process that is killed the first time, as by a machine short of memory."""
    try:
        Path(flag).touch(exist_ok=False)
    except FileExistsError:
        return sample(*arguments, rng=rng, **options)
    os._exit(1)


def dies(*arguments, **options):
    os._exit(1)


def test_compiled_loops_are_a_choice_for_all_processes(alone, lm):
    pytest.importorskip("numba")
    use_compiled()
    try:
        here, there = judged(lm), judged(lm, jobs=2)
    finally:
        use_compiled(False)
    assert here.rows == there.rows
    numbers = [[o.model_log_prob for o in table["greedy"].outcomes] for table in (alone, here)]
    assert numbers[0] != numbers[1] and np.allclose(*numbers, atol=1e-3)  # they were used
    assert judged(lm, jobs=2).rows == alone.rows  # and are not any more


def test_the_dice_belong_to_the_prompts(alone, lm):
    texts = [outcome.text for outcome in alone["sampling"].outcomes]
    assert len(set(texts[20:])) > 1  # five times the same prompt, five throws
    for place in (0, 21):
        rng = np.random.default_rng([3, place])
        assert texts[place] == lm.decode_with(sample, PROMPTS[place], 6, rng=rng).best.text


def test_two_processes_give_the_identical_table_and_their_dead_are_replaced(
    alone, lm, tmp_path, capsys
):
    assert judged(lm, jobs=2).rows == alone.rows
    assert evaluate(lm, {"f": lambda *a, **k: greedy(*a, **k)}, PROMPTS[:9], class_grammar,
                    max_tokens=6, jobs=2)["f"].outcomes == alone["greedy"].outcomes[:9]  # fmt: skip

    options = {"max_tokens": 6, "seed": 3, "jobs": 2}
    dying = {"sampling": partial(dies_once, tmp_path / "died")}
    table = evaluate(lm, dying, PROMPTS, class_grammar, verbose=True, **options)
    assert (tmp_path / "died").exists()
    assert table["sampling"].outcomes == alone["sampling"].outcomes
    moved = re.findall(r"(\d+)/25 ", capsys.readouterr().err)
    assert moved[0] == "0" and moved[-1] == "25" and len(moved) > 2  # the bar

    with pytest.raises(RuntimeError, match=r"a worker process died 2 times, with \d pieces? of"):
        evaluate(lm, {"dies": dies}, PROMPTS[:9], class_grammar, **options)
    with pytest.raises(ZeroDivisionError):  # an error of the work's own is no death
        list(each_answer(divmod, [(1, 0)], jobs=2))


def test_a_dask_cluster_of_two_workers_gives_the_identical_table(alone, lm, tmp_path):
    distributed = pytest.importorskip("distributed", reason='needs the extra: ".[scale]"')
    joblib = pytest.importorskip("joblib")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL"
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        assert judged(lm, jobs=2).rows == alone.rows
        dying = {"sampling": partial(dies_once, tmp_path / "died")}
        table = evaluate(lm, dying, PROMPTS, class_grammar, max_tokens=6, seed=3, jobs=2)
        assert (tmp_path / "died").exists()
        assert table["sampling"].outcomes == alone["sampling"].outcomes


def test_a_perfect_model_and_the_number_of_jobs():
    perfect = GrammarModel(miniature_grammar)
    one = evaluate(perfect, {"sampling": sample}, [""] * 9, miniature_grammar)
    two = evaluate(perfect, {"sampling": sample}, [""] * 9, miniature_grammar, jobs=2)
    assert one.rows == two.rows
    for wrong in (0, -1, 1.5, "2"):
        with pytest.raises(ValueError, match="jobs"):
            evaluate(perfect, {"g": greedy}, [""], miniature_grammar, jobs=wrong)
