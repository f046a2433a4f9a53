"""DAVIS 2016 and 2017: splits, which frames are judged, masks of every kind, and damage."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg.core.errors import ParameterError, SourceError
from motionseg.datasets.davis2016 import DAVIS2016
from motionseg.datasets.davis2017 import DAVIS2017
from motionseg.io import write_image, write_labels

MASK = np.array([[0, 1, 1, 0], [0, 2, 255, 0]], np.int32)


def tree(root, *, sequences=("bear", "rallye"), n=5, masks="Annotations/480p", labels=MASK):
    """Sequences of `n` frames whose first pixel says which they are, with a palettised mask each."""
    for name in sequences:
        for i in range(n):
            write_image(root / "JPEGImages/480p" / name / f"{i:05d}.png", np.full((2, 4, 3), i, np.uint8))
            write_labels(root / masks / name / f"{i:05d}.png", labels)
    return root


def split(root, folder, **names):
    for name, lines in names.items():
        (root / "ImageSets" / folder).mkdir(parents=True, exist_ok=True)
        (root / "ImageSets" / folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


def test_sequences_frames_and_judged_frames(tmp_path):
    tree(tmp_path, sequences=("b10", "b9", "a"))
    for kind, judged in ((DAVIS2016, [1, 2, 3]), (DAVIS2017, [0, 1, 2, 3, 4])):
        dataset = kind(tmp_path)
        assert [s.name for s in dataset] == ["a", "b9", "b10"]
        sequence = dataset["b9"]
        assert sequence.judged == judged
        assert sequence.problems == []
        assert [frame[0, 0, 0] for frame in sequence.frames] == [0, 1, 2, 3, 4]
        assert dataset.result_path(sequence, 3) == "b9/00003.png"
        assert sequence.roi is None
    assert DAVIS2016.task == "foreground"
    assert DAVIS2017.task == "objects"


def test_the_parent_is_a_root_too(tmp_path):
    tree(tmp_path / "DAVIS")
    assert len(DAVIS2016(tmp_path)) == 2
    assert DAVIS2016(tmp_path)["bear"].problems == []


def test_2016_takes_any_object_as_foreground_and_2017_keeps_them(tmp_path):
    tree(tmp_path)
    foreground = DAVIS2016(tmp_path)["bear"].truth[1]
    assert foreground.tolist() == [[0, 1, 1, 0], [0, 1, 1, 0]]
    objects = DAVIS2017(tmp_path)["bear"].truth[1]
    assert objects.tolist() == [[0, 1, 1, 0], [0, 2, -1, 0]]
    assert foreground.dtype == objects.dtype == np.int32


def test_grey_masks(tmp_path):
    tree(tmp_path)
    write_image(tmp_path / "Annotations/480p/bear/00002.png", np.array([[0, 255], [255, 0]], np.uint8))
    assert DAVIS2016(tmp_path)["bear"].truth[2].tolist() == [[0, 1], [1, 0]]


def test_2017_prefers_the_unsupervised_masks(tmp_path):
    tree(tmp_path)
    tree(tmp_path, masks="Annotations_unsupervised/480p", labels=MASK + (MASK == 1) * 6)
    assert DAVIS2017(tmp_path)["bear"].truth[0].tolist() == [[0, 7, 7, 0], [0, 2, -1, 0]]
    assert DAVIS2016(tmp_path)["bear"].truth[0].tolist() == [[0, 1, 1, 0], [0, 1, 1, 0]]


def test_2017_says_so_when_all_is_void(tmp_path):
    tree(tmp_path, labels=np.array([[0, 255]]))
    sequence = DAVIS2017(tmp_path)["bear"]
    assert sequence.problems == []
    for i in (0, 1, 0):
        assert sequence.truth[i].tolist() == [[0, -1]]
    assert sequence.problems == [
        "Annotations/480p/bear: masks of 255 only, which is void here; binary masks are read by davis2016"
    ]
    tree(tmp_path, masks="Annotations_unsupervised/480p", labels=np.array([[0, 255]]))  # there, no object may be seen
    sequence = DAVIS2017(tmp_path)["bear"]
    assert sequence.truth[0].tolist() == [[0, -1]]
    assert sequence.problems == []


@pytest.mark.parametrize("channels", [3, 4])
def test_a_colour_mask_is_reported_once(tmp_path, channels):
    tree(tmp_path)
    colours = np.zeros((2, 4, 4), np.uint8)
    colours[..., 3] = 255  # RGBA: opaque everywhere, as in `bear`
    colours[1, 2, 0] = 9
    cv2.imwrite(str(tmp_path / "Annotations/480p/bear/00003.png"), colours[..., :channels])
    sequence = DAVIS2016(tmp_path)["bear"]
    assert sequence.problems == []
    for _ in range(2):
        assert sequence.truth[3].tolist() == [[0, 0, 0, 0], [0, 0, 1, 0]]
    assert sequence.problems == [
        "Annotations/480p/bear: colour masks, read as whatever is not black (first: 00003.png)"
    ]
    with pytest.raises(SourceError, match=r"00003\.png.*colour"):
        DAVIS2017(tmp_path)["bear"].truth[3]


def test_a_missing_mask_and_an_unreadable_one(tmp_path):
    tree(tmp_path)
    (tmp_path / "Annotations/480p/bear/00000.png").unlink()
    (tmp_path / "Annotations/480p/bear/00002.png").unlink()
    (tmp_path / "Annotations/480p/bear/00003.png").write_bytes(b"no picture")
    sequence = DAVIS2016(tmp_path)["bear"]
    assert sequence.judged == [1, 3]
    assert sequence.problems == ["Annotations/480p/bear: 1 of 3 judged frames have no file (first: 00002.png)"]
    assert DAVIS2017(tmp_path)["bear"].problems[0].startswith("Annotations/480p/bear: 2 of 5 judged")
    assert sequence.truth[1].any()
    with pytest.raises(SourceError, match=r"bear.00003\.png"):
        sequence.truth[3]
    assert DAVIS2016(tmp_path)["rallye"].problems == []


def test_a_missing_frame_does_not_shift_the_masks(tmp_path):
    tree(tmp_path)
    (tmp_path / "JPEGImages/480p/bear/00001.png").unlink()
    write_labels(tmp_path / "Annotations/480p/bear/00003.png", np.full((2, 4), 6))
    sequence = DAVIS2017(tmp_path)["bear"]
    assert [frame[0, 0, 0] for frame in sequence.frames] == [0, 2, 3, 4]
    assert (sequence.truth[2] == 6).all()
    assert sequence.truth[1].tolist() == [[0, 1, 1, 0], [0, 2, -1, 0]]
    assert sequence.problems == ["Annotations/480p/bear: 1 of 5 files have no frame (first: 00001.png)"]
    assert DAVIS2017(tmp_path).result_path(sequence, 2) == "bear/00003.png"


def test_no_masks_at_all(tmp_path):
    tree(tmp_path, masks="elsewhere")
    sequence = DAVIS2016(tmp_path)["bear"]
    assert sequence.judged == []
    assert sequence.problems == ["Annotations/480p/bear: 3 of 3 judged frames have no file (first: 00001.png)"]


def test_splits(tmp_path):
    tree(tmp_path, sequences=("bear", "camel", "swan"))
    line = "/JPEGImages/480p/{0}/00000.jpg /Annotations/480p/{0}/00000.png "
    split(tmp_path, "480p", val=[line.format("bear")] * 2 + [line.format("swan")])
    split(tmp_path, "2016", val=["camel"], train=["camel", ""])
    split(tmp_path, "2017", val=["swan"], train=["bear", "gone"])
    assert [s.name for s in DAVIS2016(tmp_path, split="val")] == ["bear", "swan"]
    assert [s.name for s in DAVIS2016(tmp_path, split="train")] == ["camel"]
    assert [s.name for s in DAVIS2017(tmp_path, split="val")] == ["swan"]
    with pytest.raises(SourceError, match=r"train\.txt: .*not here: gone"):
        DAVIS2017(tmp_path, split="train").sequences()
    with pytest.raises(ParameterError, match=r"no split 'test' in ImageSets/2017; there are: train, val"):
        DAVIS2017(tmp_path, split="test").sequences()


def test_the_wrong_folder(tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        DAVIS2016(tmp_path / "nowhere")
    (tmp_path / "JPEGImages/480p/empty").mkdir(parents=True)
    for kind in (DAVIS2016, DAVIS2017):
        with pytest.raises(SourceError, match=f"{tmp_path.name}.*looked for JPEGImages/480p/<sequence>/00000.jpg"):
            kind(tmp_path).sequences()


@pytest.mark.data
def test_real_sequences(data_root):
    dataset = DAVIS2016(data_root / "DAVIS")
    lengths = {s.name: (len(s.frames), s.judged[-1]) for s in dataset}
    assert len(lengths) == 8
    assert lengths["boat"] == (75, 73)
    flamingo = dataset["flamingo"]
    truth = flamingo.truth[40]
    assert truth.shape == flamingo.frames[40].shape[:2] == (480, 854)
    assert set(np.unique(truth)) == {0, 1}
    assert flamingo.problems == []
