"""Any model with the network behind it: the promises of models, and what it adds to them."""

import sys

import cv2
import numpy as np
import pytest

from motionseg.background import GaussianMixture, RunningAverage
from motionseg.core.errors import MissingExtraError, ParameterError, StateError, UnsupportedError
from motionseg.core.types import UNKNOWN
from motionseg.pipeline import Compensated, FlowFused, MotionSegmenter, Refined
from motionseg.refine import Refiner
from motionseg.testing import BACKGROUND_CHECKS

CHECKS = {check.__name__.partition("check_")[2]: check for check in BACKGROUND_CHECKS}
QUICK = ("bad_input_refused", "cv2_names", "parameters")
rng = np.random.default_rng(0)
WALL = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 2)


def walk(n):
    """Frames of a red thing that goes to the right from the 6th on."""
    frames = []
    for i in range(n):
        frame = WALL.copy()
        if i >= 5:
            left = 10 + 4 * (i - 5)
            frame[30:70, left : left + 30] = (30, 60, 220)
        frames.append(frame)
    return frames


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in CHECKS if name not in QUICK)]
)
def test_it_is_a_model(name):
    # float32 on every machine: bfloat16 would round small differences away.
    CHECKS[name](Refined(RunningAverage(), refiner=Refiner(dtype="float32")))


def iou(mask, truth):
    found = mask == 255
    return (found & truth).sum() / (found | truth).sum()


def test_it_is_better_than_the_model_which_learns_as_alone():
    model, alone = Refined(GaussianMixture()), GaussianMixture()
    for frame in walk(15):
        mask, raw = model.apply(frame), alone.apply(frame)
    truth = np.zeros(mask.shape, bool)
    truth[30:70, 46:76] = True
    assert iou(mask, truth) > iou(raw, truth) + 0.3  # a young mixture sees the front of a thing only
    np.testing.assert_array_equal(model.background(), alone.background())
    np.testing.assert_array_equal(mask == 255, model.score() >= 0.5)


def test_state_and_files_continue(tmp_path):
    frames = walk(14)
    model = Refined(RunningAverage())
    for frame in frames[:9]:
        model.apply(frame)
    heir = Refined(RunningAverage())
    heir.load_state(model.state())
    model.save(tmp_path / "model.npz")
    read = Refined.load(tmp_path / "model.npz")
    for frame in frames[9:]:
        mask = model.apply(frame)
        np.testing.assert_array_equal(heir.apply(frame), mask)
        np.testing.assert_array_equal(read.apply(frame), mask)
        np.testing.assert_array_equal(heir.score(), model.score())
    before = model.state()
    with pytest.raises(StateError):
        model.load_state({**before, "network.last": np.zeros((2, 2), np.float32)})
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_nothing_is_learned_at_rate_0():
    frames = walk(12)
    model = Refined(RunningAverage())
    for frame in frames[:9]:
        model.apply(frame)
    before = model.state()
    model.apply(frames[11], learning_rate=0)
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_whole_clip_first():
    model = Refined(RunningAverage()).bootstrap(walk(20))
    mask = model.apply(walk(12)[11])
    assert mask[50, 50] == 255
    assert mask[50, 110] == 0


def test_a_moving_camera_has_no_background():
    model = Refined(FlowFused())
    for i in range(4):
        model.apply(np.roll(WALL, -2 * i, axis=1))
    with pytest.raises(UnsupportedError):
        model.background()
    assert model.motion is not None


def test_what_is_unknown_stays_unknown():
    noise = np.random.default_rng(1).integers(0, 256, (120, 220, 3), np.uint8)
    world = cv2.GaussianBlur(noise, (0, 0), 2) * np.uint8(2)
    model = Refined(Compensated(RunningAverage()))
    for i in range(10):
        mask = model.apply(world[:, 3 * i : 3 * i + 160])
    assert (mask == UNKNOWN).any()
    assert (model.score()[mask == UNKNOWN] == 0).all()


def test_evidence_adds_up_to_the_score():
    segmenter = MotionSegmenter(background=Refined(RunningAverage()), explain=True)
    for i, frame in enumerate(walk(10)):
        result = segmenter.step(frame, time=i / 25)
    total = sum(result.evidence.values())
    sure = np.clip(result.score, 1 / (1 + np.exp(6)), 1 / (1 + np.exp(-6)))
    np.testing.assert_allclose(total, np.log(sure / (1 - sure)), atol=1e-3)
    assert set(result.evidence) == {"background", "refinement"}


def test_known_foreground_is_reported_and_not_learned():
    model = Refined(RunningAverage())
    for frame in walk(5):
        model.apply(frame)
    known = np.zeros(WALL.shape[:2], bool)
    known[:10, :10] = True
    mask = model.apply(255 - WALL, known_foreground=known)
    assert (mask[known] == 255).all()
    assert np.abs(model.background()[:10, :10].astype(int) - WALL[:10, :10]).max() <= 1


def test_bad_parts_are_refused():
    with pytest.raises(ParameterError, match="model is"):
        Refined("adaptive")
    with pytest.raises(ParameterError, match="refiner is"):
        Refined(RunningAverage(), refiner=3)
    with pytest.raises(ParameterError, match="estimator is"):
        Refined(RunningAverage(), estimator=Refiner())


def test_without_torch_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("motionseg.refine._")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install motionseg\[refine\]"):
        Refined(RunningAverage())
