import contextlib
import io
import math

import numpy as np
import pytest

from motionseg.core.errors import FrameError, ParameterError
from motionseg.metrics.average_precision import DetectionCounts, count_detections

NAMES = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]


def rectangles(random, n, shape, largest):
    masks = np.zeros((n, *shape), bool)
    for mask in masks:
        h, w = random.integers(1, largest + 1, 2)
        y, x = random.integers(0, shape[0] - h + 1), random.integers(0, shape[1] - w + 1)
        mask[y : y + h, x : x + w] = True
    return masks


def shaken(random, masks):
    """The same objects, moved a little and with ragged borders."""
    moved = [np.roll(mask, random.integers(-3, 4, 2), (0, 1)) for mask in masks]
    return np.array([mask & (random.random(mask.shape) > 0.15 * random.random()) for mask in moved], bool)


def random_image(random, n_classes, most, shape=(130, 140), largest=120):
    truth = rectangles(random, random.integers(0, most // 2 + 1), shape, largest)
    again = shaken(random, truth[random.permutation(len(truth)).repeat(random.integers(0, 3, len(truth)))])
    found = np.concatenate([again.reshape(-1, *shape), rectangles(random, random.integers(0, most), shape, largest)])
    return {
        "masks": found,
        "scores": random.integers(0, 20, len(found)) / 20,  # with many equals
        "truth": truth,
        "classes": random.integers(0, n_classes, len(found)),
        "truth_classes": random.integers(0, n_classes, len(truth)),
        "crowd": random.random(len(truth)) < 0.2,
    }


def coco_metrics(images):
    """What pycocotools says of the same images."""
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    mask = pytest.importorskip("pycocotools.mask")
    truths, founds = [], []
    for number, image in enumerate(images, 1):
        codes = [mask.encode(np.asfortranarray(m.astype(np.uint8))) for m in image["truth"]]
        for code, class_, crowd in zip(codes, image["truth_classes"], image["crowd"], strict=True):
            facts = {"segmentation": code, "area": float(mask.area(code)), "iscrowd": int(crowd)}
            truths.append({"id": len(truths) + 1, "image_id": number, "category_id": int(class_), **facts})
        codes = [mask.encode(np.asfortranarray(m.astype(np.uint8))) for m in image["masks"]]
        for code, class_, score in zip(codes, image["classes"], image["scores"], strict=True):
            facts = {"segmentation": code, "score": float(score)}
            founds.append({"image_id": number, "category_id": int(class_), **facts})
    with contextlib.redirect_stdout(io.StringIO()):
        gt = coco.COCO()
        sizes = [
            {"id": n, "height": i["truth"].shape[1], "width": i["truth"].shape[2]} for n, i in enumerate(images, 1)
        ]
        gt.dataset = {"images": sizes, "annotations": truths, "categories": [{"id": k} for k in range(5)]}
        gt.createIndex()
        judge = evaluation.COCOeval(gt, gt.loadRes(founds), "segm")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {name: math.nan if value == -1 else value for name, value in zip(NAMES, judge.stats, strict=True)}


def ours(images):
    return sum((count_detections(**image) for image in images), DetectionCounts()).metrics()


@pytest.mark.parametrize("seed", range(25))
def test_parity_with_pycocotools(seed):
    random = np.random.default_rng(seed)
    images = [random_image(random, n_classes=1 + seed % 3, most=(3, 8, 14)[seed % 3]) for _ in range(4)]
    images[0] |= {"masks": np.ones((1, 130, 140), bool), "scores": np.array([0.5]), "classes": np.array([0])}
    assert ours(images) == pytest.approx(coco_metrics(images), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_parity_with_more_than_a_hundred_detections(seed):
    random = np.random.default_rng(100 + seed)
    image = random_image(random, n_classes=1, most=20, shape=(40, 50), largest=36)
    more = shaken(random, np.concatenate([rectangles(random, 110, (40, 50), 36), image["truth"], image["truth"]]))
    image["masks"] = np.concatenate([image["masks"], more])
    image["scores"] = random.integers(0, 40, len(image["masks"])) / 40
    image["classes"] = np.zeros(len(image["masks"]), int)
    images = [image, random_image(random, 1, 6, (40, 50), 36)]
    found, metrics = len(image["masks"]), ours(images)
    assert found > 100
    assert metrics == pytest.approx(coco_metrics(images), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("side", [31, 32, 33, 95, 96, 97])
def test_parity_at_the_limits_of_the_sizes(side):
    truth = np.zeros((2, 130, 140), bool)
    truth[0, :side, :side] = True
    truth[1, 110:120, 110:120] = True
    found = truth.copy()
    found[:, :2] = False
    facts = {"classes": np.zeros(2, int), "truth_classes": np.zeros(2, int), "crowd": np.zeros(2, bool)}
    images = [{"masks": found, "scores": np.array([0.3, 0.9]), "truth": truth, **facts}]
    assert ours(images) == pytest.approx(coco_metrics(images), abs=1e-9, nan_ok=True)


def test_labels_are_masks():
    truth = np.array([[1, 1, 0, 2, 2], [1, 1, 0, 3, 3]], np.int32)
    found = np.array([[1, 1, 0, 2, 2], [1, 0, 0, 2, 2]], np.int32)
    stacks = [labels == np.arange(1, labels.max() + 1)[:, None, None] for labels in (found, truth)]
    a, b = count_detections(found, [0.9, 0.8], truth), count_detections(stacks[0], [0.9, 0.8], stacks[1])
    assert a.metrics() == pytest.approx(b.metrics(), nan_ok=True)
    # IoU 3/4 and 1/2 (of two equal overlaps one): found at 6 and at 1 of the 10 thresholds; 2 of 3 objects at best
    assert a.matched[:, 0].sum(axis=1).tolist() == [6, 1]
    assert a.metrics()["AR100"] == pytest.approx(7 / 30)
    assert a.metrics()["AP50"] == pytest.approx(67 / 101)  # precision 1 up to recall 2/3


def test_big_pictures_are_counted_to_the_last_pixel():
    labels = np.zeros((300, 400), np.int32)
    for number, place in enumerate([0, 65_535, 65_536, 119_999], 1):  # around 2^16, where the counting pauses
        labels.flat[place] = number
    assert count_detections(labels, [0.9, 0.8, 0.7, 0.6], labels).metrics()["AR10"] == 1


def test_a_crowd_forgives():
    crowd = np.zeros((1, 10, 10), bool)
    crowd[0, :, :5] = True
    inside = np.zeros((2, 10, 10), bool)
    inside[0, :3, :4], inside[1, 5:, :5] = True, True
    counts = count_detections(inside, [0.9, 0.8], crowd, crowd=[True])
    assert counts.ignored.all()
    assert math.isnan(counts.metrics()["AP"])
    assert not count_detections(inside, [0.9, 0.8], crowd).ignored[:, 0].any()


def test_images_without_anything():
    nothing, one = np.zeros((0, 8, 8), bool), np.ones((1, 8, 8), bool)
    assert all(math.isnan(value) for value in count_detections(nothing, [], nothing).metrics().values())
    assert all(math.isnan(value) for value in DetectionCounts().metrics().values())
    missed = count_detections(nothing, [], one)
    assert missed.metrics()["AP"] == missed.metrics()["AR100"] == 0
    both = missed + count_detections(one, [0.5], nothing) + count_detections(one, [0.4], one)
    # the false alarm is surer than the hit: precision 1/2 up to recall 1/2
    assert both.metrics()["AP"] == pytest.approx(0.5 * 51 / 101)


def test_bad_input_is_refused():
    masks = np.ones((2, 4, 5), bool)
    with pytest.raises(FrameError, match="masks are bool"):
        count_detections(masks.astype(np.uint8), [1, 1], masks)
    with pytest.raises(FrameError, match="differ"):
        count_detections(masks, [1, 1], masks[:, 1:])
    with pytest.raises(ParameterError, match="scores has shape"):
        count_detections(masks, [1], masks)
    with pytest.raises(ParameterError, match="crowd has shape"):
        count_detections(masks, [1, 1], masks, crowd=[True])
    with pytest.raises(ParameterError, match="1 of 2 scores are nan"):
        count_detections(masks, [1, math.nan], masks)
