"""What the default linker makes of meetings, hiding, pieces and things that come to stand, in drawn scenes."""

import numpy as np
import pytest
from drawn_scenes import BLUE, FPS, GREEN, GREY, RED, Thing, followed, states_in_order, straight, through, wall

from motionseg.core.errors import ParameterError
from motionseg.core.types import TrackState
from motionseg.regions import find_regions
from motionseg.track import Linker

TENTATIVE, CONFIRMED, OCCLUDED = TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.OCCLUDED
MERGED, SPLIT, STOPPED = TrackState.MERGED, TrackState.SPLIT, TrackState.STOPPED
LEFT, REMOVED, GONE = TrackState.LEFT, TrackState.REMOVED, TrackState.GONE


def crossing(a=RED, b=BLUE, **more):
    """They meet at 1.5 s, are one blob for 0.33 s, and have crossed."""
    return [Thing(straight(30, 60, 60), a, **more), Thing(straight(230, 60, -60), b, **more)]


def meeting(a=RED, b=BLUE, stand=2.0):
    """They stand together and part the way they came."""
    out = 1.5 + stand
    return [
        Thing(through((0, 30, 60), (1.5, 121, 60), (out, 121, 60), (out + 1.5, 30, 60)), a),
        Thing(through((0, 220, 60), (1.5, 135, 60), (out, 135, 60), (out + 1.5, 220, 60)), b),
    ]


def kept(results, n):
    """Whether each of n things has one id of its own from its second frame on, wherever a third of it is seen."""
    ids = [set() for _ in range(n)]
    sizes = [max(np.count_nonzero(seen.truth == number) for seen in results) for number in range(1, n + 1)]
    for seen in results[2:]:
        for number in range(1, n + 1):
            if np.count_nonzero(seen.truth == number) > sizes[number - 1] / 3:
                ids[number - 1].add(seen.owner(number))
    return all(len(own) == 1 and own != {0} for own in ids) and len(set.union(*ids)) == n


# --- meeting and parting ---------------------------------------------------------------------------


def test_two_cross_as_one_blob_and_keep_their_ids():
    results = followed(Linker(), crossing(), 3.3)
    assert kept(results, 2)
    for identity in (1, 2):
        assert states_in_order(results, identity) == [TENTATIVE, CONFIRMED, MERGED, SPLIT, CONFIRMED]
        assert all(seen.tracks.parents.tolist() == [0, 0] for seen in results)
    together = [seen for seen in results if seen.labels.max() == 1]
    assert len(together) > 5
    for seen in together:
        assert seen.state(1) == seen.state(2) == MERGED
        assert seen.label(1) == seen.label(2) == 1
        np.testing.assert_array_equal(seen.identities > 0, seen.labels > 0)
        assert set(np.unique(seen.identities)) == {0, 1, 2}


def test_a_blob_is_shared_out_as_its_things_are():
    for things in (crossing(), crossing(RED, RED), crossing(size=(24, 24), round=True)):
        results = followed(Linker(), things, 3.3)
        right = total = 0
        for seen in results:
            if seen.labels.max() == 1:
                own = np.array([0, results[10].owner(1), results[10].owner(2)])[seen.truth]
                right += np.count_nonzero((own == seen.identities) & (seen.truth > 0))
                total += np.count_nonzero(seen.truth)
                for row in range(2):
                    assert seen.tracks.areas[row] == np.count_nonzero(seen.identities == seen.tracks.ids[row])
        assert right > 0.75 * total


@pytest.mark.parametrize("things", [crossing(RED, RED), crossing(GREEN, GREEN, round=True)])
def test_who_looks_the_same_is_told_by_motion(things):
    assert kept(followed(Linker(), things, 3.3), 2)


@pytest.mark.parametrize("how", [{"grey": True}, {"colors": False}])
def test_crossing_in_grey_and_without_a_picture(how):
    assert kept(followed(Linker(), crossing(), 3.3, **how), 2)


def test_who_turns_back_after_standing_together_is_told_by_colours():
    results = followed(Linker(), meeting(), 5.0)
    assert kept(results, 2)
    assert all(MERGED in states_in_order(results, identity) for identity in (1, 2))


def test_who_crosses_after_standing_together_is_told_by_colours():
    a = Thing(through((0, 30, 60), (1.5, 121, 60), (2.5, 121, 60), (2.7, 135, 60), (4, 220, 60)), RED)
    b = Thing(through((0, 220, 60), (1.5, 135, 60), (2.5, 135, 60), (2.7, 121, 60), (4, 30, 60)), BLUE)
    assert kept(followed(Linker(), [a, b], 4.0), 2)


def test_three_meet_and_part():
    things = [
        Thing(straight(30, 60, 60), RED),
        Thing(straight(230, 60, -60), BLUE),
        Thing(through((0, 129, 20), (1.4, 129, 50), (2, 129, 50), (3.3, 129, 20)), GREEN, (16, 30)),
    ]
    results = followed(Linker(), things, 3.3)
    assert len(set(results[-1].owners(3))) == 3
    assert results[-1].owners(3) == results[10].owners(3)


@pytest.mark.slow
def test_the_whole_picture_is_one_region_of_many():
    """A light goes on: what is too large to be looked at pixel by pixel is shared out in coarse steps."""
    linker, rng = Linker(), np.random.default_rng(0)
    places = [(20 + 60 * i, 15 + 50 * k) for i in range(20) for k in range(13)]
    for i in range(40):
        mask = np.full((680, 1240), 255 if 20 <= i < 24 else 0, np.uint8)
        for x, y in places:
            mask[y : y + 30, x + i : x + i + 22] = 255
        frame = rng.integers(0, 255, (*mask.shape, 3)).astype(np.uint8)
        labels, regions = find_regions(mask, frame=frame)
        tracks, identities = linker.update(regions, i / 25, labels=labels, frame=frame), linker.identities()
        if i == 19:
            before = identities[[y + 15 for _, y in places], [x + i + 11 for x, _ in places]]
        if i == 22:
            assert (tracks.states == MERGED).all()
            assert (identities[labels > 0] > 0).all()
    after = identities[[y + 15 for _, y in places], [x + i + 11 for x, _ in places]]
    assert len(set(before.tolist())) == len(places)
    assert (after == before).mean() > 0.9


def test_the_camera_pans_while_they_are_merged():
    for pan in (lambda t: (12 * t, 4 * t), lambda t: (20 * np.sin(4 * t), 6 * np.cos(5 * t) - 6)):
        results = followed(Linker(), crossing(), 3.2, pan=pan)
        assert kept(results, 2)
        assert MERGED in states_in_order(results, 1)
        velocities = {identity: results[-1].tracks.velocities[i, 0] for i, identity in enumerate((1, 2))}
        assert abs(velocities[results[-1].owner(1)] - 60) < 15
        assert abs(velocities[results[-1].owner(2)] + 60) < 15


def test_a_restart_in_the_middle_of_a_merge_changes_nothing(tmp_path):
    linker, things = Linker(), meeting()
    followed(linker, things, 2.5)
    assert set(linker.state()["tracks_states"]) == {MERGED}
    linker.save(tmp_path / "state.npz")
    heir = Linker.load(tmp_path / "state.npz")
    for one, other in zip(
        followed(linker, things, 2.5, start=2.5), followed(heir, things, 2.5, start=2.5), strict=True
    ):
        for name, column in vars(one.tracks).items():
            np.testing.assert_array_equal(column, getattr(other.tracks, name), err_msg=name)
        np.testing.assert_array_equal(one.identities, other.identities)
    assert one.owners(2) == [1, 2]


# --- hiding ------------------------------------------------------------------------------------------


def test_one_that_is_nearly_hidden_keeps_its_id():
    small = Thing(through((0, 30, 60), (1.2, 118, 60), (1.8, 130, 60), (3.2, 230, 60)), RED, (20, 44))
    assert kept(followed(Linker(), [small, Thing(straight(124, 60), BLUE, (30, 40))], 3.2), 2)


def hidden(wait):
    """The small one is behind the large one from about 0.9 s on, for `wait` seconds or so."""
    way = through((0, 40, 60), (1, 120, 60), (1 + wait, 120, 60), (2 + wait, 200, 60))
    return [Thing(way, RED, (14, 30)), Thing(straight(120, 60), BLUE, (40, 60))]


@pytest.mark.parametrize("wait", [0.0, 0.7])
def test_one_wholly_hidden_comes_out_with_its_id(wait):
    results = followed(Linker(), hidden(wait), 2 + wait)
    assert OCCLUDED in states_in_order(results, results[10].owner(1))
    assert results[-1].owners(2) == results[10].owners(2)


def test_one_hidden_by_what_passes_before_it_keeps_its_id():
    things = [
        Thing(straight(120, 60), RED, (14, 30)),
        Thing(through((0, 30, 60), (2.4, 230, 60)), BLUE, (40, 60)),
    ]
    results = followed(Linker(), things, 2.4)
    assert results[-1].owners(2) == results[10].owners(2)


def test_gone_is_told_once():
    results = followed(Linker(), [Thing(straight(30, 60, 60, end=1.0))], 4.0)
    assert states_in_order(results, 1) == [TENTATIVE, CONFIRMED, OCCLUDED, GONE]
    assert sum(seen.state(1) == GONE for seen in results) == 1
    assert len(results[-1].tracks) == 0


# --- pieces --------------------------------------------------------------------------------------------


def test_two_near_pieces_are_one_track():
    things = [
        Thing(straight(40, 60, 50, end=1.0), RED, (20, 60)),
        Thing(straight(40, 39, 50, begin=1.0), RED, (20, 18)),
        Thing(straight(40, 69, 50, begin=1.0), RED, (20, 34)),
    ]
    results = followed(Linker(), things, 2.5)
    assert {identity for seen in results for identity in seen.tracks.ids.tolist()} == {1}
    last = results[-1]
    assert (last.labels.max(), last.owners(3)[1:]) == (2, [1, 1])
    assert last.tracks.areas.tolist() == [20 * 18 + 20 * 34]
    x = 40 + 50 * last.time
    np.testing.assert_allclose(last.tracks.boxes[0], [x - 10, 30, x + 10, 86], atol=1)


def test_a_piece_that_goes_away_is_a_track_with_a_parent():
    things = [
        Thing(straight(60, 60), RED, (20, 50)),
        Thing(through((0, 80, 75), (1, 80, 75), (3, 200, 75)), GREEN, (20, 20)),
    ]
    results = followed(Linker(), things, 3.0)
    assert results[10].owners(2) == [1, 1]
    assert results[-1].owners(2) == [1, 2]
    assert states_in_order(results, 2) == [TENTATIVE, SPLIT, CONFIRMED]
    assert results[-1].tracks.parents.tolist() == [0, 1]


def test_a_piece_that_was_ahead_of_the_rest_is_absorbed():
    """The head is seen from 1 s on; the rest of the body joins it with the main part 0.3 s later."""
    things = [
        Thing(straight(60, 80, 20), RED, (20, 40)),
        Thing(straight(60, 26, 20, begin=1.0), RED, (16, 16)),
        Thing(straight(60, 50, 20, begin=1.3), RED, (14, 40)),
    ]
    results = followed(Linker(), things, 3.0)
    apart = results[round(1.2 * FPS)]
    assert sorted(apart.owners(2)) == [1, 2]
    assert results[-1].owners(3) == [1, 1, 1]
    assert results[-1].tracks.ids.tolist() == [1]
    assert results[-1].state(1) == CONFIRMED


def test_one_that_was_long_alone_is_not_absorbed():
    results = followed(Linker(), meeting(stand=10.0), 6.0)
    assert results[-1].tracks.ids.tolist() == [1, 2]


# --- what stands -----------------------------------------------------------------------------------------


def test_a_bag_put_down_is_left():
    walker = Thing(through((0, 30, 60), (3, 210, 60)), RED, (20, 50))
    bag = Thing(through((0, 40, 80), (1, 100, 80), (6, 100, 80)), GREEN, (14, 10))
    results = followed(Linker(), [walker, bag], 6.0, learned=wall())
    assert states_in_order(results, 2) == [TENTATIVE, SPLIT, CONFIRMED, LEFT]
    assert results[-1].owner(2) == 2
    assert results[-1].tracks.parents[results[-1].tracks.ids == 2].tolist() == [1]
    inside = results[-1].truth == 2
    np.testing.assert_array_equal(results[-1].known, inside)


def test_the_place_of_a_thing_taken_away_is_removed():
    place = Thing(straight(100, 60, begin=1.0), GREY, (20, 20), ghost=True)
    learned = wall()
    learned[place.pixels(2.0)] = place.color
    results = followed(Linker(), [place], 6.0, learned=learned)
    assert states_in_order(results, 1) == [TENTATIVE, CONFIRMED, REMOVED]
    assert all(seen.known is None for seen in results)  # that is to be learned


def test_without_a_background_nobody_knows_whether_it_is_there():
    results = followed(Linker(), [Thing(straight(100, 60, begin=1.0), GREY, (20, 20))], 5.0)
    assert states_in_order(results, 1) == [TENTATIVE, CONFIRMED]


def test_what_was_there_from_the_first_frame_is_not_left():
    results = followed(Linker(), [Thing(straight(100, 60), GREY, (20, 20))], 5.0, learned=wall())
    assert states_in_order(results, 1) == [TENTATIVE, CONFIRMED]


def test_a_car_that_stops_is_held_for_a_while():
    car = Thing(through((0, 30, 60), (1.5, 150, 60), (6, 150, 60), (7, 230, 60)), RED, (40, 20))
    linker = Linker(stop_time=1.0, hold=2.0)
    results = followed(linker, [car], 7.0)
    assert states_in_order(results, 1) == [TENTATIVE, CONFIRMED, STOPPED, CONFIRMED]
    stopped = [seen for seen in results if seen.state(1) == STOPPED]
    assert 2.3 < stopped[0].time < 2.8
    assert 6.0 < stopped[-1].time < 6.4
    held = [seen for seen in results if seen.known is not None]
    assert held[0].time == stopped[0].time
    assert held[-1].time - held[0].time == pytest.approx(2.0, abs=1.5 / FPS)
    for seen in held:
        np.testing.assert_array_equal(seen.known, seen.truth == 1)


def test_the_background_is_asked_for_only_while_it_decides():
    linker = Linker(stop_time=2.0)
    for seen in followed(linker, [Thing(straight(100, 60), GREY, (20, 20))], 0.9):
        assert seen.state(1) in (TENTATIVE, CONFIRMED)
    assert not linker.needs_background
    followed(linker, [Thing(straight(100, 60), GREY, (20, 20))], 0.2, start=0.9)
    assert linker.needs_background
    mover = Linker(stop_time=2.0)
    followed(mover, [Thing(straight(30, 60, 60))], 3.0)
    assert not mover.needs_background


# --- what it is given ------------------------------------------------------------------------------------


def test_features_of_another_length_are_refused_and_change_nothing():
    linker = Linker()
    followed(linker, crossing(), 1.0)
    before = linker.state()
    mask = np.zeros((120, 260), np.uint8)
    mask[40:80, 80:100] = 255
    labels, regions = find_regions(mask)
    object.__setattr__(regions, "features", np.ones((1, 7), np.float32) / np.sqrt(7).astype(np.float32))
    with pytest.raises(ParameterError, match="features are of 7 numbers, and were of 128"):
        linker.update(regions, 1.0, labels=labels)
    after = linker.state()
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name], err_msg=name)
    linker.update(find_regions(mask)[1], 1.0, labels=labels)  # none at all is no other length


def test_weak_regions_begin_no_track_and_continue_one():
    thing = straight(100, 60, 10)
    linker = Linker(min_score=0.5)
    for i in range(40):
        mask = Thing(thing).pixels(i / FPS).astype(np.uint8) * 255
        faint = np.full(mask.shape, 0.3 if i > 10 else 0.9, np.float32)
        if i > 10:
            mask[5:15, 200:210] = 255
        labels, regions = find_regions(mask, score=faint)
        tracks = linker.update(regions, i / FPS, labels=labels)
    assert tracks.ids.tolist() == [1]
    assert tracks.states.tolist() == [CONFIRMED]


@pytest.mark.parametrize(
    "bad",
    [
        {"min_score": 2},
        {"reach": -1},
        {"stop_time": 0},
        {"hold": -1},
        {"min_hits": 0},
        {"max_gap": 0},
        {"acceleration": 0},
        {"localization": 0},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_bad_parameters_of_the_linker(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Linker(**bad)
