"""What holds for every linker, whatever it is shown: hypothesis draws streams of regions, empty, giant and tiny."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motionseg.core import catalog
from motionseg.core.errors import ParameterError
from motionseg.core.types import Regions, Tracks, TrackState
from motionseg.regions import find_regions, measure_labels

HEIGHT, WIDTH = 40, 60
LINKERS = [catalog.find("track", name) for name in catalog.names("track")]
TOLD = ("labels", "frame", "features", "flow", "camera")
every_linker = pytest.mark.parametrize("linker", LINKERS, ids=lambda cls: cls.__name__)
SEEDS = st.integers(0, 2**16)
KINDS = ("some", "some", "some", "none", "dots", "giant")


def patterns(kinds=KINDS):
    return st.lists(st.sampled_from(kinds), min_size=3, max_size=14)


def streams(kinds=KINDS, **more):
    """Patterns of frames, a seed for what is in them, and what the linker is given."""
    return given(pattern=patterns(kinds), seed=SEEDS, told=st.sets(st.sampled_from(TOLD)), **more)


class Stream:
    """Frames of a seed: three or four things that wander about, and what `pattern` says of each frame."""

    def __init__(self, pattern, seed, told, gaps=None):
        self.pattern, self.told, self.rng = pattern, set(told), np.random.default_rng(seed)
        self.places = self.rng.uniform((5, 5), (WIDTH - 5, HEIGHT - 5), (4, 2))
        self.steps = self.rng.normal(0, 2, (4, 2))
        self.sizes = self.rng.uniform(4, 14, (4, 2))
        self.colors = self.rng.integers(0, 256, (4, 3))
        self.picture = self.rng.integers(100, 140, (HEIGHT, WIDTH, 3), np.uint8)
        self.gaps = gaps or [(0.04, 0.2)[seed % 2]] * len(pattern)

    def __iter__(self):
        time = 0.0
        for kind, gap in zip(self.pattern, self.gaps, strict=True):
            time += gap
            yield time, *self.frame(kind)

    def frame(self, kind):
        """Regions, and what else the linker is given of a frame."""
        mask, frame = np.zeros((HEIGHT, WIDTH), np.uint8), self.picture.copy()
        self.places += self.steps
        out = (self.places < 0) | (self.places > (WIDTH, HEIGHT))
        self.steps[out] *= -1
        for place, size, color in zip(self.places, self.sizes, self.colors, strict=True):
            x0, y0 = np.maximum(np.rint(place - size / 2), 0).astype(int)
            x1, y1 = np.maximum(np.rint(place + size / 2), 0).astype(int)
            mask[y0:y1, x0:x1] = 255
            frame[y0:y1, x0:x1] = color
        if kind == "none":
            mask[:] = 0
        elif kind == "giant":
            mask[:] = 255
        elif kind == "dots":
            mask[:] = 0
            mask[self.rng.integers(0, HEIGHT, 5), self.rng.integers(0, WIDTH, 5)] = 255
        score = self.rng.uniform(0.2, 1, mask.shape).astype(np.float32)
        labels, regions = find_regions(mask, score=score, frame=frame if "features" in self.told else None)
        more = {}
        if "labels" in self.told:
            more["labels"] = labels
        if "frame" in self.told:
            more["frame"] = frame
        if "flow" in self.told:
            more["flow"] = np.tile(self.steps.mean(axis=0).astype(np.float32), (HEIGHT, WIDTH, 1))
        if "camera" in self.told:
            zoom, (x, y) = np.exp(self.rng.normal(0, 0.1)), self.rng.normal(0, 5, 2)
            tilt = self.rng.normal(0, 3e-3, 2)
            more["camera"] = np.array([[zoom, 0, x], [0, zoom, y], [*tilt, 1]])
        return regions, more


def arrays(tracks):
    return {name: column for name, column in vars(tracks).items() if name != "time"}


def require_same(a: dict, b: dict):
    assert a.keys() == b.keys()
    for name, array in a.items():
        np.testing.assert_array_equal(array, b[name], err_msg=name)


def require_sound(linker, tracks: Tracks, regions: Regions, more, ever: set, gone: set):
    """What tracks promise of one frame; `ever` and `gone` are the ids so far."""
    ids = tracks.ids.tolist()
    assert len(set(ids)) == len(ids)
    assert min(ids, default=1) >= 1
    assert not set(ids) & gone
    assert all(new > max(ever, default=0) for new in set(ids) - ever)
    ended = set(tracks.ids[tracks.states == TrackState.GONE].tolist())
    gone |= (ever - set(ids)) | ended
    ever |= set(ids)
    assert tracks.parents.max(initial=0) <= max(ever, default=0)
    for name, column in arrays(tracks).items():
        assert column.dtype == arrays(Tracks())[name].dtype
        assert len(column) == len(ids)
        assert np.isfinite(column).all(), name
    assert tracks.labels.max(initial=0) <= len(regions)
    unseen = np.isin(tracks.states, (TrackState.OCCLUDED, TrackState.GONE))
    assert not tracks.labels[unseen].any()
    shared = tracks.labels[(tracks.labels > 0) & (tracks.states != TrackState.MERGED)]
    assert len(np.unique(shared)) == len(shared)
    identities = linker.identities()
    if identities is None:
        return
    labels = more["labels"]
    assert identities.shape == labels.shape
    visible = tracks.visible
    for row in range(len(regions)):
        inside = identities[labels == row + 1]
        owners = visible.ids[visible.labels == row + 1]
        if len(owners):
            assert set(inside.tolist()) <= set(owners.tolist()), "a region's pixels belong to its tracks"
            assert (inside > 0).all(), "and each of them to one"
        else:
            assert len(set(inside.tolist())) <= 1, "a piece belongs to one track"
    assert set(np.unique(identities)) - {0} <= set(visible.ids.tolist())
    assert not identities[labels == 0].any()


@every_linker
@streams()
@settings(max_examples=25)
def test_tracks_are_sound_whatever_comes(linker, pattern, seed, told):
    linker, ever, gone = linker(min_hits=2), set(), set()
    for time, regions, more in Stream(pattern, seed, told):
        require_sound(linker, linker.update(regions, time, **more), regions, more, ever, gone)


@every_linker
@streams(gaps=st.data())
@settings(max_examples=10)
def test_huge_gaps_and_tiny_ones(linker, pattern, seed, told, gaps):
    times = st.lists(st.sampled_from([1e-6, 0.04, 1.0, 1e6]), min_size=len(pattern), max_size=len(pattern))
    linker, ever, gone = linker(min_hits=1), set(), set()
    for time, regions, more in Stream(pattern, seed, told, gaps.draw(times)):
        tracks = linker.update(regions, time, **more)
        assert tracks.time == time
        require_sound(linker, tracks, regions, more, ever, gone)
        state = linker.state()
        assert np.isfinite(state["means"]).all()
        assert np.isfinite(state["covariances"]).all()


@every_linker
@streams(KINDS[:-1])  # of those that are equally young, and all in the giant, the first one lives
@settings(max_examples=25)
def test_the_order_of_regions_does_not_matter(linker, pattern, seed, told):
    """Ids are given in the order of rows: they are the same but for that. No two likenesses are quite equal."""
    one, other, same = linker(min_hits=2), linker(min_hits=2), {}
    shuffle = np.random.default_rng(seed + 1)
    for time, regions, more in Stream(pattern, seed, told):
        order, nudge = shuffle.permutation(len(regions)), shuffle.uniform(0, 0.01, regions.boxes.shape)
        regions.boxes[:] += nudge * (1, 1, -1, -1)
        turned = dict(more)
        if "labels" in more:
            place = np.zeros(len(order) + 1, np.int32)
            place[order + 1] = np.arange(1, len(order) + 1)
            turned["labels"] = place[more["labels"]]
        rows = Regions(**{name: column[order] for name, column in vars(regions).items()})
        a, b = one.update(regions, time, **more), other.update(rows, time, **turned)
        assert len(a) == len(b)
        back = np.append(0, order + 1)
        for identity, label, state, box in zip(b.ids.tolist(), b.labels, b.states, b.boxes, strict=True):
            if identity not in same:  # born in this frame, in a region of its own
                same[identity] = int(a.ids[(a.labels == back[label]) & ~np.isin(a.ids, list(same.values()))][0])
            row = np.flatnonzero(a.ids == same[identity])
            assert len(row) == 1
            assert (a.labels[row[0]], a.states[row[0]]) == (back[label], state)
            np.testing.assert_allclose(a.boxes[row[0]], box, atol=1e-2)
        if one.identities() is not None:
            ids = np.zeros(max(same, default=0) + 1, np.int32)
            ids[list(same)] = list(same.values())
            np.testing.assert_array_equal(one.identities(), ids[other.identities()])


@every_linker
@streams(cut=st.integers(0, 14))
@settings(max_examples=25)
def test_a_state_taken_in_mid_stream_continues_bit_for_bit(linker, pattern, seed, told, cut):
    linker, heir = linker(min_hits=2), None
    for i, (time, regions, more) in enumerate(Stream(pattern, seed, told)):
        if i == min(cut, len(pattern) - 1):
            heir = linker.clone()
            heir.load_state(linker.state())
        tracks = linker.update(regions, time, **more)
        if heir is not None:
            require_same(arrays(tracks), arrays(heir.update(regions, time, **more)))
            require_same(linker.state(), heir.state())
            same = linker.identities(), heir.identities()
            np.testing.assert_array_equal(*same) if same[0] is not None else None


@every_linker
@streams(bad=st.sampled_from(["time", "now", "nan", "labels", "size", "camera"]))
@settings(max_examples=10)
def test_what_is_refused_changes_nothing(linker, pattern, seed, told, bad):
    linker = linker(min_hits=2)
    for time, regions, more in Stream(pattern, seed, told | {"labels"}):
        linker.update(regions, time, **more)
    before, wrong, when = linker.state(), dict(more), time + 0.04
    if bad in ("time", "now", "nan"):
        when = {"time": time / 2, "now": time, "nan": np.nan}[bad]
    elif bad == "labels":
        wrong["labels"] = more["labels"] + len(regions) + 1
    elif bad == "camera":
        wrong["camera"] = np.zeros((3, 3))
    else:
        wrong = {"labels": np.zeros((HEIGHT + 1, WIDTH), np.int32)}
    if bad == "size" and "identities" not in before:
        linker.update(regions, when, **wrong)  # who knows no pixels looks at none
        return
    with pytest.raises(ParameterError):
        linker.update(regions, when, **wrong)
    require_same(before, linker.state())


@every_linker
@given(seed=SEEDS, n=st.integers(1, 12))
@settings(max_examples=8)
def test_one_giant_region_in_mid_stream_makes_one_track_at_most(linker, seed, n):
    linker, begun = linker(min_hits=2, max_gap=5.0), []
    for time, regions, more in Stream(["some"] * 8 + ["giant"] * n + ["some"] * 8, seed, ("labels", "frame")):
        tracks = linker.update(regions, time, **more)
        begun.append(int(linker.state()["next_id"]) - 1)
    assert begun[8 + n - 1] <= begun[7] + 1
    assert len(tracks) <= begun[-1] <= begun[8 + n - 1] + 4 * 8


@every_linker
@given(seed=SEEDS, zoom=st.floats(0.8, 1.25), jump=st.tuples(st.floats(-30, 30), st.floats(-30, 30)))
@settings(max_examples=10)
def test_a_camera_that_zooms_and_jumps_takes_all_along(linker, seed, zoom, jump):
    """Two things stand far apart; the picture is turned back by the same matrix in every second frame."""
    linker, rng, there = (
        linker(min_hits=2),
        np.random.default_rng(seed),
        np.array([[zoom, 0, jump[0]], [0, zoom, jump[1]], [0, 0, 1]]),
    )
    boxes = np.array([[100, 80, 120, 120], [200, 140, 230, 165]]) + np.tile(rng.uniform(-5, 5, (2, 2)), 2)
    owners = {}
    for i in range(10):
        camera = np.eye(3) if i == 0 else there if i % 2 else np.linalg.inv(there)
        at = boxes * zoom + np.tile(jump, 2) if i % 2 else boxes
        labels = np.zeros((260, 340), np.int32)
        for row, (x0, y0, x1, y1) in enumerate(np.rint(at).astype(int)):
            labels[y0:y1, x0:x1] = row + 1
        tracks = linker.update(measure_labels(labels), i / 25, labels=labels, camera=camera)
        for identity, label in zip(tracks.ids.tolist(), tracks.labels.tolist(), strict=True):
            owners.setdefault(identity, set()).add(label)
    assert owners == {1: {1}, 2: {2}}
    assert np.abs(tracks.velocities).max() < 25
