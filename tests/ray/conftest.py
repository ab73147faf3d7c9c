"""Tests that start Ray nodes: run by ``make test-ray``, left out where Ray and verl are not installed."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("verl") and importlib.util.find_spec("ray") else ["test_*.py"]
