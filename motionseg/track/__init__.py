"""Linkers: regions and their time in, tracks with lasting ids out. One file per linker; see ``base.py``."""

from motionseg.core.catalog import attach_room

__getattr__, __dir__ = attach_room(__name__)
