"""Optical flow: which of the five benchmarks lie below a root, their pairs, and what is missing of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg.core.errors import SourceError
from motionseg.datasets.base import FlowTruth
from motionseg.datasets.flow import Flow
from motionseg.io import write_flow

FLOW = np.dstack([np.full((3, 4), 1.5, np.float32), np.full((3, 4), -2, np.float32)])


def picture(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((3, 4, 3), value, np.uint8))


def middlebury(root):
    for number in (9, 10, 11):
        picture(root / f"other-data/Venus/frame{number:02d}.png", number)
    picture(root / "other-data/Walking/frame10.png", 10)  # its truth is not public
    write_flow(root / "other-gt-flow/Venus/flow10.flo", FLOW)


def kitti(root, images="image_2", truths=("flow_occ", "flow_noc"), numbers=(2, 10)):
    for number in numbers:
        for moment in (10, 11):
            picture(root / f"training/{images}/{number:06d}_{moment}.png", moment)
        for k, truth in enumerate(truths):
            valid = np.zeros((3, 4), bool)
            valid[0, : 4 - k] = True
            write_flow(root / f"training/{truth}/{number:06d}_10.png", FLOW, valid)


def sintel(root, n=11):
    for i in range(1, n + 1):
        for render_pass in ("clean", "final", "albedo"):
            picture(root / f"training/{render_pass}/alley_1/frame_{i:04d}.png", i)
        if i < n:
            write_flow(root / f"training/flow/alley_1/frame_{i:04d}.flo", FLOW * np.float32(i))
    picture(root / "test/clean/cave_1/frame_0001.png", 1)


def chairs(root, names=("00001", "00002")):
    for name in names:
        picture(root / f"data/{name}_img1.ppm", 1)
        picture(root / f"data/{name}_img2.ppm", 2)
        write_flow(root / f"data/{name}_flow.flo", FLOW)


def values(sequence):
    return [int(frame[0, 0, 0]) for frame in sequence.frames]


def test_middlebury(tmp_path):
    middlebury(tmp_path)
    dataset = Flow(tmp_path)
    assert dataset.task == "flow"
    (venus,) = dataset
    assert venus.full_name == "Middlebury/Venus"
    assert values(venus) == [10, 11]
    assert venus.judged == [0]
    truth = venus.truth[0]
    assert isinstance(truth, FlowTruth)
    assert (truth.flow == FLOW).all()
    assert truth.valid.all()
    assert venus.problems == []
    assert dataset.result_path(venus, 0) == "Venus/flow10.flo"


@pytest.mark.parametrize(
    ("images", "category", "result"),
    [
        ("image_2", "KITTI2015", "flow/000010_10.png"),
        ("colored_0", "KITTI2012", "000010_10.png"),
        ("image_0", "KITTI2012", "000010_10.png"),
    ],
)
def test_kitti(tmp_path, images, category, result):
    kitti(tmp_path / "KITTI", images)
    for root in (tmp_path / "KITTI", tmp_path / "KITTI/training", tmp_path):
        dataset = Flow(root)
        assert [s.full_name for s in dataset] == [f"{category}/000002", f"{category}/000010"]
        sequence = dataset["000010"]
        assert values(sequence) == [10, 11]
        assert sequence.truth[0].valid.sum() == 4  # flow_occ
        assert sequence.truth[0].flow[0, 0].tolist() == [1.5, -2]
        assert dataset.result_path(sequence, 0) == result
        assert sequence.problems == []


def test_kitti_without_flow_occ(tmp_path):
    kitti(tmp_path, truths=("flow_noc",))
    sequence = Flow(tmp_path)["000002"]
    assert sequence.truth[0].valid.sum() == 4
    assert sequence.problems == []
    kitti(tmp_path)  # and where both are there, but one file is not
    (tmp_path / "training/flow_occ/000002_10.png").unlink()
    assert Flow(tmp_path)["000002"].truth[0].valid.sum() == 3


def test_sintel(tmp_path):
    sintel(tmp_path)
    dataset = Flow(tmp_path)
    clean, final = dataset
    assert (clean.full_name, final.full_name) == ("Sintel/clean/alley_1", "Sintel/final/alley_1")
    assert values(clean) == list(range(1, 12))
    assert clean.judged == list(range(10))
    assert [clean.truth[i].flow[0, 0, 0] for i in (0, 9)] == [1.5, 15]
    assert clean.truth[0].valid.all()
    assert clean.problems == []
    assert dataset.result_path(final, 9) == "final/alley_1/frame0010.flo"


def test_sintel_invalid_pixels(tmp_path):
    sintel(tmp_path, n=3)
    mask = np.zeros((3, 4), np.uint8)
    mask[1, 2] = 255
    picture(tmp_path / "training/invalid/alley_1/frame_0001.png", 0)
    cv2.imwrite(str(tmp_path / "training/invalid/alley_1/frame_0001.png"), mask)
    picture(tmp_path / "training/invalid/alley_1/frame_0002.png", 0)
    cv2.imwrite(str(tmp_path / "training/invalid/alley_1/frame_0002.png"), mask.T)
    clean, final = Flow(tmp_path)
    for sequence in (clean, final):
        assert (sequence.truth[0].valid == (mask == 0)).all()
        with pytest.raises(SourceError, match=r"invalid.alley_1.frame_0002\.png: 3x4 pixels"):
            sequence.truth[1]


def test_sintel_with_gaps(tmp_path):
    sintel(tmp_path)
    (tmp_path / "training/clean/alley_1/frame_0005.png").unlink()
    (tmp_path / "training/flow/alley_1/frame_0008.flo").unlink()
    clean, final = Flow(tmp_path)
    assert values(clean) == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    by_number = {values(clean)[i]: clean.truth[i].flow[0, 0, 0] / 1.5 for i in clean.judged}
    assert by_number == {n: n for n in (1, 2, 3, 6, 7, 9, 10)}  # not 4: its flow leads to a frame that is not here
    assert clean.problems == [
        "flow/alley_1: 1 of 9 judged frames have no file (first: frame_0008.png)",
        "flow/alley_1: 1 of 9 files have no frame (first: frame_0005.flo)",
        "clean/alley_1: 1 frames lack the next one (first: frame_0004.png)",
    ]
    assert final.judged == [0, 1, 2, 3, 4, 5, 6, 8, 9]


def test_flying_chairs(tmp_path):
    chairs(tmp_path / "FlyingChairs_release", ("00010", "00002"))
    for root in (tmp_path, tmp_path / "FlyingChairs_release", tmp_path / "FlyingChairs_release/data"):
        dataset = Flow(root)
        assert [s.full_name for s in dataset] == ["FlyingChairs/00002", "FlyingChairs/00010"]
        sequence = dataset["00010"]
        assert values(sequence) == [1, 2]
        assert (sequence.truth[0].flow == FLOW).all()
        assert dataset.result_path(sequence, 0) == "00010_flow.flo"


def test_several_side_by_side(tmp_path):
    middlebury(tmp_path / "Middlebury")
    kitti(tmp_path / "2012", "colored_0", numbers=(2,))
    kitti(tmp_path / "2015", "image_2", numbers=(2,))
    sintel(tmp_path / "Sintel", n=2)
    chairs(tmp_path / "chairs", ("00001",))
    dataset = Flow(tmp_path)
    categories = ["Middlebury", "KITTI2012", "KITTI2015", "Sintel/clean", "Sintel/final", "FlyingChairs"]
    assert [s.category for s in dataset] == categories
    assert len({dataset.result_path(s, 0) for s in dataset}) == 6
    assert len({s.full_name for s in dataset}) == 6


def test_missing_and_damaged_files(tmp_path):
    kitti(tmp_path, truths=("flow_occ",))
    middlebury(tmp_path)
    (tmp_path / "training/image_2/000002_11.png").unlink()
    (tmp_path / "training/flow_occ/000010_10.png").unlink()
    (tmp_path / "other-gt-flow/Venus/flow10.flo").write_bytes(b"PIEH")
    dataset = Flow(tmp_path)
    assert dataset["000002"].problems == ["image_2/000002_11.png: no such file"]
    assert dataset["000002"].judged == [0]
    with pytest.raises(SourceError, match=r"000002_11\.png"):
        dataset["000002"].frames[1]
    assert dataset["000010"].problems == ["flow_occ/000010_10.png: no such file"]
    assert dataset["000010"].judged == []
    with pytest.raises(SourceError, match=r"Venus.flow10\.flo"):
        dataset["Venus"].truth[0]


def test_the_wrong_folder(tmp_path):
    picture(tmp_path / "training/image_2/000000_10.png", 1)  # pictures without truth: the stereo part alone
    with pytest.raises(SourceError, match=r"looked for other-gt-flow/<sequence>/flow10\.flo"):
        Flow(tmp_path).sequences()


@pytest.mark.data
def test_real_pairs(data_root):
    whale, first, second = Flow(data_root / "flow")
    assert [s.full_name for s in (whale, first, second)] == [
        "Middlebury/RubberWhale",
        "KITTI2012/000045",
        "KITTI2012/000157",
    ]
    for sequence in (whale, first, second):
        truth = sequence.truth[0]
        assert truth.valid.shape == sequence.frames[0].shape[:2] == sequence.frames[1].shape[:2]
        assert sequence.problems == []
    assert whale.truth[0].valid.mean() > 0.97
    assert 0.1 < first.truth[0].valid.mean() < 0.5
    # Truth of RubberWhale is small, and warping the second frame back by it makes it like the first.
    flow = whale.truth[0].flow
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    before, after = (frame.astype(np.float32) for frame in whale.frames)
    warped = cv2.remap(after, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    valid = whale.truth[0].valid
    assert np.abs(warped - before)[valid].mean() < 0.6 * np.abs(after - before)[valid].mean()
