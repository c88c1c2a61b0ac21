#!/bin/sh
# bench_train.sh BITDIAL - tokens a second and peak memory of `bitdial train` beside a full fine-tune of the same
# model by PyTorch (tests/golden/torch_train.py), by turns: windows of 256 tokens, four a step, all labelled.
# A turn is one run of each program; ratios are of the same turn, so that what the machine does besides
# falls on all.  The spread of a program's turns is printed, and said to be noise above a tenth.
#   MODEL=FILE (the default model)  LAYOUT=int4g128  METHOD=rank  DATA=share/sft/next-step.jsonl
#   DIAL=int2g64,int4g64: `bitdial calibrate` of these formats beside the same by PyTorch (tests/golden/torch_calibrate.py)
#   TURNS=3  STEPS=6  DROP=2 (first steps that do not count)  THREADS=(all)  MATHS="bf16 f32"
#   CACHE=DIR (a copy of a cache to begin from; else the layout is made first, in minutes)
#   PYTHON=python3 (one that has torch, transformers and gguf)
set -u
bitdial=${1:?usage: bench_train.sh BITDIAL}
case $bitdial in /*) ;; *) bitdial=$PWD/$bitdial ;; esac
model=${MODEL:-${XDG_DATA_HOME:-$HOME/.local/share}/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf}
python=${PYTHON:-python3} data=${DATA:-share/sft/next-step.jsonl}
turns=${TURNS:-3} steps=${STEPS:-6} drop=${DROP:-2}
layout=${LAYOUT:-int4g128} method=${METHOD:-rank} threads=${THREADS:-$(nproc)}
[ -e "$model" ] || { echo "bench_train: skipped, there is no $model (make model)"; exit 0; }
"$python" -c 'import torch, transformers' 2> /dev/null ||
	{ echo "bench_train: skipped, $python has no torch and transformers (PYTHON=...)"; exit 0; }
[ "$steps" -gt "$drop" ] || { echo "bench_train: STEPS=$steps is to be above DROP=$drop" >&2; exit 2; }
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill $pid 2> /dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
export XDG_STATE_HOME="$dir/state" XDG_CONFIG_HOME="$dir/config" XDG_CACHE_HOME="${CACHE:-$dir/cache}" LC_ALL=C.UTF-8

middle() { sort -g | awk '{ v[NR] = $1 } END { if (NR) printf "%.4g", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
number() { sed -n "s/.*\"$1\": *\([-0-9.e+]*\).*/\1/p" "$2" | tail -1; }
# column FILE NUMBER
column() { awk -v c="$2" '{ print $c }' "$1"; }

# ours MATH: a line "tokens a second, peak bytes" to $dir/bitdial.MATH.  The kernel's own peak of a process
# goes with it, so it is looked at while it runs; it only grows.
ours() {
	rm -rf "$dir/runs"
	f32=
	[ "$1" = bf16 ] || f32=--f32
	set -- "$1" train "$model" --layout "$layout" --method "$method" --all
	[ -z "${DIAL:-}" ] || set -- "$1" calibrate "$model" --formats "$DIAL"
	math=$1
	shift
	BD_RUNS="$dir/runs" "$bitdial" "$@" --data "$data" \
		--steps "$steps" --window 256 --windows 4 --held-every 1000000 --save-every 1000000 \
		--threads "$threads" $f32 --json > "$dir/out" 2> "$dir/err" < /dev/null &
	pid=$!
	peak=0
	while at=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2> /dev/null) && [ -n "$at" ]; do
		peak=$at
		sleep 0.05
	done
	wait $pid || { sed 's/^/bench_train: /' "$dir/err" >&2; exit 1; }
	pid=
	set -- "$(echo "$dir"/runs/*/metrics/train.tsv)"
	at=$(sed -n '/^#/{s/^# *//p;q}' "$1" | tr '\t' '\n' | grep -n '^tok_s$' | cut -d: -f1)
	[ -n "$at" ] || { echo "bench_train: the run has no tok_s in $1" >&2; exit 1; }
	speed=$(grep -v '^#' "$1" | tail -n +$((drop + 1)) | cut -f "$at" | middle)
	echo "$speed $((peak * 1024))" >> "$dir/bitdial.$math"
}
theirs() {
	bf16=
	[ "$1" = f32 ] || bf16=--bf16
	math=$1
	set -- tests/golden/torch_train.py "$model"
	[ -z "${DIAL:-}" ] || set -- tests/golden/torch_calibrate.py "$model" --data "$data"
	"$python" "$@" --steps "$steps" --drop "$drop" --threads "$threads" $bf16 --json > "$dir/out" 2> "$dir/err" ||
		{ tail -5 "$dir/err" | sed 's/^/bench_train: /' >&2; exit 1; }
	echo "$(number tok_s "$dir/out") $(number peak_bytes "$dir/out")" >> "$dir/torch.$math"
}

# what the layout needs is made and kept by a run that does not count
(steps=1 drop=0; ours bf16) || exit 1
rm -f "$dir"/bitdial.*
i=0
while [ $i -lt "$turns" ]; do
	for math in ${MATHS:-bf16 f32}; do
		ours $math
		theirs $math
	done
	i=$((i + 1))
done
noisy=
for math in ${MATHS:-bf16 f32}; do
	for who in bitdial torch; do
		f=$dir/$who.$math
		spread=$(column "$f" 1 | sort -g | awk '{ v[NR] = $1 } END { printf "%.3f", (v[NR] - v[1]) / v[int((NR + 1) / 2)] }')
		printf '{"bench":"train","who":"%s","math":"%s","threads":%s,"tok_s":%s,"step_1024_s":%s,"peak_bytes":%s,"turns":%s,"spread":%s}\n' \
			"$who" "$math" "$threads" "$(column "$f" 1 | middle)" \
			"$(column "$f" 1 | awk '{ print 1024 / $1 }' | middle)" \
			"$(column "$f" 2 | sort -g | tail -1)" "$turns" "$spread"
		[ "$(awk -v s="$spread" 'BEGIN { print (s > 0.1) }')" = 0 ] || noisy="$noisy $who/$math"
	done
	paste "$dir/bitdial.$math" "$dir/torch.$math" > "$dir/pairs"
	printf '{"bench":"train","math":"%s","tok_s_ratio":%s,"peak_ratio":%s}\n' "$math" \
		"$(awk '{ print $1 / $3 }' "$dir/pairs" | middle)" "$(awk '{ print $2 / $4 }' "$dir/pairs" | middle)"
done
[ -z "$noisy" ] ||
	echo "bench_train: turns differed by more than a tenth ($(echo $noisy)): the machine was noisy, load $(cut -d' ' -f1-3 /proc/loadavg)"
