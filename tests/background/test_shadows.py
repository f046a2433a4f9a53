"""Shadows are told by colour and texture, as the formula says; all else is handed on as it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import motionseg
from motionseg.background import label_shadows
from motionseg.core.errors import FrameError, ParameterError

SHAPE = (60, 80)
PLACE = (slice(12, 48), slice(20, 60))


def wall(shape=(*SHAPE, 3), seed=0):
    """Blocks of 3x3 pixels of one hue each: edges everywhere."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(80, 200, (-(-shape[0] // 3), -(-shape[1] // 3), *shape[2:]))
    return coarse.repeat(3, axis=0).repeat(3, axis=1)[: shape[0], : shape[1]].astype(np.uint8)


def share_of_shadow(background, there, noise=1.5, **arguments):
    """Of a place that shows `there`."""
    frame = background.astype(float)
    frame[PLACE] = there
    frame += np.random.default_rng(1).normal(0, noise, frame.shape)
    mask = np.zeros(SHAPE, np.uint8)
    mask[PLACE] = 255
    labels = label_shadows(frame.clip(0, 255).astype(np.uint8), background, mask, **arguments)
    assert not labels[mask == 0].any()
    return np.mean(labels[PLACE] == 127)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("gain", [0.5, 0.65, 0.8])
def test_a_shadow_on_a_wall(channels, gain):
    background = wall((*SHAPE, *channels))
    assert share_of_shadow(background, gain * background[PLACE]) > 0.85


@pytest.mark.parametrize("gain", [0.3, 1.15])
def test_what_is_as_dark_as_no_shadow_or_brighter_is_none(gain):
    assert share_of_shadow(wall(), gain * wall()[PLACE]) < 0.02


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_dark_thing_with_a_texture_of_its_own(channels):
    background = wall((*SHAPE, *channels))
    assert share_of_shadow(background, 0.6 * background[PLACE][::-1, ::-1]) < 0.1


def test_a_plain_dark_thing_on_a_wall():
    assert share_of_shadow(wall(), (60, 60, 60)) < 0.05
    assert share_of_shadow(wall()[..., 0], 70) < 0.05


def test_without_texture_the_colour_decides():
    plain = np.full((*SHAPE, 3), (150, 120, 90), np.uint8)
    assert share_of_shadow(plain, (90, 72, 54)) > 0.95
    assert share_of_shadow(plain, (54, 72, 90)) == 0
    assert share_of_shadow(plain[..., 0], 90) < 0.05  # and grey pictures have none


def test_the_numbers_matter():
    background = wall()
    shade, other = 0.6 * background[PLACE], background[PLACE].mean(axis=-1, keepdims=True) * 0.6
    assert share_of_shadow(background, shade, darkest=0.7) < 0.02
    assert share_of_shadow(background, shade, lightest=0.5) < 0.02
    assert share_of_shadow(background, 0.3 * background[PLACE], darkest=0.2) > 0.8
    assert share_of_shadow(background, other[::-1], texture=0.9) < share_of_shadow(background, other[::-1], texture=-1)


colors = st.tuples(*[st.integers(0, 255)] * 3)


@given(colors, st.floats(0.2, 1.1), st.tuples(*[st.integers(-20, 20)] * 3))
@settings(max_examples=100)
def test_the_formula(empty, gain, other):
    there = np.rint(gain * np.array(empty) + other).clip(0, 255)
    frame, background = (np.full((12, 16, 3), color, np.uint8) for color in (there, empty))
    f, b = np.float64(there), np.float64(empty)
    gain = f @ b / (b @ b + 1)
    left_over, bound = np.linalg.norm(f - gain * b), 3 + 0.06 * np.linalg.norm(f)
    doubtful = min(abs(left_over - bound), abs(gain - 0.4) * 300, abs(gain - 0.95) * 300) < 0.2
    labels = label_shadows(frame, background, np.full((12, 16), 255, np.uint8))
    if not doubtful:
        np.testing.assert_array_equal(labels, 127 if 0.4 <= gain <= 0.95 and left_over <= bound else 255)


@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,)]))
def test_only_foreground_becomes_shadow_and_nothing_given_changes(data, height, width, channels):
    pictures = arrays(np.uint8, (height, width, *channels))
    frame, background = data.draw(pictures), data.draw(pictures)
    mask = data.draw(arrays(np.uint8, (height, width), elements=st.sampled_from([0, 127, 255])))
    given_ = [a.copy() for a in (frame, background, mask)]
    labels = label_shadows(frame, background, mask)
    np.testing.assert_array_equal(labels[mask != 255], mask[mask != 255])
    assert np.isin(labels[mask == 255], (127, 255)).all()
    assert all(np.array_equal(a, b) for a, b in zip((frame, background, mask), given_, strict=True))
    assert not np.shares_memory(labels, mask)


def test_any_number_of_threads_finds_the_same():
    background = wall((401, 500, 3))
    frame = background.copy()
    frame[:, :250] = 0.6 * frame[:, :250]
    frame[100:300, 200:400] = wall((401, 500, 3), seed=1)[100:300, 200:400] // 2
    found = []
    for n in (1, 2, 3):
        motionseg.set_num_threads(n)
        found.append(label_shadows(frame, background, np.full((401, 500), 255, np.uint8)))
    assert 0.3 < np.mean(found[0] == 127) < 0.6
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ({"darkest": 0}, "darkest"),
        ({"darkest": 0.9, "lightest": 0.9}, "darkest is below lightest"),
        ({"lightest": 1.1}, "lightest"),
        ({"texture": 1.5}, "texture"),
    ],
)
def test_numbers_out_of_range(bad, match):
    with pytest.raises(ParameterError, match=match):
        label_shadows(wall(), wall(), np.zeros(SHAPE, np.uint8), **bad)


def test_pictures_that_do_not_fit():
    mask = np.zeros(SHAPE, np.uint8)
    for arguments in ((wall(), wall()[1:], mask), (wall(), wall()[..., 0], mask), (wall(), wall(), mask[1:])):
        with pytest.raises(FrameError):
            label_shadows(*arguments)
