"""How a block lives, without Sphinx: regions of snippets, what tests claim of them, what ran, and the records of it.

``make doctest`` imports it with the reader's own interpreter, so it needs pydantic and pytest alone.
"""
