"""Where pixels come from when the camera has moved: as inverting the transform pixel by pixel says."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from motionseg.background._warp import pixel_sources
from motionseg.core.checks import check_transform
from motionseg.core.errors import ParameterError

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12))
small = st.floats(-0.2, 0.2)


def shift(dx, dy):
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], float)


@given(sizes, st.integers(-14, 14), st.integers(-14, 14), st.floats(-0.49, 0.49), st.floats(0.1, 9))
def test_a_shift(shape, dx, dy, part, scale):
    """By whole pixels, whatever the parts of pixels and the scale of the matrix."""
    sources, outside = pixel_sources(-scale * shift(dx + part, dy - part), shape)
    rows, columns = np.indices(shape)
    row, column = rows - dy, columns - dx
    came = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    np.testing.assert_array_equal(outside, ~came)
    np.testing.assert_array_equal(sources, np.where(came, [row, column], [rows, columns]))


@given(sizes, st.tuples(*[small] * 4), st.floats(-4, 4), st.floats(-4, 4), st.floats(-0.02, 0.02))
def test_it_is_the_inverse_pixel_by_pixel(shape, turn, dx, dy, tilt):
    matrix = shift(dx, dy)
    matrix[:2, :2] += np.reshape(turn, (2, 2))
    matrix[2, 0] = tilt
    sources, outside = pixel_sources(matrix, shape)
    back = np.linalg.inv(matrix)
    for row, column in np.ndindex(shape):
        x, y, w = back @ (column, row, 1)
        x, y = x / w, y / w
        if min(abs(x % 1 - 0.5), abs(y % 1 - 0.5)) < 1e-4:
            continue  # halfway between two pixels
        inside = 0 <= round(x) < shape[1] and 0 <= round(y) < shape[0]
        assert outside[row, column] == (not inside)
        assert tuple(sources[:, row, column]) == ((round(y), round(x)) if inside else (row, column))


def test_halves_all_go_one_way():
    for dx in (0.5, 1.5, 2.5, -0.5, -1.5):
        sources, outside = pixel_sources(shift(dx, 0), (1, 20))
        columns = sources[1, 0, ~outside[0]]
        assert (np.diff(columns) == 1).all()


def test_what_lies_behind_the_camera_is_outside():
    matrix = np.array([[1, 0, -11.5], [0, 1, 0], [-1 / 9, 0, 1]])  # columns from 9 on are behind it
    x, _, w = np.linalg.inv(matrix) @ (2, 0, 1)
    assert round(x / w) == 11  # where column 2 would come from
    sources, outside = pixel_sources(matrix, (3, 12))
    assert outside.all()
    np.testing.assert_array_equal(sources, np.indices((3, 12)))


@given(st.tuples(*[small] * 6))
def test_good_transforms_are_handed_on(numbers):
    matrix = np.eye(3)
    matrix[:2] += np.reshape(numbers, (2, 3))
    assume(np.linalg.cond(matrix) < 1e6)
    checked = check_transform(matrix.astype(np.float32).tolist())
    assert checked.dtype == np.float64
    np.testing.assert_array_equal(checked, matrix.astype(np.float32))


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (np.eye(2), "finite 3x3"),
        (np.eye(3)[:2], "finite 3x3"),
        (np.full((3, 3), np.inf), "finite 3x3"),
        (np.diag([1, 1, np.nan]), "finite 3x3"),
        (np.zeros((3, 3)), "can be inverted"),
        (np.diag([1, 1, 1e-14]), "can be inverted"),
        ("no matrix", "3x3 matrix"),
        (None, "3x3"),
        ([[1], [2, 3]], "3x3 matrix"),
    ],
)
def test_bad_transforms(bad, match):
    with pytest.raises(ParameterError, match=match):
        check_transform(bad)
