import sys

import numpy as np
import pytest

from motionseg.core.errors import MissingExtraError
from motionseg.core.rle import decode_rle
from motionseg.core.types import Regions, Segmentation, Tracks, TrackState


def regions():
    boxes = np.array([[1, 2, 5, 8], [6, 0, 8, 3]], np.float32)
    return Regions(boxes, np.array([24, 6]), boxes[:, :2] + 1, np.array([0.9, 0.6], np.float32), np.ones((2, 3), "f4"))


def tracks():
    boxes = np.array([[1, 2, 5, 8], [6, 0, 8, 3], [0, 0, 1, 1]], np.float32)
    states = np.array([TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.OCCLUDED], np.uint8)
    return Tracks(1.5, np.array([3, 4, 9]), boxes, np.array([1, 2, 0], np.int32), np.array([24, 6, 7]),
                  np.array([0.9, 0.6, 0.5], np.float32), np.zeros((3, 2), np.float32), states)  # fmt: skip


def test_empty_columns_have_the_promised_shapes():
    assert Regions().boxes.shape == (0, 4)
    assert len(Regions()) == len(Tracks()) == 0
    assert Tracks().velocities.shape == (0, 2)
    assert len(Regions().to_dataframe()) == len(Tracks().to_dataframe()) == 0


def test_tracks_are_selected_by_rows():
    assert tracks().visible.ids.tolist() == [4]
    assert tracks()[::-1].ids.tolist() == [9, 4, 3]
    assert tracks()[np.array([True, False, True])].time == 1.5


def test_facts_are_frozen():
    with pytest.raises(AttributeError):
        tracks().ids = np.arange(3)


def test_dataframes():
    frame = tracks().to_dataframe()
    assert list(frame.columns) == [
        *("time", "id", "x0", "y0", "x1", "y1", "area", "score", "vx", "vy", "parent", "state")
    ]
    assert frame["state"].tolist() == ["tentative", "confirmed", "occluded"]
    assert regions().to_dataframe().loc[1, ["label", "x0", "area"]].tolist() == [2, 6, 6]


@pytest.mark.parametrize(
    ("call", "library"),
    [
        (lambda: tracks().to_supervision(), "supervision"),
        (lambda: tracks().to_dataframe(), "pandas"),
    ],
)
def test_a_missing_library_is_named_with_the_command(monkeypatch, call, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=f"pip install {library}"):
        call()


def test_supervision_gets_our_columns(monkeypatch):
    class Detections:
        def __init__(self, **columns):
            vars(self).update(columns)

    monkeypatch.setitem(sys.modules, "supervision", type(sys)("supervision"))
    sys.modules["supervision"].Detections = Detections
    labels = np.zeros((8, 8), np.int32)
    labels[2:4, 1:3], labels[0, 6] = 3, 4
    found = tracks().to_supervision(labels)
    assert found.tracker_id.tolist() == [3, 4, 9]
    assert found.mask.sum(axis=(1, 2)).tolist() == [4, 1, 0]
    assert found.xyxy.shape == (3, 4)


def test_coco_annotations():
    labels = np.zeros((9, 9), np.int32)
    labels[2:8, 1:5] = 1
    one = Regions(**{name: column[:1] for name, column in vars(regions()).items()})
    (annotation,) = Segmentation(7, 0.28, np.zeros((9, 9), np.uint8), labels=labels, regions=one).to_coco()
    assert annotation["bbox"] == [1, 2, 4, 6]
    assert (annotation["image_id"], annotation["id"], annotation["area"]) == (7, 1, 24)
    np.testing.assert_array_equal(decode_rle(annotation["segmentation"]), labels == 1)


def test_track_labels_last():
    labels = np.array([[0, 1, 2, 3]], np.int32)
    tracks = Tracks(
        ids=np.array([7, 4, 9]),
        boxes=np.zeros((3, 4), np.float32),
        labels=np.array([2, 0, 1], np.int32),
        areas=np.zeros(3, np.int64),
        scores=np.zeros(3, np.float32),
        velocities=np.zeros((3, 2), np.float32),
        states=np.full(3, TrackState.CONFIRMED, np.uint8),
    )
    mask = np.array([[0, 255, 255, 255]], np.uint8)
    assert Segmentation(0, 0.0, mask, labels=labels, tracks=tracks).track_labels().tolist() == [[0, 9, 7, 0]]
    assert Segmentation(0, 0.0, mask, labels=labels).track_labels().tolist() == [[0, 1, 2, 3]]
    assert Segmentation(0, 0.0, mask).track_labels().tolist() == [[0, 1, 1, 1]]
