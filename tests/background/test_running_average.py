"""RunningAverage is its twin, and learns as its numbers say."""

import numpy as np
import pytest
from reference.footage import footage
from reference.running_average import running_average

from motionseg.background import RunningAverage
from motionseg.core.errors import ParameterError


@pytest.mark.parametrize("selective", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 3), (33, 47, 3), (41, 50), (16, 33, 3)])
def test_it_is_its_twin(shape, selective):
    frames = footage(40, shape, block_from=5)
    model = RunningAverage(learning_rate=0.06, threshold=20, selective=selective)
    for frame, (mask, score, mean) in zip(frames, running_average(frames, 0.06, 20, selective), strict=True):
        decided = np.abs(score - 0.5) > 1e-5  # single against double precision
        np.testing.assert_array_equal(model.apply(frame)[decided], mask[decided])
        np.testing.assert_allclose(model.score(), score, atol=1e-5)
        assert np.abs(model.background() - mean.reshape(shape)).max() < 0.501


def test_score_and_mask_agree_at_the_threshold_itself():
    model = RunningAverage(threshold=20)
    model.apply(np.full((1, 3), 100, np.uint8))
    mask = model.apply(np.array([[119, 120, 121]], np.uint8), learning_rate=0)
    np.testing.assert_array_equal(mask, [[0, 0, 255]])
    np.testing.assert_array_equal(model.score() >= 0.5, mask == 255)


def test_the_given_rate_is_the_share_of_the_new_frame():
    model = RunningAverage()
    model.apply(np.full((2, 2), 100, np.uint8))
    model.apply(np.full((2, 2), 200, np.uint8), learning_rate=0.25)
    assert (model.background() == 125).all()


def test_a_selective_model_never_learns_what_stays():
    plain, selective = RunningAverage(learning_rate=0.1), RunningAverage(learning_rate=0.1, selective=True)
    for model in (plain, selective):
        for grey in (100, *[200] * 60):
            mask = model.apply(np.full((2, 2, 3), grey, np.uint8))
        assert mask.all() == (model is selective)


@pytest.mark.parametrize(
    "bad", [{"learning_rate": 0}, {"learning_rate": 1.1}, {"threshold": 0}, {"threshold": 256}, {"selective": "no"}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        RunningAverage(**bad)
