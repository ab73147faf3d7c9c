"""The built guide in a real browser, at desktop and phone width: it is readable, complete, and asks nobody else."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from guide.regions import scan_tree
from tools.environment import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine: install Debian's package chromium"
)
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
HOW_TO = "docs/how-to/hip-graphs"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SCREENSHOTS = ROOT / "build" / "screenshots"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address and the folder of the guide, built for this test."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-d", str(folder / "doctrees"), str(ROOT), str(folder / "html")]
    build = subprocess.run(command, capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    handler = functools.partial(Quiet, directory=str(folder / "html"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder / "html"
        server.shutdown()


TOO_WIDE = """() => {
    const page = document.documentElement;
    if (page.scrollWidth <= page.clientWidth) return [];
    return [...document.querySelectorAll("section *")]
        .filter(part => !part.closest("pre") && part.getBoundingClientRect().right > page.clientWidth)
        .map(part => part.textContent.slice(0, 80)).slice(0, 5).concat([`${page.scrollWidth} pixels`]);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a reader who comes for the first time: nothing is remembered."""
    context = browser.new_context(accept_downloads=True, permissions=["clipboard-read", "clipboard-write"])
    yield context.new_page()
    context.close()


def manifest(folder: Path) -> list[dict[str, str]]:
    rows = json.loads((folder / "snippets.json").read_text())
    assert isinstance(rows, list)
    return rows


def pages(folder: Path) -> list[str]:
    return sorted({row["page"] for row in manifest(folder)} | {"index", "docs/reference/verification"})


def show(block: Locator) -> None:
    """Open what hides a block, as a reader would: dropdowns by their summary, tabs by their label."""
    for dropdown in block.locator("xpath=ancestor::details[not(@open)]").all():
        dropdown.locator("summary").first.click()
    for panel in block.locator("xpath=ancestor::div[contains(@class, 'sd-tab-content')]").all():
        panel.locator("xpath=preceding-sibling::label[1]").click()


@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_and_asks_nobody_else(site: tuple[str, Path], page: Page, size: str) -> None:
    """No page is wider than the screen, every shown block has its badge, and no request leaves the site."""
    address, folder = site
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    shown = [row["page"] for row in manifest(folder)]
    for name in pages(folder):
        page.goto(f"{address}/{name}.html")
        assert page.evaluate(TOO_WIDE) == [], name
        blocks = page.locator("div.block-evidence")
        assert blocks.count() == shown.count(name), name
        for number in range(blocks.count()):
            show(blocks.nth(number))
            box = blocks.nth(number).bounding_box()
            assert box is not None, f"{name}: block {number} is not to be seen"
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert blocks.nth(number).locator(".block-badge").first.inner_text()
        if name in ("index", HOW_TO):
            picture = page.screenshot(path=str(SCREENSHOTS / f"{name.split('/')[-1]}-{size}.png"), full_page=True)
            assert len(picture) > 20_000, f"{name} is nearly blank"
    assert [url for url in requests if not url.startswith((address, "data:"))] == []


SCROLLS = """() => [...document.querySelectorAll('div.highlight pre')]
    .filter(block => block.scrollWidth > block.clientWidth + 1 && !block.closest('.highlight-text'))
    .map(block => block.textContent.slice(0, 80))"""


def test_no_code_of_a_snippet_scrolls(site: tuple[str, Path], page: Page) -> None:
    """Fails when `guide.regions.WIDTH` is more than a block shows at 1280 pixels; outputs of programs may scroll."""
    address, folder = site
    page.set_viewport_size({"width": 1280, "height": 900})
    for file in sorted((folder / "docs" / "how-to").glob("*.html")):
        page.goto(f"{address}/docs/how-to/{file.name}")
        assert page.evaluate(SCROLLS) == [], file.name


def test_the_copy_button_copies_the_region(site: tuple[str, Path], page: Page) -> None:
    address, folder = site
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{address}/{HOW_TO}.html")
    first = next(row for row in manifest(folder) if row["page"] == HOW_TO)
    regions, _ = scan_tree(ROOT / "snippets")
    text = regions[f"{first['file'].removeprefix('snippets/')}:{first['region']}"].text
    page.locator("div.highlight").first.hover()
    page.locator("button.copybtn").first.click()
    page.wait_for_function("document.querySelector('button.copybtn.success') !== null")
    assert page.evaluate("navigator.clipboard.readText()").strip() == text.strip()


def test_download_and_whole_file_are_the_snippet(site: tuple[str, Path], page: Page) -> None:
    address, folder = site
    page.goto(f"{address}/{HOW_TO}.html")
    first = next(row for row in manifest(folder) if row["page"] == HOW_TO)
    snippet = (ROOT / first["file"]).read_text()
    with page.expect_download() as waiting:
        page.locator("a.reference.download").first.evaluate(
            "link => { link.setAttribute('download', ''); link.click() }"
        )
    assert Path(waiting.value.path()).read_text() == snippet
    page.locator("a.block-source").first.click()
    assert page.url.endswith(f"{first['file']}.html")
    page.locator("span.linenos").evaluate_all("numbers => numbers.forEach(number => number.remove())")
    assert page.locator("div.highlight pre").text_content() == snippet


def test_the_landing_page_leads_to_four_doors(site: tuple[str, Path], page: Page) -> None:
    address, _ = site
    page.goto(f"{address}/index.html")
    for door in ("tutorial", "how-to", "explanation", "reference"):
        link = page.locator(f".wy-nav-content a[href='docs/{door}/index.html']").first
        assert link.count() == 1, door
    assert page.locator("ul.block-summary li").count() >= 1


def test_the_chosen_release_is_remembered(site: tuple[str, Path], page: Page) -> None:
    """The tabs of the build show one release, and show it again after a visit to another page."""
    address, _ = site
    page.set_viewport_size({"width": 1280, "height": 900})
    target = f"{address}/docs/how-to/get-vllm.html"
    page.goto(target)
    blocks = {name: page.get_by_text(f'get_vllm.sh" {name} "$arch"') for name in ("0.8.4", "0.24.0", "0.33.0")}

    def shown() -> list[str]:
        return [name for name, block in blocks.items() if block.first.is_visible()]

    assert shown() == ["0.24.0"]
    page.locator("label.sd-tab-label", has_text="0.33.0").click()
    assert shown() == ["0.33.0"]
    page.goto(f"{address}/{HOW_TO}.html")
    page.goto(target)
    assert shown() == ["0.33.0"]
    page.goto(f"{target}?vllm=0.8.4")
    assert shown() == ["0.8.4"]
