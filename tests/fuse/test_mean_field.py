"""Shares of cues add up to the score, neighbours of one colour agree, and bad cues are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reference import mean_field as twin

import motionseg
from motionseg.core import parallel
from motionseg.core.errors import FrameError, ParameterError
from motionseg.fuse import CueFuser, Fusion, MeanField

NAMES = ("motion", "background", "boundary", "appearance", "prior", "border", "forward", "backward")


def cues_of(shape, names=NAMES, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 1.5, shape).astype(np.float32) for name in names}


def picture_of(shape, seed=1):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (-(-shape[0] // 4), -(-shape[1] // 4), *shape[2:]))
    return coarse.repeat(4, axis=0).repeat(4, axis=1)[: shape[0], : shape[1]].astype(np.uint8)


def log_odds(score):
    score = score.astype(float)
    return np.log(score / (1 - score))


@pytest.mark.parametrize("iterations", [0, 1, 8])
@pytest.mark.parametrize("shape", [(11, 14, 3), (9, 13), (1, 7, 3), (6, 1, 3), (1, 1), (2, 2)])
def test_it_is_its_twin(shape, iterations):
    cues, frame = cues_of(shape[:2]), picture_of(shape)
    fuser = MeanField(iterations=iterations, smoothness=0.7, prior=0.3, border=2.0)
    weights = {name: getattr(fuser, name) for name in NAMES}
    for picture in (frame, None):
        fusion = fuser.fuse(cues, frame=picture)
        score, evidence = twin.fuse(cues, weights, 0.7, iterations, picture)
        assert fusion.score.dtype == np.float32
        np.testing.assert_allclose(fusion.score, score, atol=2e-5)
        assert fusion.evidence.keys() == evidence.keys()
        sure = abs(log_odds(score)) > 8  # where float32 can no longer tell scores from 0 and 1
        for name, share in evidence.items():
            assert fusion.evidence[name].dtype == np.float32
            np.testing.assert_allclose(fusion.evidence[name][~sure], share[~sure], atol=2e-3, err_msg=name)


@given(
    names=st.sets(st.sampled_from(NAMES), min_size=1),
    weight=st.floats(0, 5),
    smoothness=st.floats(0, 3),
    iterations=st.integers(0, 5),
    shape=hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    size=st.sampled_from([0.01, 1.0, 30.0]),
    seed=st.integers(0, 99),
)
def test_shares_add_up(names, weight, smoothness, iterations, shape, size, seed):
    cues = {name: cue * np.float32(size) for name, cue in cues_of(shape, sorted(names), seed).items()}
    fuser = MeanField(motion=weight, smoothness=smoothness, iterations=iterations)
    fusion = fuser.fuse(cues, frame=picture_of(shape, seed))
    assert fusion.evidence.keys() == names | {"neighbours"}
    assert ((fusion.score > 0) & (fusion.score < 1)).all()
    for name, cue in cues.items():
        np.testing.assert_allclose(fusion.evidence[name], getattr(fuser, name) * cue, rtol=1e-5)
    total = np.sum(list(fusion.evidence.values()), axis=0)
    assert (abs(total) < 12.001).all()
    np.testing.assert_allclose(1 / (1 + np.exp(-total.astype(float))), fusion.score, atol=1e-6)
    wavering = abs(total) < 6  # beyond, float32 rounds 1 - score
    np.testing.assert_allclose(log_odds(fusion.score)[wavering], total[wavering], atol=1e-3)


def test_neighbours_of_its_colour_are_heard_most():
    frame = np.zeros((20, 20, 3), np.uint8)
    frame[:, 10:] = 200
    motion = np.where(np.arange(20) < 10, 2.0, -0.2).astype(np.float32) * np.ones((20, 1), np.float32)
    motion[8:12, 4:7] = -0.5  # a hole in the evidence
    seen, blind = (MeanField().fuse({"motion": motion}, frame=picture).score for picture in (frame, None))
    assert (seen[:, :10] > 0.5).all()
    assert (seen[:, 10:] < 0.5).all()
    assert (blind[:, 10] > seen[:, 10] + 0.1).all()  # without the edge what moves spreads beyond it
    alone = MeanField(smoothness=0).fuse({"motion": motion}, frame=frame).score
    np.testing.assert_array_equal(alone > 0.5, motion > 0)


def test_without_evidence_nothing_is_decided():
    fusion = MeanField().fuse({"motion": np.zeros((5, 6), np.float32)})
    assert (fusion.score == 0.5).all()
    assert not fusion.evidence["neighbours"].any()


def test_a_cue_without_weight_counts_for_nothing():
    cues = cues_of((9, 9), ("motion", "prior"))
    score = MeanField(prior=0).fuse(cues).score
    np.testing.assert_array_equal(score, MeanField().fuse({"motion": cues["motion"]}).score)


def test_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(parallel, "_MIN_PIXELS_PER_STRIP", 1)
    cues, frame, fusions = cues_of((61, 80)), picture_of((61, 80, 3)), []
    for n in (1, 2, 5):
        motionseg.set_num_threads(n)
        fusions.append(MeanField().fuse(cues, frame=frame))
    for fusion in fusions[1:]:
        np.testing.assert_array_equal(fusion.score, fusions[0].score)
        for name, share in fusion.evidence.items():
            np.testing.assert_array_equal(share, fusions[0].evidence[name])


def test_input_is_neither_changed_nor_kept():
    for iterations in (0, 3):
        cues, frame = cues_of((12, 15)), picture_of((12, 15, 3))
        lent, shown = {name: cue.copy() for name, cue in cues.items()}, frame.copy()
        for cue in lent.values():
            cue.flags.writeable = False
        fusion = MeanField(motion=1.0, iterations=iterations).fuse(lent, frame=shown)
        assert lent.keys() == cues.keys()
        for name, cue in cues.items():
            np.testing.assert_array_equal(lent[name], cue)
            assert not any(np.shares_memory(lent[name], share) for share in fusion.evidence.values())
        np.testing.assert_array_equal(shown, frame)


def test_layouts_and_dtypes_do_not_matter():
    motion = cues_of((12, 15), ("motion",))["motion"]
    expected = MeanField().fuse({"motion": motion}).score
    for other in (np.asfortranarray(motion), motion[::-1].copy()[::-1], motion.astype(float)):
        np.testing.assert_array_equal(MeanField().fuse({"motion": other}).score, expected)


GOOD = np.zeros((4, 5), np.float32)


def holding(value):
    cue = GOOD.copy()
    cue[2, 3] = value
    return cue


@pytest.mark.parametrize(
    ("cues", "error", "message"),
    [
        ({}, ParameterError, "empty"),
        ({"smell": GOOD}, ParameterError, "no cue 'smell'; there are: motion"),
        ({"smoothness": GOOD}, ParameterError, "no cue 'smoothness'"),
        ({"neighbours": GOOD}, ParameterError, "no cue 'neighbours'"),
        ({"motion": holding(np.nan)}, FrameError, "'motion' is not finite"),
        ({"motion": GOOD, "prior": holding(-np.inf)}, FrameError, "'prior' is not finite"),
        ({"motion": GOOD, "prior": GOOD[:-1]}, FrameError, r"'prior' has shape \(3, 5\), the first cue \(4, 5\)"),
        ({"motion": GOOD[..., None]}, FrameError, r"'motion' has shape \(4, 5, 1\)"),
        ({"motion": GOOD[0]}, FrameError, r"'motion' has shape \(5,\)"),
        ({"motion": np.float32(1)}, FrameError, "'motion' has shape"),
        ({"motion": GOOD[:0]}, FrameError, "'motion' is empty"),
        ({"motion": GOOD > 0}, FrameError, "'motion' is of bool"),
        ({"motion": None}, FrameError, "'motion' is of object"),
    ],
)
def test_bad_cues_are_refused(cues, error, message):
    with pytest.raises(error, match=message):
        MeanField().fuse(cues)


@pytest.mark.parametrize("frame", [np.zeros((4, 6, 3), np.uint8), np.zeros((4, 5), np.float32), [[1]]])
def test_bad_frames_are_refused(frame):
    with pytest.raises(FrameError, match="frame"):
        MeanField().fuse({"motion": GOOD}, frame=frame)


@pytest.mark.parametrize("name", [*NAMES, "smoothness", "iterations"])
def test_bad_parameters_are_refused(name):
    for value in (-1, np.nan, np.inf, "1", None, True):
        with pytest.raises(ParameterError, match=name):
            MeanField(**{name: value})
    assert MeanField(**{name: 2}).clone().params()[name] == 2


def test_a_fuser_of_ones_own_is_one_method():
    class Loudest(CueFuser):
        def _fuse(self, cues, frame):
            return Fusion(np.float32(max(cue.max() for cue in cues.values()) > 0) * np.ones((4, 5), np.float32))

    assert Loudest().fuse({"anything": holding(1)}).score.all()
    with pytest.raises(FrameError):
        Loudest().fuse({"anything": holding(np.nan)})
