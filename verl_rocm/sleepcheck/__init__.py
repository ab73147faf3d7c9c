"""``verl-rocm sleep-check``: does sleep mode free this GPU's memory, and does the model come back unharmed?"""

from verl_rocm.sleepcheck.command import register

__all__ = ["register"]
