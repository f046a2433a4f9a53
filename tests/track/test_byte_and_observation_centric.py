"""What sets the two apart from plain overlap with predicted boxes."""

import numpy as np
import pytest

from motionseg.core.errors import ParameterError
from motionseg.core.types import Regions, TrackState
from motionseg.track import Byte, KalmanIoU, ObservationCentric


def regions(*boxes, scores=0.9):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).astype(np.int64)
    n = len(boxes)
    scores = np.broadcast_to(np.asarray(scores, np.float32), n).copy()
    return Regions(boxes, areas, boxes[:, :2], scores, np.zeros((n, 3), np.float32))


def at(x, y, w=20, h=40):
    return [x, y, x + w, y + h]


def test_a_weak_region_continues_a_track_and_begins_none():
    linker = Byte()
    for i in range(5):
        linker.update(regions(at(10 + 2 * i, 10)), i / 25)
    for i in range(5, 40):  # half hidden, and a false alarm beside it
        tracks = linker.update(regions(at(10 + 2 * i, 10), at(300, 10), scores=0.3), i / 25)
    assert tracks.ids.tolist() == [1]
    assert tracks.states.tolist() == [TrackState.CONFIRMED]
    assert tracks.labels.tolist() == [1]


def test_what_is_too_weak_is_not_looked_at():
    linker = Byte()
    for i in range(5):
        linker.update(regions(at(10 + 2 * i, 10)), i / 25)
    tracks = linker.update(regions(at(20, 10), scores=0.05), 0.2)
    assert tracks.states.tolist() == [TrackState.OCCLUDED]


def test_strong_regions_go_first():
    linker = Byte()
    for i in range(5):
        linker.update(regions(at(50, 10)), i / 25)
    tracks = linker.update(regions(at(50, 10), at(54, 10), scores=[0.3, 0.9]), 0.2)
    assert tracks.labels.tolist() == [2]


def test_a_track_lost_from_sight_gets_no_weak_region():
    linker = Byte()
    for i in range(5):
        linker.update(regions(at(50, 10)), i / 25)
    linker.update(regions(), 0.2)
    assert linker.update(regions(at(50, 10), scores=0.3), 0.24).states.tolist() == [TrackState.OCCLUDED]
    assert linker.update(regions(at(50, 10)), 0.28).states.tolist() == [TrackState.CONFIRMED]


def test_scores_are_in_order():
    with pytest.raises(ParameterError, match="low_score"):
        Byte(low_score=0.7, high_score=0.5)


def test_what_stood_still_behind_something_is_found_where_it_was():
    """A plain filter has run on with it; it is looked for where it was last seen, too."""
    found = {}
    for linker in (ObservationCentric(max_gap=2), KalmanIoU(max_gap=2, margin=0.0, min_iou=0.3)):
        for i in range(20):
            linker.update(regions(at(10 + 4 * i, 50)), i / 25)
        for i in range(20, 40):
            linker.update(regions(), i / 25)
        found[type(linker)] = linker.update(regions(at(10 + 4 * 19, 50)), 40 / 25)
    assert found[ObservationCentric].visible.ids.tolist() == [1]
    assert found[KalmanIoU].visible.ids.tolist() == []


def test_a_filter_that_is_found_again_knows_the_way_it_went_unseen():
    linker = ObservationCentric(max_gap=2, min_iou=0.1)
    for i in range(20):
        linker.update(regions(at(10 + 4 * i, 50)), i / 25)
    for i in range(20, 30):
        linker.update(regions(), i / 25)
    tracks = linker.update(regions(at(90, 50)), 30 / 25)  # it went 4 pixels in 11 frames, 9 a second
    assert tracks.visible.ids.tolist() == [1]
    assert 0 < tracks.velocities[0, 0] < 40
    for i in range(31, 36):
        tracks = linker.update(regions(at(90, 50)), i / 25)
    assert tracks.ids.tolist() == [1]


def test_direction_decides_where_overlap_cannot():
    """Between two regions that overlap the prediction alike, a track takes that on its way."""
    for inertia, label in ((0.0, 1), (0.5, 2)):
        linker = ObservationCentric(inertia=inertia)
        for i in range(12):
            linker.update(regions(at(10 + 6 * i, 50)), i / 25)
        x = 10 + 6 * 12  # where it is expected
        tracks = linker.update(regions(at(x - 7.8, 50), at(x + 8, 50)), 12 / 25)
        assert tracks.labels[tracks.ids == 1].tolist() == [label]


BYTE = ("high_score", "low_score", "new_score", "min_iou", "min_iou_weak", "min_iou_tentative")


@pytest.mark.parametrize(
    ("linker", "bad"),
    [
        *((Byte, {name: 2}) for name in BYTE),
        (ObservationCentric, {"min_iou": -1}),
        (ObservationCentric, {"inertia": -1}),
        (ObservationCentric, {"span": 0}),
    ],
)
def test_bad_parameters(linker, bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        linker(**bad)
