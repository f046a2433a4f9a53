"""Motion of the camera: two frames in, a 3x3 transform out. One file per estimator; see ``base.py``."""

from motionseg.core.catalog import attach_room

_EXTRA = {"displacement": "_warp", "warp_frame": "_warp"}
__getattr__, __dir__ = attach_room(__name__, _EXTRA)
