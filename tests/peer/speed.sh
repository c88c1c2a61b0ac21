#!/bin/sh
# speed.sh BENCH_MODEL [MODEL] - tokens a second beside llama.cpp's, by turns.
#
# The default model (or MODEL, a GGUF file; tests/peer/random_gguf.py writes one of any shape) is
# quantized by llama-quantize to each of TYPES and run by llama-bench; BENCH_MODEL
# (tests/bench_model.c) runs the same model with the layout behind the colon, activations rounded as
# the chat has them; the peer's are rounded to int8.  PAIRS times by turns on each of THREADS: a
# prompt of PROMPT tokens, and TOKENS more from an empty context.  HEAD: format of our head (as the
# file has it; the peer makes it Q6_K).  Printed are medians of both, the median of the ratios of
# neighbours, the least and the largest ratio, and how much of the machine others took.
#
#	PAIRS=9  PROMPT=512  TOKENS=64  THREADS="1 2"  MATH=fast  HEAD=keep
#	TYPES="Q4_0:int4g128 Q2_K:int2g64"
set -eu
here=$(dirname "$0")
bench=$1 pairs=${PAIRS:-9} prompt=${PROMPT:-512} tokens=${TOKENS:-64} math=${MATH:-fast}
types=${TYPES:-Q4_0:int4g128 Q2_K:int2g64}
threads=${THREADS:-1 $(getconf _NPROCESSORS_ONLN)}
. "$here/get.sh"
find_model "${2:-}"
begin_work

fetch
build_speed 'llama-bench llama-quantize'
for t in $types; do
	type=${t%:*}
	"$bin/llama-quantize" --allow-requantize "$model" "$work/$type.gguf" $type "$JOBS" \
		> "$work/q.log" 2>&1 || fail "llama-quantize $type: $(tail -1 "$work/q.log")"
done

peer() { # type threads -> "prefill decode"
	"$bin/llama-bench" -m "$work/$1.gguf" -p "$prompt" -n "$tokens" -t "$2" -r 1 -o csv 2> /dev/null |
		awk -F, '{ gsub(/"/, "") } NR == 1 { for (i = 1; i <= NF; i++) if ($i == "avg_ts") c = i }
			NR > 1 { printf "%s ", $c } END { print "" }'
}

# One format on so many threads: ours is a server on two pipes.
compare() { # type layout threads
	rm -f "$work/ask" "$work/told"
	mkfifo "$work/ask" "$work/told"
	"$bench" -m "$model" -l "$2" -a "$math" -H "${HEAD:-keep}" -p "$prompt" -c 0 -n "$tokens" -t "$3" -s < "$work/ask" > "$work/told" &
	exec 3> "$work/ask" 4< "$work/told"
	: > "$work/pairs"
	others
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
	others
	for what in '1 3 prefill' '2 4 decode'; do
		set -- "$1" "$2" "$3" $what
		awk -v a="$4" -v b="$5" '{ print $a, $b, $b / $a }' "$work/pairs" > "$work/r"
		printf '%-8s %-9s %-7s %-8s %-9s %-9s %-6s %.2f ... %.2f  %s %%\n' "$1" "$2" "$3" "$6" \
			"$(cut -d' ' -f1 "$work/r" | middle)" "$(cut -d' ' -f2 "$work/r" | middle)" \
			"$(cut -d' ' -f3 "$work/r" | middle)" "$(cut -d' ' -f3 "$work/r" | sort -g | head -1)" \
			"$(cut -d' ' -f3 "$work/r" | sort -g | tail -1)" "$noise"
	done
}

echo "llama.cpp of $package $version; $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); $pairs pairs, prompt of $prompt, head ${HEAD:-keep}"
printf '%-8s %-9s %-7s %-8s %-9s %-9s %-6s %s\n' type layout threads what theirs ours ratio 'range         others'
for t in $threads; do
	for pair in $types; do compare "${pair%:*}" "${pair#*:}" "$t"; done
done
