#!/bin/sh
# leave - every way out of the program leaves the terminal as it was.
. "$(dirname "$0")/common"
begin 100 30

open --demo
say q
see 'quit? y\|^status=' # it asks while something runs
screen | grep -q '^status=' || say y
ended 0

open --demo
press C-c
sleep 0.1
press C-c
see 'quit? y'
say y
ended 0

for s in TERM:143 HUP:129; do
	open --demo
	kill -"${s%:*}" "$(pid)"
	ended "${s#*:}"
done

open --demo
kill -SEGV "$(pid)"
see 'ended by a fault of its own'
see '^status=139$'
see '^at-the-end$'
restored
ok
