"""Mask in, clean mask, labels and measured regions out."""
