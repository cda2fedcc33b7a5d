"""Pictures: one style, a description for each, the numbers of the data in it."""

import base64
import io
import json
import re

import numpy as np
import pytest
from colours import contrast, rgb
from matplotlib.text import Text
from PIL import Image

from lunsedu import plots
from lunsedu.training import History


def pixels(picture):
    """Return the picture as an array [height, width, 3]."""
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))


def count(picture, color, slack=8):
    """Return the number of pixels of a colour."""
    return int((np.abs(pixels(picture).astype(int) - rgb(color)).max(axis=2) <= slack).sum())


def test_show_keeps_size_and_description():
    figure, axes = plots.new_figure(width=5, height=2)
    axes.plot([1, 2, 3])
    picture = plots.show(figure, alt="A line climbs from 1 to 3.")
    assert pixels(picture).shape == (2 * plots.DPI, 5 * plots.DPI, 3)
    assert picture.alt == repr(picture) == "A line climbs from 1 to 3."
    assert picture.figure is figure


def test_every_picture_needs_a_description():
    figure, _ = plots.new_figure()
    for alt in ("", "loss", None, "two words"):
        with pytest.raises(ValueError, match="describes no picture"):
            plots.show(figure, alt=alt)


def test_bundle_without_a_server_holds_the_png_once(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    figure, _ = plots.new_figure()
    picture = plots.show(figure, alt="An empty pair of axes.")
    data, metadata = picture._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]) == picture.png
    assert data["text/plain"] == "An empty pair of axes."
    assert metadata["image/png"] == {"alt": "An empty pair of axes.", "width": 672}
    json.dumps([data, metadata])


def test_bundle_in_jupyterlab_is_an_img_with_its_alt(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson.ipynb")
    figure, _ = plots.new_figure()
    picture = plots.show(figure, alt='Tokens "<b>" & more of them.')
    html = picture._repr_mimebundle_()[0]["text/html"]
    assert 'alt="Tokens &quot;&lt;b&gt;&quot; &amp; more of them."' in html
    assert base64.b64encode(picture.png).decode() in html


def test_same_data_same_bytes():
    first, second = (plots.loss_curve([3.0, 2.0, 1.0], floor=0.5) for _ in range(2))
    assert first.png == second.png


def test_style_does_not_depend_on_the_users_settings():
    import matplotlib

    plain = plots.loss_curve([3.0, 2.0, 1.0]).png
    with matplotlib.rc_context({"font.size": 22, "lines.linewidth": 9, "axes.grid": False}):
        assert plots.loss_curve([3.0, 2.0, 1.0]).png == plain


def test_pyplot_is_not_touched():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plots.bars(["a"], [1.0])
    assert plt.get_fignums() == before


def test_pictures_are_small_and_save(tmp_path):
    picture = plots.loss_curve(list(np.linspace(5, 1, 300)))
    assert len(picture.png) < 60_000
    picture.save(tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes() == picture.png


def test_a_picture_is_saved_as_a_png_under_a_name(tmp_path):
    picture = plots.bars(["a"], [1.0])
    for name in ("x.pdf", "x", "x.png.jpg"):
        with pytest.raises(ValueError, match=f"end the name '{name}' in .png"):
            picture.save(tmp_path / name)
    for name in (5, None):
        with pytest.raises(TypeError, match="path must be the name of a file"):
            picture.save(name)
    assert list(tmp_path.iterdir()) == []
    picture.save(str(tmp_path / "X.PNG"))
    assert (tmp_path / "X.PNG").read_bytes() == picture.png


def test_titles_stand_left_and_legends_are_bare():
    figure, axes = plots.new_figure()
    axes.plot([1, 2], label="a")
    axes.set_title("Title")
    axes.set_xlabel("x")
    axes.text(0, 1, "here")
    axes.legend()
    plots.show(figure, alt="A line with a title.")
    assert axes.get_title(loc="left") == "Title" and axes.get_title() == ""
    assert not axes.get_legend().get_frame_on()
    texts = [text for text in figure.findobj(Text) if text.get_text()]
    assert len(texts) > 8
    assert {text.get_fontsize() for text in texts} == {plots.FONT_SIZE}


# --- loss curves --------------------------------------------------------------------------------


def test_loss_curve_draws_what_the_history_holds():
    history = History(train_loss=[3.0, 2.0, 1.0], validation_loss=[3.1, 2.0, 2.2])
    history.events.append((2, "fine-tune"))
    picture = plots.loss_curve(history, floor={"floor": 0.5, "second floor": 0.7}, title="Learning")
    (axes,) = picture.figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["training"].get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert lines["validation"].get_ydata().tolist() == [3.1, 2.0, 2.2]
    assert set(lines["floor 0.50"].get_ydata()) == {0.5}
    assert set(lines["second floor 0.70"].get_ydata()) == {0.7}
    assert picture.alt == (
        "Training loss over 3 epochs: from 3.00 to 1.00 nats a token. Validation loss ends at"
        " 2.20, its best was 2.00 at epoch 2. Floor at 0.50. Second floor at 0.70. Fine-tune after"
        " epoch 2."
    )
    assert axes.get_ylim()[0] == 0


def test_validation_that_began_later_stands_at_its_epochs():
    picture = plots.loss_curve(History(train_loss=[3.0, 2.0, 1.0], validation_loss=[1.5]))
    assert picture.figure.axes[0].lines[1].get_xdata().tolist() == [3]


def test_one_epoch_is_a_dot_and_none_is_an_error():
    assert "1 epoch:" in plots.loss_curve([2.0]).alt
    assert count(plots.loss_curve([2.0]), plots.BLUE) > 50
    with pytest.raises(ValueError, match="train for at least one epoch"):
        plots.loss_curve(History())


def test_history_plots_itself():
    assert History(train_loss=[2.0, 1.0]).plot(floor=0.5).alt.endswith("Floor at 0.50.")


# --- bars, heatmaps, attention ------------------------------------------------------------------


def test_bars_have_the_length_of_their_values():
    picture = plots.bars(["$x$", "<b>"], [0.75, 0.25], title="Next", highlight=0)
    (axes,) = picture.figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.25]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$x$", "<b>"]
    assert picture.alt == "Next: $x$ 0.75, <b> 0.25."
    for labels, values in ((["a"], [1.0, 2.0]), ([], [])):
        with pytest.raises(ValueError, match="make no bars"):
            plots.bars(labels, values)


@pytest.mark.parametrize("value", [np.nan, -np.inf, "1", None, [1]])
def test_a_bar_has_a_finite_length(value):
    with pytest.raises(ValueError, match=r"values\[1\] must be a finite number, not "):
        plots.bars(["a", "b"], [1.0, value])


@pytest.mark.parametrize("highlight", [2, 5, -1, 0.0, "a", True])
def test_a_bar_that_stands_out_is_there(highlight):
    with pytest.raises(ValueError, match="^highlight"):
        plots.bars(["a", "b"], [1.0, 2.0], highlight=highlight)
    assert plots.bars(["a", "b"], np.array([1, 2]), highlight=np.int64(1)).alt.endswith("b 2.00.")


def test_heatmap_shows_each_value():
    values = np.array([[1.0, -2.0, 0.5], [0.0, 3.25, -1.0]])
    picture = plots.heatmap(values, rows=["a", "b"], columns=["x", "y", "z"], title="W")
    (axes,) = picture.figure.axes
    assert np.array_equal(axes.images[0].get_array(), values)
    assert axes.images[0].get_clim() == (-3.25, 3.25)  # zero is white
    written = [text.get_text() for text in axes.texts]
    assert written == ["1.00", "-2.00", "0.50", "0.00", "3.25", "-1.00"]
    assert picture.alt.endswith("-2.00 to 3.25; the largest at row b, column y.")


def test_heatmap_numbers_can_be_read_on_their_squares():
    picture = plots.heatmap(np.linspace(0, 1, 8).reshape(2, 4))
    (axes,) = picture.figure.axes
    ramp, norm = axes.images[0].cmap, axes.images[0].norm
    for text, value in zip(axes.texts, np.linspace(0, 1, 8), strict=True):
        assert contrast(text.get_color(), ramp(norm(value))) >= 4.5


def test_heatmap_edges():
    assert plots.heatmap([[0.0, 0.0]]).alt.count("0.00") == 2
    assert "largest at row 0, column 1" in plots.heatmap([[-2.0, -1.0]]).alt
    assert len(plots.heatmap(np.ones((9, 8))).figure.axes[0].texts) == 0  # too many for numbers
    for bad in (np.ones(3), np.ones((0, 2)), np.ones((1, 2, 3))):
        with pytest.raises(ValueError, match="array \\[R, C\\]"):
            plots.heatmap(bad)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_heatmap_needs_finite_numbers(value):
    with pytest.raises(ValueError, match=f"finite numbers, not {value} at row 1, column 0"):
        plots.heatmap([[1.0, 2.0], [value, value]])
    for bad in ([["a"]], [[1], [1, 2]], None):
        with pytest.raises(ValueError, match="a heatmap needs "):
            plots.heatmap(bad)


def test_heatmap_needs_a_label_for_each_row_and_column():
    for labels in (["a"], [], ["a", "b", "c"]):
        with pytest.raises(ValueError, match="rows must hold 2 labels, not "):
            plots.heatmap(np.ones((2, 3)), rows=labels)
        with pytest.raises(ValueError, match="columns must hold 4 labels, not "):
            plots.heatmap(np.ones((2, 4)), columns=labels)
    named = plots.heatmap([[0.0, 1.0]], rows=("a",), columns=np.array(["x", "y"]))
    assert named.alt.endswith("the largest at row a, column y.")


def test_attention_maps_name_where_the_last_token_looks():
    weights = np.zeros((5, 3, 3))
    weights[:, [0, 1, 2], [0, 1, 1]] = 1.0
    picture = plots.attention_maps(weights, ["<|bos|>", "a", "$b$"], title="Layer 1")
    shown = [axes for axes in picture.figure.axes if axes.get_visible()]
    titles = [axes.get_title(loc="left") for axes in shown]
    assert titles == [f"head {number}" for number in range(1, 6)] + [""]
    assert shown[-1].get_ylabel() == "weight"  # what the colours mean
    assert "'$b$', looks most: head 1 at 'a' (1.00)" in picture.alt
    with pytest.raises(ValueError, match="for 2 tokens"):
        plots.attention_maps(weights, ["a", "b"])
    weights[4, 2, 1] = np.nan
    with pytest.raises(ValueError, match="finite, not nan at head 4, row 2, column 1"):
        plots.attention_maps(weights, ["<|bos|>", "a", "$b$"])


# --- colours ------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", [plots.INK, plots.GREY])
def test_text_can_be_read_on_paper(color):
    assert contrast(color, plots.PAPER) >= 4.5


def test_series_colours_differ_for_colour_blind_eyes():
    """Simulated without red or green cones (Vienot et al. 1999), no two of them come close."""
    matrices = {
        "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
        "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    }
    for matrix in matrices.values():
        seen = np.array([rgb(color) for color in plots.COLORS]) / 255
        linear = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
        seen = np.clip(linear @ np.array(matrix).T, 0, 1) ** (1 / 2.2)
        gaps = np.linalg.norm(seen[:, None] - seen[None], axis=2)
        assert gaps[~np.eye(len(seen), dtype=bool)].min() > 0.12


def test_documented_palette():
    assert all(re.fullmatch("#[0-9A-F]{6}", color) for color in plots.COLORS)
    assert len(set(plots.COLORS)) == len(plots.COLORS)
