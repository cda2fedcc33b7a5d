"""The training monitor."""

import asyncio
import re
import subprocess
import sys

import numpy as np
import pytest
from pages import Page, fresh

from lunsedu import LunsformterModel
from lunsedu.widgets import training_monitor


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


def test_monitor_without_a_loop_trains_to_the_end():
    lm = fresh()
    monitor = training_monitor(lm, epochs=3, floor=0.5, prompt="good", lr=0.01)
    assert monitor.state.status == "ready" and not monitor.start_button.disabled
    monitor.start_button.click()
    assert monitor.state.status == "done" and lm.history.epochs == 3
    page = Page(monitor.page.value)
    assert "epoch3 of 3" in page.text and "Done." in page.text
    steps = len(lm.history.step_loss)
    assert monitor.state.steps_done == steps and f"step {steps} of {steps}" in page.text
    assert monitor.state.seconds_left is None
    assert monitor.state.tokens_per_second > 0
    assert [epoch for epoch, _ in monitor.state.samples] == [0, 3]
    assert monitor.state.samples[-1][1] == lm.generate("good", 12)


def test_monitor_trains_as_fit_does():
    by_hand, watched = fresh(), fresh()
    by_hand.fit(epochs=4, verbose=False, lr=0.005)
    training_monitor(watched, epochs=4, lr=0.005).start()
    assert np.array_equal(by_hand.model.parameters, watched.model.parameters)
    assert watched.history.step_loss == by_hand.history.step_loss


def test_monitor_leaves_the_loop_to_others():
    lm = fresh()
    monitor = training_monitor(lm, epochs=10_000)

    async def use():
        monitor.start()
        assert monitor.state.status == "training"
        assert monitor.start_button.disabled and not monitor.stop_button.disabled
        monitor.start()  # once is enough
        while len(lm.history.step_loss) < 5:
            await asyncio.sleep(0.01)  # returns, so others get their turn
        monitor.pause_button.click()
        assert monitor.pause_button.description == "Resume"
        await asyncio.sleep(0.1)
        paused = len(lm.history.step_loss)
        await asyncio.sleep(0.1)
        assert len(lm.history.step_loss) == paused
        monitor.pause_button.click()
        while len(lm.history.step_loss) < paused + 5:
            await asyncio.sleep(0.01)
        monitor.stop_button.click()
        await monitor.wait()

    run(use())
    assert monitor.state.status == "stopped"
    assert "What was learned is kept" in Page(monitor.page.value).text
    assert lm.history.events[-1] == (lm.history.epochs, "stopped")
    assert lm.history.epochs < 10_000
    assert lm.generate("good", 3).startswith("good")


def test_monitor_stops_when_asked_from_another_thread():
    lm = fresh()
    monitor = training_monitor(lm, epochs=10_000)

    async def use():
        monitor.start()
        await asyncio.sleep(0.05)
        await asyncio.to_thread(monitor.stop_button.click)
        await monitor.wait()

    run(use())
    assert monitor.state.status == "stopped" and monitor.notice.value == ""


def test_monitor_starts_again_after_stop_or_end():
    lm = fresh()
    monitor = training_monitor(lm, epochs=2)
    monitor.start()
    monitor.start()
    assert lm.history.epochs == 4 and "epoch4 of 4" in Page(monitor.page.value).text


def test_samples_come_while_it_trains_and_the_last_ones_stay(monkeypatch):
    for name in ("SLICE", "REST", "REDRAW", "SAMPLE"):
        monkeypatch.setattr(f"lunsedu.widgets.background.{name}", 0.0)
    monitor = training_monitor(fresh(), epochs=9, prompt="good")
    monitor.start()
    epochs = [epoch for epoch, _ in monitor.state.samples]
    assert epochs == [5, 6, 7, 8, 9]
    assert "9" in re.findall(r"<td[^>]*>(\d+)</td>", monitor.page.value)


def test_pausing_or_stopping_at_rest_does_nothing():
    monitor = training_monitor(fresh(), epochs=2)
    monitor.pause()
    monitor.stop()
    assert monitor.state.status == "ready"
    assert monitor.pause_button.disabled and monitor.stop_button.disabled


def test_two_monitors_do_not_train_one_model():
    lm = fresh()
    first, second = training_monitor(lm, 10_000), training_monitor(lm, 10_000)

    async def use():
        first.start()
        second.start_button.click()
        assert "another monitor trains this model" in Page(second.notice.value).text
        assert second.state.status == "ready"
        first.stop()
        await first.wait()
        second.start_button.click()
        assert second.state.status == "training" and second.notice.value == ""
        second.stop()
        await second.wait()

    run(use())


def test_monitor_shows_errors_of_settings_and_of_training(monkeypatch):
    lm = fresh()
    kept = lm.settings
    with pytest.raises(TypeError, match=r"'colour' is no setting of fit\(\)"):
        training_monitor(lm, epochs=2, colour="red")
    with pytest.raises(ValueError, match="lr must be"):
        training_monitor(lm, epochs=2, lr=-1)
    training_monitor(lm, epochs=2, lr=0.01)  # waits for its button: nothing is changed yet
    assert lm.settings == kept

    lm = fresh()
    monitor = training_monitor(lm, epochs=2)
    monkeypatch.setattr(lm.model, "loss_and_gradient", lambda *a, **k: (np.nan, np.ones(9)))
    monkeypatch.setattr("lunsedu.training.loop.clip_gradient", lambda *a: np.nan)
    monitor.start_button.click()
    assert monitor.state.status == "failed" and not monitor.start_button.disabled
    assert "the loss became nan" in Page(monitor.notice.value).text


def test_monitor_needs_data_and_epochs(lm):
    with pytest.raises(ValueError, match="no data to learn from"):
        training_monitor(LunsformterModel.from_parts(lm.model, lm.tokenizer))
    with pytest.raises(ValueError, match="whole number"):
        training_monitor(fresh(), epochs=-1)
    with pytest.raises(TypeError, match="prompt must be a str, not int"):
        training_monitor(fresh(), prompt=5)
    with pytest.raises(ValueError, match="max_tokens must be a whole number"):
        training_monitor(fresh(), max_tokens="x")
    with pytest.raises(TypeError, match="pass lm itself, not lm.model"):
        training_monitor(fresh().model)


def test_a_new_prompt_begins_new_samples():
    monitor = training_monitor(fresh(), epochs=1, prompt="good")
    monitor.start()
    assert len(monitor.state.samples) == 2
    monitor.controls["prompt"].value = "how"
    assert monitor.state.prompt == "how" and monitor.state.samples == []


def test_interrupt_key_stops_the_training():
    """Jupyter's stop button sends SIGINT; seen in a process of its own."""
    code = """
import signal
from lunsedu import LunsDataset, LunsformterModel
from lunsedu.widgets import training_monitor
lm = LunsformterModel(LunsDataset(texts=["good day", "good night"] * 3), dim=16, hidden_dim=32)
monitor = training_monitor(lm, epochs=1_000_000)
steps = lm.train_steps
def interrupted(*args, **settings):
    for i, loss in enumerate(steps(*args, **settings)):
        if i == 20:
            signal.raise_signal(signal.SIGINT)
        yield loss
lm.train_steps = interrupted
monitor.start()
print(monitor.state.status, len(lm.history.step_loss) < 10_000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["stopped", "True"], done.stderr
