"""Forms in which people write launch scripts: what stands before the launch, and what carries it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from verl_rocm.dryrun.script import run

MODULE = "verl.trainer.main_ppo"
ARGUMENTS = ["trainer.nnodes=1", "actor_rollout_ref.model.path=/m/My Model", "c.d=[1,2]", "e.f='x y'"]
LAUNCH = shlex.join(["python3", "-m", MODULE, *ARGUMENTS])

# Each ends a script under `set -euo pipefail`, or hides its python, where nothing stands for the missing parts.
BEFORE = {
    "a real environment": 'source "{venv}/bin/activate"',
    "its own activation": 'PATH="{venv}/bin:$PATH"; export PATH; hash -r',
    "conda": "source /home/me/anaconda3/bin/activate verl",
    "conda hook": 'eval "$(conda shell.bash hook)"\nconda activate verl',
    "mamba": 'eval "$(micromamba shell hook --shell bash)" && micromamba activate verl',
    "modules": "module purge\nmodule load rocm/7.0\nml gcc\nspack load py-torch",
    "a missing folder": "cd /home/me/project",
    "a missing folder in a list": "cd /home/me/project && git pull --rebase",
    "a missing file": ". ./env.sh && echo read",
    "a missing program": "/opt/tools/check_cluster --all\n./prepare.sh",
    "a failing command": "false\ngrep -q never /etc/hostname",
    "an unset variable": 'export LD_LIBRARY_PATH="/opt/x:$LD_LIBRARY_PATH"\necho "$SOME_JOB_ID"',
    "a required variable": ': "${WANDB_API_KEY:?set it}"',
    "missing data": 'if [ ! -f /data/train.parquet ]; then echo "no data" >&2; exit 1; fi',
    "a missing tool": "command -v nvcc >/dev/null || exit 3",
    "its own trap": "trap 'echo failed; exit 1' ERR",
    "a download": "hf download Qwen/Qwen3-8B --local-dir /m\nwget -q http://x/y\npip install -e .",
    "python of its own": "python3 -c \"import transformers; transformers.pipeline('text-generation', model='x')\"",
    "python from a document": "python3 - <<'EOF'\nimport datasets\ndatasets.load_dataset('x')\nEOF",
    "python files": "python3 examples/data_preprocess/gsm8k.py --local_dir /data",
    "a service": "until curl -sf http://localhost:8000/health; do sleep 5; done",
    "a service that never comes": "while ! ray status | grep -q 8.0/8.0; do sleep 1; done",
    "ray": "ray stop --force\nray start --head --num-gpus 8",
    "output elsewhere": "exec > >(tee /var/log/verl.log) 2>&1",
    "tracing": "set -x",
    "merging": "python3 -m verl.model_merger merge --backend fsdp --local_dir /ckpt",
}

# Each gets the launch as a line of shell, and carries it.
CARRIERS: dict[str, Callable[[str], str]] = {
    "plain": lambda line: line,
    "nohup": lambda line: f"nohup {line} > train.log 2>&1 &\nwait",
    "time": lambda line: f"time {line}",
    "timeout": lambda line: f"/usr/bin/timeout 3600 {line}",
    "env": lambda line: f"env -u X A=1 {line}",
    "pipe": lambda line: f"{line} 2>&1 | tee verl.log",
    "condition": lambda line: f"if ! {line}; then echo failed; exit 1; fi",
    "exec": lambda line: f"exec {line}",
    "function": lambda line: f"main() {{ local n=1; {line}; }}\nmain",
    "subshell": lambda line: f"(cd /w && {line})",
    "docker": lambda line: f"docker exec -it verl bash -lc {shlex.quote(f'cd /w && {line}')}",
    "docker entrypoint": lambda line: f"docker run --rm --entrypoint bash -v /a:/a rocm/verl -c {shlex.quote(line)}",
    "podman": lambda line: f"podman run --device /dev/kfd rocm/verl {line}",
    "ray job": lambda line: f"ray job submit --address http://x:8265 -- bash -c {shlex.quote(line)}",
    "ray words": lambda line: f"ray job submit --runtime-env=e.yaml --no-wait -- {line}",
    "srun": lambda line: f'srun -N 1 --overlap -w "$(hostname)" bash -c {shlex.quote(line)}',
    "sbatch": lambda line: f"sbatch --nodes=2 --wrap={shlex.quote(line)}",
    "ssh": lambda line: f"ssh -o BatchMode=yes me@host {shlex.quote(line)}",
    "ssh document": lambda line: f"ssh host <<'EOF'\n{line}\nEOF",
    "shell document": lambda line: f"docker exec -i verl bash -s <<'EOF'\n{line}\nEOF",
    "tmux": lambda line: f"tmux new-session -d -s verl {shlex.quote(line)}",
    "tmux keys": lambda line: f"tmux send-keys -t verl {shlex.quote(line)} Enter",
    "apptainer": lambda line: f"apptainer exec --rocm verl.sif sh -c {shlex.quote(line)}",
    "kubectl": lambda line: f"kubectl exec pod/head -- bash -ic {shlex.quote(line)}",
    "rocprofv3": lambda line: f"rocprofv3 --hip-trace -d out -- {line}",
    "nsys": lambda line: f"nsys profile -o out --trace=cuda {line}",
    "conda run": lambda line: f"conda run --no-capture-output -n verl {line}",
    "uv": lambda line: f"uv run --frozen {line}",
    "sudo": lambda line: f"sudo -E bash -c {shlex.quote(line)}",
    "login shell": lambda line: f"bash -lc {shlex.quote(line)}",
    "eval": lambda line: f'CMD={shlex.quote(line)}\neval "$CMD"',
    "absolute python": lambda line: line.replace("python3", "/opt/conda/envs/verl/bin/python", 1),
    "python of a variable": lambda line: 'PYTHON="{venv}/bin/python -u"\n' + line.replace("python3", "$PYTHON", 1),
    "torchrun": lambda line: line.replace("python3", "torchrun --nnodes=1 --nproc_per_node 8", 1),
    "accelerate": lambda line: line.replace("python3", "accelerate launch --num_processes 8", 1),
}


def environment(folder: Path) -> Path:
    """A virtual environment as on a disk, whose python would leave a file ``started`` beside it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "activate").write_text(
        f"deactivate () {{ :; }}\nVIRTUAL_ENV={folder}\nexport VIRTUAL_ENV\n"
        'PATH="$VIRTUAL_ENV/bin:$PATH"\nexport PATH\n'
        'if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT:-}" ] ; then PS1="(verl) ${PS1:-}" ; export PS1 ; fi\nhash -r\n'
    )
    for name in ("python", "python3", "torchrun"):
        (folder / "bin" / name).write_text("#!/bin/sh\necho 'the real python ran' >&2\nexit 9\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


def launches(folder: Path, body: str, *more: str, limit: float = 20, **variables: str) -> list[run.Launch]:
    """What a script with ``body`` under ``set -euo pipefail`` launches; ``{venv}`` in it is a virtual environment."""
    venv = folder / "venv"
    if "{venv}" in body:
        body = body.replace("{venv}", str(venv if venv.is_dir() else environment(venv)))
    file = folder / "run.sh"
    file.write_text(f"#!/usr/bin/env bash\nset -euo pipefail\n{body}\n", encoding="utf-8")
    return run.launches(file, more, variables, limit)
