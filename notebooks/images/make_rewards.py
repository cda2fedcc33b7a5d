"""Make rewards.png, the README's picture of learning from rewards, from a real run:

    python notebooks/images/make_rewards.py

The shipped story model learns for 60 steps from right or wrong alone; reward and length of its
answers are drawn. The settings are those under which the notebooks are built, so that the picture
stays the same. It needs the extras: pip install -e ".[lab,test,dev]"
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from build import SAME_SUMS  # noqa: E402

os.environ.update(SAME_SUMS)  # before numpy is loaded

from lunsedu import load_example  # noqa: E402
from lunsedu.grammar import story_grammar  # noqa: E402
from lunsedu.rewards import learn_from_rewards  # noqa: E402


def reward(text):
    """1 for a puzzle answered rightly, else 0."""
    return float(story_grammar.answer_is_right(text) is True)


def main():
    lm = load_example("stories")
    learning = learn_from_rewards(lm, story_grammar.puzzles(held_out=False), reward, steps=60)
    for _ in learning:
        pass
    picture = learning.history.plot()
    picture.save(HERE / "rewards.png")
    print(picture.alt)


if __name__ == "__main__":
    main()
