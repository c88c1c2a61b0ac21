#!/bin/sh
# device - a model on a GPU (an emulated one, tests/emu): the header and the Jobs screen say where it
# is, it answers there, :device moves it to the processor and back, also in the middle of an answer,
# and a name that there is not is told what there is.
. "$(dirname "$0")/common"
emulated=$(dirname "$BITDIAL")/tests/libbitdial-cuda-emu.so
[ -f "$emulated" ] || { ok "skipped, there is no $emulated (make screens builds it)"; exit 0; }
export BITDIAL_CUDA="$emulated"
begin 120 36
# command LINE: on whatever screen
command() {
	press M-:
	see '^:'
	say "$1"
	press Enter
}
# The scan of even this model takes a minute on an emulated device: the processor measures before.
BITDIAL_CUDA= "$BITDIAL" scan --demo > /dev/null 2>&1 || fail 'no scan'
mkdir -p "$XDG_CONFIG_HOME/bitdial"
echo 'set("auto_scan", false) set("auto_measure", false)' > "$XDG_CONFIG_HOME/bitdial/init.lua"
open --demo --device cuda:0
see '^ bitdial demo  cuda:0 '
see 'nothing runs'
press .
see '^ SEARCH  *5\.5[1-9]'
press 5
see '┌─ Device ─* model on cuda:0 ─┐'
see '│▸cuda:0  emulated GPU '
see '│ bitdial [0-9.]* [KM]iB  free 1\.[0-9]* GiB'

command 'device cuda:7'
see 'no device "cuda:7"; there is cpu, cuda:0 (emulated GPU)'
command 'device cuda:0'
see 'the model is on cuda:0 already'
command 'set max_tokens 6'
see 'max_tokens = 6'
press 3
see 'Say something'
say 'hello there'
press Enter
see 'you: hello there'
see 'token limit' 30

command 'device cpu'
see 'cpu computes'
! screen | grep -q '^ bitdial demo  cuda:0' || fail 'the header has it on cuda:0 still'
see 'you: hello there'
see '^ CHAT  *5\.5[1-9]' # the dial is where it was
say 'once more'
press Enter
see 'you: once more'
until_true 'no answer on the processor' \
	sh -c '[ "$(tmux -u -L '"$SOCKET"' capture-pane -p -t t | grep -c "model: ")" = 2 ]'
see 'token limit'

command 'device cuda:0'
see 'cuda:0 emulated GPU computes'
see '^ bitdial demo  cuda:0 '
command 'set max_tokens 500' # about a minute of it
see 'max_tokens = 500'
say 'and now'
press Enter
see 'you: and now'
until_true 'no third answer' \
	sh -c '[ "$(tmux -u -L '"$SOCKET"' capture-pane -p -t t | grep -c "model: ")" = 3 ]'
command 'device cpu'
see 'cpu computes'
press Escape
see 'i or Enter: write'
press 5
see '┌─ Device ─* model on cpu ─┐'
see '· device  done .* cpu'
press :
say 'quit!'
press Enter
ended 0
ok 'it was on cuda:0, answered, went to cpu and back and from the middle of an answer'
