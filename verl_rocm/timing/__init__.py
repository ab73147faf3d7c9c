"""Seconds of a step from its work, by calibrations whose every value has a source; always a range."""
