"""Maps and trajectories: what is where in the picture, and what stays of the background."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from motionseg.core.errors import FrameError, ParameterError
from motionseg.viz import draw_map, draw_trajectories, track_color

BACK = np.full((200, 300, 3), (60, 120, 180), np.uint8)


def values(low=1.0, high=4.0):
    map_ = np.zeros((200, 300), np.float32)
    map_[50:100, 100:150], map_[50:100, 150:200] = low, high
    return map_


def test_a_map_lies_over_the_darkened_frame_with_a_bar_beside_it():
    frame = BACK.copy()
    picture = draw_map(values(), frame, title="seconds")
    np.testing.assert_array_equal(frame, BACK)
    assert picture.shape[0] == 200
    assert 320 < picture.shape[1] < 440
    out = picture[10, 10]
    assert len(set(out.tolist())) == 1
    assert 40 < out[0] < BACK.mean()
    assert picture[70, 170].astype(int).sum() > picture[70, 120].astype(int).sum() + 100
    bar = picture[:, 300:].astype(int).sum(axis=2)
    assert bar[40, 18] > bar[100, 18] > bar[180, 18]  # the highest number is at the top


def test_without_a_frame_it_is_black_where_there_is_nothing():
    picture = draw_map(values())
    assert not picture[:40, :300].any()
    assert not draw_map(np.zeros((50, 60)))[:, :60].any()


def test_maps_with_the_same_highest_number_can_be_compared():
    low, high = draw_map(values(1, 1), highest=4), draw_map(values(1, 4), highest=4)
    np.testing.assert_array_equal(low[70, 120], high[70, 120])
    assert (draw_map(values(1, 9), highest=4)[70, 170] == high[70, 170]).all()
    assert (draw_map(values(1, 1))[70, 120] == high[70, 170]).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3), (30, 30)])
@pytest.mark.parametrize("highest", [None, 1e-6, 0.3, 1e9])
def test_any_size_and_any_number(size, highest):
    picture = draw_map(np.ones(size), highest=highest, title="passages")
    assert picture.shape[0] == size[0]
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((np.ones((3, 3, 3)),), {}, FrameError),
        ((np.zeros((0, 3)),), {}, FrameError),
        ((np.ones((3, 3), object),), {}, FrameError),
        ((-np.ones((3, 3)),), {}, FrameError),
        ((np.full((3, 3), np.nan),), {}, FrameError),
        ((np.ones((3, 3)), BACK), {}, FrameError),
        ((np.ones((3, 3)),), {"highest": 0}, ParameterError),
    ],
)
def test_what_is_no_map(arguments, options, error):
    with pytest.raises(error):
        draw_map(*arguments, **options)


def ways(**tracks):
    """A history of tracks ``id_3=[(x, y), ...]``, a point each tenth of a second."""
    of = {int(name[3:]): np.array(points, np.float32) for name, points in tracks.items()}
    return SimpleNamespace(
        ids=np.array(sorted(of)),
        trajectory=lambda id: SimpleNamespace(times=np.arange(len(of[id])) / 10, feet=of[id]),
    )


def drawn(picture):
    return (picture != draw_trajectories(BACK, ways())).any(axis=2)


def test_a_way_runs_from_a_dot_to_an_arrow_in_its_colour():
    back = BACK.copy()
    picture = draw_trajectories(back, ways(id_4=[(50 + 2 * k, 100) for k in range(80)]), ids=False)
    np.testing.assert_array_equal(back, BACK)
    rows, columns = np.nonzero(drawn(picture))
    assert 46 <= columns.min() <= 49
    assert 208 <= columns.max() <= 210
    tall = [np.ptp(rows[columns == x]) for x in (50, 130, 203)]
    assert tall[1] < tall[0]  # the dot
    assert tall[1] < tall[2]  # the barbs
    np.testing.assert_allclose(picture[100, 50], track_color(4))
    assert tuple(picture[100, 130].tolist()) == pytest.approx(track_color(4), abs=40)


def test_who_stands_is_a_ring():
    marks = drawn(draw_trajectories(BACK, ways(id_2=[(80, 90), (81, 90), (80, 91)]), ids=False))
    assert not marks[90, 80]
    assert marks[84:97, 74:87].any()
    assert marks.sum() == marks[80:100, 70:90].sum()


def test_ids_are_written_at_the_start():
    history = ways(id_27=[(50 + 2 * k, 100) for k in range(80)])
    with_ids, without = draw_trajectories(BACK, history), draw_trajectories(BACK, history, ids=False)
    rows, columns = np.nonzero((with_ids != without).any(axis=2))
    assert len(rows) > 20
    assert columns.max() < 90
    assert columns.min() > 45


def test_a_trembling_way_is_drawn_smoothly():
    tremble = np.random.default_rng(0).normal(0, 4, 300)
    points = [(50 + 0.6 * k, 100 + tremble[k]) for k in range(300)]
    rows = np.nonzero(drawn(draw_trajectories(BACK, ways(id_1=points), ids=False))[:, 70:200])[0]
    assert rows.min() > 92
    assert rows.max() < 108
    assert np.abs(tremble).max() > 10


def test_far_outside_and_grey_do_no_harm():
    picture = draw_trajectories(BACK[..., 0].copy(), ways(id_1=[(-1e9, 1e9), (1e9, 5)], id_2=[(5, 5)]))
    assert picture.shape == BACK.shape
    with pytest.raises(FrameError):
        draw_trajectories(BACK.astype(float), ways())
