"""Masks tell apart what boxes cannot; and what is remembered of them."""

import numpy as np
import pytest

from motionseg.core.errors import ParameterError
from motionseg.core.types import TrackState
from motionseg.regions import find_regions
from motionseg.track import KalmanIoU, Overlap

SHAPE = (120, 200)


def seen(*areas):
    """Regions of a mask that is True in `areas` (slices, or bool pictures), and their labels."""
    mask = np.zeros(SHAPE, np.uint8)
    for area in areas:
        mask[area] = 255
    labels, regions = find_regions(mask)
    return regions, labels


def bars(shift):
    """Two bars side by side, aslant: their boxes are nearly the same."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    along = x + y - shift
    inside = (y > 20) & (y < 100)
    return inside & (along > 80) & (along < 95), inside & (along > 105) & (along < 120)


def followed(linker, n, step):
    """Ids of the region further left and of that further right, frame by frame."""
    ids = []
    for i in range(n):
        regions, labels = seen(*bars(step * i))
        tracks = linker.update(regions, i / 25, labels=labels)
        row = tracks.labels.argsort()
        order = regions.centroids[:, 0].argsort() + 1
        ids.append(tracks.ids[row][np.searchsorted(tracks.labels[row], order)].tolist())
    return ids


def test_side_by_side_with_the_same_boxes():
    pairs = followed(Overlap(), 30, 2)
    assert sorted(pairs[0]) == [1, 2]
    assert all(pair == pairs[0] for pair in pairs)


def test_what_is_hidden_is_found_where_it_stood():
    linker = Overlap()
    stands, other = np.s_[40:80, 90:110], np.s_[10:30, 10:40]
    for i in range(8):
        regions, labels = seen(stands, other)
        before = linker.update(regions, i / 25, labels=labels)
    for i in range(8, 20):
        regions, labels = seen(other)
        during = linker.update(regions, i / 25, labels=labels)
    assert sorted(during.states.tolist()) == [TrackState.CONFIRMED, TrackState.OCCLUDED]
    regions, labels = seen(stands, other)
    after = linker.update(regions, 20 / 25, labels=labels)
    assert after.ids.tolist() == before.ids.tolist() == [1, 2]
    assert (after.states == TrackState.CONFIRMED).all()


def test_tracks_that_are_gone_own_no_pixel():
    linker = Overlap(max_gap=0.2)
    for i in range(8):
        regions, labels = seen(np.s_[40:80, 90:110])
        linker.update(regions, i / 25, labels=labels)
    assert set(np.unique(linker.state()["identities"])) == {0, 1}
    for i in range(8, 20):
        regions, labels = seen()
        linker.update(regions, i / 25, labels=labels)
    assert not linker.state()["identities"].any()


def test_a_state_with_masks_continues():
    linker, heir = Overlap(), Overlap()
    for i in range(20):
        regions, labels = seen(*bars(2 * i))
        tracks = linker.update(regions, i / 25, labels=labels)
        if i == 9:
            heir.load_state(linker.state())
        if i > 9:
            again = heir.update(regions, i / 25, labels=labels)
            np.testing.assert_array_equal(tracks.ids, again.ids)
            np.testing.assert_array_equal(linker.state()["identities"], heir.state()["identities"])


def test_a_camera_takes_the_masks_along():
    linker = Overlap()
    for i in range(12):
        left = 100 - 25 * (i % 2)  # the camera jumps there and back
        regions, labels = seen(np.s_[40:80, left : left + 20])
        camera = np.eye(3)
        camera[0, 2] = 0 if i == 0 else (-25 if i % 2 else 25)
        tracks = linker.update(regions, i / 25, labels=labels, camera=camera)
    assert tracks.ids.tolist() == [1]
    assert abs(tracks.velocities[0, 0]) < 5


@pytest.mark.parametrize("linker", [Overlap, KalmanIoU])
def test_labels_that_do_not_fit_are_refused_and_change_nothing(linker):
    model, twin = linker(), linker()
    regions, labels = seen(np.s_[40:80, 90:110])
    for each in (model, twin):
        each.update(regions, 0.0, labels=labels)
    bad = [labels + 1, labels.astype(float), labels[0], -labels]
    for wrong in bad if linker is KalmanIoU else [*bad, labels[:50]]:
        with pytest.raises(ParameterError, match="labels"):
            model.update(regions, 0.1, labels=wrong)
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, twin.state()[name])


def test_nothing_ever_seen_and_one_giant_region():
    linker = Overlap(min_hits=1)
    regions, labels = seen()
    assert len(linker.update(regions, 0.0, labels=labels)) == 0
    regions, labels = seen(np.s_[:, :])
    for i in range(1, 4):
        tracks = linker.update(regions, i * 1e6, labels=labels)  # huge gaps
    assert len(tracks) == 1
    assert np.isfinite(tracks.boxes).all()
