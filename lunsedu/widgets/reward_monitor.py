"""The reward monitor: reward and length, live, while a model learns from rewards.

    reward_monitor(lm, prompts, reward, steps=60)

How it goes on while other cells run, and what the buttons do, stands in background.py; what a step
does, in rewards/learning.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lunsedu.display.rewards import RewardState, reward_picture, reward_view
from lunsedu.rewards import RewardLearning, Step, learn_from_rewards
from lunsedu.widgets.background import Background

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel


def reward_monitor(
    lm: LunsformterModel,
    prompts: Sequence[str],
    reward: Callable[[str], float],
    steps: int = 20,
    **settings: Any,
) -> RewardMonitor:
    """Learn from rewards with buttons: start, pause, resume, stop.

    `settings` are those of learn_from_rewards (prompts_a_step, samples, lr, kl, ...). Stop, or
    Jupyter's own stop button, ends after the current step, and what was learned is kept; start goes
    on from there. `monitor.learning` can be saved, and its history plotted. Raises ValueError or
    TypeError for settings that cannot work.
    """
    return RewardMonitor(lm, learn_from_rewards(lm, prompts, reward, steps, **settings))


class RewardMonitor(Background):
    """The widget of reward_monitor: a Background whose page follows a RewardLearning."""

    def __init__(self, lm: LunsformterModel, learning: RewardLearning) -> None:
        self.learning, self.steps = learning, learning.settings["steps"]
        state = RewardState(learning.history, self.steps)
        super().__init__(lm, state, {}, [], self._view, self._still)

    def _view(self):
        self.set_buttons()
        return reward_view(self.state)

    def _still(self):
        return reward_picture(self.state)

    def begin(self) -> Iterator[Step]:
        """Return the steps that are left; after the last one, as many again."""
        settings, done = self.learning.settings, len(self.learning.history.reward)
        if done >= settings["steps"]:
            settings["steps"] = done + self.steps
        self.state.steps = settings["steps"]
        self.learning.stopped = False
        return self._noted()

    def _noted(self):
        """Yield each step, and keep its answers for the page."""
        for step in self.learning:
            self.state.answers = [group[0] for group in step.answers]
            yield step

    def ended(self, status: str) -> None:
        """Tell a step that Ctrl-C made the last one from the last of all."""
        if status == "done" and self.learning.stopped:
            self.state.status = "stopped"
