# The guide's commands.  Each works as the first one on a fresh clone with git, make and Python >= 3.11.

PYTHON ?= python3
export PYTHON ACCELERATOR ONLY MODEL VLLM ARGS FULL COMPATIBLE
HAS_PYTHON = command -v $(PYTHON) >/dev/null || { echo "make $@: PYTHON=$(PYTHON) is not there: name an interpreter of Python 3.11 or newer" >&2; exit 2; }
IN_DOCS = $(HAS_PYTHON); python=$$($(PYTHON) -m tools.environment docs) && PATH="$$(dirname "$$python"):$$PATH" PYTHONPATH=docs/_extensions

.DEFAULT_GOAL := help
.PHONY: schemas wheel test-build doctest-build help doctest test html linkcheck mutants serve clean releases evidence verify-engine lock judge dry-run test-dry-run test-ray record-ray record-dry-run survey bench recipe test-recipe

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

doctest: ## run every block on this machine's best accelerator, and record it (ACCELERATOR= PYTHON= ONLY= MODEL= VLLM=)
	@$(HAS_PYTHON); exec $(PYTHON) -m tools.run_doctest

test: ## test all that needs no engine, then lint and types
	@$(IN_DOCS) python guide/doctest/run_pytest.py -q tests --ignore=tests/snippets --ignore=tests/build -n2 --dist=loadfile
	@$(IN_DOCS) ruff check .
	@$(IN_DOCS) ruff format --check .
	@$(IN_DOCS) lint-imports
	@$(IN_DOCS) mypy

mutants: ## break snippets on purpose, and see that `make doctest` notices each
	@$(HAS_PYTHON); $(PYTHON) -m tools.mutants

html: ## build the guide into build/html, strictly; warnings are errors (FULL=1: every page anew, as in CI)
	@$(IN_DOCS) python -m tools.build_html

linkcheck: ## look up every link of the guide (needs a network)
	@$(IN_DOCS) python -m sphinx -E -W --keep-going -b linkcheck . build/linkcheck

serve: ## serve the guide on http://127.0.0.1:8000, rebuilt and reloaded while you write (PORT=)
	@$(IN_DOCS) python -m sphinx_autobuild --port $(or $(PORT),8000) --re-ignore "/(build|\.venv|\.git|records)/" --watch snippets --watch verl_rocm/facts -d build/serve/doctrees . build/serve/html

releases: ## read the releases of vLLM and verl into verl_rocm/facts/ (CHECK=1: only report what the newest changed of what the guide uses)
	@$(IN_DOCS) python -m tools.releases $(if $(CHECK),--check)

evidence: ## compare every release line that verl_rocm/facts/ cites with the published package (needs a network)
	@$(IN_DOCS) python -m tools.check_evidence

verify-engine: ## compare the Python files of the CPU engine with upstream's wheel of the same release (VLLM=; 300 MB)
	@$(HAS_PYTHON); $(PYTHON) -m tools.verify_engine

lock: ## resolve requirements/*.in again into *.lock (needs uv)
	@$(HAS_PYTHON); $(PYTHON) -m tools.lock

IN_ENGINE = $(HAS_PYTHON); engine=$$($(PYTHON) -m tools.environment cpu-0.30.0) &&
# The engine's environment has pytest and lacks hypothesis: the rest comes from the environment `docs`.
TEST_IN_ENGINE = $(IN_ENGINE) docs=$$($(PYTHON) -m tools.environment docs) && GUIDE_TEST_TOOLS="$$("$$docs" -c 'import site; print(site.getsitepackages()[0])')" "$$engine" guide/doctest/run_pytest.py -q

dry-run: ## resolve a verl job as an AMD GPU, without one (VLLM=0.24.0|0.30.0|0.32.0 ARGS="--gpu MI300X key=value ...")
	@$(HAS_PYTHON); $(PYTHON) -m tools.dry_run || [ $$? -eq 1 ] # 1: a report with findings

judge: ## predict the memory and the time that public logs of vLLM report, beside what they report (ROWS=DIR; WRITE=1: keep it in records/judge)
	@$(IN_ENGINE) "$$engine" -m tools.judge "$(ROWS)" $(if $(WRITE),--write)

test-dry-run: ## test the dry run with vLLM and verl
	@$(TEST_IN_ENGINE) tests/verl_rocm/engine -n2 --dist=loadfile

test-ray: ## test what needs Ray: which GPUs and variables a process gets, two nodes, Slurm
	@$(TEST_IN_ENGINE) tests/ray

record-ray: ## run every case of those tests, and write records/ray
	@$(IN_ENGINE) "$$engine" -m tests.ray.visibility
	@$(IN_ENGINE) "$$engine" -m tests.ray.environment

recipe: ## train with the guide's GRPO recipe, small, and keep seconds, memory and rewards (STEPS=20 ACCELERATOR= PYTHON= MODEL=)
	@$(HAS_PYTHON); ONLY=how_to/recipes/grpo.sh STEPS=$(STEPS) RECIPE_RECORD=1 exec $(PYTHON) -m tools.run_doctest

test-recipe: ## test the recipes longer: faults, two ranks, a critic, asynchronous, resume (ONLY=part of a test's name)
	@$(IN_ENGINE) RECIPE_RECORD=1 "$$engine" guide/doctest/run_pytest.py -q tests/recipes $(if $(ONLY),-k $(ONLY))

record-dry-run: ## dry-run the guide's recipe on its five GPUs, and write records/dry-run-*.json and the page's output
	@$(IN_ENGINE) "$$engine" -m tools.record_dry_run

survey: ## dry-run all launch scripts of a verl checkout, or of any folder (SCRIPTS=DIR)
	@$(IN_ENGINE) "$$engine" -m tools.survey "$(SCRIPTS)"

bench: ## time the dry run against the imports that it needs, and against starting an engine
	@$(IN_ENGINE) "$$engine" -m tests.verl_rocm.bench

BUILD_TESTS = $(IN_DOCS) python guide/doctest/run_pytest.py -q -rs tests/build --record-build $(if $(VLLM),--release=$(VLLM)) $(if $(MUST),--must)

test-build: ## rehearse the build of vLLM without ROCm, up to CMake (VLLM=0.8.4,0.33.0; MUST=1: nothing may be skipped)
	@$(BUILD_TESTS)

doctest-build: ## the same, and each whole build with a stand-in device compiler (minutes a release; VLLM=)
	@$(BUILD_TESTS) --whole

schemas: ## write the JSON schemas of the reports from their models (COMPATIBLE=1: the format number stays)
	@$(IN_DOCS) python -m tools.write_schemas

wheel: ## build the wheel of `verl-rocm` into build/wheel; its version is the git tag's
	@$(HAS_PYTHON); rm -rf build/wheel build/lib build/bdist.*; $(PYTHON) -m pip wheel -q --disable-pip-version-check --no-deps -w build/wheel . && rm -rf build/lib build/bdist.*
	@ls build/wheel/*.whl

clean: ## remove build products and environments; records stay
	rm -rf build .venv .mypy_cache .ruff_cache .import_linter_cache .hypothesis
