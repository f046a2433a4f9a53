"""What commands take when nobody says otherwise; light, so that ``--help`` can name it."""

__all__ = ["DEFAULT_LINKER", "DEFAULT_MODEL"]

DEFAULT_MODEL = "auto"
"""What `motionseg segment` and `motionseg track` take: as ``MotionSegmenter.auto()``."""
DEFAULT_LINKER = "linker"
"""What they take to link regions."""
