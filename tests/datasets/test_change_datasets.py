"""Change-detection datasets: made-up trees in the published layouts, damage in them, and the real sequences."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from motionseg.core.errors import ParameterError, SourceError
from motionseg.datasets import LASIESTA, SBI2015, UCSD, CDnet, DatasetInfo, Folder, Wallflower

CODES = [0, 50, 85, 170, 255]
TRUTH = np.tile(np.repeat(np.array(CODES, np.uint8), 2), (6, 1))  # (6, 10)


def picture(level, shape=(6, 10)):
    return np.full((*shape, 3), level, np.uint8)


def put(path, image):
    """Writes an image whose ending may be in capitals, as it is (no colour conversion)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix.lower(), image)[1].tobytes())


def level_of(frame):
    return int(frame[0, 0, 0])


def cdnet_video(folder, numbers, *, judged=None, kind="png", roi=None):
    """A video in CDnet's folders; the level of a frame is its number."""
    for n in numbers:
        put(folder / f"input/in{n:06d}.{kind}", picture(n))
        put(folder / f"groundtruth/gt{n:06d}.png", TRUTH)
    if judged:
        (folder / "temporalROI.txt").write_text(judged)
    if roi is not None:
        put(folder / "ROI.bmp", roi)
    return folder


ROI = np.vstack([np.zeros((2, 10), np.uint8), np.full((4, 10), 255, np.uint8)])


@pytest.fixture
def cdnet(tmp_path):
    """Two categories; the first video is whole."""
    cdnet_video(tmp_path / "dataset/baseline/highway", range(1, 13), judged="5 10\n", roi=ROI)
    cdnet_video(tmp_path / "dataset/PTZ/pan10", range(1, 4), judged="1 3", roi=ROI)
    cdnet_video(tmp_path / "dataset/PTZ/pan9", range(1, 4), judged="1 3", roi=ROI)
    return tmp_path / "dataset"


# --- CDnet -------------------------------------------------------------------------------------


def test_cdnet_frames_truth_range_and_roi(cdnet):
    video = CDnet(cdnet)["highway"]
    assert (video.name, video.category, video.full_name) == ("highway", "baseline", "baseline/highway")
    assert [level_of(frame) for frame in video.frames] == list(range(1, 13))
    assert video.range == range(4, 10)
    assert video.judged == [4, 5, 6, 7, 8, 9]
    assert video.truth[4].dtype == np.uint8
    np.testing.assert_array_equal(video.truth[4], TRUTH)
    np.testing.assert_array_equal(video.roi, ROI > 0)
    assert video.problems == []


def test_cdnet_root_or_its_parent_in_natural_order(cdnet):
    names = [video.full_name for video in CDnet(cdnet)]
    assert names == ["baseline/highway", "PTZ/pan9", "PTZ/pan10"]
    assert [video.full_name for video in CDnet(cdnet.parent)] == names
    with pytest.raises(ParameterError, match="no sequence is called 'pan11'"):
        CDnet(cdnet)["pan11"]


def test_cdnet_results_bear_the_number_of_the_frame(cdnet):
    dataset = CDnet(cdnet)
    assert dataset.result_path(dataset["highway"], 4) == "baseline/highway/bin000005.png"
    (cdnet / "baseline/highway/input/in000002.png").unlink()
    assert dataset.result_path(dataset["highway"], 4) == "baseline/highway/bin000006.png"


def test_making_sequences_reads_no_picture(cdnet, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a picture was read")

    monkeypatch.setattr(cv2, "imdecode", refuse)
    for root, dataset in ((cdnet, CDnet), (cdnet / "PTZ", SBI2015), (cdnet / "PTZ", Folder)):
        assert dataset(root).sequences()[0].judged


@pytest.mark.parametrize(
    ("dataset", "looked_for"),
    [
        (CDnet, "<category>/<video>/input"),
        (SBI2015, "<sequence>/input"),
        (LASIESTA, "I_SI_01/I_SI_01"),
        (UCSD, "JPEGS/<sequence>/frame_1.jpg"),
        (Wallflower, r"hand_segmented_\*.BMP"),
        (Folder, r"frames \(or input, images\) with"),
    ],
)
def test_a_wrong_folder(dataset, looked_for, tmp_path):
    put(tmp_path / "holiday/beach.jpg", picture(3))
    with pytest.raises(SourceError, match=looked_for) as error:
        dataset(tmp_path).sequences()
    assert error.value.source == str(tmp_path)
    with pytest.raises(SourceError, match="no such folder"):
        dataset(tmp_path / "away")


def test_cdnet_frames_missing_in_the_middle_pair_by_number(cdnet):
    folder = cdnet / "baseline/highway"
    put(folder / "groundtruth/gt000008.png", np.full((6, 10), 50, np.uint8))
    for n in (3, 7):
        (folder / f"input/in{n:06d}.png").unlink()
    video = CDnet(cdnet)["highway"]
    index = [level_of(frame) for frame in video.frames].index(8)
    assert index == 5
    assert (video.truth[index] == 50).all()
    assert [level_of(video.frames[i]) for i in video.judged] == [5, 6, 8, 9, 10]
    assert "input: 2 of 12 frames have no file (first: number 3)" in video.problems


def test_cdnet_frames_missing_at_the_end(cdnet):
    for n in range(9, 13):
        (cdnet / f"baseline/highway/input/in{n:06d}.png").unlink()
    video = CDnet(cdnet)["highway"]
    assert video.range == range(4, 8)
    assert "input: 2 of 10 frames have no file (first: number 9)" in video.problems
    shutil.rmtree(cdnet / "baseline/highway/input")
    video = CDnet(cdnet)["highway"]
    assert (len(video.frames), video.judged) == (0, [])
    assert "input: there is no frame" in video.problems


def test_cdnet_truth_missing(cdnet):
    for n in (2, 6, 8):  # 2 is not judged
        (cdnet / f"baseline/highway/groundtruth/gt{n:06d}.png").unlink()
    video = CDnet(cdnet)["highway"]
    assert video.judged == [4, 6, 8, 9]
    assert video.problems == ["groundtruth: 2 of 6 judged frames have no file (first: in000006.png)"]


@pytest.mark.parametrize("text", ["", "5", "5 ten", "5 10 15", "10 5", "\xff"])
def test_cdnet_temporal_roi_damaged(cdnet, text):
    (cdnet / "baseline/highway/temporalROI.txt").write_bytes(text.encode("latin-1"))
    video = CDnet(cdnet)["highway"]
    assert video.range == range(12)
    assert [line.split(":")[0] for line in video.problems] == ["temporalROI.txt"]


def test_cdnet_temporal_roi_and_roi_missing(cdnet):
    (cdnet / "baseline/highway/temporalROI.txt").unlink()
    (cdnet / "baseline/highway/ROI.bmp").unlink()
    video = CDnet(cdnet)["highway"]
    assert video.range == range(12)
    assert video.roi is None
    assert [line.split(":")[0] for line in video.problems] == ["temporalROI.txt", "ROI.bmp"]


def test_cdnet_roi_of_another_size_is_left_out_and_reported_once(cdnet):
    put(cdnet / "baseline/highway/ROI.bmp", np.full((6, 12), 255, np.uint8))
    video = CDnet(cdnet)["highway"]
    assert video.problems == []
    assert video.roi is None
    assert video.roi is None
    assert video.problems == ["ROI.bmp: its size is (12, 6), that of the frames (10, 6); all pixels are judged"]


def test_cdnet_roi_damaged(cdnet):
    (cdnet / "baseline/highway/ROI.bmp").write_bytes(b"BM")
    video = CDnet(cdnet)["highway"]
    assert video.roi is None
    assert len(video.problems) == 1
    assert "ROI.bmp: not a readable image" in video.problems[0]


def test_cdnet_truth_damaged(cdnet):
    path = cdnet / "baseline/highway/groundtruth/gt000006.png"
    path.write_bytes(path.read_bytes()[:40])
    video = CDnet(cdnet)["highway"]
    np.testing.assert_array_equal(video.truth[4], TRUTH)
    with pytest.raises(SourceError, match=r"gt000006\.png"):
        video.truth[5]


def test_frames_and_truth_are_the_callers_own(cdnet):
    video = CDnet(cdnet)["highway"]
    for read in (lambda: video.frames[4], lambda: video.truth[4], lambda: video.roi):
        read()[:] = 0
        assert read().any()


# --- SBI2015 -----------------------------------------------------------------------------------


def test_sbi2015(tmp_path):
    root = tmp_path / "SBI2015"
    board = cdnet_video(root / "Board", range(0, 11), judged="1 10", roi=ROI)
    cdnet_video(root / "CAVIAR2", range(0, 3), kind="jpg")
    for n in range(0, 3):  # names as they were in the original
        put(root / f"Candela_m1.10/input/Candela_m1.10_{n:06d}.png", picture(n))
        put(root / f"Candela_m1.10/groundtruth/gt{n:06d}.png", cv2.merge([TRUTH] * 3))
    for dataset in (SBI2015(root), SBI2015(tmp_path)):
        assert [s.full_name for s in dataset] == ["Board", "Candela_m1.10", "CAVIAR2"]
    sequence = dataset["Board"]
    assert sequence.range == range(11)
    assert sequence.judged == list(range(11))
    np.testing.assert_array_equal(sequence.roi, ROI > 0)
    assert dataset.result_path(sequence, 0) == "Board/bin000000.png"
    original = dataset["Candela_m1.10"]
    assert original.roi is None
    np.testing.assert_array_equal(original.truth[2], TRUTH)
    assert dataset.result_path(original, 2) == "Candela_m1.10/bin000002.png"
    assert [problem for s in dataset for problem in s.problems] == []
    (board / "groundtruth/gt000000.png").unlink()
    assert dataset["Board"].judged == list(range(1, 11))
    assert dataset["Board"].problems == ["groundtruth: 1 of 11 judged frames have no file (first: in000000.png)"]


# --- LASIESTA ----------------------------------------------------------------------------------

COLOURS = {(0, 0, 0): 0, (255, 0, 0): 255, (0, 255, 0): 255, (255, 255, 0): 255, (255, 255, 255): 255}
COLOURS[128, 128, 128] = 170  # RGB


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("suffix", ["-GT", "_GT"])
def test_lasiesta(tmp_path, nested, suffix):
    coded = np.array([list(COLOURS)], np.uint8)[..., ::-1]  # (1, 6, 3) BGR
    for name in ("O_CL_02", "I_SI_01"):
        place = tmp_path / name if nested else tmp_path
        for n in range(1, 12):
            put(place / f"{name}/{name}-{n}.bmp", picture(n, (1, 6)))
            put(place / f"{name}{suffix}/{name}{suffix}_{n}.png", coded if n > 1 else coded * 0)
    dataset = LASIESTA(tmp_path)
    assert [s.full_name for s in dataset] == ["I_SI/I_SI_01", "O_CL/O_CL_02"]
    sequence = dataset["I_SI_01"]
    assert [level_of(frame) for frame in sequence.frames] == list(range(1, 12))
    assert sequence.judged == list(range(11))
    assert sequence.truth[9].tolist() == [list(COLOURS.values())]
    assert not sequence.truth[0].any()
    assert sequence.truth[9].dtype == np.uint8
    assert sequence.problems == []
    assert dataset.result_path(sequence, 9) == "I_SI_01/I_SI_01-10.png"
    moved = tmp_path / "all"
    moved.mkdir()
    for folder in [p for p in tmp_path.iterdir() if p != moved]:
        folder.rename(moved / folder.name)
    assert len(LASIESTA(tmp_path)) == 2  # the parent
    gone = (moved / "I_SI_01" if nested else moved) / f"I_SI_01{suffix}"
    (gone / f"I_SI_01{suffix}_3.png").unlink()
    sequence = LASIESTA(moved)["I_SI_01"]
    assert sequence.judged == [0, 1, *range(3, 11)]
    assert sequence.problems == ["I_SI_01-GT: 1 of 11 judged frames have no file (first: I_SI_01-3.bmp)"]
    shutil.rmtree(gone)
    assert LASIESTA(moved)["I_SI_01"].judged == []


# --- UCSD --------------------------------------------------------------------------------------

MASK = np.uint8([[0, 255, 255], [0, 0, 255]])


def test_ucsd_as_it_is_handed_on(tmp_path):
    for n in range(1, 12):
        put(tmp_path / f"birds_/birds/in/frame_{n}.jpg", picture(20 * n, (2, 3)))
    for n in (2, 10):
        put(tmp_path / f"birds_/birds/groundtruth/gt{n:04d}.png", MASK if n == 10 else MASK * 0)
    dataset = UCSD(tmp_path)
    sequence = dataset["birds"]
    assert len(dataset) == 1
    assert [level_of(frame) for frame in sequence.frames] == list(range(20, 240, 20))
    assert sequence.judged == [1, 9]
    np.testing.assert_array_equal(sequence.truth[9], MASK)
    assert sequence.problems == []
    assert dataset.result_path(sequence, 9) == "birds/frame_10.png"
    put(tmp_path / "birds_/birds/groundtruth/gt0077.png", MASK)
    assert dataset["birds"].problems == ["groundtruth: 1 of 3 files have no frame (first: gt0077.png)"]


def test_ucsd_as_published(tmp_path):
    stack = np.zeros((2, 3, 10), np.float64)
    stack[..., 9] = MASK > 0
    for name in ("surf", "surfers", "peds"):
        for n in range(1, 12):
            put(tmp_path / f"UCSD/JPEGS/{name}/frame_{n}.jpg", picture(n, (2, 3)))
    for n in (1, 11):
        put(tmp_path / f"UCSD/GT/peds/frame_{n}.bmp", MASK)
    savemat(tmp_path / "UCSD/GT/GroundTruth_surfers.mat", {"masks": stack, "note": "x"})
    for dataset in (UCSD(tmp_path / "UCSD"), UCSD(tmp_path)):
        assert [s.name for s in dataset] == ["peds", "surf", "surfers"]
    assert dataset["peds"].judged == [0, 10]
    surfers = dataset["surfers"]
    assert surfers.judged == list(range(10))
    np.testing.assert_array_equal(surfers.truth[9], MASK)
    surfers.truth[9][:] = 0
    np.testing.assert_array_equal(surfers.truth[9], MASK)
    assert not surfers.truth[0].any()
    assert surfers.problems == []
    assert dataset["surf"].judged == []
    assert "neither such a folder of masks nor a MATLAB file" in dataset["surf"].problems[0]
    damaged = tmp_path / "UCSD/GT/surf.mat"
    damaged.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    assert "surf.mat: not a readable MATLAB file" in dataset["surf"].problems[0]
    savemat(damaged, {"flat": stack[..., 0]})
    assert "it holds 0 arrays of three dimensions" in dataset["surf"].problems[0]


# --- Wallflower --------------------------------------------------------------------------------


def test_wallflower(tmp_path):
    root = tmp_path / "wallflower"
    for n in range(12):
        put(root / f"Bootstrap/b{n:05d}.bmp", picture(n, (2, 3)))
        put(root / f"TimeOfDay/b{n:05d}.bmp", picture(n, (2, 3)))
    (root / "Bootstrap/b00004.bmp").unlink()
    put(root / "Bootstrap/hand_segmented_00010.BMP", cv2.merge([MASK] * 3))
    (root / "Bootstrap/script.txt").write_text("People walk.")
    for dataset in (Wallflower(root), Wallflower(tmp_path)):
        assert [s.full_name for s in dataset] == ["Bootstrap", "TimeOfDay"]
    sequence = dataset["Bootstrap"]
    assert len(sequence.frames) == 11
    assert sequence.judged == [9]
    assert sequence.range == range(9, 10)
    assert level_of(sequence.frames[9]) == 10
    np.testing.assert_array_equal(sequence.truth[9], MASK)
    assert sequence.problems == []
    assert dataset.result_path(sequence, 9) == "Bootstrap/b00010.png"
    assert dataset["TimeOfDay"].judged == []
    assert dataset["TimeOfDay"].problems[0].startswith("hand_segmented_*.BMP: ")


# --- Folder ------------------------------------------------------------------------------------


def pair(folder, frames, masks, *, frames_in="frames", masks_in="masks", mask=MASK):
    for n, name in enumerate(frames):
        put(folder / frames_in / name, picture(n, mask.shape[:2]))
    for name in masks:
        put(folder / masks_in / name, mask)


def test_folder_pairs_by_number(tmp_path):
    pair(tmp_path, [f"cam1_{n}.png" for n in range(8, 13)], ["m0010.png", "m0012.png"])
    dataset = Folder(tmp_path)
    assert len(dataset) == 1
    sequence = dataset[tmp_path.name]
    assert [level_of(frame) for frame in sequence.frames] == list(range(5))
    assert sequence.judged == [2, 4]
    assert sequence.range == range(5)
    assert (sequence.roi, sequence.problems) == (None, [])
    assert dataset.result_path(sequence, 2) == f"{tmp_path.name}/cam1_10.png"
    put(tmp_path / "masks/m0077.png", MASK)
    assert dataset[tmp_path.name].judged == [2, 4]
    assert dataset[tmp_path.name].problems == ["masks: 1 of 3 masks have no frame among 5"]


@pytest.mark.parametrize("number", ["", "1"])
def test_folder_pairs_by_position_without_numbers_of_their_own(tmp_path, number):
    pair(tmp_path, [f"{name}{number}.png" for name in "abc"], [f"{name}{number}.png" for name in "xyz"])
    assert Folder(tmp_path)[tmp_path.name].judged == [0, 1, 2]
    (tmp_path / f"masks/y{number}.png").unlink()
    sequence = Folder(tmp_path)[tmp_path.name]
    assert sequence.judged == []
    assert sequence.problems == ["masks: 2 of 2 masks have no frame among 3"]


def test_folder_of_folders_and_names(tmp_path):
    pair(tmp_path / "walk10", ["1.png"], ["1.png"], frames_in="Images", masks_in="GT")
    pair(tmp_path / "walk9", ["1.png"], ["1.png"], frames_in="input", masks_in="groundtruth")
    put(tmp_path / "walk9/roi.png", np.uint8([[0, 1, 255], [255, 255, 255]]))
    pair(tmp_path / "unfinished", ["1.png"], [])
    dataset = Folder(tmp_path)
    assert [s.name for s in dataset] == ["walk9", "walk10"]
    assert dataset["walk9"].roi.tolist() == [[False, True, True], [True, True, True]]
    put(tmp_path / "walk9/roi.png", np.zeros((3, 3), np.uint8))
    sequence = dataset["walk9"]
    assert sequence.roi is None
    assert sequence.problems[0].startswith("roi.png: its size is")
    (tmp_path / "walk10/GT/1.png").unlink()
    assert dataset["walk10"].judged == []
    assert dataset["walk10"].problems == ["GT: there is no mask"]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([[0, 50, 85, 170, 255]], [[0, 50, 85, 170, 255]]),
        ([[0, 170, 0, 0, 0]], [[0, 170, 0, 0, 0]]),
        ([[0, 255, 0, 255, 255]], [[0, 255, 0, 255, 255]]),
        ([[0, 1, 2, 0, 1]], [[0, 255, 255, 0, 255]]),
        ([[0, 50, 85, 171, 255]], [[0, 255, 255, 255, 255]]),  # 171 is no code: so these are labels
        ([[0, 128, 0, 0, 255]], [[0, 255, 0, 0, 255]]),
        ([[[0, 0, 0], [0, 0, 1], [170, 0, 0], [170, 170, 170], [0, 0, 0]]], [[0, 255, 255, 255, 0]]),
        ([[[0, 0, 0, 255], [9, 9, 9, 0], [0, 0, 0, 0], [50, 50, 50, 9], [0, 0, 0, 9]]], [[0, 255, 0, 255, 0]]),  # alpha
    ],
)
def test_folder_reads_masks_of_any_kind(tmp_path, mask, expected):
    pair(tmp_path, ["1.png"], ["1.png"], mask=np.array(mask, np.uint8))
    truth = Folder(tmp_path)[tmp_path.name].truth[0]
    assert truth.dtype == np.uint8
    assert truth.tolist() == expected


def test_folder_reads_jpg_masks_at_half(tmp_path):
    mask = np.zeros((32, 32), np.uint8)
    mask[:, 13:] = 255
    pair(tmp_path, ["1.png"], ["1.jpg"], mask=mask)
    decoded = cv2.imread(str(tmp_path / "masks/1.jpg"), cv2.IMREAD_GRAYSCALE)
    assert set(np.unique(decoded)) != {0, 255}  # what the rule is for
    np.testing.assert_array_equal(Folder(tmp_path)[tmp_path.name].truth[0], mask)


def test_folder_mask_damaged(tmp_path):
    pair(tmp_path, ["1.png", "2.png"], ["1.png", "2.png"])
    (tmp_path / "masks/2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    sequence = Folder(tmp_path)[tmp_path.name]
    assert sequence.judged == [0, 1]
    np.testing.assert_array_equal(sequence.truth[0], MASK)
    with pytest.raises(SourceError, match=r"masks.2\.png"):
        sequence.truth[1]


# --- all ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", [CDnet, SBI2015, LASIESTA, UCSD, Wallflower, Folder])
def test_info_is_complete(dataset):
    assert dataset.task == "change"
    assert isinstance(dataset.info, DatasetInfo)
    assert all(vars(dataset.info).values())


# --- the real sequences --------------------------------------------------------------------------


@pytest.mark.data
def test_real_cdnet(data_root):
    dataset = CDnet(data_root / "CDnet2014")
    assert [video.full_name for video in dataset] == ["baseline/highway", "baseline/office"]
    assert [(len(v.frames), v.range, len(v.judged)) for v in dataset] == [
        (1700, range(469, 1700), 1231),
        (2050, range(569, 2050), 1481),
    ]
    highway = dataset["highway"]
    assert highway.problems == []
    assert highway.frames[0].shape == (240, 320, 3)
    assert (highway.truth[0] == 85).all()  # outside temporalROI.txt
    for index in (469, 1699):
        assert {0, 255} < set(np.unique(highway.truth[index])) <= set(CODES)
    assert highway.roi.shape == (240, 320)
    assert dataset.result_path(highway, 469) == "baseline/highway/bin000470.png"


@pytest.mark.data
def test_real_sbi2015(data_root):
    dataset = SBI2015(data_root / "SBI2015")
    assert {s.name: len(s.judged) for s in dataset} == {"Board": 228, "CAVIAR2": 460, "IBMtest2": 90, "Snellen": 321}
    for sequence in dataset:
        assert sequence.problems == []
        assert sequence.roi.shape == sequence.frames[0].shape[:2] == sequence.truth[0].shape
        for index in sequence.judged[::60]:
            assert set(np.unique(sequence.truth[index])) <= {0, 170, 255}
