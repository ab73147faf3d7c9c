"""``verl-rocm explain``: which known issue a log shows, and what ends it."""

from verl_rocm.explain.command import register

__all__ = ["register"]
