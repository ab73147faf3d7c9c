"""Evidence as links: where it can be read again, and on which day it was."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from docutils import nodes
from sphinx import addnodes

from facts_pages.markup import bullets, code, link, literal, paragraph, thread_url
from facts_pages.words import NAMES
from verl_rocm.facts.evidence import Evidence, OwnRecord, Page, Release, Source, Thread

# Repository, tag and folder in which the files of a release lie.
RELEASES = {
    "vllm": ("vllm-project/vllm", "v{}", ""),
    "verl": ("verl-project/verl", "v{}", ""),
    "ray": ("ray-project/ray", "ray-{}", "python/"),
    "torch": ("pytorch/pytorch", "v{}", ""),
}
THREADS = {"issue": "issue", "pr": "pull request"}


def release_url(item: Release) -> str:
    """The line of a release on GitHub; empty for the metadata of a package, which no repository holds."""
    if ".dist-info/" in item.file:
        return ""
    repo, tag, folder = RELEASES[item.project]
    return f"https://github.com/{repo}/blob/{tag.format(item.release)}/{folder}{item.file}#L{item.line}"


def _what(item: Evidence) -> list[nodes.Node]:
    """The link, and what it shows."""
    match item:
        case Release():
            name = f"{NAMES[item.project]} {item.release}, {item.file}:{item.line}"
            url = release_url(item)
            return [link(name, url) if url else nodes.Text(name), nodes.Text(": "), literal(item.text)]
        case Source():
            url = f"https://github.com/{item.repo}/blob/{item.commit}/{item.file}#L{item.line}"
            return [link(f"{item.repo}, {item.file}:{item.line}", url), nodes.Text(f" at {item.commit[:7]}")]
        case Thread():
            state = "" if item.state == "unknown" else f", {item.state}"
            return [link(f"{item.repo} {THREADS[item.type]} {item.number}", thread_url(item)), nodes.Text(state)]
        case Page():
            parts = urlsplit(item.url)
            published = f", published {item.published}" if item.published else ""
            return [link(f"{parts.netloc}{parts.path.rstrip('/')}", item.url), nodes.Text(published)]
        case OwnRecord():
            table = addnodes.pending_xref(
                "",
                nodes.inline("", "our record"),
                refdomain="std",
                reftype="doc",
                reftarget="/docs/reference/verification",
                refexplicit=True,
                refwarn=True,
            )
            return [table, nodes.Text(" of "), literal(item.region)]


def source(item: Evidence) -> nodes.paragraph:
    """One piece of evidence."""
    note = code(f" ({item.note})") if item.note else []
    return paragraph(*_what(item), *note, f", read {item.read}")


def sources(items: Iterable[Evidence]) -> nodes.bullet_list:
    """All evidence of an entry."""
    return bullets(map(source, items), "fact-sources")
