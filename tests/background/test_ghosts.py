"""What stands is told from what has left by whose edges the outline is; what moves is neither."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import motionseg
from motionseg.background._ghosts import KINDS, Ghosts
from motionseg.core.errors import StateError

SHAPE = (60, 80, 3)
BOX, OTHER = (slice(20, 40), slice(30, 50)), (slice(5, 17), slice(60, 74))
NONE = np.zeros(SHAPE[:2], np.uint8)


def picture(*boxes):
    empty = np.full(SHAPE, (90, 110, 100), np.uint8)
    empty[:, 40:] += 10
    for box in boxes:
        empty[box] = (200, 60, 220)
    return empty


def mask_of(*boxes):
    mask = NONE.copy()
    for box in boxes:
        mask[box] = 255
    return mask


def watch(ghosts, n, frame, background, mask, seed=0):
    """What `update` says of each of `n` noisy frames; the last two may be given frame by frame."""
    rng, told = np.random.default_rng(seed), []
    for i in range(n):
        seen, found = (given_(i) if callable(given_) else given_ for given_ in (frame, mask))
        noisy = (seen + rng.normal(0, 3, SHAPE)).clip(0, 255).astype(np.uint8)
        told.append(ghosts.update(noisy, background, found))
    return told


@pytest.mark.parametrize("kind", ["ghost", "removed"])
def test_what_has_left_is_found_after_a_while(kind):
    ghosts = Ghosts(picture(BOX))
    watch(ghosts, 260 if kind == "removed" else 40, picture(BOX), picture(BOX), NONE)
    assert ghosts.kinds == []
    told = watch(ghosts, 25, picture(), picture(BOX), mask_of(BOX))
    first = [pixels.any() for pixels in told].index(True)
    assert 10 <= first <= 18
    assert ghosts.kinds == [kind]
    assert told[-1][BOX].all()
    assert not told[-1][cv2.dilate(mask_of(BOX), np.ones((7, 7))) == 0].any()


def test_what_stands_is_no_ghost():
    ghosts = Ghosts(picture())
    told = watch(ghosts, 40, picture(BOX), picture(), mask_of(BOX))
    assert ghosts.kinds == ["stopped"]
    assert not np.any(told)


def test_what_has_left_beside_what_stands():
    ghosts = Ghosts(picture(OTHER))
    told = watch(ghosts, 30, picture(BOX), picture(OTHER), mask_of(BOX, OTHER))
    assert [ghosts.kinds[ghosts.labels[box][5, 5] - 1] for box in (BOX, OTHER)] == ["stopped", "ghost"]
    assert told[-1][OTHER].all()
    assert not told[-1][BOX].any()


def test_what_moves_is_neither():
    def box(i):
        return (BOX[0], slice(5 + i, 25 + i))

    ghosts = Ghosts(picture())
    told = watch(ghosts, 30, lambda i: picture(box(i)), picture(), lambda i: mask_of(box(i)))
    assert ghosts.kinds == ["moving"]
    assert not np.any(told)


def test_the_still_part_of_what_moves_is_no_ghost():
    wide = (slice(15, 55), slice(10, 70))
    colors = np.random.default_rng(3).integers(0, 255, (40, 3))

    def restless(i):
        frame = picture(wide)
        frame[wide] = colors[i]
        frame[BOX] = picture()[BOX]
        return frame

    ghosts = Ghosts(picture(BOX))
    told = watch(ghosts, 40, restless, picture(BOX), mask_of(wide))
    assert ghosts.kinds == ["moving"]
    assert not np.any(told)


def test_specks_and_shadows_are_not_judged():
    ghosts, speck = Ghosts(picture()), (slice(30, 33), slice(30, 33))
    told = watch(ghosts, 30, picture(), picture(speck), mask_of(speck))
    assert ghosts.kinds == ["moving"]
    assert not np.any(told)
    told = watch(ghosts, 30, picture(), picture(BOX), mask_of(BOX) // 2)
    assert ghosts.kinds == []
    assert not np.any(told)


def test_only_what_borders_on_the_empty_scene_tells():
    ghosts, mask = Ghosts(picture(BOX)), np.full(SHAPE[:2], 127, np.uint8)
    mask[BOX] = 255
    assert not np.any(watch(ghosts, 30, picture(), picture(BOX), mask))
    assert ghosts.kinds == ["stopped"]


def test_what_changes_begins_to_stand_anew():
    ghosts = Ghosts(picture(BOX))
    watch(ghosts, 12, picture(), picture(BOX), mask_of(BOX))
    flash = np.full(SHAPE, 240, np.uint8)
    assert not np.any(watch(ghosts, 1, flash, picture(BOX), mask_of(BOX)))
    told = watch(ghosts, 25, picture(), picture(BOX), mask_of(BOX))
    assert 10 <= [pixels.any() for pixels in told].index(True) <= 18


def test_what_is_forgotten_is_settled_no_more():
    ghosts, everywhere = Ghosts(picture(BOX)), np.ones(SHAPE[:2], bool)
    watch(ghosts, 260, picture(BOX), picture(BOX), NONE)
    ghosts.forget(everywhere)
    told = watch(ghosts, 20, picture(), picture(BOX), mask_of(BOX))
    assert told[-1].any()
    assert ghosts.kinds == ["ghost"]
    ghosts.forget(everywhere)
    assert not np.any(watch(ghosts, 5, picture(), picture(BOX), mask_of(BOX)))
    assert np.any(watch(ghosts, 1, picture(), picture(BOX), mask_of(BOX)))


def test_what_is_known_moves_with_the_camera():
    still, moved = Ghosts(picture(BOX)), Ghosts(picture(BOX))
    for ghosts in (still, moved):
        watch(ghosts, 13, picture(), picture(BOX), mask_of(BOX))
    rows, columns = np.indices(SHAPE[:2])
    outside = columns < 4
    sources = np.stack([rows, np.where(outside, columns, columns - 4)])
    before = moved.state()
    moved.warp(picture(), sources, outside)
    for name, array in moved.state().items():
        np.testing.assert_array_equal(array[:, 4:], before[name][:, :-4])
        assert name == "anchor" or not array[:, :4].any()
    np.testing.assert_array_equal(moved.state()["anchor"][:, :4], picture()[:, :4])
    there = (BOX[0], slice(34, 54))
    told = watch(moved, 3, picture(), picture(there), mask_of(there))
    assert np.any(told[-1])
    assert np.any(watch(still, 3, picture(), picture(BOX), mask_of(BOX))[-1])


def test_the_state_continues_and_looking_does_not_change_it():
    whole, second = Ghosts(picture(BOX)), Ghosts(picture(OTHER))
    watch(whole, 13, picture(), picture(BOX), mask_of(BOX))
    before = whole.state()
    whole.update(picture(OTHER), picture(BOX), mask_of(BOX, OTHER), learn=False)
    assert all(np.array_equal(before[name], array) for name, array in whole.state().items())
    second.load_state(before)
    given_ = (8, picture(), picture(BOX), mask_of(BOX))
    for a, b in zip(watch(whole, *given_), watch(second, *given_), strict=True):
        np.testing.assert_array_equal(a, b)
    assert whole.kinds == second.kinds == ["ghost"]
    with pytest.raises(StateError, match="'still'"):
        second.load_state({**before, "still": before["still"][1:]})


def test_any_number_of_threads_finds_the_same():
    big = [cv2.resize(p, (640, 480)) for p in (picture(BOX), picture())]
    mask, states = cv2.resize(mask_of(BOX), (640, 480), interpolation=cv2.INTER_NEAREST), []
    for n in (1, 3):
        motionseg.set_num_threads(n)
        ghosts = Ghosts(big[0])
        for _ in range(16):
            pixels = ghosts.update(big[1], big[0], mask)
        states.append({**ghosts.state(), "pixels": pixels})
    assert states[0]["pixels"].any()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,)]))
def test_whatever_is_seen(data, height, width, channels):
    shape = (height, width, *channels)
    frame, background = (data.draw(arrays(np.uint8, shape)) for _ in range(2))
    mask = data.draw(arrays(np.uint8, shape[:2], elements=st.sampled_from([0, 127, 255])))
    ghosts = Ghosts(frame)
    for _ in range(17):
        pixels = ghosts.update(frame, background, mask)
    np.testing.assert_array_equal(ghosts.labels > 0, mask == 255)
    assert len(ghosts.kinds) == ghosts.labels.max()
    assert set(ghosts.kinds) <= set(KINDS)
    assert not pixels[cv2.dilate(mask, np.ones((5, 5))) != 255].any()
    assert not pixels.any() or {"ghost"} & set(ghosts.kinds)
