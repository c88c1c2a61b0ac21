#!/bin/sh
# bench_screen.sh BITDIAL [--demo] - the workbench as a person would have it, from an empty
# cache, as JSON lines: the first frame, key to frame while everything is prepared, bytes to
# the terminal; seconds until each stage is on the screen; tokens a second.
#   MODEL=FILE (the default model)  KEYS=300  LIMIT=600 (seconds to wait for the variants)
set -u
bitdial=${1:?usage: bench_screen.sh BITDIAL [--demo]}
shift
case $bitdial in /*) ;; *) bitdial=$PWD/$bitdial ;; esac
model=${MODEL:-${XDG_DATA_HOME:-$HOME/.local/share}/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf}
case "${1:-}" in
--demo) model=--demo ;;
*) [ -e "$model" ] || { echo "bench_screen: skipped, there is no $model (make model)"; exit 0; } ;;
esac
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2> /dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
export XDG_CACHE_HOME="$dir/cache" XDG_STATE_HOME="$dir/state" XDG_CONFIG_HOME="$dir/config"
export BD_RUNS="$dir/runs" LC_ALL=C.UTF-8
cd "$dir" || exit 1

# A key every tenth of a second, up and down the whole dial, and a frame kept now and then:
# its time is that of its file.
awk -v keys="${KEYS:-300}" -v limit="${LIMIT:-600}" 'BEGIN {
	split(", . , , < . > . . > , <", k, " ")
	for (i = 0; i < keys; i++) {
		print k[i % 12 + 1]
		print "wait 100"
		if (i % 3 == 2)
			printf "dump frame%05d\n", n++
	}
	print "dump keys-done"
	for (i = 0; i < 2 * limit; i++)
		printf "wait 500\ndump frame%05d\n", n++
}' > keys
now() { date +%s.%N; }
since() { awk "BEGIN { printf \"%.1f\", $1 - $start }"; }

start=$(now)
"$bitdial" "$model" --headless 120x36 --keys keys --stats > stats < /dev/null 2> err &
pid=$!
score=null fast=null free=null best=null at=0
# The line of a frame's Search panel, and whether all of its cells are there.
while kill -0 $pid 2> /dev/null; do
	frame=$(printf 'frame%05d' $at)
	if [ ! -e "$frame" ]; then
		[ -e keys-done ] && [ "$best" != null ] && [ "$fast" != null ] && kill -TERM $pid && break
		sleep 0.2
		continue
	fi
	t=$(since "$(stat -c %.3Y "$frame")")
	[ $score != null ] || ! grep -qE '│ (scan +(fast pass|all|[0-9]+ of))' "$frame" || score=$t
	[ $fast != null ] || ! grep -qE '│ scan +(all|[0-9]+ of)' "$frame" || fast=$t
	[ $free != null ] || ! sed -nE 's/.*│ variants +(ready |data-free )([0-9]+), (best|calibrated) ([0-9]+) of ([0-9]+) .*/\1\2 \4 \5/p; s/.*│ variants +all .*/all/p' "$frame" |
		awk '$1 == "ready" && $2 == $4 || $1 == "data-free" && $2 + $3 == $4 || $1 == "all" { ok = 1 } END { exit !ok }' ||
		free=$t
	[ $best != null ] || ! grep -qE '│ variants +all [0-9]+, each its best' "$frame" || best=$t
	rm -f "$frame"
	at=$((at + 1))
done
wait $pid
pid=
[ -s stats ] || { cat err >&2; exit 1; }
sed 's/^{/{"bench":"screen",/' stats
printf '{"bench":"ready","first_score_s":%s,"fast_pass_s":%s,"data_free_variants_s":%s,"best_variants_s":%s}\n' \
	$score $fast $free $best
# How fast a layout decodes does not depend on who chose its codes.
for layout in int2g64 int4g128 keep; do
	"$bitdial" chat "$model" --layout $layout --quantizer minmax --seed 1 --max-tokens 128 --json \
		--prompt 'Tell me a long story about a dial.' 2> err > answer || cat err >&2
	printf '{"bench":"decode","layout":"%s","tokens":%s,"ttft_ms":%s,"tok_s":%s}\n' $layout \
		"$(sed -n 's/.*"tokens":\([0-9]*\).*/\1/p' answer)" \
		"$(sed -n 's/.*"ttft_ms":\([-0-9.e]*\).*/\1/p' answer)" \
		"$(sed -n 's/.*"tok_s":\([-0-9.e]*\).*/\1/p' answer)"
done
