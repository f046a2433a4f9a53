"""Every catalogued algorithm keeps every promise of its room."""

import cv2
import pytest

from motionseg.core import catalog
from motionseg.testing import BACKGROUND_CHECKS, CAMERA_CHECKS, CLUSTER_CHECKS, LINKER_CHECKS

SLOW = {"opencv_lsbp", "opencv_gsoc"}
CONTRIB = {"opencv_cnt", "opencv_gmg", "opencv_gsoc", "opencv_lsbp", "opencv_mog"}
needs_contrib = pytest.mark.skipif(not hasattr(cv2, "bgsegm"), reason="OpenCV without its contrib modules")


def case(name, check):
    slow = name in SLOW and check.__name__ == "_check_memory_bounded"
    marks = [pytest.mark.slow] * slow + [needs_contrib] * (name in CONTRIB)
    return pytest.param(name, check, id=f"{name}-{check.__name__.removeprefix('_check_')}", marks=marks)


def cases(room, checks):
    return [case(name, check) for name in catalog.names(room) for check in checks]


@pytest.mark.parametrize(("name", "check"), cases("background", BACKGROUND_CHECKS))
def test_background_model(name, check):
    check(catalog.find("background", name)())


@pytest.mark.parametrize(("name", "check"), cases("camera", CAMERA_CHECKS))
def test_camera_motion(name, check):
    check(catalog.find("camera", name)())


@pytest.mark.parametrize(("name", "check"), cases("cluster", CLUSTER_CHECKS))
def test_flow_clusterer(name, check):
    check(catalog.find("cluster", name)())


@pytest.mark.parametrize(("name", "check"), cases("track", LINKER_CHECKS))
def test_linker(name, check):
    check(catalog.find("track", name)())


@pytest.mark.parametrize("room", ["background", "camera", "cluster", "track"])
def test_every_algorithm_says_what_it_is(room):
    for name in catalog.names(room):
        algorithm = catalog.find(room, name)
        assert algorithm.info.paper, name
        assert algorithm.info.good_at, name
        assert algorithm.info.speed in {"very fast", "fast", "medium", "slow"}, name
        assert ">>>" in algorithm.__doc__ or name.startswith("opencv_"), f"{name} has no example"
