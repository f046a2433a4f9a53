"""Dense optical flow: two frames in, the motion of every pixel out. One file per estimator; see ``base.py``."""

from motionseg.core.catalog import attach_room

__getattr__, __dir__ = attach_room(__name__)
