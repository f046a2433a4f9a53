"""What a linker knows of company: tracks that share a region, that are hidden in it, and pieces of tracks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.colors import COLOR_FEATURES, color_numbers
from motionseg.core.errors import StateError
from motionseg.core.types import Boxes, Labels, Regions
from motionseg.track._assignment import Pairs
from motionseg.track._box_linker import Rows
from motionseg.track._groups import Share, color_odds, contained, led, located, shared_out
from motionseg.track._kalman import corrected
from motionseg.track._likeness import Looks
from motionseg.track._pixel_linker import PixelLinker
from motionseg.track._pixels import Shape, ellipse, extents, shape_of

__all__ = ["INSIDE", "CompanyLinker", "Sight"]

INSIDE = 0.5  # of a track's pixels that fall into a region: it may be merged there
_OWN, _NEEDED = 0.08, 0.25  # of a track's shape: seen of it alone, or left over by the others; less, and it is hidden
_REMEMBERED = 2.0  # times max_gap: as long somebody hidden keeps its company from being taken for alone
_SURELY = 0.6  # of a track's shape, seen of it alone or left over by the others: it is there
_ROOM = 1.25  # times the usual area of the largest: a region that is no larger has room for one
_MOST_PIXELS = 4e6  # of a region, times tracks in it, that are looked at one by one
_YOUNG = 0.3  # seconds: who was alone for less is no member of a company
_TURNS = 1.0  # sizes a second, in a second: so much more than others those that meet change their speed
_MERGED_NOISE, _NO_SIDE = 1.0, 20.0  # times as unsure is a side of a merged track; where it has none to be seen


class Sight:
    """What tracks, moved on, and the regions of one frame have in common.

    Attributes
    ----------
    ids : int64 (N,)
        Of the tracks.
    common : (N, M)
        Pixels, or px2 of boxes, of tracks in regions.
    own, areas : (N, 1), (1, M)
        Those of tracks, those of regions.
    """

    def __init__(
        self, ids: npt.NDArray[np.int64], common: npt.NDArray[Any], own: npt.NDArray[Any], areas: npt.NDArray[Any]
    ) -> None:
        self.ids, self.common, self.own, self.areas = ids, common, own[:, None], areas[None]
        self.origins = np.full(common.shape[1], -1)  # of each region: the track that it comes out of
        self.pieces: dict[int, int] = {}  # regions that are pieces of a track
        self.shares: dict[int, Share] = {}  # regions that several tracks share

    def iou(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Intersection over union of pairs."""
        common = self.common[rows, columns]
        return np.asarray(common / np.maximum(self.own[rows, 0] + self.areas[0, columns] - common, 1))

    def inside(self, row: int) -> npt.NDArray[np.float64]:
        """Shares (M,) of a track's pixels in regions."""
        return np.asarray(self.common[row] / max(float(self.own[row, 0]), 1.0))


class CompanyLinker(PixelLinker):
    """Lets tracks come into the region of another, shares it out, and keeps their shapes and looks from before."""

    def reset(self) -> None:
        self._depth = 0  # of features
        super().reset()
        self._shapes: dict[int, Shape] = {}
        self._looks = Looks()

    def _born(self, boxes: Boxes, time: float) -> Rows:
        n = len(boxes)
        return {
            **super()._born(boxes, time),
            "features": np.zeros((n, self._depth), np.float32),
            "usual_areas": np.zeros(n),
            "company": np.zeros(n, np.int64),  # id of a track in whose region it was last, 0 for none
            "alone": np.zeros(n),  # seconds in a region of its own
            "cramped": np.zeros(n),  # seconds in a shared region that is not larger than one of its tracks
        }

    # --- who is in whose region ----------------------------------------------------------------------

    def _was_merged(self) -> npt.NDArray[np.bool_]:
        """Which tracks shared their region with others in the last frame."""
        labels = self._tracks.labels
        if not self._rows["company"].any():
            return np.zeros(len(labels), bool)
        counts = np.bincount(labels, minlength=1)
        return np.asarray((labels > 0) & (counts[labels] > 1))

    def _joined(self, pairs: Pairs, regions: Regions, labels: Labels, sight: Sight) -> Pairs:
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
            inside = sight.inside(row)
            if self._tracks.labels[row] > 0 and inside.max() >= INSIDE:
                members.setdefault(int(inside.argmax()), []).append(row)
            else:
                outside.append(row)
        self._rejoin(outside, members)
        for column, own in members.items():
            if len(own) > 1:
                members[column] = self._share(column, own, regions, labels, sight)
        rows = np.array([row for own in members.values() for row in own], np.intp)
        columns = np.repeat(np.array(list(members), np.intp), [len(own) for own in members.values()])
        return rows, columns

    def _rejoin(self, rows: list[int], members: dict[int, list[int]]) -> None:
        """Those of whom nothing is seen are where their company is."""
        company, ids = self._rows["company"], self._tracks.ids
        regions: dict[int, int] = {}
        for column, own in members.items():
            for identity in (*ids[own].tolist(), *company[own].tolist()):
                regions.setdefault(identity, column)
        for row in rows:
            column = regions.get(int(company[row])) if company[row] else None
            if column is not None:
                members[column].append(row)

    def _share(self, column: int, own: list[int], regions: Regions, labels: Labels, sight: Sight) -> list[int]:
        """Share a region out among tracks; those of which nothing is seen are left out, but their company is noted."""
        ids = self._tracks.ids
        for row in own:
            if ids[row] not in self._shapes:
                self._remember_shape(row)
        x0, y0, x1, y1 = extents(regions.boxes[column][None], labels.shape)[0].tolist()
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
        seen &= ~young & ~(self._cramped(own, share, region) & (np.maximum(alone, needed) < _SURELY))
        seen[known_for.argmax()] |= not seen.any()
        self._rows["company"][own] = ids[own[int(seen.argmax())]]
        if not seen.all():
            hidden = np.array(own)[~seen]
            # Of what is not seen colours say nothing: it is where its motion takes it, within the region.
            boxes, moved = contained(self._boxes()[hidden].astype(np.float64), regions.boxes[column])
            unsure = self.localization * np.where(moved, _MERGED_NOISE, _NO_SIDE)
            self._set_filters(hidden, corrected(self._filters(hidden), boxes.astype(np.float32), unsure))
            own = [row for row, is_seen in zip(own, seen.tolist(), strict=True) if is_seen]
            share, _, _ = self._placed(own, (x0, y0), region, regions.boxes[column], numbers)
        if len(own) > 1:
            sight.shares[column] = share
        return own

    def _cramped(self, own: list[int], share: Share, region: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which of these have for long been where there is room for one only: all but the one whose most of it is."""
        rows, one = self._rows, self._rows["usual_areas"][own].max()
        is_small = np.count_nonzero(region) <= _ROOM * one
        rows["cramped"][own] = rows["cramped"][own] + (self._time - self._last_time) if is_small else 0.0
        cramped = rows["cramped"][own] > self.max_gap
        cramped[np.bincount(share.owners.ravel(), minlength=len(own) + 1)[1:].argmax()] = False
        return np.asarray(cramped)

    def _remember_shape(self, row: int) -> None:
        """Keep how a track looked in the last frame, before it came into company."""
        mean, identity = self._rows["means"][row], int(self._tracks.ids[row])
        before = mean[:2] - mean[2:4] * (self._time - self._last_time)
        shape = shape_of(self._identities, identity, self._rows["extents"][row], before)
        self._shapes[identity] = ellipse(mean[4:]) if shape is None else shape

    def _forget_shapes(self, rows: npt.NDArray[np.intp]) -> None:
        """These are seen alone again."""
        if self._shapes:
            for identity in self._tracks.ids[rows].tolist():
                self._shapes.pop(identity, None)

    def _certainly_alone(self, pairs: Pairs) -> npt.NDArray[np.bool_]:
        """Which of these have a region in which nobody else is, or is hidden."""
        rows, columns = pairs
        alone = np.bincount(columns)[columns] == 1
        company = self._rows["company"]
        if company.any():
            hidden = company > 0
            hidden[rows] = False
            hidden &= self._time - self._rows["last_seen"] <= _REMEMBERED * self.max_gap
            alone &= ~np.isin(company[rows], company[hidden])
        return np.asarray(alone)

    def _uncertainty(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """How many times (K, 2), or (1, 2), as unsure as others the places of these are, in x and in y."""
        if not self._sight.shares:
            return np.ones((1, 2))
        unsure = np.ones((len(rows), 2))
        for share in self._sight.shares.values():
            for row, known in zip(share.rows, share.known, strict=True):
                unsure[rows == row] = np.where(known, _MERGED_NOISE, _NO_SIDE)
        return unsure

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
        whole, place, step = region, corner, math.ceil(math.sqrt(len(own) * region.size / _MOST_PIXELS))
        if step > 1:  # a light goes on, and the whole picture is one region with all tracks in it
            region, shapes = region[::step, ::step], [shape.reduced(step) for shape in shapes]
            boxes, numbers = boxes / step, None
            corner = corner[0] // step, corner[1] // step
        middles, odds = (boxes[:, :2] + boxes[:, 2:]) / 2, None
        if numbers is not None and len(own) > 1:
            filters = self._filters(np.array(own))
            histograms = self._rows["features"][own].astype(np.float64) ** 2
            odds = color_odds(numbers, corner[1], histograms, boxes, region) * self._distinct(own)[:, None, None]
            found = located(odds, corner, region, shapes, middles, self._variances(filters))
            boxes += np.tile(found - middles, 2)
            middles, known[:] = found, True
        owners, alone, needed = shared_out(region, corner, shapes, middles, odds)
        if step > 1:
            owners = owners.repeat(step, axis=0).repeat(step, axis=1)[: whole.shape[0], : whole.shape[1]] * whole
            boxes = boxes * step
        return Share(own, place, owners, boxes, known), alone, needed

    def _distinct(self, own: list[int]) -> npt.NDArray[np.float32]:
        """How surely each of these tracks can be told from the others by looks, in [0, 1]."""
        features = self._rows["features"][own]
        likeness = self._looks.likeness(1 - features @ features.T)
        np.fill_diagonal(likeness, -np.inf)
        return np.clip(-likeness.max(axis=1) / 4, 0, 1).astype(np.float32)

    # --- pieces, and what is measured ------------------------------------------------------------------

    def _find_pieces(self, pairs: Pairs, regions: Regions, sight: Sight) -> None:
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
            if sight.common[row, column] < INSIDE * regions.areas[column]:
                continue
            sight.origins[column] = row
            a, b = regions.boxes[columns[best]], regions.boxes[column]
            gap = np.maximum(np.maximum(a[:2] - b[2:], b[:2] - a[2:]), 0)
            smaller = min(regions.areas[columns[best]], regions.areas[column])
            if np.hypot(*gap) <= self.reach * np.sqrt(smaller):
                sight.pieces[column] = row

    def _measured(self, pairs: Pairs, regions: Regions) -> tuple[Boxes, npt.NDArray[np.int64]]:
        boxes, areas = super()._measured(pairs, regions)
        if not self._sight.pieces and not self._sight.shares:
            return boxes, areas
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

    # --- pixels ------------------------------------------------------------------------------------------

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
        found = self._identities.copy()
        for window, mask in self._pixels_of(np.flatnonzero(~self._believed())):
            found[window][mask] = 0
        return found

    # --- state -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, npt.NDArray[Any]]:
        ids, shapes = list(self._shapes), list(self._shapes.values())
        return {
            **super().state(),
            "looks": self._looks.seen.copy(),
            "shape_ids": np.array(ids, np.int64),
            "shape_sizes": np.array([shape.pixels.shape for shape in shapes], np.int64).reshape(-1, 2),
            "shape_offsets": np.array([shape.offset for shape in shapes], np.float64).reshape(-1, 2),
            "shape_pixels": np.concatenate([np.zeros(0, bool), *(shape.pixels.ravel() for shape in shapes)]),
        }

    def load_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        for name, born in self.clone().state().items():
            array = state.get(name)
            if array is None or array.dtype != born.dtype or array.ndim != born.ndim:
                what = f"the array {name!r}, {born.dtype}, of {born.ndim} axes"
                raise StateError(f"the state of {type(self).__name__} lacks {what}")
        sizes, pixels = state["shape_sizes"], state["shape_pixels"]
        ends = np.cumsum(sizes.prod(axis=1))
        if len(pixels) != (ends[-1] if len(ends) else 0) or not len(state["shape_ids"]) == len(sizes):
            raise StateError(f"the shapes in the state of {type(self).__name__} do not fit their sizes")
        super().load_state(state)
        self._depth = state["features"].shape[1]
        self._looks.seen = state["looks"].copy()
        parts = np.split(pixels, ends[:-1]) if len(sizes) else []
        shapes = [
            Shape(part.reshape(size).copy(), (float(x), float(y)))
            for part, size, (x, y) in zip(parts, sizes.tolist(), state["shape_offsets"], strict=True)
        ]
        self._shapes = dict(zip(state["shape_ids"].tolist(), shapes, strict=True))
