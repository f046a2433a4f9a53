"""Figures of others on real sequences, through the whole way from folder to measure."""

import json

import cv2
import numpy as np
import pytest

from motionseg.background import OpenCVCNT, OpenCVKNN, OpenCVMOG2
from motionseg.core.types import Segmentation
from motionseg.datasets import DAVIS2016, CDnet, Moseg
from motionseg.pipeline import Run, evaluate

pytestmark = pytest.mark.data


@pytest.mark.parametrize(
    ("model", "create", "highway", "office"),
    [
        (OpenCVMOG2, lambda: cv2.createBackgroundSubtractorMOG2(), 0.708, 0.357),
        (OpenCVKNN, lambda: cv2.createBackgroundSubtractorKNN(), 0.803, 0.522),
        (OpenCVCNT, lambda: cv2.bgsegm.createBackgroundSubtractorCNT(), 0.786, 0.826),
    ],
)
def test_our_rows_are_those_of_opencv_run_by_hand(data_root, model, create, highway, office):
    if not hasattr(cv2, "bgsegm") and model is OpenCVCNT:
        pytest.skip("this OpenCV has no contributed modules")
    for name, published in (("highway", highway), ("office", office)):
        sequence, subtractor = CDnet(data_root / "CDnet2014")[name], create()
        tp = fp = fn = 0
        for index, frame in enumerate(sequence.frames):
            found = subtractor.apply(frame) == 255
            if index in sequence.range:
                path = data_root / f"CDnet2014/dataset/baseline/{name}/groundtruth/gt{index + 1:06d}.png"
                truth = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
                counted = (truth != 85) & (truth != 170)
                tp += np.count_nonzero(found & (truth == 255) & counted)
                fp += np.count_nonzero(found & (truth != 255) & counted)
                fn += np.count_nonzero(~found & (truth == 255) & counted)
        by_hand = 2 * tp / (2 * tp + fp + fn)
        ours = evaluate(sequence, Run(sequence, model(), task="change"), task="change").metrics["F"]
        # KNN draws from OpenCV's global random numbers, so two runs differ a little.
        assert ours == pytest.approx(by_hand, abs=2e-3 if model is OpenCVKNN else 0)
        assert ours == pytest.approx(published, abs=2e-3)


def test_davis_from_folder_to_recall_and_decay(data_root):
    reference = data_root.parent / "reference" / "davis_jf.json"
    if not reference.exists():
        pytest.skip("the reference values are not beside the data")
    official = json.loads(reference.read_text())["sequences"]
    for name in ("dog-agility", "car-turn"):
        sequence = DAVIS2016(data_root / "DAVIS")[name]
        masks = {i: np.roll(sequence.truth[i] > 0, (3, -4), (0, 1)) for i in sequence.judged}
        results = ((i, Segmentation(i, i / 25, np.uint8(255) * mask)) for i, mask in masks.items())
        metrics = evaluate(sequence, results, task="foreground").metrics
        for measure in ("J", "F"):
            told = [metrics[measure], metrics[f"{measure}-recall"], metrics[f"{measure}-decay"]]
            assert told == pytest.approx(official[name]["shift_3_down_4_left"][measure], abs=1e-6)


def test_the_truth_of_moseg_is_all_right_by_itself(data_root):
    for sequence in Moseg(data_root / "moseg"):
        labels = {i: sequence.truth[i] for i in sequence.judged}
        results = (
            (i, Segmentation(i, i / 25, np.uint8(255) * (label > 0), labels=np.maximum(label, 0)))
            for i, label in labels.items()
        )
        metrics = evaluate(sequence, results, task="regions").metrics
        assert (metrics["F"], metrics["density"]) == (1, 1)
        assert metrics["extracted"] == max(int(label.max()) for label in labels.values())
