"""Crowds and meetings: exact ids that last, things that hide each other, groups that are one blob and part."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg.core.errors import ParameterError
from motionseg.datasets import Crowds, crowd, meetings

SMALL = {"width": 240, "height": 180}


def together(labels):
    """Pairs of ids that share a connected component of all that is there."""
    n, components = cv2.connectedComponents((labels > 0).astype(np.uint8))
    groups = (np.unique(labels[components == k]).tolist() for k in range(1, n))
    return {(a, b) for ids in groups for a in ids for b in ids if a < b}


@pytest.mark.parametrize("make", [crowd, meetings])
def test_a_scene_is_the_same_every_time_and_another_with_another_seed(make):
    first, again, other = (make(**SMALL, n_frames=120, seed=seed) for seed in (5, 5, 6))
    shots = [first[i] for i in (119, 60, 90)]  # in any order
    for shot in shots:
        same = again[shot.index]
        np.testing.assert_array_equal(shot.frame, same.frame)
        np.testing.assert_array_equal(shot.labels, same.labels)
    assert (other[90].labels != shots[2].labels).any()
    assert (other[90].background != shots[2].background).any()


@pytest.mark.parametrize("make", [crowd, meetings])
def test_ids_are_those_of_what_is_seen(make):
    clean = make(**SMALL, n_frames=120, noise=0.0, seed=2)
    for i in (20, 70, 119):
        shot = clean[i]
        differs = np.abs(shot.frame.astype(int) - shot.background).max(axis=2)
        assert differs[(shot.labels == 0) & (shot.truth == 0)].max() < 14, "covered by a twentieth at most"
        if len(shot.ids):
            assert np.mean(differs[shot.labels > 0] > 8) > 0.85  # some cloth has the colour of the ground
    assert not clean[20].labels.any()
    assert clean[119].labels.dtype == np.int32


def test_an_id_goes_with_its_thing():
    scene = crowd(**SMALL, n_frames=150, n_objects=12, noise=0.0, seed=3)
    shot, moved = scene[100], 0
    for before, after in ((scene[i - 1], scene[i]) for i in (100, 125, 149)):
        for k in np.intersect1d(before.ids, after.ids):
            (x0, y0), (x1, y1) = (np.argwhere(s.labels == k).mean(axis=0) for s in (before, after))
            whole = min((s.labels == k).sum() for s in (before, after)) > 100
            assert not whole or np.hypot(x1 - x0, y1 - y0) < 6
            moved += whole
    assert moved > 5
    assert shot.ids.max() <= 12


def test_a_crowd_comes_goes_stands_and_hides():
    n, scene = 40, crowd(n_objects=40, seed=4)
    shots = [scene[i] for i in range(0, 300, 10)]
    counts = [len(shot.ids) for shot in shots]
    assert counts[:3] == [0, 0, 0]
    assert max(counts) > 0.7 * n
    assert counts[-1] < max(counts)
    assert len(set().union(*(shot.ids.tolist() for shot in shots))) > 0.95 * n
    hidden = set().union(*(together(shot.labels) for shot in shots))
    assert len(hidden) > n, "many hide each other"


@pytest.mark.slow
def test_those_who_meet_are_one_blob_for_a_while_and_part():
    fps, scene = 25, meetings(seed=1)
    shared: dict[tuple[int, int], list[int]] = {}
    alone: dict[int, set[int]] = {}
    for i in range(len(scene)):
        labels = scene[i].labels
        pairs = together(labels)
        for pair in pairs:
            shared.setdefault(pair, []).append(i)
        for k in set(np.unique(labels)[1:].tolist()) - {k for pair in pairs for k in pair}:
            alone.setdefault(k, set()).add(i)
    spans = {pair: (frames[0], frames[-1]) for pair, frames in shared.items() if len(frames) >= 5}
    full = [
        (last - first + 1) / fps
        for pair, (first, last) in spans.items()
        if all({first - 10, first - 1} <= alone.get(k, set()) or min(alone.get(k, {first})) < first for k in pair)
        and all(any(i > last for i in alone.get(k, ())) for k in pair)
    ]
    assert len(full) >= 8
    assert sum(seconds >= 0.5 for seconds in full) >= 5
    assert max(full) < 8


def test_shadows_are_not_of_the_thing():
    plain, shady = (meetings(**SMALL, n_frames=80, noise=0.0, shadow=s, seed=1) for s in (False, True))
    np.testing.assert_array_equal(plain[79].labels, shady[79].labels)
    assert (shady[79].truth == 50).any()
    assert (plain[79].truth != 50).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (crowd, {"n_objects": 0}),
        (crowd, {"width": 10}),
        (crowd, {"noise": -1.0}),
        (meetings, {"fps": 0}),
        (meetings, {"shadow": 3}),
    ],
)
def test_bad_parameters_are_named(make, words):
    with pytest.raises(ParameterError, match=next(iter(words))):
        make(**words)


def test_the_dataset():
    dataset = Crowds()
    assert [s.full_name for s in dataset] == [f"{c}/{c}_{n}" for c in ("crowd", "meeting") for n in (1, 2, 3, 4)]
    assert [len(s.frames) for s in dataset] == [300] * 4 + [500] * 4
    sequence = dataset["crowd_2"]
    assert (sequence.judged[0], sequence.judged[-1], sequence.fps) == (25, 299, 25.0)
    scene = crowd(n_objects=30, seed=7102)
    np.testing.assert_array_equal(sequence.truth[140], scene[140].labels)
    np.testing.assert_array_equal(sequence.frames[140], scene[140].frame)
    assert dataset.result_path(sequence, 0) == "crowd/crowd_2/000001.png"
