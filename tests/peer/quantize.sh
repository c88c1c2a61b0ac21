#!/bin/sh
# quantize.sh BITDIAL [MODEL] - weights a second of quantizing, and the error, beside llama.cpp's.
#
# MODEL (a GGUF file; none: the default model) is made Q4_0 and Q4_K_S by llama-quantize and a
# folder of FORMAT by `bitdial export`, PAIRS times by turns on THREADS threads.  Timed is the
# whole program: reading the file, quantizing every matrix of the blocks, writing the result;
# the embedding stays as it is in the file with both.  What bitdial keeps of a file it has seen
# (a checksum of it) is there: one run before the first does not count.  Weights are those of the
# blocks.  Printed are medians of both in millions a second, the median of the ratios of
# neighbours, and the least and the largest ratio; then bits stored and mean squared error over
# mean square of those weights, as $PYTHON's packages gguf and numpy read them.
# tests/peer/random_gguf.py writes a MODEL whose rows all types divide (rows of 576 make
# llama-quantize fall back from Q4_K to Q5_0).
#
#	PAIRS=9  THREADS=(all)  FORMAT=int4g128  QUANTIZER=hqq  PYTHON=python3
# Exit status 2: this machine lacks what it needs (get.sh).
set -eu
here=$(dirname "$0")
bitdial=$1 pairs=${PAIRS:-9} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
format=${FORMAT:-int4g128} by=${QUANTIZER:-hqq} python=${PYTHON:-python3}
. "$here/get.sh"
"$python" -c 'import gguf, numpy' 2> /dev/null ||
	lack "$python has no packages gguf and numpy (name another by PYTHON=)"
find_model "${2:-}"
begin_work

fetch
build_speed 'llama-bench llama-quantize'
theirs=$bin/llama-quantize
"$python" "$here/quantize.py" count "$model" > "$work/count"
read -r weights embedding < "$work/count"

run() { # COMMAND...: its seconds into $took
	began=$(date +%s%N)
	"$@" > "$work/log" 2>&1 || fail "$1: $(tail -1 "$work/log")"
	took=$(awk -v a="$began" -v b="$(date +%s%N)" 'BEGIN { print (b - a) / 1e9 }')
}
peer() { # type
	rm -f "$work/$1.gguf"
	run "$theirs" --allow-requantize --token-embedding-type "$embedding" \
		--output-tensor-type "$embedding" "$model" "$work/$1.gguf" "$1" "$threads"
}
ours() { # format quantizer
	rm -rf "$work/ours"
	run env XDG_CACHE_HOME="$work/cache" "$bitdial" export "$model" --layout "$1" \
		--formats int4g64,int4g128 --quantizer "$2" --threads "$threads" -o "$work/ours"
}
compare() { # type
	: > "$work/pairs"
	i=0
	others
	while [ $i -lt "$pairs" ]; do
		peer "$1"
		a=$took
		ours "$format" "$by"
		echo "$weights $a $took" | awk '{ print $1 / $2 / 1e6, $1 / $3 / 1e6, $2 / $3 }' >> "$work/pairs"
		i=$((i + 1))
	done
	others
	cut -d' ' -f3 "$work/pairs" | sort -g > "$work/r"
	printf '%-8s %-14s %-9s %-9s %-6s %.2f ... %.2f  %s %%\n' "$1" "$format $by" \
		"$(cut -d' ' -f1 "$work/pairs" | middle)" "$(cut -d' ' -f2 "$work/pairs" | middle)" \
		"$(middle < "$work/r")" "$(head -1 "$work/r")" "$(tail -1 "$work/r")" "$noise"
}

echo "llama.cpp of $package $version; $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1); $threads threads, $pairs pairs, $((weights / 1000000)) M weights"
ours "$format" "$by"
printf '%-8s %-14s %-9s %-9s %-6s %s\n' type ours theirs ours ratio 'range         others'
for type in Q4_0 Q4_K_S; do
	compare "$type"
done
printf '\n%-16s %-8s %s\n' weights stored error
for f in int4g128 int4g64; do
	for q in minmax clip hqq; do
		ours $f $q
		"$python" "$here/quantize.py" error "$model" "$work/ours" "$f $q"
	done
done
for type in Q4_0 Q4_K_S; do
	"$python" "$here/quantize.py" error "$model" "$work/$type.gguf" "$type"
done
