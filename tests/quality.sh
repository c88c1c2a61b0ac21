#!/bin/sh
# quality.sh BITDIAL TEXT - KL of the dial's layouts beside the guards at the same bytes.
# TEXT is measured on and must not be what was scanned.  Every figure is one
# `bitdial eval --json`; the reference is the default model (or $MODEL).
#   TOKENS=2048  BUDGETS="3.2 3.6 4.0 4.23 4.44 4.63"  SEEDS="1 2 ... 12"  SCAN="--text FILE"
set -eu
bitdial=$1 text=${2:-}
[ -f "$text" ] || { echo "usage: make quality TEXT=FILE (plain text not used to scan)" >&2; exit 2; }
tokens=${TOKENS:-2048}
seeds=${SEEDS:-1 2 3 4 5 6 7 8 9 10 11 12}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

field() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"; }
kl() { # layout file -> "kl se"
	"$bitdial" eval ${MODEL:-} --layout "$1" --text "$text" --limit "$tokens" --json 2>/dev/null > "$dir/e"
	echo "$(field kl < "$dir/e") $(field kl_se < "$dir/e")"
}
search() { "$bitdial" search ${MODEL:-} ${SCAN:-} --bpw "$1" -o "$dir/$2.json" --json $3 2>/dev/null > "$dir/$2.out"; }

"$bitdial" scan ${MODEL:-} ${SCAN:-} > "$dir/scan.tsv"
echo "text $(basename "$text"), SHA-256 $(sha256sum "$text" | cut -c1-16)..., $tokens tokens, windows of 512"
printf '%-7s %-8s %-18s %-10s %-10s %-10s %-10s\n' asked stored 'dial (± se)' predicted uniform ends 'random, best'
for b in ${BUDGETS:-3.2 3.6 4.0 4.23 4.44 4.63}; do
	search "$b" dial ""
	set -- $(kl "$dir/dial.json"); dial=$1 se=$2
	search "$b" uniform "--guard uniform"; set -- $(kl "$dir/uniform.json"); uniform=$1
	search "$b" ends "--guard ends"; set -- $(kl "$dir/ends.json"); ends=$1
	best=
	for s in $seeds; do
		search "$b" random "--guard random:$s"; set -- $(kl "$dir/random.json")
		best=$(printf '%s\n%s\n' "$1" "$best" | grep . | sort -g | head -1)
	done
	printf '%-7s %-8.4f %.4f ± %-9.4f %-10.4f %-10.4f %-10.4f %-10.4f\n' "$b" \
		"$(field stored_bpw < "$dir/dial.out")" "$dial" "$se" \
		"$(field predicted_kl < "$dir/dial.out")" "$uniform" "$ends" "$best"
done
