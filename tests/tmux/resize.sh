#!/bin/sh
# resize - a storm of sizes from 1x1 to 200x60; afterwards the screen is whole.
. "$(dirname "$0")/common"
begin 120 36
open --demo
seed=7
for i in $(seq 60); do
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	w=$((seed / 65536 % 200 + 1))
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	h=$((seed / 65536 % 60 + 1))
	mux resize-window -t t -x $w -y $h
	[ $((i % 5)) -ne 0 ] || sleep 0.02
done
for size in '1 1' '2 1' '1 60' '200 1' '200 60'; do
	mux resize-window -t t -x ${size% *} -y ${size#* }
	sleep 0.1
done
kill -0 "$(pid)" || fail "it ended"
mux resize-window -t t -x 10 -y 5
see '[a-z?]' # the status line
mux resize-window -t t -x 120 -y 36
see '^ SEARCH .*bpw'
see 'Sensitivity'
[ "$(screen | grep -c 'Sensitivity')" = 1 ] || fail "garbage of another size"
say :
say 'quit!'
press Enter
ended 0
ok
