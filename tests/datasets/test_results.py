"""Results written for a benchmark come back as they were."""

import numpy as np
import pytest

from motionseg.core.errors import SourceError
from motionseg.core.types import Segmentation, Tracks, TrackState
from motionseg.datasets import ResultWriter, read_results
from motionseg.datasets.base import Dataset, DatasetInfo, Sequence
from motionseg.io import read_image, read_labels

SHAPE, N = (12, 16), 3


def dataset_of(task, suffix):
    class Made(Dataset):
        info = DatasetInfo("made up", "-", "-", "-", "-")

        def sequences(self):
            return []

        def result_path(self, sequence, index):
            return f"{sequence.full_name}/{index:03d}{suffix}" if task != "boxes" else f"{sequence.name}.txt"

    Made.task = task
    return Made


def written(tmp_path, task, suffix, results):
    """(folder, what comes back) of `results`."""
    dataset = dataset_of(task, suffix)(tmp_path)
    sequence = Sequence("walk", "easy", [], dict.fromkeys(range(N)), range(N), fps=10.0)
    with ResultWriter(dataset, sequence, tmp_path / "out") as writer:
        for index, result in enumerate(results):
            writer.write(index, result)
    return tmp_path / "out/easy/walk", list(read_results(dataset, sequence, tmp_path / "out"))


def mask(*levels):
    picture = np.zeros(SHAPE, np.uint8)
    for k, level in enumerate(levels):
        picture[4 * k : 4 * k + 4, 2:9] = level
    return picture


def tracks(ids, labels):
    n = len(ids)
    return Tracks(
        ids=np.array(ids, np.int64),
        boxes=np.tile(np.array([1.25, 2, 7, 9.5], np.float32), (n, 1)) + np.arange(n, dtype=np.float32)[:, None],
        labels=np.array(labels, np.int32),
        areas=np.zeros(n, np.int64),
        scores=np.linspace(0.5, 1, n, dtype=np.float32),
        velocities=np.zeros((n, 2), np.float32),
        states=np.full(n, TrackState.CONFIRMED, np.uint8),
    )


def test_change_is_black_and_white(tmp_path):
    shown = [Segmentation(i, i / 10, mask(255, 127)) for i in range(N)]
    folder, back = written(tmp_path, "change", ".png", shown)
    np.testing.assert_array_equal(read_image(folder / "000.png", grey=True), mask(255, 0))
    assert [index for index, _ in back] == [0, 1, 2]
    assert [result.time for _, result in back] == [0, 0.1, 0.2]
    np.testing.assert_array_equal(back[2][1].mask, mask(255, 0))


def test_foreground_is_label_1_without_shadows(tmp_path):
    folder, back = written(tmp_path, "foreground", ".png", [Segmentation(i, i / 10, mask(255, 127)) for i in range(N)])
    np.testing.assert_array_equal(read_labels(folder / "001.png"), mask(1, 0))
    np.testing.assert_array_equal(back[1][1].mask, mask(255, 0))


@pytest.mark.parametrize("task", ["objects", "regions"])
def test_ids_of_tracks_become_lasting_numbers_from_1(tmp_path, task):
    labels = mask(1, 2).astype(np.int32)
    # Track 900 comes first as region 1, then as region 2; track 7 comes second.
    results = [
        Segmentation(0, 0.0, mask(255, 0), labels=mask(1, 0).astype(np.int32), tracks=tracks([900], [1])),
        Segmentation(1, 0.1, mask(255, 255), labels=labels, tracks=tracks([7, 900], [1, 2])),
        Segmentation(2, 0.2, mask(0, 0), labels=mask(0, 0).astype(np.int32), tracks=tracks([900], [0])),
    ]
    _, back = written(tmp_path, task, ".png", results)
    for (_, result), wanted in zip(back, (mask(1, 0), mask(2, 1), mask(0, 0)), strict=True):
        np.testing.assert_array_equal(result.track_labels(), wanted)
        np.testing.assert_array_equal(result.mask > 0, wanted > 0)


def test_more_tracks_than_a_palette_holds_are_dropped_and_not_mixed_up(tmp_path):
    results = []
    for i in range(N):
        labels = np.zeros(SHAPE, np.int32)
        labels.flat[:120] = np.arange(1, 121)
        ids = np.arange(1, 121) + 120 * i
        results.append(Segmentation(i, i / 10, np.where(labels > 0, 255, 0).astype(np.uint8), labels=labels,
                                    tracks=tracks(ids, np.arange(1, 121))))  # fmt: skip
    _, back = written(tmp_path, "regions", ".png", results)
    third = back[2][1].track_labels()
    assert sorted(set(third.ravel().tolist())) == [0, *range(241, 256)]


def test_flow_comes_back(tmp_path):
    flows = [np.full((*SHAPE, 2), i + 0.25, np.float32) for i in range(N)]
    _, back = written(tmp_path, "flow", ".flo", flows)
    for (_, result), flow in zip(back, flows, strict=True):
        np.testing.assert_array_equal(result, flow)


def test_boxes_come_back_frame_by_frame(tmp_path):
    shown = [tracks([4, 9], [0, 0]), tracks([], []), tracks([9], [0])]
    _, back = written(tmp_path, "boxes", "", shown)
    for (_, result), wanted in zip(back, shown, strict=True):
        assert result.ids.tolist() == wanted.ids.tolist()
        np.testing.assert_array_equal(result.boxes, wanted.boxes)
        np.testing.assert_array_equal(result.scores, wanted.scores)


def test_missing_results_are_counted_and_the_first_is_named(tmp_path):
    dataset = dataset_of("change", ".png")(tmp_path)
    sequence = Sequence("walk", "easy", [], dict.fromkeys(range(N)), range(N))
    with ResultWriter(dataset, sequence, tmp_path / "out") as writer:
        writer.write(0, Segmentation(0, 0.0, mask(255)))
    with pytest.raises(SourceError, match=r"001\.png: 2 of 3 results are missing"):
        list(read_results(dataset, sequence, tmp_path / "out"))
