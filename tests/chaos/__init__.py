"""Faults on purpose: the real parts are hurt amid a recording, and must end with the undisturbed alerts."""
