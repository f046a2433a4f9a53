"""Adapters pass on OpenCV's masks, and say what OpenCV cannot do before anything changes."""

import cv2
import numpy as np
import pytest
from reference.footage import footage

from motionseg import background
from motionseg.background import _cv2, from_cv2
from motionseg.core.catalog import find, names
from motionseg.core.errors import ParameterError, StateError, UnsupportedError

pytestmark = pytest.mark.skipif(not hasattr(cv2, "bgsegm"), reason="OpenCV without its contrib modules")
ADAPTERS = [name for name in names("background") if name.startswith("opencv_")]
# Asked for by OpenCV's own names, so that these numbers are known to arrive there.
ORIGINALS = {
    "opencv_mog2": (
        lambda: cv2.createBackgroundSubtractorMOG2(60, 9.0, False),
        {"history": 60, "threshold": 9.0, "detect_shadows": False},
    ),
    "opencv_knn": (
        lambda: cv2.createBackgroundSubtractorKNN(60, 200.0, False),
        {"history": 60, "threshold": 200.0, "detect_shadows": False},
    ),
    "opencv_cnt": (
        lambda: cv2.bgsegm.createBackgroundSubtractorCNT(5, False, 40),
        {"min_stability": 5, "use_history": False, "max_stability": 40},
    ),
    "opencv_gsoc": (
        lambda: cv2.bgsegm.createBackgroundSubtractorGSOC(nSamples=10, alpha=0.02, beta=0.003, hitsThreshold=5),
        {"n_samples": 10, "alpha": 0.02, "beta": 0.003, "hits_threshold": 5},
    ),
    "opencv_lsbp": (
        lambda: cv2.bgsegm.createBackgroundSubtractorLSBP(nSamples=10, LSBPRadius=8, Tinc=2.0, LSBPthreshold=5),
        {"n_samples": 10, "radius": 8, "t_increment": 2.0, "threshold": 5},
    ),
    "opencv_mog": (
        lambda: cv2.bgsegm.createBackgroundSubtractorMOG(60, 3, 0.6, 10.0),
        {"history": 60, "n_components": 3, "background_ratio": 0.6, "noise_sigma": 10.0},
    ),
    "opencv_gmg": (
        lambda: cv2.bgsegm.createBackgroundSubtractorGMG(15, 0.7),
        {"history": 15, "threshold": 0.7},
    ),
}


@pytest.fixture
def one_thread():
    """Random numbers can be repeated on one thread only."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def play(apply, frames):
    masks = []
    for i, frame in enumerate(frames):
        cv2.setRNGSeed(i)
        masks.append(apply(frame).copy())
    return np.array(masks)


def test_every_adapter_is_compared():
    assert set(ADAPTERS) == set(ORIGINALS)


@pytest.mark.parametrize("shape", [(37, 53, 3), (48, 64)])
@pytest.mark.parametrize("name", ADAPTERS)
def test_masks_are_opencvs(name, shape, one_thread):
    original, numbers = ORIGINALS[name]
    for make, changes in ((original, numbers), (type(original()).__name__, {})):
        if isinstance(make, str):  # the defaults
            where = cv2.bgsegm if hasattr(cv2.bgsegm, f"create{make}".replace("bgsegm_", "")) else cv2
            make = getattr(where, f"create{make}".replace("bgsegm_", ""))
        frames, model = footage(45, shape, block_from=25, noise=4), find("background", name)(**changes)
        expected = play(make().apply, frames)
        np.testing.assert_array_equal(play(model.apply, frames), expected)
        assert (expected == 255).any() or (name == "opencv_gmg" and not changes)


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_score_is_the_mask(name):
    model = find("background", name)(**ORIGINALS[name][1])
    for frame in footage(30, (40, 50, 3), block_from=20):
        mask = model.apply(frame)
        np.testing.assert_array_equal(model.score(), np.select([mask == 255, mask == 127], [1, 0.25], 0))


def test_shadows_score_a_quarter():
    model = background.OpenCVMOG2()
    assert (model.apply(np.full((4, 5, 3), 90, np.uint8)) == 127).all()
    assert (model.score() == 0.25).all()


@pytest.mark.parametrize("shape", [(40, 50, 3), (40, 50)])
@pytest.mark.parametrize("name", ADAPTERS)
def test_backgrounds(name, shape):
    model, frames = find("background", name)(), footage(60, shape, block_from=99)
    able = "background" not in model._unsupported
    with pytest.raises(StateError if able else UnsupportedError):
        model.background()
    for frame in frames:
        model.apply(frame)
    if able:
        picture = model.background()
        assert picture.shape == shape
        assert picture.dtype == np.uint8
        # the median, since GSOC passes samples on to neighbours
        assert np.median(np.abs(picture - np.median(frames, axis=0))) < 4
    else:
        with pytest.raises(UnsupportedError, match="background"):
            model.background()


@pytest.mark.parametrize("name", ADAPTERS)
def test_what_is_unsupported_is_refused_before_anything_changes(name, one_thread, tmp_path):
    plain, model = (find("background", name)(**ORIGINALS[name][1]) for _ in range(2))
    frames = footage(40, (40, 50, 3), block_from=20)
    odd, known = footage(1, (40, 50, 3), seed=9)[0], np.zeros((40, 50), bool)
    expected = play(plain.apply, frames)

    def rude(frame):
        for what, arguments in (
            ("freeze", {"learning_rate": 0}),
            ("learning_rate", {"learning_rate": 0.1}),
            ("known_foreground", {"known_foreground": known}),
        ):
            if what in model._unsupported:
                with pytest.raises(UnsupportedError, match=r"learning_rate|known_foreground"):
                    model.apply(odd, **arguments)
        for refused in (model.state, lambda: model.load_state({}), lambda: model.save(tmp_path / "state.npz")):
            with pytest.raises(UnsupportedError, match="state"):
                refused()
        return model.apply(frame)

    np.testing.assert_array_equal(play(rude, frames), expected)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["opencv_mog2", "opencv_mog"])
def test_a_frozen_model_changes_nothing(name):
    plain, model = (find("background", name)() for _ in range(2))
    frames, odd = footage(60, (40, 50, 3), noise=5), footage(3, (40, 50, 3), seed=9)
    assert not model.apply(odd[0], learning_rate=0).any()  # unborn
    for i, frame in enumerate(frames):
        if i in (1, 5, 40):
            for other in odd:
                model.apply(other, learning_rate=0)
        np.testing.assert_array_equal(model.apply(frame), plain.apply(frame))


@pytest.mark.skipif(not _cv2.KNOWN_FOREGROUND, reason="this OpenCV takes no known foreground")
@pytest.mark.parametrize("name", ["opencv_mog2", "opencv_knn"])
def test_known_foreground_is_not_learned(name):
    model, frames = find("background", name)(), footage(80, (40, 50, 3), block_from=99)
    known = np.zeros((40, 50), bool)
    known[5:15, 5:20] = True
    for i, frame in enumerate(frames):
        if 30 <= i < 70:
            frame[known] = (10, 250, 30)
            mask = model.apply(frame, known_foreground=known)
            assert (mask[known] == 255).all()
            assert (model.score()[known] == 1).all()
        else:
            mask = model.apply(frame)
    assert not mask[known].any()


@pytest.mark.parametrize("name", ADAPTERS)
def test_reset_and_clone_start_anew(name, one_thread):
    model, frames = find("background", name)(**ORIGINALS[name][1]), footage(30, (40, 50, 3), block_from=20)
    expected = play(model.apply, frames)
    clone = model.clone()
    assert clone.params() == model.params()
    model.reset()
    with pytest.raises(StateError):
        model.score()
    assert model.apply(np.zeros((8, 9), np.uint8)).shape == (8, 9)  # another size, and grey
    model.reset()
    for fresh in (model, clone):
        np.testing.assert_array_equal(play(fresh.apply, frames), expected)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("opencv_mog2", {"var_max": 1.0}),
        ("opencv_knn", {"k": 8}),
        ("opencv_cnt", {"max_stability": 3}),
        ("opencv_gsoc", {"replace_rate": 2}),
        ("opencv_lsbp", {"t_upper": 1.0}),
        ("opencv_mog", {"noise_sigma": 0}),
        ("opencv_gmg", {"threshold": 1.5}),
    ],
)
def test_bad_parameters(name, bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        find("background", name)(**bad)


def test_a_wrapped_subtractor_goes_on_where_it_was():
    frames = footage(60, (40, 50, 3), block_from=40)
    ours, theirs = (cv2.createBackgroundSubtractorMOG2() for _ in range(2))
    for frame in frames[:30]:
        ours.apply(frame), theirs.apply(frame)
    model = from_cv2(ours)
    for frame in frames[30:]:
        np.testing.assert_array_equal(model.apply(frame), theirs.apply(frame))
        np.testing.assert_array_equal(
            model.apply(frame, learning_rate=0.01), theirs.apply(frame, None, learningRate=0.01)
        )
    np.testing.assert_array_equal(model.getBackgroundImage(), theirs.getBackgroundImage())
    for refused in (model.reset, model.clone, model.state, lambda: model.apply(frames[0], learning_rate=0)):
        with pytest.raises(UnsupportedError):
            refused()
    np.testing.assert_array_equal(model.apply(frames[0]), theirs.apply(frames[0]))


def test_a_wrapped_function_makes_a_subtractor_whenever_one_is_needed():
    frames = footage(30, (40, 50), block_from=20)
    model = from_cv2(cv2.createBackgroundSubtractorMOG2)
    first = [model.apply(frame) for frame in frames]
    model.reset()
    np.testing.assert_array_equal([model.apply(frame) for frame in frames], first)
    other = model.clone()
    np.testing.assert_array_equal([other.apply(frame) for frame in frames], first)


class Own:
    """A subtractor of the user's own, with a shadow value of its own."""

    def apply(self, frame):
        return np.where(frame > 200, 255, np.where(frame > 100, 50, 0)).astype(np.uint8)


def test_any_object_with_apply_can_be_wrapped():
    model = from_cv2(Own())
    np.testing.assert_array_equal(model.apply(np.array([[90, 150, 250]], np.uint8)), [[0, 127, 255]])
    np.testing.assert_array_equal(model.score(), np.array([[0, 0.25, 1]], np.float32))
    with pytest.raises(UnsupportedError, match="background"):
        model.background()


def test_only_subtractors_and_functions_can_be_wrapped():
    for wrong in (None, 3, "MOG2"):
        with pytest.raises(ParameterError, match="apply"):
            from_cv2(wrong)


def test_a_subtractor_without_a_picture_says_so():
    model = from_cv2(cv2.bgsegm.createBackgroundSubtractorMOG)
    model.apply(np.zeros((4, 5), np.uint8))
    with pytest.raises(UnsupportedError, match="background"):
        model.background()


def test_the_picture_of_a_wrapped_subtractor_gets_the_frames_channels():
    model, frame = from_cv2(cv2.bgsegm.createBackgroundSubtractorCNT), footage(1, (20, 30, 3))[0]
    for _ in range(30):
        model.apply(frame)
    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(model.background(), np.repeat(grey[..., None], 3, axis=2))


def test_the_room_offers_from_cv2():
    assert background.from_cv2 is from_cv2
    assert "from_cv2" in dir(background)
    assert "OpenCVGSOC" in dir(background)
