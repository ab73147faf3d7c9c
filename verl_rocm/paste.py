"""A setting and its value as a line to paste, for a named target."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum

from verl_rocm.facts.base import Facts
from verl_rocm.facts.releases import release
from verl_rocm.facts.schema import Value, Where

ROLLOUT = "actor_rollout_ref.rollout"
KWARGS = f"{ROLLOUT}.engine_kwargs.vllm"
ENV_VARS = "ray_kwargs.ray_init.runtime_env.env_vars"
UNSET = "unset"


class Target(StrEnum):
    """Where a line is pasted: into a verl launch, a shell, a container's start, or Python code of vLLM."""

    OVERRIDE = "override"
    SHELL = "shell"
    CONTAINER = "container"
    PYTHON = "python"


def shown(value: Value) -> str:
    """A value as it is typed: a list without spaces."""
    return str(value).replace(" ", "") if isinstance(value, list) else str(value)


def is_typed(where: Where, value: Value, kind: str = "str") -> bool:
    """Whether ``value`` can be typed; the others are words, such as ``measure``, "the GPUs of the worker" or TP*DP."""
    if not isinstance(value, str) or value == "null":
        return True
    if value == UNSET:
        return where == "env"
    return where in ("container", "host") or (value != "measure" and " " not in value and kind in ("str", "enum"))


def override(facts: Facts, key: str, value: Value) -> str:
    """``key=value`` for Hydra, quoted for a shell; ``++`` before a key that verl's files do not have."""
    text = f"{'' if _in_files(facts, key) else '++'}{key}={shown(value)}"
    return f"'{text}'" if re.search(r"[\[\]{} ]", text) else text


def _in_files(facts: Facts, key: str) -> bool:
    """Whether a file of verl's configuration has the key, by the newest release that knows it."""
    for version in reversed(facts.releases.get("verl", ())):
        if entry := release("verl", version, facts.folder).override(key):
            return not entry.get("add")
    return False


def _variable(name: str, value: Value, target: Target) -> str:
    text = shown(value)
    if target is Target.PYTHON:
        return f"os.environ.pop({name!r}, None)" if value == UNSET else f"os.environ[{name!r}] = {text!r}"
    if value == UNSET:  # neither verl nor a container can take a variable away
        return f"unset {name}"
    if target is Target.OVERRIDE:
        return f"++{ENV_VARS}.{name}='\"{text}\"'"
    return f"-e {name}={shlex.quote(text)}" if target is Target.CONTAINER else f"export {name}={shlex.quote(text)}"


def paste(facts: Facts, name: str, value: Value, target: Target) -> str:
    """The line that gives the setting ``name`` a value; empty if it cannot be typed, or not there.

    What has no form for ``target`` is written in its own: a verl override has no other, a kernel setting is one of the
    host wherever the job runs.
    """
    where, setting = facts.place(name), facts.setting(name)
    if where is None or where == "sglang" or not is_typed(where, value, setting.kind if setting else "str"):
        return ""
    match where:
        case "env":
            return _variable(name, value, target)
        case "verl":
            return override(facts, name, value)
        case "vllm" if target is Target.PYTHON:
            return f"{name}={value!r}"
        case "compilation_config" if target is Target.PYTHON:
            return f"compilation_config={{{name!r}: {value!r}}}"
        case "vllm":
            return override(facts, f"{KWARGS}.{name}", value)
        case "compilation_config":
            return override(facts, f"{KWARGS}.compilation_config.{name}", value)
        case "container":
            return f"docker run {name}={value} ..."
    if re.fullmatch(r"\w+\.[\w.]+", name):
        return f"sudo sysctl {name}={value}"
    return name if value == name else f"{name}={value}"


def lines(facts: Facts, settings: dict[str, Value], target: Target) -> tuple[str, ...]:
    """Lines of several settings; variables that are unset share one."""
    gone = [name for name, value in settings.items() if value == UNSET and facts.place(name) == "env"]
    together = target is not Target.PYTHON and len(gone) > 1
    first = (f"unset {' '.join(gone)}",) if together else ()
    rest = (paste(facts, n, v, target) for n, v in settings.items() if not (together and n in gone))
    return (*first, *filter(None, rest))
