#!/bin/sh
# speed.sh BENCH_MODEL [MODEL] - tokens a second beside llama.cpp's, by turns.
#
# The default model (or MODEL, a GGUF file) is made Q4_0 and Q2_K by llama-quantize; llama-bench
# runs them, BENCH_MODEL (tests/bench_model.c) the same model as int4g128 and int2g64 with
# activations rounded as the chat has them; the peer's are rounded to int8.  PAIRS times by turns on 1 and on all threads: prompt
# of 512 tokens, TOKENS more.  Printed are medians of both, the median of the ratios of
# neighbours, and the least and the largest ratio.
#
#	PAIRS=9  TOKENS=64  THREADS="1 2"  MATH=fast
set -eu
here=$(dirname "$0")
bench=$1 pairs=${PAIRS:-9} tokens=${TOKENS:-64} math=${MATH:-fast}
threads=${THREADS:-1 $(getconf _NPROCESSORS_ONLN)}
. "$here/get.sh"
model=${2:-${XDG_DATA_HOME:-$HOME/.local/share}/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf}
[ -f "$model" ] || lack "$model is not there; make model fetches it"
mkdir -p "$cache/peer"
work=$(mktemp -d "$cache/peer/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

fetch
build_speed
bin=$root/speed/bin
for type in Q4_0 Q2_K; do
	"$bin/llama-quantize" --allow-requantize "$model" "$work/$type.gguf" $type "$JOBS" \
		> "$work/q.log" 2>&1 || fail "llama-quantize $type: $(tail -1 "$work/q.log")"
done

peer() { # type threads -> "prefill decode"
	"$bin/llama-bench" -m "$work/$1.gguf" -p 512 -n "$tokens" -t "$2" -r 1 -o csv 2> /dev/null |
		awk -F, '{ gsub(/"/, "") } NR == 1 { for (i = 1; i <= NF; i++) if ($i == "avg_ts") c = i }
			NR > 1 { printf "%s ", $c } END { print "" }'
}
field() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"; }

# One format on so many threads: ours is a server on two pipes.
compare() { # type layout threads
	rm -f "$work/ask" "$work/told"
	mkfifo "$work/ask" "$work/told"
	"$bench" -m "$model" -l "$2" -a "$math" -c 0 -n "$tokens" -t "$3" -s < "$work/ask" > "$work/told" &
	exec 3> "$work/ask" 4< "$work/told"
	: > "$work/pairs"
	i=0
	while [ $i -lt "$pairs" ]; do
		theirs=$(peer "$1" "$3")
		echo >&3
		read -r ours <&4
		echo "$theirs $(echo "$ours" | field prefill_tok_s) $(echo "$ours" | field decode_tok_s)" \
			>> "$work/pairs"
		i=$((i + 1))
	done
	exec 3>&- 4<&-
	wait
	for what in '1 3 prefill' '2 4 decode'; do
		set -- "$1" "$2" "$3" $what
		awk -v a="$4" -v b="$5" '{ print $a, $b, $b / $a }' "$work/pairs" > "$work/r"
		printf '%-8s %-9s %-7s %-8s %-9s %-9s %-6s %s ... %s\n' "$1" "$2" "$3" "$6" \
			"$(cut -d' ' -f1 "$work/r" | middle)" "$(cut -d' ' -f2 "$work/r" | middle)" \
			"$(cut -d' ' -f3 "$work/r" | middle)" "$(cut -d' ' -f3 "$work/r" | sort -g | head -1)" \
			"$(cut -d' ' -f3 "$work/r" | sort -g | tail -1)"
	done
}
middle() { sort -g | awk '{ v[NR] = $1 } END { printf "%.4g", v[int((NR + 1) / 2)] }'; }

echo "llama.cpp of $package $version; $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); $pairs pairs"
printf '%-8s %-9s %-7s %-8s %-9s %-9s %-6s %s\n' type layout threads what theirs ours ratio range
for t in $threads; do
	compare Q4_0 int4g128 "$t"
	compare Q2_K int2g64 "$t"
done
