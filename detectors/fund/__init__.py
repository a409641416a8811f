"""Detectors of the fund as a whole, and of the data it is watched by."""
