"""Learning from rewards: the model tries, a judge pays, and what paid becomes more likely.

    for step in learn_from_rewards(lm, prompts, reward, steps=10):
        print(step.reward, step.length)

Read in this order: estimates.py (advantages, pass@k), answers.py (what the model tries, and as a
batch to learn from), learning.py (steps, history, resuming), exact.py (the gradient of the expected
reward by adding up all answers, to check the sampled one).

What is not here: how a token is drawn (decoding/), the gradient of a text (model/), AdamW
(training/).
"""

from lunsedu.rewards.answers import Answer, answers_batch, best_answers, drawn_answers
from lunsedu.rewards.estimates import advantages, pass_at_k
from lunsedu.rewards.exact import exact_gradient, sampled_gradient
from lunsedu.rewards.learning import RewardHistory, RewardLearning, Step, learn_from_rewards

__all__ = [
    "Answer",
    "RewardHistory",
    "RewardLearning",
    "Step",
    "advantages",
    "answers_batch",
    "best_answers",
    "drawn_answers",
    "exact_gradient",
    "learn_from_rewards",
    "pass_at_k",
    "sampled_gradient",
]
