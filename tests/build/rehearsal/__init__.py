"""Rehearses the guide's build of vLLM for ROCm on a machine without ROCm; what is replaced is said with each result."""
