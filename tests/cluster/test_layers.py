"""Layers of motion are their twins; they find what moves by itself, with or without a camera, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import layers as twin

import motionseg
from motionseg.cluster import AffineLayers, QuadraticLayers
from motionseg.cluster._layers import _HOLD, Grid, Mixture, _difference
from motionseg.cluster._pieces import pieces_of
from motionseg.core.errors import ParameterError
from motionseg.core.geometry import mask_iou, transform_flow

ALL = [AffineLayers(), QuadraticLayers(), QuadraticLayers(model="full")]
TILTED = np.array([[1.012, -0.01, 5.0], [0.01, 1.006, -3.0], [2e-5, -3e-5, 1]])


def place(shape):
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return x, y


def two_things(shape=(180, 240), *, noise=0.15, outliers=0.05, camera=TILTED, seed=0):
    """A disc that grows and a box that turns before a camera; flow, and the two masks."""
    rng, (x, y) = np.random.default_rng(seed), place(shape)
    flow = transform_flow(camera, shape)
    disc = (x - 70) ** 2 + (y - 80) ** 2 < 34**2
    box = (abs(x - 175) < 28) & (abs(y - 110) < 38)
    flow[disc] += (np.stack([6 + 0.04 * (x - 70), 2 + 0.04 * (y - 80)], axis=-1))[disc]
    flow[box] += (np.stack([-5 - 0.03 * (y - 110), -4 + 0.03 * (x - 175)], axis=-1))[box]
    flow += rng.normal(0, noise, flow.shape).astype(np.float32)
    wrong = rng.random(shape) < outliers
    flow[wrong] = rng.uniform(-15, 15, (int(wrong.sum()), 2))
    return flow, disc, box


def a_mixture(seed, *, model="full", shape=(13, 17), layers=3, smoothness=0.7, points=1000):
    """A mixture in the middle of its work."""
    rng = np.random.default_rng(seed)
    flow = rng.normal(0, 2, (*shape, 2)).astype(np.float32)
    grid = Grid(flow, rng.random(shape) < 0.9, points)
    clusterer = QuadraticLayers(model=model) if model != "affine" else AffineLayers()
    mixture = Mixture(grid, clusterer._terms(), 0.7, 0.2, smoothness)
    mixture.motions, mixture.scales = rng.normal(0, 1, (layers, 12)), rng.uniform(0.5, 2, layers)
    mixture.shares = rng.dirichlet(np.ones(layers + 1))
    mixture.noise, mixture.tolerance = 0.01, 50.0
    before = rng.dirichlet(np.ones(layers + 1), grid.shape).transpose(0, 2, 1).astype(np.float32)
    return mixture, np.ascontiguousarray(before)


@pytest.mark.parametrize(("model", "pull"), [("full", 0.0), ("planar", 0.7), ("affine", 2.0)])
def test_a_round_is_its_twin(model, pull):
    mixture, before = a_mixture(1, model=model, layers=2)
    grid, after = mixture.grid, np.empty_like(before)
    moments = mixture.expect(before, after, np.float32(pull))
    numbers = grid.flow, grid.known, grid.x, grid.y, mixture.motions, mixture.scales, mixture.shares
    weights, expected = twin.expect(*numbers, mixture._outlier_density, pull, before)
    np.testing.assert_allclose(after, weights, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(moments, expected, rtol=2e-4, atol=1e-5)
    pulls = np.zeros_like(weights)
    for (r, k, c), _ in np.ndenumerate(weights[:, :-1]):
        here = grid.flow[:, r, c], mixture.motions[k], mixture.scales[k], grid.x[c], grid.y[r]
        pulls[r, k, c] = twin.density(*here)[1]
    motions = twin.maximise(grid.flow, grid.known, grid.x, grid.y, weights, pulls, mixture.terms, _HOLD)
    mixture._maximise(moments)
    np.testing.assert_allclose(mixture.motions, motions, rtol=1e-3, atol=1e-3)
    misfit = np.sqrt(expected[:, :, 12].sum(axis=0) / (2 * weights[:, :-1].sum(axis=(0, 2))))
    np.testing.assert_allclose(mixture.scales, misfit, rtol=1e-3)


def test_a_difference_of_motions_is_that_of_their_flows():
    rng = np.random.default_rng(2)
    a, b, points = rng.normal(0, 1, 12), rng.normal(0, 1, 12), rng.uniform(-1, 1, (50, 2))
    powers = np.array([[1, x, y, x * x, x * y, y * y] for x, y in points])
    apart = [np.subtract(twin.speed_of(a, x, y), twin.speed_of(b, x, y)) for x, y in points]
    assert _difference(a, b, powers.T @ powers) == pytest.approx(np.sqrt(np.mean(np.sum(np.square(apart), axis=1))))


@pytest.mark.parametrize("step", [1, 3])
def test_judging_is_its_twin(step):
    mixture, _ = a_mixture(3, shape=(23, 31), points=23 * 31 // step**2)
    grid, mixture.shares = mixture.grid, np.array([0.2, 0.1, 0.1, 0.6])
    assert grid.step == step
    rng = np.random.default_rng(4)
    mixture.weights = rng.dirichlet(np.ones(4), grid.shape).transpose(0, 2, 1).astype(np.float32)
    flow, valid = rng.normal(0, 2, (23, 31, 2)).astype(np.float32), rng.random((23, 31)) < 0.9
    found = mixture.decide(flow, valid)
    numbers = grid.all_x, grid.all_y, mixture.motions, mixture.scales, mixture.shares, mixture._outlier_density
    expected, lead = twin.decide(flow, valid, *numbers, 0.7, mixture.weights, grid.first, step)
    sure = lead > 1.001
    assert sure.mean() > 0.95
    np.testing.assert_array_equal(found[sure], expected[sure])
    assert len(np.unique(found)) == 5


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 14), st.integers(1, 6), st.floats(0, 1))
def test_pieces_are_their_twin(seed, rows, columns, least, clumped):
    rng = np.random.default_rng(seed)
    layer = rng.integers(0, 5, (rows, columns), np.uint8)
    layer[rng.random((rows, columns)) < clumped] = rng.integers(0, 5)
    layer[rng.random((rows, columns)) < 0.05] = 255
    groups = np.array([0, 1, 1, 3, 5], np.uint8)
    expected = twin.pieces(layer, groups, least)
    if expected is None:
        return
    labels = pieces_of(layer, groups, least)
    found = {
        frozenset(zip(*map(np.ndarray.tolist, np.nonzero(labels == n)), strict=True))
        for n in np.unique(labels[labels > 0])
    }
    assert found == expected


@pytest.mark.parametrize("clusterer", ALL, ids=repr)
@pytest.mark.parametrize("camera", [TILTED, None], ids=["camera", "none"])
@pytest.mark.parametrize("seed", [0, 1])
def test_two_things_are_found_among_noise_and_outliers(clusterer, camera, seed):
    flow, disc, box = two_things(seed=seed)
    labels = clusterer.segment(flow, camera=camera)
    numbers = [int(np.bincount(labels[thing])[1:].argmax()) + 1 for thing in (disc, box)]
    assert len(set(numbers)) == 2
    for number, thing in zip(numbers, (disc, box), strict=True):
        assert mask_iou(labels == number, thing) > 0.9


def test_three_things_and_a_coarse_grid():
    flow, disc, box = two_things((360, 480), outliers=0.03)
    third = np.zeros((360, 480), bool)
    third[220:320, 300:440] = True
    flow[third] += np.float32([8, 8])
    assert Grid(flow, third).step > 1
    labels = AffineLayers().segment(flow, camera=TILTED)
    for thing in (disc, box, third):
        assert mask_iou(labels == np.bincount(labels[thing])[1:].argmax() + 1, thing) > 0.9


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.floats(-8, 8), st.floats(-8, 8), st.booleans())
def test_what_the_camera_adds_changes_nothing(seed, u, v, mirrored):
    flow, *_ = two_things(seed=seed, camera=np.eye(3))
    expected = AffineLayers().segment(flow) > 0
    pan = flow + np.float32([u, v])
    assert mask_iou(AffineLayers().segment(pan) > 0, expected) > 0.95
    if mirrored:
        turned = AffineLayers().segment(np.ascontiguousarray(flow[:, ::-1] * np.float32([-1, 1]))) > 0
        assert mask_iou(turned[:, ::-1], expected) > 0.95


@pytest.mark.parametrize("clusterer", ALL, ids=repr)
def test_a_camera_alone_moves_nothing(clusterer):
    shape, rng = (120, 160), np.random.default_rng(0)
    for motion in (np.eye(3), np.array([[1, 0.02, 4], [-0.02, 1, 7], [0, 0, 1]]), TILTED):
        for noise in (0, 0.2):
            flow = transform_flow(motion, shape) + rng.normal(0, noise, (*shape, 2)).astype(np.float32)
            assert not clusterer.segment(flow, camera=motion).any()
            assert not clusterer.segment(flow).any()


def test_near_ground_that_has_much_of_the_border_is_the_world():
    x, y = place((120, 160))
    flow = np.zeros((120, 160, 2), np.float32)
    flow[75:, :, 0] = 4
    thing = (abs(x - 60) < 14) & (abs(y - 40) < 14)
    flow[thing] = 0, 6
    assert mask_iou(AffineLayers().segment(flow) > 0, thing) > 0.9
    flow[75:] = 0
    flow[110:, :120] = 4, 0  # less than a third of the border, most of one side
    assert mask_iou(AffineLayers().segment(flow) > 0, thing) > 0.9
    flow[110:] = 0
    flow[(x + y < 50) | (x + y > 230)] = 4, 0  # two corners: no more than two fifths of any side
    assert mask_iou(AffineLayers().segment(flow) > 0, thing) > 0.9


def test_layers_that_come_to_move_alike_are_merged():
    flow, *_ = two_things(outliers=0)
    mixture = Mixture(Grid(flow, np.ones(flow.shape[:2], bool)), AffineLayers()._terms(), 0.7, 0.2, 1.0)
    mixture.start(5, 0.002)
    mixture.motions = np.repeat(mixture.motions, 2, axis=0) + np.tile([0, 0.05], len(mixture.motions))[:, None]
    mixture.scales, n = np.repeat(mixture.scales, 2), len(mixture.motions)
    mixture.shares = np.append(np.repeat(mixture.shares[:-1], 2) / 2, 0.1)
    mixture.fit(0.002)
    assert len(mixture.motions) == 3 < n
    assert mixture.shares.sum() == pytest.approx(1)


def test_outliers_do_not_set_the_scale():
    scales = []
    for outliers in (0, 0.05):
        flow, *_ = two_things(outliers=outliers)
        grid = Grid(flow, np.ones(flow.shape[:2], bool))
        mixtures = [Mixture(grid, AffineLayers()._terms(), 0.3, contrast, 1.0) for contrast in (0.2, 0)]
        for mixture in mixtures:
            mixture.start(5, 0.002)
        scales.append((mixtures[0].tolerance, mixtures[1].noise))
    np.testing.assert_allclose(scales[0], scales[1], rtol=0.15)
    assert scales[1][1] == pytest.approx(0.15, rel=0.15)


def test_what_turns_is_one_thing_and_what_parts_is_two():
    x, y = place((120, 160))
    disc = (x - 80) ** 2 + (y - 60) ** 2 < 35**2
    flow = np.zeros((120, 160, 2), np.float32)
    flow[disc] = np.stack([9 + 1e-3 * (x - 80) ** 2, 4 + 0.08 * (x - 80)], axis=-1)[disc]
    labels = AffineLayers().segment(flow)
    assert labels.max() == 1
    assert mask_iou(labels > 0, disc) > 0.9
    flow[disc] = 14, 0
    flow[disc & (x < 80)] = 10, 0
    assert AffineLayers().segment(flow).max() == 1
    flow[disc & (x < 80)] = -6, 0
    assert AffineLayers().segment(flow).max() == 2


def test_contrast_and_floor_are_what_they_say():
    flow = np.zeros((120, 160, 2), np.float32)
    flow[20:60, 20:60], flow[70:100, 90:130] = (30, 0), (2, 0)
    assert AffineLayers().segment(flow).max() == 1
    assert AffineLayers(contrast=0).segment(flow).max() == 2
    assert AffineLayers(contrast=0, floor=5).segment(flow).max() == 1
    assert AffineLayers(contrast=0, min_share=0.07).segment(flow).max() == 1


def test_neighbours_pull():
    flow, disc, box = two_things(noise=1.5, outliers=0, camera=np.eye(3))
    ious = [mask_iou(AffineLayers(smoothness=s).segment(flow) > 0, disc | box) for s in (0, 1.5)]
    assert ious[1] > max(0.9, ious[0])


def test_threads_change_nothing():
    flow, *_ = two_things((360, 480))
    before, answers = motionseg.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            motionseg.set_num_threads(n)
            answers.append(QuadraticLayers().segment(flow))
    finally:
        motionseg.set_num_threads(before)
    assert answers[0].any()
    assert all(np.array_equal(answers[0], other) for other in answers)


@pytest.mark.parametrize("numbers", [{"layers": 1}, {"layers": 13}, {"floor": 0}, {"contrast": 1.1}, {"smoothness": -1},
                                     {"min_share": 0.6}])  # fmt: skip
@pytest.mark.parametrize("cls", [AffineLayers, QuadraticLayers])
def test_parameters_are_checked(cls, numbers):
    with pytest.raises(ParameterError, match=next(iter(numbers))):
        cls(**numbers)
    with pytest.raises(ParameterError, match="model"):
        QuadraticLayers(model="cubic")
