"""Synthetic scenes: their truth is compared with their pictures, and every option does what it says."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionseg.core.errors import ParameterError
from motionseg.datasets import Layer, Scene, SyntheticScene, street
from motionseg.datasets._render import moved, turned

QUIET = {"noise": 0.0, "width": 160, "height": 120, "n_frames": 40}
FIELDS = ("frame", "truth", "labels", "ids", "boxes", "flow", "flow_valid", "background", "camera")


def warped_back(shot, following):
    """What `following` shows where the pixels of the previous frame went."""
    y, x = np.mgrid[: shot.shape[0], : shot.shape[1]].astype(np.float32)
    to = np.stack([x, y], axis=-1) + following.flow
    return cv2.remap(following.frame.astype(np.float32), to, None, cv2.INTER_LINEAR)


def square(path, **layer):
    """A bright 20 x 20 square with a gradient, its first pixel at `path` (n, 2)."""
    image = np.zeros((24, 24, 4), np.uint8)
    image[2:22, 2:22] = 255
    image[2:22, 2:22, 0] = np.arange(20)[:, None] * 10
    path = np.asarray(path, float)
    return Layer(image, moved(path[:, 0] - 2, path[:, 1] - 2), **layer)


def still(n, plate=(100, 120), **scene):
    """Keywords of a Scene of `n` frames over a flat plate."""
    return {"size": (plate[1], plate[0]), "camera": np.zeros((n, 2)), **scene}


PLATE = np.full((100, 120, 3), 90, np.uint8)


# --- the truth fits the picture --------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pan": 1.7},
        {"pan": -0.6, "jitter": 1.5},
        {"waving": 6.0, "n_objects": 2},
        {"camouflage": 0.7, "n_objects": 8},
        {"left_object": True, "stop_and_go": True, "pan": 0.5},
    ],
    ids=str,
)
def test_flow_leads_to_the_same_picture(options):
    scene = SyntheticScene(**{**QUIET, "seed": 4, **options})
    for i in (7, 20, 33):
        before, now = scene[i - 1], scene[i]
        valid = now.flow_valid
        error = np.abs(warped_back(before.frame, now) - before.frame).max(axis=2)[valid]
        assert valid.mean() > 0.7
        assert np.mean(error) < 3
        assert np.percentile(error, 99) < 12
        moving = (before.labels > 0) & valid  # and the objects alone, which a still background could hide
        if moving.any():
            error = np.abs(warped_back(before.frame, now) - before.frame).max(axis=2)[moving]
            assert np.mean(error) < 4


def test_flow_of_a_wrong_sign_or_none_would_not_pass():
    scene = SyntheticScene(**QUIET, pan=1.7)
    before, now = scene[6], scene[7]
    valid = now.flow_valid
    right = np.abs(warped_back(before.frame, now) - before.frame).max(axis=2)[valid].mean()
    for factor in (0.0, -1.0):
        now.flow[:] = scene[7].flow * factor
        assert np.abs(warped_back(before.frame, now) - before.frame).max(axis=2)[valid].mean() > 2 * right


@given(dx=st.floats(-6, 6, width=32), dy=st.floats(-6, 6, width=32), cx=st.floats(-6, 6, width=32), cy=st.floats(-6, 6))
@settings(max_examples=25)
def test_motion_is_exact_to_the_fraction_of_a_pixel(dx, dy, cx, cy):
    plate = np.full((140, 160, 3), 90, np.uint8)
    camera = np.array([[20, 20], [20 + cx, 20 + cy]])
    scene = Scene(plate, [square([[60, 50], [60 + dx, 50 + dy]], object_id=5)], size=(120, 100), camera=camera)
    shot, before = scene[1], scene[0]
    on = before.labels == 5
    np.testing.assert_allclose(shot.flow[on], np.tile([dx - cx, dy - cy], (on.sum(), 1)), atol=1e-4)
    np.testing.assert_allclose(shot.flow[~on], np.tile([-cx, -cy], ((~on).sum(), 1)), atol=1e-4)
    np.testing.assert_allclose(shot.camera @ [30, 40, 1], [30 - cx, 40 - cy, 1])
    # The square's inside is seen in both frames; what is valid stays inside the frame and on its own layer.
    assert shot.flow_valid[34:46, 44:56].all()
    y, x = np.nonzero(shot.flow_valid)
    to = shot.flow[y, x] + np.stack([x, y], axis=1)
    assert (to >= 0).all()
    assert (to <= [119, 99]).all()
    nearest = np.rint(to).astype(int)
    np.testing.assert_array_equal(shot.labels[nearest[:, 1], nearest[:, 0]], before.labels[y, x])


def test_a_turning_layer_has_the_flow_of_its_rotation():
    image = np.full((64, 64, 4), 255, np.uint8)
    angle = np.array([0.0, 0.1])
    layer = Layer(image, moved(60, 50) @ turned(angle) @ moved(-31.5, -31.5), object_id=1)
    flow = Scene(PLATE, [layer], **still(2))[1].flow
    np.testing.assert_allclose(flow[50, 60], [0, 0], atol=1e-5)
    np.testing.assert_allclose(flow[50, 80], [20 * np.cos(0.1) - 20, 20 * np.sin(0.1)], atol=1e-4)


def test_flow_is_not_valid_where_a_nearer_layer_comes_or_the_thing_vanishes():
    path = np.array([[20.0, 30.0], [40.0, 30.0]])
    gone = np.array([[80.0, 30.0], [np.nan, np.nan]])
    shot = Scene(PLATE, [square(gone, object_id=2), square(path, object_id=1)], **still(2))[1]
    assert shot.flow_valid[32:48, 22:38].all()  # the square itself, seen again
    assert not shot.flow_valid[30:50, 40:60].any()  # the plate that it now hides
    assert not shot.flow_valid[30:50, 80:100].any()  # the one that is gone
    assert shot.flow_valid[:28].all()
    assert shot.flow_valid[60:].all()
    first = Scene(PLATE, [square(path, object_id=1)], **still(2))[0]
    assert not first.flow_valid.any()
    assert not first.flow.any()


def test_a_mirrored_layer_has_no_valid_flow():
    layer = square([[50, 30], [50, 30]], object_id=1)
    poses = layer.poses @ moved(12, 0) @ turned(0.0, np.array([1.0, -1.0])) @ moved(-12, 0)
    shot = Scene(PLATE, [Layer(layer.image, poses, 1)], **still(2))[1]
    assert not shot.flow_valid[30:50, 50:70].any()


def test_half_a_pixel_of_cover_is_unknown_and_the_rest_certain():
    shot = Scene(PLATE, [square([[40.5, 30.0]], object_id=3)], **still(1))[0]
    column = shot.truth[40]
    assert set(np.flatnonzero(column == 170)) == {40, 60}
    assert set(np.flatnonzero(column == 255)) == set(range(41, 60))
    assert shot.frame[40, 40, 1] == pytest.approx((90 + 255) / 2, abs=2)


def test_occlusion_goes_by_depth_and_scenery_is_no_motion():
    far, near, post = (square([[x, 30.0]], object_id=k) for x, k in ((20, 1), (30, 2), (40, 0)))
    shot = Scene(PLATE, [far, near, post], **still(1))[0]
    assert shot.labels[40, [25, 35, 45, 55]].tolist() == [1, 2, 0, 0]
    assert shot.truth[40, [25, 35, 45]].tolist() == [255, 255, 0]
    assert shot.boxes.tolist() == [[20, 30, 30, 50], [30, 30, 40, 50]]
    hidden = Scene(PLATE, [far, square([[20.0, 30.0]], object_id=2)], **still(1))[0]
    assert hidden.ids.tolist() == [2]


def test_shadow_darkens_the_plate_only_and_is_50():
    layer = square([[30.0, 30.0]], object_id=1, ground=np.array([50.0]))
    shot = Scene(PLATE, [layer], **still(1, shadow=0.6))[0]
    shadow = shot.truth == 50
    assert 40 < shadow.sum() < 200
    assert (shot.frame[shadow] == 54).all()
    assert (shot.background == 90).all()
    assert shot.labels[shadow].max() == 0
    rows, columns = np.nonzero(shadow)
    assert rows.min() >= 49
    assert columns.max() >= 50  # below and to the right
    assert 50 not in Scene(PLATE, [layer], **still(1))[0].truth


@pytest.mark.parametrize(
    "scene", [SyntheticScene(**QUIET, n_objects=8, shadow=True, waving=5.0), street(width=240, height=180)]
)
def test_labels_truth_ids_and_boxes_agree(scene):
    for i in range(5, len(scene), len(scene) // 6):
        shot = scene[i]
        assert set(np.unique(shot.truth)) <= {0, 50, 170, 255}
        assert (shot.labels[shot.truth == 255] > 0).all()
        assert np.isin(shot.truth[shot.labels > 0], (170, 255)).all()
        assert shot.ids.tolist() == sorted(set(np.unique(shot.labels)) - {0})
        assert (shot.truth == 170).mean() < 0.1
        for k, (x0, y0, x1, y1) in zip(shot.ids, shot.boxes.astype(int), strict=True):
            y, x = np.nonzero(shot.labels == k)
            assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == (x0, y0, x1, y1)
        dtypes = [getattr(shot, name).dtype.name for name in FIELDS]
        assert dtypes == ["uint8", "uint8", "int32", "int64", "float32", "float32", "bool", "uint8", "float64"]


def test_where_nothing_moves_the_frame_is_the_background():
    scene = SyntheticScene(**QUIET, jitter=1.0, waving=5.0, illumination="ramp")
    for i in (0, 13, 39):
        shot = scene[i]
        difference = np.abs(shot.frame.astype(int) - shot.background).max(axis=2)
        assert difference[shot.truth == 0].max() <= 0.05 * 255 * 1.25 + 1  # 5 % of cover is still static
        assert (difference[shot.truth == 0] > 0).mean() < 0.02
        assert (shot.frame[shot.truth == 255] != shot.background[shot.truth == 255]).any(axis=1).mean() > 0.9


# --- the same every time ---------------------------------------------------------------------


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in FIELDS)


def test_frames_do_not_depend_on_the_order_and_seeds_differ():
    options = {"width": 96, "height": 64, "n_frames": 8, "jitter": 1.0, "shadow": True, "waving": 3.0}
    scene, again, other = (SyntheticScene(**options, seed=seed) for seed in (1, 1, 2))
    sequential = list(scene)
    assert len(sequential) == len(scene) == 8
    for i in (5, 0, 7, 5):
        assert same(again[i], sequential[i])
        assert (other[i].frame != sequential[i].frame).mean() > 0.5
    assert same(scene[-1], sequential[7])
    triples = list(scene.frames())
    assert [(i, t) for i, t, _ in triples] == [(i, i / 25) for i in range(8)]
    assert all(np.array_equal(frame, shot.frame) for (_, _, frame), shot in zip(triples, sequential, strict=True))


def test_shots_are_the_callers_own():
    scene = SyntheticScene(width=96, height=64, n_frames=3)
    shot = scene[1]
    for name in FIELDS:
        getattr(shot, name)[...] = 0
    assert scene[1].frame.any()


@pytest.mark.parametrize("index", [8, -9])
def test_an_index_out_of_range(index):
    with pytest.raises(IndexError, match="of 8 frames"):
        SyntheticScene(width=96, height=64, n_frames=8)[index]


def test_switching_something_on_leaves_the_rest():
    plain = SyntheticScene(**QUIET)[10]
    for options in ({"noise": 3.0}, {"shadow": True}, {"illumination": "ramp"}, {"camouflage": 0.5}, {"waving": 4.0}):
        changed = SyntheticScene(**{**QUIET, **options})[10]
        np.testing.assert_array_equal(changed.labels, plain.labels)
        assert (changed.frame != plain.frame).any(), options


# --- every option does what it says ------------------------------------------------------------


def test_size_time_and_grey():
    shot = SyntheticScene(width=100, height=70, n_frames=9, fps=10.0, grey=True)[4]
    assert shot.frame.shape == shot.background.shape == shot.truth.shape == (70, 100)
    assert shot.time == pytest.approx(0.4)


def test_noise_has_the_asked_deviation():
    shot = SyntheticScene(width=320, height=240, n_frames=2, noise=5.0, n_objects=0)[1]
    assert np.std(shot.frame.astype(float) - shot.background) == pytest.approx(5.0, rel=0.03)
    assert not SyntheticScene(width=96, height=64, n_frames=2, noise=0.0, n_objects=0)[1].truth.any()


@pytest.mark.parametrize("n", [0, 1, 5])
def test_n_objects(n):
    scene = SyntheticScene(**QUIET, n_objects=n)
    assert set(itertools.chain(*(shot.ids.tolist() for shot in scene))) == set(range(1, n + 1))


def test_speed():
    def mean_way(speed):
        scene = SyntheticScene(**QUIET, n_objects=6, speed=speed)
        ways = [np.hypot(*shot.flow[shot.flow_valid & (scene[shot.index - 1].labels > 0)].T) for shot in scene]
        return np.mean(np.concatenate(ways))

    assert mean_way(0.0) == 0
    assert 1.2 < mean_way(2.0) < 3.2


def test_pan_moves_the_background_to_the_left_and_jitter_shakes():
    shot = SyntheticScene(**QUIET, pan=2.5)[10]
    np.testing.assert_allclose(shot.camera, [[1, 0, -2.5], [0, 1, 0], [0, 0, 1]], atol=1e-9)
    way = np.array(
        [shot.camera[:2, 2] for shot in SyntheticScene(**{**QUIET, "n_frames": 200}, n_objects=0, jitter=2.0)]
    )
    assert way[1:].std() == pytest.approx(2.0 * np.sqrt(2), rel=0.2)
    assert abs(way.sum(axis=0)).max() < 12  # it shakes about one place


def test_waving_moves_background_that_is_not_motion():
    scene = SyntheticScene(**QUIET, n_objects=0, waving=8.0)
    far = max(np.abs(shot.flow[shot.flow_valid]).max() for shot in list(scene)[1:])
    assert 0.5 < far < 8.0
    assert not any(shot.truth.any() for shot in scene)
    assert (scene[0].background != scene[12].background).mean() > 0.02
    steady = SyntheticScene(**QUIET, n_objects=0)
    np.testing.assert_array_equal(steady[0].background, steady[12].background)


def test_camouflage_takes_the_contrast_away():
    def contrast(camouflage):
        scene = SyntheticScene(**QUIET, n_objects=6, camouflage=camouflage)
        shots = [scene[i] for i in (0, 20, 39)]
        return np.mean(
            [np.abs(s.frame[s.truth == 255].astype(float) - s.background[s.truth == 255]).mean() for s in shots]
        )

    none, half, full = map(contrast, (0.0, 0.5, 1.0))
    assert none > 1.3 * half > 1.3 * full
    shot = SyntheticScene(**{**QUIET, "width": 320, "height": 240}, n_objects=12, camouflage=1.0)[0]
    objects, background = shot.frame[shot.truth == 255], shot.background.reshape(-1, 3)
    np.testing.assert_allclose(objects.mean(axis=0), background.mean(axis=0), atol=12)
    np.testing.assert_allclose(objects.std(axis=0), background.std(axis=0), rtol=0.4)


def test_stop_and_go():
    def stands(**options):
        """How often each object is not moved, in frames."""
        scene = SyntheticScene(**{**QUIET, "n_frames": 70}, n_objects=3, **options)
        before, count = scene[0], np.zeros(4)
        for shot in list(scene)[1:]:
            for k in shot.ids:
                own = (before.labels == k) & shot.flow_valid
                count[k] += own.any() and np.abs(shot.flow[own] - shot.camera[:2, 2]).max() < 1e-3
            before = shot
        return count[1:]

    assert (stands() == 0).all()
    assert (abs(stands(stop_and_go=True) - 10) <= 2).all()


def test_a_left_object_stays():
    scene = SyntheticScene(**{**QUIET, "n_frames": 60}, n_objects=0, left_object=True)
    person, case = 1, 2
    last = [shot for shot in scene if shot.index >= 40]
    boxes = {tuple(shot.boxes[shot.ids == case][0]) for shot in last[5:]}
    assert len(boxes) == 1
    assert last[-1].ids.tolist() == [case]
    assert (last[-1].truth[last[-1].labels == case] == 255).mean() > 0.5
    assert any(shot.ids.tolist() == [person, case] for shot in scene)
    assert scene[0].ids.size == 0


def test_quiet_frames_are_empty_and_then_objects_come_in_from_the_sides():
    scene = SyntheticScene(**QUIET, quiet_frames=12, left_object=True)
    assert not any(scene[i].truth.any() for i in range(13))
    assert any(scene[i].truth.any() for i in range(13, 40))
    for before, now in itertools.pairwise(scene):
        for k, (x0, _, x1, _) in zip(now.ids, now.boxes, strict=True):
            if k not in before.ids and now.index < 25 and k <= 4:
                assert x0 < 8 or x1 > 152
    assert not any(shot.truth.any() for shot in SyntheticScene(**QUIET, quiet_frames=40, left_object=True))


def test_illumination():
    def light(kind):
        return np.array([shot.background.mean() for shot in SyntheticScene(**QUIET, n_objects=0, illumination=kind)])

    assert np.ptp(light("none")) == 0
    ramp, switch = light("ramp"), light("switch")
    assert 0 < np.abs(np.diff(ramp)).max() < 0.1 * ramp[0]
    assert ramp.max() > 1.15 * ramp[0]
    assert ramp.min() < 0.85 * ramp[0]
    assert np.flatnonzero(np.diff(switch)).tolist() == [23]
    assert switch[-1] == pytest.approx(0.65 * switch[0], rel=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 10},
        {"n_frames": 0},
        {"fps": 0},
        {"n_objects": -1},
        {"noise": -1.0},
        {"grey": "yes"},
        {"illumination": "dark"},
        {"camouflage": 1.5},
        {"pan": 1000.0},
        {"jitter": float("nan")},
        {"waving": -1.0},
        {"seed": -1},
        {"quiet_frames": -1},
        {"speed": -1.0},
    ],
    ids=str,
)
def test_wrong_parameters(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        SyntheticScene(**options)


def test_parameters_are_kept():
    scene = SyntheticScene(**QUIET, pan=1.0, shadow=True)
    assert scene.params()["pan"] == 1.0
    assert same(scene.clone()[3], scene[3])
    assert scene.clone(shadow=False).params() == {**scene.params(), "shadow": False}
    assert "shadow=True" in repr(scene)


# --- the street ------------------------------------------------------------------------------


def test_street_is_lively_and_true():
    scene = street(width=320, height=240, n_frames=200, seed=1)
    assert not scene[0].truth.any()
    shots = [scene[i] for i in range(60, 200, 20)]
    assert len(set(itertools.chain(*(shot.ids.tolist() for shot in shots)))) >= 8
    assert any((shot.truth == 50).mean() > 0.002 for shot in shots)
    assert all(same(street(width=320, height=240, n_frames=200, seed=1)[s.index], s) for s in shots[:2])
    assert (street(width=320, height=240, seed=2)[0].frame != scene[0].frame).mean() > 0.5


def test_street_flow_leads_to_the_same_picture():
    scene = street(width=320, height=240, n_frames=150)
    scene.noise = 0.0
    for i in (80, 140):
        before, now = scene[i - 1], scene[i]
        valid = now.flow_valid & ~np.isin(before.truth, (50, 170)) & (before.labels > 0)
        error = np.abs(warped_back(before.frame, now) - before.frame).max(axis=2)[valid]
        assert valid.sum() > 1000
        assert np.mean(error) < 8


@pytest.mark.parametrize(("width", "height"), [(64, 64), (64, 300), (300, 64), (101, 77)])
def test_odd_sizes_and_single_frames(width, height):
    everything = {"shadow": True, "waving": 3.0, "left_object": True, "pan": 1.0, "jitter": 1.0, "stop_and_go": True}
    for scene in (
        SyntheticScene(width=width, height=height, n_frames=1, n_objects=9, **everything),
        street(width=width, height=height, n_frames=1),
    ):
        assert scene[0].frame.shape == (height, width, 3)
        assert not scene[0].flow_valid.any()


@pytest.mark.parametrize("options", [{"width": 3}, {"n_frames": 0}, {"fps": -1.0}, {"seed": 1.5}], ids=str)
def test_street_wrong_parameters(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        street(**options)
