"""SegTrack v2: one mask per frame or one per object, whatever the files are called."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg.core.errors import SourceError
from motionseg.datasets.segtrack import SegTrack


def write(path, image):
    """Any format that cv2 writes, also ppm and bmp; BGR."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def mask(*columns, width=6):
    """Grey levels, 255 in some columns; a soft border to the right of them."""
    picture = np.zeros((3, width), np.uint8)
    picture[:, list(columns)] = 255
    return picture


@pytest.fixture
def root(tmp_path):
    for i, number in enumerate((8, 9, 10)):
        write(tmp_path / f"JPEGImages/girl/girl2_{number}.png", np.full((3, 6, 3), i, np.uint8))
        write(tmp_path / f"GroundTruth/girl/{number:05d}.bmp", mask(i))
        write(tmp_path / f"JPEGImages/bmx/bmx_{number:05d}.bmp", np.full((3, 6, 3), i, np.uint8))
        write(tmp_path / f"GroundTruth/bmx/1/bmx_{number:05d}.png", mask(0, 1))
        write(tmp_path / f"GroundTruth/bmx/10/bmx_{number:05d}.png", mask(3))
        write(tmp_path / f"GroundTruth/bmx/2/bmx_{number:05d}.bmp", mask(1, 2))
    (tmp_path / "GroundTruth/girl/Thumbs.db").write_bytes(b"")
    return tmp_path


def test_one_object(root):
    dataset = SegTrack(root)
    assert dataset.task == "foreground"
    assert [s.name for s in dataset] == ["bmx", "girl"]
    girl = dataset["girl"]
    assert [frame[0, 0, 0] for frame in girl.frames] == [0, 1, 2]
    assert girl.judged == [0, 1, 2]
    for i in range(3):
        assert girl.truth[i].dtype == np.int32
        assert girl.truth[i][1].tolist() == [int(x == i) for x in range(6)]
    assert girl.problems == []
    assert dataset.result_path(girl, 2) == "girl/girl2_10.png"


def test_several_objects_keep_their_numbers(root):
    truth = SegTrack(root)["bmx"].truth[0]
    assert truth[0].tolist() == [1, 2, 2, 10, 0, 0]


def test_half_of_a_soft_border_is_the_object(root):
    soft = np.array([[0, 1, 127, 128, 254, 255]], np.uint8)
    write(root / "GroundTruth/girl/00008.bmp", soft)
    assert SegTrack(root)["girl"].truth[0].tolist() == [[0, 0, 0, 1, 1, 1]]


def test_damage(root):
    (root / "GroundTruth/bmx/2/bmx_00009.bmp").unlink()
    (root / "JPEGImages/girl/girl2_9.png").unlink()
    (root / "GroundTruth/girl/00010.bmp").write_bytes(b"BM")
    write(root / "GroundTruth/bmx/10/bmx_00010.png", mask(3, width=7))
    bmx, girl = SegTrack(root)
    assert bmx.judged == [0, 2]
    assert bmx.problems == ["GroundTruth/bmx/2: 1 of 3 judged frames have no file (first: bmx_00009.bmp)"]
    with pytest.raises(SourceError, match=r"10.bmx_00010\.png: another size"):
        bmx.truth[2]
    assert girl.problems == ["GroundTruth/girl: 1 of 3 files have no frame (first: 00009.bmp)"]
    assert girl.truth[0].any()
    with pytest.raises(SourceError, match=r"00010\.bmp"):
        girl.truth[1]


def test_no_truth_for_a_sequence(root):
    write(root / "JPEGImages/worm/1.png", np.zeros((3, 6, 3), np.uint8))
    worm = SegTrack(root)["worm"]
    assert worm.judged == []
    assert worm.problems == ["GroundTruth/worm: 1 of 1 judged frames have no file (first: 1.png)"]


def test_the_parent_and_the_wrong_folder(root, tmp_path_factory):
    parent = tmp_path_factory.mktemp("parent")
    (parent / "SegTrackv2").symlink_to(root)
    assert len(SegTrack(parent)) == 2
    with pytest.raises(SourceError, match=r"looked for JPEGImages/<sequence>/\*\.png"):
        SegTrack(tmp_path_factory.mktemp("empty")).sequences()
