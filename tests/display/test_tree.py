"""The candidate tree."""

from pages import svg_of

from lunsedu.decoding.tree_and_race import tree_nodes
from lunsedu.display.tree import BOX, candidate_tree


def test_tree_has_a_node_for_each_different_beginning(lm):
    for options in ({}, {"branch": "uncertain"}, {"branch": "uncertain", "certain": 0.2}):
        result = lm.insideout("once", 12, 6, **options)
        nodes = tree_nodes(result)
        starts = {tuple(c.token_ids[:t]) for c in result.candidates for t in range(1, 49)}
        starts = {s for s in starts if s}
        assert len(nodes) == len(starts)
        for node in nodes:
            parent = node["parent"]
            assert (parent is None) == (node["column"] == 0)
            if parent is not None:
                assert nodes[parent]["column"] == node["column"] - 1


def test_tree_shows_token_probability_and_alternatives(lm):
    result = lm.insideout("good", 12, 5)
    svg = svg_of(candidate_tree(result))
    targets = [g for g in svg.iter() if g.get("tabindex") == "0"]
    assert len(targets) == sum(len(c.token_ids) for c in result.candidates)
    labels = [g.get("aria-label") for g in targets]
    at = 0
    for row, candidate in enumerate(result.candidates):
        name = "best candidate" if row == 0 else f"candidate {row + 1}"
        for t, prob in enumerate(candidate.probs):
            assert labels[at].startswith(f"{name}, token {t + 1}: ")
            assert f"probability {prob:.2f}; strongest here: " in labels[at]
            for _, _, p in candidate.alternatives[t]:
                assert f"{p:.2f}" in labels[at].split("strongest here")[1]
            at += 1
    texts = [text.text for text in svg.iter("text")]
    assert "★ best" in texts and "5" in texts  # the winner by shape and word, the others by rank


def test_tree_boxes_do_not_overlap_and_popups_stay_inside(lm):
    for candidates, tokens in ((1, 1), (2, 3), (5, 12), (16, 48)):
        svg = svg_of(candidate_tree(lm.insideout("good", tokens, candidates)))
        width, height = float(svg.get("width")), float(svg.get("height"))
        rows = {}
        for target in [g for g in svg.iter("g") if g.get("tabindex")]:
            box = target.find("rect")
            x, y, w = (float(box.get(name)) for name in ("x", "y", "width"))
            rows.setdefault(y, []).append((x, x + w))
            popup = target.find("g/rect")
            left, top = float(popup.get("x")), float(popup.get("y"))
            assert 0 <= left and left + float(popup.get("width")) <= width
            assert 0 <= top and top + float(popup.get("height")) <= height
            assert top >= y + BOX or top + float(popup.get("height")) <= y
        for spans in rows.values():
            spans.sort()
            assert all(a[1] < b[0] for a, b in zip(spans, spans[1:], strict=False))


def test_tree_without_tokens_says_so(lm):
    assert "no token to draw" in candidate_tree(lm.insideout("good", 0))
