#!/bin/sh
# dial - keys move the budget on the screen; a chat answers; the dial turned in the middle
# of an answer marks where the other layout went on.
. "$(dirname "$0")/common"
begin 120 36
open --demo --seed 5
see '^ SEARCH  *[0-9.]* bpw'
bpw() { screen | sed -n 's/^ [A-Z]*  *\([0-9.]*\) bpw.*/\1/p'; }
# moved KEY less|more: the budget of the status line after it
moved() {
	was=$(bpw)
	press "$1"
	n=200
	while now=$(bpw) && { [ -z "$now" ] || [ "$now" = "$was" ]; }; do
		n=$((n - 1))
		[ $n -gt 0 ] || fail "$1 does not move $was bpw"
		sleep 0.05
	done
	low=$(printf '%s\n%s\n' "$was" "$now" | sort -g | head -1)
	case $2 in
	less) [ "$low" = "$now" ] ;;
	more) [ "$low" = "$was" ] ;;
	esac || fail "$1 moves $was to $now"
}
moved '<' less
moved , less
moved . more
moved '>' more
press =
see '^:budget'
say '3.6'
press Enter
see '^ SEARCH  *3\.[56][0-9]* bpw'
press u
see '^ SEARCH  *[4-6]\.[0-9]* bpw'

press :
say 'set max_tokens 2000'
press Enter
see 'max_tokens = 2000'
press 3
see 'Say something'
say 'hello there'
see '^.>* *hello there'
press Enter
see 'you: hello there'
see 'model: .*bpw'
see 'token limit\|context full\|end of turn'

# Fast as this model is, one of a few answers is still under way when the key comes.
n=8
while :; do
	press M-:
	see '^:'
	say clear
	press Enter
	see 'Say something'
	say tell
	press Enter M-,
	sleep 0.05
	press M-,
	sleep 0.1
	press M-,
	see 'token limit\|context full\|end of turn'
	[ "$(screen | grep -o '┆[0-9.]* bpw┆' | sort -u | wc -l)" -lt 2 ] || break
	n=$((n - 1))
	[ $n -gt 0 ] || fail "no stretch was marked"
done
# r: the whole answer again, under one layout
press Escape
see 'i or Enter: write'
press r
n=200
until [ "$(screen | grep -o '┆[0-9.]* bpw┆' | sort -u | wc -l)" = 1 ]; do
	n=$((n - 1))
	[ $n -gt 0 ] || fail "r does not answer again"
	sleep 0.05
done
press :
say 'quit!'
press Enter
ended 0
ok
