"""Dense optical flow: two frames in, the motion of every pixel out. One file per estimator; see ``base.py``."""

from motionseg.core.catalog import attach_room

_EXTRA = {
    "Consistency": "_consistency",
    "compose_flows": "_warp",
    "consistency": "_consistency",
    "estimate_both_ways": "_consistency",
    "warp_by_flow": "_warp",
}
__getattr__, __dir__ = attach_room(__name__, _EXTRA)
