#!/bin/sh
# terms - terminals that can less, and no terminal at all.
. "$(dirname "$0")/common"
begin 100 30

# refused TERM: one sentence, exit 2, and what to do instead
run 'wipe; TERM=dumb $BITDIAL --demo; echo status=$?'
see '^status=2$'
screen | grep -q '^bitdial: .*--plain' || fail "TERM=dumb does not name --plain"
run 'wipe; $BITDIAL --demo < /dev/null; echo status=$?'
see '^status=2$'
screen | grep -q '^bitdial: .*not a terminal' || fail "no stdin: not said"
run 'wipe; $BITDIAL --demo | cat; echo done'
see '^done$'
screen | grep -q '^bitdial: .*not a terminal' || fail "no stdout: not said"

colors() { mux capture-pane -e -p -t t | LC_ALL=C grep -cE "$(printf '\033')\[([0-9;]*;)?(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]"; }
quit() {
	say :
	say 'quit!'
	press Enter
	ended 0
}

open --demo
see 'nothing runs' 30
[ "$(colors)" -gt 3 ] || fail "no colours where they are wanted"
quit
run 'export NO_COLOR=1'
open --demo
see 'nothing runs' 30
[ "$(colors)" = 0 ] || fail "colours with NO_COLOR"
quit
run 'unset NO_COLOR'
for term in vt100 linux xterm screen nonsense; do
	run "export TERM=$term"
	open --demo
	see 'Sensitivity'
	see 'bpw'
	say .
	[ $term != vt100 ] || [ "$(colors)" = 0 ] || fail "colours on a vt100"
	if [ $term = nonsense ]; then
		say '!'
		see 'nonsense is not known here'
		press Escape
	fi
	quit
done

run 'export TERM=screen-256color LC_ALL=C LANG=C'
open --demo
see 'Sensitivity'
[ -z "$(screen | LC_ALL=C tr -d '\000-\176')" ] || fail "more than ASCII in LANG=C"
quit
ok
