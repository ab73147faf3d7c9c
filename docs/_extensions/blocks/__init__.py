"""Shows regions of tested files as code blocks, with their evidence; ``guide`` holds all that needs no Sphinx."""
