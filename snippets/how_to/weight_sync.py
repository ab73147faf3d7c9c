"""Did vLLM sample with the weights that the last update made? For verl 0.9.1.

python3 weight_sync.py runs/grpo/metrics-20261125T120000.jsonl
"""

# [start:judge]
import json
import sys
from pathlib import Path

DIFFERENCE = "training/rollout_probs_diff_mean"  # bad above 0.01
CORRELATION = "training/rollout_actor_probs_pearson_corr"  # bad below 0.95


def main(metrics: str) -> int:
    lines = map(json.loads, Path(metrics).read_text().splitlines())
    compared = [line for line in lines if DIFFERENCE in line["data"]]
    bad = 0
    for line in compared:
        difference, correlation = line["data"][DIFFERENCE], line["data"][CORRELATION]
        verdict = "good" if difference <= 0.01 and correlation >= 0.95 else "bad"
        bad += verdict == "bad"
        print(f"step {line['step']}: {difference:.2g} {correlation:.4f} {verdict}")
    return 1 if bad or not compared else 0


# [end:judge]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
