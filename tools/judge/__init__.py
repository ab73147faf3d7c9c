"""Predictions of the memory section beside what public logs of vLLM report; see ``__main__``."""
