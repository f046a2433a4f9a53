"""The default linker: several cues as odds; regions that tracks share; and what stands, is left or is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.errors import ParameterError, StateError
from motionseg.core.geometry import box_areas, box_intersections
from motionseg.core.types import Boxes, Frame, Labels, Regions, TrackState
from motionseg.track._assignment import Pairs
from motionseg.track._box_linker import _TENTATIVE, Rows
from motionseg.track._company_linker import INSIDE, CompanyLinker, Sight
from motionseg.track._kalman import Filters, centres_of, corrected, moved_boxes
from motionseg.track._likeness import TrackCues, logit, odds_of

__all__ = ["Linker"]

# Log-odds, summed over what was seen, from which a track is believed. Detectors err anew in each frame; what flickers
# in a mask does so for a while.
_BELIEF, _BELIEF_OF_PIXELS = 2.0, 5.0
_USUAL_SQUARES, _MOST_SURPRISE = 6.0, 25.0  # squared deviations, x and y together, that are no surprise
_STEADY, _AWAY = 0.3, 0.7  # sizes: it stands within the one, and has moved when it has gone the other
_THERE = 0.05  # presence beyond which a thing is there, or gone
_PARTING = 1.0  # seconds that a track counts as split off
_HIDDEN = 3.0  # times as long is waited for what is hidden in company
_USUAL = 0.1  # gain of what is usual of a track: looks, area


class Linker(CompanyLinker):
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
        Gap between a track and a piece, in square roots of the smaller one's area, beyond which they are two.
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
        super().reset()
        self._view = np.zeros(4)  # in which regions were ever seen, a box, pixels
        self._start = np.inf
        self._frame: Frame | None = None

    # --- what is remembered of tracks ------------------------------------------------------------

    def _born(self, boxes: Boxes, time: float) -> Rows:
        n, (centres, _) = len(boxes), centres_of(boxes)
        return {
            **super()._born(boxes, time),
            "beliefs": np.zeros(n),
            "confirmed": np.zeros(n, bool),
            "homes": centres.copy(),
            "anchors": centres.copy(),
            "born": np.full(n, time),
            "still_since": np.full(n, time),
            "moved": np.zeros(n, bool),
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
        odds = self._odds(regions, sight)
        pairs = self._believed_first(odds, 0)
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
        self._needed = _BELIEF if labels is None else _BELIEF_OF_PIXELS

    def _look(self, regions: Regions, labels: Labels | None) -> Sight:
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
        return Sight(self._tracks.ids, common, own, areas)

    def _odds(self, regions: Regions, sight: Sight) -> npt.NDArray[np.float64]:
        """Log-odds (N, M) that they are the same."""
        filters, rows = self._filters(), self._rows
        alone = ~self._was_merged()
        tracks = TrackCues(
            filters.means[:, :2],
            self._variances(filters),
            rows["usual_areas"],
            sight.own[:, 0],
            alone,
            rows["features"],
        )
        view = max(float(np.prod(self._view[2:] - self._view[:2])), 1.0)
        to, _ = centres_of(regions.boxes)
        areas = sight.areas[0]
        return odds_of(tracks, to, areas, regions.scores, regions.features, sight.common, view=view, looks=self._looks)

    def _learn(self, pairs: Pairs, regions: Regions, sight: Sight) -> None:
        """Note what a frame says of tracks, but where they are."""
        rows, columns = pairs
        own = self._rows
        own["beliefs"][rows] += logit(regions.scores[columns])
        if own["company"].any():
            alone = self._certainly_alone(pairs)
            rows, columns = rows[alone], columns[alone]
            own["parted"][rows[self._was_merged()[rows]]] = self._time
            own["company"][rows] = 0
        own["alone"][rows] += self._time - self._last_time
        self._forget_shapes(rows)
        if regions.presence.any():
            measured = regions.presence[columns]
            own["presence"][rows] += np.where(measured != 0, 0.2 * (measured - own["presence"][rows]), 0)
        own["usual_areas"][rows] += _USUAL * (regions.areas[columns] - own["usual_areas"][rows])
        if self._depth and regions.features.shape[1]:
            self._learn_looks(rows, columns, regions, sight)

    def _learn_looks(
        self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], regions: Regions, sight: Sight
    ) -> None:
        old, new = self._rows["features"][rows], regions.features[columns]
        known = old.any(axis=1)
        # Sure is what nobody else has touched.
        touched = np.count_nonzero(sight.common, axis=0)
        sure = known & (touched[columns] == 1) & (sight.iou(rows, columns) > INSIDE)
        by_place = regions.features[np.lexsort(regions.boxes.T)]  # whatever the order of rows
        others = (by_place[1:] * by_place[:-1]).sum(axis=1)
        self._looks.learn(1 - (old * new).sum(axis=1)[sure], 1 - others)
        mixed = np.where(known[:, None], (1 - _USUAL) * old + _USUAL * new, new)
        length = np.linalg.norm(mixed, axis=1, keepdims=True)
        self._rows["features"][rows] = mixed / np.maximum(length, 1e-6)

    def _seen(self, rows: npt.NDArray[np.intp], boxes: Boxes, time: float) -> None:
        own, filters = self._rows, self._filters(rows)
        alone = own["company"][rows] == 0
        surprise = np.where(alone, self._surprise(filters, boxes), 1)
        filters = Filters(filters.means, filters.covariances * surprise[:, None])
        filters = corrected(filters, boxes, self.localization * self._uncertainty(rows))
        self._set_filters(rows, filters)
        own["last_seen"][rows] = time
        own["hits"][rows] += 1
        own["confirmed"] |= (own["hits"] >= self.min_hits) & (own["beliefs"] >= self._needed)
        centres, sizes = filters.means[:, :2], np.maximum(filters.means[:, 4:], 1)
        away = np.hypot(*((centres - own["anchors"][rows]) / sizes).T) > _STEADY
        own["anchors"][rows[away]], own["still_since"][rows[away]] = centres[away], time
        own["moved"][rows] |= np.hypot(*((centres - own["homes"][rows]) / sizes).T) > _AWAY

    def _surprise(self, filters: Filters, boxes: Boxes) -> npt.NDArray[np.float64]:
        """How many times as unsure filters are than they say, of tracks that were seen as these boxes."""
        centres, _ = centres_of(boxes)
        squares = ((centres - filters.means[:, :2]) ** 2 / np.maximum(self._variances(filters), 0.25)).sum(axis=1)
        return np.clip(squares / _USUAL_SQUARES, 1, _MOST_SURPRISE)

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
        if not len(new):
            return
        rows = slice(len(self._tracks) - len(new), None)
        own = self._rows
        own["usual_areas"][rows] = regions.areas[new]
        # What comes out of another track may be a piece of it that flickers: it is believed half as fast.
        own["beliefs"][rows] = logit(regions.scores[new]) - np.where(parents > 0, self._needed, 0)
        own["confirmed"][rows] = (self.min_hits <= 1) & (own["beliefs"][rows] >= self._needed)
        own["parted"][rows] = np.where(parents > 0, self._time, -np.inf)
        own["presence"][rows] = regions.presence[new]
        if self._depth and regions.features.shape[1]:
            own["features"][rows] = regions.features[new]

    def _states(self) -> npt.NDArray[np.uint8]:
        states, rows = super()._states(), self._rows
        seen = states == TrackState.CONFIRMED
        states[seen & (self._time - rows["parted"] < _PARTING)] = TrackState.SPLIT
        stands = seen & (self._time - rows["still_since"] >= self.stop_time)
        if stands.any():
            since_birth = stands & ~rows["moved"] & (rows["born"] > self._start)
            states[since_birth & (rows["presence"] > _THERE)] = TrackState.LEFT
            states[since_birth & (rows["presence"] < -_THERE)] = TrackState.REMOVED
            states[stands & rows["moved"]] = TrackState.STOPPED
        states[seen & self._was_merged()] = TrackState.MERGED
        return states

    # --- pixels --------------------------------------------------------------------------------------

    def known_foreground(self) -> npt.NDArray[np.bool_] | None:
        stands = np.isin(self._tracks.states, (TrackState.STOPPED, TrackState.LEFT))
        stands &= self._time - self._rows["still_since"] <= self.stop_time + self.hold
        held = np.zeros(self._identities.shape, bool)
        for window, mask in self._pixels_of(np.flatnonzero(stands)):
            held[window] |= mask
        return held if held.any() else None

    @property
    def needs_background(self) -> bool:
        rows = self._rows
        stands = self._time - rows["still_since"] >= self.stop_time / 2
        return bool((rows["confirmed"] & ~rows["moved"] & stands).any())

    # --- state -----------------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {**super().state(), "view": np.append(self._view, self._start)}

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        if state.get("view", np.zeros(0)).shape != (5,):
            raise StateError("the state of Linker lacks the array 'view', float64 (5,)")
        super().load_state(state)
        self._view, self._start = state["view"][:4].copy(), float(state["view"][4])
