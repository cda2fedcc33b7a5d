"""One model, several adapters: whoever asks gets the model with the adapter that they chose.

    models = {"as it was": Adapted(lm), "records": Adapted(lm, records), "pirate": Adapted(lm, sea)}
    playground(models)

All share the weights of one model. An adapter is put into them while its text is generated, and
taken out again to the last bit.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lunsedu import checks
from lunsedu.adapters.low_rank import LowRank
from lunsedu.decoding import Result


class Adapted:
    """A LunsformterModel with one adapter, or with none, for generating: all that a widget needs.

    Raises TypeError when lm is no LunsformterModel or the adapter none of this kind, ValueError
    when it belongs to another model.
    """

    def __init__(self, lm: Any, adapter: LowRank | None = None) -> None:
        checks.language_model(lm, ("model", "tokenizer", "insideout"))
        if adapter is not None:
            if not isinstance(adapter, LowRank):
                raise TypeError(f"adapter must be a LowRank, not {type(adapter).__name__}")
            if adapter.model is not lm.model:
                raise ValueError(
                    "this adapter was made for another model: load it with LowRank.load(lm.model,"
                    " folder)"
                )
        self.lm, self.adapter = lm, adapter
        self.tokenizer = lm.tokenizer

    def decode_with(
        self, decoder: Callable[..., Result], prompt: str, max_tokens: int = 12, **options: Any
    ) -> Result:
        """As LunsformterModel.decode_with, with the adapter."""
        with self._in_place():
            return self.lm.decode_with(decoder, prompt, max_tokens, **options)

    def insideout(
        self, prompt: str, max_tokens: int = 12, num_candidates: int = 5, **options: Any
    ) -> Result:
        """As LunsformterModel.insideout, with the adapter."""
        with self._in_place():
            return self.lm.insideout(prompt, max_tokens, num_candidates, **options)

    def generate(
        self, prompt: str, max_tokens: int = 12, num_candidates: int = 5, **options: Any
    ) -> str:
        """As LunsformterModel.generate, with the adapter."""
        return self.insideout(prompt, max_tokens, num_candidates, **options).text

    def _in_place(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.adapter is None else self.adapter.merged()

    def __repr__(self) -> str:
        return f"Adapted({self.lm!r}, {self.adapter!r})"
