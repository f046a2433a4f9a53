"""Flow into parts that move by themselves: dense motion in, labels out. One file per method; see ``base.py``."""

from motionseg.core.catalog import attach_room

__getattr__, __dir__ = attach_room(__name__)
