"""The sample run of the quick tour, in a terminal: lunsedu sample [file.txt]

Train a small model on a text, generate with InsideOut, save, load, and fine-tune on another text.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from lunsedu import checks
from lunsedu.dataset.dataset import LunsDataset
from lunsedu.examples import data_path
from lunsedu.lm import LunsformterModel

PROMPTS = ("Good morning", "Once upon a time", "How are you")


def show(lm: LunsformterModel, title: str, prompts: Iterable[str]) -> None:
    """Print what the model makes of each prompt."""
    print(f"\n{title}")
    for prompt in prompts:
        result = lm.insideout(prompt, max_tokens=24)
        print(f"  {prompt!r:20} -> {result.text!r}   (average likelihood {result.best.score:.2f})")


def sample_run(
    path: str | os.PathLike[str] | None = None,
    epochs: int = 300,
    fine_tune_epochs: int = 100,
    verbose: bool = True,
) -> LunsformterModel:
    """Do the walk on a text file (None: the course's chat lines) and return the model.

    Raises ValueError unless there is at least one epoch to train, and OSError or ValueError, before
    anything is trained, for a file that cannot be used.
    """
    # both before the first step: training would be lost to a slip in the second
    epochs = checks.whole_number("epochs", epochs, 1)
    fine_tune_epochs = checks.whole_number("fine_tune_epochs", fine_tune_epochs)
    dataset = LunsDataset(data_path("chat_data.txt") if path is None else path)
    prompts = PROMPTS if path is None else [" ".join(t.split()[:2]) for t in dataset.texts[:3]]
    # one small layer: enough for some hundred short lines, and this is about seconds
    lm = LunsformterModel(dataset, dim=48, hidden_dim=96, num_layers=1, num_heads=2)
    print(f"{len(dataset.texts)} texts, for example {dataset.texts[0]!r}")
    print(lm)

    # total_epochs: the end is known, so the learning rate may fall towards it
    history = lm.fit(epochs=epochs, total_epochs=epochs, batch_size=96, lr=0.006, verbose=verbose)
    first, last = history.train_loss[0], history.train_loss[-1]
    print(f"loss: {first:.2f} -> {last:.2f} nats a token in {epochs} epochs")
    show(lm, "After training:", prompts)

    with tempfile.TemporaryDirectory() as folder:
        lm.save(Path(folder) / "my_model")
        lm = LunsformterModel.load(Path(folder) / "my_model")
    show(lm, "Saved, loaded, and asked again:", prompts)

    lm.fine_tune(
        LunsDataset(data_path("harbour_data.txt")), epochs=fine_tune_epochs, verbose=verbose
    )
    show(lm, "After fine-tuning on the talk of the harbour:", prompts)
    return lm
