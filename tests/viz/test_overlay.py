"""Overlays: what is tinted, outlined, written and remembered, pixel by pixel."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import Segmentation, Tracks, TrackState
from motionseg.viz import Trails, draw_overlay, track_color

PLAIN = {"contours": False, "ids": False}
FRAME = np.full((120, 160, 3), (40, 80, 120), np.uint8)


def segmentation(*boxes, shadow=None, tracks=None, labelled=True):
    """A Segmentation with a region for each box (x0, y0, x1, y1)."""
    mask, labels = np.zeros((120, 160), np.uint8), np.zeros((120, 160), np.int32)
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        mask[y0:y1, x0:x1], labels[y0:y1, x0:x1] = 255, k + 1
    if shadow is not None:
        mask[shadow] = 127
    return Segmentation(0, 0.0, mask, labels=labels if labelled else None, tracks=tracks)


def track(*rows, time=0.0):
    """Tracks of (id, box, label, state)."""
    ids, boxes, labels, states = zip(*rows, strict=True)
    n = len(rows)
    return Tracks(
        time,
        np.array(ids, np.int64),
        np.array(boxes, np.float32),
        np.array(labels, np.int32),
        np.ones(n, np.int64),
        np.ones(n, np.float32),
        np.zeros((n, 2), np.float32),
        np.array(states, np.uint8),
    )


def changed(picture, frame=FRAME):
    return (picture != frame).any(axis=2)


def test_only_the_mask_is_tinted_and_the_frame_is_left_alone():
    frame = FRAME.copy()
    found = segmentation((20, 30, 50, 60), (100, 10, 120, 30), shadow=np.s_[80:90, 40:70])
    out = draw_overlay(frame, found, alpha=0.5, tint=(0, 0, 200), **PLAIN)
    np.testing.assert_array_equal(frame, FRAME)
    assert not np.shares_memory(out, frame)
    np.testing.assert_array_equal(changed(out), found.mask > 0)
    assert (out[found.mask == 255] == (20, 40, 160)).all()
    blue, _, red = out[85, 50].astype(int) - FRAME[85, 50]
    assert blue > 0 > red


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_alpha_from_nothing_to_all(alpha):
    found = segmentation((20, 30, 50, 60))
    out = draw_overlay(FRAME, found, alpha=alpha, tint=(1, 2, 3), **PLAIN)
    assert out[40, 40].tolist() == ([1, 2, 3] if alpha else FRAME[0, 0].tolist())


def test_regions_have_their_tracks_colours():
    boxes = (20, 30, 50, 60), (100, 10, 120, 30), (100, 70, 120, 90)
    states = TrackState.CONFIRMED, TrackState.TENTATIVE
    tracks = track(*((7 + k, boxes[k], k + 1, states[k]) for k in (0, 1)))
    out = draw_overlay(FRAME, segmentation(*boxes, tracks=tracks), alpha=1.0, **PLAIN)
    assert tuple(out[45, 35].tolist()) == track_color(7)
    assert out[20, 110].tolist() == out[80, 110].tolist()  # tentative is as good as none
    assert tuple(out[20, 110].tolist()) != track_color(8)
    assert tuple(draw_overlay(FRAME, segmentation(boxes[0], labelled=False), alpha=1.0, **PLAIN)[45, 35].tolist()) == (
        tuple(out[80, 110].tolist())
    )


def shared():
    """Tracks 7 and 12 in one region, 7 to the left of x = 40."""
    found = segmentation((20, 30, 60, 70))
    owners = np.where(found.mask == 255, 12, 0).astype(np.int32)
    owners[:, :40][owners[:, :40] > 0] = 7
    halves = (20, 30, 40, 70), (40, 30, 60, 70)
    tracks = track(*((id, box, 1, TrackState.MERGED) for id, box in zip((7, 12), halves, strict=True)))
    return Segmentation(0, 0.0, found.mask, labels=found.labels, tracks=tracks, identities=owners)


def test_a_shared_region_is_divided_among_its_owners():
    out = draw_overlay(FRAME, shared(), alpha=1.0, **PLAIN)
    assert tuple(out[50, 39].tolist()) == track_color(7)
    assert tuple(out[50, 40].tolist()) == track_color(12)
    drawn = draw_overlay(FRAME, shared(), alpha=0.0, ids=False, contours=True)
    assert tuple(drawn[50, 39].tolist()) == track_color(7)
    assert tuple(drawn[50, 40].tolist()) == track_color(12)
    assert changed(drawn)[30, 20:60].all()
    assert changed(drawn)[69, 20:60].all()
    one = draw_overlay(FRAME, shared(), alpha=1.0, tint=(1, 2, 3), **PLAIN)
    assert (one[35:65, 22:38] == (1, 2, 3)).all()
    assert (one[35:65, 42:58] == (1, 2, 3)).all()


def test_pixels_of_nobody_and_of_the_tentative_are_amber():
    found = shared()
    found.identities[found.identities == 7] = 0
    found.tracks.states[1] = TrackState.TENTATIVE
    out = draw_overlay(FRAME, found, alpha=1.0, contours=False, ids=False)
    amber = draw_overlay(FRAME, segmentation((20, 30, 60, 70)), alpha=1.0, **PLAIN)[50, 50].tolist()
    assert out[50, 30].tolist() == out[50, 50].tolist() == amber


@pytest.mark.parametrize("state", [s for s in TrackState if s not in (TrackState.TENTATIVE, TrackState.GONE)])
def test_what_is_remarkable_is_written(state):
    box = (30, 40, 60, 90)
    plain = draw_overlay(FRAME, segmentation(tracks=track((5, box, 0, TrackState.CONFIRMED))))
    out = draw_overlay(FRAME, segmentation(tracks=track((5, box, 0, state))))
    above = changed(out, plain)[:39]
    said = TrackState.MERGED <= state <= TrackState.REMOVED
    assert above.any() == said
    if said:
        assert np.nonzero(above)[1].max() > 40 + 4 * len(state.name)


def test_contours_are_the_rims_of_regions_and_their_holes():
    found = segmentation((20, 30, 60, 70))
    found.mask[45:55, 35:45], found.labels[45:55, 35:45] = 0, 0
    out = draw_overlay(FRAME, found, alpha=0.0, tint=(0, 0, 255), ids=False)
    drawn = changed(out)
    assert (out[drawn] == (0, 0, 255)).all()
    assert drawn[30, 20:60].all()
    assert drawn[69, 20:60].all()
    assert drawn[44, 36:44].all()
    assert not drawn[48:52, 37:43].any()
    assert not drawn[33:42, 23:57].any()


def test_boxes_whole_dashed_and_absent():
    box = (40, 30, 100, 90)

    def share(state):
        """How much of the box's upper edge is drawn."""
        out = draw_overlay(FRAME, segmentation(tracks=track((3, box, 0, state))), ids=False)
        return changed(out)[30, 40:100].mean(), changed(out)

    whole, drawn = share(TrackState.CONFIRMED)
    assert whole == 1
    assert not drawn[32:88, 42:98].any()
    assert drawn[89, 99]
    assert not drawn[90:].any()
    assert not drawn[:, 100:].any()
    dashed, _ = share(TrackState.OCCLUDED)
    assert 0.4 < dashed < 0.6
    _, drawn = share(TrackState.TENTATIVE)
    assert not drawn.any()


@pytest.mark.parametrize("box", [(40, 40, 100, 90), (130, 2, 158, 50), (-30, -20, 30, 60), (150, 110, 300, 200)])
def test_ids_are_written_near_their_boxes_and_can_be_read_on_black_and_white(box):
    found = segmentation(tracks=track((1234, box, 0, TrackState.CONFIRMED)))
    for value in (0, 255):
        frame = np.full((120, 160, 3), value, np.uint8)
        with_id, without = draw_overlay(frame, found), draw_overlay(frame, found, ids=False)
        text = changed(with_id, without)
        rows, columns = np.nonzero(text)
        assert len(rows) > 60
        assert rows.min() > box[1] - 25
        assert rows.max() < max(box[1], 0) + 25
        assert columns.min() >= min(max(box[0] - 3, 0), 110)
        grey = with_id.max(axis=2)[text]
        assert grey.max() > 150
        assert grey.min() < 60


def test_boxes_far_outside_the_picture_do_no_harm():
    box = (1e9, -1e9, 2e9, 1e9)
    for state in (TrackState.CONFIRMED, TrackState.OCCLUDED):
        draw_overlay(FRAME, segmentation(tracks=track((1, box, 0, state))))


def test_grey_frames_become_colour():
    out = draw_overlay(FRAME[..., 0].copy(), segmentation((20, 30, 50, 60)), tint=(0, 0, 255))
    assert out.shape == (120, 160, 3)
    assert out[0, 0].tolist() == [40, 40, 40]
    assert out[40, 30, 2] > out[40, 30, 0]


@pytest.mark.parametrize("tracks", [None, Tracks()])
@pytest.mark.parametrize("labelled", [True, False])
def test_nothing_found_nothing_drawn(tracks, labelled):
    out = draw_overlay(FRAME, segmentation(tracks=tracks, labelled=labelled), trails=Trails())
    np.testing.assert_array_equal(out, FRAME)


@pytest.mark.parametrize(
    ("frame", "options", "error"),
    [
        (FRAME.astype(float), {}, FrameError),
        (FRAME[:50], {}, FrameError),
        (FRAME, {"alpha": 1.1}, ParameterError),
        (FRAME, {"tint": (1, 2)}, ParameterError),
        (FRAME, {"tint": (1, 2, 300)}, ParameterError),
    ],
)
def test_wrong_input(frame, options, error):
    with pytest.raises(error):
        draw_overlay(frame, segmentation(), **options)


def test_labels_of_another_size():
    found = Segmentation(0, 0.0, np.zeros((120, 160), np.uint8), labels=np.zeros((5, 5), np.int32))
    with pytest.raises(FrameError, match="labels"):
        draw_overlay(FRAME, found)


def test_identities_of_another_size():
    found = Segmentation(0, 0.0, np.zeros((120, 160), np.uint8), identities=np.zeros((5, 5), np.int32))
    with pytest.raises(FrameError, match="identities"):
        draw_overlay(FRAME, found)


# --- colours and trails ------------------------------------------------------------------------


def test_track_colors_are_steady_and_well_apart():
    hues = [colorsys.rgb_to_hsv(*(v / 255 for v in track_color(k)[::-1]))[0] for k in range(1, 9)]
    assert track_color(5) == track_color(5)
    gaps = [min(abs(a - b), 1 - abs(a - b)) for i, a in enumerate(hues) for b in hues[:i]]
    assert min(gaps) > 0.04
    assert all(0 <= v <= 255 for k in (0, -3, 10**9) for v in track_color(k))


def walked(trails, times, *, state=TrackState.CONFIRMED, track_id=2):
    for time in times:
        x = 10 + 50 * time
        trails.update(track((track_id, (x, 20, x + 20, 60), 0, state), time=time))
    return trails


def test_a_trail_runs_along_the_lower_middle_and_fades():
    trails = walked(Trails(max_age=2.0), [0.0, 0.5, 1.0, 1.5])
    (track_id, points, ages) = next(trails.lines())
    assert track_id == 2
    np.testing.assert_allclose(points, [[20, 60], [45, 60], [70, 60], [95, 60]])
    np.testing.assert_allclose(ages, [0.75, 0.5, 0.25, 0])
    out = draw_overlay(FRAME, segmentation(), trails=trails)
    rows, columns = np.nonzero(changed(out))
    assert rows.min() >= 58
    assert rows.max() <= 62
    assert columns.min() <= 22
    assert 93 <= columns.max() <= 97
    strength = np.abs(out[60].astype(int) - FRAME[60]).sum(axis=1)
    assert strength[30] < strength[55] < strength[85]


def test_trails_age_out_even_when_the_track_is_gone():
    trails = walked(Trails(max_age=1.0), [0.0, 0.5, 1.0, 1.5])
    assert [len(points) for _, points, _ in trails.lines()] == [3]
    trails.update(Tracks(time=2.4))
    assert [len(points) for _, points, _ in trails.lines()] == [1]
    trails.update(Tracks(time=2.6))
    assert len(trails) == 0
    np.testing.assert_array_equal(draw_overlay(FRAME, segmentation(), trails=trails), FRAME)


@pytest.mark.parametrize("state", [TrackState.TENTATIVE, TrackState.OCCLUDED])
def test_trails_hold_confirmed_tracks_only(state):
    assert len(walked(Trails(), [0.0, 0.5], state=state)) == 0


def test_a_time_before_the_last_begins_anew():
    trails = walked(walked(Trails(), [5.0, 5.5]), [0.0], track_id=9)
    assert [track_id for track_id, _, _ in trails.lines()] == [9]


@pytest.mark.parametrize("max_age", [0, -1.0, float("inf"), "2"])
def test_trails_wrong_age(max_age):
    with pytest.raises(ParameterError, match="max_age"):
        Trails(max_age=max_age)
