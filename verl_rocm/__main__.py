"""``python -m verl_rocm``."""

import sys

from verl_rocm.cli import main

sys.exit(main())
