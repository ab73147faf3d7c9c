"""verl's configuration, composed by Hydra from verl's own defaults, and what is wrong with an override."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .problem import Problem, first_line


def launcher(module: str) -> tuple[Path, str]:
    """Config folder and config name that a trainer's module gives to ``@hydra.main``; the module is only parsed.

    Raises:
        Problem: there is no such module, or it is no Hydra program.
    """
    file = (site() / module.replace(".", "/")).with_suffix(".py")
    hint = "the dry run takes verl.trainer.main_ppo and every other trainer that starts a rollout through Hydra"
    if not file.is_file() and not module.startswith("verl."):
        raise Problem("scope", f"{module} is no module of verl", hint, "launcher")
    if not file.is_file():
        known = sorted((site() / module.replace(".", "/")).parent.glob("main_*.py"))
        near = difflib.get_close_matches(file.stem, [other.stem for other in known], 1)
        raise Problem("compose", f"there is no module {module}", f"nearest is {near[0]}" if near else "", "no module")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hydra.main":
            given = {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
            return file.parent / str(given.get("config_path") or "."), str(given.get("config_name"))
    raise Problem("scope", f"{module} is no Hydra program", hint, "launcher")


def validates(module: str) -> bool:
    """Whether the trainer's module has verl check the whole config: the async and the generation ones do not."""
    return "validate_config(" in (site() / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")


def standalone(config: Any) -> bool:
    """Whether the rollout has GPUs of its own: verl's async configs have a part ``rollout`` for them."""
    return "rollout" in config and "n_gpus_per_node" in config.rollout


@contextmanager
def _loader(folder: Path) -> Iterator[Any]:
    """Hydra with verl's config folder; verl's async configs name the main one relative to the checkout."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    before = Path.cwd()
    os.chdir(site())
    try:
        with hydra.initialize_config_dir(str(folder), version_base=None):
            yield GlobalHydra.instance().config_loader()
    finally:
        os.chdir(before)


def site() -> Path:
    """The folder that holds the package ``verl``; the package itself is not imported."""
    spec = importlib.util.find_spec("verl")
    if spec is None or not spec.submodule_search_locations:
        raise Problem("compose", "verl is not installed", "use `make dry-run`", "fault")
    return Path(next(iter(spec.submodule_search_locations))).resolve().parent


def keys(config: Any, prefix: str = "") -> Iterator[str]:
    """All keys of a composed config, dotted; nothing is resolved."""
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(config, DictConfig) or config._is_none() or config._is_missing():
        return
    for name in config:
        key = f"{prefix}{name}"
        yield key
        if OmegaConf.is_interpolation(config, name) or OmegaConf.is_missing(config, name):
            continue
        yield from keys(config._get_node(name), f"{key}.")


def nearest(key: str, known: list[str]) -> str | None:
    """The known key that is closest: the same last part elsewhere first, then the spelling beside it, then all over."""
    parent, _, last = key.rpartition(".")
    same = [name for name in known if name.rpartition(".")[2] == last]
    beside = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == parent}
    spelled = [beside[name] for name in difflib.get_close_matches(last, beside, 1, 0.6)]
    found = difflib.get_close_matches(key, same, 1, 0.5) or spelled or difflib.get_close_matches(key, known, 1, 0.9)
    return found[0] if found else None


def file_of(key: str, loader: Any, name: str, folder: Path) -> str:
    """The file of verl in which ``key`` is, or would be, set."""
    from hydra.types import RunMode

    defaults = loader.compute_defaults_list(name, [], RunMode.RUN).defaults
    places = [(entry.package or "", entry.config_path) for entry in defaults if entry.config_path != "_self_"]
    parents = [(package, path) for package, path in places if package and f"{key}.".startswith(f"{package}.")]
    _, path = max(parents, key=lambda found: len(found[0]), default=("", name))
    for root in (folder, site() / "verl/trainer/config"):
        file = root / f"{path}.yaml"
        if file.is_file():
            return str(file.resolve().relative_to(site()))
    return f"{path}.yaml"


def missing_field(message: str, config: Any, overrides: list[str]) -> str:
    """For a dataclass of verl that refused a key: where the config has a key of that name; else empty."""
    match = re.search(r"__init__\(\) got an unexpected keyword argument '(\w+)'", message)
    if not match:
        return ""
    asked = [key for key in given(overrides) if key.rpartition(".")[2] == match[1]]
    same = [key for key in keys(config) if key.rpartition(".")[2] == match[1] and key not in asked]
    near = difflib.get_close_matches(asked[0], same, 1, 0) if asked else []
    return f"{asked[0]} is not read; nearest is {near[0]}" if near else f"take {asked[0]} out" if asked else ""


def _dataclass_field(key: str, config: Any) -> bool:
    """Whether the dataclass that verl builds from the parent knows a key that the yaml lacks."""
    from hydra.utils import get_class
    from omegaconf import OmegaConf

    parent, _, name = key.rpartition(".")
    target = OmegaConf.select(config, f"{parent}._target_")
    try:
        return bool(target) and name in get_class(target).__dataclass_fields__
    except Exception:  # a target that cannot be imported here says nothing about the key
        return False


def _explain(error: BaseException, overrides: list[str], loader: Any, name: str, folder: Path) -> Problem:
    text = str(error)
    bare = loader.load_configuration(name, [], run_mode=_run_mode())
    known = [key for key in keys(bare) if not key.startswith("hydra")]
    if match := re.search(r"Could not override '([^']+)'", text):
        key = match[1].lstrip("+~").partition("@")[0]
        place = file_of(key, loader, name, folder)
        if _dataclass_field(key, bare):
            return Problem(
                "compose", f"{key} is not in {place}, but verl's dataclass has it", f"write +{key}=...", "unknown key"
            )
        parent = key.rpartition(".")[0]
        if parent.endswith("engine_kwargs.vllm"):
            return Problem("compose", f"{key} is not in {place}", f"write ++{key}=...", "unknown key")
        near = nearest(key, known)
        return Problem(
            "compose",
            f"verl has no key {key}",
            f"nearest is {near}, in {file_of(near, loader, name, folder)}" if near else f"it would be in {place}",
            "unknown key",
        )
    if match := re.search(r"Could not append to config. An item is already at '([^']+)'", text):
        return Problem(
            "compose", f"{match[1]} is set already, so + is refused", f"write {match[1]}=... or ++", "append"
        )
    if match := re.search(r"Could not delete from config.*?'([^']+)'", text):
        return Problem("compose", f"{match[1]} cannot be deleted: verl has no such key", "", "unknown key")
    if type(error).__name__ == "OverrideParseException":
        bad = next((item for item in overrides if item in text), text.splitlines()[-1])
        return Problem(
            "compose",
            f"{bad!r} is no override",
            "write key=value, quoted where it holds brackets or spaces",
            "malformed",
        )
    if match := re.search(r"Could not find '([^']+)'", text):
        return Problem(
            "compose",
            f"verl has no config {match[1]}",
            "it may come with another package: install that, or name its folder with hydra.searchpath=[file://DIR]",
            "missing config",
        )
    return Problem("compose", first_line(error), "", "compose")


def _run_mode() -> Any:
    from hydra.types import RunMode

    return RunMode.RUN


def compose(module: str, arguments: list[str]) -> tuple[Any, list[str]]:
    """verl's config for the trainer ``module`` with Hydra's command line ``arguments``, and the overrides among them.

    Raises:
        Problem: an override that Hydra or verl does not accept.
    """
    import contextlib
    import io

    from hydra._internal.utils import get_args_parser
    from omegaconf import OmegaConf

    folder, name = launcher(module)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed = get_args_parser().parse_args(arguments)
    except SystemExit:
        raise Problem(
            "compose",
            said.getvalue().strip().splitlines()[-1] if said.getvalue() else "help was asked for",
            "give overrides as key=value",
            "malformed",
        ) from None
    if parsed.config_path or parsed.config_dir:
        asked = Path(parsed.config_dir or parsed.config_path)
        inside = [root / asked for root in (Path.cwd(), folder, site(), folder.parent) if (root / asked).is_dir()]
        if not inside:
            raise Problem(
                "compose", f"config path {asked} is not there", "run where it is, or give it whole", "config path"
            )
        if parsed.config_path:
            folder = inside[0].resolve()
        else:
            parsed.overrides.append(f"hydra.searchpath=[file://{inside[0].resolve()}]")
    name = (parsed.config_name or name).removesuffix(".yaml")
    with _loader(folder) as loader:
        try:
            config = loader.load_configuration(name, parsed.overrides, run_mode=_run_mode())
        except Exception as error:  # Hydra and OmegaConf raise many kinds
            if type(error).__name__ == "MissingConfigException" and "primary config" in str(error).lower():
                raise Problem("compose", f"there is no config {name} under {folder}", "", "config path") from None
            raise _explain(error, parsed.overrides, loader, name, folder) from None
    if OmegaConf.select(config, "actor_rollout_ref.rollout") is None:
        raise Problem("scope", f"{module} starts no rollout", "the dry run covers trainers with a rollout", "launcher")
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    OmegaConf.set_struct(config, True)
    return config, list(parsed.overrides)


def given(overrides: list[str]) -> dict[str, str]:
    """Each override's text by bare key; the last one counts, as in Hydra."""
    found = {}
    for item in overrides:
        key, equals, value = item.partition("=")
        if equals:
            found[key.lstrip("+~").partition("@")[0]] = value
    return found
