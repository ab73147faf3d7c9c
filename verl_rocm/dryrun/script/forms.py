"""The commands of launch scripts by what becomes of them; a command that stands nowhere here does nothing."""

from __future__ import annotations

# Commands that only read: the real ones run.
READING = (
    *(
        "awk",
        "basename",
        "bc",
        "cat",
        "comm",
        "cut",
        "date",
        "diff",
        "dirname",
        "echo",
        "expr",
        "false",
        "find",
        "fold",
    ),
    *(
        "getopt",
        "grep",
        "egrep",
        "head",
        "hostname",
        "id",
        "jq",
        "ls",
        "md5sum",
        "mktemp",
        "nproc",
        "paste",
        "printenv",
    ),
    *("printf", "pwd", "readlink", "realpath", "rev", "sed", "seq", "sha256sum", "shuf", "sort", "stat", "tac", "tail"),
    *("test", "tr", "true", "uname", "uniq", "wc", "which", "whoami", "xargs", "yes"),
)
# Tried in a sandbox, because later lines may need what they make; where it refuses, nothing is said.
TRIED = ("mkdir", "touch")
# Commands that carry another command in their words; what their own options mean plays no part.
WRAPPERS = (
    *(
        "env",
        "nohup",
        "time",
        "timeout",
        "nice",
        "ionice",
        "chrt",
        "setsid",
        "stdbuf",
        "unbuffer",
        "script",
        "sudo",
        "su",
    ),
    *("numactl", "taskset", "parallel", "watch", "strace", "gdb", "catchsegv", "flock", "systemd-run"),
    *("docker", "podman", "nerdctl", "apptainer", "singularity", "enroot", "kubectl", "oc", "sky", "modal", "dstack"),
    *("ssh", "pdsh", "clush", "srun", "sbatch", "salloc", "bsub", "qsub", "flux", "jsrun", "mpirun", "mpiexec"),
    *(
        "tmux",
        "screen",
        "byobu",
        "nsys",
        "ncu",
        "rocprof",
        "rocprofv2",
        "rocprofv3",
        "rocprof-sys-run",
        "omnitrace-run",
    ),
    *("ray", "torchrun", "accelerate", "deepspeed", "py-spy", "viztracer", "coverage", "memray"),
    *("uv", "uvx", "conda", "mamba", "micromamba", "poetry", "pixi", "pdm", "hatch", "pipenv", "hf", "xvfb-run"),
)
PYTHONS = ("python", "python3", *(f"python3.{minor}" for minor in range(8, 16)), "ipython", "pypy3")
SHELLS = ("bash", "sh", "zsh", "dash", "ksh")
# What scripts count GPUs with: one such line for each.  {n} is its number, {arch} the arch.
GPU_TOOLS = {
    "rocminfo": "  Name:                    {arch}",
    "rocm_agent_enumerator": "{arch}",
    "nvidia-smi": "GPU {n}: {arch}",
    "amd-smi": "GPU: {n}",
    "rocm-smi": "GPU[{n}]\t\t: Device ID: {arch}",
}
