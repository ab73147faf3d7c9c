"""``make doctest``: the pytest plugin that runs the blocks and records them."""
