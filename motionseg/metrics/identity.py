"""Identity figures: how much of the true tracks one found track each explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from motionseg.core.checks import check_number
from motionseg.metrics._counts import Counts
from motionseg.metrics.tracking import TrackingPairs

__all__ = ["IdentityCounts", "count_identity"]


@dataclass(frozen=True)
class IdentityCounts(Counts):
    """Objects of a sequence whose tracks belong to each other; add those of sequences, then ask for ratios.

    Attributes
    ----------
    idtp, idfn, idfp : int
        Objects matched within a pair of tracks that belong to each other; the other true and the
        other found objects.

    Examples
    --------
    >>> counts = IdentityCounts(idtp=6, idfn=4, idfp=2) + IdentityCounts()
    >>> round(counts.idf1, 3), counts.idr, counts.idp
    (0.667, 0.6, 0.75)
    """

    idtp: int = 0
    idfn: int = 0
    idfp: int = 0

    @property
    def idf1(self) -> float:
        """Harmonic mean of `idr` and `idp`."""
        return 2 * self.idtp / (2 * self.idtp + self.idfn + self.idfp) if self.idtp else 0.0

    @property
    def idr(self) -> float:
        """Recall, IDTP / truth; 0 if there is no truth."""
        return self.idtp / (self.idtp + self.idfn) if self.idtp else 0.0

    @property
    def idp(self) -> float:
        """Precision, IDTP / found; 0 if nothing was found."""
        return self.idtp / (self.idtp + self.idfp) if self.idtp else 0.0

    def metrics(self) -> dict[str, float]:
        """IDF1, IDR and IDP."""
        return {"IDF1": self.idf1, "IDR": self.idr, "IDP": self.idp}


def count_identity(pairs: TrackingPairs, *, threshold: float = 0.5) -> IdentityCounts:
    """Count what IDF1 asks of one sequence, of boxes or of masks.

    True and found tracks are matched one to one over the whole sequence, so that they have the
    most matches in common.

    Parameters
    ----------
    pairs : TrackingPairs
    threshold : float in (0, 1]
        Least similarity of a match.

    Raises
    ------
    ParameterError
        `threshold` is out of range.

    References
    ----------
    E. Ristani et al., Performance measures and a data set for multi-target, multi-camera tracking,
    ECCV 2016 workshops, doi:10.1007/978-3-319-48881-3_2.

    Examples
    --------
    The only track is found throughout, but in two pieces:

    >>> from motionseg.metrics.tracking import pair_similarities
    >>> count_identity(pair_similarities([([1], [1], [[0.8]]), ([1], [2], [[0.7]])]))
    IdentityCounts(idtp=1, idfn=1, idfp=1)
    """
    # No rounding is forgiven here, other than in CLEAR and HOTA: so it is in the official figures.
    near = pairs.similarity >= check_number("threshold", threshold, 0, 1, above=True)
    shape = pairs.n_truth_ids, pairs.n_found_ids
    matches = np.bincount(pairs.meetings[near], minlength=shape[0] * shape[1]).reshape(shape)
    idtp = int(matches[linear_sum_assignment(matches, maximize=True)].sum())
    return IdentityCounts(idtp, len(pairs.truth_ids) - idtp, len(pairs.found_ids) - idtp)
