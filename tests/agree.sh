#!/bin/sh
# agree.sh BITDIAL - does the output error under token-normalised moments choose between gptq
# and clip as KL does?  Both quantizers for every cell, KL on the same 64 tokens.
set -eu
bitdial=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for q in clip gptq; do
	"$bitdial" scan ${MODEL:-} --quantizer $q | grep -v '^#' > "$dir/$q"
done
paste "$dir/clip" "$dir/gptq" | awk '
	$1 != $7 || $2 != $8 { print "cells differ"; exit 1 }
	{ n[$2]++; kl = $10 < $4; er = $12 < $6; agree[$2] += kl == er
	  best[$2] += kl ? $10 : $4; byerr[$2] += er ? $10 : $4; clip[$2] += $4; gptq[$2] += $10
	  # where the two differ by more than twice their standard errors
	  d = $10 - $4; s = 2 * sqrt($5 * $5 + $11 * $11)
	  if (d * d > s * s) { sure[$2]++; right[$2] += kl == er } }
	END {
	  printf "%-10s %5s %8s %14s %9s %9s %9s %9s\n", "format", "cells", "agree",
		"of the sure", "sum clip", "sum gptq", "by error", "by KL"
	  for (f in n) printf "%-10s %5d %7.1f%% %6d of %-5d %9.4f %9.4f %9.4f %9.4f\n", f, n[f],
		100 * agree[f] / n[f], right[f], sure[f], clip[f], gptq[f], byerr[f], best[f] }' | sort
