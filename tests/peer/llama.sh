#!/bin/sh
# llama.sh BITDIAL TEXT [TYPES...] - llama.cpp's own types beside the dial, on the same text.
#
# Builds the pinned llama.cpp once (its source is in the sdist of llama-cpp-python) in
# $XDG_CACHE_HOME/bitdial/peer.  The default model (or $MODEL, a GGUF file) is the
# reference: it is dequantized exactly to float32, llama-quantize makes each type of that
# with an importance matrix, embedding, head and norms stay as they are.  Columns:
#   stored    bytes of the blocks' matrices in bits a weight, as the dial counts, and what
#             they really are: types of blocks of 256 fall back where rows do not divide
#   KL        KL(reference || type): the type's weights dequantized by ggml, both models
#             through llama.cpp's forward pass in float32, so that nothing but the weights
#             is held against it (as with the dial); windows and tokens of `bitdial eval`
#   as run    the same of the file itself, whose products round activations to 8 bits
#   dial      the dial at no more than those bytes, by `bitdial search` and `bitdial eval`
#
#   TOKENS=2048  IMATRIX_TEXT=FILE  CHUNKS=128 (of it)  SCAN="--text FILE"  JOBS=N
# TEXT must be neither scanned nor calibrated on.  Without IMATRIX_TEXT the importance
# matrix is made of the text the model wrote itself to calibrate the dial on.
# Exit status 2: this machine lacks what it needs (get.sh).
set -eu
here=$(dirname "$0")
bitdial=$1 text=${2:-}
[ -f "$text" ] || { echo "usage: make peer TEXT=FILE (plain text not used to scan)" >&2; exit 2; }
shift 2
[ $# -gt 0 ] || set -- IQ2_XS IQ3_XXS Q3_K_S Q2_K IQ4_XS Q4_0 Q3_K_M Q4_K_S
window=512
tokens=${TOKENS:-2048}
model=${MODEL:-${XDG_DATA_HOME:-$HOME/.local/share}/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf}
. "$here/get.sh"
close_to() { awk -v a="$1" -v b="$2" -v d="$3" 'BEGIN { exit !(a - b <= d && b - a <= d) }'; }

# ---- the reference, what is measured on, the importance matrix
reference() {
	"$root/peer" f32 "$model" "$work/ref.gguf"
	"$bitdial" tokens "$model" --text "$text" --limit "$tokens" --json 2> /dev/null > "$work/ids"
	"$bitdial" eval "$model" --text "$text" --limit "$tokens" --window $window --json \
		2> /dev/null > "$work/e"
	nll=$(field nll < "$work/e")
	"$bitdial" eval "$work/ref.gguf" --text "$text" --limit "$tokens" --window $window --json \
		2> /dev/null > "$work/e"
	close_to "$nll" "$(field nll < "$work/e")" 1e-5 ||
		fail "bitdial's NLL of the file, $nll, is not that of its float32 form, $(field nll < "$work/e")"
}
imatrix() {
	if [ -n "${IMATRIX_TEXT:-}" ]; then
		name=$(basename "$IMATRIX_TEXT")
		case $IMATRIX_TEXT in
		*.jsonl) python3 -c 'import json, sys
for l in open(sys.argv[1], encoding="utf-8"): print(json.loads(l)["text"] + "\n")' "$IMATRIX_TEXT" ;;
		*) cat "$IMATRIX_TEXT" ;;
		esac > "$work/calibration"
	else
		name="self-written, seed 2"
		own=$cache/models/$(sha256sum "$model" | cut -c1-16)/text-2-256.ids
		[ -f "$own" ] || fail "$own is not there; name a text by IMATRIX_TEXT=FILE"
		od -An -v -t d4 -j 8 "$own" > "$work/own" # a checksum, then the ids
		"$root/peer" text "$model" "$work/own" > "$work/calibration"
	fi
	"$root/build/bin/llama-imatrix" -m "$work/ref.gguf" -f "$work/calibration" -o "$work/im.gguf" \
		-c $window --chunks "${CHUNKS:-128}" -t "$JOBS" --no-ppl > "$work/im.log" 2>&1 ||
		fail "llama-imatrix: $(tail -1 "$work/im.log")"
}

one() { # type
	"$root/build/bin/llama-quantize" --imatrix "$work/im.gguf" --token-embedding-type f32 \
		--leave-output-tensor "$work/ref.gguf" "$work/q.gguf" "$1" "$JOBS" > "$work/q.log" 2>&1 ||
		fail "llama-quantize $1: $(tail -1 "$work/q.log")"
	"$root/peer" size "$work/ref.gguf" "$work/q.gguf" > "$work/size"
	"$root/peer" f32 "$work/q.gguf" "$work/qf.gguf"
	"$root/peer" kl "$work/ref.gguf" "$work/ids" $window "$work/qf.gguf" "$work/q.gguf" > "$work/kl"
	rm "$work/q.gguf" "$work/qf.gguf"
	read -r bpw what < "$work/size"
	{ read -r _ ref_nll _ kl se _; read -r _ _ _ run _; } < "$work/kl"
	close_to "$ref_nll" "$nll" 1e-3 ||
		fail "llama.cpp's NLL of the reference, $ref_nll, is not bitdial's, $nll"
	"$bitdial" search "$model" ${SCAN:-} --bpw "$bpw" -o "$work/l.json" --json 2> /dev/null > "$work/s"
	"$bitdial" eval "$model" --layout "$work/l.json" --text "$text" --limit "$tokens" \
		--window $window --json 2> /dev/null > "$work/e"
	dial=$(field kl < "$work/e")
	printf '%-8s %-7.4f %.4f ± %-7.4f %-7.4f %-7.4f %.4f ± %-7.4f %-6s %s\n' "$1" "$bpw" "$kl" "$se" \
		"$run" "$(field stored_bpw < "$work/e")" "$dial" "$(field kl_se < "$work/e")" \
		"$(awk -v a="$dial" -v b="$kl" 'BEGIN { print (a < b ? "dial" : "type") }')" \
		"$what"
}

[ -f "$model" ] || lack "$model is not there; make model fetches it"
begin_work
fetch
build build 'llama-quantize llama-imatrix'
compile build "$root/peer" "$here/peer.c"
echo "scanning, where it is not done ..." >&2
"$bitdial" scan "$model" ${SCAN:-} > /dev/null 2>&1
reference
imatrix
echo "text $(basename "$text"), SHA-256 $(sha256sum "$text" | cut -c1-16)..., $tokens tokens, windows of $window"
echo "llama.cpp of $package $version; importance matrix: $name; reference's NLL $nll"
printf '%-8s %-7s %-16s %-7s %-7s %-16s %-6s %s\n' type stored 'KL' 'as run' dial 'KL' lower 'the matrices'
for t; do
	one "$t"
done
