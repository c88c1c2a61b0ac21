#!/bin/sh
# cuda.sh check|sanitize|bench - make check-cuda and make bench-cuda: builds what they need for the
# device that is here ($B/native: the backend, ref, no library but CUDA's) and runs it.
#
#	MAKE, NVCC, B	as in the Makefile
#	OUT=DIR		bench: a copy of the report there; WRITE=1: in share/bench
#	CUDA_ARCHS=90	machine code for these; default: what the devices here are
#
# sanitize: the small checks under compute-sanitizer's memcheck and racecheck (minutes).
set -eu
what=$1
fail() {
	echo "$what-cuda: $*" >&2
	exit 1
}

[ -n "${NVCC:-}" ] || fail 'there is no nvcc; install the CUDA toolkit, or say where it is: NVCC=FILE'
near=$(dirname "$NVCC")
[ -n "${CUDA_ARCHS:-}" ] || CUDA_ARCHS=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null |
	tr -d '. ' | grep -x '[0-9][0-9]*' | sort -un | tr '\n' ' ')
[ -n "$CUDA_ARCHS" ] || CUDA_ARCHS=$("$near/__nvcc_device_query" 2> /dev/null | tr -dc '0-9, ' | tr ',' ' ') || :
[ -n "$CUDA_ARCHS" ] || fail 'no NVIDIA device answers here: neither nvidia-smi nor the driver names one'

dir=$B/native began=$(date +%s)
program=$dir/tests/check_cuda
[ "$what" != bench ] || program=$dir/tests/bench_cuda
$MAKE --no-print-directory -s -j"$(getconf _NPROCESSORS_ONLN)" B="$dir" NVCC="$NVCC" CUDA_ARCHS="$CUDA_ARCHS" \
	"$dir/libbitdial-cuda.so" "$program" || fail 'it does not build'
echo "built for sm_$(echo $CUDA_ARCHS | sed 's/ /, sm_/g') in $(($(date +%s) - began)) s"

case $what in
check)
	"$program"
	"$program" --lose || fail 'a device that fails is not seen to fail'
	;;
sanitize)
	tool=$(command -v compute-sanitizer || ls "$near/compute-sanitizer" 2> /dev/null) ||
		fail 'there is no compute-sanitizer'
	for t in memcheck racecheck; do
		echo "compute-sanitizer --tool $t"
		"$tool" --tool $t --error-exitcode 9 "$program" --grade small --repeat 2 ||
			fail "$t is not content"
	done
	;;
bench)
	[ -z "${WRITE:-}" ] || OUT=share/bench
	[ -z "${OUT:-}" ] || mkdir -p "$OUT"
	"$program" ${OUT:+--out "$OUT"}
	;;
*) fail 'check, sanitize or bench?' ;;
esac
echo "$what-cuda: $(($(date +%s) - began)) s in all"
