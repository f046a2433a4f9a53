import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.core.checks import check_choice, check_frame, check_integer, check_mask, check_number, check_pixels
from motionseg.core.errors import FrameError, MissingExtraError, MotionSegError, ParameterError, SourceError


@pytest.mark.parametrize("shape", [(1, 1), (4, 6), (4, 6, 3), (3, 3, 3)])
def test_good_frames_pass_without_a_copy(shape):
    frame = np.zeros(shape, np.uint8)
    assert np.shares_memory(check_frame(frame), frame)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([[1]], "numpy array, not list"),
        (np.zeros((4, 4)), "float64"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (np.zeros((4, 4, 1), np.uint8), r"\(4, 4, 1\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((0, 4), np.uint8), "empty"),
    ],
)
def test_bad_frames_say_what_is_wrong(frame, message):
    with pytest.raises(FrameError, match=message):
        check_frame(frame)


def test_another_size_than_the_first_names_both():
    with pytest.raises(FrameError, match=r"\(2, 3\).*\(3, 2\)"):
        check_frame(np.zeros((2, 3), np.uint8), (3, 2))


def test_strided_frames_become_contiguous():
    assert check_frame(np.zeros((8, 8, 3), np.uint8)[::2, ::2]).flags.c_contiguous


def test_masks_and_pixels():
    assert check_mask(np.zeros((3, 4), np.uint8), (3, 4)).shape == (3, 4)
    for bad in (np.zeros((3, 4)), np.zeros((3, 4, 3), np.uint8), None):
        with pytest.raises(FrameError):
            check_mask(bad)
    with pytest.raises(FrameError, match="expected"):
        check_mask(np.zeros((3, 4), np.uint8), (4, 3))
    with pytest.raises(FrameError, match="bool"):
        check_pixels(np.zeros((3, 4), np.uint8), (3, 4), "roi")
    with pytest.raises(FrameError, match="roi"):
        check_pixels(np.zeros((3, 5), bool), (3, 4), "roi")


@given(st.floats(0, 1) | st.integers(0, 1) | st.builds(np.float32, st.floats(0, 1, width=32)))
def test_numbers_in_range_pass(value):
    assert check_number("x", value, 0, 1) == float(value)


@given(st.floats().filter(lambda x: not 0 < x <= 1) | st.text() | st.none() | st.booleans())
def test_all_else_is_refused(value):
    with pytest.raises(ParameterError, match="rate"):
        check_number("rate", value, 0, 1, above=True)


@pytest.mark.parametrize("value", [0, 11, 2.0, "3", True, None, np.float64(3)])
def test_integers(value):
    assert check_integer("n", np.int32(10), 1, 10) == 10
    with pytest.raises(ParameterError, match="n is"):
        check_integer("n", value, 1, 10)


def test_choice_lists_what_there_is():
    assert check_choice("mode", "a", ("a", "b")) == "a"
    with pytest.raises(ParameterError, match="'a', 'b'"):
        check_choice("mode", "c", ("a", "b"))


def test_errors_are_what_callers_expect():
    assert issubclass(FrameError, ValueError)
    assert issubclass(ParameterError, MotionSegError)
    error = SourceError("cut short", source="a.mp4", frame=7)
    assert isinstance(error, OSError)
    assert str(error) == "a.mp4, frame 7: cut short"


def test_errors_come_whole_out_of_other_processes():
    for error in (SourceError("gone", source="a.mp4", frame=3), MissingExtraError("this", "pip install that")):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)
