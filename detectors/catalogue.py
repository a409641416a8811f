"""Every detector we run, in one list. Not named here, not run."""

from detectors.detector import Detector

DETECTORS: tuple[Detector, ...] = ()
