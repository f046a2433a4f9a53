"""RunningGaussian is its twin; it measures the noise of every pixel, and does not learn objects quickly."""

import numpy as np
import pytest
from reference.footage import footage
from reference.running_gaussian import running_gaussian

from motionseg.background import RunningGaussian
from motionseg.core.errors import ParameterError


@pytest.mark.parametrize(
    ("shape", "numbers", "given"),
    [
        ((9, 23, 3), {}, None),
        ((11, 18), {}, None),
        ((8, 16, 3), {"learning_rate": 0.2, "threshold": 2.0, "foreground_share": 1.0}, None),
        ((31, 35, 3), {"foreground_share": 0.0, "var_init": 40.0, "var_min": 3.0}, 0.05),
        ((5, 13), {}, 1.0),
    ],
)
def test_it_is_its_twin(shape, numbers, given):
    frames, model, found = footage(40, shape, block_from=10, flicker=8), RunningGaussian(**numbers), 0
    for frame, (mask, score, mean, variance) in zip(
        frames, running_gaussian(frames, given=given, **numbers), strict=True
    ):
        ours, sure = model.apply(frame, learning_rate=given), np.abs(score - 0.5) > 1e-5  # float32 against float64
        np.testing.assert_array_equal(ours[sure], mask[sure])
        np.testing.assert_allclose(model.score(), score, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(model.state()["mean"], mean.reshape(frame.shape), rtol=1e-4)
        np.testing.assert_allclose(model.state()["variance"], variance.reshape(frame.shape), rtol=1e-3, atol=1e-3)
        found += (ours == 255).sum()
    assert found > 50


def test_a_first_frame_is_background_and_the_second_counts_as_much():
    model = RunningGaussian()
    for grey in (100, 110):
        assert not model.apply(np.full((2, 2), grey, np.uint8)).any()
    assert (model.background() == 105).all()
    np.testing.assert_allclose(model.state()["variance"], (225 + 100) / 2)


def test_noise_is_measured_where_it_is():
    rng, model = np.random.default_rng(0), RunningGaussian()
    sigma = np.array([[3.0], [12.0]])
    for _ in range(300):
        model.apply((128 + sigma * rng.normal(size=(2, 400))).round().clip(0, 255).astype(np.uint8))
    deviation = np.sqrt(model.state()["variance"].mean(axis=1))
    np.testing.assert_allclose(deviation, [4, 12], rtol=0.05)  # never below the least
    np.testing.assert_array_equal(model.apply(np.full((2, 400), 158, np.uint8)).mean(axis=1), [255, 0])


def test_foreground_pixels_learn_at_their_own_rate():
    shares = (0.0, 0.1, 1.0)
    models = [RunningGaussian(foreground_share=share) for share in shares]
    for _ in range(120):
        for model in models:
            model.apply(np.full((2, 2), 100, np.uint8))
    for model in models:
        model.apply(np.full((2, 2), 200, np.uint8))
    means = [model.state()["mean"][0, 0] for model in models]
    np.testing.assert_allclose(means, [100, 100.1, 101], rtol=1e-5)
    assert all((model.state()["variance"] < 20).all() for model in models)


@pytest.mark.parametrize(
    "bad", [{"learning_rate": 0}, {"threshold": 0}, {"foreground_share": 1.1}, {"var_init": 0}, {"var_min": 226}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        RunningGaussian(**bad)
