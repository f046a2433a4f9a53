"""Association in two stages: weak regions may continue a track, but never begin one (Zhang 2022, ByteTrack)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionseg.core.catalog import ModelInfo
from motionseg.core.checks import check_number
from motionseg.core.errors import ParameterError
from motionseg.core.geometry import box_iou
from motionseg.core.types import Labels, Regions
from motionseg.track._assignment import Pairs, assigned
from motionseg.track._box_linker import BoxLinker

__all__ = ["Byte"]


class Byte(BoxLinker):
    """Gives tracks the regions of high score first, and those that are left without one the regions of low score.

    A thing half hidden is found with a low score, just where its track is expected; a false alarm is not.

    Parameters
    ----------
    high_score, low_score : float in [0, 1]
        Scores from which regions are strong, and weak; what is below is not looked at. `low_score` is the lower one.
    new_score : float in [0, 1]
        Score from which a region that belongs to no track begins one.
    min_iou : float in [0, 1]
        Least overlap of a predicted box and a strong region, times its score.
    min_iou_weak, min_iou_tentative : float in [0, 1]
        Least overlap with a weak region, and (times the score) of a track that is not believed yet.
    min_hits : int, at least 1
        A track is tentative until it has been seen in this many frames.
    max_gap : float, above 0
        Seconds that a confirmed track lives unseen; a tentative one a quarter of that.
    acceleration : float, above 0
        Standard deviation of an object's acceleration, in box sizes per s2.
    localization : float, above 0
        Standard deviation of a region's centre about the object's, in box sizes.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    References
    ----------
    Y. Zhang et al., ByteTrack: multi-object tracking by associating every detection box, ECCV 2022,
    doi:10.1007/978-3-031-20047-2_1.

    Examples
    --------
    >>> linker = Byte(min_hits=2)
    >>> for step, score in enumerate([0.9, 0.9, 0.3, 0.3]):
    ...     boxes = np.array([[10 + 2 * step, 5, 20 + 2 * step, 25]], np.float32)
    ...     scores, colors = np.full(1, score, np.float32), np.zeros((1, 3), np.float32)
    ...     tracks = linker.update(Regions(boxes, np.full(1, 200), boxes[:, :2] + (5, 10), scores, colors), step / 25)
    >>> tracks.visible.ids.tolist()
    [1]
    """

    info = ModelInfo(
        paper="Zhang et al. 2022, ByteTrack, doi:10.1007/978-3-031-20047-2_1",
        speed="very fast",
        good_at="regions or detections with honest scores, things half hidden",
    )

    def __init__(
        self,
        *,
        high_score: float = 0.6,
        low_score: float = 0.1,
        new_score: float = 0.7,
        min_iou: float = 0.2,
        min_iou_weak: float = 0.5,
        min_iou_tentative: float = 0.3,
        min_hits: int = 2,
        max_gap: float = 1.0,
        acceleration: float = 3.0,
        localization: float = 0.15,
    ) -> None:
        self.high_score = check_number("high_score", high_score, 0, 1)
        self.low_score = check_number("low_score", low_score, 0, 1)
        if self.low_score > self.high_score:
            raise ParameterError(f"low_score is at most high_score: {low_score} > {high_score}")
        self.new_score = check_number("new_score", new_score, 0, 1)
        self.min_iou = check_number("min_iou", min_iou, 0, 1)
        self.min_iou_weak = check_number("min_iou_weak", min_iou_weak, 0, 1)
        self.min_iou_tentative = check_number("min_iou_tentative", min_iou_tentative, 0, 1)
        self._set_life(min_hits, max_gap, acceleration, localization)
        self.reset()

    def _assign(self, regions: Regions, labels: Labels | None) -> Pairs:
        overlap, scores = box_iou(self._boxes(), regions.boxes), regions.scores
        strong = scores >= self.high_score
        weak = (scores >= self.low_score) & ~strong
        believed = self._believed()
        followed = believed & (self._rows["last_seen"] == self._last_time)
        free = np.ones(len(believed), bool)
        pairs = []
        for likeness, tracks, taken, least in (
            (overlap * scores, believed, strong, self.min_iou),
            (overlap, followed, weak, self.min_iou_weak),
            (overlap * scores, ~believed, strong, self.min_iou_tentative),
        ):
            open_ = (tracks & free)[:, None] & taken[None]
            pairs.append(assigned(likeness * open_, least))
            free[pairs[-1][0]], strong[pairs[-1][1]] = False, False
        return np.concatenate([rows for rows, _ in pairs]), np.concatenate([columns for _, columns in pairs])

    def _worth_a_track(self, regions: Regions) -> npt.NDArray[np.bool_]:
        return np.asarray(regions.scores >= self.new_score)
