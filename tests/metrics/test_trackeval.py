"""The tracking metrics give TrackEval's figures, which are the official ones."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.tracking import sequences, trackeval_data

from motionseg.metrics.clear import CLEARCounts, count_clear
from motionseg.metrics.hota import ALPHAS, HOTACounts, count_hota
from motionseg.metrics.identity import IdentityCounts, count_identity
from motionseg.metrics.mot_challenge import without_distractors
from motionseg.metrics.tracking import Trajectories, pair_boxes, pair_labels, pair_similarities

trackeval = pytest.importorskip("trackeval")
QUIET = {"PRINT_CONFIG": False}  # TrackEval writes its defaults into the dict it is given
OFFICIAL = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({**QUIET}), trackeval.metrics.Identity({**QUIET})]
CLEAR_FIELDS = {
    "tp": "CLR_TP", "fn": "CLR_FN", "fp": "CLR_FP", "id_switches": "IDSW", "fragmentations": "Frag",
    "mostly_tracked": "MT", "partly_tracked": "PT", "mostly_lost": "ML", "mota": "MOTA", "motp": "MOTP",
    "moda": "MODA", "smota": "sMOTA", "recall": "CLR_Re", "precision": "CLR_Pr",
}  # fmt: skip


def counted(pairs):
    return count_hota(pairs), count_clear(pairs), count_identity(pairs)


def assert_equal(ours, theirs):
    hota, clear, identity = ours
    for name, curve in hota.curves.items():
        np.testing.assert_allclose(curve, theirs[0][name], rtol=0, atol=1e-9, err_msg=name)
    for name in ("hota", "det_a", "ass_a", "loc_a", "det_re", "det_pr", "ass_re", "ass_pr"):
        official = {"hota": "HOTA"}.get(name, name.title().replace("_", ""))
        assert getattr(hota, name) == pytest.approx(theirs[0][official].mean(), abs=1e-9), name
    assert (hota.hota_0, hota.loc_a_0) == pytest.approx((theirs[0]["HOTA(0)"], theirs[0]["LocA(0)"]), abs=1e-9)
    for name in ("tp", "fn", "fp"):
        assert getattr(hota, name).tolist() == theirs[0][f"HOTA_{name.upper()}"].tolist()
    for name, official in CLEAR_FIELDS.items():
        assert getattr(clear, name) == pytest.approx(theirs[1][official], abs=1e-9), name
    for name in ("idtp", "idfn", "idfp", "idf1", "idr", "idp"):
        assert getattr(identity, name) == pytest.approx(theirs[2][name.upper()], abs=1e-9), name
    if clear.tp + clear.fn and clear.tp + clear.fp:  # TrackEval does not count the frames of a one-sided sequence
        assert clear.false_alarm_rate == pytest.approx(theirs[1]["FP_per_frame"], abs=1e-9)


def test_the_alphas():
    assert ALPHAS.tolist() == OFFICIAL[0].array_labels.tolist()


@pytest.mark.parametrize("size", [5, 12])
def test_random_tracks(size):
    @given(sequences(size=size))
    def check(frames):
        data = trackeval_data(frames)
        assert_equal(counted(pair_similarities(frames)), [metric.eval_sequence(data) for metric in OFFICIAL])

    check()


@given(sequences(), st.sampled_from([0.05, 0.25, 0.75, 1.0]))
def test_other_thresholds(frames, threshold):
    pairs, config = pair_similarities(frames), {"THRESHOLD": threshold, **QUIET}
    theirs = trackeval.metrics.CLEAR(config).eval_sequence(trackeval_data(frames))
    ours = count_clear(pairs, threshold=threshold)
    for name, official in CLEAR_FIELDS.items():
        assert getattr(ours, name) == pytest.approx(theirs[official], abs=1e-9), name
    theirs = trackeval.metrics.Identity(config).eval_sequence(trackeval_data(frames))
    assert count_identity(pairs, threshold=threshold).idtp == theirs["IDTP"]


@pytest.mark.parametrize("seed", range(5))
def test_ties_that_only_roundings_decide(seed):
    """Tables of rank one are full of ties, and the solver then goes by the last bit of every score."""
    rng, ids = np.random.default_rng(seed), np.arange(9)
    factors = [(rng.choice([0.5, 0.7, 0.9], 9), rng.choice([0.6, 0.8, 1.0], 9)) for _ in range(3)]
    frames = [(ids, ids, np.outer(*pair)) for pair in factors]
    data = trackeval_data(frames)
    assert_equal(counted(pair_similarities(frames)), [metric.eval_sequence(data) for metric in OFFICIAL])


@given(st.lists(sequences(), min_size=1, max_size=3))
def test_sequences_together(several):
    ours = [counted(pair_similarities(frames)) for frames in several]
    parts = [[metric.eval_sequence(trackeval_data(frames)) for frames in several] for metric in OFFICIAL]
    theirs = [metric.combine_sequences(dict(enumerate(part))) for metric, part in zip(OFFICIAL, parts, strict=True)]
    starts = HOTACounts(), CLEARCounts(), IdentityCounts()
    together = [sum((one[i] for one in ours), start) for i, start in enumerate(starts)]
    assert together[1].frames == sum(map(len, several))
    if together[1].tp + together[1].fn == 0:  # without any truth TrackEval gives -FP where it gave 0 for a sequence
        theirs[1].update({"MOTA": 0, "MODA": 0, "sMOTA": 0})
    theirs[1]["FP_per_frame"] = together[1].fp / max(1, together[1].frames)
    assert_equal(together, theirs)


def test_masks():
    """TrackEval is given the overlaps of the masks, counted pixel by pixel; void is in nobody's mask."""
    rng, truth, found, frames = np.random.default_rng(3), [], [], []
    for _ in range(12):
        image = np.kron(rng.choice([0, 0, 1, 2, 900000], (4, 5)), np.ones((6, 6), int))
        image[rng.random(image.shape) < 0.05] = -1
        other = np.where(rng.random(image.shape) < 0.8, np.roll(image, 1, axis=1), 0)
        other = np.where(other > 0, other + rng.integers(0, 2), 0)
        a, b = (np.setdiff1d(i, [-1, 0]) for i in (image, other[image >= 0]))
        same = [[(image == i) & (other == j) for j in b] for i in a]
        either = [[((image == i) | (other == j)) & (image >= 0) for j in b] for i in a]
        frames.append((a, b, np.sum(same, axis=(2, 3)) / np.sum(either, axis=(2, 3))))
        truth.append(image)
        found.append(other)
    data = trackeval_data(frames)
    assert_equal(counted(pair_labels(truth, found)), [metric.eval_sequence(data) for metric in OFFICIAL])


class Official:
    """TrackEval reading its own files, from raw boxes to prepared data."""

    def __init__(self, folder, benchmark, truth, length, trackers):
        shared = {"GT_FOLDER": str(folder), "TRACKERS_FOLDER": str(trackers), "SKIP_SPLIT_FOL": True, **QUIET}
        shared |= {"GT_LOC_FORMAT": truth, "SEQ_INFO": length, "BENCHMARK": benchmark, "TRACKERS_TO_EVAL": ["ours"]}
        self.dataset = trackeval.datasets.MotChallenge2DBox(shared)

    def __call__(self, sequence):
        raw = self.dataset.get_raw_seq_data("ours", sequence)
        return self.dataset.get_preprocessed_seq_data(raw, "pedestrian")


def trajectories(table):
    boxes = np.concatenate([table[:, 2:4], table[:, 2:4] + table[:, 4:6]], axis=1)
    return Trajectories(table[:, 0].astype(int), table[:, 1].astype(int), boxes)


@pytest.mark.data
def test_tud(data_root, tmp_path):
    lengths, results = {"TUD-Campus": 71, "TUD-Stadtmitte": 179}, []
    (tmp_path / "ours" / "data").mkdir(parents=True)
    for name in lengths:
        shutil.copy(data_root / "MOT" / name / "test.txt", tmp_path / "ours" / "data" / f"{name}.txt")
    official = Official(data_root / "MOT", "MOT15", "{gt_folder}/{seq}/gt.txt", lengths, tmp_path)
    for name, length in lengths.items():
        files = [np.loadtxt(data_root / "MOT" / name / file, delimiter=",") for file in ("gt.txt", "test.txt")]
        ours = counted(pair_boxes(*map(trajectories, files), n_frames=length))
        theirs = [metric.eval_sequence(official(name)) for metric in OFFICIAL]
        assert_equal(ours, theirs)
        results.append((ours, theirs))
    together = [a + b for a, b in zip(results[0][0], results[1][0], strict=True)]
    parts = [dict(enumerate(part)) for part in zip(*(theirs for _, theirs in results), strict=True)]
    assert_equal(together, [metric.combine_sequences(part) for metric, part in zip(OFFICIAL, parts, strict=True)])


@pytest.mark.parametrize(("benchmark", "options"), [("MOT17", {}), ("MOT20", {"distractors": (2, 6, 7, 8, 12)})])
def test_what_the_motchallenge_leaves_out(tmp_path, benchmark, options):
    rng, length = np.random.default_rng(7), 30
    frames, ids = (grid.ravel() for grid in np.meshgrid(np.arange(1, length + 1), np.arange(1, 31), indexing="ij"))
    corner = rng.uniform(0, 150, (31, 2))[ids] + frames[:, None]
    classes, flags = rng.integers(1, 14, 31)[ids] * (ids > 15) + (ids <= 15), rng.random(len(ids)) < 0.8
    there = rng.random(len(ids)) < 0.9
    truth = np.column_stack([frames, ids, corner, np.full((len(ids), 2), (30, 60)), flags, classes, np.ones(len(ids))])
    seen = rng.random(len(ids)) < 0.8
    noise = rng.normal(0, 4, (len(ids), 2))
    found = np.column_stack([frames, ids + 40, corner + noise, np.full((len(ids), 2), (28, 64)), np.ones(len(ids))])
    truth, found = rng.permutation(truth[there]), rng.permutation(found[seen])  # the rows in no order
    (tmp_path / "one" / "gt").mkdir(parents=True)
    (tmp_path / "ours" / "data").mkdir(parents=True)
    np.savetxt(tmp_path / "one" / "gt" / "gt.txt", truth, "%.17g", ",")
    np.savetxt(tmp_path / "ours" / "data" / "one.txt", found, "%.17g", ",")
    data = Official(tmp_path, benchmark, "{gt_folder}/{seq}/gt/gt.txt", {"one": length}, tmp_path)("one")

    columns = truth[:, 7].astype(int), truth[:, 6].astype(int)
    kept_truth, kept = without_distractors(trajectories(truth), *columns, trajectories(found), **options)
    assert len(found) - len(kept) > 50
    for f in range(length):
        assert sorted(kept.boxes[kept.frames == f + 1, 0]) == sorted(data["tracker_dets"][f][:, 0])
        assert sorted(kept_truth.boxes[kept_truth.frames == f + 1, 0]) == sorted(data["gt_dets"][f][:, 0])
    ours = counted(pair_boxes(kept_truth, kept, n_frames=length))
    assert_equal(ours, [metric.eval_sequence(data) for metric in OFFICIAL])
