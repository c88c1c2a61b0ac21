#!/bin/sh
# kill_scan - kill -9 in the middle of a scan: the next start says so in one line and goes on; cells
# that were finished are not measured again.
. "$(dirname "$0")/common"
begin 140 36
tokens=4096
at=$(($$ % 30 + 1)) # each time at another cell
cells() { cat "$XDG_CACHE_HOME"/bitdial/models/*/cells.tsv 2> /dev/null; }
# cells of the scan: measured on all of its tokens
scanned() { cells | awk -F '\t' -v t=$tokens '$5 == t'; }

open --demo --tokens $tokens
enough() { [ "$(scanned | wc -l)" -ge $at ]; }
until_true 'no cell was scanned' enough
kill -9 "$(pid)"
see 'status=137'
cells > "$DIR/first"
before=$(scanned | wc -l)
[ "$(find "$BD_RUNS" -name end.json | wc -l)" = 0 ] || fail "a killed run has an end"
mux kill-server # nobody restored that terminal
SOCKET=$SOCKET-2
begin 140 36

open --demo --tokens $tokens
# looked for and read on one screen: the next notice takes its place
noticed() {
	kept=$(screen | sed -n 's/.*scan of [0-9:]* was cut short at \([0-9]*\) of [0-9]* cells: it goes on.*/\1/p')
	[ -n "$kept" ]
}
until_true 'the cut scan was not said' noticed
[ "$kept" -ge "$before" ] || fail "$kept cells kept, $before were scanned"
see 'nothing runs' 60
say :
say 'quit!'
press Enter
ended 0
cells > "$DIR/second"
cmp -s -n "$(wc -c < "$DIR/first")" "$DIR/first" "$DIR/second" || fail "the journal's lines changed"
twice=$(cut -f1-5 "$DIR/second" | sort | uniq -d | wc -l)
[ "$twice" = 0 ] || fail "$twice cells were measured twice"
total=$(scanned | cut -f1,2 | sort -u | wc -l)
[ "$total" -gt "$before" ] || fail "the scan did not go on"

open --demo --tokens $tokens
see 'cells from before'
! screen | grep -q 'cut short' || fail "says it twice"
kill -TERM "$(pid)"
ended 143
ok "killed after $before cells, went on to $total, none measured twice"
