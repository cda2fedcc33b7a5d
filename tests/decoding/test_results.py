import re

import numpy as np
import pytest
from fakes import LetterTokenizer, TableModel

from lunsedu.decoding import greedy, insideout, sample
from lunsedu.decoding.candidates_html import BAR_HEIGHT
from lunsedu.decoding.result_text import describe
from lunsedu.decoding.scores import running_scores, score_tokens
from lunsedu.looks import BLUE, QUIET, percent, visible
from lunsedu.looks import RED as VERMILLION

TEXTS = ["<|pad|>", "<|bos|>", "<|eos|>", " <b>fox</b>", "\n", " café", '"&', " hen\u202e"]
TOKENIZER = LetterTokenizer(TEXTS)


def result(num_candidates=4, **options):
    model = TableModel(vocab_size=len(TEXTS), seed=4)
    options = {"tokenizer": TOKENIZER, "prompt": "a <script> & b"} | options
    return insideout(model, [1, 3], 8, num_candidates=num_candidates, **options)


def test_scores_worked_by_hand():
    probs = [0.5, 1.0, 0.25]
    assert score_tokens(probs, "arithmetic") == pytest.approx(1.75 / 3)
    assert score_tokens(probs, "geometric") == pytest.approx(0.125 ** (1 / 3))
    assert score_tokens(probs, "sum") == pytest.approx(np.log(0.125))
    assert running_scores(probs, "arithmetic") == pytest.approx([0.5, 0.75, 1.75 / 3])
    assert running_scores(probs, "geometric") == pytest.approx([0.5, 0.5**0.5, 0.5])
    assert running_scores(probs, "sum") == pytest.approx(np.log([0.5, 0.5, 0.125]))


def test_score_of_no_tokens_and_of_an_impossible_one():
    assert [score_tokens([], s) for s in ("arithmetic", "geometric", "sum")] == [1.0, 1.0, 0.0]
    assert len(running_scores([], "sum")) == 0
    assert [score_tokens([0.0, 1.0], s) for s in ("arithmetic", "geometric")] == [0.5, 0.0]
    assert score_tokens([0.0], "sum") == -np.inf


def test_unknown_score_is_an_error():
    with pytest.raises(ValueError, match="'arithmetic', 'geometric' or 'sum', not 'mean'"):
        score_tokens([1.0], "mean")


@pytest.mark.parametrize("score", ["arithmetic", "geometric", "sum"])
@pytest.mark.parametrize(
    "probs",
    [None, 0.5, [0.5, -1], [0.5, 2], [np.nan, 0.5], [np.inf], ["0.5"], [[0.5]], [[1], [1, 1]], "1"],
)
def test_probabilities_go_from_0_to_1(probs, score):
    for scores in (score_tokens, running_scores):
        with pytest.raises(ValueError, match="probs must be a list of numbers from 0 to 1, not "):
            scores(probs, score)


def test_a_probability_may_be_rounded_up_and_written_as_a_whole_number():
    assert score_tokens([1.0000000002], "arithmetic") == 1.0000000002
    assert score_tokens([1, 0], "arithmetic") == 0.5
    assert score_tokens(np.array([0.25, 0.5], np.float32), "arithmetic") == 0.375


def test_running_scores_end_at_the_score():
    for score in ("arithmetic", "geometric", "sum"):
        for candidate in result(score=score).candidates:
            last = candidate.running_scores(score)[-1]
            assert last == pytest.approx(candidate.score, rel=1e-12, abs=0)
            assert len(candidate.running_scores(score)) == len(candidate.token_ids)


def test_candidate_lists_have_one_entry_a_token():
    for candidate in result().candidates:
        T = len(candidate.token_ids)
        assert candidate.probs.shape == (T,)
        assert len(candidate.tokens) == len(candidate.alternatives) == T
        assert candidate.tokens == [TEXTS[i] for i in candidate.token_ids]
        assert candidate.text == TOKENIZER.decode(candidate.token_ids)
        assert candidate.start_prob == candidate.probs[0]
        for places in candidate.alternatives:
            probs = [prob for _, _, prob in places]
            assert probs == sorted(probs, reverse=True) and 0 < len(probs) <= 5
            assert all(text == TEXTS[i] for i, text, _ in places)


def test_result_joins_prompt_and_best():
    r = result()
    assert r.best is r.candidates[0]
    assert r.text == "a <script> & b" + r.best.text
    assert r.token_ids == [1, 3] + r.best.token_ids


def test_without_tokenizer_texts_are_ids():
    r = greedy(TableModel(seed=1), [1, 5, 4], 3)
    shown = [str(i) for i in r.best.token_ids]
    assert r.best.tokens == shown
    assert r.prompt == "5 4"  # <|bos|> is left out
    assert r.text == " ".join(["5", "4"] + [i for i in shown if i != "2"])


def test_plain_text_is_an_aligned_ranked_table():
    r = result()
    heading, *table, last = str(r).splitlines()
    assert heading.startswith("InsideOut after 'a <script> & b': 4 candidates, arithmetic score")
    assert last == f"{r.forward_steps} forward steps, {r.tokens_computed} tokens computed"
    assert len(table) == 1 + 4
    column = table[0].index("text")
    for rank, (line, candidate) in enumerate(zip(table[1:], r.candidates, strict=True), start=1):
        assert line.startswith("* best" if rank == 1 else f"  {rank} ")
        assert f"{candidate.score:.4f}" in line
        assert ("finished" if candidate.finished else "cut off") in line
        assert line[column:] == repr(candidate.text)  # the text starts where its heading starts
    assert repr(r) == str(r)


def test_describe_tells_the_best_and_the_ranking():
    text = describe(result(num_candidates=6))
    r = result(num_candidates=6)
    assert text.startswith("InsideOut after 'a <script> & b': 6 candidates by arithmetic score; ")
    assert f"best {r.best.text!r}, {r.best.score:.2f}" in text
    assert "; 5. " in text and "6. " not in text and text.endswith("; and 1 more.")
    assert describe(result(num_candidates=1)).count("candidate") == 1


def test_no_time_in_what_is_shown():
    r = result()
    before = str(r), r._repr_html_(), describe(r)
    r.seconds = 1234.5678
    assert before == (str(r), r._repr_html_(), describe(r))
    assert "1234" not in "".join(before)


def test_verbose_prints_every_step_and_the_winner(capsys):
    r = result(verbose=True)
    out = capsys.readouterr().out
    for rank, candidate in enumerate(r.candidates, start=1):
        first = f"first token {candidate.tokens[0]!r} ({candidate.probs[0]:.4f})"
        assert f"candidate {rank}: {first}" in out
        assert f"final score {candidate.score:.4f}" in out
        scores = candidate.running_scores("arithmetic")
        for t, token in enumerate(candidate.tokens):
            step = rf"step +{t + 1}  {re.escape(repr(token))} +probability {candidate.probs[t]:.4f}"
            assert re.search(rf"{step}  score so far {scores[t]:.4f}", out)
    assert f"winner: candidate 1, {r.best.text!r}, score {r.best.score:.4f}" in out
    result()
    assert capsys.readouterr().out == ""


# --- the candidates view --------------------------------------------------------------------------


def test_html_escapes_everything():
    html = result(num_candidates=6)._repr_html_()
    for raw in ("<script>", "<b>fox", "\u202e", '"&"', "<|"):
        assert raw not in html
    assert "&lt;script&gt; &amp; b" in html
    assert "&lt;b&gt;fox&lt;/b&gt;" in html
    assert "\\u202e" in html  # a character that would turn the text around is spelled out
    html.encode("utf-8")


def test_html_survives_lone_surrogates_and_nul():
    tokenizer = LetterTokenizer(["<|pad|>", "<|bos|>", "<|eos|>", "\ud800", "\x00", "", "\x1b"])
    model = TableModel(vocab_size=7, seed=2)
    r = insideout(model, [3], 4, num_candidates=9, tokenizer=tokenizer, prompt="\ud800\x00")
    html = r._repr_html_()
    html.encode("utf-8")
    assert "\x00" not in html and "\x1b" not in html
    assert "\\ud800" in html


def test_html_has_one_row_a_candidate_and_one_bar_a_token():
    r = result(num_candidates=5)
    html = r._repr_html_()
    assert html.count('<th scope="row"') == 5
    bars = [int(px) for px in re.findall(r"width:16px;height:(\d+)px", html)]
    probs = [p for candidate in r.candidates for p in candidate.probs]
    assert bars == [max(1, round(BAR_HEIGHT * p)) for p in probs]
    for candidate in r.candidates:
        assert f"<b>{candidate.score:.3f}</b>" in html


def test_html_marks_the_winner_by_shape_word_and_colour():
    html = result()._repr_html_()
    rows = re.findall(r"<tr class=.*?</tr>", html, flags=re.S)
    assert "&#9733;&nbsp;best" in rows[0] and BLUE in rows[0] and QUIET not in rows[0]
    for row in rows[1:]:
        assert "best" not in row and "&#9733;" not in row and BLUE not in row and QUIET in row


def test_html_has_a_description_and_alternatives():
    r = result(prompt="hi")
    html = r._repr_html_()
    label = re.search(r'role="figure" aria-label="([^"]*)"', html, flags=re.S).group(1)
    assert label.startswith("InsideOut after &#x27;hi&#x27;: 4 candidates by arithmetic score")
    title = re.search(r'title="([^"]*)"', html).group(1)
    assert title.startswith("token 1: ") and "strongest here: " in title
    assert html.count("<li>") == len(r.best.tokens)


CERTAIN = 0.3


def test_html_underlines_the_fork():
    html = result(branch="uncertain", certain=CERTAIN)._repr_html_()
    rows = re.findall(r"<tr class=.*?</tr>", html, flags=re.S)
    fork = result(branch="uncertain", certain=CERTAIN).fork
    assert fork > 0
    for row in rows:
        tokens = re.findall(r'<span class="lunsedu-token".*?</bdi></span>', row, flags=re.S)
        assert [VERMILLION in token for token in tokens].index(True) == fork
        assert row.count(VERMILLION) == 1
    single = greedy(TableModel(seed=4), [1], 4)._repr_html_()
    assert VERMILLION not in single and "part at" not in single


def test_html_without_tokens_or_prompt():
    result = greedy(TableModel(), [], 0, tokenizer=TOKENIZER)
    assert str(result).startswith("greedy without a prompt: 1 candidate, arithmetic score")
    assert describe(result) == (
        "greedy without a prompt: 1 candidate by arithmetic score; best '', 1.00, cut off."
    )
    html = result._repr_html_()
    assert "without a prompt" in html and "(no text)" in html
    assert "1 candidate," in html


def test_html_of_the_largest_slider_settings():
    model = TableModel(vocab_size=40, seed=3, seq_len=80, eos_id=None)
    html = insideout(model, [1, 5], 48, num_candidates=16)._repr_html_()
    assert html.count('class="lunsedu-token"') == 16 * 48
    assert "inline-block" in html  # tokens wrap into lines


def _luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def _contrast(a, b):
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_seen_in_light_and_dark():
    for background in ("#ffffff", "#111111", "#212121"):  # JupyterLab's two themes
        for color in (BLUE, VERMILLION, QUIET):
            assert _contrast(color, background) >= 3.0, (color, background)
    assert _contrast("#ffffff", BLUE) >= 4.5  # the word "best"


def test_visible_and_percent():
    assert visible(" a\tb\n") == "·a⇥b↵"
    assert visible("") == "∅"
    assert visible("\x07") == "\\u0007"
    assert [percent(p) for p in (0.0, 0.001, 0.412, 1.0)] == ["0%", "<1%", "41%", "100%"]


def test_samples_show_themselves_too():
    r = sample(TableModel(seed=1), [3], 4, num_samples=3, seed=0)
    assert "sampling after '3': 3 candidates, geometric score" in str(r)
