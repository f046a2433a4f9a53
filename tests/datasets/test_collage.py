"""Collages: the same from the same seed, their truth fits their pictures, every camera does what it says."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionseg.core.errors import ParameterError
from motionseg.datasets import Collage, CollageFrame, Material, _collage
from motionseg.datasets._collage import CAMERAS
from motionseg.datasets._collage_paths import camera_path, object_path, smooth
from motionseg.datasets._light import Light
from motionseg.datasets._render import moved

MADE_UP = Material()
SMALL = {"width": 96, "height": 72, "n_frames": 24}
SIZE = (SMALL["width"], SMALL["height"])


def collage(seed, **options):
    return Collage(MADE_UP, **{**SMALL, "seed": seed, **options})


class Clear:
    """The light of a scene without any."""

    def __init__(self, *arguments, **options):
        self.seen = []

    def developed(self, picture, i):
        self.seen.append(bool(np.isfinite(picture).all()))
        return np.asarray(cv2.add(picture, 0, dtype=cv2.CV_8U))


@pytest.fixture
def calm(monkeypatch):
    """Make scenes without wind, water, light, noise, motion blur and, unless they are asked for, shadows."""
    monkeypatch.setattr(_collage, "Light", Clear)
    monkeypatch.setattr(Collage, "_water", lambda self, rng: None)
    nothing = np.zeros((8, 8, 4), np.uint8)
    monkeypatch.setattr(Collage, "_bush", lambda self, rng: _collage.Part(nothing, self._world @ moved(0, 0)))

    def make(seed, *, shadows=False, **options):
        clip = collage(seed, **options)
        clip._exposure = 0.0
        if not shadows:
            clip._shade.cast = clip._shade.ambient = clip._shade.mirror = 0.0
        return clip

    return make


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("frame", "truth", "labels"))


def around(mask, radius=6):
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8)) > 0


# --- the same from the same seed ------------------------------------------------------------


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_same_seed_gives_the_same_pixels_in_any_order(camera):
    for seed in range(3):
        one, other = collage(seed, camera=camera), collage(seed, camera=camera)
        order = [17, 3, 23, 0, 3]
        backwards = {i: other[i] for i in sorted(order, reverse=True)}
        for i in order:
            shot = one[i]
            assert shot.index == i
            assert same(shot, backwards[i])


def test_another_material_of_the_same_kind_gives_the_same_pixels():
    assert same(collage(5)[4], Collage(Material(), **SMALL, seed=5)[4])


def test_other_seeds_give_other_pixels():
    shots = [collage(seed)[5].frame for seed in range(6)]
    for one, other in itertools.combinations(shots, 2):
        assert np.abs(one.astype(int) - other).mean() > 5


def test_frames_of_one_scene_are_alike_but_not_the_same():
    for seed in range(4):
        clip = collage(seed)
        near, far = (np.abs(clip[i].frame.astype(int) - clip[i + 1].frame).mean() for i in (3, 12)), collage(seed + 50)
        assert max(near) < np.abs(clip[3].frame.astype(int) - far[3].frame).mean()


# --- any seed ----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    n_frames=st.sampled_from([1, 2, 3, 5, 30]),
    camera=st.sampled_from(CAMERAS),
    size=st.sampled_from([(64, 64), (96, 65), (67, 130)]),
)
def test_any_seed_makes_frames(seed, n_frames, camera, size):
    clip = Collage(MADE_UP, width=size[0], height=size[1], n_frames=n_frames, camera=camera, seed=seed)
    assert len(clip) == n_frames
    assert all(np.isfinite(part.poses).all() for part in clip._parts)
    assert all((part.image[..., :3] <= part.image[..., 3:]).all() for part in clip._parts)
    light, clip._light = clip._light, Clear()
    for i in (0, n_frames - 1):
        shot = clip[i]
        assert isinstance(shot, CollageFrame)
        assert shot.frame.shape == (size[1], size[0], 3)
        assert shot.truth.shape == shot.labels.shape == size[::-1]
        assert shot.frame.dtype == shot.truth.dtype == shot.labels.dtype == np.uint8
        assert set(np.unique(shot.truth)) <= {0, 50, 170, 255}
        assert (shot.labels[shot.truth == 255] > 0).all()  # all motion is something's, and
        assert np.isin(shot.truth[shot.labels > 0], (170, 255)).all()  # what is something's is motion, or will be
        assert np.isin(shot.truth[shot.labels == 0], (0, 50, 170)).all()
    assert all(clip._light.seen)
    clip._light = light
    frame = clip[-1].frame
    assert frame.shape == (size[1], size[0], 3)
    assert frame.dtype == np.uint8


def test_scenes_are_of_many_kinds():
    clips = [collage(seed, n_frames=8) for seed in range(60)]
    assert {0, 1, 2} <= {max((part.object_id for part in clip._parts), default=0) for clip in clips}
    for has in (
        lambda clip: clip._ripple is not None,
        lambda clip: clip._exposure,
        lambda clip: clip._shade.cast,
        lambda clip: clip._shade.blur,
        lambda clip: clip._shade.offset.any(),
        lambda clip: clip._shade.ambient,
        lambda clip: clip._shade.mirror,
    ):
        assert 3 < sum(bool(has(clip)) for clip in clips) < 57
    covered = [float((clip[4].truth == 255).mean()) for clip in clips]
    assert min(covered) == 0
    assert max(covered) > 0.3
    codes = {code for clip in clips for code in np.unique(clip[1].truth)}
    assert codes == {0, 50, 170, 255}


# --- the truth fits the picture -----------------------------------------------------------------


@pytest.mark.parametrize("camera", CAMERAS)
def test_labels_lie_where_the_things_are(calm, camera):
    """Without its things a scene looks the same but where the labels are."""
    shares = []
    for seed in range(8):
        clip = calm(seed, camera=camera)
        empty = calm(seed, camera=camera)
        empty._parts = [part for part in empty._parts if part.object_id == 0]
        for i in (2, 20):
            shot, bare = clip[i], empty[i]
            assert not bare.labels.any()
            assert not bare.truth.any()
            differs = (shot.frame != bare.frame).any(axis=2)
            assert not differs[~around(shot.labels > 0)].any()
            if shot.labels.any():
                shares.append(differs[shot.labels > 0].mean())
    assert len(shares) >= 8
    assert np.mean(shares) > 0.9  # some wear the colours of the background


def test_a_fixed_camera_sees_a_still_background(calm):
    moved_something = 0
    for seed in range(8):
        clip = calm(seed)
        first, later = clip[1], clip[21]
        differs = (first.frame != later.frame).any(axis=2)
        things = around((first.labels > 0) | (later.labels > 0))
        assert not differs[~things].any()
        assert (~things).any()
        moved_something += bool(differs.any())
    assert moved_something >= 5


@pytest.mark.parametrize("camera", ["shaking", "moving"])
def test_other_cameras_do_not(calm, camera):
    shares = []
    for seed in range(8):
        clip = calm(seed, camera=camera)
        first, later = clip[1], clip[21]
        still = ~around((first.labels > 0) | (later.labels > 0))
        if still.any():
            shares.append((first.frame != later.frame).any(axis=2)[still].mean())
    assert len(shares) >= 5
    assert np.median(shares) > 0.8


def test_cameras():
    def last(kind, seed):
        poses = camera_path(np.random.default_rng(seed), kind, 60, SIZE)
        assert poses.shape == (60, 3, 3)
        middle = np.array([SIZE[0] / 2, SIZE[1] / 2, 1])
        steps = (poses @ middle)[:, :2] - middle[:2]
        return np.hypot(*steps.T)

    assert not np.any([last("fixed", seed) for seed in range(3)])
    shaking, moving = (np.array([last(kind, seed) for seed in range(20)]) for kind in ("shaking", "moving"))
    assert (shaking > 0).all()
    assert np.median(shaking) < 2
    assert np.median(moving[:, -1]) > 10 * np.median(shaking)
    assert np.median(moving[:, -1]) > 1.5 * np.median(moving[:, 30])  # it goes on


def departing(clip):
    return {part.object_id: part.since for part in clip._parts if part.since > 0}


def test_a_thing_that_will_leave_is_unknown_before_it_stirs(calm):
    seen, far = 0, []
    for seed in range(60):
        clip = calm(seed)
        for object_id, since in departing(clip).items():
            for i, code in ((0, 170), (since - 1, 170), (since, 255), (23, 255)):
                shot = clip[i]
                here = shot.labels == object_id
                assert (shot.truth[here] == code).all()
                seen += bool(here.any())
            for part in (part for part in clip._parts if part.object_id == object_id):
                middle = np.array([part.image.shape[1] / 2, part.image.shape[0] / 2, 1])
                way = (part.poses @ middle)[:, :2]
                np.testing.assert_allclose(way[:since], np.tile(way[0], (since, 1)), atol=1e-6)
                far.append(np.hypot(*(way[-1] - way[0])))
    assert seen >= 16
    assert min(far) > 0
    assert np.median(far) > 5


def test_what_a_moving_camera_waits_for_stands_in_the_world(calm):
    seen = 0
    for seed in range(60):
        clip = calm(seed, camera="moving")
        for part in clip._parts:
            if part.since > 5:
                middle = np.array([part.image.shape[1] / 2, part.image.shape[0] / 2, 1])
                world = (np.linalg.inv(clip._world) @ part.poses @ middle)[: part.since, :2]
                assert np.ptp(world, axis=0).max() < 1e-6
                seen += 1
    assert seen >= 5


def test_things_that_never_leave_are_motion_at_once(calm):
    for seed in range(12):
        clip = calm(seed)
        shot, late = clip[0], departing(clip)
        assert (shot.truth[(shot.labels > 0) & ~np.isin(shot.labels, list(late))] == 255).all()


@pytest.mark.parametrize("kind", ["cast", "ambient", "mirror"])
def test_shade_changes_the_ground_as_the_truth_says(calm, kind):
    judged = 0
    for seed in range(40):
        lit, shaded = calm(seed), calm(seed, shadows=True)
        for name in {"cast", "ambient", "mirror"} - {kind}:
            setattr(shaded._shade, name, 0.0)
        if not getattr(shaded._shade, kind):
            continue
        for clip in (lit, shaded):
            clip._parts = [part for part in clip._parts if part.object_id]
        a, b = lit[8], shaded[8]
        before, after = a.frame.astype(float), b.frame.astype(float)
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_array_equal(a.truth == 255, b.truth == 255)
        clear = (b.truth == 0) & ~around(b.labels > 0, 2)  # there, things mix with what is behind them
        shade = (b.truth == 50) & ~around(b.labels > 0, 2)
        judged += int(shade.sum())
        if kind == "mirror":
            assert (np.abs(after - before)[clear] <= 0.1 * 255 + 1).all()
        else:
            tints = 1.3  # a shadow may take more of one colour than of another
            assert (np.abs(after - before)[clear] <= 0.1 * tints * before[clear] + 1).all()
            if kind == "cast" or shaded._shade.ambient > 0:
                assert (after <= before + 1).all()
                assert (after[shade] <= (1 - 0.1 / tints) * before[shade] + 1).all()
            else:
                assert (after >= before - 1).all()
    assert judged > 200


def test_a_scene_without_its_things(calm):
    for seed in range(12):
        clip = calm(seed, shadows=True)
        empty, ids = clip.without(9), clip.ids
        np.testing.assert_array_equal(clip.without(9, left=ids), clip[9].frame)
        bare = calm(seed, shadows=True)
        bare._parts = [part for part in bare._parts if not part.object_id]
        np.testing.assert_array_equal(empty, bare[9].frame)
    with pytest.raises(IndexError):
        clip.without(24)


def test_motion_blur_smears_things_and_leaves_the_rest(calm):
    smeared = 0
    for seed in range(20):
        sharp, blurred = calm(seed), calm(seed)
        blurred._exposure = 0.9
        a, b = sharp[10], blurred[10]
        differs = (a.frame != b.frame).any(axis=2)
        assert not differs[~around(a.labels > 0, 45)].any()
        smeared += bool(differs.any())
        near = np.ones((95, 95), np.uint8)  # nothing gets brighter or darker than all that is about it
        assert (b.frame <= cv2.dilate(a.frame, near).astype(int) + 3).all()
        assert (b.frame >= cv2.erode(a.frame, near).astype(int) - 3).all()
        both = (a.labels > 0) & (b.labels > 0)
        if a.labels.any() and b.labels.any():
            assert both.any()
    assert smeared >= 2


# --- ways ------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(seed=st.integers(0, 2**40), n=st.integers(1, 50), tall=st.floats(5, 150), followed=st.booleans())
def test_ways_are_finite_and_begin_when_they_say(seed, n, tall, followed):
    path, since = object_path(np.random.default_rng(seed), n, SIZE, tall, followed=followed)
    assert path.shape == (n, 2)
    assert np.isfinite(path).all()
    assert 0 <= since < n
    np.testing.assert_array_equal(path[:since], np.tile(path[0], (since, 1)))


def test_smooth_noise_has_the_deviation_that_it_says():
    for span in (0.6, 3.0, 12.5):
        noise = smooth(np.random.default_rng(1), 20000, span, 2)
        assert noise.shape == (2, 20000)
        assert 0.8 < noise.std() < 1.2
        step = np.diff(noise, axis=1).std()  # of Gaussian-correlated noise: 1 / (sqrt 2 span)
        assert 0.7 < step * np.sqrt(2) * span < 1.3 or span < 1


def test_calm_scenes_stand_still_but_for_their_things():
    for seed in range(20):
        clip = collage(seed, calm=True)
        first, last = (clip.without(i).astype(int) for i in (0, 23))
        assert np.abs(first - last).mean() < 4  # noise
        if clip._light._noise == 0:
            np.testing.assert_array_equal(first, last)


# --- light -----------------------------------------------------------------------------------------


def lights(n=12, seeds=range(60), *, calm=False):
    return [Light(np.random.default_rng(seed), n, SIZE, calm=calm, seed=seed) for seed in seeds]


def grey(level=120.0):
    return np.full((SIZE[1], SIZE[0], 3), level, np.float32)


def test_light_is_of_many_kinds():
    all_kinds = lights()
    assert sum(light._clouds is not None for light in all_kinds) >= 3
    assert sum(light._lamp is not None for light in all_kinds) >= 3
    assert sum(light._noise == 0 for light in all_kinds) >= 3
    assert sum(light._coarse > 1 for light in all_kinds) >= 3
    assert 1 <= sum(light._grey for light in all_kinds) <= 20


def test_calm_light_stays():
    picture = np.tile(np.array([200, 40, 90], np.float32), (SIZE[1], SIZE[0], 1))
    for light in lights(calm=True):
        first, last = (light.developed(picture.copy(), i).astype(int) for i in (0, 11))
        assert np.abs(first - last).mean() < 4
        light._noise = 0.0
        np.testing.assert_array_equal(light.developed(picture.copy(), 0), light.developed(picture.copy(), 11))


def test_light_is_the_same_at_the_same_time_and_noise_is_not():
    for light in lights(seeds=range(20)):
        one = light.developed(grey(), 5)
        assert one.shape == (SIZE[1], SIZE[0], 3)
        assert one.dtype == np.uint8
        np.testing.assert_array_equal(one, light.developed(grey(), 5))
        other = light.developed(grey(), 6)
        if light._noise > 1:
            assert (one != other).mean() > 0.2
        elif (
            light._noise == 0
            and light._clouds is None
            and light._lamp is None
            and np.ptp(light._gain, axis=0).max() == 0
        ):
            np.testing.assert_array_equal(one, other)


def test_grey_cameras_see_no_colour():
    picture = np.tile(np.array([200, 40, 90], np.float32), (SIZE[1], SIZE[0], 1))
    for light in lights():
        frame = light.developed(picture.copy(), 3)
        without_colour = bool((frame == frame[..., :1]).all())
        assert without_colour == light._grey


def test_lamps_and_clouds_change_the_light_in_places():
    for light in lights():
        light._noise, light._blur, light._coarse, light._grey = 0.0, 0.0, 1.0, False
        light._gain[:], light._offset[:] = 1, 0
        first, last = (light.developed(grey(90), i).astype(int) for i in (0, 11))
        if light._clouds is not None:
            assert np.ptp(first) >= 3
            assert (first != last).any()
        elif light._lamp is not None:
            _, factor, since, ramp = light._lamp
            if since > 0:
                assert np.ptp(first) == 0
            if since + ramp <= 11:
                change = last - light.developed(grey(90), max(since - 1, 0)).astype(int)
                assert change.any() or since == 0
                assert ((change >= 0) if factor > 1 else (change <= 0)).all()
        else:
            assert np.ptp(first) == 0
            np.testing.assert_array_equal(first, last)


# --- doors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"width": 63},
        {"width": 4001},
        {"height": 63},
        {"height": 100.5},
        {"n_frames": 0},
        {"n_frames": True},
        {"camera": "still"},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": None},
    ],
    ids=str,
)
def test_bad_parameters_are_refused(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        Collage(MADE_UP, **{**SMALL, **options})


def test_another_material_is_refused():
    with pytest.raises(ParameterError, match="material"):
        Collage("photos", **SMALL)


def test_frames_by_index():
    clip = collage(3, n_frames=4)
    assert [shot.index for shot in clip] == [0, 1, 2, 3]
    assert same(clip[-1], clip[3])
    for index in (4, -5):
        with pytest.raises(IndexError, match="of 4 frames"):
            clip[index]
    for index in (1.0, slice(0, 2), "1"):
        with pytest.raises(TypeError):
            clip[index]


@pytest.mark.data
def test_real_photographs(data_root):
    material = Material(data_root / "train")
    for seed, camera in enumerate(CAMERAS * 3):
        clip = Collage(material, width=160, height=120, n_frames=20, camera=camera, seed=seed)
        shot = clip[9]
        assert shot.frame.std() > 3
        assert same(shot, Collage(material, width=160, height=120, n_frames=20, camera=camera, seed=seed)[9])
        assert set(np.unique(shot.truth)) <= {0, 50, 170, 255}


def test_before_a_camera_that_moves_ground_is_uneven_and_near_things_pass_by():
    clips = [collage(seed, camera="moving") for seed in range(16)]
    uneven = [clip for clip in clips if clip._relief is not None]
    assert 4 < len(uneven) < 16
    rng = np.random.default_rng(0)
    assert 4 < sum(bool(clip._near(rng)) for clip in clips) < 16
    bent = 0
    for clip in uneven:
        clip._ripple = None
        uneven_plate, relief, clip._relief = clip._plate_at(clip.n_frames - 1), clip._relief, None
        bent += np.abs(uneven_plate - clip._plate_at(clip.n_frames - 1)).mean() > 0.05
        assert np.isfinite(relief).all()
        for part in clip._near(rng):  # still: nothing but the camera moves them
            assert (part.object_id, part.since) == (0, 0)
            shift = np.diff(part.poses[:, :2, 2] - clip._world[:, :2, 2], axis=0)
            assert np.abs(shift).max() > 0
    assert bent > len(uneven) / 2
    for camera in ("fixed", "shaking"):
        assert collage(3, camera=camera)._relief is None
        assert collage(3, camera=camera)._near(rng) == []
