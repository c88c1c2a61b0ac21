#!/bin/sh
# train - a first run on the Train screen: one line begins it, Space holds it while the chat answers
# from its last step, x stops it with a checkpoint, and it goes on from there, or to more steps when it
# was done; at two sizes.
. "$(dirname "$0")/common"
cat > "$DIR/rows.jsonl" <<ROWS
$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
	echo "{\"prompt\": \"what is $i\", \"completion\": \"it is $((i * 7 % 24))\"}"
done)
ROWS
# Above the answer, which may be longer than the panel.
marked() {
	screen | grep -q '┆step [0-9]*┆' && return
	press PPage
	sleep 0.1
	false
}
for size in '120 36' '80 24'; do
	# shellcheck disable=SC2086
	begin $size
	open --demo --template chatml
	see '1.*Search' 60
	press 2
	see ':train start'
	say ":train start data=$DIR/rows.jsonl steps=5000 window=48 windows=2 held=0.1"
	press Enter
	see 'running' 60
	see '[◇─│]' 20
	press Space
	see 'paused' 20
	press c
	see 'a checkpoint of step [0-9]* is written' 20
	see 'saved  *at step' 20
	press c
	see 'step [0-9]* is kept already' 20
	press 3
	say 'what is 3'
	press Enter
	see 'ttft [0-9]' 60
	until_true "never showed the step of its answer" marked
	press Escape
	sleep 0.3
	press Escape
	sleep 0.3
	press M-2
	see 'paused' 20
	press Space
	see 'running' 20
	press x
	see '─ stopped ─' 20
	say ':train resume'
	press Enter
	see 'running' 60
	press x
	see '─ stopped ─' 20
	say ":train start data=$DIR/rows.jsonl steps=4 window=48 windows=2"
	press Enter
	see '─ done ─' 60
	say ':train resume step=6'
	press Enter
	see 'resume goes on with the same but steps=' 20
	say ':train resume steps=6'
	press Enter
	see '6 / 6' 60
	say ':quit!'
	press Enter
	ended 0
	mux kill-server
	SOCKET=$SOCKET-2
done
ok
