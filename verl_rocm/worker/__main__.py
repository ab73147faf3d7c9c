"""``python -m verl_rocm.worker IN OUT``: requests in, results out, as JSON; one fork for each request.

The imports of torch, vLLM and verl happen once.  A fork starts from that state, so that what one request changes (the
environment, vLLM's caches, the GPU) does not reach the next.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from . import adopt


def imports() -> None:
    """What a dry run needs of vLLM and verl."""
    import hydra
    import verl.single_controller.base.worker
    import verl.trainer.constants_ppo
    import verl.trainer.ppo.utils
    import verl.workers.rollout.vllm_rollout.vllm_async_server
    import vllm.v1.attention.selector
    import vllm.v1.executor.abstract

    del hydra, verl, vllm


def _in_child(request: dict[str, Any], devices: dict[str, str], pipe: int) -> None:
    from .run import run

    signal.alarm(int(request.get("limit", 120)))
    started = time.monotonic()
    adopt.become(request["identity"])
    result = run(request, devices | request.get("devices", {}))
    result["seconds"] = round(time.monotonic() - started, 2)
    with os.fdopen(pipe, "w", encoding="utf-8") as stream:
        json.dump(result, stream)


def _fork(request: dict[str, Any], devices: dict[str, str]) -> dict[str, Any]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            os.environ.update(request.get("environment", {}))
            _in_child(request, devices, write)
            code = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    if text:
        found: dict[str, Any] = json.loads(text)
        return found
    late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
    return {
        "problem": {
            "stage": "fault",
            "kind": "fault",
            "hint": "VERL_ROCM_DEBUG=1 shows where",
            "message": "it took too long" if late else "the dry run's process ended early",
        }
    }


def main() -> int:
    """Answer every request of file IN in file OUT."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    requests = json.loads(source.read_text(encoding="utf-8"))
    started = time.monotonic()
    devices = adopt.before_imports(requests[0]["identity"], requests[0].get("rocm"))
    imports()
    adopt.answer_verl()
    import importlib.metadata as metadata

    import torch
    import verl

    versions = {
        "vllm": adopt.engine_version(),
        "verl": verl.__version__,
        "torch": torch.__version__,
        "ray": metadata.version("ray"),
        "transformers": metadata.version("transformers"),
        "python": sys.version.split()[0],
    }
    seconds = round(time.monotonic() - started, 2)
    gc.freeze()  # the collector of a fork would touch, and so copy, every page of the imports
    results = [_fork(request, devices) for request in requests]
    target.write_text(json.dumps({"versions": versions, "import_seconds": seconds, "results": results}))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the results are written; taking vLLM's modules apart again takes a second and says nothing
