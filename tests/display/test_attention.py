"""Attention: the weights, and their page."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
from pages import Page, svg_of

from lunsedu.display.attention import CELL, MAX_TOKENS, attention_view


def test_attention_weights_are_causal_and_sum_to_one(lm):
    ids = lm.tokenizer.encode("good day, how are you?", add_bos=True)
    weights = lm.model.attention_weights(ids)
    assert weights.shape == (2, 2, len(ids), len(ids))
    assert np.allclose(weights.sum(axis=-1), 1, atol=1e-5)
    assert not np.triu(weights, 1).any()


def test_attention_weights_are_those_the_model_uses(lm):
    """Only what a token can see by them changes its logits: here in layer 1, head by head."""
    ids = lm.tokenizer.encode("good day", add_bos=True)
    from lunsedu import layers

    weights = lm.model.attention_weights(ids)
    w = lm.model.named_parameters()
    x = w["embedding"][np.array([ids])]
    y, _ = layers.rmsnorm_forward(x, w["layers.0.attention_norm"], lm.model.config.norm_eps)
    q, k, _ = np.split(y @ w["layers.0.qkv"], 3, axis=-1)
    T, H, K = len(ids), 2, 8
    cos, sin = layers.rope_tables(T, K, lm.model.config.rope_theta)
    heads = [z.reshape(1, T, H, K).transpose(0, 2, 1, 3) for z in (q, k)]
    q, k = (layers.rope_forward(z, cos, sin) for z in heads)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(K) + layers.causal_mask(T, T)
    assert np.allclose(layers.softmax(scores)[0], weights[0], atol=1e-4)


def test_attention_at_every_layer_head_and_position(lm):
    ids = lm.tokenizer.encode("good day, how are you?", add_bos=True)
    tokens = [lm.tokenizer.token_text(i) for i in ids]
    weights = lm.model.attention_weights(ids)
    for layer in (1, 2):
        for head in (0, 1, 2):
            chosen = weights[layer - 1].mean(0) if head == 0 else weights[layer - 1, head - 1]
            for position in range(1, len(ids) + 1):
                html = attention_view(weights, tokens, layer, head, position)
                page = Page(html)
                row = chosen[position - 1]
                most = int(np.argmax(row))
                assert f"looks most at token {most + 1}," in page.text
                assert f"({100 * row[most]:.0f}%)" in page.text
                assert page.tags.count("li") == position
                assert page.tags.count("svg") == 2


def test_attention_of_a_long_text_draws_the_last_tokens():
    weights = np.tril(np.ones((1, 1, 40, 40))) / np.arange(1, 41)[:, None]
    html = attention_view(weights, ["t"] * 40, 1, 1, 40)
    svg = svg_of(html)
    frame = next(one for one in svg.iter("rect") if one.get("class") == "lu-frame")
    assert float(frame.get("width")) == MAX_TOKENS * CELL - 1
    assert 'class="lu-asks"' in attention_view(weights, ["t"] * 40, 1, 1, 40)


def test_attention_names_the_rows_once():
    weights = np.tril(np.ones((1, 3, 4, 4))) / np.arange(1, 5)[:, None]
    tokens = ["<b>", " cat", "a_very_long_token", "."]
    html = attention_view(weights, tokens, 1, 2, 3)
    svgs = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html)]
    names = [[text.text for text in svg.iter("text")] for svg in svgs]
    assert names == [["<b>", "·cat", "a_very_lo…", "."], [], []]
    bold = [text.text for text in svgs[0].iter("text") if text.get("font-weight")]
    assert bold == ["a_very_lo…"]  # the token that looks
    pale = [svg.find("g").get("opacity") is not None for svg in svgs]
    assert pale == [True, False, True]  # never the words
