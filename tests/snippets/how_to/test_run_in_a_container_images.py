"""The Dockerfile, the Apptainer definition and the pins: they agree with each other, with verl and the engine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
SNIPPETS = ROOT / "snippets" / "how_to"
DOCKERFILE, DEFINITION = "run_in_a_container.Dockerfile", "run_in_a_container.def"
PINS = "run_in_a_container_requirements.txt"
# Lines that go on after a backslash are joined.
TEXT = {name: re.sub(r"\\\n\s+", "", (SNIPPETS / name).read_text()) for name in (DOCKERFILE, DEFINITION, PINS)}
LOCK = (ROOT / "requirements" / "cpu-0.30.0.lock").read_text()
# What requirements/rocm.txt and common.txt of vLLM 0.30.0 install, and pyarrow, which datasets needs.
IN_THE_IMAGE = {"datasets", "numpy", "packaging", "peft", "pyarrow"}
NEVER = {"torch", "torchvision", "torchaudio", "triton", "vllm", "verl"}
SECTIONS = {"files", "post", "environment"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> Iterator[Requirement]:
    """The requirements of a pin file."""
    for line in text.splitlines():
        if bare := line.partition("#")[0].strip():
            yield Requirement(bare)


def faults_of_pins(text: str, needs: list[str]) -> list[str]:
    """What is wrong with the pins, given what verl asks for."""
    faults = []
    pinned = {plain(one.name): str(one.specifier) for one in pins(text)}
    for name, spec in pinned.items():
        if not re.fullmatch(r"==[\w.]+", spec):
            faults.append(f"{name} is not pinned")
        elif f"\n{name}{spec} " not in LOCK.lower():
            faults.append(f"{name}{spec} is not what the CPU engine runs with")
        if name in NEVER:
            faults.append(f"{name} would be replaced")
    for need in map(Requirement, needs):
        name = plain(need.name)
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        if name not in pinned and name not in IN_THE_IMAGE:
            faults.append(f"verl needs {name}")
        elif re.match("==", pinned.get(name, "")) and not need.specifier.contains(pinned[name].removeprefix("==")):
            faults.append(f"verl does not take {name}{pinned[name]}")
    return faults


def faults_of_definition(text: str, dockerfile: str) -> list[str]:
    """What is wrong with the Apptainer definition, given the Dockerfile that it must agree with."""
    code = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    header = dict(line.split(": ", 1) for line in code[:2])
    base = re.search(r"^ARG BASE=(\S+)$", dockerfile, re.M)
    install = re.search(r"PIP_NO_CACHE_DIR=1 bash .+", dockerfile)
    copied = re.search(r"^COPY (.+) \./$", dockerfile, re.M)
    assert base and install and copied
    faults = []
    if header != {"Bootstrap": "docker", "From": base[1]}:
        faults.append("the base is not the Dockerfile's")
    if {line[1:].split()[0] for line in code if line.startswith("%")} != SECTIONS:
        faults.append("sections")
    files = [line.split() for line in code if line.startswith("  run_in_a_container")]
    if [source for source, _ in files] != copied[1].split() or any(not (SNIPPETS / one).is_file() for one, _ in files):
        faults.append("files")
    if any(target != f"/opt/verl-rocm/{source}" for source, target in files):
        faults.append("targets")
    if f"    {install[0]}" not in code:
        faults.append("it does not install as the Dockerfile does")
    return faults


@pytest.mark.block("how_to/run_in_a_container_requirements.txt", "pins", evidence="checked")
def test_the_pins_are_what_verl_needs_beside_the_image() -> None:
    if not importlib.util.find_spec("verl"):
        pytest.skip("verl is not installed")
    assert importlib.metadata.version("verl") == "0.9.1"
    assert faults_of_pins(TEXT[PINS], importlib.metadata.requires("verl") or []) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("dill==0.4.1", "dill>=0.4.1", "dill is not pinned"),
        ("dill==0.4.1", "", "verl needs dill"),
        ("dill==0.4.1", "dill==0.4.0", "dill==0.4.0 is not what the CPU engine runs with"),
        ("dill==0.4.1", "dill==0.4.1\ntorch==2.13.0", "torch would be replaced"),
        ("transformers==5.10.4", "transformers==5.11.0", "verl does not take transformers==5.11.0"),
        ("tensordict==0.10.0", "tensordict==0.11.0", "verl does not take tensordict==0.11.0"),
    ],
)
def test_a_faulty_pin_is_found(old: str, new: str, says: str) -> None:
    needs = ["dill", "transformers!=5.6.0,<5.11,>=5.5.3", "tensordict!=0.9.0,<=0.10.0,>=0.8.0", 'x; extra == "math"']
    assert faults_of_pins(TEXT[PINS], needs) == []
    assert says in faults_of_pins(TEXT[PINS].replace(old, new), needs)


@pytest.mark.block("how_to/run_in_a_container.Dockerfile", "base", "verl", "start", evidence="checked")
@pytest.mark.block("how_to/run_in_a_container.def", "definition", evidence="checked")
def test_dockerfile_and_definition_build_the_same() -> None:
    assert faults_of_definition(TEXT[DEFINITION], TEXT[DOCKERFILE]) == []
    assert re.search(r"run_in_a_container_verl\.sh 0\.9\.1 ", TEXT[DOCKERFILE])
    base = re.search(r"^ARG BASE=(\S+)$", TEXT[DOCKERFILE], re.M)
    images = tomllib.loads((ROOT / "verl_rocm" / "facts" / "images.toml").read_text())["image"]
    assert base and [image["vllm"] for image in images if image["name"] == base[1]] == ["0.30.0"]
    assert re.search(r"^ENTRYPOINT \[\]\nCMD ", TEXT[DOCKERFILE], re.M), "else words after the image go to vllm serve"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("v0.30.0", "v0.33.0", "the base is not the Dockerfile's"),
        ("Bootstrap: docker", "Bootstrap: library", "the base is not the Dockerfile's"),
        ("%post", "%pots", "sections"),
        ("  run_in_a_container_verl.sh /opt", "  run_in_a_container_verl2.sh /opt", "files"),
        ("/opt/verl-rocm/run_in_a_container_verl.sh", "/opt/verl.sh", "targets"),
        ("verl.sh 0.9.1", "verl.sh 0.9.0", "it does not install as the Dockerfile does"),
    ],
)
def test_a_faulty_definition_is_found(old: str, new: str, says: str) -> None:
    assert old in TEXT[DEFINITION]
    assert says in faults_of_definition(TEXT[DEFINITION].replace(old, new), TEXT[DOCKERFILE])
