"""Every catalogued flow estimator keeps every promise of its room."""

import cv2
import pytest

from motionseg.core import catalog
from motionseg.testing import FLOW_CHECKS

CONTRIB = {"opencv_deepflow", "opencv_pcaflow", "opencv_rlof", "opencv_tvl1"}
SLOW = {"opencv_rlof", "opencv_tvl1"}  # seconds; what the quick suite runs of them is in tests/flow
NAMES = [name for name in catalog.names("flow") if name != "raft"]  # it needs weights: tests/flow/test_raft.py
needs_contrib = pytest.mark.skipif(not hasattr(cv2, "optflow"), reason="OpenCV without its contrib modules")


def case(name, check):
    marks = [needs_contrib] * (name in CONTRIB) + [pytest.mark.slow] * (name in SLOW)
    return pytest.param(name, check, id=f"{name}-{check.__name__.removeprefix('_check_')}", marks=marks)


@pytest.mark.parametrize(("name", "check"), [case(name, check) for name in NAMES for check in FLOW_CHECKS])
def test_flow_estimator(name, check):
    check(catalog.find("flow", name)())


def test_every_estimator_says_what_it_is():
    for name in catalog.names("flow"):
        estimator = catalog.find("flow", name)
        assert estimator.info.paper, name
        assert estimator.info.good_at, name
        assert estimator.info.speed in {"very fast", "fast", "medium", "slow"}, name
        assert ">>>" in estimator.__doc__ or name.startswith("opencv_") or name == "raft", f"{name} has no example"
