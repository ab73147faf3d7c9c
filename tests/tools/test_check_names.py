"""Names in snippets and pages against the release contracts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_names
from tools.check_names import faults
from tools.names import pages, snippets
from tools.names.judge import Judge
from tools.names.named import Named, environment, overrides, shell
from verl_rocm.facts.load import read
from verl_rocm.facts.releases import HERE

ROOT = Path(__file__).parent.parent.parent
JUDGE = Judge(read(HERE))

PYTHON = """\
import os
from vllm import LLM, SamplingParams
options = {"seed": 1}
llm = LLM(model="m", **options, compilation_config={"cudagraph_mode": "FULL"})
llm.sleep(level=2)
SamplingParams(temperature=0)
os.environ["VLLM_A"] = "1"
os.environ.setdefault("HSA_B", "1"), os.getenv("NCCL_C")
env = {"VLLM_D": "1", "FULL_DECODE_ONLY": 1}
argv = ["trainer.nnodes=1", "+actor_rollout_ref.rollout.engine_kwargs.vllm.seed=1"]
other.sleep(seconds=2)
"""


def test_python_snippets() -> None:
    names = {(n.kind, n.name) for n in snippets.python(PYTHON, "a.py")}
    assert names == {
        ("argument", "model"),
        ("argument", "seed"),
        ("argument", "compilation_config"),
        ("compilation", "cudagraph_mode"),
        ("method", "sleep"),
        ("method", "sleep.level"),
        ("sampling", "temperature"),
        ("env", "VLLM_A"),
        ("env", "HSA_B"),
        ("env", "NCCL_C"),
        ("env", "VLLM_D"),
        ("override", "trainer.nnodes"),
        ("override", "+actor_rollout_ref.rollout.engine_kwargs.vllm.seed"),
    }


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("export HSA_X=1  # VLLM_NOT=1", ["HSA_X"]),
        ("export ANYTHING=1", ["ANYTHING"]),
        ("VLLM_TARGET_DEVICE=rocm MY_LOCAL=2 python3 setup.py develop", ["VLLM_TARGET_DEVICE"]),
        ("docker run -e NCCL_DEBUG=INFO --env=HIP_X=1 image", ["NCCL_DEBUG", "HIP_X"]),
        ("export PATH=$PATH:/opt/rocm/bin", []),
        ("    ++actor_rollout_ref.rollout.n=8 \\", ["++actor_rollout_ref.rollout.n"]),
        ("cat my.trainer.txt data.json", ["data.json"]),
    ],
)
def test_shell(line: str, names: list[str]) -> None:
    assert sorted(n.name for n in shell(line, "a.sh", 1)) == sorted(names)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("VLLM_ROCM_USE_AITER=1", ["VLLM_ROCM_USE_AITER"]),
        ("VLLM_ROCM_USE_AITER_*", ["VLLM_ROCM_USE_AITER_"]),
        ("FULL_AND_PIECEWISE", []),
        ("CMAKE_ARGS", ["CMAKE_ARGS"]),
    ],
)
def test_variables_in_literals(text: str, names: list[str]) -> None:
    assert [n.name for n in environment(text, "a.rst", 1)] == names


PAGE = """\
:vllm: 0.30.0
:verl: 0.9.1
:gone: VLLM_GPU_LANG

Title
=====

``VLLM_GPU_LANG`` was never read; ``enforce_eager=True`` and ``--max-num-seqs`` are, VLLM_PLAIN is prose.
`a link <https://x.test/trainer.fake>`__ and ``actor_rollout_ref.rollout.n=5``.

.. literalinclude:: /snippets/how_to/sleep.py
   :start-after: # [start:verl_x]

.. code-block:: bash
   :class: sketch

   export HSA_Y=1
   LLM(swap_space=4, a.max_model_len == 3)
"""


def test_a_page(tmp_path: Path) -> None:
    path = tmp_path / "a.rst"
    path.write_text(PAGE)
    page = pages.read(path, "docs/a.rst")
    assert page.claims == {"vllm": "0.30.0", "verl": "0.9.1"}
    assert page.gone == {"VLLM_GPU_LANG"}
    assert page.snippets == {"how_to/sleep.py"}
    assert {(n.kind, n.name, n.line) for n in page.names} == {
        ("env", "VLLM_GPU_LANG", 8),
        ("word", "enforce_eager", 8),
        ("word", "max_num_seqs", 8),
        ("override", "actor_rollout_ref.rollout.n", 9),
        ("env", "HSA_Y", 17),
        ("word", "swap_space", 18),
    }


def test_front_matter_of_a_myst_page(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text('---\nvllm: ">=0.30"\ngone: VLLM_USE_V1\n---\n\n# Title\n\n`VLLM_USE_V1`\n')
    page = pages.read(path, "docs/a.md")
    assert page.claims == {"vllm": ">=0.30"}
    assert page.gone == {"VLLM_USE_V1"}
    assert [n.name for n in page.names] == ["VLLM_USE_V1"]


KNOWN = ("0.24.0", "0.25.0", "0.30.0")


@pytest.mark.parametrize(
    ("claim", "means"),
    [
        ("0.24.0, 0.30.0", ["0.24.0", "0.30.0"]),
        (">=0.25", ["0.25.0", "0.30.0"]),
        (">=0.24,<0.30", ["0.24.0", "0.25.0"]),
    ],
)
def test_what_a_claim_means(claim: str, means: list[str]) -> None:
    assert pages.releases(claim, KNOWN, "docs/a.rst") == means


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ("0.99.0", "docs/a.rst: 0.99.0 is not stored; correct the claim or run `make releases`"),
        (">=0.31", "docs/a.rst: no stored release lies in '>=0.31'"),
        ("latest", "docs/a.rst: 'latest' names no releases; write 0.24.0, 0.30.0 or >=0.24"),
    ],
)
def test_a_claim_that_means_nothing(claim: str, says: str) -> None:
    with pytest.raises(pages.ClaimError) as caught:
        pages.releases(claim, KNOWN, "docs/a.rst")
    assert str(caught.value).startswith(says)


ROLLOUT = "actor_rollout_ref.rollout"
VLLM = f"{ROLLOUT}.engine_kwargs.vllm"
ENV_VARS = "+ray_kwargs.ray_init.runtime_env.env_vars"


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("argument", "enable_sleep_mode", None),
        ("argument", "swap_space", "vllm 0.30.0 has no swap_space; 0.8.4 to 0.17.1 do"),
        ("sampling", "temperature", None),
        ("sampling", "temprature", "vllm 0.30.0 has no temprature; no stored release does"),
        ("compilation", "cudagraph_mode", None),
        ("compilation", "level", "vllm 0.30.0 has no level; 0.8.4 to 0.17.1 do"),
        ("method", "sleep.mode", None),
        ("method", "release_kv_cache_memory", "vllm 0.30.0 has no release_kv_cache_memory; 0.31.0 to "),
        ("method", "wake_up.level", "vllm 0.30.0 has no wake_up.level; no stored release does"),
        ("word", "cuda_graph_sizes", "vllm 0.30.0 has no cuda_graph_sizes; 0.9.0 to 0.12.0 do"),
        ("word", "some_function", None),  # never an argument of vLLM, so nothing is known of it
        ("env", "VLLM_ROCM_SLEEP_MEM_CHUNK_SIZE", None),
        ("env", "VLLM_USE_V1", "vllm 0.30.0 does not read VLLM_USE_V1; 0.8.4 to 0.11.0 do"),
        ("env", "VERL_NOTHING", "verl 0.9.1 does not read VERL_NOTHING; no stored release does"),
        ("env prefix", "VLLM_ROCM_USE_AITER_", None),
        ("env prefix", "VLLM_AMD_", "no claimed release reads a variable that starts with VLLM_AMD_"),
        ("override", f"{ROLLOUT}.free_cache_engine", None),
        ("override", ROLLOUT, None),
        ("override", f"{ROLLOUT}.free_cache", f"verl 0.9.1 has no {ROLLOUT}.free_cache; no stored release does"),
        ("override", f"+{ROLLOUT}.enable_sleep_mode", None),
        ("override", f"{ROLLOUT}.enable_sleep_mode", f"verl 0.9.1 has {ROLLOUT}.enable_sleep_mode in its"),
        ("override", "+trainer.nnodes", "verl 0.9.1 has trainer.nnodes already and refuses +; write "),
        ("override", "++trainer.nnodes", None),
        ("override", f"+{VLLM}.attention_backend", None),
        ("override", f"+{VLLM}.no_enable_prefix_caching", None),
        ("override", f"+{VLLM}.swap_space", "vllm 0.30.0 has no swap_space"),
        ("override", f"+{VLLM}.compilation_config.cudagraph_mode", None),
        ("override", f"+{VLLM}.compilation_config.level", "vllm 0.30.0 has no level"),
        ("override", f"{ENV_VARS}.VLLM_LOGGING_LEVEL", None),
        ("override", f"{ENV_VARS}.VLLM_GPU_LANG", "vllm 0.30.0 does not read VLLM_GPU_LANG"),
    ],
)
def test_a_name_against_vllm_0_30_and_verl_0_9(kind: str, name: str, says: str | None) -> None:
    messages = list(JUDGE.faults(Named(kind, name, "a", 1), ["0.30.0"], ["0.9.1"]))  # type: ignore[arg-type]
    assert len(messages) == (says is not None)
    assert not says or messages[0].startswith(says)


# What the guide's predecessor of April 2025 named, in its build line, its script and its constructor.
APRIL_2025 = {
    "env": ["VLLM_TARGET_DEVICE", "VLLM_GPU_LANG"],
    "method": ["sleep", "wake_up"],
    "argument": [
        "model",
        "enable_sleep_mode",
        "tensor_parallel_size",
        "distributed_executor_backend",
        "dtype",
        "enforce_eager",
        "gpu_memory_utilization",
        "disable_custom_all_reduce",
        "disable_mm_preprocessor_cache",
        "skip_tokenizer_init",
        "max_model_len",
        "load_format",
        "disable_log_stats",
        "max_num_batched_tokens",
        "enable_chunked_prefill",
        "enable_prefix_caching",
        "trust_remote_code",
        "compilation_config",
    ],
    "compilation": ["cudagraph_capture_sizes"],
    "override": ["actor_rollout_ref.rollout.enforce_eager"],
}


def wrong_in(vllm: str, verl: str) -> list[str]:
    names = [Named(kind, name, "page", 1) for kind, group in APRIL_2025.items() for name in group]  # type: ignore[arg-type]
    return [fault for name in names for fault in JUDGE.faults(name, [vllm], [verl])]


def test_the_page_of_april_2025_and_since_when_it_is_wrong() -> None:
    never_read = "does not read VLLM_GPU_LANG; no stored release does"
    removed = "has no disable_mm_preprocessor_cache; 0.8.4 to 0.12.0 do"
    assert wrong_in("0.30.0", "0.9.1") == [f"vllm 0.30.0 {never_read}", f"vllm 0.30.0 {removed}"]
    assert wrong_in("0.13.0", "0.7.0") == [f"vllm 0.13.0 {never_read}", f"vllm 0.13.0 {removed}"]
    assert wrong_in("0.12.0", "0.6.1") == [f"vllm 0.12.0 {never_read}"]
    assert wrong_in("0.8.4", "0.3.0.post1") == [f"vllm 0.8.4 {never_read}"]


def project(root: Path, page: str, snippet: str) -> Path:
    (root / "docs").mkdir()
    (root / "snippets").mkdir()
    (root / "docs" / "a.rst").write_text(page)
    (root / "snippets" / "a.py").write_text(snippet)
    return root


SHOWN = ".. literalinclude:: /snippets/a.py\n   :start-after: # [start:a]\n   :end-before: # [end:a]\n"
OLD = 'from vllm import LLM\n\nllm = LLM(model="m", swap_space=4)\n'


def test_a_snippet_is_judged_by_the_page_that_shows_it(tmp_path: Path) -> None:
    root = project(tmp_path, f":vllm: 0.17.1\n\nA\n=\n\n{SHOWN}", OLD)
    assert faults(root, JUDGE.facts) == []
    (root / "docs" / "b.rst").write_text(f":vllm: 0.17.1, 0.18.0\n\nB\n=\n\n{SHOWN}")
    assert faults(root, JUDGE.facts) == ["snippets/a.py:3: vllm 0.18.0 has no swap_space; 0.8.4 to 0.17.1 do"]


def test_a_variable_that_a_snippet_itself_reads_is_its_own(tmp_path: Path) -> None:
    """The rule must not let a variable through that only looks used: its own default, or a name of vLLM's kind."""
    root = project(tmp_path, "A\n=\n", 'import os\n\nos.environ.get("GUIDE_PATIENCE", "30")\n')
    (root / "snippets" / "env.sh").write_text(
        'export PORT="${PORT:-1}"\nexport IDLE="${IDLE:-1}"\nexport VLLM_NOPE=1\n'
    )
    (root / "snippets" / "task.sh").write_text('echo "$PORT" "$VLLM_NOPE"\n')
    messages = faults(root, JUDGE.facts)
    assert [line.split(": ")[0] + line.rpartition(" read ")[2].split(";")[0] for line in messages] == [
        "snippets/env.sh:2IDLE",
        "snippets/env.sh:3VLLM_NOPE",
    ]


def test_a_setting_of_a_page_needs_no_plus_sign_but_must_exist(tmp_path: Path) -> None:
    key = "actor_rollout_ref.rollout.enable_sleep_mode"
    root = project(tmp_path, f":verl: 0.9.1\n\nA\n=\n\n:setting:`{key}`, ``{key}=True``, :setting:`{key}x`\n", "")
    assert [fault.partition("; ")[0] for fault in faults(root, JUDGE.facts)] == [
        f"docs/a.rst:6: verl 0.9.1 has {key} in its dataclass only",
        f"docs/a.rst:6: verl 0.9.1 has no {key}x",
    ]


def test_a_snippet_that_no_page_shows_is_judged_by_the_default_claims(tmp_path: Path) -> None:
    messages = faults(project(tmp_path, "A\n=\n", OLD), JUDGE.facts)
    assert len(messages) == 1
    assert messages[0].startswith("snippets/a.py:3: vllm ")


def test_gone_names_must_be_gone(tmp_path: Path) -> None:
    text = ":vllm: 0.30.0\n:gone: swap_space, enforce_eager\n\nA\n=\n\n``swap_space`` and ``enforce_eager``.\n"
    messages = faults(project(tmp_path, text, ""), JUDGE.facts)
    assert messages == ["docs/a.rst: enforce_eager is listed as gone, but the claimed releases have it"]


def test_a_page_with_a_claim_that_means_nothing_is_one_fault(tmp_path: Path) -> None:
    messages = faults(
        project(tmp_path, ":vllm: 0.99.0\n\nA\n=\n\n``enforce_eager`` ``VLLM_USE_V1``\n", ""), JUDGE.facts
    )
    assert messages == ["docs/a.rst: 0.99.0 is not stored; correct the claim or run `make releases`"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(check_names, "ROOT", project(tmp_path, ":vllm: 0.30.0\n\nA\n=\n\n``VLLM_GPU_LANG``\n", ""))
    assert check_names.main() == 1
    assert capsys.readouterr().out == "docs/a.rst:6: vllm 0.30.0 does not read VLLM_GPU_LANG; no stored release does\n"
    (tmp_path / "docs" / "a.rst").write_text("A\n=\n")
    assert check_names.main() == 0


def test_every_name_of_the_guide_exists_in_the_releases_that_its_page_claims() -> None:
    assert faults(ROOT, JUDGE.facts) == []


def test_overrides_in_prose_are_not_file_names() -> None:
    assert [n.name for n in overrides("see docs/trainer.rst and trainer.nnodes, not trainer.", "a", 1)] == [
        "trainer.nnodes"
    ]
