#!/bin/sh
# bench_p24.sh BITDIAL - what the screen costs while an answer streams: tokens a second of the same
# greedy answer in the workbench and by `bitdial chat`, by turns, and then the time from a key to its
# frame meanwhile.  One JSON line.  The reference answers, so nothing is prepared or scanned.
#   MODEL=FILE (the default model)  PAIRS=9  TOKENS=200  SIZE=120x36
set -u
bitdial=${1:?usage: bench_p24.sh BITDIAL}
case $bitdial in /*) ;; *) bitdial=$PWD/$bitdial ;; esac
model=${MODEL:-${XDG_DATA_HOME:-$HOME/.local/share}/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf}
[ -e "$model" ] || { echo "bench_p24: skipped, there is no $model (make model)"; exit 0; }
command -v script > /dev/null || { echo "bench_p24: skipped, script (util-linux) is missing"; exit 0; }
pairs=${PAIRS:-9} tokens=${TOKENS:-200} size=${SIZE:-120x36}
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2> /dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
export XDG_CACHE_HOME="$dir/cache" XDG_STATE_HOME="$dir/state" XDG_CONFIG_HOME="$dir/config"
export BD_RUNS="$dir/runs" LC_ALL=C.UTF-8 TERM=xterm-256color
mkdir -p "$dir/state/bitdial"
echo '{"v":1,"hint_seen":true}' > "$dir/state/bitdial/state.json"
prompt='Tell me a long story about a dial.'
number() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p" "$2" | tail -1; }

# No screen: tokens a second.  On a terminal of its own, too: a session is what the scheduler is fair to.
plain() {
	script -qfec "exec '$bitdial' chat '$model' --read-only --temp 0 --max-tokens $tokens --json \
		--prompt '$prompt' > '$dir/plain'" /dev/null < /dev/null > "$dir/err" 2>&1 ||
		{ cat "$dir/err" >&2; exit 1; }
	number tok_s "$dir/plain"
}

fail() {
	echo "bench_p24: $1" >&2
	exit 1
}
# shows TEXT: waits until the terminal has been sent it.
shows() {
	n=300
	until grep -aq -- "$1" "$dir/out"; do
		n=$((n - 1))
		[ $n -gt 0 ] || fail "the screen never showed \"$1\""
		sleep 0.2
	done
}
# On a terminal of its own; with `keys` the draft of the next message is typed and taken back while the
# answer streams.  Leaves the program's statistics in $dir/out.
screen() {
	rm -f "$dir/in" "$dir/out"
	mkfifo "$dir/in"
	: > "$dir/out"
	script -qfec "exec '$bitdial' '$model' --formats keep --read-only --size $size --stats" \
		"$dir/out" < "$dir/in" > /dev/null 2>&1 &
	pid=$!
	exec 3> "$dir/in"
	shows 'ref Q4_1\|ref [A-Za-z]'
	shows 'scan\|text\|checking' # the job that is to be stopped
	sleep 1
	printf ':stop\r' >&3
	sleep 0.5
	printf ':set temperature 0\r:set max_tokens %s\r:budget 100\r3' "$tokens" >&3
	sleep 0.5
	printf '%s\r' "$prompt" >&3
	was=0 now=1
	while [ $was != $now ]; do # until nothing is drawn for a second: cheaper than to look
		if [ "$1" = keys ]; then
			for k in a b c d e '\177' '\177' '\177' '\177' '\177'; do
				printf "$k" >&3
				sleep 0.1
			done
			grep -aq 'token limit\|end of turn' "$dir/out" && break
		else
			sleep 1
			was=$now
			now=$(wc -c < "$dir/out")
		fi
	done
	printf '\033' >&3
	sleep 0.3
	printf '\0331' >&3
	sleep 0.3
	printf ':quit!\r' >&3
	exec 3>&-
	wait $pid
	pid=
	[ -n "$(number answer_tok_s "$dir/out")" ] || fail 'there was no answer on the screen'
}

i=0
while [ $i -lt "$pairs" ]; do
	p=$(plain) || exit 1
	screen still
	s=$(number answer_tok_s "$dir/out")
	[ "$(number answer_tokens "$dir/out")" = "$(number tokens "$dir/plain")" ] ||
		fail 'the answers are not the same'
	echo "$p $s" >> "$dir/pairs"
	i=$((i + 1))
done
screen keys
middle() { sort -g | awk '{ v[NR] = $1 } END { printf "%.4g", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
printf '{"bench":"p24","pairs":%s,"tokens":%s,"chat_tok_s":%s,"screen_tok_s":%s,"screen_over_chat":%s,' \
	"$pairs" "$(number tokens "$dir/plain")" "$(awk '{ print $1 }' "$dir/pairs" | middle)" \
	"$(awk '{ print $2 }' "$dir/pairs" | middle)" "$(awk '{ print $2 / $1 }' "$dir/pairs" | middle)"
printf '"keys":%s,"key_p50_ms":%.1f,"key_p99_ms":%.1f,"key_worst_ms":%.1f,"with_keys_tok_s":%.4g,"slow_turns":%s}\n' \
	"$(number keys "$dir/out")" "$(number key_p50_ms "$dir/out")" "$(number key_p99_ms "$dir/out")" \
	"$(number key_worst_ms "$dir/out")" "$(number answer_tok_s "$dir/out")" "$(number slow_turns "$dir/out")"
