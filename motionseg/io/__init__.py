"""Bytes to arrays and back: video, images, tables."""
