"""Descriptions changed at random: findings or one line, never a traceback."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.verl_rocm.check.descriptions import FILES, described
from verl_rocm.check.machine import Machine
from verl_rocm.cli import main

NAMES = [file.stem.removeprefix("made_") for file in FILES]
VARIABLES = ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "PYTORCH_HIP_ALLOC_CONF", "VLLM_X", "VERL_X", "MAX_JOBS")
ODD = (
    "0.22.1rc1.dev5+g18d87a87d.rocm714",
    "7.2",
    "7",
    "7.2.0-43",
    "0.1.dev1",
    "",
    "v1",
    "1!2.0",
    "999",
    "main",
    "7.2.*",
    "expandable_segments:True",
    "0,1,99",
    "\x1b[31m",
    "gfx942:sramecc+",
    "gfx1100",
    "9" * 4000,
)
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(ODD))
NUMBERS = st.one_of(st.integers(0, 9), st.integers(-2, 2**64), st.floats(0, 1e9))
OTHERS = st.one_of(st.none(), st.booleans(), NUMBERS, st.floats(), TEXTS, st.just([]), st.just({}))


def like(value: Any) -> st.SearchStrategy[Any]:
    """Values of the kind that stood there, or none."""
    match value:
        case bool():
            return st.booleans()
        case int() | float():
            return NUMBERS
        case str():
            return TEXTS
        case dict() | list():
            return st.just(type(value)())
    return st.none()


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a description."""
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        yield (*path, key)
        if isinstance(tree[key], dict | list):
            yield from places(tree[key], (*path, key))


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, object]:
    """A description with some values replaced, mostly by some of the same kind, and variables added."""
    machine = described(draw(st.sampled_from(NAMES)))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(places(machine))))
        where: Any = machine
        for key in path[:-1]:
            where = where[key]
        other = draw(st.integers(0, 9)) == 9
        where[path[-1]] = draw(OTHERS if other else like(where[path[-1]]))
    if isinstance(environment := machine.get("environment"), dict):
        environment |= draw(st.dictionaries(st.sampled_from(VARIABLES), TEXTS, max_size=3))
    return machine


def accepted(machine: dict[str, object]) -> bool:
    try:
        Machine.model_validate(machine)
    except ValidationError:
        return False
    return True


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(machine=mutated(), as_json=st.booleans())
def test_no_description_ends_in_a_traceback(tmp_path: Path, machine: dict[str, object], as_json: bool) -> None:
    file = tmp_path / "machine.json"
    file.write_text(json.dumps(machine))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["check", "--machine", str(file), *(["--json"] if as_json else [])])
    assert code in ((0, 1) if accepted(machine) else (2,))
    if code == 2:
        assert (out.getvalue(), len(err.getvalue().splitlines())) == ("", 1)
    else:
        assert err.getvalue() == ""
        assert "\x1b" not in out.getvalue()


def test_some_changed_descriptions_are_read_and_some_refused() -> None:
    assert find(mutated(), accepted)
    assert find(mutated(), lambda machine: not accepted(machine))
