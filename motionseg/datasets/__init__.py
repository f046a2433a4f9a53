"""Folder layouts and synthetic scenes as sequences of frames with truth."""
