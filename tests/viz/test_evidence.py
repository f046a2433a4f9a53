"""Maps of what each cue has said: colours, tiles and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import Segmentation
from motionseg.viz import color_evidence, draw_evidence

RED, BLUE, WHITE = [40, 40, 230], [230, 120, 20], [255, 255, 255]  # B, G, R


def segmentation(*shares, shape=(120, 160)):
    """A box in the middle, and cues of these even log-odds."""
    mask = np.zeros(shape, np.uint8)
    mask[40:80, 60:100] = 255
    evidence = {f"cue {k}": np.full(shape, share, np.float32) for k, share in enumerate(shares)}
    return Segmentation(0, 0.0, mask, evidence=evidence)


def frame(shape=(120, 160, 3)):
    return np.full(shape, 90, np.uint8)


# --- colours -----------------------------------------------------------------------------------


def test_red_for_blue_against_white_for_nothing():
    share = np.array([[-4, 0, 4], [-100, -2, 2]], np.float64)
    picture = color_evidence(share)
    assert (picture.dtype, picture.shape) == (np.uint8, (2, 3, 3))
    assert picture[0].tolist() == [BLUE, WHITE, RED]
    assert picture[1, 0].tolist() == BLUE, "more than the limit is no stronger"
    assert color_evidence(np.full((1, 1), np.nan))[0, 0].tolist() == WHITE
    np.testing.assert_allclose(picture[1, 1], (np.array(BLUE) + WHITE) / 2, atol=0.6)
    np.testing.assert_allclose(picture[1, 2], (np.array(RED) + WHITE) / 2, atol=0.6)


def test_the_limit_is_full_colour():
    share = np.array([[1.0, -1.0]])
    assert color_evidence(share, limit=1).tolist() == [[RED, BLUE]]
    assert color_evidence(share, limit=8)[..., 1].min() > 200


@pytest.mark.parametrize("limit", [0, -1.0, float("nan"), "4"])
def test_a_wrong_limit(limit):
    with pytest.raises(ParameterError, match="limit"):
        color_evidence(np.zeros((2, 2)), limit=limit)


# --- tiles -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "rows", "empty"), [(1, 1, 1), (2, 1, 0), (3, 2, 2), (5, 2, 0)])
def test_three_tiles_in_a_row_the_rest_is_white(n, rows, empty):
    picture = draw_evidence(frame(), segmentation(*[4.0] * n))
    assert (picture.dtype, picture.shape) == (np.uint8, (120 * rows, 480, 3))
    assert picture.flags.c_contiguous
    tiles = [picture[y : y + 120, x : x + 160] for y in range(0, 120 * rows, 120) for x in range(0, 480, 160)]
    assert sum(bool((tile == 255).all()) for tile in tiles) == empty
    for tile in tiles[1 : n + 1]:
        assert tile[60:, :].reshape(-1, 3).tolist() == [RED] * 9600


def test_maps_come_in_the_order_of_their_cues_below_their_titles():
    picture = draw_evidence(frame(), segmentation(4.0, -4.0))
    first, second = picture[:, 160:320], picture[:, 320:]
    assert (first[100, 80].tolist(), second[100, 80].tolist()) == (RED, BLUE)
    for tile in (picture[:, :160], first, second):
        title = tile[:18, :50]
        assert (title == 0).all(axis=2).mean() > 0.3
        assert title.max() > 200


def test_titles_say_which_cue_it_is():
    picture = draw_evidence(frame(), segmentation(1.0, 1.0))
    differ = (picture[:, 160:320] != picture[:, 320:]).any(axis=2)
    assert differ.any()
    assert not differ[18:].any()


def test_the_frame_bears_the_outline_of_the_mask():
    found = segmentation(0.0)
    tile = draw_evidence(frame(), found)[:, :160]
    drawn = (tile != 90).any(axis=2)
    assert drawn[40, 60:100].all()
    assert drawn[40:80, 99].all()
    assert not drawn[45:75, 65:95].any()
    assert not drawn[90:].any()


def test_shadow_is_not_outlined():
    found = segmentation(0.0)
    found.mask[found.mask == 255] = 127
    assert (draw_evidence(frame(), found)[30:, :160] == 90).all()


def test_grey_frames_look_like_grey_colour_ones():
    found = segmentation(1.0, -2.0)
    np.testing.assert_array_equal(draw_evidence(frame((120, 160)), found), draw_evidence(frame(), found))


@pytest.mark.parametrize("shape", [(480, 852), (1000, 1278)])
def test_large_frames_are_reduced(shape):
    picture = draw_evidence(frame((*shape, 3)), segmentation(4.0, shape=shape))
    height = round(shape[0] * 426 / shape[1])
    assert picture.shape == (height, 3 * 426, 3)
    assert picture[height - 5, 600].tolist() == RED


def test_tiny_frames():
    found = Segmentation(0, 0.0, np.zeros((2, 3), np.uint8), evidence={"a": np.zeros((2, 3), np.float32)})
    assert draw_evidence(np.zeros((2, 3), np.uint8), found).shape == (2, 9, 3)


@pytest.mark.parametrize("shape", [(120, 160), (120, 160, 3)])
def test_neither_kept_nor_changed(shape):
    given, found = frame(shape), segmentation(1.0, -1.0)
    mask, shares = found.mask.copy(), {name: share.copy() for name, share in found.evidence.items()}
    picture = draw_evidence(given, found)
    assert not np.shares_memory(picture, given)
    assert (given == 90).all()
    np.testing.assert_array_equal(found.mask, mask)
    for name, share in shares.items():
        np.testing.assert_array_equal(found.evidence[name], share)


@pytest.mark.parametrize(
    ("given", "found", "message"),
    [
        (frame(), segmentation(), "explain=True"),
        (frame(), Segmentation(0, 0.0, np.zeros((120, 160), np.uint8)), "explain=True"),
        (frame((60, 160, 3)), segmentation(1.0), r"mask has shape \(120, 160\)"),
        (frame().astype(float), segmentation(1.0), "uint8"),
    ],
)
def test_wrong_input(given, found, message):
    with pytest.raises(FrameError, match=message):
        draw_evidence(given, found)
