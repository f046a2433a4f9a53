import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError
from motionseg.metrics.optical_flow import FlowCounts, count_flow

flows = hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-200, 200, width=32))
valids = hnp.arrays(np.bool_, (3, 4)) | st.none()


@given(flows, flows, valids)
def test_pixel_by_pixel(flow, truth, valid):
    pixels = outliers = 0
    distance = angle = 0.0
    for y in range(3):
        for x in range(4):
            if valid is not None and not valid[y, x]:
                continue
            a, b = np.append(flow[y, x], 1).astype(float), np.append(truth[y, x], 1).astype(float)
            error = math.dist(a, b)
            cosine = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
            pixels, distance = pixels + 1, distance + error
            angle += math.degrees(math.acos(min(1, max(-1, cosine))))
            outliers += error > 3 and error / max(math.hypot(b[0], b[1]), 1e-9) > 0.05
    counts = count_flow(flow, truth, valid)
    assert (counts.pixels, counts.outliers) == (pixels, outliers)
    assert counts.distance == pytest.approx(distance, abs=1e-9)
    assert counts.angle == pytest.approx(angle, abs=1e-4)  # the arc cosine is the inexact one


def test_by_hand():
    truth = np.array([[[0, 0], [100, 0], [1, 0], [0, 10]]], np.float32)
    flow = np.array([[[0, 0], [104, 0], [0, 1], [0, 13.5]]], np.float32)
    counts = count_flow(flow, truth)
    # distances 0, 4, sqrt 2, 3.5: the second is above 3 px but within 5 % of 100
    assert counts.outliers == 1
    assert counts.metrics()["Fl-all"] == 25
    assert counts.epe == pytest.approx((4 + math.sqrt(2) + 3.5) / 4)
    # (1, 0, 1) and (0, 1, 1) are 60 degrees apart
    assert count_flow(flow[:, 2:3], truth[:, 2:3]).angular_error == pytest.approx(60)


def test_equal_flows_have_no_error_at_all():
    flow = np.random.default_rng(0).normal(0, 30, (20, 30, 2)).astype(np.float32)
    assert count_flow(flow, flow) == FlowCounts(pixels=600)


def test_limits_are_excluded():
    truth = np.array([[[0, 0], [80, 0]]], np.float32)
    flow = np.array([[[3, 0], [84, 0]]], np.float32)
    assert count_flow(flow, truth).outliers == 0  # exactly 3 px, exactly 5 %
    truth, flow = np.array([[[60, 0]]], np.float32), np.array([[[63.1, 0]]], np.float32)
    assert count_flow(flow, truth).outliers == 1  # above 5 % of the truth, not of the estimate


def test_parts_add_to_the_whole():
    random = np.random.default_rng(1)
    flow, truth = random.normal(0, 5, (2, 6, 8, 2)).astype(np.float32)
    parts = count_flow(flow[:2], truth[:2]) + count_flow(flow[2:, ::-1], truth[2:, ::-1])
    assert parts.metrics() == pytest.approx(count_flow(flow, truth).metrics())
    assert all(math.isnan(value) for value in FlowCounts().metrics().values())


def test_only_valid_pixels_need_a_number():
    flow, truth = np.zeros((2, 3, 2), np.float32), np.zeros((2, 3, 2), np.float32)
    flow[0, 0, 1], truth[1, 2, 0] = np.nan, np.inf
    valid = np.ones((2, 3), bool)
    valid[0, 0] = valid[1, 2] = False
    assert count_flow(flow, truth, valid).pixels == 4
    with pytest.raises(FrameError, match="flow is not finite at 1 of 6"):
        count_flow(flow, truth)
    with pytest.raises(FrameError, match="truth is not finite at 1 of 6"):
        count_flow(np.zeros_like(truth), truth)


def test_bad_arrays_are_refused():
    flow = np.zeros((2, 3, 2), np.float32)
    with pytest.raises(FrameError, match="truth is a float32"):
        count_flow(flow, flow.astype(float))
    with pytest.raises(FrameError, match="differ"):
        count_flow(flow, flow[:1])
    with pytest.raises(FrameError, match="valid"):
        count_flow(flow, flow, np.ones((2, 3), np.uint8))
