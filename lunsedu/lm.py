"""LunsformterModel: one tokenizer and one Lunsformter, and the whole walk in five verbs.

    fit, generate, save, load, fine_tune

This module only joins the parts: each verb is a few calls to the module that does the work.
"""

from __future__ import annotations

import functools
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks
from lunsedu.dataset import LunsDataset
from lunsedu.decoding import insideout
from lunsedu.files import storage
from lunsedu.looks import counted
from lunsedu.model import Lunsformter, LunsformterConfig
from lunsedu.tokenizer import Tokenizer
from lunsedu.training import (
    History,
    Settings,
    changed,
    check_epochs,
    new_optimizer,
    stop_on_interrupt,
    train_epochs,
)

if TYPE_CHECKING:
    from lunsedu.decoding.results import Result

REDRAW = 0.2  # seconds between two words of the progress bar
STEP_LISTS = ("step_loss", "learning_rates")  # of History: long, so saved as arrays


class LunsformterModel:
    """A language model for a dataset.

    The dataset's tokenizer (trained on first use) becomes the model's own. The sizes are those of
    LunsformterConfig; `seed` decides the first weights and the order of the batches. A smaller
    rope_theta, such as 100, helps a model of short texts to tell distances of a few tokens apart.
    Raises TypeError when the dataset is not a LunsDataset, ValueError for sizes that cannot work or
    a seed that is no whole number.

    >>> from lunsedu import LunsDataset
    >>> lm = LunsformterModel(LunsDataset(texts=["hello world", "hello there"]), dim=16)
    >>> history = lm.fit(epochs=30, verbose=False)
    >>> lm.generate("hello", max_tokens=0)
    'hello'
    """

    def __init__(
        self,
        dataset: LunsDataset,
        seq_len: int = 64,
        dim: int = 64,
        hidden_dim: int = 176,
        num_layers: int = 2,
        num_heads: int = 4,
        num_kv_heads: int | None = None,
        seed: int = 0,
        rope_theta: float = 10000.0,
    ) -> None:
        _check_dataset(dataset)
        tokenizer = dataset.tokenizer
        config = LunsformterConfig(
            vocab_size=tokenizer.vocab_size,
            seq_len=seq_len,
            dim=dim,
            hidden_dim=hidden_dim,
            num_layers=num_layers,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            rope_theta=rope_theta,
            pad_id=tokenizer.pad_id,
            bos_id=tokenizer.bos_id,
            eos_id=tokenizer.eos_id,
        )
        self._join(Lunsformter(config, seed=seed), tokenizer, dataset, seed)

    @classmethod
    def from_parts(
        cls,
        model: Lunsformter,
        tokenizer: Tokenizer,
        dataset: LunsDataset | None = None,
        seed: int = 0,
    ) -> LunsformterModel:
        """Join a Lunsformter and a Tokenizer that exist already; a dataset is needed only to fit.

        Raises ValueError when the two disagree about the size of the vocabulary, TypeError when one
        of the three is something else.
        """
        checks.model(model, checks.DECODABLE)
        checks.tokenizer(tokenizer, ("vocab_size", "encode_prompt", "decode"))
        if tokenizer.vocab_size > model.config.vocab_size:
            raise ValueError(
                f"the tokenizer has {tokenizer.vocab_size} tokens, but the model knows only"
                f" {model.config.vocab_size}: they do not belong together"
            )
        if dataset is not None:
            _check_dataset(dataset)
        lm = cls.__new__(cls)
        lm._join(model, tokenizer, dataset, seed)
        return lm

    def _join(self, model, tokenizer, dataset, seed):
        self.model, self.tokenizer, self.dataset = model, tokenizer, dataset
        self.history = History()
        self.settings = Settings()
        self._rng = checks.dice(seed)

    # --- learning -----------------------------------------------------------------------------

    @functools.cached_property
    def _optimizer(self):
        """Made when it is first needed: it is three times as large as the model."""
        return new_optimizer(self.model)

    def fit(self, epochs: int = 100, verbose: bool = True, **settings: Any) -> History:
        """Train on the dataset; return the History (all epochs so far).

        Settings: batch_size=32, lr=0.003, warmup_steps=50, total_epochs=None, weight_decay=0.01,
        max_norm=1.0 (see training.Settings). What is not given stays as it was in the last call,
        so fit(20) twice gives the same numbers as fit(40), also with save and load in between.
        `verbose` shows a progress bar over all steps, with the last one's loss, tokens a second and
        the time left. Ctrl-C or the stop button ends after the current step; what was learned is
        kept.

        Raises ValueError without a dataset or for settings that cannot work, FloatingPointError
        when the loss is no longer a number.
        """
        epochs = check_epochs(epochs)
        self._need_dataset()
        self.settings = changed(self.settings, settings)
        self._train(epochs, verbose)
        return self.history

    def fine_tune(
        self, dataset: LunsDataset, epochs: int = 100, verbose: bool = True, **settings: Any
    ) -> History:
        """Go on training on another dataset; return the History.

        The tokenizer stays the model's own, so every id keeps its meaning. The optimizer starts
        anew, with a gentler lr=0.001 unless another one is given; the other settings are those of
        fit(). From here on, fit() goes on with this dataset.
        """
        epochs = check_epochs(epochs)
        _check_dataset(dataset)
        settings = changed(self.settings, {"lr": 1e-3, "total_epochs": None} | settings)
        self.dataset, self.settings = dataset, settings
        self._optimizer = new_optimizer(self.model)
        self.history.events.append((self.history.epochs, "fine-tune"))
        self._train(epochs, verbose)
        return self.history

    def train_steps(self, epochs: int = 100, **settings: Any) -> Iterator[float]:
        """Like fit(), but a generator: yields each step's loss, and may be left between steps.

        Raises what fit() raises; what is wrong with the arguments is said at the call.
        """
        epochs = check_epochs(epochs)
        self._need_dataset()
        self.settings = changed(self.settings, settings)
        return self._steps(epochs, *self._sequences())

    def _need_dataset(self):
        if self.dataset is None:
            raise ValueError(
                "this model has no data to learn from: load it with"
                " LunsformterModel.load(prefix, dataset=LunsDataset(...)), or call"
                " fine_tune(dataset)"
            )

    def _sequences(self):
        """Return the sequences of ids to train on, and those that were held back."""
        seq_len = self.model.config.seq_len
        return [
            self.dataset.sequences(seq_len, self.tokenizer, part)
            for part in ("train", "validation")
        ]

    def _steps(self, epochs, sequences, validation):
        return train_epochs(
            self.model,
            self._optimizer,
            sequences,
            self.history,
            self.settings,
            self._rng,
            epochs,
            validation,
        )

    def _train(self, epochs, verbose):
        """Run the steps under a progress bar, until they end or the user says stop."""
        from tqdm.auto import tqdm

        sequences, validation = self._sequences()
        steps_an_epoch = -(-len(sequences) // self.settings.batch_size)
        tokens_a_step = sum(len(ids) - 1 for ids in sequences) / max(1, steps_an_epoch)
        begin = told = time.monotonic()
        with (
            stop_on_interrupt() as stop,
            tqdm(total=epochs * steps_an_epoch, unit="step", disable=not verbose) as bar,
        ):
            steps = self._steps(epochs, sequences, validation)
            try:
                for number, loss in enumerate(steps, start=1):
                    now = time.monotonic()
                    if verbose and (now - told > REDRAW or number in (1, bar.total)):
                        epoch = min(epochs, -(-number // steps_an_epoch))
                        speed = number * tokens_a_step / max(now - begin, 1e-9)
                        bar.set_postfix_str(
                            f"epoch {epoch} of {epochs}, loss {loss:.3f}, {speed:,.0f} tokens/s",
                            refresh=False,
                        )
                        told = now
                    bar.update()
                    if stop.is_set():
                        break
                else:
                    return
            except KeyboardInterrupt:
                pass
            finally:
                steps.close()  # ends an epoch that was left in the middle
        self.history.events.append((self.history.epochs, "stopped"))
        print(
            f"Stopped after {len(self.history.step_loss)} steps. What was learned is kept:"
            " generate, save, or call fit() again to go on."
        )

    # --- generating ---------------------------------------------------------------------------

    def generate(
        self,
        prompt: str,
        max_tokens: int = 12,
        num_candidates: int = 5,
        verbose: bool = False,
        **options: Any,
    ) -> str:
        """Return the prompt and its continuation by InsideOut, a str; see insideout()."""
        return self.insideout(prompt, max_tokens, num_candidates, verbose=verbose, **options).text

    def insideout(
        self,
        prompt: str,
        max_tokens: int = 12,
        num_candidates: int = 5,
        score: str = "arithmetic",
        **options: Any,
    ) -> Result:
        """Return the Result of InsideOut: the best continuation of a prompt, and all candidates.

        Options: prefer_finished, min_start_ratio, branch, repetition_penalty, verbose; see
        lunsedu.decoding.insideout. Raises TypeError when the prompt is not a str.
        """
        return self.decode_with(
            insideout, prompt, max_tokens, num_candidates=num_candidates, score=score, **options
        )

    def decode_with(
        self, decoder: Callable[..., Result], prompt: str, max_tokens: int = 12, **options: Any
    ) -> Result:
        """Run any decoder of lunsedu.decoding on a prompt of text; return its Result.

        For example `lm.decode_with(beam_search, "hello", num_beams=3)`. Raises TypeError when the
        decoder is no function or the prompt no str, and what the decoder raises.
        """
        if not callable(decoder):
            raise TypeError(
                "the decoder must be a function such as lunsedu.decoding.greedy, not"
                f" {type(decoder).__name__}: {decoder!r:.60}"
            )
        if not isinstance(prompt, str):
            raise TypeError(
                f"the prompt must be text (a str), not {type(prompt).__name__}:"
                ' pass "" to start from nothing'
            )
        ids = self.tokenizer.encode_prompt(prompt)
        return decoder(
            self.model, ids, max_tokens, tokenizer=self.tokenizer, prompt=prompt, **options
        )

    # --- files --------------------------------------------------------------------------------

    def save(self, prefix: str | os.PathLike[str], resume: bool = True) -> None:
        """Write <prefix>.safetensors, all that load() needs, and two JSON files for people.

        The first file is replaced in one step: a crash leaves the old save or the new one, whole.
        <prefix>_config.json and <prefix>_tokenizer.json are copies for reading. Missing folders
        are made. `resume=False` leaves out the state of the optimizer and the loss of each step,
        most of the file: the model generates the same, but fit() starts with a new optimizer.
        Raises OSError, naming the path, when it cannot be written.
        """
        prefix = _check_prefix(prefix)
        arrays = {f"model.{name}": view for name, view in self.model.named_parameters().items()}
        history = self.history.to_dict()
        steps = {name: history.pop(name) for name in STEP_LISTS}
        if resume:
            arrays |= {"adamw.m": self._optimizer.m, "adamw.v": self._optimizer.v}
            arrays |= {f"history.{name}": np.array(values) for name, values in steps.items()}
        state = {
            "settings": asdict(self.settings),
            "optimizer_step": self._optimizer.step if resume else None,
            "random_state": self._rng.bit_generator.state,
            "dataset": None if self.dataset is None else self.dataset.fingerprint,
        }
        texts = {
            "config": json.dumps(self.model.config.to_dict()),
            "tokenizer": self.tokenizer.to_json(),
            "history": json.dumps(history),
            "training": json.dumps(state),
        }
        storage.save_arrays(f"{prefix}.safetensors", arrays, texts)
        config = json.dumps(self.model.config.to_dict(), indent=2)
        storage.write_text(f"{prefix}_config.json", config + "\n")
        storage.write_text(f"{prefix}_tokenizer.json", self.tokenizer.to_json())

    @classmethod
    def load(
        cls, prefix: str | os.PathLike[str], dataset: LunsDataset | None = None
    ) -> LunsformterModel:
        """Read a saved model; with the dataset it was trained on, fit() goes on bit for bit.

        Raises FileNotFoundError when there is none, and ValueError, naming the file, when it is
        damaged, has weights of other shapes or that are not numbers; TypeError when the dataset is
        not a LunsDataset. Nothing is ever unpickled.
        """
        if dataset is not None:  # before the file, which must not be blamed for it
            _check_dataset(dataset)
        path = f"{_check_prefix(prefix)}.safetensors"
        arrays, texts = storage.load_arrays(path)
        try:
            config = LunsformterConfig.from_dict(json.loads(texts["config"]))
            tokenizer = Tokenizer.from_json(texts["tokenizer"])
            model = Lunsformter.from_arrays(config, _part(arrays, "model."))
            lm = cls.from_parts(model, tokenizer, dataset)
            lm.history = History.from_dict(json.loads(texts["history"]))
            for name, values in _part(arrays, "history.").items():
                setattr(lm.history, name, values.tolist())
            lm._restore_training(arrays, json.loads(texts["training"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} cannot be used: {error}") from error
        return lm

    def _restore_training(self, arrays, state):
        self.settings = Settings(**state["settings"])
        if state["optimizer_step"] is not None:
            for name in ("m", "v"):
                stored = arrays[f"adamw.{name}"]
                if stored.shape != self.model.parameters.shape or not np.isfinite(stored).all():
                    raise ValueError(f"its optimizer state {name} does not fit the weights")
                getattr(self._optimizer, name)[:] = stored
            self._optimizer.step = int(state["optimizer_step"])
        self._rng.bit_generator.state = state["random_state"]
        fingerprint = state["dataset"]
        if self.dataset is not None and fingerprint not in (None, self.dataset.fingerprint):
            self.history.events.append((self.history.epochs, "other data"))
            warnings.warn(
                "this dataset is not the one that the model was trained on: fit() will go on with"
                " the new texts, and its numbers will differ",
                stacklevel=3,
            )

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that Hugging Face transformers opens (see lunsedu.interop)."""
        from lunsedu.interop.huggingface import save_pretrained

        save_pretrained(self, folder)

    @classmethod
    def from_pretrained(
        cls, folder: str | os.PathLike[str], dataset: LunsDataset | None = None
    ) -> LunsformterModel:
        """Open a Hugging Face folder of a Llama-style model (see lunsedu.interop)."""
        from lunsedu.interop.huggingface import from_pretrained

        return cls.from_parts(*from_pretrained(folder), dataset=dataset)

    def save_gguf(self, file: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Write a GGUF file for llama.cpp, Ollama and the like (see lunsedu.interop).

        dtype "float16" makes it half as large. Needs the package gguf: pip install
        "lunsedu[smollm2]".
        """
        from lunsedu.interop.gguf_out import save_gguf

        save_gguf(self, file, dtype)

    @classmethod
    def from_gguf(cls, file: str | os.PathLike[str]) -> LunsformterModel:
        """Open a GGUF file of a Llama-style model, quantised or not (see lunsedu.interop)."""
        from lunsedu.interop.huggingface import from_gguf

        return cls.from_parts(*from_gguf(file))

    def __repr__(self) -> str:
        c = self.model.config
        return (
            f"LunsformterModel({self.model.parameters.size:,} parameters:"
            f" {counted(c.num_layers, 'layer')},"
            f" width {c.dim}, {c.num_heads} heads, vocabulary {c.vocab_size};"
            f" {self.history.epochs} epochs trained)"
        )


def _check_dataset(dataset):
    if not isinstance(dataset, LunsDataset):
        raise TypeError(
            f"the dataset must be a LunsDataset, not {type(dataset).__name__}:"
            ' use LunsDataset("file.txt") or LunsDataset(texts=["a text", ...])'
        )


def _check_prefix(prefix):
    """Return a prefix such as "models/my_model" as a str, without the ending of its file."""
    try:
        named = bool(checks.path(prefix).name.strip())
    except (TypeError, ValueError):  # said below, with an example
        named = False
    text = os.fspath(prefix) if named else str(prefix)
    if named and (text.endswith(("/", "\\")) or Path(text).is_dir()):
        folder = text.rstrip("/\\")
        raise ValueError(
            f"{text!r} is a folder: write the name that the files shall begin with behind it, such"
            f" as {f'{folder}/my_model'!r}"
        )
    if not named or Path(text).name.startswith("."):
        raise ValueError(
            f"{text!r} is no name for a saved model: give a path without an ending, such as"
            ' "my_model" or "models/my_model"'
        )
    return text.removesuffix(".safetensors")


def _part(arrays, start):
    """Return the arrays whose names begin with `start`, under the rest of their names."""
    return {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
