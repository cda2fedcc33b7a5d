"""The optimizer, the schedule, clipping, the loop, and how it stops."""

import signal
import threading

import numpy as np
import pytest

from lunsedu import training
from lunsedu.model import Lunsformter, LunsformterConfig
from lunsedu.model.layers import softmax
from lunsedu.training import (
    AdamW,
    History,
    Settings,
    clip_gradient,
    evaluate,
    learning_rate,
    new_optimizer,
    stop_on_interrupt,
    train_epochs,
)

# a language of four short sequences; 0 starts and 9 ends one
SEQUENCES = [np.array(s) for s in ([0, 1, 2, 3, 9], [0, 4, 5, 9], [0, 1, 2, 6, 9], [0, 7, 9])]


def small_of(seq_len, seed=0):
    return Lunsformter(
        LunsformterConfig(vocab_size=10, seq_len=seq_len, dim=16, hidden_dim=16, num_heads=2),
        seed=seed,
    )


def small(seed=0):
    return small_of(8, seed)


def run(model, epochs, seed=0, settings=None, optimizer=None, history=None, rng=None, **more):
    optimizer, history = optimizer or new_optimizer(model), history or History()
    rng = rng or np.random.default_rng(seed)
    settings = settings or Settings(batch_size=2, warmup_steps=2)
    losses = list(train_epochs(model, optimizer, SEQUENCES, history, settings, rng, epochs, **more))
    return losses, history


def test_warm_up_then_constant_or_cosine():
    rates = [learning_rate(s, 0.1, 10, 100) for s in range(120)]
    assert rates[0] == pytest.approx(0.01) and rates[9] == pytest.approx(0.1)
    assert all(a > b for a, b in zip(rates[10:99], rates[11:100], strict=True))
    assert rates[100] == rates[119] == pytest.approx(0.01)  # a tenth, and it stays there
    assert learning_rate(0, 0.1, 0) == learning_rate(10**6, 0.1, 0) == 0.1


def test_clipping_shortens_long_gradients_only():
    gradient = np.array([0.3, 0.4])
    assert clip_gradient(gradient, 1.0) == pytest.approx(0.5)
    assert gradient.tolist() == [0.3, 0.4]
    assert clip_gradient(gradient, 0.1) == pytest.approx(0.5)
    assert np.linalg.norm(gradient) == pytest.approx(0.1)


def test_adamw_by_the_formulas_of_the_paper():
    p, optimizer = np.array([1.0, -2.0]), AdamW(2, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)
    m = v = np.zeros(2)
    expected = p.copy()
    for t, gradient in enumerate([[0.5, 1.0], [-1.5, 0.25], [2.0, 0.0]], start=1):
        gradient = np.array(gradient)
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        step = (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)
        expected = expected - 0.05 * (step + 0.1 * expected)
        optimizer.update(p, gradient, lr=0.05)
        np.testing.assert_allclose(p, expected, atol=1e-12)


@pytest.mark.parametrize("max_norm", [-1, 0, np.nan, None, "1", True])
def test_clipping_wants_a_length(max_norm):
    gradient = np.array([3.0, 4.0])
    with pytest.raises(ValueError, match="max_norm must be a number above 0"):
        clip_gradient(gradient, max_norm)
    assert gradient.tolist() == [3.0, 4.0] and clip_gradient(gradient, np.inf) == 5.0


def test_clipping_wants_a_flat_vector_of_floats():
    for gradient in (np.array([3, 4]), np.ones((2, 2)), np.array(["a"])):
        with pytest.raises(ValueError, match="gradient must be a flat vector .* of floats, not "):
            clip_gradient(gradient, 1.0)
    with pytest.raises(TypeError, match="gradient must be a numpy array"):
        clip_gradient([3.0, 4.0], 1.0)


@pytest.mark.parametrize(
    "arguments, name",
    [
        ((-5, 1.0), "step"),
        ((0.5, 1.0), "step"),
        ((None, 1.0), "step"),
        ((0, -1.0), "peak"),
        ((0, np.nan), "peak"),
        ((0, "1"), "peak"),
        ((0, 1.0, -1), "warmup_steps"),
        ((0, 1.0, 5, -1), "total_steps"),
        ((0, 1.0, 5, 10, -0.1), "final_share"),
    ],
)
def test_learning_rates_of_what_cannot_be(arguments, name):
    with pytest.raises(ValueError, match=f"^{name} must be a "):
        learning_rate(*arguments)


@pytest.mark.parametrize("lengths", [(2, 1, 2), (2, 3, 2), (6, 6, 2), (1, 1, 2), (2, 2, 3)])
def test_adamw_wants_vectors_of_one_length(lengths):
    parameters, gradient, size = lengths
    p, optimizer = np.ones(parameters), AdamW(size, weight_decay=0.0)
    with pytest.raises(ValueError, match="AdamW needs flat vectors .* of one length"):
        optimizer.update(p, np.ones(gradient), 0.1)
    assert optimizer.step == 0 and not optimizer.m.any() and (p == 1).all()


def test_adamw_wants_float_arrays_and_decays_that_fit():
    optimizer = AdamW(2, decays=np.ones(3))
    with pytest.raises(ValueError, match=r"decays \(3,\)"):
        optimizer.update(np.ones(2), np.ones(2), 0.1)
    with pytest.raises(ValueError, match="AdamW changes float parameters .* not int64"):
        AdamW(2).update(np.ones(2, int), np.ones(2), 0.1)
    with pytest.raises(ValueError, match="not float64 by <U1"):
        AdamW(1).update(np.ones(1), np.array(["a"]), 0.1)
    with pytest.raises(TypeError, match="parameters must be a numpy array"):
        AdamW(1).update([1.0], np.ones(1), 0.1)
    for lr in (-0.1, np.nan, np.inf, "0.1", None):
        p, optimizer = np.ones(1), AdamW(1)
        with pytest.raises(ValueError, match="lr must be a finite number of at least 0, not"):
            optimizer.update(p, np.ones(1), lr)
        assert p == 1 and optimizer.step == 0
    with pytest.raises(ValueError, match="size must be a whole number"):
        AdamW(2.5)
    p, q = np.ones(2), np.ones(2)  # whole numbers as a gradient are numbers
    AdamW(2).update(p, [1, -3], 0.1)
    AdamW(2).update(q, np.array([1.0, -3.0]), 0.1)
    assert p.tolist() == q.tolist()


def test_only_matrices_decay():
    model = small()
    decays = model.named_gradients(new_optimizer(model).decays)
    assert decays["embedding"].all() and decays["layers.0.qkv"].all()
    assert not decays["final_norm"].any() and not decays["layers.1.mlp_norm"].any()


def test_it_learns_what_can_be_learned():
    model = small()
    losses, history = run(model, 300, settings=Settings(batch_size=4, warmup_steps=2))
    assert losses[0] == pytest.approx(np.log(10), abs=0.2)
    # after <0> three openings are left, after <1 2> two endings: nobody can know those
    floor = (0.5 * np.log(2) + 0.5 * np.log(4) + 0.5 * np.log(2)) * 4 / 13
    assert floor * 0.98 < evaluate(model, SEQUENCES) < floor + 0.02
    assert len(history.step_loss) == len(history.learning_rates) == 300
    assert history.epochs == 300


def test_validation_losses_know_their_epochs():
    model, history, rng = small(), History(), np.random.default_rng(0)
    settings = Settings(batch_size=2, warmup_steps=2)
    arguments = (model, new_optimizer(model), SEQUENCES, history, settings, rng)
    list(train_epochs(*arguments, epochs=1))  # nothing was held back yet
    held_out = SEQUENCES[:1]
    assert history.validation_epochs == []
    for _ in train_epochs(*arguments, epochs=3, validation_sequences=held_out):
        if len(history.step_loss) == 5:  # epoch 2 is whole, epoch 3 has begun
            break
    history.events.append((history.epochs, "stopped"))
    assert history.epochs == 3 and history.validation_epochs == [2]
    list(train_epochs(*arguments, epochs=2, validation_sequences=held_out))
    assert history.validation_epochs == [2, 4, 5]
    # stopped before any step of a third epoch: both are whole
    assert History([3.0, 2.0], [4.0, 3.0], events=[(2, "stopped")]).validation_epochs == [1, 2]


def test_same_seed_same_numbers_and_two_halves_make_the_whole():
    whole, halves, other = small(), small(), small()
    _, history = run(whole, 6)
    optimizer, rng, both = new_optimizer(halves), np.random.default_rng(0), History()
    for _ in range(2):
        run(halves, 3, optimizer=optimizer, rng=rng, history=both)
    assert np.array_equal(whole.parameters, halves.parameters)
    assert both == history
    run(other, 6, seed=1)
    assert not np.array_equal(whole.parameters, other.parameters)


def test_validation_loss_is_kept_for_each_epoch():
    _, history = run(small(), 3, validation_sequences=SEQUENCES[:2])
    assert len(history.validation_loss) == 3
    assert run(small(), 3)[1].validation_loss == []


def test_the_epoch_mean_counts_every_token_once():
    model = small()
    expected = evaluate(model, SEQUENCES, batch_size=4)
    still = Settings(batch_size=4, lr=1e-30)
    _, history = run(model, 1, settings=still)
    assert history.train_loss[0] == pytest.approx(expected, rel=1e-5)


def test_every_token_counts_the_same_whatever_batch_it_is_in():
    """Half of the texts are short and begin with 1, half are long and begin with 2."""
    short, long = [0, 1, 9], [0, 2] + [3] * 13 + [9]
    texts = [np.array(short)] * 8 + [np.array(long)] * 8
    model, history = small_of(16), History()
    settings = Settings(batch_size=8, lr=0.01, warmup_steps=5, total_epochs=150)
    rng, optimizer = np.random.default_rng(0), new_optimizer(model)
    list(train_epochs(model, optimizer, texts, history, settings, rng, 150))
    first = softmax(model.forward([[0]])[0, 0])
    assert first[1] == pytest.approx(0.5, abs=0.05) and first[2] == pytest.approx(0.5, abs=0.05)


def test_evaluate_nothing_and_train_on_nothing():
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate(small(), [])
    with pytest.raises(ValueError, match="nothing to train on"):
        next(train_epochs(small(), None, [], History(), Settings(), None))


def test_a_loss_that_is_not_finite_stops_with_advice_and_undoes_the_epoch():
    model = small()
    kept = model.parameters.copy()
    original, calls = model.loss_and_gradient, []

    def broken(ids, targets):
        calls.append(1)
        loss, gradient = original(ids, targets)
        return (loss, gradient) if len(calls) < 2 else (float("nan"), gradient)

    model.loss_and_gradient = broken
    with pytest.raises(FloatingPointError, match="use a smaller lr .*for example 0.0003"):
        run(model, 1)
    assert np.array_equal(model.parameters, kept)


def test_divergence_is_announced():
    history = History(train_loss=[3.0, 1.0])
    with pytest.warns(UserWarning, match="rose from 1.00 to") as warned:
        run(small(), 2, history=history)
    assert len(warned) == 1  # once is enough


def test_new_data_may_have_a_higher_loss(recwarn):
    run(small(), 1, history=History(train_loss=[3.0, 0.1], events=[(2, "fine-tune")]))
    assert not recwarn.list


@pytest.mark.parametrize(
    "name, value",
    [
        ("lr", 10),
        ("lr", float("nan")),
        ("lr", 0),
        ("lr", "fast"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("batch_size", 2.0),
        ("batch_size", float("inf")),
        ("batch_size", True),
        ("warmup_steps", -1),
        ("total_epochs", 0),
        ("weight_decay", 1.0),
        ("max_norm", 0),
        ("lr", True),
        ("total_epochs", float("inf")),
        ("total_epochs", 2.0),
    ],
)
def test_settings_that_cannot_work(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        Settings(**{name: value})


@pytest.mark.parametrize("epochs", [-1, 1.5, True, "3", None])
def test_bad_epochs(epochs):
    with pytest.raises(ValueError, match="^epochs must be"):
        training.check_epochs(epochs)


def test_history_to_dict_and_back():
    _, history = run(small(), 2, validation_sequences=SEQUENCES)
    history.events.append((2, "fine-tune"))
    assert History.from_dict(history.to_dict()) == history


@pytest.mark.threads_or_processes
def test_ctrl_c_sets_the_flag_and_a_second_one_interrupts():
    usual = signal.getsignal(signal.SIGINT)
    with stop_on_interrupt() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
            stop.wait(0.5)
            raise AssertionError("the second Ctrl-C did nothing")
    assert signal.getsignal(signal.SIGINT) is usual


@pytest.mark.threads_or_processes
def test_in_another_thread_signals_are_left_alone():
    seen = []

    def work():
        with stop_on_interrupt() as stop:
            seen.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
