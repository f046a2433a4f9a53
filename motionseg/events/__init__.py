"""Tracks and their time in, events out: zones, lines, rules, and the detector that applies them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"zones": ["Line", "Zone"]})
