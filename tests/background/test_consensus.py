"""Consensus is its twin; what concerns its members goes to each of them."""

import cv2
import numpy as np
import pytest
from reference.consensus import consensus
from reference.footage import footage

from motionseg.background import Consensus, Flux, FrameDifference, RunningAverage, SigmaDelta, from_cv2
from motionseg.background.base import BackgroundModel
from motionseg.core.errors import ParameterError, StateError, UnsupportedError
from motionseg.testing import check_background_model

TRIO = ("running_average", "sigma_delta", "frame_difference")


def trio():
    return [RunningAverage(), SigmaDelta(), FrameDifference()]


@pytest.mark.parametrize("shape", [(14, 23, 3), (11, 18), (9, 30)])
@pytest.mark.parametrize("numbers", [{}, {"window": 1, "agreement": 0}, {"window": 3, "agreement": 0.7}])
def test_it_is_its_twin(shape, numbers):
    members, model, found = trio(), Consensus(models=TRIO, **numbers), 0
    for frame in footage(20, shape, block_from=5):
        mask, score = consensus([member.apply(frame) for member in members], **numbers)
        np.testing.assert_array_equal(model.apply(frame), mask)
        np.testing.assert_allclose(model.score(), score, atol=1e-6)
        found += (mask == 255).sum()
    assert found > 5


def test_the_background_is_the_median_of_those_there_are():
    members, model = trio(), Consensus(models=(*TRIO, "flux"))
    for frame in footage(20, (9, 12, 3)):
        model.apply(frame)
        for member in members:
            member.apply(frame)
    expected = np.median([member.background() for member in members], axis=0)
    np.testing.assert_array_equal(model.background(), expected)
    alone = Consensus(models=["flux"])
    alone.apply(np.zeros((4, 4), np.uint8))
    with pytest.raises(UnsupportedError):
        alone.background()


def test_members_may_be_models_and_are_copied():
    first = RunningAverage(threshold=11)
    frames = footage(12, (16, 20, 3))
    first.apply(frames[5])
    model = Consensus(models=[first, "sigma_delta", Flux(window=3)])
    by_hand = [RunningAverage(threshold=11), SigmaDelta(), Flux(window=3)]
    for frame in frames:
        expected, _ = consensus([member.apply(frame) for member in by_hand])
        np.testing.assert_array_equal(model.apply(frame), expected)
    assert first._frames_seen == 1
    assert model.clone().params()["models"][0].threshold == 11


def test_members_with_parameters_are_saved(tmp_path):
    model, frames = Consensus(models=[RunningAverage(threshold=11), "sigma_delta"]), footage(20, (16, 20, 3))
    for frame in frames[:12]:
        model.apply(frame)
    model.save(tmp_path / "all.npz")
    other = Consensus.load(tmp_path / "all.npz")
    assert other.models[0].threshold == 11
    for frame in frames[12:]:
        np.testing.assert_array_equal(model.apply(frame), other.apply(frame))


class Own(RunningAverage):
    pass


def test_a_model_from_elsewhere_is_not_saved(tmp_path):
    model = Consensus(models=[Own()])
    with pytest.raises(StateError, match="Own"):
        model.save(tmp_path / "own.npz")
    RunningAverage().save(tmp_path / "average.npz")
    with pytest.raises(StateError, match="RunningAverage"):
        Consensus.load(tmp_path / "average.npz")


def test_members_that_saw_different_frames_are_refused():
    model, other = Consensus(models=TRIO), Consensus(models=TRIO)
    for frame in footage(10, (6, 8)):
        model.apply(frame)
    for frame in footage(4, (6, 8)):
        other.apply(frame)
    state = model.state()
    state |= {name: array for name, array in other.state().items() if name.startswith("1.")}
    with pytest.raises(StateError, match="member 1"):
        model.load_state(state)


def test_it_keeps_the_promises_of_models_with_other_members():
    check_background_model(Consensus(models=["running_average", FrameDifference(threshold=30)], window=3))


def test_what_a_member_cannot_do_they_cannot():
    model = Consensus(models=["running_average", from_cv2(cv2.createBackgroundSubtractorKNN)])
    model.apply(np.zeros((8, 8), np.uint8))
    with pytest.raises(UnsupportedError):
        model.state()
    with pytest.raises(UnsupportedError):
        model.apply(np.zeros((8, 8), np.uint8), learning_rate=0)
    with pytest.raises(UnsupportedError):
        Consensus(models=[from_cv2(cv2.createBackgroundSubtractorKNN())])


def test_memory_is_that_of_the_members():
    model, frame = Consensus(models=TRIO), np.zeros((64, 64, 3), np.uint8)
    assert model.memory() == 0
    model.apply(frame)
    members: list[BackgroundModel] = trio()
    for member in members:
        member.apply(frame)
    assert model.memory() == sum(member.memory() for member in members)
    default = Consensus()
    default.apply(frame)
    assert default.memory() == 133 * 64 * 64


@pytest.mark.parametrize(
    "bad",
    [
        {"models": []},
        {"models": "codebook"},
        {"models": ["no_such_model"]},
        {"models": [3]},
        {"agreement": 1},
        {"window": 4},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=f"{next(iter(bad))}|no_such"):
        Consensus(**bad)
