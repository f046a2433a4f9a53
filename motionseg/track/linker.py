"""The default linker: several cues as odds; regions that tracks share; and what stands, is left or is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.colors import COLOR_FEATURES, color_numbers
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.geometry import box_areas, box_intersections
from motionseg.core.types import Boxes, Frame, Labels, Regions, TrackState
from motionseg.track._assignment import Pairs, assigned
from motionseg.track._box_linker import _TENTATIVE, Rows
from motionseg.track._groups import Share, color_odds, led, located, shared_out
from motionseg.track._kalman import centres_of, corrected, moved_boxes
from motionseg.track._likeness import Looks, of_area, of_motion, of_overlap, of_score
from motionseg.track._pixel_linker import PixelLinker
from motionseg.track._pixels import Shape, shape_of

__all__ = ["Linker"]

_BELIEF = 2.0  # log-odds from which a track is believed
_PER_SIGHT, _SURE = 0.4, 1.5  # log-odds that each sight adds beside the region's own, and the most of these
_INSIDE = 0.5  # of a track's pixels that fall into a region: it may be merged there
_OWN, _NEEDED = 0.08, 0.25  # of a track's shape: seen of it alone, or left over by the others; less, and it is hidden
_STEADY, _AWAY = 0.3, 0.7  # sizes: it stands within the one, and has moved when it has gone the other
_THERE = 0.05  # presence beyond which a thing is there, or gone
_YOUNG = 0.5  # seconds: who was alone for less is no member of a company
_PARTING = 1.0  # seconds that a track counts as split off
_HIDDEN = 3.0  # times as long is waited for what is hidden in company
_USUAL = 0.1  # gain of what is usual of a track: looks, area
_TURNS = 1.5  # sizes a second, in a second: so much more than others those that meet change their speed
_MERGED_NOISE, _NO_SIDE = 1.0, 20.0  # times as unsure is a side of a merged track; where it has none to be seen
_COMPARED = 64  # regions whose looks are compared with one another, at most


class _Sight:
    """What tracks, moved on, and the regions of one frame have in common."""

    def __init__(
        self, ids: npt.NDArray[np.int64], common: npt.NDArray[Any], own: npt.NDArray[Any], areas: npt.NDArray[Any]
    ) -> None:
        self.ids, self.common, self.own = ids, common, own[:, None]
        self.iou = common / np.maximum(self.own + areas[None] - common, 1)
        self.inside = common / np.maximum(self.own, 1)
        self.origins = np.full(common.shape[1], -1)  # of each region: the track that it comes out of
        self.pieces: dict[int, int] = {}  # regions that are pieces of a track
        self.shares: dict[int, Share] = {}  # regions that several tracks share


class Linker(PixelLinker):
    """Follows regions through meetings, partings, hiding and standing; what belongs together is weighed by odds.

    Each track and region are compared by several cues (where the region is, how large, how much of the moved mask it
    covers, how it looks, how surely it is a thing at all), each as the logarithm of how much likelier it is of the same
    thing than of another; they add up, and the assignment with the highest sum is taken. What looks say is calibrated
    on the stream: by tracks that nobody contests, and by regions of one frame, which are certainly different.

    A track whose pixels fall into another's region is *merged* there: both go on, led by the sides of the region that
    they touch, and the region is shared out by a watershed from their shapes. Of what is hidden altogether the company
    is remembered. When the region comes apart, its members are told by motion and by looks from before. A piece that
    stays near is part of its track; one that goes away becomes a track of its own, whose ``parents`` names the old one.

    Parameters
    ----------
    min_hits : int, at least 1
        A track is tentative until it has been seen in this many frames, more if their scores are low.
    min_score : float in [0, 1]
        Weaker regions begin no track.
    max_gap : float, above 0
        Seconds that a confirmed track lives unseen, three times as many in company; a tentative one a quarter of that.
    reach : float, at least 0
        Gap between a track and a piece of it, in square roots of its area, beyond which they are two.
    stop_time : float, above 0
        Seconds in one place after which a track stands.
    hold : float, at least 0
        Seconds that what has stopped or been left is kept from being learned as background, after `stop_time`.
    acceleration : float, above 0
        Standard deviation of an object's acceleration, in box sizes per s2.
    localization : float, above 0
        Standard deviation of a region's centre about the object's, in box sizes.

    Raises
    ------
    ParameterError
        A parameter is out of range. ``update``: also where `labels`, or the regions' features, have another size than
        before.

    Notes
    -----
    Without `labels` boxes are compared, and nothing merges or splits. Whether what stands since it appeared is a thing
    left or the place of one removed is told by ``presence`` (`find_regions` with a background); where that is not
    known it stays CONFIRMED. Memory: a picture of int32, the shapes of merged tracks, 128 features a track.

    References
    ----------
    The cues are the classical ones of multi-hypothesis tracking: S. Blackman, Multiple hypothesis tracking for multiple
    target tracking, 2004, doi:10.1109/MAES.2004.1263228 (log-likelihood ratios). Merging and splitting: A. Senior et
    al., Appearance models for occlusion handling, 2006, doi:10.1016/j.imavis.2005.06.007.

    Examples
    --------
    >>> linker = Linker()
    >>> for step in range(5):
    ...     labels = np.zeros((40, 60), np.int32)
    ...     labels[5:25, 10 + 2 * step : 20 + 2 * step] = 1
    ...     boxes = np.array([[10 + 2 * step, 5, 20 + 2 * step, 25]], np.float32)
    ...     columns = np.full(1, 200), boxes[:, :2] + (5, 10), np.ones(1, np.float32), np.zeros((1, 3), np.float32)
    ...     tracks = linker.update(Regions(boxes, *columns), step / 25, labels=labels)
    >>> tracks.visible.ids.tolist(), np.unique(linker.identities()).tolist()
    ([1], [0, 1])
    """

    info = ModelInfo(
        paper="ours, of log-likelihood ratios (Blackman 2004) and merging (Senior 2006)",
        speed="very fast",
        good_at="whatever moves: crowds, groups that meet and part, things put down",
    )

    def __init__(
        self,
        *,
        min_hits: int = 2,
        min_score: float = 0.5,
        max_gap: float = 1.0,
        reach: float = 0.3,
        stop_time: float = 2.0,
        hold: float = 30.0,
        acceleration: float = 3.0,
        localization: float = 0.15,
    ) -> None:
        self.min_score = check_number("min_score", min_score, 0, 1)
        self.reach = check_number("reach", reach, 0)
        self.stop_time = check_number("stop_time", stop_time, 0, above=True)
        self.hold = check_number("hold", hold, 0)
        self._set_life(min_hits, max_gap, acceleration, localization)
        self.reset()

    def reset(self) -> None:
        self._depth = 0  # of features
        super().reset()
        self._shapes: dict[int, Shape] = {}
        self._looks = Looks()
        self._view = np.zeros(4)  # in which regions were ever seen, a box, pixels
        self._start = np.inf
        self._frame: Frame | None = None

    # --- what is remembered of tracks ------------------------------------------------------------

    def _born(self, boxes: Boxes, time: float) -> Rows:
        n, (centres, _) = len(boxes), centres_of(boxes)
        return {
            **super()._born(boxes, time),
            "features": np.zeros((n, self._depth), np.float32),
            "usual_areas": np.zeros(n),
            "beliefs": np.zeros(n),
            "confirmed": np.zeros(n, bool),
            "company": np.zeros(n, np.int64),  # id of a track in whose region it was last, 0 for none
            "homes": centres.copy(),
            "anchors": centres.copy(),
            "born": np.full(n, time),
            "still_since": np.full(n, time),
            "moved": np.zeros(n, bool),
            "alone": np.zeros(n),  # seconds in a region of its own
            "parted": np.full(n, -np.inf),
            "presence": np.zeros(n),
        }

    def _believed(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self._rows["confirmed"])

    def _check(self, regions: Regions, labels: Labels | None) -> None:
        super()._check(regions, labels)
        depth = regions.features.shape[1]
        if self._depth and depth not in (0, self._depth):
            raise ParameterError(f"features are of {depth} numbers, and were of {self._depth} before")

    def _move(self, camera: npt.NDArray[np.float64]) -> None:
        super()._move(camera)
        for name in ("homes", "anchors"):
            points = self._rows[name]
            self._rows[name] = moved_boxes(np.concatenate([points, points], axis=1), camera)[:, :2]

    # --- who is whom -------------------------------------------------------------------------------

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        self._prepare(regions, labels)
        sight = self._sight = self._look(regions, labels)
        odds, believed = self._odds(regions, sight), self._believed()
        rows, columns = assigned(np.where(believed[:, None], odds, 0), 0)
        rest = np.where(believed[:, None], 0, odds)
        rest[:, columns] = 0
        others, left = assigned(rest, 0)
        pairs = np.concatenate([rows, others]), np.concatenate([columns, left])
        if labels is not None:
            pairs = self._joined(pairs, regions, labels, sight)
            self._find_pieces(pairs, regions, sight)
        self._learn(pairs, regions, sight)
        return pairs

    def _prepare(self, regions: Regions, labels: Labels | None) -> None:
        """Learn how long features are, and how far one sees."""
        if not self._depth and regions.features.shape[1]:
            self._depth = regions.features.shape[1]
            self._rows["features"] = np.zeros((len(self._tracks), self._depth), np.float32)
        if labels is not None:
            self._view[2:] = labels.shape[1], labels.shape[0]
        elif len(regions):
            low, high = regions.boxes[:, :2].min(axis=0), regions.boxes[:, 2:].max(axis=0)
            self._view[:2], self._view[2:] = np.minimum(self._view[:2], low), np.maximum(self._view[2:], high)
        self._start = min(self._start, self._time)

    def _look(self, regions: Regions, labels: Labels | None) -> _Sight:
        """How tracks, moved on, and regions overlap."""
        if labels is None:
            boxes = self._boxes()
            common: npt.NDArray[Any]
            own: npt.NDArray[Any]
            common, own = box_intersections(boxes, regions.boxes).astype(np.float64), box_areas(boxes)
            areas: npt.NDArray[Any] = box_areas(regions.boxes)
        else:
            steps = self._filters().velocities * (self._time - self._last_time)
            common, own = self._common(regions, labels, steps)
            areas = regions.areas
        return _Sight(self._tracks.ids, common, own, areas)

    def _odds(self, regions: Regions, sight: _Sight) -> npt.NDArray[np.float64]:
        """Log-odds (N, M) that they are the same."""
        filters, rows = self._filters(), self._rows
        centres, sizes = filters.means[:, :2], filters.means[:, 4:]
        to, _ = centres_of(regions.boxes)
        variance = filters.covariances[:, :2] + (self.localization * sizes) ** 2
        view = max(float(np.prod(self._view[2:] - self._view[:2])), 1.0)
        odds = of_motion(to[None] - centres[:, None], np.maximum(variance, 0.25), view)
        alone = ~self._was_merged()
        odds += np.where(alone[:, None], of_area(rows["usual_areas"], regions.areas), 0)
        odds += np.where(alone[:, None] & (sight.own > 0), of_overlap(sight.iou), 0)
        odds += of_score(regions.scores) / 2
        if self._depth and regions.features.shape[1]:
            known = rows["features"].any(axis=1)[:, None] & regions.features.any(axis=1)[None]
            odds += np.where(known, self._looks.likeness(1 - rows["features"] @ regions.features.T), 0)
        return odds

    def _was_merged(self) -> npt.NDArray[np.bool_]:
        """Which tracks shared their region with others in the last frame."""
        labels = self._tracks.labels
        counts = np.bincount(labels, minlength=1)
        return np.asarray((labels > 0) & (counts[labels] > 1))

    def _joined(self, pairs: Pairs, regions: Regions, labels: Labels, sight: _Sight) -> Pairs:
        """The pairs, and those tracks that have come into the region of others."""
        rows, columns = pairs
        waiting = self._believed().copy()
        waiting[rows] = False
        waiting &= (self._tracks.labels > 0) | (self._rows["company"] > 0)
        if not waiting.any() or not len(regions):
            return pairs
        members = {int(column): [int(row)] for row, column in zip(rows, columns, strict=True)}
        outside = []
        for row in np.flatnonzero(waiting).tolist():
            if self._tracks.labels[row] > 0 and sight.inside[row].max() >= _INSIDE:
                members.setdefault(int(sight.inside[row].argmax()), []).append(row)
            else:
                outside.append(row)
        for row in outside:
            column = self._region_of_company(row, members)
            if column is not None:
                members[column].append(row)
        for column, own in members.items():
            if len(own) > 1:
                members[column] = self._share(column, own, regions, labels, sight)
        rows = np.array([row for own in members.values() for row in own], np.intp)
        columns = np.repeat(np.array(list(members), np.intp), [len(own) for own in members.values()])
        return rows, columns

    def _region_of_company(self, row: int, members: dict[int, list[int]]) -> int | None:
        company = self._rows["company"][row]
        for column, own in members.items():
            if company and company in (*self._tracks.ids[own], *self._rows["company"][own]):
                return column
        return None

    def _share(self, column: int, own: list[int], regions: Regions, labels: Labels, sight: _Sight) -> list[int]:
        """Share a region out among tracks; those of which nothing is seen are left out, but their company is noted."""
        centres = self._filters().means[:, :2]
        steps = self._filters().velocities * (self._time - self._last_time)
        ids = self._tracks.ids
        for row in own:
            if ids[row] not in self._shapes:
                shape = shape_of(self._identities, int(ids[row]), centres[row] - steps[row])
                if shape is not None:
                    self._shapes[int(ids[row])] = shape
        own = [row for row in own if ids[row] in self._shapes]
        x0, y0, x1, y1 = regions.boxes[column].astype(int).tolist()
        region = labels[y0:y1, x0:x1] == column + 1
        sizes = self._rows["means"][own, 4:]
        self._rows["covariances"][own, 4:] += (_TURNS * sizes) ** 2 * (self._time - self._last_time)
        numbers = None
        if self._frame is not None and self._depth == COLOR_FEATURES:
            numbers = color_numbers(self._frame[y0:y1, x0:x1])
        share, alone, needed = self._placed(own, (x0, y0), region, regions.boxes[column], numbers)
        seen = (alone >= _OWN) | (needed >= _NEEDED)
        seen[needed.argmax()] = True
        known_for = self._rows["alone"][own]
        young = seen & (known_for < _YOUNG)
        young[known_for.argmax()] = False
        self._rows["last_seen"][np.array(own)[young]] = -np.inf  # a piece that had come ahead of the rest: it ends
        seen &= ~young
        seen[known_for.argmax()] |= not seen.any()
        self._rows["company"][own] = ids[own[int(seen.argmax())]]
        if not seen.all():
            hidden = np.array(own)[~seen]
            unsure = np.full((len(hidden), 2), self.localization * _MERGED_NOISE)
            self._set_filters(hidden, corrected(self._filters(hidden), share.boxes[~seen].astype(np.float32), unsure))
            own = [row for row, is_seen in zip(own, seen.tolist(), strict=True) if is_seen]
            share, _, _ = self._placed(own, (x0, y0), region, regions.boxes[column], numbers)
        if len(own) > 1:
            sight.shares[column] = share
        return own

    def _placed(
        self,
        own: list[int],
        corner: tuple[int, int],
        region: npt.NDArray[np.bool_],
        blob: Boxes,
        numbers: npt.NDArray[np.intp] | None,
    ) -> tuple[Share, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Where tracks are in a region, which pixels are whose, and what :func:`shared_out` says of their shapes."""
        shapes = [self._shapes[int(id)] for id in self._tracks.ids[own]]
        boxes, known = led(self._boxes()[own].astype(np.float64), blob)
        middles, odds = (boxes[:, :2] + boxes[:, 2:]) / 2, None
        if numbers is not None and len(own) > 1:
            filters = self._filters(np.array(own))
            histograms = self._rows["features"][own].astype(np.float64) ** 2
            odds = color_odds(numbers, corner[1], histograms, boxes, region) * self._distinct(own)[:, None, None]
            variances = filters.covariances[:, :2] + (self.localization * filters.means[:, 4:]) ** 2
            found = located(odds, corner, region, shapes, middles, variances)
            boxes += np.tile(found - middles, 2)
            middles, known[:] = found, True
        owners, alone, needed = shared_out(region, corner, shapes, middles, odds)
        return Share(own, corner, owners, boxes, known), alone, needed

    def _distinct(self, own: list[int]) -> npt.NDArray[np.float32]:
        """How surely each of these tracks can be told from the others by looks, in [0, 1]."""
        features = self._rows["features"][own]
        likeness = self._looks.likeness(1 - features @ features.T)
        np.fill_diagonal(likeness, -np.inf)
        return np.clip(-likeness.max(axis=1) / 4, 0, 1).astype(np.float32)

    def _find_pieces(self, pairs: Pairs, regions: Regions, sight: _Sight) -> None:
        """Of regions that are nobody's: whose piece they are."""
        rows, columns = pairs
        free = np.ones(len(regions), bool)
        free[columns] = False
        believed = self._believed()[rows]
        rows, columns = rows[believed], columns[believed]
        if not len(rows):
            return
        for column in np.flatnonzero(free).tolist():
            best = int(sight.common[rows, column].argmax())
            row = int(rows[best])
            if sight.common[row, column] < _INSIDE * regions.areas[column]:
                continue
            sight.origins[column] = row
            a, b = regions.boxes[columns[best]], regions.boxes[column]
            gap = np.maximum(np.maximum(a[:2] - b[2:], b[:2] - a[2:]), 0)
            if np.hypot(*gap) <= self.reach * np.sqrt(self._rows["usual_areas"][row]):
                sight.pieces[column] = row

    def _measured(self, pairs: Pairs, regions: Regions) -> tuple[Boxes, npt.NDArray[np.int64]]:
        boxes, areas = super()._measured(pairs, regions)
        place = {int(row): k for k, row in enumerate(pairs[0])}
        for column, row in self._sight.pieces.items():
            k = place[row]
            boxes[k, :2] = np.minimum(boxes[k, :2], regions.boxes[column, :2])
            boxes[k, 2:] = np.maximum(boxes[k, 2:], regions.boxes[column, 2:])
            areas[k] += regions.areas[column]
        for share in self._sight.shares.values():
            counts = np.bincount(share.owners.ravel(), minlength=len(share.rows) + 1)
            for number, row in enumerate(share.rows, 1):
                boxes[place[row]], areas[place[row]] = share.boxes[number - 1], counts[number]
        return boxes, areas

    def _learn(self, pairs: Pairs, regions: Regions, sight: _Sight) -> None:
        """Note what a frame says of tracks, but where they are."""
        rows, columns = pairs
        own, merged = self._rows, np.zeros(len(self._tracks), bool)
        for share in sight.shares.values():
            merged[share.rows] = True
        own["beliefs"][rows] += _PER_SIGHT + np.clip(of_score(regions.scores[columns]), -_SURE, _SURE)
        hides = np.ones(len(self._tracks), bool)
        hides[rows] = False
        hides &= (own["company"] > 0) & (self._time - own["last_seen"] <= self.max_gap)
        alone = ~merged[rows] & ~np.isin(own["company"][rows], own["company"][hides])
        rows, columns = rows[alone], columns[alone]
        own["parted"][rows[self._was_merged()[rows]]] = self._time
        own["company"][rows] = 0
        own["alone"][rows] += self._time - self._last_time
        for row in rows.tolist():
            self._shapes.pop(int(self._tracks.ids[row]), None)
        measured = regions.presence[columns]
        own["presence"][rows] += np.where(measured != 0, 0.2 * (measured - own["presence"][rows]), 0)
        own["usual_areas"][rows] += _USUAL * (regions.areas[columns] - own["usual_areas"][rows])
        if self._depth and regions.features.shape[1]:
            self._learn_looks(rows, columns, regions, sight)

    def _learn_looks(
        self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], regions: Regions, sight: _Sight
    ) -> None:
        old, new = self._rows["features"][rows], regions.features[columns]
        known = old.any(axis=1)
        # Sure is what nobody else has touched.
        touched = sight.common > 0
        sure = known & (touched[:, columns].sum(axis=0) == 1) & (sight.iou[rows, columns] > _INSIDE)
        some = regions.features[np.linspace(0, len(regions) - 1, min(len(regions), _COMPARED)).astype(int)]
        upper = np.triu_indices(len(some), 1)
        self._looks.learn(1 - (old * new).sum(axis=1)[sure], 1 - (some @ some.T)[upper])
        mixed = np.where(known[:, None], (1 - _USUAL) * old + _USUAL * new, new)
        length = np.linalg.norm(mixed, axis=1, keepdims=True)
        self._rows["features"][rows] = mixed / np.maximum(length, 1e-6)

    def _seen(self, rows: npt.NDArray[np.intp], boxes: Boxes, time: float) -> None:
        unsure = np.full((len(rows), 2), self.localization)
        place = {int(row): k for k, row in enumerate(rows)}
        for share in self._sight.shares.values():
            for row, known in zip(share.rows, share.known, strict=True):
                unsure[place[row]] *= np.where(known, _MERGED_NOISE, _NO_SIDE)
        self._set_filters(rows, corrected(self._filters(rows), boxes, unsure))
        own = self._rows
        own["last_seen"][rows] = time
        own["hits"][rows] += 1
        own["confirmed"] |= (own["hits"] >= self.min_hits) & (own["beliefs"] >= _BELIEF)
        filters = self._filters(rows)
        centres, sizes = filters.means[:, :2], np.maximum(filters.means[:, 4:], 1)
        away = np.hypot(*((centres - own["anchors"][rows]) / sizes).T) > _STEADY
        own["anchors"][rows[away]], own["still_since"][rows[away]] = centres[away], time
        own["moved"][rows] |= np.hypot(*((centres - own["homes"][rows]) / sizes).T) > _AWAY

    # --- beginnings, ends, states --------------------------------------------------------------------

    def _worth_a_track(self, regions: Regions) -> npt.NDArray[np.bool_]:
        worth = regions.scores >= self.min_score
        worth[list(self._sight.pieces)] = False
        return np.asarray(worth)

    def _parents(self, new: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
        origins = self._sight.origins[new]
        ids = np.append(self._tracks.ids, 0)
        return np.asarray(ids[origins])

    def _patience(self) -> npt.NDArray[np.float64]:
        centres = self._filters().means[:, :2]
        outside = ((centres < self._view[:2]) | (centres > self._view[2:])).any(axis=1)
        return super()._patience() * np.where(outside, _TENTATIVE, np.where(self._rows["company"] > 0, _HIDDEN, 1))

    def _begin(self, new: npt.NDArray[np.intp], regions: Regions, parents: npt.NDArray[np.int64]) -> None:
        super()._begin(new, regions, parents)
        rows = slice(len(self._tracks) - len(new), None)
        own, scores = self._rows, of_score(regions.scores[new])
        own["usual_areas"][rows] = regions.areas[new]
        own["beliefs"][rows] = _PER_SIGHT + np.clip(scores, -_SURE, _SURE)
        own["confirmed"][rows] = (self.min_hits <= 1) & (own["beliefs"][rows] >= _BELIEF)
        own["parted"][rows] = np.where(parents > 0, self._time, -np.inf)
        own["presence"][rows] = regions.presence[new]
        if self._depth and regions.features.shape[1]:
            own["features"][rows] = regions.features[new]

    def _states(self) -> npt.NDArray[np.uint8]:
        states, rows = super()._states(), self._rows
        seen = states == TrackState.CONFIRMED
        stands = self._time - rows["still_since"] >= self.stop_time
        since_birth = stands & ~rows["moved"] & (rows["born"] > self._start)
        for state, holds in (
            (TrackState.SPLIT, self._time - rows["parted"] < _PARTING),
            (TrackState.LEFT, since_birth & (rows["presence"] > _THERE)),
            (TrackState.REMOVED, since_birth & (rows["presence"] < -_THERE)),
            (TrackState.STOPPED, stands & rows["moved"]),
            (TrackState.MERGED, self._was_merged()),
        ):
            states[seen & holds] = state
        return states

    # --- pixels --------------------------------------------------------------------------------------

    def _pieces(self) -> dict[int, int]:
        return {column: int(self._sight.ids[row]) for column, row in self._sight.pieces.items()}

    def _note(self, regions: Regions, labels: Labels | None) -> None:
        super()._note(regions, labels)
        sight = self._sight
        for share in sight.shares.values():
            (x, y), (height, width) = share.corner, share.owners.shape
            ids = np.array([0, *(sight.ids[row] for row in share.rows)], np.int32)
            into = self._identities[y : y + height, x : x + width]
            np.copyto(into, ids[share.owners], where=share.owners > 0)
        for identity in self._shapes.keys() - set(self._tracks.ids.tolist()):
            del self._shapes[identity]

    def identities(self) -> Labels | None:
        if not self._identities.size:
            return None
        unbelieved = self._tracks.ids[~self._believed()]
        found = self._identities.copy()
        if len(unbelieved):
            found[np.isin(found, unbelieved)] = 0
        return found

    def known_foreground(self) -> npt.NDArray[np.bool_] | None:
        tracks = self._tracks
        stands = np.isin(tracks.states, (TrackState.STOPPED, TrackState.LEFT))
        ids = tracks.ids[stands & (self._time - self._rows["still_since"] <= self.stop_time + self.hold)]
        return np.isin(self._identities, ids) if len(ids) and self._identities.size else None

    @property
    def needs_background(self) -> bool:
        rows = self._rows
        stands = self._time - rows["still_since"] >= self.stop_time / 2
        return bool((rows["confirmed"] & ~rows["moved"] & stands).any())

    # --- state -----------------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        ids, shapes = list(self._shapes), list(self._shapes.values())
        return {
            **super().state(),
            "looks": self._looks.seen.copy(),
            "view": np.append(self._view, self._start),
            "shape_ids": np.array(ids, np.int64),
            "shape_sizes": np.array([shape.pixels.shape for shape in shapes], np.int64).reshape(-1, 2),
            "shape_offsets": np.array([shape.offset for shape in shapes], np.float64).reshape(-1, 2),
            "shape_pixels": np.concatenate([np.zeros(0, bool), *(shape.pixels.ravel() for shape in shapes)]),
        }

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        for name, born in self.clone().state().items():
            array = state.get(name)
            if array is None or array.dtype != born.dtype or array.ndim != born.ndim:
                raise StateError(f"the state of a Linker lacks the array {name!r}, {born.dtype}, of {born.ndim} axes")
        sizes, pixels = state["shape_sizes"], state["shape_pixels"]
        ends = np.cumsum(sizes.prod(axis=1))
        if len(pixels) != (ends[-1] if len(ends) else 0) or not len(state["shape_ids"]) == len(sizes):
            raise StateError("the shapes in the state of a Linker do not fit their sizes")
        super().load_state(state)
        self._depth = state["features"].shape[1]
        self._looks.seen = state["looks"].copy()
        self._view, self._start = state["view"][:4].copy(), float(state["view"][4])
        parts = np.split(pixels, ends[:-1]) if len(sizes) else []
        shapes = [
            Shape(part.reshape(size).copy(), (float(x), float(y)))
            for part, size, (x, y) in zip(parts, sizes.tolist(), state["shape_offsets"], strict=True)
        ]
        self._shapes = dict(zip(state["shape_ids"].tolist(), shapes, strict=True))
