"""Motion boundaries and the votes of rays are those of the slow twins, and enclose what moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from reference import inside_outside as slow

import motionseg
from motionseg.cluster import InsideOutside, inside_votes, motion_boundaries
from motionseg.core.errors import FrameError, ParameterError

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=14)


def scene(noise=0.3):
    flow = np.random.default_rng(0).normal(0, noise, (40, 50, 2)).astype(np.float32)
    flow[12:30, 15:36] += np.float32([4, -2])
    return flow


@pytest.mark.parametrize("numbers", [{}, {"reach": 1, "steepness": 2.0, "turning": 0.3}, {"reach": 50}])
def test_boundaries_are_those_of_the_twin(numbers):
    flow = scene()
    found, expected = motion_boundaries(flow, **numbers), slow.motion_boundaries(flow, **numbers)
    assert found.dtype == np.float32
    assert (expected > 0).mean() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-3)


@given(SHAPES.flatmap(lambda shape: arrays(bool, shape)))
@settings(max_examples=60, deadline=None)
def test_votes_are_those_of_the_twin(edges):
    assert np.array_equal(inside_votes(edges), slow.inside_votes(edges))


@given(SHAPES.flatmap(lambda shape: arrays(bool, shape)), st.integers(0, 3), st.booleans())
@settings(max_examples=30, deadline=None)
def test_votes_turn_with_the_picture(edges, turns, mirrored):
    turned = np.rot90(edges.T if mirrored else edges, turns)
    votes = inside_votes(edges)
    assert np.array_equal(inside_votes(turned), np.rot90(votes.T if mirrored else votes, turns))


def test_votes_of_a_closed_outline():
    edges = np.zeros((60, 70), bool)
    edges[10:40, 20:50] = True
    edges[13:37, 23:47] = False
    votes = inside_votes(edges)
    assert (votes[13:37, 23:47] == 8).all()
    assert votes[:10].max() < 5
    edges[20:24] = False  # gaps at both sides
    assert (inside_votes(edges)[25:37, 23:47] >= 5).all()


def test_strengths_above_a_half_are_boundaries():
    strengths = np.random.default_rng(0).random((20, 30))
    assert np.array_equal(inside_votes(strengths.astype(np.float32)), inside_votes(strengths > 0.5))


def test_results_do_not_depend_on_threads():
    flow = np.random.default_rng(0).normal(0, 1, (300, 400, 2)).astype(np.float32)
    before = motionseg.get_num_threads()
    try:
        answers = []
        for n in (1, 3):
            motionseg.set_num_threads(n)
            boundaries = motion_boundaries(flow)
            answers.append((boundaries, inside_votes(boundaries)))
    finally:
        motionseg.set_num_threads(before)
    assert all(np.array_equal(a, b) for a, b in zip(*answers, strict=True))


def test_what_stands_still_is_not_inside():
    flow = np.full((70, 80, 2), 0.01, np.float32)
    flow[15:55, 20:60] = 6, 0
    flow[21:49, 26:54] = 0.01  # a ring of twice the reach is one boundary
    assert (InsideOutside(floor=0).segment(flow)[27:43, 32:48] == 1).all()
    assert not InsideOutside().segment(flow)[27:43, 32:48].any()


@pytest.mark.parametrize("bad", [np.zeros((3, 3), np.uint8), np.zeros(3, bool), np.zeros((0, 4), bool), None])
def test_bad_boundaries_are_refused(bad):
    with pytest.raises(FrameError, match="boundaries are a bool or float array"):
        inside_votes(bad)


def test_bad_numbers_are_refused():
    flow = scene()
    for bad in ({"reach": 0}, {"steepness": 0}, {"turning": np.nan}):
        with pytest.raises(ParameterError, match=next(iter(bad))):
            motion_boundaries(flow, **bad)
    with pytest.raises(FrameError):
        motion_boundaries(flow[..., 0])
