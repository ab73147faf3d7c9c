"""``python -m verl_rocm.worker IN OUT``: requests in, answers out, as JSON; one fork for each request.

The imports of torch, vLLM and verl happen once.  A fork starts from that state, so that what one request changes (the
environment, vLLM's caches, the GPU) does not reach the next.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path

from pydantic import TypeAdapter

from . import adopt, fork
from .wire import Answer, Answers, Kind, Problem, Refusal, Request, Requests

ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)


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


def _in_child(request: Request, variables: dict[str, str]) -> Answer:
    from .run import run

    os.environ.update(request.environment)
    started = time.monotonic()
    adopt.become(request.identity)
    answer = run(request, variables | request.devices)
    return answer.model_copy(update={"seconds": round(time.monotonic() - started, 2)})


def _fork(request: Request, variables: dict[str, str]) -> Answer:
    data, ended = fork.start(lambda: ANSWER.dump_json(_in_child(request, variables)), request.limit).finish()
    if data:
        return ANSWER.validate_json(data)
    message = f"no answer: {ended}"
    return Refusal(
        problems=(Problem(kind=Kind.FAULT, stage="fault", message=message, hint="VERL_ROCM_DEBUG=1 shows where"),)
    )


def main() -> int:
    """Answer every request of file IN in file OUT."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    requests = Requests.model_validate_json(source.read_bytes()).requests
    started = time.monotonic()
    variables = adopt.before_imports(requests[0].identity, requests[0].rocm)
    imports()
    adopt.answer_verl()
    import importlib.metadata as metadata

    import torch
    import verl

    versions = {
        "vllm": adopt.engine_version() or "",
        "verl": verl.__version__,
        "torch": torch.__version__,
        "ray": metadata.version("ray"),
        "transformers": metadata.version("transformers"),
        "python": sys.version.split()[0],
    }
    seconds = round(time.monotonic() - started, 2)
    gc.freeze()  # the collector of a fork would touch, and so copy, every page of the imports
    answers = tuple(_fork(request, variables) for request in requests)
    result = Answers(versions=versions, import_seconds=seconds, answers=answers)
    target.write_text(result.model_dump_json(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the results are written; taking vLLM's modules apart again takes a second and says nothing
