"""Linkers: regions and their time in, tracks with lasting ids out. One file per linker; see ``base.py``."""

from motionseg.core.catalog import attach_room

_EXTRA = {"TrackHistory": "_history", "Trajectory": "_history", "TrackTable": "_table"}
_EXTRA |= {"Occupancy": "_occupancy", "stitch": "_stitch"}
__getattr__, __dir__ = attach_room(__name__, _EXTRA)
