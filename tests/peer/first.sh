#!/bin/sh
# first.sh BENCH_FIRST BITDIAL [MODEL] - time to open a model and to its first token, beside
# llama.cpp's, by turns, each in a fresh process, the files in memory.
#
# The default model (or MODEL, a GGUF file) is quantized by llama-quantize to TYPE, and exported by
# `bitdial export` as LAYOUT by minmax (what the weights are takes no time).  PAIRS times each on
# THREADS threads: "open" until ready to run, "first" until the logits of a prompt of PROMPT ids.
#
#	PAIRS=9  PROMPT=512  THREADS=(cores)  TYPE=Q4_0  LAYOUT=int4g128
set -eu
here=$(dirname "$0")
ours=$1 bitdial=$2 pairs=${PAIRS:-9} prompt=${PROMPT:-512} type=${TYPE:-Q4_0}
layout=${LAYOUT:-int4g128} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
. "$here/get.sh"
find_model "${3:-}"
begin_work
fetch
build_speed 'llama-bench llama-quantize'
compile speed "$work/first" "$here/first.c"
"$bin/llama-quantize" --allow-requantize "$model" "$work/peer.gguf" "$type" "$JOBS" \
	> "$work/q.log" 2>&1 || fail "llama-quantize $type: $(tail -1 "$work/q.log")"
"$bitdial" export "$model" --layout "$layout" --quantizer minmax -o "$work/ours" --read-only > "$work/e.log" 2>&1 || fail "export: $(tail -1 "$work/e.log")"
mib() { du -Lbs "$1" | awk '{ printf "%.0f MiB", $1 / 1048576 }'; }
others
i=0
while [ $i -lt "$pairs" ]; do
	a=$("$work/first" "$work/peer.gguf" "$prompt" "$threads")
	b=$("$ours" "$work/ours" "$prompt" "$threads")
	echo "$(echo "$a" | field open_s) $(echo "$b" | field open_s)" >> "$work/open"
	echo "$(echo "$a" | field first_s) $(echo "$b" | field first_s)" >> "$work/first_s"
	i=$((i + 1))
done
others
echo "llama.cpp of $package $version, $type $(mib "$work/peer.gguf") beside $layout $(mib "$work/ours");" \
	"$threads threads, prompt of $prompt, $pairs pairs, others took $noise % of the machine"
printf '%-6s %-10s %-10s %s\n' what 'theirs s' 'ours s' 'theirs / ours'
for what in open first_s; do
	printf '%-6s %-10s %-10s %s\n' ${what%_s} "$(cut -d' ' -f1 "$work/$what" | middle)" \
		"$(cut -d' ' -f2 "$work/$what" | middle)" \
		"$(awk '{ print $1 / $2 }' "$work/$what" | middle)"
done
