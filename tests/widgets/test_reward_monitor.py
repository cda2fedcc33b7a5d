"""The reward monitor: live, stopped at the button, and the same steps as without it."""

import asyncio
import signal

import numpy as np
import pytest
from pages import HOSTILE, Page, assert_harmless, fresh

from lunsedu.display.rewards import RewardState, reward_view
from lunsedu.rewards import Answer, RewardHistory, learn_from_rewards
from lunsedu.widgets import reward_monitor, training_monitor

SETTINGS = dict(prompts_a_step=1, samples=4, max_tokens=4)


def short(text):
    return -float(len(text))


def test_it_learns_as_it_does_without_the_widget():
    by_hand, watched = fresh(), fresh()
    learning = learn_from_rewards(by_hand, ["good"], short, steps=3, **SETTINGS)
    steps = list(learning)
    monitor = reward_monitor(watched, ["good"], short, steps=3, **SETTINGS)
    assert "0 of 3" in Page(monitor.page.value).text and monitor.stop_button.disabled
    monitor.start_button.click()
    assert monitor.state.status == "done"
    assert np.array_equal(by_hand.model.parameters, watched.model.parameters)
    assert monitor.learning.history == learning.history
    page = Page(monitor.page.value)
    assert "3 of 3" in page.text and "Done." in page.text
    assert f"{steps[-1].reward:.2f}" in page.text and f"{steps[-1].length:.1f}" in page.text
    assert "3 steps" in monitor._still().alt
    monitor.start_button.click()  # as many again
    assert "6 of 6" in Page(monitor.page.value).text


def test_it_is_live_and_stops_at_the_button_and_goes_on():
    lm = fresh()
    monitor = reward_monitor(lm, ["good"], short, steps=10_000, **SETTINGS)
    history = monitor.learning.history

    async def more_than(count):
        while len(history.reward) <= count:
            await asyncio.sleep(0.01)  # returns, so others get their turn

    async def use():
        monitor.start_button.click()
        await more_than(2)
        other = training_monitor(lm, 2)
        other.start_button.click()
        assert "another monitor trains this model" in Page(other.notice.value).text
        await asyncio.to_thread(monitor.stop_button.click)
        await monitor.wait()
        done = len(history.reward)
        assert monitor.state.status == "stopped" and done < 10_000
        page = Page(monitor.page.value)
        assert "What was learned is kept" in page.text and f"{done} of 10000" in page.text
        monitor.start_button.click()
        await more_than(done)
        monitor.stop_button.click()
        await monitor.wait()

    asyncio.run(asyncio.wait_for(use(), 60))
    assert monitor.state.status == "stopped" and monitor.notice.value == ""


def test_ctrl_c_ends_after_a_whole_step():
    def impatient(text):
        signal.raise_signal(signal.SIGINT)
        return 1.0

    one = dict(SETTINGS, samples=1)
    monitor = reward_monitor(fresh(), ["good"], impatient, steps=5, **one)
    monitor.start()
    assert monitor.state.status == "stopped" and len(monitor.learning.history.reward) == 1


def test_errors_are_shown_and_the_model_is_free_again():
    lm = fresh()
    monitor = reward_monitor(lm, ["good"], lambda text: "much", steps=2, **SETTINGS)
    monitor.start_button.click()
    assert monitor.state.status == "failed" and not monitor.start_button.disabled
    assert "must return a finite number" in Page(monitor.notice.value).text
    reward_monitor(lm, ["good"], short, steps=1, **SETTINGS).start()
    with pytest.raises(ValueError, match="no prompts"):
        reward_monitor(lm, [], short)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_answers_cannot_change_the_page(hostile):
    history = RewardHistory([0.5, 1.0], [4.0, 15.25], [0.0, 0.0], [100, 2000])
    html = reward_view(RewardState(history, 9, "paused", [Answer((1,), (2,), hostile, 1.0)]))
    assert_harmless(html)
    text = Page(html).text
    assert "2 of 9" in text and "15.2" in text and "2,100" in text
