"""The page of the training monitor."""

import numpy as np
import pytest
from pages import Page, assert_harmless, lines_of, svg_of

from lunsedu import LunsDataset, LunsformterModel
from lunsedu.display import stills
from lunsedu.display.training import STATUS, thin_out, training_view
from lunsedu.training import History, TrainingState
from lunsedu.widgets import training_monitor


def test_thinned_losses_keep_mean_and_end():
    losses = list(np.random.default_rng(0).random(1001))
    points = thin_out(losses, 100)
    assert len(points) <= 100 and points[-1][0] == 1001
    sizes = np.diff([0] + [step for step, _ in points])
    assert np.average([loss for _, loss in points], weights=sizes) == pytest.approx(np.mean(losses))
    assert thin_out([]) == []


@pytest.mark.parametrize("status", STATUS)
def test_training_view_in_every_state(status):
    state = TrainingState(status=status, epochs=4, steps_per_epoch=2, floors={"floor": 0.5})
    text = Page(training_view(state)).text
    assert "will be drawn here" in text and "above the floor–" in text
    state.history = History([3.25, 1.75], [3.5, 2.5], step_loss=[4.0, 3.0, 2.0, 1.5])
    state.tokens_per_second, state.prompt = 12345.6, "<b>"
    state.samples = [(0, "<b>zz"), (2, "<b> hello")]
    html = training_view(state)
    page = assert_harmless(html)
    assert "epoch2 of 4" in page.text and "loss, nats a token1.750" in page.text
    assert "above the floor1.250" in page.text and "tokens a second12,346" in page.text
    assert page.text.index("<b> hello") < page.text.index("<b>zz")  # the newest on top
    label = svg_of(html).get("aria-label")
    assert label == (
        "Training loss: from 3.25 to 1.75 nats a token; validation loss 2.50; floor 0.50."
    )


def test_training_view_draws_epochs_over_the_steps_of_this_training():
    history = History([4.0, 3.0, 2.0], [3.0], step_loss=[9.0, 9.0, 4.0, 2.0, 1.0])
    state = TrainingState(history=history, steps_per_epoch=2, first_epoch=1, first_step=2)
    steps, epochs, _ = lines_of(training_view(state))
    unit = steps[1][0] - steps[0][0]  # half an epoch to the right
    assert len(steps) == 3  # not those of earlier trainings
    # the third epoch was stopped in its middle, where the steps end
    assert epochs[1][0] - epochs[0][0] == pytest.approx(2 * unit, abs=0.2)
    assert epochs[2][0] == pytest.approx(steps[2][0], abs=0.2)
    assert epochs[1][0] == pytest.approx(steps[1][0], abs=0.2)
    assert epochs[0][1] < epochs[1][1] < epochs[2][1]  # y goes down the page


def test_training_view_before_the_first_epoch_ends():
    state = TrainingState(history=History(step_loss=[5.0, 4.0]), steps_per_epoch=9)
    html = training_view(state)
    assert "loss, nats a token–" in Page(html).text
    assert svg_of(html).get("aria-label") == "Loss of the steps: from 5.00 to 4.00 nats a token."


def test_losses_of_the_monitor_are_means_over_tokens():
    """One batch of many short texts, one of long ones: the mean over steps would be far off."""
    texts = ["ab"] * 32 + ["one two three four five six seven eight nine ten. " * 2] * 32
    lm = LunsformterModel(LunsDataset(texts=texts, vocab_size=280), dim=16, hidden_dim=32)
    monitor = training_monitor(lm, epochs=3, floor=0.25, lr=0.01)
    monitor.start()
    loss, steps = lm.history.train_loss[-1], np.mean(lm.history.step_loss[-2:])
    assert abs(loss - steps) > 0.01
    text = Page(monitor.page.value).text
    assert f"loss, nats a token{loss:.3f}above the floor{loss - 0.25:.3f}" in text
    first, last = lm.history.train_loss[0], loss
    said = f"from {first:.2f} to {last:.2f} nats a token"
    assert said in svg_of(monitor.page.value).get("aria-label")
    assert said in stills.training_picture(monitor.state).alt


def test_the_still_of_the_training_shows_validation_and_floor():
    history = History([3.0, 2.0], [2.5, 1.5], step_loss=[9.0, 9.0])
    state = TrainingState(history=history, floors={"floor": 1.0})
    assert stills.training_picture(state).alt == (
        "Training loss over 2 epochs: from 3.00 to 2.00 nats a token. Validation loss ends at"
        " 1.50, its best was 1.50 at epoch 2. Floor at 1.00."
    )


def test_unlearning_is_said():
    state = TrainingState(history=History(step_loss=[5.0, 2.0, 9.0]), epochs=3, steps_per_epoch=3)
    assert "rose from 2.00 to 9.00" in Page(training_view(state)).text
    state.history.step_loss = [5.0, 2.0, 2.5]
    assert "rose" not in Page(training_view(state)).text


def test_the_progress_of_this_training_is_one_bar_over_all_steps():
    state = TrainingState("training", epochs=10, first_epoch=4, steps_per_epoch=5)
    assert "<progress" not in training_view(state)
    state.steps_done, state.seconds_left = 12, 65.4
    html = training_view(state)
    assert '<progress class="lu-progress" max="30" value="12"' in html
    assert "step 12 of 30, 1:05 min left" in Page(html).text
