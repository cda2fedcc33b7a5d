"""The widgets of the course: drive the model by hand.

    from lunsedu.widgets.widgets import playground
    playground(lm)

Each function returns a Shell (controls.py): its controls are in `.controls`, `.set(name=value)`
moves them from code, the page is pure HTML from display/. Without a kernel a notebook shows a
static picture (display/stills.py) in its place. The training monitor stands in monitor.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lunsedu import checks, examples
from lunsedu.decoding import SCORES, beam_search, check_score, greedy
from lunsedu.display import stills
from lunsedu.display.attention import attention_view
from lunsedu.display.html_page import page
from lunsedu.display.race_page import race
from lunsedu.display.tokens import tokens_view
from lunsedu.display.tree import candidate_tree
from lunsedu.display.winners import comparison, headline, too_long
from lunsedu.lm import LunsformterModel
from lunsedu.widgets.controls import Shell, button, choice, slider, text_box

if TYPE_CHECKING:
    from lunsedu.tokenizer.tokenizer import Tokenizer

MAX_CANDIDATES, MAX_NEW_TOKENS = 16, 48
OPENING = "Once upon a time"


# --- playground -------------------------------------------------------------------------------


def playground(
    lm: Any = None, prompt: str | None = None, candidates: int = 5, new_tokens: int = 12
) -> Shell:
    """Generate by hand: a prompt, sliders for candidates and new tokens, a score, three views.

    `lm` is a LunsformterModel, a list or a dict {name: model} of several, or nothing: then one of
    the shipped examples or a saved file can be chosen. Raises TypeError for anything else, and for
    a prompt that is no str, ValueError for numbers that are not whole or below 1.
    """
    models = _models(lm)
    if prompt is not None:
        checks.text(prompt, "prompt")
    candidates = checks.whole_number("candidates", candidates, 1)
    new_tokens = checks.whole_number("new_tokens", new_tokens, 1)
    controls, boxes = {}, {}
    names = list(models) or [NO_MODEL]
    controls["model"] = choice("model", names)
    if prompt is None:
        prompt = _first_words(models[names[0]]) if models else OPENING
    controls["prompt"] = text_box("prompt", prompt)
    controls["candidates"], boxes["candidates"] = slider(
        "candidates", candidates, 1, MAX_CANDIDATES
    )
    controls["new_tokens"], boxes["new_tokens"] = slider(
        "new tokens", new_tokens, 1, MAX_NEW_TOKENS
    )
    controls["score"] = choice("score", list(SCORES))
    controls["show"] = choice("show", SHOW)
    path, opener = text_box("saved model", "", width=330), button("Open", "folder-open")
    path.placeholder = "a path such as my_model"
    rows = [
        [controls["prompt"]],
        [boxes["candidates"], boxes["new_tokens"]],
        [controls["score"], controls["show"]],
        [controls["model"], path, opener],
    ]
    shell = Shell(
        controls, rows, partial(playground_view, models), partial(_playground_still, models)
    )
    shell.models, shell.path, shell.opener = models, path, opener
    shell.on_click(opener, partial(_open, shell))
    return shell


NO_MODEL = "none yet"
SHOW = [("ranked table", "table"), ("candidate tree", "tree"), ("other decoders", "compare")]


def playground_view(
    models: Mapping[str, Any],
    model: str,
    prompt: str,
    candidates: int,
    new_tokens: int,
    score: str,
    show: str,
) -> str:
    """Return the page of the playground for these settings; `models` is {name: model}."""
    if model not in models:
        return page(f"<p>{NO_MODEL_YET}</p>")
    lm = _model(models, model)
    result = lm.insideout(prompt, new_tokens, candidates, score=score)
    if show == "tree":
        body = candidate_tree(result)
    elif show == "compare":
        body = comparison([result, *_others(lm, prompt, new_tokens, candidates, score)])
    else:
        body = result._repr_html_()
    return page(headline(result), too_long(result), body)


NO_MODEL_YET = (
    "There is no model yet: call playground(lm) with a model that you trained, or write the path"
    " of a saved one into the box above and press Open."
)


def _others(lm, prompt, new_tokens, candidates, score):
    """Return the results of greedy decoding and of beam search, with as many beams."""
    return [
        lm.decode_with(greedy, prompt, new_tokens, score=score),
        lm.decode_with(beam_search, prompt, new_tokens, num_beams=candidates, score=score),
    ]


def _playground_still(models, model, prompt, candidates, new_tokens, score, show):
    if model not in models:
        return stills.message_picture("No model yet: call playground(lm) with a trained model.")
    result = _model(models, model).insideout(prompt, new_tokens, candidates, score=score)
    return stills.candidates_picture(result)


def _models(lm):
    """Return {name: model, or a function that loads it}; the shipped examples come last."""
    if lm is None:
        models = {}
    elif isinstance(lm, Mapping):
        models = {str(name): model for name, model in lm.items()}
    elif isinstance(lm, (list, tuple)):
        models = {f"model {number}": model for number, model in enumerate(lm, start=1)}
    else:
        models = {"this model": lm}
    for name, model in models.items():
        if not hasattr(model, "insideout"):
            raise TypeError(
                f"{name} is a {type(model).__name__}, not a LunsformterModel: call playground(lm),"
                " or playground({'name': lm, ...}) for several"
            )
    return models | _examples()


def _examples():
    """Return the models that ship with the package as {name: function that loads it}."""
    return {
        name: partial(examples.load_example, name)
        for name in examples.RECIPES
        if (examples.PACKAGE / "pretrained" / f"{name}.safetensors").exists()
    }


def _model(models, name):
    """Return a model by name, loading an example on its first use."""
    if not hasattr(models[name], "insideout"):
        models[name] = models[name]()
    return models[name]


def _first_words(lm):
    """Return the first two words of a text that the model was trained on, or a usual opening."""
    dataset = getattr(lm, "dataset", None)
    words = dataset.texts[0].split(" ") if dataset is not None else []
    return " ".join(words[:2]).strip(",.;:!? ") if len(words) > 2 else OPENING


def _open(shell):
    """Load the saved model of the path box, and choose it."""
    prefix = shell.path.value.strip()
    lm = LunsformterModel.load(prefix)
    name = Path(prefix).name.removesuffix(".safetensors")
    with shell.hold():
        shell.models[name] = lm
        shell.controls["model"].options = list(shell.models)
        shell.controls["model"].value = name


# --- tokenizer explorer -----------------------------------------------------------------------


def tokenizer_explorer(
    tokenizer: Tokenizer, text: str = "Good morning, how did you sleep?"
) -> Shell:
    """Type a text and see its tokens; a slider takes the merges back, down to single bytes.

    Raises TypeError for what is no Tokenizer or no text.
    """
    checks.tokenizer(tokenizer, ("pieces", "merges"))
    checks.text(text)
    most = len(tokenizer.merges)
    merges, pair = slider("merges", most, 0, most)
    controls = {"text": text_box("text", text, rows=3), "merges": merges}
    return Shell(
        controls,
        [[controls["text"]], [pair]],
        partial(tokens_view, tokenizer),
        partial(stills.tokens_picture, tokenizer),
    )


# --- attention viewer -------------------------------------------------------------------------


def attention_viewer(lm: LunsformterModel, text: str = "Good morning, how did you sleep?") -> Shell:
    """Choose a token, a layer and a head, and see where the token looks.

    Only the first seq_len tokens of the text can be shown. Head "all" is the mean of all heads.
    Raises TypeError for what is no LunsformterModel or no text, ValueError for an empty text.
    """
    checks.language_model(lm)
    checks.text(text)
    config = lm.model.config
    layer, layer_pair = slider("layer", 1, 1, config.num_layers)
    longest = min(config.seq_len, ATTENTION_TOKENS)
    position, position_pair = slider("token", len(_ids(lm, text)), 1, longest)
    heads = [("all", 0), *((str(h), h) for h in range(1, config.num_heads + 1))]
    controls = {
        "text": text_box("text", text),
        "layer": layer,
        "head": choice("head", heads),
        "position": position,
    }
    rows = [[controls["text"]], [layer_pair, position_pair], [controls["head"]]]
    return Shell(controls, rows, partial(_attention_page, lm), partial(_attention_still, lm))


ATTENTION_TOKENS = 48  # more squares than this cannot be told apart


def _ids(lm, text):
    """Return the ids of a text with its start."""
    ids = lm.tokenizer.encode_prompt(text)
    if not ids:
        raise ValueError("the text is empty, so no token can look anywhere: type something")
    return ids


def _attention_page(lm, text, layer, head, position):
    whole = _ids(lm, text)
    ids = whole[: min(lm.model.config.seq_len, ATTENTION_TOKENS)]  # [T]
    tokens = [lm.tokenizer.token_text(i) for i in ids]
    weights = lm.model.attention_weights(ids)  # [L, H, T, T]
    return attention_view(weights, tokens, layer, head, position, len(whole))


def _attention_still(lm, text, layer, head, position):
    ids = np.array(_ids(lm, text)[:16])  # [T], few enough for labels that can be read
    tokens = [lm.tokenizer.token_text(i) for i in ids]
    return stills.attention_picture(lm.model.attention_weights(ids), tokens, layer)


# --- race -------------------------------------------------------------------------------------


def insideout_race(
    lm: LunsformterModel,
    prompt: str = OPENING,
    max_tokens: int = 12,
    num_candidates: int = 5,
    score: str = "arithmetic",
) -> Shell:
    """Watch the candidates of InsideOut grow token by token, and their scores as they go.

    Raises TypeError for what is no LunsformterModel or no text, ValueError for numbers or a score
    that cannot be used.
    """
    checks.language_model(lm, ["insideout"])
    checks.text(prompt, "prompt")
    max_tokens = checks.whole_number("max_tokens", max_tokens)
    num_candidates = checks.whole_number("num_candidates", num_candidates, 1)
    check_score(score)
    step, step_pair = slider("step", 1, 0, max_tokens)
    controls = {
        "prompt": text_box("prompt", prompt),
        "step": step,
        "score": choice("score", list(SCORES), score),
    }
    back, forth = button("Back", "step-backward"), button("Next", "step-forward")
    rows = [[controls["prompt"]], [step_pair, back, forth], [controls["score"]]]
    run = _Memory(lambda prompt, score: lm.insideout(prompt, max_tokens, num_candidates, score))
    shell = Shell(
        controls,
        rows,
        lambda prompt, step, score: race(run(prompt, score), step),
        lambda prompt, step, score: stills.race_picture(run(prompt, score), max_tokens),
    )
    shell.back, shell.forth = back, forth
    shell.on_click(back, lambda: shell.set(step=max(step.value - 1, 0)))
    shell.on_click(forth, lambda: shell.set(step=min(step.value + 1, max_tokens)))
    return shell


class _Memory:
    """Calls a function, and remembers the last call: moving the step runs no model."""

    def __init__(self, function):
        self.function, self.key, self.value = function, None, None

    def __call__(self, *key):
        if key != self.key:
            self.value, self.key = self.function(*key), key
        return self.value
