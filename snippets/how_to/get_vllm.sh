#!/usr/bin/env bash
# Build a vLLM release for ROCm and install it beside
# the ROCm PyTorch that is already there.
#
#   get_vllm.sh [RELEASE] [ARCHITECTURES] [SOURCE DIRECTORY]
#   get_vllm.sh 0.24.0 "gfx942;gfx950" ~/src/vllm
#
# A source directory that exists is built as it is, patches included.
set -euo pipefail

# [start:arguments]
release="${1:-0.24.0}"    # the one that verl 0.9.1 pins
arch="${2:-gfx942}"       # gfx942: MI300X, MI325X; gfx950: MI350X, MI355X
source_dir="${3:-vllm-$release}"
python="${PYTHON:-python3}"        # holds PyTorch for ROCm
gib_per_job="${GIB_PER_JOB:-4}"    # memory that one compiler may need

export ROCM_PATH="${ROCM_PATH:-/opt/rocm}"
export PYTORCH_ROCM_ARCH="$arch"    # several: "gfx942;gfx950"
export VLLM_TARGET_DEVICE=rocm
# [end:arguments]

# [start:check_machine]
stop() {
    echo "get_vllm: $*" >&2
    exit 2
}
ask() {
    "$python" -c "$@" 2>/dev/null
}

[[ $release =~ ^[0-9]+\.[0-9]+\.[0-9]+(\.post[0-9]+)?$ ]] ||
    stop "'$release' is no release of vLLM: give one such as 0.24.0"
python="$(realpath --no-symlinks "$(command -v "$python")" 2>/dev/null)" ||
    stop "there is no ${PYTHON:-python3}:" \
        "set PYTHON to the interpreter that holds PyTorch for ROCm"
[ -e "$ROCM_PATH/lib/libamdhip64.so" ] ||
    stop "no ROCm at ROCM_PATH=$ROCM_PATH (it lacks" \
        "lib/libamdhip64.so): install ROCm, or set ROCM_PATH"
versions="$(ask 'import torch
print(torch.__version__.split("+")[0], torch.version.hip or "")')" ||
    stop "$python cannot import torch: install PyTorch for ROCm first"
read -r torch hip <<<"$versions"
[ -n "$hip" ] ||
    stop "torch $torch of $python is no ROCm build: install PyTorch for ROCm first"
ask 'import torchvision' ||
    stop "$python cannot import torchvision: install the one that belongs to its torch"
setuptools="$(ask 'import setuptools; print(setuptools.__version__)' || echo 0)"
[ "${setuptools%%.*}" -lt 80 ] ||
    stop "setuptools $setuptools is too new:" \
        "$python -m pip install 'setuptools>=77.0.3,<80'"

jobs="${MAX_JOBS:-$(nproc)}"
[[ $gib_per_job,$jobs =~ ^[1-9][0-9]*,[1-9][0-9]*$ ]] ||
    stop "GIB_PER_JOB=$gib_per_job and MAX_JOBS=$jobs must be whole numbers from 1 on"
memory=$(($(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) / 1048576))    # GiB
fit=$((memory / gib_per_job))
[ -n "${MAX_JOBS:-}" ] || [ "$jobs" -le "$fit" ] || jobs=$fit
[ "$jobs" -ge 1 ] && [ "$jobs" -le "$fit" ] ||
    stop "$memory GiB are free, enough for MAX_JOBS=$fit at" \
        "$gib_per_job GiB a compiler: set MAX_JOBS or GIB_PER_JOB"
export MAX_JOBS="$jobs"
# [end:check_machine]

# [start:fetch]
github=https://github.com/vllm-project/vllm.git
[ -d "$source_dir" ] ||
    git clone --quiet --depth 1 --branch "v$release" "$github" "$source_dir" ||
    stop "cannot fetch v$release from $github:" \
        "check the release and the network, or name a source directory"
cd "$source_dir"
# [end:fetch]

# [start:check_release]
known="$(sed -n 's/^set(HIP_SUPPORTED_ARCHS "\(.*\)")$/\1/p' CMakeLists.txt)"
for one in ${arch//;/ }; do
    [[ ";$known;" == *";$one;"* ]] ||
        stop "vLLM $release is not built for '$one'; it knows ${known//;/ }"
done

minor="$(ask 'import sys; print(sys.version_info.minor)')"
range="$(sed -n 's/^requires-python = "\(.*\)"$/\1/p' pyproject.toml)"
[[ $range =~ ^\>=3\.([0-9]+),\<3\.([0-9]+)$ ]] ||
    stop "cannot read requires-python in $PWD/pyproject.toml"
[ "$minor" -ge "${BASH_REMATCH[1]}" ] && [ "$minor" -lt "${BASH_REMATCH[2]}" ] ||
    stop "vLLM $release wants Python $range, $python is 3.$minor:" \
        "make an environment with another Python"

lists=(requirements/build/rocm.txt requirements/rocm-build.txt)
wanted="$(sed -n 's/^torch==\([0-9.]*\).*/\1/p' "${lists[@]}" 2>/dev/null || true)"
[ "$(printf '%s\n' "$wanted" "$torch" | sort -V | head -n 1)" = "$wanted" ] ||
    stop "torch $torch is too old for vLLM $release, which builds with $wanted:" \
        "install PyTorch $wanted for ROCm"

# From 0.24.0 on, CMake clones triton_kernels in the middle of the build.
kernels=cmake/external_projects/triton_kernels.cmake
clones="$(grep -som1 'https://github.com/[^ ")]*\.git' "$kernels" || true)"
[ -z "$clones" ] || [ -n "${TRITON_KERNELS_SRC_DIR:-}" ] ||
    timeout 60 git ls-remote --exit-code "$clones" HEAD >/dev/null 2>&1 ||
    stop "the build clones $clones, which cannot be reached:" \
        "set TRITON_KERNELS_SRC_DIR to a copy of its triton_kernels"

[ ! -e rust-toolchain.toml ] ||
    [[ ${VLLM_REQUIRE_RUST_FRONTEND:-0} =~ ^(0|false|no)$ ]] ||
    command -v cargo >/dev/null ||
    stop "VLLM_REQUIRE_RUST_FRONTEND is set, and there is no cargo:" \
        "install Rust, or leave it out (verl needs no vllm-rs)"

grep -qs USE_ROCM csrc/cumem_allocator.cpp ||
    echo "get_vllm: note:" \
        "vLLM $release has no sleep mode on ROCm, which verl uses by default" >&2
# [end:check_release]

# [start:build]
# pip must stop rather than swap the ROCm torch for another one.
keep="$(mktemp)"
"$python" -m pip list --format=freeze |
    grep -E '^(torch|torchvision|torchaudio|(pytorch-)?triton(-rocm)?)==' >"$keep"
"$python" -m pip install --constraint "$keep" -r requirements/rocm.txt \
    'cmake>=3.26.1,<4' 'jinja2>=3.1.6' ninja 'packaging>=24.2' \
    'setuptools>=77.0.3,<80' 'setuptools-scm>=8' wheel
ask 'import amdsmi' || "$python" -m pip install "$ROCM_PATH/share/amd_smi"

# setup.py calls cmake and ninja by name.
PATH="$(dirname "$(command -v "$python")"):$PATH"
rm -rf dist
"$python" setup.py bdist_wheel --dist-dir=dist
"$python" -m pip install --no-deps --force-reinstall dist/vllm-*.whl
# [end:build]

# [start:verify]
has_allocator="$(grep -cs USE_ROCM csrc/cumem_allocator.cpp || true)"
cd /    # away from the source tree: import what is installed
"$python" - "$has_allocator" <<'PYTHON'
import sys
from importlib.metadata import version

import torch

print("vllm", version("vllm"), "torch", torch.__version__, "HIP", torch.version.hip)
if not torch.version.hip:
    sys.exit("torch is no ROCm build any more")
if int(sys.argv[1] or 0):
    import vllm.cumem_allocator  # the allocator behind sleep mode, built for HIP
PYTHON
# [end:verify]
