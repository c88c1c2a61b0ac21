#!/bin/sh
# bench_tour.sh BITDIAL - the tour of the demo model, played without a terminal from an empty cache:
# frame times as a JSON line.
bitdial=${1:?usage: bench_tour.sh BITDIAL}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
export XDG_CACHE_HOME="$dir/cache" XDG_STATE_HOME="$dir/state" XDG_CONFIG_HOME="$dir/config"
export XDG_DATA_HOME="$dir/data" BD_RUNS="$dir/runs" LC_ALL=C.UTF-8
"$bitdial" --demo --tour --headless 120x36 --json < /dev/null | sed 's/^{/{"bench":"tour",/'
