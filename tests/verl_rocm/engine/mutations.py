"""Override lists with mistakes in them, as hands and editors make them."""

from __future__ import annotations

import random

JUNK = [
    "",
    "=",
    "+",
    "~",
    "a=[1,",
    "${x}=1",
    "a.b.c",
    "--config-name=x",
    "--bad",
    "x=${oc.env:NO_SUCH}",
    "=1",
    "+a=1",
    "a b=1",
    "é=1",
    "trainer.nnodes=null",
    "trainer=1",
    "~trainer",
    "--multirun",
    "hydra.run.dir=/x",
    "--cfg=job",
]


def mutate(overrides: list[str], choices: list[int]) -> list[str]:
    """``overrides`` after a few changes: characters dropped or doubled, items dropped, repeated, or junk put in."""
    changed = list(overrides)
    for choice in choices:
        if not changed:
            break
        at, kind = choice % len(changed), choice // 7 % 6
        item = changed[at]
        cut = choice % (len(item) + 1)
        if kind == 0:
            changed[at] = item[:cut] + item[cut + 1 :]
        elif kind == 1:
            changed[at] = item[:cut] + item[cut : cut + 1] + item[cut:]
        elif kind == 2:
            changed.pop(at)
        elif kind == 3:
            changed.insert(0, item)
        elif kind == 4:
            changed[at] = item.partition("=")[0] + "=" + ["-1", "abc", "null", "[]", "{}", "1e99"][choice % 6]
        else:
            changed.insert(at, JUNK[choice % len(JUNK)])
    return changed


def lists(overrides: list[str], count: int) -> list[list[str]]:
    """``count`` mutations of a list, the same in every run."""
    chance = random.Random(4)
    return [mutate(overrides, [chance.randrange(10**6) for _ in range(1 + n % 3)]) for n in range(count)]
