"""The synthetic dataset: what its scenes promise, and that nothing is rendered twice or too early."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg.datasets import Synthetic, SyntheticScene
from motionseg.datasets import synthetic as module
from motionseg.datasets._render import Scene

CATEGORIES = [
    *("baseline", "shadow", "illumination", "light_switch", "jitter", "pan", "waving", "camouflage"),
    *("stop_and_go", "left_object", "noise", "street"),
]
SEQUENCES = {s.name: s for s in Synthetic()}


def test_sequences():
    dataset = Synthetic()
    assert [s.full_name for s in dataset] == [f"{c}/{c}_{n}" for c in CATEGORIES for n in (1, 2)]
    for sequence in dataset:
        assert len(sequence.frames) == len(sequence.truth) == len(sequence.background) == 200
        assert sequence.judged == list(range(50, 200))
        assert (sequence.roi, sequence.problems) == (None, [])
    assert dataset.result_path(dataset["noise_2"], 0) == "noise/noise_2/bin000001.png"
    assert len(Synthetic("anywhere")) == 24


@pytest.mark.parametrize("name", [f"{c}_1" for c in CATEGORIES])
def test_a_scene_is_quiet_and_then_lively(name):
    sequence = SEQUENCES[name]
    assert sequence.frames[60].shape == sequence.background[60].shape == (240, 320, 3)
    assert sequence.truth[60].shape == (240, 320)
    assert not (sequence.truth[20] == 255).any()
    share = [np.mean(sequence.truth[i] == 255) for i in (80, 120, 160)]
    assert min(share) > 0.015
    assert max(share) < 0.2
    assert (SEQUENCES[f"{name[:-2]}_2"].frames[60] != sequence.frames[60]).any()


@pytest.mark.parametrize("category", CATEGORIES[1:-1])
def test_a_category_has_its_difficulty_and_the_objects_of_the_baseline(category):
    plain, hard = SEQUENCES["baseline_1"], SEQUENCES[f"{category}_1"]
    assert any((plain.frames[i] != hard.frames[i]).mean() > 0.001 for i in (30, 60, 125, 150))
    same = category not in ("jitter", "pan", "stop_and_go", "left_object")
    assert np.array_equal(plain.truth[150] == 255, hard.truth[150] == 255) == same


def test_noise_is_dark_and_the_background_too():
    plain, night = SEQUENCES["baseline_1"], SEQUENCES["noise_1"]
    assert night.background[0].mean() == pytest.approx(0.3 * plain.background[0].mean(), rel=0.02)
    bright = night.background[0] > 30  # where noise is not cut off at black
    assert (night.frames[0].astype(int) - night.background[0])[bright].std() == pytest.approx(8, rel=0.05)


def test_frames_are_the_scenes_own_and_slices_and_ends_work():
    sequence = Synthetic()["shadow_1"]
    scene = SyntheticScene(n_frames=200, quiet_frames=30, shadow=True, seed=7001)
    shot = scene[110]
    np.testing.assert_array_equal(sequence.frames[110], shot.frame)
    np.testing.assert_array_equal(sequence.truth[110], shot.truth)
    np.testing.assert_array_equal(sequence.background[110], shot.background)
    np.testing.assert_array_equal(sequence.frames[-1], scene[199].frame)
    assert [frame.shape for frame in sequence.frames[198:]] == [(240, 320, 3)] * 2
    with pytest.raises(IndexError):
        sequence.frames[200]


def test_every_frame_is_rendered_once_and_belongs_to_the_caller(monkeypatch):
    rendered, made = [], []
    whole = Scene.__getitem__

    class Counted(SyntheticScene):
        def __init__(self, **options):
            made.append(options)
            super().__init__(**options)

    monkeypatch.setattr(Scene, "__getitem__", lambda self, index: rendered.append(index) or whole(self, index))
    monkeypatch.setitem(module._SCENES, "baseline", lambda seed: Counted(n_frames=200, seed=seed))
    sequence = Synthetic()["baseline_1"]
    assert made == []
    for i in range(3):
        sequence.frames[i][:] = 0
        sequence.truth[i][:] = 1
        sequence.background[i][:] = 0
    assert rendered == [0, 1, 2]
    assert len(made) == 1
    assert sequence.frames[2].any()
    assert sequence.background[2].any()
    assert set(np.unique(sequence.truth[2])) <= {0, 170, 255}
