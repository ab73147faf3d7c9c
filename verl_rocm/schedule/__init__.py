"""A rollout as vLLM's scheduler runs it: requests through slots, token budget and KV cache, step by step.

The layer knows no bytes and no seconds: it says which request runs in which step with how many tokens.
"""
