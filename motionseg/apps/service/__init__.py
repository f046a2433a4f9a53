"""A service that runs for weeks: cameras in, events out."""
