"""Were the right events found, how late, and how often was there a false alarm?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from motionseg.core.checks import check_number
from motionseg.core.errors import FrameError, ParameterError
from motionseg.metrics._counts import Retrieval

__all__ = ["EventCounts", "count_events"]


@dataclass(frozen=True)
class EventCounts(Retrieval):
    """Events judged so far; add the counts of several videos, then ask for ratios.

    Attributes
    ----------
    tp, fp, fn : int
        True events that were found, found events that are none (false alarms), true events that were missed.
    delay : float
        Sum over the found events, seconds.
    duration : float
        Length of the videos, seconds.

    Examples
    --------
    >>> counts = EventCounts(tp=3, fp=1, fn=0, delay=1.5, duration=1800)
    >>> counts.precision, counts.mean_delay, counts.false_alarms_per_hour
    (0.75, 0.5, 2.0)
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    delay: float = 0.0
    duration: float = 0.0

    @property
    def mean_delay(self) -> float:
        """Seconds from the start of a true event to that of its finding; nan if none was found."""
        return self.delay / self.tp if self.tp else math.nan

    @property
    def false_alarms_per_hour(self) -> float:
        """False alarms per hour of video; nan without video."""
        return 3600 * self.fp / self.duration if self.duration else math.nan

    def metrics(self) -> dict[str, float]:
        """Re, Pr, F, delay (seconds), false alarms per hour."""
        rates = {"Re": self.recall, "Pr": self.precision, "F": self.f_measure}
        return rates | {"delay": self.mean_delay, "false alarms/h": self.false_alarms_per_hour}


def count_events(found: npt.ArrayLike, truth: npt.ArrayLike, *, duration: float, min_iou: float = 0.0) -> EventCounts:
    """Pair found events with true ones by their overlap in time, and count.

    Every event has one partner at most. Of all ways to pair them that with most pairs is taken, and among these that
    with the longest overlap. So of a true event that was found in two pieces one piece is a false alarm; and of two
    true events that were found as one, one is missed.

    Parameters
    ----------
    found, truth : float (N, 2)
        Start and end in seconds, both included: an instant may be an event. One kind of event and one camera at a
        time; add the counts.
    duration : float, above 0
        Length of the video, seconds.
    min_iou : float in [0, 1]
        Least overlap of partners over the time that either takes; at 0 they need an instant in common.

    Raises
    ------
    FrameError
        Events are not an (N, 2) array.
    ParameterError
        A number is out of range, a time not finite, or an event ends before it starts.

    Notes
    -----
    The delay of a pair is 0 if the event was found before its start.

    Examples
    --------
    >>> count_events([(2, 5), (20, 21)], [(1, 4), (9, 10)], duration=60)
    EventCounts(tp=1, fp=1, fn=1, delay=1.0, duration=60.0)
    """
    a, b = _intervals("found", found), _intervals("truth", truth)
    duration = check_number("duration", duration, 0, above=True)
    min_iou = check_number("min_iou", min_iou, 0, 1)
    common = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    either = np.maximum(a[:, None, 1], b[None, :, 1]) - np.minimum(a[:, None, 0], b[None, :, 0])
    # Of two instants at one time the IoU is 0 / 0; they are equal, so it is 1.
    iou = np.divide(common, either, out=np.ones_like(common), where=either > 0)
    possible = (common >= 0) & (iou >= min_iou)
    overlap = np.where(possible, common, 0)
    # A further pair is worth more than all overlap there is.
    rows, columns = linear_sum_assignment(possible + overlap / (1 + overlap.sum()), maximize=True)
    paired = possible[rows, columns]
    delays = np.maximum(a[rows[paired], 0] - b[columns[paired], 0], 0)
    tp = int(np.count_nonzero(paired))
    return EventCounts(tp, len(a) - tp, len(b) - tp, float(delays.sum()), duration)


def _intervals(name: str, events: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(events, np.float64)
    array = array.reshape(0, 2) if array.size == 0 else array
    if array.ndim != 2 or array.shape[1] != 2:
        raise FrameError(f"{name} is an array of shape (N, 2), not {array.shape}")
    bad = ~(np.isfinite(array).all(axis=1) & (array[:, 0] <= array[:, 1]))
    if bad.any():
        start, end = array[bad][0]
        raise ParameterError(f"event {int(bad.argmax())} of {name} runs from {start} s to {end} s")
    return array
