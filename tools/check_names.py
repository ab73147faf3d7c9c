"""Check every setting that a snippet or a page names against the releases that the page claims, and the page's words.

``python -m tools.check_names`` prints page, line, release and name of each fault; exit code 1 if there is one.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tools.names import pages, snippets, words
from tools.names.judge import Judge
from tools.names.named import Named, own
from verl_rocm.facts.base import Facts, FactsError
from verl_rocm.facts.load import read
from verl_rocm.facts.releases import HERE

ROOT = Path(__file__).parent.parent


def page_files(root: Path) -> list[Path]:
    """The files of all pages of the guide."""
    return sorted([*root.glob("*.rst"), *(p for s in ("rst", "md") for p in (root / "docs").rglob(f"*.{s}"))])


def guide_pages(root: Path) -> list[pages.Page]:
    """All pages of the guide."""
    return [pages.read(p, p.relative_to(root).as_posix()) for p in page_files(root)]


def word_faults(root: Path) -> list[str]:
    """The words of ``tools/words.toml`` that a page or ``README.md`` uses."""
    unwanted = words.load()
    files = [*page_files(root), *root.glob("README.md")]
    return [fault for p in files for fault in words.faults(p, p.relative_to(root).as_posix(), unwanted)]


def named(root: Path) -> Iterator[tuple[Named, pages.Page | None]]:
    """Every name with its page; a snippet's names come once for each page that shows it, or with None."""
    guide = guide_pages(root)
    for page in guide:
        yield from ((name, page) for name in page.names)
    files = sorted((root / "snippets").rglob("*"))
    ours = {name for path in files if path.suffix == ".sh" for name in own(path.read_text(encoding="utf-8"))}
    for path in files:
        if path.suffix in (".py", ".sh", ".yaml", ".yml"):
            relative = path.relative_to(root / "snippets").as_posix()
            items = [
                n for n in snippets.names_in(path, f"snippets/{relative}") if n.kind != "env" or n.name not in ours
            ]
            showing: list[pages.Page | None] = [p for p in guide if relative in p.snippets]
            yield from ((name, page) for page in showing or [None] for name in items)


def faults(root: Path, facts: Facts) -> list[str]:
    """All faults: names that a claimed release does not have, and names listed as gone that are not."""
    judge = Judge(facts)
    default = tomllib.loads((HERE / "guide.toml").read_text(encoding="utf-8"))
    by_page: dict[pages.Page | None, list[Named]] = {}
    for name, page in named(root):
        by_page.setdefault(page, []).append(name)
    out: list[str] = []
    for page, names in by_page.items():
        try:
            out += judge_page(judge, page, names, default)
        except pages.ClaimError as error:
            out.append(str(error))
    return list(dict.fromkeys(out))


def judge_page(judge: Judge, page: pages.Page | None, names: list[Named], default: dict[str, str]) -> list[str]:
    """Faults of the names of one page and of the snippets that it shows; ``default`` fills in its claims."""
    text = default | (page.claims if page else {})
    where = page.path if page and page.claims else "verl_rocm/facts/guide.toml"
    known = judge.facts.releases
    vllm, verl = (pages.releases(text[project], known[project], where) for project in ("vllm", "verl"))
    gone = page.gone if page else frozenset()
    out, alive = [], set()
    for name in names:
        items = list(judge.faults(name, vllm, verl))
        plain = name.name.lstrip("+")
        if plain not in gone:
            out += [f"{name.path}:{name.line}: {fault}" for fault in items]
        elif not items:
            alive.add(plain)
    return out + [f"{where}: {name} is listed as gone, but the claimed releases have it" for name in sorted(alive)]


def main() -> int:
    """Entry point; 1 if a name does not exist or a word is unwanted, 2 if the facts cannot be read."""
    started = time.perf_counter()
    try:
        result = faults(ROOT, read(HERE)) + word_faults(ROOT)
    except FactsError as error:
        print(error, file=sys.stderr)
        return 2
    for fault in result:
        print(fault)
    print(f"{len(result)} faults, {time.perf_counter() - started:.1f} s", file=sys.stderr)
    return 1 if result else 0


if __name__ == "__main__":
    sys.exit(main())
