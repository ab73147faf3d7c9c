#!/bin/bash
# Runs a line that links ROCm's library into /usr/lib, in a mount namespace of its own, and says what ld makes of it.
#
#   unshare --mount link.sh FOLDER_AS_OPT_ROCM WORK_FOLDER LINE
set -u
mount -t tmpfs rehearsal /opt
mkdir -p /opt/rocm "$2/upper" "$2/work" "$2/bin"
mount --bind "$1" /opt/rocm
mount -t overlay -o "lowerdir=/usr/lib,upperdir=$2/upper,workdir=$2/work" overlay /usr/lib || exit 3

printf '#!/bin/sh\nexec "$@"\n' >"$2/bin/sudo"
chmod +x "$2/bin/sudo"
echo 'extern "C" int hipInit(unsigned); int main() { return hipInit(0); }' >"$2/link.cpp"
link() { g++ "$2/link.cpp" -o "$2/linked" -lamdhip64 -Wl,--allow-shlib-undefined; }

link "$@"
echo "linked before: $?"
PATH="$2/bin:$PATH" bash -c "$3"
link "$@"
echo "linked after: $?"
"$2/linked"
echo "ran: $?"
