"""The page of the tokenizer."""

from pages import Page, assert_harmless

from lunsedu.display.tokens import tokens_view


def test_tokens_at_every_number_of_merges(lm):
    tokenizer, text = lm.tokenizer, "good day, Tom é🙂\n  <b>"
    counts = []
    for merges in range(len(tokenizer.merges) + 1):
        pieces = tokenizer.pieces(text, merges)
        assert b"".join(piece["bytes"] for piece in pieces) == text.encode()
        counts.append(len(pieces))
        page = assert_harmless(tokens_view(tokenizer, text, merges))
        assert f"tokens{len(pieces)}bytes a token" in page.text
        assert page.tags.count("li") == len(pieces)
    assert counts[0] == len(text.encode()) and counts == sorted(counts, reverse=True)
    assert [piece["id"] for piece in pieces] == tokenizer.encode(text)


def test_tokens_of_nothing(lm):
    assert "type something" in Page(tokens_view(lm.tokenizer, "", 3)).text


def test_last_merge_is_named(lm):
    text = Page(tokens_view(lm.tokenizer, "good", 1)).text
    left, right = (lm.tokenizer.token_text(i) for i in lm.tokenizer.merges[0])
    assert f"Merge number 1 joins {left} and {right}." in text.replace("·", " ")
    assert "No merge yet" in Page(tokens_view(lm.tokenizer, "good", 0)).text
