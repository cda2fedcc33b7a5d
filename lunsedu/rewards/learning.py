"""Learning from rewards, step by step: try, be judged, become likelier to do what paid.

    learning = learn_from_rewards(lm, prompts, reward, steps=10)
    for step in learning:
        print(step)
    learning.history.plot()

A step draws answers to a few prompts, asks the judge, takes each answer's advantage over its group,
and moves the weights along advantage * gradient of ln p(answer).

Sources: the policy gradient, Williams 1992 (Machine Learning 8); groups in place of a critic, Shao
et al. 2024 (arXiv 2402.03300), section 4.1. There is one update a batch, so the ratio that PPO
(Schulman et al. 2017, arXiv 1707.06347) clips is always 1.
"""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.files import storage
from lunsedu.model.layers import target_log_probs
from lunsedu.rewards.answers import Answer, Reward, answers_batch, best_answers, drawn_answers
from lunsedu.rewards.estimates import advantages
from lunsedu.training import AdamW, stop_on_interrupt

if TYPE_CHECKING:
    from lunsedu.lm import LunsformterModel
    from lunsedu.plots.figures import Picture

LEARN_FROM = ("samples", "insideout")
CAN_TRY_AND_LEARN = ("model", "tokenizer", "decode_with")  # asked of lm


@dataclass(frozen=True)
class Step:
    """What one step saw: means over its answers."""

    number: int  # 1 for the first
    reward: float
    length: float  # of an answer, in tokens, its end included
    kl: float  # ln p now minus ln p at the beginning, nats an answer; 0 unless kl= is given
    tokens: int  # positions that went through the model, to try and to learn
    answers: tuple[tuple[Answer, ...], ...]  # a group for each prompt


@dataclass
class RewardHistory:
    """The means of all steps so far, and the tokens that each step computed."""

    reward: list = field(default_factory=list)
    length: list = field(default_factory=list)
    kl: list = field(default_factory=list)
    tokens: list = field(default_factory=list)

    def plot(self) -> Picture:
        """Draw reward and length of an answer over the steps, side by side."""
        from lunsedu import plots

        figure, axes = plots.new_figure(columns=2, width=9, height=2.8)
        steps = range(1, len(self.reward) + 1)
        for axis, values, title, style in (
            (axes[0], self.reward, "reward", "o-"),
            (axes[1], self.length, "length, tokens", "s-"),
        ):
            axis.plot(steps, values, style, markersize=3)
            axis.set(title=title, xlabel="step", ylim=(0, None))
        words = ""
        if self.reward:
            words = (
                f" Reward from {self.reward[0]:.2f} to {self.reward[-1]:.2f}, length from"
                f" {self.length[0]:.1f} to {self.length[-1]:.1f} tokens."
            )
        return plots.show(figure, alt=f"Two curves over {len(self.reward)} steps.{words}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RewardHistory:
        """Return the history that to_dict() gave."""
        return cls(**{name: list(values) for name, values in data.items()})


class RewardLearning:
    """An iterator over steps; see `learn_from_rewards`. Between two steps all is whole.

    `history` has the means of all steps; `save` and `resume` go on later, bit for bit.
    """

    def __init__(
        self,
        lm: LunsformterModel,
        prompts: Sequence[str],
        reward: Reward,
        steps: int,
        prompts_a_step: int,
        samples: int,
        lr: float,
        seed: int,
        max_tokens: int,
        scale: bool,
        by_length: bool,
        kl: float,
        learn_from: str,
    ) -> None:
        checks.language_model(lm, CAN_TRY_AND_LEARN)
        self.lm, self.reward = lm, reward
        self.prompts = [checks.text(prompt, "a prompt") for prompt in _list(prompts)]
        if not self.prompts:
            raise ValueError("there are no prompts to learn from: give a list of texts")
        if not callable(reward):
            raise TypeError(f"reward must be a function of a text, not a {type(reward).__name__}")
        if learn_from not in LEARN_FROM:
            raise ValueError(f"learn_from must be one of {LEARN_FROM}, not {learn_from!r:.40}")
        positive = "a number above 0"
        self.settings: dict[str, Any] = {
            "steps": checks.whole_number("steps", steps, 1),
            "prompts_a_step": checks.whole_number("prompts_a_step", prompts_a_step, 1),
            "samples": checks.whole_number("samples", samples, 1),
            "lr": checks.number("lr", lr, positive, lambda x: 0 < x < math.inf),
            "max_tokens": checks.whole_number("max_tokens", max_tokens, 1),
            "kl": checks.number("kl", kl, "a number of at least 0", lambda x: 0 <= x < math.inf),
            "scale": bool(scale),
            "by_length": bool(by_length),
            "learn_from": learn_from,
        }
        self.rng = checks.dice(seed)
        self.optimizer = AdamW(
            lm.model.parameters.size, weight_decay=0.0, dtype=lm.model.parameters.dtype
        )
        self.history = RewardHistory()
        self.stopped = False
        self._old = copy.deepcopy(lm.model) if self.settings["kl"] else None

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self.stopped or len(self.history.reward) >= self.settings["steps"]:
            raise StopIteration
        with stop_on_interrupt() as stop:
            step = self._step()
        self.stopped = stop.is_set()  # Ctrl-C: this step is whole, and the last one
        return step

    def _step(self):
        s = self.settings
        count = min(s["prompts_a_step"], len(self.prompts))
        chosen = self.rng.choice(len(self.prompts), count, replace=False)
        prompts = [self.prompts[i] for i in chosen]
        if s["learn_from"] == "insideout":
            groups, tokens = best_answers(
                self.lm, prompts, self.reward, s["samples"], s["max_tokens"]
            )
            weights = np.array([[one.reward for one in group] for group in groups])  # [P, 1]
        else:
            groups, tokens = drawn_answers(
                self.lm, prompts, self.reward, s["samples"], s["max_tokens"], self.rng
            )
            rewards = [[one.reward for one in group] for group in groups]
            weights = advantages(rewards, scale=s["scale"])  # [P, S]
        answers = [one for group in groups for one in group]
        leaving, read = self._leaving(answers)  # [P * S]
        if self._old is not None:
            away = advantages(leaving.reshape(weights.shape), scale=False)
            weights = weights - s["kl"] * away
        tokens += read + self._learn(answers, weights.ravel())
        step = Step(
            number=len(self.history.reward) + 1,
            reward=float(np.mean([one.reward for one in answers])),
            length=float(np.mean([len(one.token_ids) for one in answers])),
            kl=float(leaving.mean()),
            tokens=tokens,
            answers=tuple(map(tuple, groups)),
        )
        for name in ("reward", "length", "kl", "tokens"):
            getattr(self.history, name).append(getattr(step, name))
        return step

    def _leaving(self, answers):
        """Return ln p(answer) now minus at the beginning, [N], and the tokens that it took."""
        if self._old is None:
            return np.zeros(len(answers)), 0
        ids, targets, _ = answers_batch(answers, np.ones(len(answers)), self.lm.tokenizer.pad_id)
        now, before = (
            target_log_probs(model.forward(ids).astype(np.float64), targets).sum(axis=1)
            for model in (self.lm.model, self._old)
        )
        return now - before, 2 * _positions(answers)

    def _learn(self, answers, weights):
        """Move the weights along sum of weight * gradient of ln p(answer); return the tokens."""
        kept = [(one, w) for one, w in zip(answers, weights, strict=True) if w != 0]
        if not kept:  # every group was of one mind: nothing to learn here
            return 0
        chosen = [one for one, _ in kept]
        by_length = self.settings["by_length"]
        shares = [w / len(one.token_ids) if by_length else w for one, w in kept]
        ids, targets, table = answers_batch(chosen, shares, self.lm.tokenizer.pad_id)
        # loss_and_gradient divides by the targets of this batch; the mean is over all answers
        table *= (targets >= 0).sum() / len(answers)
        loss, gradient = self.lm.model.loss_and_gradient(ids, targets, table)
        if not (math.isfinite(loss) and np.isfinite(gradient).all()):
            raise FloatingPointError(
                f"the loss became {loss} at step {self.optimizer.step + 1}, so learning stopped"
                " with the model as it was before: use a smaller lr (it was"
                f" {self.settings['lr']})"
            )
        self.optimizer.update(self.lm.model.parameters, gradient, self.settings["lr"])
        return _positions(chosen)

    # --- later ------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that it takes to go on as if nothing had happened, the model's weights too.

        Raises OSError, naming the path, when it cannot be written, TypeError or ValueError for what
        is no path.
        """
        path = checks.path(path)
        arrays = {
            "parameters": self.lm.model.parameters,
            "m": self.optimizer.m,
            "v": self.optimizer.v,
        }
        if self._old is not None:
            arrays["old"] = self._old.parameters
        state = {
            "settings": self.settings,
            "prompts": self.prompts,
            "step": self.optimizer.step,
            "rng": self.rng.bit_generator.state,
            "history": self.history.to_dict(),
        }
        storage.save_arrays(path, arrays, {"learning": json.dumps(state)})

    @classmethod
    def resume(
        cls, path: str | os.PathLike[str], lm: LunsformterModel, reward: Reward, steps: int
    ) -> RewardLearning:
        """Return the learning that was saved, for `steps` steps more; lm gets the saved weights.

        Raises FileNotFoundError or ValueError, naming the file, when it cannot be used, TypeError
        when lm is no LunsformterModel.
        """
        checks.language_model(lm, CAN_TRY_AND_LEARN)
        arrays, texts = storage.load_arrays(
            path, "saved learning", "check the path, or save one with learning.save(path)"
        )
        if "learning" not in texts:
            raise ValueError(f"{path} is a saved model, but no learning from rewards")
        if arrays["parameters"].shape != lm.model.parameters.shape:
            raise ValueError(
                f"{path} belongs to a model of {arrays['parameters'].size:,} parameters, this one"
                f" has {lm.model.parameters.size:,}"
            )
        state = json.loads(texts["learning"])
        history = RewardHistory.from_dict(state["history"])
        total = len(history.reward) + checks.whole_number("steps", steps, 1)
        settings = {**state["settings"], "steps": total}
        learning = cls(lm, state["prompts"], reward, seed=0, **settings)
        lm.model.parameters[:] = arrays["parameters"]
        learning.optimizer.m[:], learning.optimizer.v[:] = arrays["m"], arrays["v"]
        learning.optimizer.step = state["step"]
        learning.rng.bit_generator.state = state["rng"]
        learning.history = history
        if learning._old is not None:
            learning._old.parameters[:] = arrays["old"]
        return learning


def learn_from_rewards(
    lm: LunsformterModel,
    prompts: Sequence[str],
    reward: Reward,
    steps: int = 10,
    prompts_a_step: int = 16,
    samples: int = 8,
    lr: float = 1e-3,
    seed: int = 0,
    max_tokens: int = 20,
    *,
    scale: bool = True,
    by_length: bool = False,
    kl: float = 0.0,
    learn_from: str = "samples",
) -> RewardLearning:
    """Return an iterator whose steps change the model in place; each yields a Step.

    A step draws `samples` answers (at most `max_tokens` long) to each of `prompts_a_step` prompts
    and pays reward(text) for each, where text is prompt and answer. An answer's weight is its
    advantage over the answers to the same prompt; with `scale` it is divided by the group's
    standard deviation, with `by_length` by the answer's length, as GRPO does. `kl` is the price for
    a nat away from the model that it was at the beginning. learn_from="insideout" is expert
    iteration instead: of each prompt only InsideOut's best answer of `samples` candidates, weighted
    by its reward.

    Ctrl-C or the stop button ends after the current step, and what was learned is kept. Raises
    ValueError or TypeError for settings that cannot work or a reward that is no finite number,
    FloatingPointError when the loss is no longer a number.
    """
    return RewardLearning(
        lm,
        prompts,
        reward,
        steps,
        prompts_a_step,
        samples,
        lr,
        seed,
        max_tokens,
        scale,
        by_length,
        kl,
        learn_from,
    )


def _list(prompts):
    if isinstance(prompts, str):
        raise TypeError("prompts must be a list of texts, not one text")
    return list(prompts)


def _positions(answers):
    return sum(len(one.prompt_ids) + len(one.token_ids) - 1 for one in answers)
