"""Moseg and FBMS-59: the list of regions and frames in a Def.dat decides, not what the files look like."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg.core.errors import SourceError
from motionseg.datasets.moseg import Moseg


def write(path, image):
    """Any format that cv2 writes, also ppm and bmp; BGR."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def definition(path, codes, frames, *, n_frames, numbers=None):
    """A Def.dat; `frames` are (frame number, truth file, picture file)."""
    numbers = range(len(codes)) if numbers is None else numbers
    regions = "".join(f"Scale of region {n}:\n{code}\n" for n, code in zip(numbers, codes, strict=True))
    matrix = "\n".join(" ".join("01"[i != j] for j in range(len(codes))) for i in range(len(codes)))
    labelled = "".join(f"Frame number:\n{n}\nFile name:\n{t}\nInput file name:\n{p}\n" for n, t, p in frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "Ground truth definition file; do not change!\n\n"
        f"Total number of regions:\n{len(codes)}\n{regions}\nConfusion penality matrix:\n{matrix}\n\n"
        f"Total number of frames in this shot:\n{n_frames}\n"
        f"Total number of labeled frames for this shot:\n{len(frames)}\n{labelled}\n"
    )


def cars(root, **options):
    """cars1 in Moseg's layout: frames 8 .. 11, truth for the first and the last, pictures .jpg though .ppm is said."""
    folder = root / "cars1"
    for i in range(4):
        write(folder / f"cars1_{8 + i}.jpg", np.full((2, 3, 3), 10 * i, np.uint8))
    write(folder / "cars1_8.pgm", np.array([[0, 255, 128], [0, 0, 128]], np.uint8))
    write(folder / "cars1_11.pgm", np.array([[0, 0, 0], [255, 255, 0]], np.uint8))
    frames = [(0, "cars1_8.pgm", "cars1_8.ppm"), (3, "cars1_11.pgm", "cars1_11.ppm")]
    definition(folder / "cars1Def.dat", [0, 255, 128], frames, n_frames=4, **options)
    return folder


def test_a_truth_that_is_not_listed_is_no_frame(tmp_path):
    write(cars(tmp_path) / "cars1_extra.pgm", np.zeros((2, 3), np.uint8))
    assert len(Moseg(tmp_path)["cars1"].frames) == 4


def test_moseg(tmp_path):
    cars(tmp_path)
    dataset = Moseg(tmp_path)
    assert dataset.task == "regions"
    (sequence,) = dataset
    assert sequence.full_name == "cars1"
    assert [frame[0, 0, 0] for frame in sequence.frames] == [0, 10, 20, 30]
    assert sequence.judged == [0, 3]
    assert sequence.truth[0].dtype == np.int32
    assert sequence.truth[0].tolist() == [[0, 1, 2], [0, 0, 2]]
    assert sequence.truth[3].tolist() == [[0, 0, 0], [1, 1, 0]]
    assert sequence.problems == []
    assert dataset.result_path(sequence, 1) == "cars1/cars1_9.png"


def test_the_order_of_the_list_counts_not_the_numbers_in_it(tmp_path):
    cars(tmp_path, numbers=[0, 1, 1])  # as in the official people2Def.dat
    sequence = Moseg(tmp_path)["cars1"]
    assert sequence.truth[0].tolist() == [[0, 1, 2], [0, 0, 2]]
    assert sequence.problems == []


def test_pictures_converted_by_the_official_script_are_not_taken_twice(tmp_path):
    folder = cars(tmp_path)
    for i in range(4):
        write(folder / f"cars1_{8 + i}.ppm", np.full((2, 3, 3), 10 * i, np.uint8))
    sequence = Moseg(tmp_path)["cars1"]
    assert [path.name for path in sequence.frames.paths] == [f"cars1_{8 + i}.jpg" for i in range(4)]
    assert sequence.problems == []


def fbms(root, category, name="bear01"):
    """Colour codes in a folder of their own; white is the background, and region 1 is pure blue, code 255."""
    folder = root / category / name
    for i in range(3):
        write(folder / f"{name}_{i + 1:04d}.jpg", np.full((2, 3, 3), 10 * i, np.uint8))
    white, blue, red = (255, 255, 255), (0, 0, 255), (255, 128, 7)
    rgb = np.array([[white, white, blue], [red, red, (1, 2, 3)]], np.uint8)
    write(folder / "GroundTruth" / f"{name}_0002_gt.ppm", rgb[..., ::-1])
    write(folder / "GroundTruth" / f"{name}_0002PROB_gt.ppm", rgb)
    codes = [255 * 65536 + 255 * 256 + 255, 255, 255 * 65536 + 128 * 256 + 7]
    frames = [(1, f"{name}_0002_gt.ppm", f"{name}_0002.ppm")]
    definition(folder / "GroundTruth" / f"{name}Def.dat", codes, frames, n_frames=3)


def test_fbms(tmp_path):
    fbms(tmp_path, "Trainingset")
    fbms(tmp_path, "Testset", "cats10")
    fbms(tmp_path, "Testset", "cats9")
    dataset = Moseg(tmp_path)
    assert [s.full_name for s in dataset] == ["Testset/cats9", "Testset/cats10", "Trainingset/bear01"]
    bear = dataset["bear01"]
    assert len(bear.frames) == 3
    assert bear.judged == [1]
    for _ in range(2):
        assert bear.truth[1].tolist() == [[0, 0, 1], [2, 2, -1]]
    assert bear.problems == ["bear01_0002_gt.ppm: void is what bear01Def.dat does not list: 66051"]
    assert dataset.result_path(bear, 1) == "Trainingset/bear01/bear01_0002.png"
    assert [s.full_name for s in Moseg(tmp_path / "Trainingset")] == ["Trainingset/bear01"]


def test_both_side_by_side(tmp_path):
    cars(tmp_path / "moseg")
    fbms(tmp_path / "FBMS", "Testset", "cars1")
    assert [s.full_name for s in Moseg(tmp_path)] == ["Testset/cars1", "cars1"]


def test_a_missing_picture_does_not_shift_the_truth(tmp_path):
    folder = cars(tmp_path)
    (folder / "cars1_9.jpg").unlink()
    sequence = Moseg(tmp_path)["cars1"]
    assert sequence.judged == [0, 2]
    assert sequence.frames[2][0, 0, 0] == 30
    assert sequence.truth[2].tolist() == [[0, 0, 0], [1, 1, 0]]
    assert sequence.problems == ["cars1Def.dat: 3 pictures, not the 4 that it announces"]
    (folder / "cars1_11.jpg").unlink()
    sequence = Moseg(tmp_path)["cars1"]
    assert sequence.judged == [0]
    assert sequence.problems[1:] == ["cars1Def.dat: frame 3 (cars1_11.ppm) is not here"]


def test_positions_count_where_the_pictures_bear_other_names(tmp_path):
    folder = cars(tmp_path)
    for i, path in enumerate(sorted(folder.glob("*.jpg"), key=lambda p: int(p.stem[6:]))):
        path.rename(folder / f"{i}.jpg")
    sequence = Moseg(tmp_path)["cars1"]
    assert sequence.judged == [0, 3]
    assert sequence.problems == []
    (folder / "3.jpg").unlink()
    sequence = Moseg(tmp_path)["cars1"]
    assert sequence.judged == [0]
    assert sequence.problems[1:] == ["cars1Def.dat: frame 3 (cars1_11.ppm) is not here"]


def test_missing_and_unreadable_truth(tmp_path):
    folder = cars(tmp_path)
    (folder / "cars1_8.pgm").unlink()
    (folder / "cars1_11.pgm").write_bytes(b"P5\n3 2\n255\n")
    sequence = Moseg(tmp_path)["cars1"]
    assert sequence.judged == [3]
    assert sequence.problems == ["cars1Def.dat: cars1_8.pgm is not here"]
    with pytest.raises(SourceError, match=r"cars1_11\.pgm"):
        sequence.truth[3]


def test_a_damaged_definition_ends_nothing(tmp_path):
    cars(tmp_path)
    (tmp_path / "cars1/cars1Def.dat").write_bytes(b"Total number of regions:\n3\nScale of region 0:\n0\n\xff\n")
    sequence = Moseg(tmp_path)["cars1"]
    assert sequence.judged == []
    assert len(sequence.frames) == 4
    assert sequence.problems[0] == "cars1Def.dat: 1 regions, not the 3 that it announces"


def test_the_wrong_folder(tmp_path):
    with pytest.raises(SourceError, match=f"{tmp_path.name}.*looked for <sequence>/<sequence>Def.dat"):
        Moseg(tmp_path).sequences()


@pytest.mark.data
def test_real_sequences(data_root):
    sequences = {s.name: s for s in Moseg(data_root / "moseg")}
    assert list(sequences) == ["cars1", "cars3", "cars5", "marple4", "marple13", "people2"]
    assert {name: s.judged for name, s in sequences.items()} == {
        "cars1": [0, 9, 18],
        "cars3": [0, 9, 18],
        "cars5": [0, 9, 19, 35],
        "marple4": [0, 9, 19, 29, 39],
        "marple13": [0, 9, 19, 29, 39, 49, 74],
        "people2": [0, 9, 19, 29],
    }
    regions = {name: set().union(*(np.unique(t).tolist() for t in s.truth.values())) for name, s in sequences.items()}
    assert regions["people2"] == {0, 1, 2}
    assert regions["marple13"] == {0, 1, 2, 3}
    grey = cv2.imread(str(data_root / "moseg/people2/people2_01.pgm"), cv2.IMREAD_UNCHANGED)
    truth = sequences["people2"].truth[0]
    assert ((grey == 128) == (truth == 2)).all()
    assert truth.shape == sequences["people2"].frames[0].shape[:2]
    assert not any(s.problems for s in sequences.values())
