import numpy as np
import pytest

from motionseg.core.errors import ParameterError
from motionseg.core.types import Regions, TrackState
from motionseg.track import KalmanIoU


def regions(*boxes):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).astype(np.int64)
    n = len(boxes)
    return Regions(boxes, areas, boxes[:, :2], np.full(n, 0.8, np.float32), np.zeros((n, 3), np.float32))


def at(x, y, w=20, h=40):
    return [x, y, x + w, y + h]


def test_a_track_is_believed_after_min_hits():
    linker = KalmanIoU(min_hits=3)
    states = [linker.update(regions(at(10 + i, 10)), i / 25).states.tolist() for i in range(4)]
    assert states == [[TrackState.TENTATIVE], [TrackState.TENTATIVE], [TrackState.CONFIRMED], [TrackState.CONFIRMED]]


def test_a_track_outlives_an_occlusion_of_max_gap_and_keeps_its_id():
    for gap, same in ((0.8, True), (1.3, False)):
        linker = KalmanIoU(max_gap=1.0)
        time = 0.0
        for i in range(25):
            time = i / 25
            before = linker.update(regions(at(10 + 3 * i, 50)), time)
        hidden = round(gap * 25)
        for i in range(25, 25 + hidden):
            time = i / 25
            during = linker.update(regions(), time)
        after = linker.update(regions(at(10 + 3 * (25 + hidden), 50)), time + 1 / 25)
        assert (after.ids[-1] == before.ids[0]) is np.bool_(same)
        if same:
            assert during.states.tolist() == [TrackState.OCCLUDED]
            assert during.labels.tolist() == [0]
            expected = 10 + 3 * (24 + hidden)
            assert abs(during.boxes[0, 0] - expected) < 8, "the box goes on while nothing is seen"


def test_the_box_is_the_region_while_it_is_seen():
    linker = KalmanIoU()
    for i in range(8):
        tracks = linker.update(regions(at(10 + 2 * i, 10, 20 + i, 40)), i / 10)
    assert tracks.boxes.tolist() == [at(24, 10, 27, 40)]
    assert tracks.areas.tolist() == [27 * 40]


def test_velocity_is_in_pixels_per_second_whatever_the_frame_rate():
    for rate in (10, 25, 60):
        linker = KalmanIoU()
        for i in range(2 * rate):
            tracks = linker.update(regions(at(100 + 50 * i / rate, 200 - 30 * i / rate)), i / rate)
        np.testing.assert_allclose(tracks.velocities[0], (50, -30), atol=6)


def test_two_that_cross_without_touching_keep_their_ids():
    linker = KalmanIoU()
    for i in range(60):
        tracks = linker.update(regions(at(10 + 3 * i, 10), at(190 - 3 * i, 60)), i / 25)
        if i == 10:
            first = tracks.ids.tolist()
    assert tracks.ids.tolist() == first == [1, 2]
    assert tracks.boxes[:, 0].tolist() == [187, 13]


def test_small_fast_objects_are_followed():
    linker = KalmanIoU()
    for i in range(20):
        tracks = linker.update(regions(at(10 + 7 * i, 10, 8, 8)), i / 25)
    assert tracks.visible.ids.tolist() == [1]


def test_an_object_that_stops_is_kept():
    linker = KalmanIoU()
    for i in range(80):
        tracks = linker.update(regions(at(10 + 3 * min(i, 40), 10)), i / 25)
    assert tracks.visible.ids.tolist() == [1]
    assert np.abs(tracks.velocities).max() < 3


def test_a_lone_flash_dies_early():
    linker = KalmanIoU(max_gap=1.0)
    linker.update(regions(at(0, 0)), 0.0)
    assert len(linker.update(regions(), 0.2)) == 1
    assert len(linker.update(regions(), 0.3)) == 0


@pytest.mark.parametrize(
    "bad",
    [{"min_iou": -0.1}, {"min_iou": 2}, {"margin": -1}, {"min_hits": 0}, {"max_gap": 0}, {"acceleration": 0},
     {"localization": 0}],
)  # fmt: skip
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        KalmanIoU(**bad)
