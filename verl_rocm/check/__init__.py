"""``verl-rocm check``: a doctor for this machine and environment. It reads, starts no engine and changes nothing."""

from verl_rocm.check.command import register

__all__ = ["register"]
