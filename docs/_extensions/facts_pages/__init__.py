"""Pages made from ``verl_rocm/facts/``: settings, environment variables, releases, GPUs, troubleshooting.

Directives: ``settings`` (``:goal:``, ``:where:``, ``:brief:``),
``known-issues`` (``:goal:``, ``:group:``, ``:brief:``),
``gpu-table`` (``:brief:``), ``release-values``, ``release-names``, ``release-changes``, ``facts-summary``.
An entry stands in full on one page; ``:brief:`` makes a list of links for every other page.
Roles: ``:setting:`` with the name or id of a setting, ``:issue:`` with the id of a known issue.
Warnings: ``facts.load`` (the base does not load), ``facts.empty`` (a directive selects nothing), ``facts.not_shown``,
``facts.twice``, and Sphinx' own ``ref.setting`` and ``ref.issue``.

``words`` needs neither Sphinx nor docutils; ``extension`` is the Sphinx extension.
"""
