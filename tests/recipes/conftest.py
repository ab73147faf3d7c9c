"""Long runs of the recipes (`make test-recipe`): in the engine environment only."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("verl") else ["test_*.py"]
