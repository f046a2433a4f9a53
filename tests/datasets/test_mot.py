"""MOTChallenge: boxes by frame, paired with pictures by number, from either layout."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg.core.errors import SourceError
from motionseg.datasets.base import BoxTruth
from motionseg.datasets.mot import MOT
from motionseg.io import write_image

TRUTH = """\
3,7,11,21,30,40,0,8,0.5
1,7,1,1,10,20,1,1,1
3,2,5,5,6.5,7,1,1,0.25
"""


def sequence(folder, *, truth=TRUTH, detections="2,-1,11,11,5,5,0.9\n", info=None, pictures=()):
    for name, text in (("gt/gt.txt", truth), ("det/det.txt", detections), ("seqinfo.ini", info)):
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    for number in pictures:
        write_image(folder / f"img1/{number:06d}.png", np.full((2, 2, 3), number, np.uint8))


def seqinfo(**entries):
    return "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in entries.items())


def test_boxes_by_frame(tmp_path):
    sequence(tmp_path / "MOT16-02", info=seqinfo(name="MOT16-02", imDir="img1", frameRate=30, seqLength=4))
    dataset = MOT(tmp_path)
    assert dataset.task == "boxes"
    (found,) = dataset
    assert found.full_name == "MOT16-02"
    assert found.fps == 30
    assert found.judged == [0, 1, 2, 3]
    assert len(found.frames) == 0
    first, none, two, last = (found.truth[i] for i in range(4))
    assert isinstance(first, BoxTruth)
    assert first.boxes.tolist() == [[0, 0, 10, 20]]
    assert two.ids.tolist() == [7, 2]
    assert two.boxes.tolist() == [[10, 20, 40, 60], [4, 4, 10.5, 11]]
    assert two.scores.tolist() == [0, 1]
    assert two.classes.tolist() == [8, 1]
    for empty in (none, last):
        assert (empty.ids.shape, empty.boxes.shape) == ((0,), (0, 4))
    dtypes = [column.dtype.name for column in vars(none).values()]
    assert dtypes == [column.dtype.name for column in vars(two).values()] == ["int64", "float32", "float32", "int64"]
    assert found.detections[1].boxes.tolist() == [[10, 10, 15, 15]]
    assert found.detections[1].scores.tolist() == [pytest.approx(0.9)]
    assert found.detections[1].ids.tolist() == [-1]
    assert found.detections[0].ids.size == 0
    assert found.problems == []
    assert dataset.result_path(found, 2) == "MOT16-02.txt"


def test_a_frame_is_the_callers_own(tmp_path):
    sequence(tmp_path / "a")
    (found,) = MOT(tmp_path)
    found.truth[2].boxes[:] = -9
    assert found.truth[2].boxes[0].tolist() == [10, 20, 40, 60]


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    sequence(tmp_path / "a", truth="no boxes at all", info=seqinfo(seqLength=4))
    (found,) = MOT(tmp_path)
    assert found.judged == [0, 1, 2, 3]
    with pytest.raises(SourceError, match=r"a.gt.gt\.txt.*line 1"):
        found.truth[0]
    assert found.detections[1].ids.size == 1


def test_train_and_test(tmp_path):
    for name in ("train/MOT17-10", "train/MOT17-9", "test/MOT17-01"):
        sequence(tmp_path / name, truth=TRUTH if "train" in name else None, info=seqinfo(seqLength=3))
    found = MOT(tmp_path).sequences()
    assert [s.full_name for s in found] == ["train/MOT17-9", "train/MOT17-10", "test/MOT17-01"]
    assert found[0].judged == [0, 1, 2]
    assert found[2].judged == []
    assert dict(found[2].truth) == {}
    assert len(found[2].detections) == 3
    assert [s.full_name for s in MOT(tmp_path / "train")] == ["MOT17-9", "MOT17-10"]


def test_the_flat_layout_of_2015_and_places_in_the_world(tmp_path):
    (tmp_path / "TUD").mkdir()
    (tmp_path / "TUD/gt.txt").write_text("1,1,88,99,61,218,1,4.4852,5.5016,0\n2,1,88,99,61,218,1,-1,-1,-1\n")
    (tmp_path / "TUD/test.txt").write_text("9,1,1,1,1,1,-1,-1,-1,-1\n")
    (found,) = MOT(tmp_path)
    assert found.judged == [0, 1]  # to the last box of the truth
    assert found.fps == 25
    assert [found.truth[i].classes.tolist() for i in (0, 1)] == [[1], [1]]
    assert dict(found.detections) == {}


def test_pictures(tmp_path):
    sequence(tmp_path / "a", pictures=(1, 2, 3))
    (found,) = MOT(tmp_path)
    assert [frame[0, 0, 0] for frame in found.frames] == [1, 2, 3]
    assert found.problems == []
    info = seqinfo(imDir="pictures", seqLength=3)
    sequence(tmp_path / "b", info=info)
    for number in (10, 9, 8):
        write_image(tmp_path / f"b/pictures/{number}.png", np.zeros((2, 2, 3), np.uint8))
    assert [path.name for path in MOT(tmp_path)["b"].frames.paths] == ["8.png", "9.png", "10.png"]
    assert MOT(tmp_path)["b"].problems == ["pictures: 3 of 3 pictures have no file (first: number 1)"]
    sequence(tmp_path / "c", info=seqinfo(seqLength=4), pictures=(1, 2, 3))
    assert MOT(tmp_path)["c"].problems == ["img1: 1 of 4 pictures have no file (first: number 4)"]


def test_a_missing_picture_does_not_shift_the_boxes(tmp_path):
    sequence(tmp_path / "a", truth=TRUTH + "2,5,1,1,1,1,1,1,1\n", info=seqinfo(seqLength=4), pictures=(1, 3, 4))
    (found,) = MOT(tmp_path)
    assert found.judged == [0, 1, 2]
    assert found.frames[1][0, 0, 0] == 3
    assert found.problems == ["img1: 1 of 4 pictures have no file (first: number 2)"]
    for _ in range(2):
        assert found.truth[1].ids.tolist() == [7, 2]
    assert found.truth[2].ids.size == 0
    assert found.problems[1:] == ["gt/gt.txt: 1 boxes in frames that are not here are left out (first: 2)"]


def test_boxes_beyond_the_end_are_reported(tmp_path):
    sequence(tmp_path / "a", info=seqinfo(seqLength=2))
    (found,) = MOT(tmp_path)
    assert [found.truth[i].ids.tolist() for i in (0, 1)] == [[7], []]
    assert found.problems == ["gt/gt.txt: 2 boxes in frames that are not here are left out (first: 3)"]


def test_a_damaged_truth_of_unknown_length(tmp_path):
    sequence(tmp_path / "a", truth="1,1,x,0,0,0\n")
    sequence(tmp_path / "b")
    broken, good = MOT(tmp_path)
    assert broken.judged == []
    assert len(broken.problems) == 1
    assert "gt.txt" in broken.problems[0]
    assert good.judged == [0, 1, 2]


def test_nothing_but_a_seqinfo(tmp_path):
    sequence(tmp_path / "a", truth=None, detections=None, info=seqinfo(frameRate=14))
    (found,) = MOT(tmp_path)
    assert (found.judged, len(found.range), found.fps, found.problems) == ([], 0, 14, [])


@pytest.mark.parametrize(
    "info",
    [
        "no section\n",
        "[Other]\nseqLength=3\n",
        seqinfo(seqLength="three"),
        seqinfo(frameRate=0),
        seqinfo(frameRate="nan"),
    ],
    ids=repr,
)
def test_a_damaged_seqinfo(tmp_path, info):
    sequence(tmp_path / "a", info=info)
    (found,) = MOT(tmp_path)
    assert found.fps == 25
    assert found.judged == [0, 1, 2]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("seqinfo.ini: ")


def test_the_wrong_folder(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(SourceError, match=f"{tmp_path.name}.*looked for <sequence>/gt/gt.txt"):
        MOT(tmp_path).sequences()


@pytest.mark.data
def test_real_sequences(data_root):
    campus, stadtmitte = MOT(data_root / "MOT")
    assert (campus.name, stadtmitte.name) == ("TUD-Campus", "TUD-Stadtmitte")
    assert campus.judged == list(range(71))
    assert stadtmitte.judged == list(range(179))
    assert sum(len(truth.ids) for truth in campus.truth.values()) == 359
    assert len(set().union(*(truth.ids.tolist() for truth in campus.truth.values()))) == 8
    first = campus.truth[0]
    assert first.boxes[0].tolist() == [398, 181, 519, 410]  # 1-based 399,182 in the file, 121x229
    assert all((truth.classes == 1).all() for truth in stadtmitte.truth.values())
