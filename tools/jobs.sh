# shellcheck shell=sh
# To be sourced. grid_jobs PRESET: how many compilers to run side by side, by the processors and the
# memory there is: a file that uses Beast takes about 1 GB, twice that with sanitizers.
grid_jobs() {
  if [ -n "${GRID_JOBS:-}" ]; then
    echo "$GRID_JOBS"
    return
  fi
  case $1 in
    asan | tsan | fuzz) each=2000000 ;;
    *) each=1000000 ;;
  esac
  jobs=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  [ "$jobs" -le $((memory / each)) ] || jobs=$((memory / each))
  [ "$jobs" -ge 1 ] || jobs=1
  echo "$jobs"
}
