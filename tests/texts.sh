#!/bin/sh
# texts.sh BITDIAL SCANTEXT TEXT - does self-sampled text scan as well as real text?
# Scans the default model (or $MODEL) on what it writes itself and on SCANTEXT; prints the
# rank correlation of the cells, and the KL on TEXT (used for neither) of the layouts that
# either leads to.
set -eu
bitdial=$1 real=$2 text=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
field() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"; }
"$bitdial" scan ${MODEL:-} | grep -v '^#' | sort > "$dir/self"
"$bitdial" scan ${MODEL:-} --text "$real" | grep -v '^#' | sort > "$dir/real"
paste "$dir/self" "$dir/real" | awk '{ print $2, $4, $10 }' > "$dir/both"
for f in $(cut -d' ' -f1 "$dir/both" | sort -u) all; do
	awk -v f="$f" 'f == "all" || $1 == f { print NR, $2, $3 }' "$dir/both" |
		sort -g -k2,2 | awk '{ print $0, NR }' | sort -g -k3,3 |
		awk -v f="$f" '{ d = $4 - NR; s += d * d; n++ }
			END { printf "Spearman self against real, %-9s %.3f (%d cells)\n", f, 1 - 6 * s / (n * (n * n - 1)), n }'
done
for b in 3.6 4.0 4.44; do
	for w in self real; do
		scan=; [ $w = real ] && scan="--text $real"
		"$bitdial" search ${MODEL:-} $scan --bpw $b -o "$dir/$w.json" --json > /dev/null 2>&1
		"$bitdial" eval ${MODEL:-} --layout "$dir/$w.json" --text "$text" --limit ${TOKENS:-2048} --json 2> /dev/null > "$dir/$w.e"
	done
	printf '%s bpw: KL scanned on itself %.4f ± %.4f, on real text %.4f ± %.4f\n' $b \
		"$(field kl < "$dir/self.e")" "$(field kl_se < "$dir/self.e")" \
		"$(field kl < "$dir/real.e")" "$(field kl_se < "$dir/real.e")"
done
