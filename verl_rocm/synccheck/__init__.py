"""``verl-rocm sync-check``: did each new set of weights reach the rollout, by the metrics of a verl run?"""

from verl_rocm.synccheck.command import register

__all__ = ["register"]
