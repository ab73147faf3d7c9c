"""What is known, as data: GPUs, settings, known issues and the contracts of the vLLM and verl releases."""
