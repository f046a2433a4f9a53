"""Motion of the camera: two frames in, a 3x3 transform out. One file per estimator; see ``base.py``."""

from motionseg.core.catalog import attach_room

_EXTRA = {"displacement": "_warp", "warp_frame": "_warp"}
_EXTRA |= {"FLOW_MODELS": "_fit", "FlowFit": "_fit", "fit_flow": "_fit"}
_EXTRA |= {"EpipolarResidual": "_parallax", "epipolar_residual": "_parallax"}
_EXTRA |= {"Mosaic": "_mosaic", "Stabilized": "_stabilize", "Stabilizer": "_stabilize"}
__getattr__, __dir__ = attach_room(__name__, _EXTRA)
