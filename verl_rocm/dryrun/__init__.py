"""``verl-rocm dry-run``: what verl and vLLM make of a job on a named AMD GPU, without one."""
