"""An adapter learns answers to prompts: examples, batches, steps.

    learn(adapter, lm.tokenizer, [("2 + 3 ->", " 5"), ...], epochs=2)

Only the tokens of the answers carry loss, the end of the text among them: without it the model
would never learn to stop.

What is not here: the gradient (gradient.py), AdamW and the falling learning rate (training/).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from typing import Any, Protocol

import numpy as np

from lunsedu import checks
from lunsedu.tokenizer import Tokenizer
from lunsedu.training import AdamW, History, clip_gradient, learning_rate, stop_on_interrupt

Pair = tuple[str, str]


class Learner(Protocol):
    """What can learn: a LowRank, or a whole Lunsformter (full fine-tuning)."""

    parameters: np.ndarray

    def loss_and_gradient(self, ids: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient by `parameters`."""


def answer_batch(tokenizer: Tokenizer, examples: Iterable[Pair]) -> tuple[np.ndarray, np.ndarray]:
    """Put pairs (prompt, answer) of text into arrays ids, targets int [B, T], for training.

    Each row holds a prompt, its answer and <|eos|>. The targets are the ids one place later, with
    -1 where the next token belongs to the prompt or to the padding. Prompt and answer are cut into
    tokens apart, as they are when the model is asked.

    Raises ValueError without examples, or for an empty prompt, TypeError for what is no tokenizer.

    >>> from lunsedu import Tokenizer
    >>> tokenizer = Tokenizer.train(["ab"], vocab_size=259)
    >>> ids, targets = answer_batch(tokenizer, [("ab", "c")])
    >>> ids.tolist(), targets.tolist()  # <|bos|> a b c, and what follows: c <|eos|>
    ([[257, 97, 98, 99]], [[-1, -1, 99, 258]])
    """
    checks.tokenizer(tokenizer)
    rows = [_ids(tokenizer, *example) for example in _pairs(examples)]
    longest = max(len(prompt) + len(answer) for prompt, answer in rows) - 1
    fill = 0 if tokenizer.pad_id is None else tokenizer.pad_id
    ids = np.full((len(rows), longest), fill)  # [B, T]
    targets = np.full((len(rows), longest), -1)  # [B, T]
    for row, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer) - 1
        ids[row, :end] = (prompt + answer)[:-1]
        targets[row, len(prompt) - 1 : end] = answer
    return ids, targets


def _pairs(examples):
    examples = list(examples)
    if not examples:
        raise ValueError("there are no examples: give pairs (prompt, answer) of text")
    for example in examples:
        if isinstance(example, str) or len(example) != 2:
            raise ValueError(f"an example must be a pair (prompt, answer), not {example!r:.60}")
    return examples


def _ids(tokenizer, prompt, answer):
    """Return the ids of a prompt and of its answer with the end of the text."""
    before = tokenizer.encode_prompt(checks.text(prompt, "the prompt of an example"))
    if not before:
        raise ValueError("the prompt of an example is empty: the answer needs one to follow")
    after = tokenizer.encode(checks.text(answer, "the answer of an example"))
    return before, [*after, *([] if tokenizer.eos_id is None else [tokenizer.eos_id])]


def exactly_right(
    forward: Callable[[np.ndarray], np.ndarray],
    tokenizer: Tokenizer,
    examples: Iterable[Pair],
    batch_size: int = 16,
) -> np.ndarray:
    """Return bool [N]: would greedy decoding give each answer exactly, and stop there?

    `forward` turns ids [B, T] into logits [B, T, V]: adapter.forward or lm.model.forward. Nothing
    needs to be generated: greedy decoding gives an answer exactly if, after each part of the right
    answer, the next right token is the likeliest (ties: the lower id). One pass shows all of them.
    """
    examples, right = _pairs(examples), []
    for start in range(0, len(examples), batch_size):
        ids, targets = answer_batch(tokenizer, examples[start : start + batch_size])
        likeliest = forward(ids).argmax(axis=-1)  # [B, T]
        right.append(((likeliest == targets) | (targets < 0)).all(axis=1))
    return np.concatenate(right)


def learning_steps(
    adapter: Learner,
    tokenizer: Tokenizer,
    examples: Iterable[Pair],
    epochs: int = 1,
    batch_size: int = 16,
    lr: float = 2e-3,
    seed: int = 0,
    history: History | None = None,
) -> Generator[float, None, None]:
    """Train an adapter on pairs (prompt, answer); a generator that yields each step's loss.

    The learning rate climbs for three steps, then falls to a tenth of `lr` along a half cosine.
    Examples are shuffled in each epoch; those of like length share a batch. The adapter is changed
    in place, and is whole at every yield. Raises ValueError for examples or settings that cannot
    work, TypeError for what can't learn or is no tokenizer, FloatingPointError when the loss is no
    longer a number.
    """
    _check_learner(adapter)
    checks.tokenizer(tokenizer)
    rows = _pairs(examples)
    epochs = checks.whole_number("epochs", epochs, 1)
    batch_size = checks.whole_number("batch_size", batch_size, 1)
    lr = checks.number(
        "lr", lr, "a learning rate above 0, at most 1 (0.002 is a good start)", lambda x: 0 < x <= 1
    )
    history = History() if history is None else history
    rng = checks.dice(seed)
    return _steps(adapter, tokenizer, rows, epochs, batch_size, lr, rng, history)


WARMUP = 3  # steps
SETTINGS = ("batch_size", "lr", "seed")


def _steps(adapter, tokenizer, rows, epochs, batch_size, lr, rng, history):
    lengths = np.array([sum(map(len, _ids(tokenizer, *row))) for row in rows])  # [N]
    total = epochs * -(-len(rows) // batch_size)
    optimizer = AdamW(adapter.parameters.size, weight_decay=0.0, dtype=adapter.parameters.dtype)
    for _ in range(epochs):
        order = rng.permutation(len(rows))  # [N]
        losses = []
        for chosen in _like_lengths(order, lengths, batch_size, rng):
            ids, targets = answer_batch(tokenizer, [rows[i] for i in chosen])
            loss, gradient = adapter.loss_and_gradient(ids, targets)
            norm = clip_gradient(gradient, 1.0)
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise FloatingPointError(
                    f"the loss became {loss} at step {optimizer.step + 1}, so training stopped with"
                    f" the adapter as it was before: use a smaller lr (it was {lr})"
                )
            rate = learning_rate(optimizer.step, lr, min(WARMUP, total), total)
            optimizer.update(adapter.parameters, gradient, rate)
            history.step_loss.append(loss)
            history.learning_rates.append(rate)
            losses.append(loss)
            yield loss
        history.train_loss.append(float(np.mean(losses)))


def _check_learner(adapter):
    if not (hasattr(adapter, "parameters") and hasattr(adapter, "loss_and_gradient")):
        raise TypeError(
            f"adapter must be what can learn, not {type(adapter).__name__}: pass a LowRank, or"
            " lm.model for full fine-tuning"
        )


def _like_lengths(order, lengths, batch_size, rng):
    """Yield batches of indices of like length, from a shuffled order [N], in a shuffled order."""
    order = order[np.argsort(lengths[order], kind="stable")]
    starts = rng.permutation(np.arange(0, len(order), batch_size))
    for start in starts:
        yield order[start : start + batch_size]


def learn(
    adapter: Learner,
    tokenizer: Tokenizer,
    examples: Iterable[Pair],
    epochs: int = 1,
    verbose: bool = True,
    **settings: Any,
) -> History:
    """Train an adapter on pairs (prompt, answer) under a progress bar; return the History.

    In place of an adapter a whole Lunsformter may learn: full fine-tuning, all else being equal.
    Settings: batch_size=16, lr=0.002, seed=0 (see learning_steps). Ctrl-C or the stop button ends
    after the current step, and what was learned is kept. Raises TypeError for a setting that there
    is not, and what learning_steps raises.
    """
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise TypeError(f"{unknown[0]!r} is no setting of learn(): there are {', '.join(SETTINGS)}")
    from tqdm.auto import tqdm

    history, examples = History(), list(examples)
    steps = learning_steps(adapter, tokenizer, examples, epochs, history=history, **settings)
    total = epochs * -(-len(examples) // settings.get("batch_size", 16))
    with (
        stop_on_interrupt() as stop,
        tqdm(total=total, unit="step", disable=not verbose) as bar,
    ):
        try:
            for loss in steps:
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
                bar.update()
                if stop.is_set():
                    break
            else:
                return history
        except KeyboardInterrupt:
            pass
        finally:
            steps.close()
    history.events.append((history.epochs, "stopped"))
    print(f"Stopped after {len(history.step_loss)} steps. What was learned is kept.")
    return history
