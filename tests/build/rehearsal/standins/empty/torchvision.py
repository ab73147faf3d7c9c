"""Stands where torchvision would be installed; empty."""
