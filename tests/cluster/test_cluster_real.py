"""On real sequences parts lie on the things that move, and keep their numbers."""

import cv2
import numpy as np
import pytest

from motionseg.cluster import LabelIdentity, SpectralTrajectories
from motionseg.core import catalog
from motionseg.datasets import DAVIS2016

pytestmark = pytest.mark.data
SMALL = (427, 240)


def flows(data_root, name, start, stop):
    """Frames, flows, cameras and truths of frames `start` to `stop`, at half size."""
    sequence = DAVIS2016(data_root / "DAVIS")[name]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    small = [cv2.resize(sequence.frames[i], SMALL, interpolation=cv2.INTER_AREA) for i in range(start, stop + 1)]
    y, x = np.mgrid[4:240:8, 4:427:8]
    places = np.stack([x, y], axis=2).reshape(-1, 2).astype(np.float32)
    for i in range(stop - start):
        grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in small[i : i + 2]]
        flow = np.asarray(search.calc(*grey, None))
        camera = cv2.findHomography(places, places + flow[y, x].reshape(-1, 2), cv2.RANSAC, 1.0)[0]
        truth = (
            cv2.resize(np.asarray(sequence.truth[start + i] > 0, np.uint8), SMALL, interpolation=cv2.INTER_NEAREST) > 0
        )
        yield small[i], flow, camera, truth


@pytest.mark.parametrize("name", catalog.names("cluster"))
def test_a_car_is_found_by_every_method(name, data_root):
    frame, flow, camera, truth = next(flows(data_root, "car-turn", 40, 41))
    found = catalog.find("cluster", name)().segment(flow, camera=camera, frame=frame) > 0
    assert np.count_nonzero(found & truth) > 0.5 * np.count_nonzero(found | truth)


def test_a_walker_keeps_his_number(data_root):
    clusterer, identity, numbers = SpectralTrajectories(), LabelIdentity(), []
    for frame, flow, camera, truth in flows(data_root, "hike", 0, 12):
        labels = identity.update(clusterer.segment(flow, camera=camera, frame=frame), flow)
        numbers.append(int(np.bincount(labels[truth]).argmax()))
    assert numbers.count(numbers[-1]) >= 10
    assert numbers[-1] > 0
