"""What lies in a GPU's memory: models and arithmetic, without an engine; the engine's part is ``worker/weigh.py``."""
