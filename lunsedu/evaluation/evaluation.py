"""The judge: decoders compared on the same prompts, a model compared with the truth.

Both need a language whose every probability is known (`lunsedu.grammar`). Decoders are compared
here, the model in entropy_floor.py.

    decoders = {"greedy": greedy, "beam 5": partial(beam_search, num_beams=5)}
    table = evaluate(lm, decoders, story_grammar.puzzles()[:200], story_grammar)
    table                               # right, well formed, log-probabilities, cost; intervals
    table.plot()                        # quality over cost
    table.difference("beam 5", "greedy")
    gap_to_floor(lm, story_grammar, sentences)

`lm` is a LunsformterModel or a GrammarModel, the perfect model. What is not here: a judge for texts
outside such a language; nobody knows the truth about those.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.compiling import is_compiled, use_compiled
from lunsedu.decoding import Result
from lunsedu.evaluation import intervals
from lunsedu.evaluation.jobs import each_answer
from lunsedu.evaluation.table_views import quality_over_cost, table_html, table_text
from lunsedu.model.fast.threads import one_core_a_product

if TYPE_CHECKING:
    from lunsedu.evaluation.intervals import Estimate
    from lunsedu.grammar.language import Grammar
    from lunsedu.grammar.model import GrammarModel
    from lunsedu.lm import LunsformterModel
    from lunsedu.plots.figures import Picture

PIECE = 8  # prompts that a worker process judges at a time


@dataclass(frozen=True)
class Outcome:
    """What one decoder made of one prompt. Log-probabilities are in nats, given the prompt."""

    prompt: str
    text: str  # the continuation alone
    right: bool | None  # None: the prompt asks nothing
    well_formed: bool  # a sentence of the language, if a wrong direct answer is forgiven
    model_log_prob: float  # what the model thought of its tokens
    true_log_prob: float  # what the language says; -inf: it never says this
    finished: bool  # reached <|eos|>
    forward_steps: int
    tokens_computed: int


@dataclass(frozen=True)
class Row:
    """One decoder over all prompts. Each summary is an Estimate, or None without a case."""

    name: str
    outcomes: list  # of Outcome, in the order of the prompts

    @cached_property
    def right(self) -> Estimate | None:
        """Share of right answers among the prompts that ask something."""
        return _share([o.right for o in self.outcomes if o.right is not None])

    @cached_property
    def well_formed(self) -> Estimate | None:
        return _share([o.well_formed for o in self.outcomes])

    @cached_property
    def model_log_prob(self) -> Estimate | None:
        return _mean([o.model_log_prob for o in self.outcomes])

    @cached_property
    def true_log_prob(self) -> Estimate | None:
        """Mean over the continuations that the language holds possible; the others have -inf."""
        return _mean([o.true_log_prob for o in self.outcomes])

    @property
    def distinct(self) -> int:
        """How many different continuations there are."""
        return len({o.text.strip() for o in self.outcomes})

    @property
    def forward_steps(self) -> float:
        """Mean number of forward steps a prompt."""
        return float(np.mean([o.forward_steps for o in self.outcomes]))

    @property
    def tokens_computed(self) -> float:
        """Mean number of token positions a prompt, the prompt's own counted once."""
        return float(np.mean([o.tokens_computed for o in self.outcomes]))


@dataclass(frozen=True, repr=False)
class Evaluation:
    """A table of decoders, one Row each; `table["greedy"]` is one of them."""

    rows: list  # of Row
    prompts: list  # of str

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"there is no decoder {name!r} here: {', '.join(r.name for r in self.rows)}")

    def difference(self, first: str, second: str) -> Estimate:
        """Share of right answers of one decoder minus that of another, prompt by prompt paired.

        Raises ValueError when the prompts ask nothing.
        """
        rights = [[o.right for o in self[name].outcomes] for name in (first, second)]
        pairs = [pair for pair in zip(*rights, strict=True) if pair[0] is not None]
        if not pairs:
            raise ValueError("these prompts ask nothing, so no decoder is right or wrong")
        ours, theirs = zip(*pairs, strict=True)
        return intervals.paired_difference(ours, theirs)

    def plot(self, title: str = "", width: float = 7.0, height: float = 3.6) -> Picture:
        """Draw right answers over tokens computed; return a Picture."""
        return quality_over_cost(self, title, width, height)

    def __str__(self) -> str:
        return table_text(self)

    __repr__ = __str__

    def _repr_html_(self):
        return table_html(self)


def evaluate(
    lm: LunsformterModel | GrammarModel,
    decoders: Mapping[str, Callable[..., Result]],
    prompts: Iterable[str],
    grammar: Grammar,
    max_tokens: int = 20,
    seed: int = 0,
    verbose: bool = False,
    jobs: int = 1,
) -> Evaluation:
    """Run each decoder on each prompt and judge what it says; return an Evaluation.

    `decoders` is a dict {name: decoder}; a decoder is a function of lunsedu.decoding, with its
    options set by functools.partial, or one of yours that is called alike and returns a Result.
    `prompts` are beginnings of sentences of `grammar`; held-out puzzles count as such. Answers are
    judged by `grammar.unrestricted`, for which no puzzle is held out.

    A decoder that draws at random gets a new Generator for each prompt, made from `seed` and the
    prompt's place. So a row is the same whatever else is in the table, and whoever computes it.
    `verbose` shows a progress bar.

    `jobs` processes share the work, by joblib: the table is the same. Inside
    `joblib.parallel_config(backend="dask")` they are the workers of a dask cluster. More than one
    need decoders that can be sent to another process.

    Raises TypeError or ValueError for a model, decoders, prompts or a seed that cannot be used,
    RuntimeError when worker processes die again and again.

    >>> from lunsedu.decoding import greedy
    >>> from lunsedu.grammar import GrammarModel, miniature_grammar
    >>> perfect = GrammarModel(miniature_grammar)
    >>> table = evaluate(perfect, {"greedy": greedy}, ["", "how"], miniature_grammar)
    >>> [outcome.text for outcome in table["greedy"].outcomes]
    [' i see kites', ' are you']
    """
    checks.language_model(lm, ["tokenizer"])  # a GrammarModel is its own model
    prompts = _check_prompts(prompts, grammar)
    _check_decoders(decoders)
    jobs = checks.whole_number("jobs", jobs, 1)
    seed = checks.whole_number("seed", seed)
    from tqdm.auto import tqdm

    # a model as the decoders need it: what it learned from need not travel to other processes
    lm = SimpleNamespace(model=getattr(lm, "model", lm), tokenizer=lm.tokenizer)
    step = 1 if jobs == 1 else PIECE
    numbered = list(enumerate(prompts))
    pieces = [
        (
            lm,
            name,
            decoder,
            numbered[start : start + step],
            grammar,
            seed,
            max_tokens,
            is_compiled(),
        )
        for name, decoder in decoders.items()
        for start in range(0, len(prompts), step)
    ]
    outcomes: list[Any] = [None] * len(pieces)
    with tqdm(total=len(decoders) * len(prompts), unit="text", disable=not verbose) as bar:
        for place, answer in each_answer(_judge_piece, pieces, jobs):
            outcomes[place] = answer
            bar.update(len(answer))
    rows = {name: Row(name, []) for name in decoders}
    for piece, answer in zip(pieces, outcomes, strict=True):
        rows[piece[1]].outcomes.extend(answer)
    return Evaluation(list(rows.values()), prompts)


def _judge_piece(lm, name, decoder, prompts, grammar, seed, max_tokens, compiled):
    """Return the Outcomes of some prompts, given as (place, prompt); the same in any process."""
    if compiled != is_compiled():
        use_compiled(compiled)
    judge, outcomes = _judge_of(grammar), []
    with one_core_a_product():  # how many cores multiply decides the last digit
        for place, prompt in prompts:
            random = {"rng": np.random.default_rng([seed, place])} if _draws(decoder) else {}
            result = _decode(lm, name, decoder, prompt, max_tokens, random)
            outcomes.append(judge(prompt, result))
    return outcomes


@lru_cache(maxsize=4)
def _judge_of(grammar):
    """A judge is slow to make: a process keeps it for its next piece."""
    return _Judge(grammar)


class _Judge:
    """Turns Results into Outcomes."""

    def __init__(self, grammar):
        self.truth = grammar.unrestricted
        # In this language any direct answer may follow a puzzle: it judges the form alone.
        self.form = self.truth.variant(self.truth.opened, guessed=set(grammar.rules.families))

    def __call__(self, prompt, result):
        best = result.best
        text = prompt + best.text
        # A continuation can change the prompt's last word ("cat" + "s"): that is never said.
        begins = text.split()[: len(prompt.split())] == prompt.split()
        with np.errstate(divide="ignore"):  # a probability that underflowed to 0 has log -inf
            model_log_prob = float(np.log(best.probs).sum())
        return Outcome(
            prompt=prompt,
            text=best.text,
            right=self.truth.answer_is_right(text),
            well_formed=bool(self.form.accepts(text)),
            model_log_prob=model_log_prob,
            true_log_prob=self.truth.log_prob(text, prompt=prompt) if begins else -np.inf,
            finished=best.finished,
            forward_steps=result.forward_steps,
            tokens_computed=result.tokens_computed,
        )


def _decode(lm, name, decoder, prompt, max_tokens, random):
    tokenizer = lm.tokenizer
    ids = tokenizer.encode_prompt(prompt)
    model = getattr(lm, "model", lm)  # a GrammarModel is its own model
    result = decoder(model, ids, max_tokens, tokenizer=tokenizer, prompt=prompt, **random)
    if not isinstance(result, Result):
        raise TypeError(
            f"decoder {name!r} returned {type(result).__name__}, not a Result as those of"
            " lunsedu.decoding do"
        )
    return result


def _draws(decoder):
    """True when a decoder takes random numbers and has not been given any."""
    parameter = inspect.signature(decoder).parameters.get("rng")
    return parameter is not None and parameter.default is None


def _check_decoders(decoders):
    if not isinstance(decoders, Mapping) or not decoders:
        raise TypeError('decoders must be a dict of at least one, such as {"greedy": greedy}')
    for name, decoder in decoders.items():
        if not isinstance(name, str):
            raise TypeError(
                f"the name of a decoder must be a str, as in {{'greedy': greedy}}, not"
                f" {type(name).__name__}: {name!r:.60}"
            )
        if not callable(decoder):
            raise TypeError(
                f"decoder {name!r} is {type(decoder).__name__}, not a function such as greedy or"
                " partial(beam_search, num_beams=5)"
            )
        seed = inspect.signature(decoder).parameters.get("seed")
        if seed is not None and seed.default not in (None, inspect.Parameter.empty):
            raise ValueError(
                f"decoder {name!r} has a seed of its own: it would throw the same dice at every"
                " prompt; leave it out and give evaluate(..., seed=...)"
            )


def _check_prompts(prompts, grammar):
    """Return the prompts as a list of str; each must begin a sentence, held out or not."""
    if isinstance(prompts, str):
        raise TypeError("prompts must be a list of str, not one str: put it into [ ]")
    prompts = list(prompts)
    if not prompts:
        raise ValueError("there are no prompts to judge by: give at least one")
    for prompt in prompts:
        grammar.unrestricted.state_after(prompt)  # raises, and says what is wrong
    return prompts


def _share(cases):
    return intervals.proportion(sum(cases), len(cases)) if cases else None


def _mean(values):
    values = [value for value in values if np.isfinite(value)]
    return intervals.mean(values) if values else None
