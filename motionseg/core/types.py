"""Facts about pixels: small frozen dataclasses of columns, and the codes that arrays hold.

Pixels themselves are plain numpy arrays; docs/conventions.md says which dtype and shape each has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import MissingExtraError, ParameterError
from motionseg.core.rle import encode_labels

__all__ = [
    "BACKGROUND",
    "FOREGROUND",
    "SHADOW",
    "UNKNOWN",
    "Boxes",
    "Event",
    "Flow",
    "Frame",
    "Labels",
    "Mask",
    "Regions",
    "Score",
    "Segmentation",
    "TrackState",
    "Tracks",
]

Frame = npt.NDArray[np.uint8]
"""uint8 (H, W) grey or (H, W, 3) BGR."""
Mask = npt.NDArray[np.uint8]
"""uint8 (H, W) of BACKGROUND, UNKNOWN (behind moving cameras), SHADOW, FOREGROUND."""
Score = npt.NDArray[np.float32]
"""float32 (H, W) in [0, 1]: how surely foreground; 0.5 is the decision."""
Labels = npt.NDArray[np.int32]
"""int32 (H, W): 0 background, 1..N without gaps."""
Flow = npt.NDArray[np.float32]
"""float32 (H, W, 2): dx right, dy down, pixels, previous -> current."""
Boxes = npt.NDArray[np.float32]
"""float32 (N, 4): x0, y0, x1, y1, half-open, pixels."""

BACKGROUND, UNKNOWN, SHADOW, FOREGROUND = 0, 85, 127, 255


def _column(dtype: Any, *shape: int) -> Any:
    return field(default_factory=lambda: np.zeros((0, *shape), dtype))


@dataclass(frozen=True)
class Regions:
    """The connected foreground regions of one frame, a column per fact; row i is label i + 1.

    Attributes
    ----------
    boxes : float32 (N, 4)
        x0, y0, x1, y1, half-open, pixels.
    areas : int64 (N,)
        Pixels.
    centroids : float32 (N, 2)
        Mean x, y of the region's pixel centres.
    scores : float32 (N,)
        Mean score over the region, in [0, 1].
    colors : float32 (N, 3)
        Mean B, G, R over the region, in [0, 255] (grey frames: three times the grey).
    features : float32 (N, D)
        How the region looks, of length 1, so that the product of two rows says how alike they are: a histogram of
        colours, or a network's embedding. D is 0 where it was not measured.
    presence : float32 (N,)
        In [-1, 1]: above 0 where the region's border stands out more in the frame than in the learned background, as
        that of a thing that is there; below 0 where something is gone. 0 where it was not measured.
    """

    boxes: Boxes = _column(np.float32, 4)
    areas: npt.NDArray[np.int64] = _column(np.int64)
    centroids: npt.NDArray[np.float32] = _column(np.float32, 2)
    scores: npt.NDArray[np.float32] = _column(np.float32)
    colors: npt.NDArray[np.float32] = _column(np.float32, 3)
    features: npt.NDArray[np.float32] = _column(np.float32, 0)
    presence: npt.NDArray[np.float32] = _column(np.float32)

    def __post_init__(self) -> None:
        n = len(self.areas)
        if len(self.features) != n:
            object.__setattr__(self, "features", np.zeros((n, 0), np.float32))
        if len(self.presence) != n:
            object.__setattr__(self, "presence", np.zeros(n, np.float32))

    def __len__(self) -> int:
        return len(self.areas)

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with a row per region: label, x0, y0, x1, y1, area, cx, cy, score, b, g, r."""
        columns = {"label": np.arange(1, len(self) + 1), **_box_columns(self.boxes), "area": self.areas}
        columns |= {"cx": self.centroids[:, 0], "cy": self.centroids[:, 1], "score": self.scores}
        columns |= {name: self.colors[:, i] for i, name in enumerate("bgr")}
        return _pandas().DataFrame(columns)


class TrackState(IntEnum):
    """Where a track stands in its life."""

    TENTATIVE = 0
    """Seen too few times to be believed."""
    CONFIRMED = 1
    """Believed, and seen in this frame, and none of what follows."""
    OCCLUDED = 2
    """Believed, not seen in this frame; its box is predicted."""
    MERGED = 3
    """Seen in one region with others: tracks of the same label. The area is of its share; the box of all of it."""
    SPLIT = 4
    """Came out of a region with others, or of another track (``parents``), a short while ago."""
    STOPPED = 5
    """Has moved, and stands."""
    LEFT = 6
    """Stands since it appeared, and is there: a thing put down."""
    REMOVED = 7
    """Stands since it appeared, and is not there: the place of a thing taken away."""
    GONE = 8
    """Believed until now, and given up in this frame; it is told of once."""


# By state.
_BELIEVED = np.array([state not in (TrackState.TENTATIVE, TrackState.GONE) for state in TrackState])
_VISIBLE = _BELIEVED & (np.arange(len(TrackState)) != TrackState.OCCLUDED)


@dataclass(frozen=True)
class Tracks:
    """The tracks alive at one time, a column per fact.

    Attributes
    ----------
    time : float
        Seconds.
    ids : int64 (N,)
        From 1, never used twice by one linker.
    boxes : float32 (N, 4)
        x0, y0, x1, y1, half-open, pixels; predicted where `labels` is 0.
    labels : int32 (N,)
        The region (label) it is in this frame, 0 if none.
    areas : int64 (N,)
        Pixels of that region; of the last one seen where `labels` is 0.
    scores : float32 (N,)
        Score of that region; of the last one seen where `labels` is 0.
    velocities : float32 (N, 2)
        Of the box centre, x right, y down, pixels per second.
    states : uint8 (N,)
        Codes of :class:`TrackState`.
    parents : int64 (N,)
        Id of the track that it came out of; 0 for none.
    """

    time: float = 0.0
    ids: npt.NDArray[np.int64] = _column(np.int64)
    boxes: Boxes = _column(np.float32, 4)
    labels: npt.NDArray[np.int32] = _column(np.int32)
    areas: npt.NDArray[np.int64] = _column(np.int64)
    scores: npt.NDArray[np.float32] = _column(np.float32)
    velocities: npt.NDArray[np.float32] = _column(np.float32, 2)
    states: npt.NDArray[np.uint8] = _column(np.uint8)
    parents: npt.NDArray[np.int64] = _column(np.int64)

    def __post_init__(self) -> None:
        if len(self.parents) != len(self.ids):
            object.__setattr__(self, "parents", np.zeros(len(self.ids), np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Any) -> Tracks:
        """The tracks that `rows` (a bool mask, slice or index array) selects."""
        columns = {name: column[rows] for name, column in self._columns()}
        return Tracks(time=self.time, **columns)

    def plus(self, others: Tracks) -> Tracks:
        """These and then `others`, which are of the same time."""
        if not len(others):
            return Tracks(time=self.time, **{name: column.copy() for name, column in self._columns()})
        columns = {name: np.concatenate([column, getattr(others, name)]) for name, column in self._columns()}
        return Tracks(time=self.time, **columns)

    def _columns(self) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, value in vars(self).items() if name != "time")

    @property
    def visible(self) -> Tracks:
        """Those that are believed and seen in this frame."""
        return self[_VISIBLE[self.states]]

    @property
    def believed(self) -> Tracks:
        """Those that have been seen often enough and are not gone."""
        return self[_BELIEVED[self.states]]

    def to_dataframe(self) -> Any:
        """A pandas DataFrame with a row per track: time, id, x0, y0, x1, y1, area, score, vx, vy, parent, state."""
        columns = {"time": np.full(len(self), self.time), "id": self.ids, **_box_columns(self.boxes)}
        columns |= {"area": self.areas, "score": self.scores, "vx": self.velocities[:, 0], "vy": self.velocities[:, 1]}
        columns["parent"] = self.parents
        columns["state"] = np.array([TrackState(s).name.lower() for s in self.states], dtype=object)
        return _pandas().DataFrame(columns)

    def to_supervision(self, identities: Labels | None = None) -> Any:
        """A ``supervision.Detections`` of the tracks; with `identities` (H, W), the ids of pixels, also masks."""
        try:
            import supervision
        except ImportError as error:
            raise MissingExtraError("to_supervision()", "pip install supervision") from error
        masks = None if identities is None else identities[None] == self.ids[:, None, None]
        return supervision.Detections(
            xyxy=self.boxes.copy(), mask=masks, confidence=self.scores.copy(), tracker_id=self.ids.copy()
        )


@dataclass(frozen=True)
class Event:
    """Something that happened before one camera: what, where, when, who, and why it is told.

    Attributes
    ----------
    id : str
        Unique to the camera, and the same each time that the same frames are looked at.
    camera, rule, zone : str
        Names; `zone` is that of a zone or line, "" for the whole picture.
    track_ids : tuple of int
        Who took part, in rising order; the first hundred.
    start : float
        Seconds: since when it holds, which is before it was told where it had to last.
    end : float, optional
        Seconds: when it held for the last time; None while it goes on.
    peak_area : float
        Pixels, the most so far.
    score : float
        In [0, 1]: the highest of the tracks that took part.
    reason : dict
        Why it was told, ready for JSON: see docs/events.md.

    Examples
    --------
    >>> event = Event("door-1-2500", "door", "enter", "yard", (3,), 2.5)
    >>> event.is_open, Event.from_dict(event.to_dict()) == event
    (True, True)
    """

    id: str
    camera: str
    rule: str
    zone: str
    track_ids: tuple[int, ...]
    start: float
    end: float | None = None
    peak_area: float = 0.0
    score: float = 0.0
    reason: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.end is None

    def to_dict(self) -> dict[str, Any]:
        """All of it under the same names, ready for JSON; the reason is not copied."""
        return {**vars(self), "track_ids": list(self.track_ids)}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Event:
        """The event that :meth:`to_dict` gave. Raises ParameterError where a fact is missing, unknown or no fact."""
        try:
            return cls(**{**facts, "track_ids": tuple(int(number) for number in facts["track_ids"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ParameterError(f"these are not the facts of an Event: {error}") from error


@dataclass(frozen=True)
class Segmentation:
    """All that is known of one frame. What was not computed is None.

    Attributes
    ----------
    index : int
        Frame number in its source, from 0.
    time : float
        Seconds, from the source's timestamps.
    mask : uint8 (H, W)
        0 background, 127 shadow, 255 foreground; cleaned.
    score : float32 (H, W), optional
        In [0, 1], as the model gave it, before cleaning.
    labels : int32 (H, W), optional
        Connected regions of the mask's foreground.
    regions : Regions, optional
        Row i measures label i + 1.
    tracks : Tracks, optional
        Regions linked over time.
    identities : int32 (H, W), optional
        The id of the track that each pixel belongs to, 0 for none: a region in which tracks are merged is shared out.
    flow : float32 (H, W, 2), optional
        Dense motion, pixels, previous -> current.
    camera : float64 (3, 3), optional
        Motion of the camera, previous -> current.
    behaviour, way : str, optional
        What the camera does, and how the frame was segmented because of it (`motionseg.pipeline.Auto`).
    verdict : str, optional
        What was found of the whole picture (`motionseg.background.Guarded`): ``"none"``, ``"gradual"`` or ``"switch"``
        (of light), ``"camera_moved"``, ``"camera_covered"`` or ``"blurred"``.
    evidence : dict of str to float32 (H, W), optional
        What each cue has added to the log-odds of the score, natural logarithm; above 0 for foreground.
    """

    index: int
    time: float
    mask: Mask
    score: Score | None = None
    labels: Labels | None = None
    regions: Regions | None = None
    tracks: Tracks | None = None
    flow: Flow | None = None
    camera: npt.NDArray[np.float64] | None = None
    behaviour: str | None = None
    way: str | None = None
    verdict: str | None = None
    evidence: dict[str, npt.NDArray[np.float32]] | None = None
    identities: Labels | None = None

    def track_labels(self) -> Labels:
        """Labels that last: the id of the track that each pixel belongs to, int32 (H, W), 0 for none.

        These are the `identities` where they are known. Without tracks, the frame's own labels; without these, 1 for
        foreground.

        Examples
        --------
        >>> Segmentation(0, 0.0, np.array([[0, 127, 255]], np.uint8)).track_labels()
        array([[0, 0, 1]], dtype=int32)
        """
        if self.identities is not None:
            return self.identities
        if self.labels is None:
            return np.asarray(self.mask == FOREGROUND, np.int32)
        if self.tracks is None:
            return self.labels
        ids = np.zeros(int(self.labels.max(initial=0)) + 1, np.int32)
        ids[self.tracks.labels] = self.tracks.ids
        ids[0] = 0  # tracks that are not seen have label 0
        return np.asarray(ids[self.labels])

    def to_coco(self) -> list[dict[str, Any]]:
        """COCO annotations of the regions: image_id, id, category_id, bbox (x, y, w, h), area, RLE, score."""
        if self.labels is None or self.regions is None:
            return []
        encoded, annotations = encode_labels(self.labels), []
        for row in range(len(self.regions)):
            x0, y0, x1, y1 = (float(v) for v in self.regions.boxes[row])
            annotations.append(
                {
                    "image_id": self.index,
                    "id": row + 1,
                    "category_id": 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": int(self.regions.areas[row]),
                    "segmentation": encoded[row + 1],
                    "score": float(self.regions.scores[row]),
                    "iscrowd": 0,
                }
            )
        return annotations


def _box_columns(boxes: Boxes) -> dict[str, Any]:
    return {name: boxes[:, i] for i, name in enumerate(("x0", "y0", "x1", "y1"))}


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("to_dataframe()", "pip install pandas") from error
    return pandas
