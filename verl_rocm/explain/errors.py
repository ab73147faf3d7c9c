"""Which lines are errors, and which of them came first: the cause, not what it brought down."""

from __future__ import annotations

import re

from verl_rocm.explain.line import Line

TRIGGERS = (
    *("Error", "Exception", "rror: ", "access fault by GPU", "egmentation fault", "terminate called", "cannot find -l"),
    *("with exception: ", "hipMemCreate", "hipIpc"),
)
_EXCEPTION = re.compile(
    r"^(?:E\s+)?(?P<name>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception))(?:\((?P<inner>\w+)\))?(?::\s|:?$)"
)
_OTHER = re.compile(
    r"^(?:Memory access fault by GPU|(?:!+ )?Segmentation fault|CMake Error|Failed: Cuda error|CUDA Error: |HIP error: "
    r"|hip[A-Z]\w+: |fatal error: |terminate called after)"
    r"|\bhip[A-Z]\w+ -> [1-9]|terminated with exception: |: (?:fatal )?error: |ld: cannot find -l"
)
# What reports the end of another process or of a step; the cause stands elsewhere. Names and texts of Ray, vLLM, pip.
_ECHO = re.compile(
    r"RayTaskError|RayActorError|ActorDiedError|ActorUnavailableError|WorkerCrashedError|EngineDeadError"
    r"|ProcessExitedException|ProcessRaisedException|ChildFailedError|CalledProcessError|CancelledError|BrokenPipeError"
    r"|Engine core initialization failed|WorkerProc initialization failed|Engine process failed to start"
    r"|srun: error|subprocess-exited-with-error|metadata-generation-failed|DistBackendError.*(?:aborted|peer)"
)


def is_error(line: Line) -> bool:
    """Whether the line itself states an error; a warning that quotes one does not."""
    return line.level != "quiet" and bool(_EXCEPTION.match(line.text) or _OTHER.search(line.text))


def is_echo(line: Line) -> bool:
    """Whether the error is only the news of another one."""
    return bool(_ECHO.search(line.text))


def out_of_memory(line: Line) -> bool:
    """Whether the error is about memory of the GPU."""
    return "out of memory" in line.text or "OutOfMemory" in line.text
