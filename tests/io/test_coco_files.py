"""The result files of COCO and YouTube-VIS."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, OutputError, SourceError
from motionseg.core.rle import decode_labels
from motionseg.io import (
    coco_results,
    read_coco,
    read_youtube_vis,
    write_coco,
    write_youtube_vis,
    youtube_vis_results,
)

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))
masks = shapes.flatmap(lambda shape: hnp.arrays(np.bool_, shape))
pictures = shapes.flatmap(lambda shape: hnp.arrays(np.int32, shape, elements=st.integers(0, 4)))


@given(st.lists(pictures, max_size=3), st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4))
def test_coco_comes_back(tmp_path_factory, images, scores):
    path = tmp_path_factory.mktemp("coco") / "new" / "a.json"
    scores = np.array(scores, np.float32)
    results = [r for i, labels in enumerate(images) for r in coco_results(i, labels, scores, category_id=3)]
    write_coco(path, results)
    read = read_coco(path)
    assert read == results
    for i, labels in enumerate(images):
        of_image = [r for r in read if r["image_id"] == i]
        present = np.setdiff1d(labels, 0)
        rles = {label: r["segmentation"] for label, r in zip(present.tolist(), of_image, strict=True)}
        np.testing.assert_array_equal(decode_labels(rles, labels.shape), labels)
        np.testing.assert_array_equal(np.array([r["score"] for r in of_image], np.float32), scores[present - 1])
        for label, result in zip(present, of_image, strict=True):
            ys, xs = np.nonzero(labels == label)
            assert result["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]


@given(st.lists(hnp.arrays(np.int32, (3, 5), elements=st.sampled_from([0, 2, 900])), max_size=4))
def test_youtube_vis_comes_back(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("vis") / "new" / "a.json"
    results = youtube_vis_results(12, frames, {2: 0.25, 900: np.float32(0.75), 7: 1.0})
    write_youtube_vis(path, results)
    read = read_youtube_vis(path)
    assert read == results
    present = sorted(set().union(*(set(f.ravel().tolist()) for f in frames)) - {0})
    assert [r["score"] for r in read] == [{2: 0.25, 900: 0.75}[id] for id in present]
    for t, labels in enumerate(frames):
        masks = {id: r["segmentations"][t] for id, r in zip(present, read, strict=True)}
        np.testing.assert_array_equal(decode_labels(masks, labels.shape), labels)
        assert [id for id, mask in masks.items() if mask is None] == [id for id in present if id not in labels]


def test_a_label_without_score_is_told():
    labels = np.array([[0, 3]], np.int32)
    with pytest.raises(FrameError, match="2 scores"):
        coco_results(1, labels, np.ones(2))
    with pytest.raises(FrameError, match="object 3"):
        youtube_vis_results(1, [labels], {1: 0.5})


_RLE = {"size": [1, 2], "counts": "11"}
_COCO = {"image_id": 1, "category_id": 1, "score": 0.5, "segmentation": _RLE}
_VIS = {"video_id": 1, "category_id": 1, "score": 0.5, "segmentations": [None, _RLE]}


@pytest.mark.parametrize(
    ("write", "read", "good", "changes"),
    [
        (write_coco, read_coco, _COCO, {"image_id": "1", "category_id": None, "score": "high", "segmentation": []}),
        (
            write_youtube_vis,
            read_youtube_vis,
            _VIS,
            {"video_id": -1, "category_id": 1.5, "score": None, "segmentations": [{}]},
        ),
    ],
)
def test_a_bad_result_has_a_number(tmp_path, write, read, good, changes):
    path = tmp_path / "a.json"
    for key, value in changes.items():
        missing = {k: v for k, v in good.items() if k != key}
        for bad in ({**good, key: value}, missing):
            with pytest.raises(OutputError, match=r"a\.json: result 1: "):
                write(path, [good, bad])
            assert not path.exists()
            path.write_text(json.dumps([good, bad]))
            with pytest.raises(SourceError, match=r"a\.json: result 1: "):
                read(path)
            path.unlink()
    with pytest.raises(OutputError, match=r"result 0: object has no place"):
        write(path, [{**good, "more": object()}])
    for content in (b"", b"{}", b"[1]", b'[{"image_id', b"\xff\xfe\x00", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=r"a\.json: "):
            read(path)
    write(path, [])
    assert read(path) == []


def test_numbers_of_numpy_and_bytes_are_written(tmp_path):
    rle = {"size": [1, 2], "counts": b"11"}
    result = {"image_id": np.int64(3), "category_id": 1, "score": np.float32(0.5), "segmentation": rle}
    write_coco(tmp_path / "a.json", [result, result])
    assert (tmp_path / "a.json").read_text().count("\n") == 2  # a line for each
    assert read_coco(tmp_path / "a.json")[0] == {**_COCO, "image_id": 3}


@pytest.mark.parametrize(
    "bad", [None, {}, {"size": [2, 2]}, {"size": [2, 2], "counts": "5"}, {"size": [2], "counts": "4"}]
)
def test_a_bad_mask_has_a_number(tmp_path, bad):
    good = {"image_id": 1, "category_id": 1, "score": 0.5, "segmentation": {"size": [2, 2], "counts": "4"}}
    (tmp_path / "a.json").write_text(json.dumps([good, {**good, "segmentation": bad}]))
    with pytest.raises(SourceError, match=r"a\.json: result 1: .*encoded mask"):
        read_coco(tmp_path / "a.json")
