#!/bin/sh
# quality.sh BITDIAL TEXT - KL of the dial's layouts beside what else the same bytes can do.
# TEXT is measured on and must not be what was scanned.  Every figure is one
# `bitdial eval --json`; the reference is the default model (or $MODEL).
#
#   TOKENS=2048  SEEDS="1 2 ... 12"  SCAN="--text FILE"  of all tables
#   BUDGETS="3.2 3.6 4.0 4.23 4.44 4.63"      of the default dial
#   TWO="3.4 3.8 4.1"  PAIR=int2g64,int4g128  of the dial of two widths
#   PREDICT="3.3 3.5 3.7 3.9 4.1 4.3 4.5 4.7" predicted against measured
#   WITH="channel refined uniform ends random" columns beside the dial's
#   TABLES="default two predict ranks"
#
# Columns: sum/KL is what the cells add up to over what the layout does (additivity);
# channel is channel-mix, refined is search --refine, the others are guards (random: the
# best of SEEDS).  `ranks` needs a scan from an empty cache, for the first score and the fast
# pass of every cell.
set -eu
bitdial=$1 text=${2:-}
[ -f "$text" ] || { echo "usage: make quality TEXT=FILE (plain text not used to scan)" >&2; exit 2; }
tokens=${TOKENS:-2048}
seeds=${SEEDS:-1 2 3 4 5 6 7 8 9 10 11 12}
with=${WITH:-channel refined uniform ends random}
tables=${TABLES:-default two predict ranks}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
formats=

field() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"; }
has() { case " $1 " in *" $2 "*) return 0 ;; esac; return 1; }
kl() { # layout file -> "kl se"
	"$bitdial" eval ${MODEL:-} $formats --layout "$1" --text "$text" --limit "$tokens" --json \
		2>/dev/null > "$dir/e"
	echo "$(field kl < "$dir/e") $(field kl_se < "$dir/e")"
}
search() { # budget name options
	b=$1 out=$2
	shift 2
	"$bitdial" search ${MODEL:-} ${SCAN:-} $formats --bpw "$b" -o "$dir/$out.json" --json "$@" \
		2>/dev/null > "$dir/$out.out"
}
# one figure of a column: budget -> KL
figure() {
	case $2 in
	channel) search "$1" x --mix channel; kl "$dir/x.json" ;;
	refined) search "$1" x --refine; kl "$dir/x.json" ;;
	random)
		for s in $seeds; do
			search "$1" x --guard "random:$s"
			kl "$dir/x.json"
		done | sort -g | head -1 ;;
	*) search "$1" x --guard "$2"; kl "$dir/x.json" ;;
	esac | cut -d' ' -f1
}
row() { # budget
	search "$1" dial
	set -- "$1" $(kl "$dir/dial.json")
	printf '%-6s %-8.4f %.4f ± %-7.4f %-9.4f %-7.2f' "$1" "$(field stored_bpw < "$dir/dial.out")" \
		"$2" "$3" "$(field predicted_kl < "$dir/dial.out")" \
		"$(awk -v a="$(field sum_kl < "$dir/dial.out")" -v b="$2" 'BEGIN { print a / b }')"
	for c in $with; do
		printf ' %-8.4f' "$(figure "$1" "$c")"
	done
	echo
}
table() { # title budgets
	echo
	echo "$1"
	printf '%-6s %-8s %-16s %-9s %-7s' asked stored 'dial (± se)' predicted sum/KL
	for c in $with; do printf ' %-8s' "$c"; done
	echo
	for b in $2; do row "$b"; done
}
predicted() {
	echo
	echo "predicted before and measured, at budgets that nothing was measured at"
	printf '%-6s %-8s %-16s %-16s %s\n' asked stored predicted measured error
	for b in ${PREDICT:-3.3 3.5 3.7 3.9 4.1 4.3 4.5 4.7}; do
		search "$b" dial
		set -- $(kl "$dir/dial.json")
		awk -v b="$b" -v s="$(field stored_bpw < "$dir/dial.out")" \
			-v p="$(field predicted_kl < "$dir/dial.out")" \
			-v q="$(field predicted_se < "$dir/dial.out")" -v k="$1" -v e="$2" 'BEGIN {
			printf "%-6s %-8.4f %.4f ± %-7.4f %.4f ± %-7.4f %+.0f %%\n", b, s, p, q, k, e,
				100 * (p - k) / k }'
	done
}

echo "text $(basename "$text"), SHA-256 $(sha256sum "$text" | cut -c1-16)..., $tokens tokens, windows of 512"
"$bitdial" scan ${MODEL:-} ${SCAN:-} --json > "$dir/scan.json"
if has "$tables" ranks; then
	echo
	echo "rank correlation with the scan's KL: first score $(field spearman_first_score < "$dir/scan.json")," \
		"fast pass $(field spearman_fast < "$dir/scan.json")"
fi
if has "$tables" default; then
	table "the default dial" "${BUDGETS:-3.2 3.6 4.0 4.23 4.44 4.63}"
fi
if has "$tables" predict; then predicted; fi
if has "$tables" two; then
	pair=${PAIR:-int2g64,int4g128}
	formats="--formats $pair"
	"$bitdial" scan ${MODEL:-} ${SCAN:-} $formats > /dev/null
	table "the dial of $pair" "${TWO:-3.4 3.8 4.1}"
fi
