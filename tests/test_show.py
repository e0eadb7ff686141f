"""The plots: they draw what they are given, legibly, in the course's colours."""

import io
import itertools
import re

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from stlib import load_image, sample
from stlib.course import show
from stlib.course.beyond import toy_clouds

matplotlib.use("Agg")


@pytest.fixture
def shown(monkeypatch):
    """The figures that were shown."""
    figures = []
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    yield figures
    plt.close("all")


@pytest.fixture
def history():
    return [
        {
            "seconds": i,
            "total": 9.0 / (i + 1),
            "content": float(i),
            "style": 3.0 / (i + 1),
            "tv": 0.0,
            "relu1_1": 1.0 / (i + 1),
            "relu5_1": 2.0 / (i + 1),
        }
        for i in range(5)
    ]


def test_images_stand_under_their_names(shown):
    show.images(
        {"one": sample("castle", 64), "two": sample("cat", 64), "three": sample("cat", 48)},
        "finding",
        columns=2,
    )
    (figure,) = shown
    assert [axes.get_title() for axes in figure.axes if axes.images] == ["one", "two", "three"]
    assert figure.get_suptitle() == "finding"


def test_losses_are_drawn_with_their_weights(shown, history):
    """α L_content and β L_style add up to the total that stands beside them."""
    show.losses(history, alpha=2.0, beta=5.0, title="finding")
    left, right = shown[0].axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    assert lines["$\\alpha\\, L_{content}$"][2] == 4.0
    assert lines["$\\beta\\, L_{style}$"][0] == 15.0
    assert [line.get_label() for line in right.lines] == ["relu1_1", "relu5_1"]


def test_a_layer_has_one_colour_and_layers_differ_in_dashes_too():
    assert show.layer_look("relu4_1") == show.layer_look("conv4_2") == show.layer_look("pool4")
    looks = [show.layer_look(f"relu{block}_1") for block in range(1, 6)]
    assert (
        len({look["color"] for look in looks})
        == len({str(look["linestyle"]) for look in looks})
        == 5
    )


def test_curves_mark_where_the_first_of_them_reaches_a_level(shown):
    """Whatever the others do; a level that is never reached has a line and no dot."""
    show.curves(
        {"a": [8.0, 5.0, 4.0, 3.0], "b": [8.0, 1.0, 1.0, 1.0]},
        "finding",
        levels={"half": 4.0, "a tenth": 0.8},
    )
    (axes,) = shown[0].axes
    dots = [line.get_xydata().tolist() for line in axes.lines if len(line.get_xydata()) == 1]
    assert dots == [[[2.0, 4.0]]]
    assert [note.get_text() for note in axes.texts] == ["2"]
    assert {"half", "a tenth"} <= {line.get_label() for line in axes.lines}


def test_what_diverges_leaves_the_figure_and_the_rest_fills_it(shown):
    """From the lowest value to one and a half times the highest start, with plain numbers."""
    show.curves({"a": [1.0, 0.5, 0.2], "b": [1.0, 1e6, 1e12]}, "finding")
    (axes,) = shown[0].axes
    low, high = axes.get_ylim()
    assert (low, high) == pytest.approx((0.18, 1.5))
    shown[0].canvas.draw()
    ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    seen = [label.get_text() for place, label in ticks if low <= place <= high]
    assert seen == ["0.2", "0.3", "0.5", "0.7", "1"]


def test_pictures_pixel_for_pixel_lose_none(monkeypatch):
    """What is shown holds each picture as it is, but for JPEG."""
    data = []
    monkeypatch.setattr(plt, "get_backend", lambda: "inline")
    monkeypatch.setattr(show, "display", lambda image: data.append(image.data))
    one, two = sample("castle", 200), sample("cat", 160)
    show.pixel_for_pixel({"one": one, "two": two}, "finding", quality=95)
    with Image.open(io.BytesIO(data[0])) as image:
        drawn = load_image(image.convert("RGB"), None)
    height, width = max(one.shape[2], two.shape[2]), one.shape[3]
    assert drawn.shape[3] == pytest.approx(width + 12 + two.shape[3], abs=1)
    left = drawn[..., -height : drawn.shape[2] - height + one.shape[2], :width]
    right = drawn[..., -height : drawn.shape[2] - height + two.shape[2], width + 12 :]
    assert (left - one).abs().mean() < 0.02
    assert (right[..., : two.shape[3]] - two).abs().mean() < 0.02
    assert drawn.shape[2] > height


def test_letters_are_large_enough(shown, history):
    show.losses(history, 1.0, 1.0, "finding")
    show.curves({"a": [3.0, 1.0]}, "finding")
    show.images({"one": sample("castle", 64)}, "finding")
    for figure in shown:
        for words in figure.findobj(matplotlib.text.Text):
            assert (
                not words.get_text().strip()
                or words.get_fontsize() >= 9
                or "mathdefault" in words.get_text()
            )


def test_axes_have_names(shown, history):
    show.losses(history, 1.0, 1.0, "finding")
    show.curves({"a": [3.0, 1.0], "b": [2.0, 1.0]}, "finding")
    for axes in [axes for figure in shown for axes in figure.axes]:
        assert axes.get_xlabel() == "evaluation"
        assert "loss" in axes.get_ylabel() or "E_l" in axes.get_ylabel()
        assert axes.get_title()


def test_film_strip_has_the_first_and_the_last_frame(shown):
    frames = [torch.full((1, 3, 40, 40), i / 10) for i in range(11)]
    show.film_strip(frames, every=5, title="finding", most=4)
    titles = [axes.get_title() for axes in shown[0].axes if axes.images]
    assert titles == ["evaluation 0", "evaluation 15", "evaluation 35", "evaluation 50"]


def test_film_strip_of_one_frame(shown):
    show.film_strip([sample("cat", 64)], every=5, title="finding")
    assert len(shown) == 1


def test_gif_plays_all_frames_without_end():
    animation = Image.open(
        io.BytesIO(show.gif([torch.full((1, 3, 40, 40), i / 10) for i in range(7)]).data)
    )
    assert animation.n_frames == 7
    assert animation.info["loop"] == 0


def test_what_does_not_change_takes_no_place_in_a_gif():
    """Shown five times it is hardly more than once; a rare colour stays; sizes must agree."""
    frame = sample("cat", 96)
    once, often = (len(show.gif([frame] * count).data) for count in (1, 5))
    other = frame.clone()
    other[..., :1, :8] = torch.tensor([0.0, 1.0, 1.0]).view(3, 1, 1)
    film = show.gif([frame, other]).data
    changed = len(film)
    with Image.open(io.BytesIO(film)) as picture:
        picture.seek(1)
        assert picture.convert("RGB").getpixel((3, 0)) == pytest.approx((0, 255, 255), abs=16)
    assert often < 1.1 * once and changed < 1.3 * once
    with pytest.raises(ValueError, match=r"frames have the sizes .* one size"):
        show.gif([frame, frame[..., 8:]])


def test_a_kernel_slides_over_every_place_and_only_the_last_frame_is_full():
    frames = show.convolution_frames(torch.eye(5), torch.ones(3, 2))
    assert len(frames) == 3 * 4
    assert {frame.shape for frame in frames} == {frames[0].shape}
    assert all((one != other).any() for one, other in itertools.pairwise(frames))
    assert len(show.gif(frames).data) < 1e6


def test_each_square_is_one_frame_more():
    squares = {"conv1_1": (9, 9, 3), "conv2_1": (6, 6, 10)}
    frames = show.square_frames(sample("cat", 64), squares)
    assert len(frames) == 2
    assert frames[0].shape == frames[1].shape
    assert (frames[0] != frames[1]).any()
    assert len(show.gif(frames).data) < 1e6


def test_lines_go_through_their_points_in_their_layers_colour(shown):
    show.lines(
        {"relu1_1": ([1, 2], [3.0, 4.0]), "relu4_1": ([1, 2], [5.0, 6.0])},
        "finding",
        x="size (px)",
        y="loss",
        logarithmic="y",
    )
    (axes,) = shown[0].axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[3.0, 4.0], [5.0, 6.0]]
    assert [line.get_color() for line in axes.lines] == [
        show.layer_look("relu1_1")["color"],
        show.layer_look("relu4_1")["color"],
    ]
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_xlabel()) == (
        "linear",
        "log",
        "size (px)",
    )


def test_lines_of_lists_go_through_their_means_in_a_band_and_begin_at_0(shown):
    show.lines(
        {"a": ([1, 2], [[3.0, 5.0], [6.0, 8.0]])}, "finding", x="x", y="y", levels={"chance": 2.0}
    )
    (axes,) = shown[0].axes
    assert [list(line.get_ydata()) for line in axes.lines] == [[4.0, 7.0], [2.0, 2.0]]
    assert axes.collections[0].get_paths()[0].get_extents().bounds == (1.0, 3.0, 1.0, 5.0)
    assert axes.get_ylim()[0] == 0


def test_dots_show_every_number_and_the_mean(shown):
    found = {"trained": {"relu1_1": [1.0, 3.0], "relu2_1": 5.0}, "random": {"relu1_1": 0.5}}
    show.dots(found, "finding", x="share", levels={"chance": 0.25})
    (axes,) = shown[0].axes
    drawn = [list(line.get_xdata()) for line in axes.lines]
    assert drawn == [[1.0, 3.0], [2.0, 5.0], [0.5], [0.25, 0.25]]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["relu1_1", "relu2_1"]
    assert axes.get_xlim()[0] == 0


@pytest.mark.parametrize("values", [[0.28, 1.5], [0.05, 2.0]])
def test_a_logarithmic_scale_of_few_decades_has_plain_numbers(shown, values):
    show.dots({"a": {"row": values}}, "finding", x="ratio", logarithmic=True)
    shown[0].draw_without_rendering()
    ticks = [tick.get_text() for tick in shown[0].axes[0].get_xticklabels()]
    assert {"0.5", "1"} <= set(ticks) and not any("$" in tick for tick in ticks)


def test_a_notebook_gets_sharp_figures_with_a_text(monkeypatch):
    """Plots have twice the dots of their width on the page; photographs, in JPEG, have fewer."""
    displayed = []
    monkeypatch.setattr(plt, "get_backend", lambda: "inline")
    monkeypatch.setattr(show, "display", displayed.append)
    show.images({"a castle": sample("castle", 64)}, "finding")
    show.bars({"one": {"a": 1.0}}, "finding", y="share")
    show.images({"a castle": sample("castle", 64)}, "finding", compact=True)
    photograph, plot, small = (Image.open(io.BytesIO(image.data)) for image in displayed)
    assert (photograph.format, plot.format, small.format) == ("JPEG", "PNG", "JPEG")
    for image, picture, dots in zip(displayed, (photograph, plot, small), (1.5, 2, 1), strict=True):
        assert abs(picture.width - dots * image.width) <= 2
    assert len(displayed[2].data) < len(displayed[0].data)
    assert displayed[0].alt == "finding. a castle"
    show.images({"a castle": sample("castle", 64)}, "finding", quality=40)
    assert len(displayed[3].data) < 0.8 * len(displayed[0].data)


def test_bars_stand_side_by_side_with_different_hatches(shown):
    show.bars({"one": {"a": 1.0, "b": 2.0}, "two": {"a": 3.0, "b": 4.0}}, "finding", y="share")
    (axes,) = shown[0].axes
    assert [bar.get_height() for bar in axes.patches] == [1.0, 2.0, 3.0, 4.0]
    assert len({bar.get_hatch() for bar in axes.patches}) == 2
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert ends[0][1] <= ends[2][0] + 1e-9, "the bars of one name do not overlap"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "b"]


def test_maps_of_both_signs_are_white_at_zero(shown):
    show.maps({"one sign": torch.rand(4, 6), "both": torch.tensor([[-1.0, 3.0]])}, "finding")
    one, both = [axes.images[0] for axes in shown[0].axes]
    assert one.get_cmap().name == "gray"
    assert one.get_clim()[0] == 0, "black is 0"
    assert both.get_clim() == (-3.0, 3.0)


def test_small_matrices_have_their_numbers_written_in(shown):
    show.matrices(
        {"F": torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]), "large": torch.rand(20, 20)},
        "finding",
        x="position",
    )
    small, large = shown[0].axes[:2]
    assert [text.get_text() for text in small.texts] == ["1", "2", "3", "0", "1", "0"]
    assert not large.texts
    assert small.get_xlabel() == "position"
    assert len(shown[0].axes) == 3, "a colour bar for the large one alone"


def test_numbers_stand_out_from_their_squares(shown):
    show.matrices(
        {"up": torch.tensor([[0.0, 2.0]]), "down": torch.tensor([[0.0, -2.0]])}, "finding"
    )
    for axes in shown[0].axes:
        assert [text.get_color() for text in axes.texts] == ["white", "black"]


def test_letters_of_the_other_plots_are_large_enough(shown):
    show.lines({"a": ([1, 2], [1.0, 10.0])}, "finding", x="x", y="y", logarithmic="xy")
    show.bars({"one": {"a": 1.0}}, "finding", y="share")
    show.maps({"one": torch.rand(4, 6)}, "finding")
    show.matrices({"F": torch.rand(3, 3)}, "finding", ticks=["a", "b", "c"])
    for figure in shown:
        for words in figure.findobj(matplotlib.text.Text):
            assert (
                not words.get_text().strip()
                or words.get_fontsize() >= 9
                or "mathdefault" in words.get_text()
            )


def test_kernels_are_squares_with_grey_for_zero(shown):
    weights = torch.zeros(5, 3, 3, 3)
    weights[:, 0] = 1.0
    show.kernels({"five": weights}, "finding", columns=4)
    drawn = shown[0].axes[0].images[0].get_array()
    assert drawn.shape[:2] == (2 * 22, 4 * 22), "two rows of squares, 18 pixels and a frame of 2"
    assert list(drawn[10, 10]) == [255, 128, 128]
    assert list(drawn[30, 40]) == [255, 255, 255], "no kernel stands there"


def test_pictures_may_share_a_caption_or_have_none(shown):
    show.images([("cat", sample("cat", 48)), ("cat", sample("cat", 64))], "finding")
    show.images([sample("cat", 48), sample("cat", 64), sample("castle", 64)], "finding", columns=2)
    assert [axes.get_title() for axes in shown[0].axes] == ["cat", "cat"]
    assert [bool(axes.images) for axes in shown[1].axes] == [True, True, True, False]


def test_a_valley_shows_the_way_from_its_start(shown):
    path = [(-2.0, 2.0), (-1.0, 0.5), (0.0, 0.1)]
    show.valley(lambda w: w[0] ** 2 + w[1] ** 2, path, "down")
    axes = shown[0].axes[0]
    way, start = axes.lines
    assert [tuple(point) for point in way.get_xydata()] == path
    assert [tuple(point) for point in start.get_xydata()] == path[:1]
    assert axes.get_aspect() == 1 and axes.get_title() == "down"


def test_a_cloud_lies_in_the_ellipse_of_its_second_moments(shown):
    """Four points on the axes: G/M is diag(2, ½), so the ellipse reaches to √2 and √½."""
    points = torch.tensor([[2.0, -2.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    show.clouds({"one": points, "wider": 3 * points}, "finding", x="channel 1", y="channel 2")
    for axes, scale in zip(shown[0].axes, (1, 3), strict=True):
        cloud, ellipse = axes.lines
        assert cloud.get_xydata().T.tolist() == (scale * points).tolist()
        assert ellipse.get_xdata().max() == pytest.approx(scale * 2**0.5, rel=1e-3)
        assert ellipse.get_ydata().max() == pytest.approx(scale * 0.5**0.5, rel=1e-3)
        assert axes.get_aspect() == 1
    assert [axes.get_title() for axes in shown[0].axes] == ["one", "wider"]


def test_paths_go_through_named_points_with_plain_numbers_at_the_axes(shown):
    show.paths(
        {"a": {"start": (0.3, 4.0), "end": (0.05, 6.0)}, "b": {"": (0.1, 0.6)}},
        "finding",
        x="style",
        y="content",
        logarithmic="xy",
    )
    (axes,) = shown[0].axes
    assert axes.lines[0].get_xydata().tolist() == [[0.3, 4.0], [0.05, 6.0]]
    assert {text.get_text() for text in axes.texts} == {"start", "end", ""}
    shown[0].draw_without_rendering()
    ticks = [tick.get_text() for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_ticklabels()]
    assert {"0.1", "0.2", "5"} <= set(ticks)
    assert not any("$" in tick for tick in ticks)
    assert axes.get_legend()


def test_paths_begin_at_0_when_nothing_is_logarithmic(shown):
    show.paths({"a": {"start": (2.0, 3.0), "end": (1.0, 4.0)}}, "finding", x="x", y="y")
    (axes,) = shown[0].axes
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0
    assert axes.get_legend() is None


def test_a_bar_grows_from_frame_to_frame():
    frames = [torch.full((1, 3, 32, 40), 0.5) for _ in range(3)]
    with Image.open(io.BytesIO(show.gif(frames, bar=True).data)) as film:
        black = []
        for number in range(3):
            film.seek(number)
            foot = film.convert("L").crop((0, 28, 40, 29))
            black.append(sum(value < 128 for value in foot.tobytes()))
    assert black == [0, 20, 40]
    assert frames[0].eq(0.5).all(), "the caller's frames stay as they are"


def test_clouds_stand_in_rows_and_without_an_ellipse(shown):
    points = torch.rand(2, 9, generator=torch.Generator().manual_seed(0))
    named = dict.fromkeys("abc", points)
    show.clouds(named, "finding", x="one", y="other", ellipse=False, columns=2)
    (figure,) = shown
    visible = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in visible] == ["a", "b", "c"]
    assert [len(axes.lines) for axes in visible] == [1, 1, 1]


def test_cloud_frames_follow_every_step():
    points = torch.rand(2, 9, generator=torch.Generator().manual_seed(0))
    frames = show.cloud_frames({"a": [points, points + 1, points + 2], "b": [points] * 3})
    assert len(frames) == 3
    assert all(frame.shape == frames[0].shape for frame in frames)
    assert not torch.equal(frames[0], frames[1])


def test_without_a_chinese_font_a_figure_has_numbers(shown, monkeypatch, capsys, recwarn):
    """Never boxes: the words stand in a sentence below, also those beside the axes."""
    monkeypatch.setattr(show, "LETTERS", [])
    monkeypatch.setitem(show.LOOK, "font.family", ["DejaVu Sans"])
    show.dots({"照片": {"内容": 1.0}, "x": {"内容": 2.0}}, "损失", x="content", levels={})
    (figure,) = shown
    figure.canvas.draw()
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    drawn = {text.get_text() for text in figure.findobj(matplotlib.text.Text)}
    said = capsys.readouterr().out
    for word in ("照片", "内容", "损失"):
        (number,) = re.findall(rf"(\[\d\]) = {word}", said)
        assert number in drawn
    assert {"x", "content"} <= drawn and said.count("\n") == 1


@pytest.mark.skipif(not show.LETTERS, reason="there is no Chinese font here")
def test_with_a_chinese_font_every_letter_is_drawn(shown, capsys, recwarn):
    """Those of titles with formulas, too."""
    show.lines({"β 的份量": ([1, 2], [1, 2])}, "颗粒（$\\alpha$ ÷ β）…", x="像素", y="≤ 1 ✓ × →")
    shown[0].canvas.draw()
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    assert not capsys.readouterr().out


def test_no_word_of_clouds_is_cut_off(shown):
    """Axes of equal scale leave the place that their titles were given."""
    some = dict(itertools.islice(toy_clouds().items(), 0, None, 2))
    show.clouds(some, x="a", y="b", ellipse=False)
    (figure,) = shown
    figure.canvas.draw()
    assert all(a.title.get_window_extent().y1 <= figure.bbox.y1 for a in figure.axes)


def test_captions_of_pictures_stand_in_a_line_and_are_not_cut_off(shown):
    """Also above pictures of other shapes, which leave some of their place free."""
    wide, high = torch.rand(1, 3, 32, 64), torch.rand(1, 3, 64, 48)
    for height in (2.1, 4.0):
        for caption in ("castle", "castle,\nas high as two lines"):
            show.images({caption: wide, "cat": high, "church": high}, height=height)
            figure = shown[-1]
            figure.canvas.draw()
            tops = [axes.title.get_window_extent().y1 for axes in figure.axes]
            assert max(tops) <= figure.bbox.y1 - 2
            tops = [axes.bbox.y1 for axes in figure.axes]  # of the pictures
            assert max(tops) - min(tops) < 2
