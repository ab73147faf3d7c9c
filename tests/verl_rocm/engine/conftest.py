"""Tests that need vLLM and verl: run by `make test-dry-run`, left out where they are not installed."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("vllm") else ["*test_*.py"]
