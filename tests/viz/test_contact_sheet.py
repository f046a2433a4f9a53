"""Contact sheets: pictures of any size in a grid, with captions."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import motionseg.viz
from motionseg.core.errors import FrameError, ParameterError
from motionseg.viz import contact_sheet

COLORS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (0, 200, 200), (200, 0, 200)]
PICTURES = [np.full((60, 80, 3), color, np.uint8) for color in COLORS]


def cells(sheet):
    """Bounding box (x0, y0, x1, y1) of each of COLORS on `sheet`; None where it is not."""
    boxes = []
    for color in COLORS:
        y, x = np.nonzero((sheet == color).all(axis=2))
        boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1) if len(x) else None)
    return boxes


@pytest.mark.parametrize(("columns", "width"), [(1, 100), (2, 300), (3, 301), (5, 640), (7, 700)])
def test_pictures_lie_in_rows_without_touching(columns, width):
    sheet = contact_sheet(PICTURES, columns=columns, width=width)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1:] == (width, 3)
    boxes = cells(sheet)
    sizes = {(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes}
    assert len(sizes) == 1
    wide, tall = sizes.pop()
    assert tall / wide == pytest.approx(0.75, abs=0.02)
    assert wide > 0.7 * width / columns
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        assert (x0 + x1) // 2 * columns // width == k % columns
        assert (k < columns) == (y0 == boxes[0][1])
        assert min(x0, y0, width - x1, sheet.shape[0] - y1) > 0
        if k % columns:
            assert x0 > boxes[k - 1][2]


def test_other_sizes_and_grey_are_fitted_and_centred():
    tall, wide = np.full((200, 20, 3), COLORS[1], np.uint8), np.full((10, 300, 3), COLORS[2], np.uint8)
    grey = np.full((6, 8), 77, np.uint8)
    sheet = contact_sheet([PICTURES[0], tall, wide, grey], columns=4, width=500)
    first, second, third = cells(sheet)[:3]
    assert second[3] - second[1] == first[3] - first[1]
    assert third[2] - third[0] == first[2] - first[0]
    assert (second[2] - second[0]) / (second[3] - second[1]) == pytest.approx(0.1, abs=0.02)
    assert abs((third[1] + third[3]) - (first[1] + first[3])) <= 1
    assert (sheet == 77).all(axis=2).sum() == (first[2] - first[0]) * (first[3] - first[1])


def test_captions_are_below_their_own_picture():
    captions = ["", "abc", "a very long caption that does not fit at all " * 3]
    sheet = contact_sheet(PICTURES[:3], columns=3, width=450, captions=captions)
    empty = contact_sheet(PICTURES[:3], columns=3, width=450, captions=["", "", ""])
    assert sheet.shape == empty.shape
    assert sheet.shape[0] > contact_sheet(PICTURES[:3], columns=3, width=450).shape[0]
    y, x = np.nonzero((sheet != empty).any(axis=2))
    boxes = cells(empty)
    assert y.min() >= boxes[0][3]
    assert set(np.digitize(x, [boxes[1][0], boxes[1][2], boxes[2][0], boxes[2][2] + 2])) == {1, 3}


def test_pictures_are_not_changed():
    before = PICTURES[0].copy()
    contact_sheet(PICTURES[:1], columns=1, width=80 + 12)[:] = 0
    np.testing.assert_array_equal(PICTURES[0], before)


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        ([], {}, ParameterError, "empty"),
        (PICTURES, {"captions": ["one"]}, ParameterError, "1 entries for 5"),
        (PICTURES, {"columns": 0}, ParameterError, "columns"),
        (PICTURES, {"columns": 10, "width": 100}, ParameterError, "width"),
        ([PICTURES[0], PICTURES[0] > 3], {}, FrameError, "image 1"),
        ([PICTURES[0], PICTURES[0][:0]], {}, FrameError, "image 1"),
    ],
)
def test_wrong_input(images, options, error, message):
    with pytest.raises(error, match=message):
        contact_sheet(images, **options)


def test_the_function_is_not_hidden_by_its_file():
    importlib.import_module("motionseg.viz.contact_sheet")
    assert callable(motionseg.viz.contact_sheet)
