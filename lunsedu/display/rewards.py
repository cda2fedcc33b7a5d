"""Learning from rewards as HTML and SVG: reward and length so far, answers of the last step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lunsedu.display.html_page import page, tiles
from lunsedu.display.line_chart import line_chart
from lunsedu.display.stills import HOW_TO_RUN, message_picture
from lunsedu.display.training import STATUS
from lunsedu.looks import safe

if TYPE_CHECKING:
    from lunsedu.plots.figures import Picture
    from lunsedu.rewards import Answer, RewardHistory

SHOWN = 4  # answers of the last step


@dataclass
class RewardState:
    """What the page shows: how it stands, the history, and answers of the last step."""

    history: RewardHistory
    steps: int  # how many there will be
    status: str = "ready"
    answers: Sequence[Answer] = ()


def reward_view(state: RewardState) -> str:
    """Return the page of the reward monitor."""
    history, none = state.history, "&#8211;"
    done = len(history.reward)
    numbers = [
        ("step", f"{done} of {state.steps}"),
        ("reward", f"{history.reward[-1]:.2f}" if done else none),
        ("length, tokens", f"{history.length[-1]:.1f}" if done else none),
        ("tokens computed", f"{sum(history.tokens):,}"),
    ]
    return page(
        f'<p class="lu-head" role="status">{STATUS[state.status]}</p>',
        tiles(numbers),
        _charts(state),
        _answers(state),
    )


def reward_picture(state: RewardState) -> Picture:
    """Draw reward and length over the steps, or say that there are none yet."""
    if not state.history.reward:
        return message_picture("Reward and length will be drawn here.", HOW_TO_RUN, 9.0)
    return state.history.plot()


def _charts(state):
    """Reward and length, each in a chart of its own: their scales have nothing in common."""
    if not state.history.reward:
        return '<p class="lu-quiet">Reward and length will be drawn here while it learns.</p>'
    charts = []
    for name, values, color in (
        ("reward", state.history.reward, "#0072b2"),
        ("length", state.history.length, "var(--lu-red)"),
    ):
        last = f"{values[-1]:.2f}" if name == "reward" else f"{values[-1]:.1f} tokens"
        points = list(enumerate(values, start=1))
        words = f"{name.capitalize()} over {len(values)} steps: from {values[0]:.2f} to {last}."
        series = [dict(points=points, name=f"{name} {last}", color=color)]
        charts.append(line_chart(series, words, "steps", None, (0, state.steps), 720, 150))
    return "".join(charts)


def _answers(state):
    """Some answers of the last step, with what they were paid."""
    if not state.answers:
        return ""
    rows = "".join(
        f'<tr><td class="lu-number">{one.reward:.2f}</td><td dir="auto">{safe(one.text)}</td></tr>'
        for one in state.answers[:SHOWN]
    )
    return (
        '<table><thead><tr><th scope="col" class="lu-number">reward</th>'
        f'<th scope="col">answers of the last step</th></tr></thead><tbody>{rows}</tbody></table>'
    )
