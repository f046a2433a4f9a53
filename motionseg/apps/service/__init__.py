"""The service: cameras in, events out, for weeks."""
