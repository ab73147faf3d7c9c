"""Code blocks that are regions of tested files.

``regions``, ``records``, ``claims`` and ``evidence`` need no Sphinx, because ``make doctest`` imports them with the
reader's own interpreter; ``extension`` is the Sphinx extension.
"""
