"""The guide's GRPO recipe over two nodes with one place each: verl's own trainer on a CPU, two steps."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.support import nodes, training, training_checks
from tests.support.ray_nodes import SNIPPETS, Cluster

pytestmark = pytest.mark.skipif(bool(why := nodes.missing()), reason=why)
STEPS = 2
WHO = ("actor", "engine")


def test_the_recipe_trains_over_two_nodes() -> None:
    folder = training.scratch("nodes")
    out = folder / "run"
    out.mkdir()
    variables = training.environment(training.prepare(folder / "made"), out, "cpu", 1)

    class Trained(Cluster):
        def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
            return {**variables, "RAY_AUTH_TOKEN_PATH": str(folder / "token"), **(more or {})}

    own = [override for override in training.overrides("cpu", 1, STEPS, True) if "ray_kwargs.ray_init" not in override]
    with nodes.Nodes("head", "worker", shared=[training.ROOT]) as pair:
        cluster = Trained(pair, folder, gpus=1)
        cluster.start()
        done = cluster.guarded("bash", SNIPPETS / "recipes" / "grpo.sh", *own, "trainer.nnodes=2", gpus=1, timeout=400)
        engines = [[p for p in node.processes() if "VLLM::" in p or "vllm" in p.lower()] for node in pair]
    assert done.returncode == 0, done.stdout[-3000:]
    assert "several_nodes_run: 10.77.0.1 (head), 10.77.0.2 (worker)" in done.stdout
    assert engines == [[], []], "the rollout servers end with the run"
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    metrics = [{**step["data"], "step": step["step"]} for step in steps]
    training_checks.assert_trained(training.Run(out, done.returncode, done.stdout, 0, 0, [], metrics), STEPS)
    # One actor and one engine on each node; after each sync all four have the same weights.
    synced = [json.loads(line) for line in (out / "watch.jsonl").read_text().splitlines()]
    held = {who: {json.dumps(line["digest"], sort_keys=True) for line in synced if line["who"] == who} for who in WHO}
    assert held["actor"] == held["engine"]
    for who in WHO:
        digests = [json.dumps(line["digest"], sort_keys=True) for line in synced if line["who"] == who]
        assert len(digests) == 2 * (STEPS + 1) and len(set(digests)) == STEPS + 1
