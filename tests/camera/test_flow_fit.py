"""The motion of the camera from a dense flow: exact, robust, and honest where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import flow_fit as twin

from motionseg.camera import FLOW_MODELS, _fit, epipolar_residual, fit_flow
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.geometry import transform_flow

SHAPE = (120, 160)
MOTIONS = {
    "translation": np.array([[1, 0, 3.4], [0, 1, -2.7], [0, 0, 1]]),
    "similarity": np.array([[1.02, -0.03, 3.4], [0.03, 1.02, -2.7], [0, 0, 1]]),
    "affine": np.array([[1.02, -0.01, -1.4], [0.03, 0.99, 2.7], [0, 0, 1]]),
    "homography": np.array([[1.01, -0.02, 4.4], [0.02, 1.01, 2.7], [1e-4, -1.5e-4, 1]]),
}


def quadratic_flow(coefficients, shape=SHAPE):
    y, x = np.indices(shape)
    terms = np.stack([np.ones(shape), x, y, x * x, x * y, y * y])
    return np.moveaxis(np.tensordot(coefficients, terms, axes=1), 0, -1).astype(np.float32)


CURVED = np.array([[1.5, 0.01, -0.02, 1e-4, -5e-5, 2e-5], [-2, 0.02, 0.01, 3e-5, 1e-4, -8e-5]])


def worst(fit, truth, where=...):
    return float(np.linalg.norm(fit.flow(truth.shape) - truth, axis=-1)[where].max())


@pytest.mark.parametrize("model", FLOW_MODELS)
@pytest.mark.parametrize("moved_as", MOTIONS)
def test_exact_flow_is_fitted_exactly_by_every_model_that_has_it(model, moved_as):
    truth = transform_flow(MOTIONS[moved_as], SHAPE)
    fit = fit_flow(truth, model=model)
    order = list(FLOW_MODELS)
    if order.index(model) >= order.index(moved_as) and (model, moved_as) != ("quadratic", "homography"):
        assert fit.ok
        assert worst(fit, truth) < 1e-4
        assert fit.support == 1
        assert fit.scale < 1e-5
        if model != "quadratic":
            np.testing.assert_allclose(fit.transform, MOTIONS[moved_as], atol=1e-4)
            a, b, _, d, e, _, g, h, i = fit.transform.ravel()
            free = {"translation": (a, b, d, e, g, h) == (1, 0, 0, 1, 0, 0), "affine": (g, h) == (0, 0)}
            free |= {"similarity": (a, b, g, h) == (e, -d, 0, 0), "homography": True}
            assert free[model]
            assert i == 1
    elif model != "quadratic":
        assert not fit.ok or worst(fit, truth) > 0.3


def test_the_quadratic_model_follows_what_bends():
    truth = quadratic_flow(CURVED)
    fit = fit_flow(truth, model="quadratic")
    assert fit.transform is None
    np.testing.assert_allclose(fit.coefficients @ [1, 80, 60, 6400, 4800, 3600], truth[60, 80], atol=1e-3)
    assert worst(fit, truth) < 1e-3


@pytest.mark.parametrize("model", FLOW_MODELS)
@pytest.mark.parametrize("by", [1.5, 4, 12])
def test_two_fifths_of_the_picture_may_move_otherwise(model, by):
    truth = quadratic_flow(CURVED) if model == "quadratic" else transform_flow(MOTIONS[model], SHAPE)
    if model == "quadratic" and by < 2:
        return  # so small a step is bent away by twelve parameters
    rng = np.random.default_rng(1)
    flow = truth + rng.normal(0, 0.15, truth.shape).astype(np.float32)
    static = np.ones(SHAPE, bool)
    static[20:, :77] = False
    flow[~static] += by * np.float32([0.8, 0.6])
    fit = fit_flow(flow, model=model)
    assert static.mean() < 0.61
    assert worst(fit, truth, static) < 0.2
    assert fit.scale == pytest.approx(0.15, rel=0.25)
    assert fit.support == pytest.approx(static.mean(), abs=0.03)


@given(
    st.lists(st.floats(-0.03, 0.03), min_size=4, max_size=4),
    st.lists(st.floats(-8, 8), min_size=2, max_size=2),
    st.lists(st.floats(-2e-4, 2e-4), min_size=2, max_size=2),
)
@settings(max_examples=25, deadline=None)
def test_any_homography_is_found_and_mirrored_flow_has_the_mirrored_one(turn, shift, tilt):
    truth = np.eye(3)
    truth[:2, :2] += np.reshape(turn, (2, 2))
    truth[:2, 2], truth[2, :2] = shift, tilt
    flow = transform_flow(truth, SHAPE)
    assert worst(fit_flow(flow), flow) < 2e-3
    mirrored = np.ascontiguousarray(flow[:, ::-1]) * np.float32([-1, 1])
    mirror = np.array([[-1, 0, SHAPE[1] - 1], [0, 1, 0], [0, 0, 1.0]])
    expected = transform_flow(mirror @ truth @ mirror, SHAPE)
    assert worst(fit_flow(mirrored), expected) < 2e-3


@pytest.mark.parametrize("model", FLOW_MODELS)
def test_no_motion_is_the_identity_to_the_bit(model):
    fit = fit_flow(np.zeros((*SHAPE, 2), np.float32), model=model)
    assert fit.ok
    assert not fit.flow(SHAPE).any()
    if model != "quadratic":
        np.testing.assert_allclose(fit.transform, np.eye(3), atol=1e-15)


def nothing(model):
    rng = np.random.default_rng(0)
    few = np.zeros(SHAPE, bool)
    few[5, 5:8] = True
    line = np.zeros(SHAPE, bool)
    line[60] = True
    still = np.zeros((*SHAPE, 2), np.float32)
    yield "too_few", still, few
    if model != "translation":
        yield "degenerate", still, line
    yield "no_consensus", rng.uniform(-40, 40, still.shape).astype(np.float32), None
    if model in {"affine", "homography", "quadratic"}:
        yield "degenerate", transform_flow(np.array([[-1, 0, 159.0], [0, 1, 0], [0, 0, 1]]), SHAPE), None


@pytest.mark.parametrize("model", FLOW_MODELS)
def test_where_there_is_nothing_to_find_it_says_so_and_stands_still(model):
    for verdict, flow, valid in nothing(model):
        fit = fit_flow(flow, model=model, valid=valid, step=1)
        assert (fit.verdict, fit.ok) == (verdict, False)
        assert not fit.flow(SHAPE).any()
        assert fit.scale == 0
        np.testing.assert_array_equal(fit.residual(flow), flow)


def test_votes_count_by_weight_and_only_where_they_are_valid():
    flow = np.zeros((*SHAPE, 2), np.float32)
    flow[:, :100] = 7, 0
    left = np.zeros(SHAPE, bool)
    left[:, :100] = True
    assert fit_flow(flow, model="affine").transform[0, 2] == pytest.approx(7, abs=1e-3)
    assert fit_flow(flow, model="affine", valid=~left).transform[0, 2] == pytest.approx(0, abs=1e-3)
    weights = np.where(left, 0.2, 1.0)
    fit = fit_flow(flow, model="affine", weights=weights)
    assert fit.transform[0, 2] == pytest.approx(0, abs=1e-3)
    assert fit.support == pytest.approx(60 / (60 + 0.2 * 100), abs=0.02)


def test_the_same_again_from_any_memory_and_nothing_is_changed():
    rng = np.random.default_rng(0)
    flow = transform_flow(MOTIONS["homography"], SHAPE) + rng.normal(0, 0.3, (*SHAPE, 2)).astype(np.float32)
    before = flow.copy()
    fits = [fit_flow(f) for f in (flow, flow, np.asfortranarray(flow), flow[::-1].copy()[::-1])]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.transform, fits[0].transform)
    np.testing.assert_array_equal(flow, before)
    np.testing.assert_allclose(fit_flow(flow, seed=5).transform, fits[0].transform, atol=0.02)
    np.testing.assert_array_equal(fits[0].residual(flow), flow - fits[0].flow(SHAPE))


def test_bad_input():
    flow = np.zeros((*SHAPE, 2), np.float32)
    for bad in (flow[..., 0], flow.astype(int), flow * np.nan, flow[:0]):
        with pytest.raises(FrameError):
            fit_flow(bad)
    with pytest.raises(FrameError, match="valid"):
        fit_flow(flow, valid=np.ones((3, 3), bool))
    for bad in (np.ones((3, 3)), np.full(SHAPE, -1.0), np.full(SHAPE, np.nan), np.ones(SHAPE, int)):
        with pytest.raises(FrameError, match="weights"):
            fit_flow(flow, weights=bad)
    for options in ({"model": "cubic"}, {"step": 0}, {"tolerance": 0}, {"seed": -1}):
        with pytest.raises(ParameterError, match=next(iter(options))):
            fit_flow(flow, **options)


@pytest.mark.parametrize("n", [8, 12])
def test_kernels_do_what_their_twins_do(n):
    rng = np.random.default_rng(n)
    still = _fit._STILL if n == 8 else _fit._STILL_QUADRATIC
    theta = still + rng.normal(0, 0.1, n)
    points, weights = rng.uniform(-1, 1, (300, 2)), rng.uniform(0, 2, 300)
    targets = points + rng.normal(0, 0.3, (300, 2))
    missed = np.empty(300)
    _fit._distances(theta, points, targets, missed)
    np.testing.assert_allclose(missed, twin.distances(theta, points, targets), rtol=1e-9)
    trials = still + rng.normal(0, 0.1, (50, n))
    for tolerance in (0.05, 0.3):
        expected = twin.best_trial(trials, points, targets, weights, tolerance)
        assert _fit._best_trial(trials, points, targets, weights, tolerance) == expected
    normal, right = np.empty((n, n)), np.empty(n)
    total = _fit._normal_equations(theta, points, targets, weights, missed, 0.5, normal, right)
    expected = twin.normal_equations(theta, points, targets, weights, missed, 0.5)
    for found, wanted in zip((total, normal, right), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 3), (12, 9), (3, 400), (40, 40)])
@pytest.mark.parametrize("model", FLOW_MODELS)
def test_small_pictures_and_wild_flows_are_survived(shape, model):
    rng, side = np.random.default_rng(0), max(shape)
    wild = [rng.normal(0, 5, (*shape, 2)), rng.uniform(-3 * side, 3 * side, (*shape, 2))]
    wild.append(rng.choice([0, side], (*shape, 2)))
    for flow in (np.zeros((*shape, 2)), *wild, np.full((*shape, 2), 3.5 * side), np.full((*shape, 2), 1e30)):
        flow = flow.astype(np.float32)
        fit = fit_flow(flow, model=model)
        assert np.isfinite(fit.flow(shape)).all()
        assert flow.max() > 1e29 or np.isfinite(epipolar_residual(flow, fit, believe=True).residual).all()
