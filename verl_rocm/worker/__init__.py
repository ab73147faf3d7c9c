"""The child process of a dry run: it alone imports vLLM and verl, with the named GPU's identity on its path."""
