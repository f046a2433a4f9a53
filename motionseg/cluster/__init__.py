"""Flow into parts that move by themselves: dense motion in, labels out. One file per method; see ``base.py``."""

from motionseg.core.catalog import attach_room

_EXTRA = {"LabelIdentity": "_identity", "inside_votes": "inside_outside", "motion_boundaries": "inside_outside"}
__getattr__, __dir__ = attach_room(__name__, _EXTRA)
