import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reference.tracking import sequences

from motionseg.core.errors import FrameError, ParameterError
from motionseg.metrics.mot_challenge import without_distractors
from motionseg.metrics.tracking import Trajectories, pair_boxes, pair_labels, pair_similarities

NOBODY = Trajectories([], [], [])


def tables(pairs):
    """Of each frame that the columns have: the contiguous ids and the whole table of similarities."""
    for f in range(len(pairs.pair_start) - 1):
        truth, found = (slice(s[f], s[f + 1]) for s in (pairs.truth_start, pairs.found_start))
        part = slice(pairs.pair_start[f], pairs.pair_start[f + 1])
        table = np.zeros((truth.stop - truth.start, found.stop - found.start))
        rows, columns = pairs.pair_truth[part] - truth.start, pairs.pair_found[part] - found.start
        table[rows, columns] = pairs.similarity[part]
        yield pairs.truth_ids[truth].tolist(), pairs.found_ids[found].tolist(), table


@given(sequences())
def test_similarities_come_back_frame_by_frame(frames):
    pairs = pair_similarities(frames)
    assert pairs.n_frames == len(frames)
    known = [np.unique(np.concatenate([[], *(frame[side] for frame in frames)])) for side in (0, 1)]
    assert (pairs.n_truth_ids, pairs.n_found_ids) == (len(known[0]), len(known[1]))
    for frame, (truth, found, table) in zip(frames, tables(pairs), strict=True):
        assert known[0][truth].tolist() == frame[0].tolist()
        assert known[1][found].tolist() == frame[1].tolist()
        np.testing.assert_array_equal(table, frame[2])
    assert (pairs.similarity > 0).all()


@st.composite
def tracks(draw):
    n, seed = draw(st.integers(0, 12)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    slots = rng.permutation(4 * 5)[:n]  # a frame number and an id each
    low = rng.integers(0, 8, (n, 2))
    return Trajectories(
        slots // 5 * 10 - 10, slots % 5 * 1000, np.concatenate([low, low + rng.integers(0, 6, (n, 2))], 1)
    )


@given(tracks(), tracks())
def test_boxes_overlap_as_painted_ones_do(truth, found):
    def painted(box):
        mask = np.zeros((20, 20), bool)
        x0, y0, x1, y1 = box.astype(int)
        mask[y0:y1, x0:x1] = True
        return mask

    numbers = np.unique(np.concatenate([truth.frames, found.frames]))
    pairs = pair_boxes(truth, found)
    assert pairs.n_frames == len(numbers)
    ranks = [np.searchsorted(np.unique(side.ids), side.ids) for side in (truth, found)]
    for number, (truth_ids, found_ids, table) in zip(numbers, tables(pairs), strict=True):
        a, b = (np.flatnonzero(side.frames == number) for side in (truth, found))
        assert (truth_ids, found_ids) == (ranks[0][a].tolist(), ranks[1][b].tolist()), "in the order given"
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                one, other = painted(truth.boxes[x]), painted(found.boxes[y])
                assert table[i, j] == pytest.approx((one & other).sum() / max(1, (one | other).sum()), abs=1e-12)


def test_frames_without_boxes_count_if_said_so():
    one = Trajectories([3], [1], [[0, 0, 2, 2]])
    assert pair_boxes(one, NOBODY).n_frames == 1
    assert pair_boxes(one, NOBODY, n_frames=10).n_frames == 10
    assert pair_boxes(NOBODY, NOBODY).n_frames == 0
    with pytest.raises(ParameterError, match="n_frames is 0, but there are boxes in 1 frames"):
        pair_boxes(one, NOBODY, n_frames=0)


labels = hnp.arrays(np.int64, (4, 5), elements=st.sampled_from([0, 0, 1, 7, 10**15]))
truths = hnp.arrays(np.int64, (4, 5), elements=st.sampled_from([-1, 0, 0, 1, 5, 10**15]))


@given(st.lists(st.tuples(truths, labels), max_size=3))
def test_masks_overlap_pixel_by_pixel(frames):
    expected = []
    for truth, found in frames:
        left = np.where(truth == -1, 0, found)
        a, b = np.setdiff1d(truth, [-1, 0]), np.setdiff1d(left, [0])
        same = [((truth == i) & (left == j)).sum() / ((truth == i) | (left == j)).sum() for i in a for j in b]
        expected.append((a, b, np.reshape(same, (len(a), len(b)))))
    got, want = pair_labels(*([f[side] for f in frames] for side in (0, 1))), pair_similarities(expected)
    for name, column in vars(want).items():
        np.testing.assert_array_equal(getattr(got, name), column, err_msg=name)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_labels_of_any_integer_type(dtype):
    truth, found = np.array([[255, 255, 0]], dtype), np.array([[0, 9, 9]], dtype)
    if dtype is np.int32:
        truth[0, 2] = -1
    expected = 0.5 if dtype is np.int32 else 1 / 3
    assert pair_labels(iter([truth]), iter([found])).similarity.tolist() == [expected]


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        ([np.zeros((2, 3))], [np.zeros((2, 3), int)], r"truth frame 0: .* not float64 \(2, 3\)"),
        ([np.zeros((2, 3), int)], [np.zeros((2, 3, 1), int)], "found frame 0"),
        ([np.zeros((0, 3), int)], [np.zeros((0, 3), int)], "truth frame 0"),
        ([np.zeros((2, 3), int)], [np.zeros((3, 2), int)], "frame 0: .* differ in size"),
        ([np.full((2, 3), -2)], [np.zeros((2, 3), int)], "the label -2 is below -1"),
        ([np.zeros((2, 3), int)], [np.full((2, 3), -1)], "found frame 0: the label -1 is below 0"),
        ([np.zeros((2, 3), int)] * 2, [np.zeros((2, 3), int)], "found ends before frame 1"),
        ([], [np.zeros((2, 3), int)], "truth ends before frame 0"),
    ],
)
def test_label_images_that_are_refused(truth, found, message):
    with pytest.raises(FrameError, match=message):
        pair_labels(truth, found)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (([1, 1], [2], [[0.5], [0.5]]), "truth ids of frame 0: an id appears twice"),
        (([1], [2.5], [[0.5]]), "found ids of frame 0: integers"),
        (([1], [2], [[0.5, 0.5]]), r"frame 0 have shape \(1, 2\), the ids say \(1, 1\)"),
        (([1], [], [[0.5]]), "frame 0 have shape"),
        (([1], [2], [[1.5]]), r"frame 0 are not in \[0, 1\]"),
        (([1], [2], [[np.nan]]), "frame 0 are not in"),
    ],
)
def test_similarities_that_are_refused(frame, message):
    with pytest.raises(ParameterError, match=message):
        pair_similarities([frame])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1, 2], [1], [[0, 0, 1, 1]]), "2 frame numbers do not fit 1 ids"),
        (([1], [1], [[0, 0, 1]]), r"boxes \(1, 3\)"),
        (([1.0], [1], [[0, 0, 1, 1]]), "frames: integers"),
        (([1], [[1]], [[0, 0, 1, 1]]), "ids: integers"),
        (([4, 5], [8, 9], [[0, 0, 1, 1], [0, np.inf, 1, 1]]), "the box of id 9 in frame 5 is not finite"),
        (([5, 4, 5], [9, 9, 9], np.zeros((3, 4))), "id 9 appears twice in frame 5"),
    ],
)
def test_trajectories_that_are_refused(columns, message):
    with pytest.raises(ParameterError, match=message):
        Trajectories(*columns)


def test_trajectories_keep_a_copy():
    boxes = np.zeros((1, 4))
    one = Trajectories([1], [1], boxes)
    boxes += 1
    assert one.boxes.tolist() == [[0, 0, 0, 0]]


def test_distractors_need_a_class_and_a_flag_per_box():
    one = Trajectories([3], [1], [[0, 0, 2, 2]])
    with pytest.raises(ParameterError, match="1 true boxes have classes"):
        without_distractors(one, [1, 1], [1], NOBODY)
    with pytest.raises(ParameterError, match=r"in \[1, 13\], not -1"):
        without_distractors(one, [-1], [1], NOBODY)
    truth, found = without_distractors(one, [1], [0], one)
    assert (len(truth), len(found)) == (0, 1)
