"""What a frame is taken for, and what is left of a change of light once the frame is brought back into the old one."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.background import Adaptive, Guarded
from motionseg.background._illumination import VERDICTS, Illumination
from motionseg.core.errors import StateError
from motionseg.datasets import Synthetic
from motionseg.metrics.change import ChangeCounts, count_change

HEIGHT, WIDTH = 120, 160
LEFT = slice(None), slice(0, 6 * WIDTH // 10)  # 60 % of a frame


def scene(seed=0, shape=(HEIGHT, WIDTH, 3)):
    coarse = np.random.default_rng(seed).integers(50, 150, (-(-shape[0] // 6), -(-shape[1] // 6), *shape[2:]))
    blocks = coarse.repeat(6, axis=0).repeat(6, axis=1)[: shape[0], : shape[1]]
    return cv2.GaussianBlur(blocks.astype(np.uint8), (3, 3), 0)


WORLD = scene(shape=(HEIGHT + 40, WIDTH + 40, 3))
BACKGROUND = WORLD[20:-20, 20:-20].copy()


def seen(picture, seed=1):
    return (picture + np.random.default_rng(seed).normal(0, 2, picture.shape)).clip(0, 255).astype(np.uint8)


def with_thing(thing):
    frame = BACKGROUND.copy()
    frame[LEFT] = thing[LEFT]
    return frame


@pytest.mark.parametrize(
    ("verdict", "picture"),
    [
        ("none", BACKGROUND),
        ("none", 1.04 * BACKGROUND),
        ("none", cv2.GaussianBlur(BACKGROUND, (0, 0), 1.5)),
        ("none", with_thing(scene(7) // 3)),
        ("none", with_thing(1.6 * scene(7))),
        ("none", with_thing(np.full_like(BACKGROUND, 30))),
        ("switch", 0.5 * BACKGROUND),
        ("switch", 1.5 * BACKGROUND),
        ("switch", BACKGROUND * (0.5, 0.7, 0.9)),
        ("switch", BACKGROUND * np.linspace(0.4, 1, WIDTH)[:, None]),
        ("switch", 0.6 * with_thing(scene(7))),
        ("camera_moved", WORLD[20:-20, 22:-18]),
        ("camera_moved", WORLD[26:-14, 12:-28]),
        ("camera_moved", 0.6 * WORLD[20:-20, 23:-17]),
        ("camera_moved", scene(5)),
        ("camera_covered", np.full_like(BACKGROUND, 20)),
        ("blurred", cv2.GaussianBlur(BACKGROUND, (0, 0), 3)),
        ("blurred", 0.6 * cv2.GaussianBlur(BACKGROUND, (0, 0), 3)),
    ],
)
@pytest.mark.parametrize("channels", [3, 1])
def test_verdicts(verdict, picture, channels):
    frame, background = seen(picture), BACKGROUND
    if channels == 1:
        frame, background = frame[..., 1].copy(), background[..., 1].copy()
    found, light = Illumination(background).update(frame, background)
    assert found == verdict
    assert found in VERDICTS
    assert light.any() == (verdict == "switch")


@given(st.tuples(*[st.floats(0.4, 1.6)] * 3))
def test_the_light_is_measured_and_taken_out(gains):
    illumination, frame = Illumination(BACKGROUND), seen(BACKGROUND * gains)
    verdict, light = illumination.update(frame, BACKGROUND)
    if verdict == "switch":
        np.testing.assert_allclose(light.mean(axis=(0, 1)), np.log(gains), atol=0.03)
        left = illumination.normalize(frame, BACKGROUND, light).mean(axis=(0, 1)) / BACKGROUND.mean(axis=(0, 1))
        np.testing.assert_allclose(left, np.array(gains) ** 0.05, atol=0.03)
    else:
        assert verdict == "none"
        assert max(abs(np.log(gains))) < 0.08


def test_a_twentieth_of_the_change_is_left_for_the_model_to_follow():
    illumination, frame = Illumination(BACKGROUND), seen(0.45 * BACKGROUND)
    normal = illumination.normalize(frame, BACKGROUND, illumination.update(frame, BACKGROUND)[1])
    assert 0.45**0.1 < normal.mean() / BACKGROUND.mean() < 0.45**0.04


def test_a_thing_is_not_taken_out_with_the_light():
    illumination, thing = Illumination(BACKGROUND), with_thing(255 - scene(7))
    frame = seen(0.6 * thing)
    normal = illumination.normalize(frame, BACKGROUND, illumination.update(frame, BACKGROUND)[1]).astype(int)
    assert np.abs(normal - BACKGROUND)[:, 110:].mean() < 8
    assert np.abs(normal - BACKGROUND)[LEFT].mean() > 40


def test_where_the_sensor_is_blind_the_background_shows():
    bright = np.where(np.arange(WIDTH)[None, :, None] < 20, np.uint8(190), BACKGROUND)
    illumination, frame = Illumination(bright), seen(1.5 * bright)
    normal = illumination.normalize(frame, bright, illumination.update(frame, bright)[1])
    np.testing.assert_array_equal(normal[:, :15], bright[:, :15])


def test_without_change_the_frame_is_handed_on():
    illumination, frame = Illumination(BACKGROUND), seen(BACKGROUND)
    assert illumination.normalize(frame, BACKGROUND, illumination.update(frame, BACKGROUND)[1]) is frame


def test_a_switch_is_one_for_ten_frames_and_what_creeps_is_none():
    illumination = Illumination(BACKGROUND)
    verdicts = [illumination.update(seen(0.6 * BACKGROUND, i), BACKGROUND)[0] for i in range(15)]
    assert verdicts == ["switch"] * 10 + ["gradual"] * 5
    illumination = Illumination(BACKGROUND)
    verdicts = [illumination.update(seen(0.99**i * BACKGROUND, i), BACKGROUND)[0] for i in range(40)]
    assert verdicts == sorted(verdicts, reverse=True)  # none, then gradual
    assert 5 <= verdicts.count("none") <= 8
    assert verdicts.count("gradual") == 40 - verdicts.count("none")


def test_a_scene_without_structure():
    wall = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    assert Illumination(wall).update(seen(0.6 * wall), wall)[0] == "switch"
    thing = wall.copy()
    thing[LEFT] = 60
    assert Illumination(wall).update(seen(thing), wall)[0] == "none"
    thing[:] = 60  # before all of it, with edges
    thing[50:56] = 90
    assert Illumination(wall).update(seen(thing), wall)[0] == "none"


def test_whether_a_camera_that_was_moved_stands():
    illumination, elsewhere = Illumination(BACKGROUND), scene(5)
    told = []
    for picture in (BACKGROUND, elsewhere, elsewhere, scene(6), BACKGROUND):
        illumination.update(seen(picture), BACKGROUND)
        told.append(illumination.stands_elsewhere)
    assert told == [False, False, True, False, False]


def test_the_state_continues_and_looking_does_not_change_it():
    frames = [seen((0.6 if i > 3 else 1) * BACKGROUND, i) for i in range(20)]
    whole, first = Illumination(BACKGROUND), Illumination(BACKGROUND)
    for frame in frames[:8]:
        whole.update(frame, BACKGROUND)
        first.update(frame, BACKGROUND)
    before = first.state()
    first.update(seen(1.5 * BACKGROUND), BACKGROUND, learn=False)
    assert all(np.array_equal(before[name], array) for name, array in first.state().items())
    second = Illumination(seen(scene(3)))
    second.load_state(before)
    for frame in frames[8:]:
        expected, found = whole.update(frame, BACKGROUND), second.update(frame, BACKGROUND)
        assert expected[0] == found[0]
        np.testing.assert_array_equal(expected[1], found[1])
    np.testing.assert_array_equal(
        second.normalize(frames[8], BACKGROUND), whole.normalize(frames[8], BACKGROUND, expected[1])
    )
    with pytest.raises(StateError, match="lacks the array 'last_light'"):
        second.load_state({name: array for name, array in before.items() if name != "last_light"})
    with pytest.raises(StateError, match="'gain'"):
        second.load_state({**before, "gain": before["gain"][1:]})


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([(), (3,)]), st.integers(0, 9))
def test_tiny_frames(height, width, channels, seed):
    rng = np.random.default_rng(seed)
    frame, background = rng.integers(0, 256, (2, height, width, *channels)).astype(np.uint8)
    illumination = Illumination(background)
    verdict, light = illumination.update(frame, background)
    assert verdict in VERDICTS
    assert illumination.normalize(frame, background, light).shape == frame.shape


@pytest.mark.data
def test_the_sun_comes_out(data_root):
    capture = cv2.VideoCapture(str(data_root / "clips/issue53_brightness_change.avi"))
    frames = [capture.read()[1] for _ in range(59)]
    assert not capture.read()[0]
    assert frames[-1].mean() > 1.12 * frames[20].mean()
    plain, guarded = Adaptive(), Guarded(Adaptive())
    found = [[np.mean(model.apply(frame) == 255) for model in (plain, guarded)] for frame in frames]
    assert found[-1][0] > 0.15
    # Nothing moves in it but the clock in the corner; from frame 40 on the light changes with every frame.
    assert max(share for _, share in found) < 0.001
    near = frames[-1].copy()
    wide = slice(0, 6 * near.shape[1] // 10)
    near[:, wide] = near[::-1, wide]
    assert np.mean(guarded.apply(near)[:, wide] == 255) > 0.6
    assert guarded.verdict != "camera_moved"


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.45, 0.65, 0.8, 1.25, 1.6])
def test_light_switches_of_several_sizes(gain):
    scene, switched = Synthetic()["baseline_1"], 90
    counts = []
    for model in (Adaptive(), Guarded(Adaptive())):
        counted = ChangeCounts()
        for i in range(switched + 40):
            mask = model.apply(np.uint8((scene.frames[i] * (gain if i >= switched else 1.0)).clip(0, 255)))
            counted += count_change(mask, scene.truth[i]) if i >= switched else ChangeCounts()
        counts.append(counted)
    plain, guarded = counts
    assert plain.precision < 0.2
    assert plain.f_measure < 0.3
    assert guarded.precision > 0.88
    assert guarded.f_measure > 0.93


@pytest.mark.slow
def test_the_switch_of_the_synthetic_scenes():
    scene, model, counted = Synthetic()["light_switch_2"], Guarded(Adaptive()), ChangeCounts()
    for i in range(150):
        mask = model.apply(scene.frames[i])
        counted += count_change(mask, scene.truth[i]) if i >= 120 else ChangeCounts()
    assert model.verdict == "gradual"
    assert counted.f_measure > 0.9
