#!/bin/sh
# ops.sh OBJECTS... [-- OPTIONS] - products beside ggml's, in one process (ggml_ops.c).
#
# Each of KINDS at each shape and number of tokens, on each of THREADS.  Without OPTIONS:
#   M=1      4096x4096, 4096x14336, 2048x8192: int4g128 beside Q4_0 and Q4_K, int2g64 beside Q2_K
#            with activations rounded, and int2g64 with float ones beside Q2_K
#   M=128    4096x4096: the same rounded (in the chat's way, and by int8), and bf16 and f32
# A line of JSON for each type of the peer's, plain and repacked: judge by its quickest.
#
#	PAIRS=9  THREADS="1 2"
set -eu
here=$(dirname "$0")
pairs=${PAIRS:-9} threads=${THREADS:-1 $(getconf _NPROCESSORS_ONLN)}
. "$here/get.sh"
ours=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	ours="$ours $1"
	shift
done
[ $# -eq 0 ] || shift
begin_work
fetch
build_speed 'llama-bench llama-quantize'
# shellcheck disable=SC2086 # objects are words
compile speed "$work/ops" "$here/ggml_ops.c" $ours
for t in $threads; do
	if [ $# -gt 0 ]; then
		"$work/ops" -t "$t" -n "$pairs" "$@"
		continue
	fi
	"$work/ops" -t "$t" -n "$pairs" -m 1 -s 4096x4096 -s 4096x14336 -s 2048x8192 \
		-k int4 -k int2 -k exact2
	"$work/ops" -t "$t" -n "$pairs" -m 128 -k int4 -k int2 -k vnni4 -k vnni2 -k bf16 -k f32
done
