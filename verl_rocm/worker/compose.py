"""verl's configuration, composed by Hydra from verl's own defaults, and what is wrong with an override."""

from __future__ import annotations

import ast
import contextlib
import difflib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .explain import Composition, explain
from .overrides import bare
from .problem import Refused
from .site import site
from .wire import ROLLOUT, Kind, Problem


def launcher(module: str) -> tuple[Path, str]:
    """Config folder and config name that a trainer's module gives to ``@hydra.main``; the module is only parsed.

    Raises:
        Refused: there is no such module, or it is no Hydra program.
    """
    file = (site() / module.replace(".", "/")).with_suffix(".py")
    hint = "the dry run takes verl.trainer.main_ppo and every other trainer that starts a rollout through Hydra"
    if not file.is_file() and not module.startswith("verl."):
        raise Refused("scope", f"{module} is no module of verl", hint, Kind.LAUNCHER)
    if not file.is_file():
        known = sorted((site() / module.replace(".", "/")).parent.glob("main_*.py"))
        near = difflib.get_close_matches(file.stem, [other.stem for other in known], 1)
        raise Refused(
            "compose", f"there is no module {module}", f"nearest is {near[0]}" if near else "", Kind.NO_MODULE
        )
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hydra.main":
            words = {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
            return file.parent / str(words.get("config_path") or "."), str(words.get("config_name"))
    raise Refused("scope", f"{module} is no Hydra program", hint, Kind.LAUNCHER)


def validates(module: str) -> bool:
    """Whether the trainer's module has verl check the whole config: the async and the generation ones do not."""
    return "validate_config(" in (site() / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")


def standalone(config: Any) -> bool:
    """Whether the rollout has GPUs of its own: verl's async configs have a part ``rollout`` for them."""
    return "rollout" in config and "n_gpus_per_node" in config.rollout


@contextlib.contextmanager
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


def _arguments(arguments: Sequence[str]) -> Any:
    """Hydra's own command line, parsed by Hydra.

    Raises:
        Refused: it is none.
    """
    from hydra._internal.utils import get_args_parser

    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return get_args_parser().parse_args(list(arguments))
    except SystemExit:
        message = printed.getvalue().strip().splitlines()[-1] if printed.getvalue() else "help was asked for"
        raise Refused("compose", message, "give overrides as key=value", Kind.MALFORMED) from None


def _folder(parsed: Any, folder: Path) -> Path:
    """The config folder; one of the user's own is looked for where Hydra would.

    Raises:
        Refused: it is not there.
    """
    named = parsed.config_dir or parsed.config_path
    if not named:
        return folder
    inside = [root / named for root in (Path.cwd(), folder, site(), folder.parent) if (root / named).is_dir()]
    if not inside:
        hint = "run where it is, or give it whole"
        raise Refused("compose", f"config path {named} is not there", hint, Kind.CONFIG_PATH)
    own = inside[0].resolve()
    if parsed.config_path:
        return own
    # Hydra looks in --config-dir beside its main folder; the loader here has one main folder, so the other is searched.
    primary = own if (own / f"{(parsed.config_name or '').removesuffix('.yaml')}.yaml").is_file() else folder
    parsed.overrides.append(f"hydra.searchpath=[file://{folder if primary == own else own}]")
    return primary


def _load(at: Composition) -> tuple[Any, list[Problem]]:
    """The configuration, and every override that was refused: each is noted, left out, and composed again without.

    Raises:
        Refused: it cannot be composed, whatever is left out.
    """
    from hydra.types import RunMode

    problems: list[Problem] = []
    overrides = list(at.overrides)
    while True:
        try:
            return at.loader.load_configuration(at.name, overrides, run_mode=RunMode.RUN), problems
        except Exception as error:  # Hydra and OmegaConf raise many kinds
            refused = explain(error, replace(at, overrides=overrides))
        key = refused.problem.key
        kept = [item for item in overrides if key is None or key not in (bare(item), item)]
        if len(kept) == len(overrides):
            if problems:
                return None, [*problems, refused.problem]
            raise refused
        problems.append(refused.problem)
        overrides = kept


def compose(module: str, arguments: Sequence[str]) -> tuple[Any, list[str], list[Problem]]:
    """verl's config for the trainer ``module`` with Hydra's command line ``arguments``.

    Returns:
        The config (None if it cannot be composed even without what was refused), the overrides, and what was refused.

    Raises:
        Refused: the trainer, its config or the command line is none.
    """
    from omegaconf import OmegaConf

    folder, name = launcher(module)
    parsed = _arguments(arguments)
    folder = _folder(parsed, folder)
    with _loader(folder) as loader:
        at = Composition(loader, (parsed.config_name or name).removesuffix(".yaml"), folder, parsed.overrides)
        config, problems = _load(at)
    if config is None:
        return None, list(parsed.overrides), problems
    if OmegaConf.select(config, ROLLOUT) is None:
        hint = "the dry run covers trainers with a rollout"
        raise Refused("scope", f"{module} starts no rollout", hint, Kind.LAUNCHER)
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    OmegaConf.set_struct(config, True)
    return config, list(parsed.overrides), problems
