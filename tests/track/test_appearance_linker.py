"""Who looks alike is found again: after gaps, after a change of places; and what is no look at all."""

import numpy as np
import pytest
from drawn_scenes import BLUE, GREEN, RED, Thing, followed, straight, through

from motionseg.core.errors import ParameterError, StateError
from motionseg.core.types import Regions, TrackState
from motionseg.track import Appearance


def regions(places, looks=None, size=(20, 40)):
    corner = np.array(places, np.float32).reshape(-1, 2)
    boxes, n = np.concatenate([corner, corner + np.float32(size)], axis=1), len(corner)
    columns = np.full(n, 800), corner, np.ones(n, np.float32), np.zeros((n, 3), np.float32)
    return Regions(boxes, *columns) if looks is None else Regions(boxes, *columns, np.array(looks, np.float32))


A, B, C = np.eye(3, dtype=np.float32)


def known(linker, places, looks, n=5):
    for i in range(n):
        tracks = linker.update(regions(places, looks), i / 25)
    assert (tracks.states == TrackState.CONFIRMED).all()
    return tracks


def test_things_that_cross_and_stop_behind_a_wall_are_told_by_looks():
    """Both vanish for two seconds; one comes out where it would not have been expected."""
    for out, found in ((90, [1, 2]), (400, [1, 3])):  # within reach, and beyond it
        linker = Appearance()
        known(linker, [(50, 50), (200, 50)], [A, B])
        for i in range(5, 55):
            linker.update(regions([(50, 50)], [A]), i / 25)
        tracks = linker.update(regions([(50, 50), (200 + out, 50)], [A, B]), 55 / 25)
        assert tracks.ids[tracks.labels > 0].tolist() == found


def test_who_looks_different_is_somebody_else():
    linker = Appearance()
    known(linker, [(50, 50)], [A])
    tracks = linker.update(regions([(51, 50)], [B]), 0.2)
    assert tracks.ids.tolist() == [1, 2]
    assert tracks.states.tolist() == [TrackState.OCCLUDED, TrackState.TENTATIVE]


def test_who_looks_the_same_is_told_by_place():
    linker = Appearance()
    known(linker, [(50, 50), (75, 50)], [A, A])
    tracks = linker.update(regions([(76, 50), (51, 50)], [A, A]), 0.2)
    assert tracks.labels.tolist() == [2, 1]


def test_looks_follow_the_light_but_not_a_neighbour():
    mixed = (A + B) / np.sqrt(2, dtype=np.float32)
    for second, follows in (((300, 50), True), ((60, 50), False)):
        linker = Appearance(min_likeness=0.5)
        known(linker, [(50, 50), second], [A, C])
        for i in range(5, 40):
            linker.update(regions([(50, 50), second], [mixed, C]), i / 25)
        usual = linker.state()["features"]
        np.testing.assert_allclose(np.linalg.norm(usual, axis=1), 1, atol=1e-5)
        assert (usual[0] @ mixed > 0.99) == follows


def test_without_looks_boxes_are_compared():
    linker = Appearance()
    for i in range(8):
        tracks = linker.update(regions([(50 + 2 * i, 50), (200, 50)]), i / 25)
    assert tracks.visible.ids.tolist() == [1, 2]
    assert linker.state()["features"].shape == (2, 0)
    for i in range(8, 12):  # a camera that begins to give colours, but for one region
        tracks = linker.update(regions([(50 + 2 * i, 50), (200, 50)], [A, 0 * B]), i / 25)
    assert tracks.visible.ids.tolist() == [1, 2]
    np.testing.assert_array_equal(linker.state()["features"], [A, 0 * B])
    tracks = linker.update(regions([(74, 50), (200, 50)]), 0.5)
    assert tracks.visible.ids.tolist() == [1, 2]


def test_features_of_another_length_are_refused():
    linker = Appearance()
    known(linker, [(50, 50)], [A])
    before = linker.state()
    with pytest.raises(ParameterError, match="features are of 2 numbers, and were of 3"):
        linker.update(regions([(50, 50)], [[0, 1]]), 0.2)
    for name, array in linker.state().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_a_state_with_looks_continues():
    linker, heir = Appearance(), Appearance()
    known(linker, [(50, 50), (200, 50)], [A, B])
    heir.load_state(linker.state())
    for other in (linker, heir):
        with pytest.raises(ParameterError, match="features"):
            other.update(regions([(50, 50)], [[0, 1]]), 1.0)
        assert other.update(regions([(200, 50), (50, 50)], [A, B]), 3.0).labels.tolist() == [
            1,
            2,
        ]  # each in the place of the other
    for name, array in linker.state().items():
        np.testing.assert_array_equal(array, heir.state()[name], err_msg=name)
    for shape, dtype in (((2,), "f4"), ((3, 3), "f4"), ((2, 3), "f8"), ((2, 3, 1), "f4")):
        with pytest.raises(StateError, match="features"):
            heir.load_state({**linker.state(), "features": np.zeros(shape, dtype)})
    heir.reset()
    heir.update(regions([(50, 50)], [[0, 1]]), 0.0)  # another camera may have other looks


def test_drawn_things_come_back_after_two_seconds():
    things = [
        Thing(lambda t: None if 1 <= t < 3 else ((60, 60) if t < 1 else (120, 60)), RED),
        Thing(lambda t: None if 1 <= t < 3 else ((120, 60) if t < 1 else (60, 60)), BLUE),
        Thing(straight(200, 60), GREEN),
    ]
    linker = Appearance()
    results = followed(linker, things, 4.0)
    last = results[-1]
    of_color = {}
    for seen in (results[10], last):
        for identity, label in zip(seen.tracks.ids.tolist(), seen.tracks.labels.tolist(), strict=True):
            of_color.setdefault(identity, set()).add(int(seen.truth[seen.labels == label][0]))
    assert sorted(map(sorted, of_color.values())) == [[1], [2], [3]]


def test_drawn_things_that_turn_back_where_they_meet():
    things = [
        Thing(through((0, 30, 60), (1.5, 118, 60), (3, 30, 60)), RED),
        Thing(through((0, 230, 60), (1.5, 142, 60), (3, 230, 60)), BLUE),
    ]
    results = followed(Appearance(), things, 3.0)
    for label in (1, 2):
        ids = {int(seen.tracks.ids[seen.tracks.labels == seen.labels[seen.truth == label][0]][0]) for seen in results}
        assert len(ids) == 1


@pytest.mark.parametrize("bad", [{"min_likeness": 2}, {"reach": 0}, {"speed": -1}, {"min_iou": 2}], ids=str)
def test_bad_parameters_of_appearance(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Appearance(**bad)
