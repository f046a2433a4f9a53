"""Zones and lines: their pixels are exact, and what is no polygon is refused by name."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.core.errors import ParameterError
from motionseg.events import Line, Zone
from motionseg.events.zones import in_pixels

SQUARE = [(2, 1), (6, 1), (6, 4), (2, 4)]


def inside(points, x, y):
    """Whether the polygon winds around (x, y), by the angles under which its sides are seen."""
    total = 0.0
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        total += math.remainder(math.atan2(by - y, bx - x) - math.atan2(ay - y, ax - x), math.tau)
    return abs(total) > math.pi


@given(st.lists(st.floats(0.2, 1), min_size=3, max_size=9), st.floats(0, 6.28), st.integers(5, 20), st.integers(5, 20))
def test_pixels_are_those_whose_centre_is_inside(radii, turn, height, width):
    """Stars around the middle of the picture, against the sum of angles."""
    n = len(radii)
    at = [(turn + math.tau * i / n, r * min(height, width) / 2) for i, r in enumerate(radii)]
    points = [(width / 2 + r * math.cos(a), height / 2 + r * math.sin(a)) for a, r in at]
    try:
        pixels = Zone("star", points).pixels((height, width))
    except ParameterError:  # so small that no centre is in it
        pixels = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            sides = zip(points, points[1:] + points[:1], strict=True)
            if min(gap(a, b, (x + 0.5, y + 0.5)) for a, b in sides) > 1e-6:  # on a side either is right
                assert pixels[y, x] == inside(points, x + 0.5, y + 0.5)


def gap(a, b, p):
    (ax, ay), (bx, by), (px, py) = a, b, p
    length = (bx - ax) ** 2 + (by - ay) ** 2
    along = min(1, max(0, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length))
    return math.hypot(ax + along * (bx - ax) - px, ay + along * (by - ay) - py)


def test_a_square_has_its_pixels_and_neighbours_share_none():
    pixels = Zone("a", SQUARE).pixels((6, 8))
    assert pixels.sum() == 12
    assert pixels[1:4, 2:6].all()
    left = Zone("left", [(0, 0), (3.5, 0), (3.5, 6), (0, 6)]).pixels((6, 8))  # the side runs through centres
    right = Zone("right", [(3.5, 0), (8, 0), (8, 6), (3.5, 6)]).pixels((6, 8))
    assert (left ^ right).all()


def test_relative_zones_go_along_with_the_size():
    zone = Zone("half", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)], relative=True)
    for shape in ((40, 60), (80, 120), (7, 9)):
        pixels = zone.pixels(shape)
        assert pixels[:, : shape[1] // 2].all()
        assert not pixels[:, (shape[1] + 1) // 2 :].any()
    assert in_pixels(Line("l", [(0, 0.5), (1, 0.5)], relative=True), (40, 60)).tolist() == [[0, 20], [60, 20]]


def test_a_closing_point_is_left_out():
    assert Zone("a", [*SQUARE, SQUARE[0]]) == Zone("a", SQUARE)


@pytest.mark.parametrize(
    ("points", "says"),
    [
        ([(0, 0), (5, 5), (5, 0), (0, 5)], "zone 'yard' crosses itself: sides 0 and 2"),
        ([(0, 0), (5, 5)], "zone 'yard' has 2 corners"),
        ([], "has 0 corners"),
        ([(0, 0), (5, 5), (0, 0)], "has 2 corners"),
        ([(0, 0), (5, 0), (9, 0)], "lie on one another"),
        ([(0, 0), (5, 0), (5, 0), (0, 5)], "point 2 is where the one before it is"),
        ([(0, 0), (math.nan, 0), (5, 5)], "zone 'yard': x of point 1 is"),
        ([(0, 0), (5, math.inf), (5, 5)], "y of point 1"),
        ([(0, 0), (-1, 0), (5, 5)], "x of point 1"),
        ([(0, 0), (5, 0), (5, "5")], "y of point 2 is a number"),
        ([(0, 0), (5, 0), (5, 5, 5)], "point 2 is a pair"),
        ([(0, 0), (5, 0), 7], "point 2 is a pair"),
        ("yard", "points are pairs"),
        (None, "points are pairs"),
        ([(0, 0), (1, 0), (1, 1)], "relative=True"),
    ],
)
def test_what_is_no_polygon_is_refused_by_name(points, says):
    with pytest.raises(ParameterError, match="zone 'yard'") as caught:
        Zone("yard", points)
    assert says in str(caught.value)


def test_other_parameters_are_refused_by_name():
    for wrong, says in (({"kind": "maybe"}, "kind"), ({"limit": 0}, "limit"), ({"relative": 1}, "relative")):
        with pytest.raises(ParameterError, match=f"zone 'yard': {says}"):
            Zone("yard", SQUARE, **wrong)
    for name in ("", 7, None):
        with pytest.raises(ParameterError, match="the name of a zone"):
            Zone(name, SQUARE)
    with pytest.raises(ParameterError, match=r"x of point 1 is in \[0, 1\], not 2"):
        Zone("yard", [(0, 0), (2, 0), (0, 1)], relative=True)


def test_out_of_the_picture_is_known_with_the_size():
    assert Zone("a", SQUARE).pixels((4, 6)).any()
    with pytest.raises(ParameterError, match=r"zone 'a' leaves the picture: point \(6, 1\), and frames are 5x4"):
        Zone("a", SQUARE).pixels((4, 5))
    with pytest.raises(ParameterError, match="zone 'thin' covers no pixel of a frame of 9x9"):
        Zone("thin", [(2.1, 0), (2.2, 0), (2.2, 9), (2.1, 9)]).pixels((9, 9))


def test_lines_are_checked():
    assert Line("gate", [(0, 0), (0, 5)]).directions == ("a->b", "b->a")
    for points, says in (([(0, 0)], "1 points"), ([(0, 0), (0, 0)], "point 1 is where"), ([(0, 0), (9, -1)], "y of")):
        with pytest.raises(ParameterError, match="line 'gate'") as caught:
            Line("gate", points)
        assert says in str(caught.value)
    for sides in (("a", "a"), ("a",), "ab", ("", "b"), (1, 2)):
        with pytest.raises(ParameterError, match="line 'gate': sides are two different names"):
            Line("gate", [(0, 0), (0, 5)], sides=sides)
    with pytest.raises(ParameterError, match="line 'gate' leaves the picture"):
        in_pixels(Line("gate", [(0, 0), (0, 50)]), (40, 40))
