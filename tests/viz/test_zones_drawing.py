"""Zones and lines over a frame: what is painted where, and that the frame is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import Event, Segmentation
from motionseg.events import Line, Zone
from motionseg.viz import draw_event, draw_overlay, draw_zones

FRAME = np.full((120, 160, 3), 90, np.uint8)
YARD = [(20, 60), (80, 60), (80, 110), (20, 110)]


def going_on(rule="enter", zone="yard", end=None):
    return Event("a-1-0", "a", rule, zone, (1,), 0.0, end)


def changed(picture, frame=FRAME):
    return (picture != frame).any(axis=2)


def inner(pixels):
    """Those of the yard, without its border."""
    return pixels[64:107, 24:77]


def test_a_zone_is_outlined_and_named_and_the_frame_is_left_alone():
    frame = FRAME.copy()
    out = draw_zones(frame, [Zone("yard", YARD)])
    np.testing.assert_array_equal(frame, FRAME)
    assert not np.shares_memory(out, frame)
    seen = changed(out)
    assert seen[59:61, 25:75].any(axis=0).all()
    assert seen[62:108, 18:21].any(axis=1).all()
    assert not inner(seen).any()
    assert seen[40:58, 20:60].any()  # its name
    rows, columns = np.nonzero(seen)
    assert rows.max() < 112
    assert columns.max() < 83


@pytest.mark.parametrize("shape", [(120, 160), (240, 320, 3), (540, 960, 3)])
def test_relative_and_pixel_places_are_the_same(shape):
    frame = np.full(shape, 90, np.uint8)
    height, width = shape[:2]
    part = [(0.25, 0.5), (0.75, 0.5), (0.75, 1.0), (0.25, 1.0)]
    whole = [(x * width, y * height) for x, y in part]
    ways = [
        [Zone("z", points, kind="exclude", relative=relative), Line("l", points[:3], relative=relative)]
        for points, relative in ((part, True), (whole, False))
    ]
    np.testing.assert_array_equal(draw_zones(frame, ways[0]), draw_zones(frame, ways[1]))


def test_what_excludes_is_hatched_and_what_precludes_is_dashed():
    hatched = inner(changed(draw_zones(FRAME, [Zone("yard", YARD, kind="exclude")])))
    assert 0.05 < hatched.mean() < 0.4
    assert hatched.any(axis=0).all()
    assert hatched.any(axis=1).all()
    edge = changed(draw_zones(FRAME, [Zone("yard", YARD, kind="preclusive")]))[59:61, 24:77].any(axis=0)
    assert 0.3 < edge.mean() < 0.9
    assert np.count_nonzero(np.diff(edge.astype(int)) == 1) >= 2


def test_only_open_events_are_shown():
    quiet = draw_zones(FRAME, [Zone("yard", YARD)])
    np.testing.assert_array_equal(draw_zones(FRAME, [Zone("yard", YARD)], events=[going_on(end=1.0)]), quiet)
    out = draw_zones(FRAME, [Zone("yard", YARD)], events=[going_on()])
    blue, green, red = (inner(out[..., k].astype(int)) for k in range(3))
    assert (red > 90).all()
    assert (blue < red).all()
    assert (green < red).all()
    assert changed(out, quiet)[40:58, 60:].any()  # the rule behind the name
    several = draw_zones(FRAME, [Zone("yard", YARD)], events=[going_on(), going_on("linger"), going_on("linger")])
    assert changed(several)[40:58].any(axis=0).sum() > changed(out)[40:58].any(axis=0).sum()


def test_an_event_of_the_whole_picture_gets_a_frame():
    out = draw_zones(FRAME, [Zone("yard", YARD)], events=[going_on(zone="")])
    assert changed(out)[0].all()
    assert changed(out)[:, -1].all()
    assert not inner(changed(out))[:30].any()
    assert changed(draw_zones(FRAME, [], events=[going_on(zone="gone")]))[0].all()  # its zone is no more


def test_a_line_has_an_arrow_at_its_end_and_sides_on_the_right_hands():
    down = changed(draw_zones(FRAME, [Line("l", [(80, 10), (80, 110)], sides=("i", "a very long name"))]))
    assert down[105, 78:82].any()
    widths = [np.ptp(np.flatnonzero(down[row])) for row in (95, 106)]
    assert widths[1] > widths[0] + 2
    band = down[50:75]  # who walks down the picture has its right side on his left hand
    left, right = band[:, 82:], band[:, :78]
    assert 0 < np.count_nonzero(left) < np.count_nonzero(right)


def test_what_leaves_the_picture_is_cut_off():
    out = draw_zones(
        FRAME, [Zone("big", [(0, 0), (500, 0), (500, 300)], kind="exclude"), Line("l", [(5, 5), (900, 60)])]
    )
    assert out.shape == FRAME.shape
    assert changed(out).any()


def test_wrong_input_is_refused():
    with pytest.raises(ParameterError, match="Zone and Line"):
        draw_zones(FRAME, ["yard"])
    with pytest.raises(FrameError):
        draw_zones(FRAME.astype(float), [])


def test_the_picture_of_an_event_has_a_line_below():
    mask = np.zeros((120, 160), np.uint8)
    mask[70:90, 30:50] = 255
    seen = Segmentation(0, 0.0, mask)
    moment = going_on(end=0.0)
    out = draw_event(FRAME, seen, moment, [Zone("yard", YARD)], when="noon")
    expected = draw_zones(draw_overlay(FRAME, seen), [Zone("yard", YARD)], events=[going_on()])
    np.testing.assert_array_equal(out[:120], expected)
    strip = out[120:]
    assert 8 < len(strip) < 40
    assert (strip == 0).mean() > 0.5
    assert strip.max() > 200
    later = draw_event(FRAME, seen, moment, [Zone("yard", YARD)], when="afternoon")
    assert changed(later[120:], strip).any()
    many = Event("a-1-0", "a", "crowd_count", "", tuple(range(1, 100)), 0.0)
    assert draw_event(FRAME, seen, many).shape == out.shape
