"""Container images as facts: the real ones load; every planted fault is one line that names the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.facts.base import write
from verl_rocm.facts.base import FactsError
from verl_rocm.facts.load import load

THREAD = '{type = "issue", repo = "o/r", number = 1, read = 2026-11-01}'
LINE = '{type = "source", repo = "o/r", commit = "abcdef0", file = "Dockerfile", line = 7, read = 2026-11-01}'
PROOF = 'evidence = [{type = "page", url = "https://example.org/image", read = 2026-11-01}]'
IMAGE = f"""\
[[image]]
id = "first"
name = "org/first:v1"
by = "Org"
use = "For a test."
rocm = "7.2"
archs = ["gfx942"]
patches = [
  {{what = "Sets `VLLM_CHUNK`.", issue = "full", evidence = [{LINE}]}},
  {{what = "Removes a package.", evidence = [{LINE}]}},
]
conflict = {{positions = [
  {{value = "built from one file", who = "The README", evidence = [{THREAD}]}},
  {{value = "built from another", who = "The CI", evidence = [{THREAD}]}},
], decides = "Its manifest."}}
unknown = ["digest"]
see = ["full"]
{PROOF}
checked = 2026-11-01
"""


def test_the_guide_knows_images() -> None:
    images = load().images
    assert len(images) >= 9
    assert {patch.issue for patch in images["verl-rocm-7-14"].patches} >= {"stale-vram-after-wake"}
    assert all(
        "digest" in " ".join(image.unknown)
        for image in images.values()
        if image.published and "sha256" not in image.name
    )


def test_a_sound_image_loads(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "images.toml").write_text(IMAGE)
    assert load(folder).images["first"].sets == {}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("org/first:v1", "org/first", "'org/first' names no tag; add one, or set published = false"),
        ("org/first:v1", "localhost:5000/first", "'localhost:5000/first' names no tag"),
        ('["gfx942"]', '["gfx1"]', "field 'archs.0' is 'gfx1'"),
        ('["gfx942"]', '["gfx9ff"]', "archs: arch 'gfx9ff' is in gpus.toml no more"),
        ('["gfx942"]', "[]", "field 'archs' needs at least 1"),
        ('issue = "full"', 'issue = "none"', "names 'none', which is no known issue"),
        ('see = ["full"]', 'see = ["none"]', "names 'none', which is no known issue"),
        (PROOF, "", "field 'evidence' is missing"),
        ('rocm = "7.2"', 'rocm = "7.2"\nrom = 1', "unknown field 'rom'"),
        ("built from another", "built from one file", "all positions have the same value"),
    ],
)
def test_a_planted_fault_is_one_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in IMAGE
    folder = write(tmp_path)
    (folder / "images.toml").write_text(IMAGE.replace(old, new, 1))
    with pytest.raises(FactsError) as raised:
        load(folder)
    assert str(raised.value).startswith("verl_rocm/facts/images.toml: image 'first': ")
    assert says in str(raised.value) and "\n" not in str(raised.value)


def test_an_image_is_listed_once(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "images.toml").write_text(IMAGE + IMAGE)
    with pytest.raises(FactsError, match="image 'first': listed twice; keep one"):
        load(folder)
