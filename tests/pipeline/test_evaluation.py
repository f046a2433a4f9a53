import math

import numpy as np
import pytest

from motionseg import MotionSegmenter, Segmentation
from motionseg.background import FrameDifference, GaussianMixture
from motionseg.core.errors import ParameterError, SourceError, UnsupportedError
from motionseg.core.types import Tracks, TrackState
from motionseg.datasets.base import BoxTruth, FlowTruth, Lazy, Sequence
from motionseg.flow import OpenCVDIS
from motionseg.metrics import ChangeCounts, contour_accuracy, count_change, region_similarity
from motionseg.pipeline import Run, combine, evaluate
from motionseg.track import KalmanIoU

SHAPE = (60, 80)


def frame(i, n_things=1):
    """A wall, and things that walk over it, 2 pixels a frame."""
    picture = np.random.default_rng(0).integers(60, 160, (*SHAPE, 3)).astype(np.uint8)
    for k in range(n_things):
        picture[10 + 25 * k : 25 + 25 * k, 2 * i : 2 * i + 12] = (250, 30, 20 + 90 * k)
    return picture


def truth(i, n_things=1, value=255):
    codes = np.zeros(SHAPE, np.uint8 if value == 255 else np.int32)
    for k in range(n_things):
        codes[10 + 25 * k : 25 + 25 * k, 2 * i : 2 * i + 12] = 255 if value == 255 else k + 1
    return codes


def sequence(n=12, first=4, **changes):
    facts = {
        "name": "walk",
        "category": "easy",
        "frames": [frame(i) for i in range(n)],
        "truth": {i: truth(i) for i in range(n)},
        "range": range(first, n),
    }
    return Sequence(**{**facts, **changes})


def masks(n=12, **changes):
    for i in range(n):
        yield i, Segmentation(i, i / 25, truth(i), **changes)


# --- Run ---------------------------------------------------------------------------------------


def test_a_model_sees_every_frame_up_to_the_last_judged_one():
    run = Run(sequence(range=range(4, 9)), FrameDifference(), task="change")
    reference = FrameDifference()
    for index, result in run:
        np.testing.assert_array_equal(result.mask, reference.apply(frame(index)))
        np.testing.assert_array_equal(result.score, reference.score())
    assert index == 8
    assert run.frames == 8, "the first frame pays for loading kernels and does not count"
    assert run.fps == pytest.approx(8 / run.seconds)


def test_a_frame_that_cannot_be_read_is_reported_and_passed_over():
    def read(i):
        if i == 5:
            raise SourceError("cut short", source="in5.png")
        return frame(i)

    class Frames(list):
        __getitem__ = staticmethod(read)

    run = Run(sequence(frames=Frames(range(12))), FrameDifference(), task="change")
    evaluation = evaluate(run.sequence, run, task="change")
    assert evaluation.problems == ["in5.png: cut short"]
    assert evaluation.judged == 7


def test_labels_of_a_background_model_are_tracks():
    things = sequence(frames=[frame(max(0, i - 20), 2) if i >= 20 else frame(60) for i in range(40)], range=range(40))
    results = [r for _, r in Run(things, GaussianMixture(), task="objects")]
    assert set(np.unique(results[-1].track_labels())) == {0, 1, 2}


def test_methods_fit_their_task():
    for method, task in [(FrameDifference(), "flow"), (OpenCVDIS(), "change"), (MotionSegmenter(), "boxes")]:
        with pytest.raises(ParameterError, match="cannot do the task"):
            Run(sequence(), method, task=task)
    with pytest.raises(ParameterError, match="task is one of"):
        evaluate(sequence(), masks(), task="colour")


# --- the judges --------------------------------------------------------------------------------


def test_change_counts_what_is_judged():
    evaluation = evaluate(sequence(), masks(), task="change")
    assert evaluation.metrics["F"] == 1
    assert evaluation.judged == 8
    assert evaluation.counts["tp"] == 8 * 15 * 12
    assert "AP" not in evaluation.metrics
    assert evaluation.curve == {}
    assert [w.index for w in evaluation.worst] == [4, 7, 10]
    assert all(w.cost == 0 for w in evaluation.worst)


def test_change_with_a_region_of_interest_a_score_and_a_background():
    roi = np.zeros(SHAPE, bool)
    roi[:30] = True
    scene = sequence(read_roi=lambda: roi, background={11: frame(60)}, range=range(4, 12))
    model, counts = FrameDifference(), ChangeCounts()
    for i in range(12):
        mask = model.apply(frame(i))
        if i >= 4:
            counts += count_change(mask, truth(i), roi)
    evaluation = evaluate(scene, Run(scene, FrameDifference(), task="change"), task="change")
    assert evaluation.counts == vars(counts)
    assert 0 < evaluation.metrics["AP"] <= 1
    assert evaluation.metrics["AGE"] > 0
    assert len(evaluation.curve["recall"]) == len(evaluation.curve["precision"]) <= 101


def test_a_method_that_cannot_show_its_background_is_judged_without(monkeypatch):
    def cannot(self):
        raise UnsupportedError("no picture")

    monkeypatch.setattr(FrameDifference, "background", cannot)
    scene = sequence(background={11: frame(60)})
    metrics = evaluate(scene, Run(scene, FrameDifference(), task="change"), task="change").metrics
    assert "AGE" not in metrics
    assert "F" in metrics


def test_foreground_is_judged_as_davis_does():
    seen = sequence(truth={i: truth(i, value=1) for i in range(12)})
    shifted = ((i, Segmentation(i, i / 25, np.roll(truth(i), 3, axis=1))) for i in range(12))
    metrics = evaluate(seen, shifted, task="foreground").metrics
    real, found = truth(6) > 0, np.roll(truth(6) > 0, 3, axis=1)
    assert metrics["J"] == pytest.approx(region_similarity(found, real))
    assert metrics["F"] == pytest.approx(contour_accuracy(found, real))
    assert metrics["J-recall"] == 1
    assert metrics["J-decay"] == pytest.approx(0)
    assert metrics["T"] == pytest.approx(0, abs=1e-6), "a contour that only moves is steady"


def test_objects_and_regions_by_lasting_labels():
    things = sequence(truth={i: truth(i, 2, value=1) for i in range(12)})

    def results(swap):
        for i in range(12):
            labels = truth(i, 2, value=1)
            if swap and i >= 8:
                labels = np.array([0, 2, 1], np.int32)[labels]
            yield i, Segmentation(i, i / 25, truth(i, 2), labels=labels)

    assert evaluate(things, results(False), task="objects").metrics["J&F"] == 1
    assert evaluate(things, results(True), task="objects").metrics["J&F"] == pytest.approx(0.5)
    steady, swapped = (evaluate(things, results(s), task="regions").metrics for s in (False, True))
    assert (steady["F"], steady["density"], steady["extracted"]) == (1, 1, 2)
    assert swapped["F"] < 0.8
    assert swapped["extracted"] == 0


def test_more_objects_than_allowed_are_cut_to_the_largest():
    labels = np.zeros(SHAPE, np.int32)
    labels.flat[: 30 * 8] = np.repeat(np.arange(1, 31), 8)  # 30 specks of 8 pixels
    labels[30:55, :40] = 31
    things = sequence(truth={i: (labels == 31).astype(np.int32) for i in range(12)})
    results = (
        (i, Segmentation(i, i / 25, np.where(labels > 0, 255, 0).astype(np.uint8), labels=labels)) for i in range(12)
    )
    assert evaluate(things, results, task="objects").metrics["J"] == 1


def boxes_of(i):
    return np.array([[2 * i, 10, 2 * i + 12, 25], [2 * i, 35, 2 * i + 12, 50]], np.float32)


def box_sequence(**changes):
    facts = {"frames": [], "range": range(12), "truth": {i: given([1, 2], boxes_of(i)) for i in range(12)}}
    return sequence(**{**facts, **changes})


def given(ids, boxes):
    n = len(ids)
    return BoxTruth(np.array(ids), boxes, np.ones(n, np.float32), np.ones(n, np.int64))


def tracks(ids, boxes):
    n = len(ids)
    return Tracks(
        ids=np.array(ids, np.int64),
        boxes=boxes,
        labels=np.zeros(n, np.int32),
        areas=np.zeros(n, np.int64),
        scores=np.ones(n, np.float32),
        velocities=np.zeros((n, 2), np.float32),
        states=np.full(n, TrackState.CONFIRMED, np.uint8),
    )


def test_boxes_and_the_sum_of_sequences():
    def result(swap):
        return ((i, tracks([2, 1] if swap and i >= 6 else [1, 2], boxes_of(i))) for i in range(12))

    good, bad = (evaluate(box_sequence(), result(swap), task="boxes") for swap in (False, True))
    assert (good.metrics["HOTA"], good.metrics["MOTA"], good.metrics["IDF1"]) == (1, 1, 1)
    assert bad.metrics["IDSW"] == 2
    assert bad.metrics["IDF1"] == pytest.approx(0.5)
    both = combine("boxes", [good.counts, bad.counts])
    assert both["IDSW"] == 2
    assert both["MOTA"] == pytest.approx(1 - 2 / 48)
    assert combine("change", [{}]) == {}


def test_a_linker_gets_the_detections_or_else_the_true_boxes():
    metrics = evaluate(box_sequence(), Run(box_sequence(), KalmanIoU(), task="boxes"), task="boxes").metrics
    assert metrics["IDSW"] == 0
    assert metrics["MOTA"] > 0.6
    nothing = box_sequence(detections={3: given([-1], boxes_of(3)[:1])})
    assert evaluate(nothing, Run(nothing, KalmanIoU(), task="boxes"), task="boxes").metrics["MOTA"] <= 0


def test_flow():
    still, moved = frame(60), np.roll(frame(60), 2, axis=1)
    real = np.zeros((*SHAPE, 2), np.float32)
    real[..., 0] = 2
    valid = np.ones(SHAPE, bool)
    valid[:, -4:] = valid[:, :4] = False
    pair = sequence(frames=[still, moved], truth={0: FlowTruth(real, valid)}, range=range(1))
    off = evaluate(pair, [(0, real + np.float32(1))], task="flow")
    assert off.metrics["EPE"] == pytest.approx(math.sqrt(2))
    run = Run(pair, OpenCVDIS(), task="flow")
    assert evaluate(pair, run, task="flow").metrics["EPE"] < 1.5
    assert run.frames == 1, "the only pair is measured, after a first go that is not"


# --- damage ------------------------------------------------------------------------------------


def test_damaged_truth_is_left_out_and_named():
    def read(i):
        if i == 6:
            raise SourceError("not a readable image", source="gt6.png")
        return truth(i) if i != 7 else np.zeros((3, 4), np.uint8)

    damaged = sequence(truth=Lazy({i: i for i in range(12)}, read), problems=["ROI.bmp: of another size, left out"])
    evaluation = evaluate(damaged, Run(damaged, FrameDifference(), task="change"), task="change")
    assert evaluation.judged == 6
    assert sum(evaluation.counts[name] for name in ("tp", "fp", "fn", "tn")) == 6 * SHAPE[0] * SHAPE[1]
    roi, unreadable, size = evaluation.problems
    assert roi.startswith("ROI.bmp")
    assert unreadable == "gt6.png: not a readable image"
    assert "frame 7" in size
    assert "differ" in size


def test_a_result_of_another_size_is_an_error():
    wrong = ((i, Segmentation(i, i / 25, mask.mask[:-1])) for i, mask in masks())
    with pytest.raises(SourceError, match=r"easy/walk, frame 4: .*differ in size"):
        evaluate(sequence(), wrong, task="change")


def test_nothing_to_judge_is_an_error():
    with pytest.raises(SourceError, match="easy/walk: no frame could be judged: there is neither"):
        evaluate(sequence(truth={}), masks(), task="change")


def test_the_worst_frame_of_each_part_is_kept_as_a_picture():
    def results():
        for i in range(12):
            mask = truth(i)
            mask[: {5: 30, 9: 20, 10: 40}.get(i, 0)] = 255
            yield i, Segmentation(i, i / 25, mask)

    told = []
    evaluation = evaluate(
        sequence(), results(), task="change", keep_worst=2, on_result=lambda index, result: told.append(index)
    )
    assert [w.index for w in evaluation.worst] == [5, 10]
    assert all(w.picture.ndim == 3 and w.picture.shape[1] >= 4 * 80 for w in evaluation.worst)
    assert told == list(range(12))
    assert evaluate(sequence(), results(), task="change", keep_worst=0).worst == []


# --- what does not count -----------------------------------------------------------------------


def void_below(labels, row):
    labels = labels.copy()
    labels[row:] = -1
    return labels


@pytest.mark.parametrize("task", ["foreground", "regions"])
def test_void_pixels_are_not_judged(task):
    seen = sequence(truth={i: void_below(truth(i, 2, value=1), 30) for i in range(12)})

    def results():
        for i in range(12):
            mask = truth(i, 2)
            mask[50:] = 255  # wrong, but void
            yield i, Segmentation(i, i / 25, mask, labels=np.where(mask > 0, 1, 0).astype(np.int32))

    metrics = evaluate(seen, results(), task=task).metrics
    assert metrics["J"] == 1
    assert metrics["F"] == 1


def test_steadiness_is_of_neighbouring_frames():
    """Every other frame is judged, and the shape changes between them only: nothing can be said."""
    seen = sequence(truth={i: truth(i, value=1) for i in range(0, 12, 2)}, range=range(12))
    assert math.isnan(evaluate(seen, masks(), task="foreground").metrics["T"])
    assert (
        evaluate(sequence(truth={i: truth(i, value=1) for i in range(12)}), masks(), task="foreground").metrics["T"] < 1
    )


def flagged(scores, classes=(1, 1)):
    return {
        i: BoxTruth(np.array([1, 2]), boxes_of(i), np.array(scores, np.float32), np.array(classes)) for i in range(12)
    }


def test_boxes_that_do_not_count_are_neither_given_to_linkers_nor_missed():
    half = box_sequence(truth=flagged([1, 0]))
    run = list(Run(half, KalmanIoU(min_hits=1), task="boxes"))
    assert all(len(tracks) == 1 for _, tracks in run)
    metrics = evaluate(half, ((i, tracks([5], boxes_of(i)[:1])) for i in range(12)), task="boxes").metrics
    assert (metrics["MOTA"], metrics["Re"]) == (1, 1)


def test_a_track_that_is_not_believed_yet_is_no_result():
    found = [len(tracks) for _, tracks in Run(box_sequence(), KalmanIoU(min_hits=4), task="boxes")]
    assert found[0] == 0
    assert found[-1] == 2


@pytest.mark.parametrize(("name", "kind", "false_alarms"), [("walk", 8, 0), ("walk", 6, 12), ("MOT20-01", 6, 0)])
def test_what_is_found_of_a_distractor_is_neither_right_nor_wrong(name, kind, false_alarms):
    scene = box_sequence(name=name, truth=flagged([1, 0], (1, kind)))
    metrics = evaluate(scene, ((i, tracks([5, 6], boxes_of(i))) for i in range(12)), task="boxes").metrics
    assert metrics["FAR"] * 12 == pytest.approx(false_alarms)
    assert metrics["Re"] == 1


def test_false_alarms_are_per_frame_of_the_whole_sequence():
    empty = {
        i: BoxTruth(np.array([], int), np.zeros((0, 4), "f4"), np.zeros(0, "f4"), np.array([], int)) for i in range(12)
    }
    scene = box_sequence(truth={**empty, 0: given([1], boxes_of(0)[:1])})
    results = ((i, tracks([5, 6] if i == 0 else [], boxes_of(0)[: 2 * (i == 0)])) for i in range(12))
    assert evaluate(scene, results, task="boxes").metrics["FAR"] == pytest.approx(1 / 12)
