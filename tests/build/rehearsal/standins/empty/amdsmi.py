"""Stands where amdsmi would be installed; empty."""
