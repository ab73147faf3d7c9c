"""The real pages made from facts: complete, and found by the site's search with the error text that a user pastes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypedDict

import pytest
from docutils import nodes
from sphinx.search.en import SearchEnglish

from facts_pages.sources import sources
from tests.docs.facts_guide import FactsGuide
from tests.docs.test_browser import CHROMIUM, OPTIONS
from tools.environment import ROOT
from verl_rocm.facts.base import Facts
from verl_rocm.facts.load import load

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = tuple(f"reference/{name}" for name in ("settings", "environment-variables", "versions", "gpus", "images"))
TROUBLE = "how-to/troubleshooting"
ERRORS = [(issue.id, text) for issue in load().issues.values() for text in issue.symptoms]


@pytest.fixture(scope="module")
def facts() -> Facts:
    return load()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> FactsGuide:
    """The six pages over the real facts; other pages of the guide are left out."""
    guide = FactsGuide(tmp_path_factory.mktemp("site"))
    for folder in ("docs", "verl_rocm"):
        shutil.rmtree(guide.root / folder)
    (guide.root / "verl_rocm" / "facts").mkdir(parents=True)
    for part in ("settings", "known_issues", "gpus.toml", "images.toml", "vllm", "verl"):
        (guide.root / "verl_rocm" / "facts" / part).symlink_to(ROOT / "verl_rocm" / "facts" / part)
    guide.write("index.rst", "Guide\n=====\n\n.. toctree::\n   :glob:\n\n   docs/*/*\n")
    for name in (*PAGES, TROUBLE):
        guide.write(f"docs/{name}.rst", (ROOT / "docs" / f"{name}.rst").read_text(encoding="utf-8"))
    warnings = guide.build(parallel=2)
    assert set(warnings) <= {"ref.doc"}, guide.lines  # pages that this site leaves out
    return guide


def everything(site: FactsGuide) -> str:
    return "".join(site.html(f"docs/{name}") for name in (*PAGES, TROUBLE))


def test_every_entry_has_its_anchor(site: FactsGuide, facts: Facts) -> None:
    anchors = re.findall(r'<section class="fact-entry" id="([^"]+)"', everything(site))
    gpus = [name.lower() for name in facts.gpus]
    assert sorted(anchors) == sorted([*facts.settings, *facts.issues, *facts.images, *gpus])


def test_every_piece_of_evidence_is_a_link_with_its_day(site: FactsGuide, facts: Facts) -> None:
    html = everything(site)
    proofs = [e.evidence for part in (facts.settings, facts.issues) for e in part.values()]
    for proof in [*proofs, *(gpu.evidence for gpu in facts.gpus.values())]:
        links = [node["refuri"] for node in sources(proof).findall(nodes.reference)]
        assert links, f"{proof} cannot be opened"
        assert [url for url in links if f'href="{url}"' not in html] == []
    days = sum(map(len, proofs))
    assert len(re.findall(r", read \d{4}-\d\d-\d\d", html)) >= days


def test_no_block_and_no_leftover_markup(site: FactsGuide) -> None:
    html = everything(site)
    assert '<div class="highlight' not in html
    assert "`" not in re.sub(r"<code.*?</code>", "", html.split("<body>", 1)[1], flags=re.S)


class SearchIndex(TypedDict):
    """The parts of Sphinx' search index that a search reads; one page of a word stands alone, several in a list."""

    docnames: list[str]
    terms: dict[str, int | list[int]]
    titleterms: dict[str, int | list[int]]
    indexentries: dict[str, list[list[int | str | bool]]]


@pytest.fixture(scope="module")
def index(site: FactsGuide) -> SearchIndex:
    text = (site.root / "build" / "html" / "searchindex.js").read_text(encoding="utf-8")
    index: SearchIndex = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return index


def pages_with(index: SearchIndex, query: str) -> set[str]:
    """Pages that have every word of ``query``, as the site's JavaScript looks them up."""
    english = SearchEnglish({})
    pages = set(index["docnames"])
    for word in re.findall(r"\w+", query.lower()):
        if word in english.stopwords or word.isdigit():
            continue
        hits: set[str] = set()
        for terms in (index["terms"], index["titleterms"]):
            numbers = terms.get(english.stem(word), [])
            hits |= {index["docnames"][n] for n in ([numbers] if isinstance(numbers, int) else numbers)}
        pages &= hits
    return pages


@pytest.mark.parametrize(("name", "text"), ERRORS)
def test_the_index_has_every_error_text(index: SearchIndex, name: str, text: str) -> None:
    assert f"docs/{TROUBLE}" in pages_with(index, text)
    entries = index["indexentries"][text.replace(";", ",").lower()]
    number = index["docnames"].index(f"docs/{TROUBLE}")
    assert [number, name, True] in entries


def test_the_index_does_not_have_what_no_entry_says(index: SearchIndex) -> None:
    assert ERRORS
    assert pages_with(index, ERRORS[0][1] + " snark") == set()


@pytest.fixture(scope="module")
def search(site: FactsGuide) -> Iterator[Callable[[str], list[str]]]:
    """The site's own search in a browser: from a query to the results, best first, as page#anchor."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: install Debian's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        page: Page = browser.new_page()
        page.goto(f"{(site.root / 'build' / 'html' / 'search.html').as_uri()}?q=sleep")
        page.wait_for_selector("#search-results ul li")

        def find(query: str) -> list[str]:
            rows = page.evaluate("query => Search._performSearch(...Search._parseQuery(query))", query)
            return [f"{row[0]}{row[2]}" for row in reversed(rows)]  # Sphinx shows them from the last to the first

        yield find
        browser.close()


@pytest.mark.parametrize(("name", "text"), ERRORS)
def test_the_search_leads_from_the_error_text_to_the_entry(
    search: Callable[[str], list[str]], name: str, text: str
) -> None:
    hits = search(text)
    # Sphinx splits an index entry at a semicolon, so such a text leads to the page and not to the entry.
    target = f"docs/{TROUBLE}" if ";" in text else f"docs/{TROUBLE}#{name}"
    assert target in hits[:3], hits


def test_the_search_finds_settings_and_titles(search: Callable[[str], list[str]], facts: Facts) -> None:
    assert "docs/reference/environment-variables#vllm-rocm-use-aiter" in search("VLLM_ROCM_USE_AITER")
    for issue in facts.issues.values():
        assert f"docs/{TROUBLE}#{issue.id}" in search(issue.title)
    assert search("snark boojum") == []
