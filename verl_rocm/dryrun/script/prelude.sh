# Read by every bash of a launch script (BASH_ENV).  What the script does besides launching must not end it:
# `set -e` has no effect, what is not on this machine is noted and passed over, and PATH stays the stand-ins' folder
# whatever is activated.  VERL_ROCM_UNSET is -u or +u, VERL_ROCM_EXIT is "ignored" in the last attempt.

__verl_rocm_note() { printf '%s\t%.60s\n' "$1" "${2//[$'\n\t']/ }" >>"$VERL_ROCM_SCRIPT/notes"; }

# Prints the program of the command $1: its first word behind assignments, expanded.
__verl_rocm_program() {
  builtin set +u
  local text=$1 assignment='^[A-Za-z_][A-Za-z0-9_]*=("[^"]*"|'"'[^']*'"'|[^ "'"'"'])* +'
  while [[ $text =~ $assignment ]]; do text=${text#"${BASH_REMATCH[0]}"}; done
  [[ $text =~ ^[][A-Za-z0-9_./~:@%#+\$\{\}\"-]+ ]] || return
  builtin eval "builtin set -- ${BASH_REMATCH[0]}" && printf %s "$1"
} 2>/dev/null

# Prints the first argument of the command $1, expanded.
__verl_rocm_argument() {
  builtin set +u
  builtin eval "builtin set -- ${1%%[<>]*}" && [[ $2 == -* && $# -gt 2 ]] && shift
  printf %s "$2"
} 2>/dev/null

# Before each command; code 1 passes over it, as if it had succeeded.
__verl_rocm_before() {
  builtin set +ex "$VERL_ROCM_UNSET"
  shopt -s extdebug # only code 1 and extdebug pass over a command; set while bash starts, it would start a debugger
  PATH=$VERL_ROCM_SCRIPT/bin
  local first=${1%% *} what=
  case $first in
    cd | pushd)
      what=$(__verl_rocm_argument "$1")
      [[ -z $what || $what == [-+]* || -d $what ]] && return 0
      __verl_rocm_note "not here" "$what" && return 1 ;;
    source | .)
      what=$(__verl_rocm_argument "$1")
      [[ -r $what || -r $VERL_ROCM_SCRIPT/bin/$what ]] && return 0
      __verl_rocm_note "not here" "$what" && return 1 ;;
    *=*) [[ $1 == *' '* ]] || return 0 ;;
    *[/$]*) ;;
    *) return 0 ;;
  esac
  what=$(__verl_rocm_program "$1")
  [[ $what == */* && $what != "$VERL_ROCM_SCRIPT"/* && $what != *[!A-Za-z0-9_./+-]* ]] || return 0
  local name=${what##*/} line=
  if [[ -e $VERL_ROCM_SCRIPT/bin/$name ]]; then
    builtin eval "function $what { \"\$VERL_ROCM_SCRIPT/bin/$name\" \"\$@\"; }"
  elif [[ -r $what && -f $what ]] && IFS= read -r line <"$what" && [[ $line == '#!'*sh* || $what == *.sh ]]; then
    return 0
  elif ! declare -F "$what" >/dev/null; then
    builtin eval "function $what { __verl_rocm_note 'left out' \"$name \$*\"; }"
  fi
  return 0
} 2>/dev/null

command_not_found_handle() { __verl_rocm_note "left out" "$*"; }
exit() {
  [[ $VERL_ROCM_EXIT == ignored ]] || builtin exit "$@"
  __verl_rocm_note "passed over" "exit $*"
}
exec() {
  [[ $# -gt 0 ]] || return 0
  "$@"
  builtin exit
}
trap() { [[ " $* " == *" DEBUG "* || " $* " == *" ERR "* ]] || builtin trap "$@"; }
sleep() { ((++__verl_rocm_sleeps)) || :; }
ulimit() { :; }
kill() { :; }
__verl_rocm_sleeps=0
for __verl_rocm_name in $VERL_ROCM_STANDINS; do
  builtin eval "function $__verl_rocm_name { \"\$VERL_ROCM_SCRIPT/bin/$__verl_rocm_name\" \"\$@\"; }"
done
builtin set -T
# The loop that waits for a service ends after twenty sleeps; `break` works in the trap itself only.
builtin trap '((__verl_rocm_sleeps > 20)) && { __verl_rocm_sleeps=0; break 99; }; __verl_rocm_before "$BASH_COMMAND"' DEBUG
