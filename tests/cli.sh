#!/bin/sh
# cli.sh [BITDIAL] - the verbs as a shell sees them: what they print, how they fail, and the
# screens of tests/sessions.  UPDATE_GOLDEN=1 writes those anew.
bitdial=${1:-${BITDIAL:-build/bitdial}}
case $bitdial in /*) ;; *) bitdial=$PWD/$bitdial ;; esac
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
export XDG_CACHE_HOME="$dir/cache" XDG_STATE_HOME="$dir/state" XDG_CONFIG_HOME="$dir/config"
export BD_RUNS="$dir/runs" LC_ALL=C.UTF-8 TERM=xterm
unset NO_COLOR BITDIAL_MODEL COLORFGBG
export BITDIAL_CUDA= # the same on every machine; what has a device says so
export BITDIAL_SHARE="$dir/nothing" # what is built in, whatever is installed
export TMPDIR="$dir/tmp"
cd "$dir" && mkdir tmp || exit 1
checks=0 failed=0

bad() {
	failed=$((failed + 1))
	echo "FAILED: $*"
	[ ! -s err ] || sed 's/^/    /' err | head -5
}
# run ARGUMENTS: stdout, stderr and status into the files out, err and rc.
run() {
	timeout 120 "$bitdial" "$@" > out 2> err < /dev/null
	rc=$?
	last="bitdial $*"
	checks=$((checks + 1))
}
# works ARGUMENTS
works() {
	run "$@"
	[ $rc = 0 ] || bad "$last: status $rc"
}
# fails STATUS PATTERN ARGUMENTS: one line on stderr, "bitdial: " and the pattern in it.
fails() {
	want=$1 pattern=$2
	shift 2
	run "$@"
	says "$want" "$pattern"
}
says() {
	[ $rc = "$1" ] || bad "$last: status $rc, not $1"
	[ "$(grep -c '^bitdial: ' err)" = 1 ] && [ "$(wc -l < err)" = 1 ] ||
		bad "$last: not one line on stderr"
	grep -qe "$2" err || bad "$last: does not say \"$2\""
}
# holds WHAT COMMAND...: a condition about what was run last
holds() {
	what=$1
	shift
	checks=$((checks + 1))
	"$@" || bad "$last: $what"
}
field() { sed -n "s/.*\"$1\":\(null\|[-0-9.e+]*\).*/\1/p" "${2:-out}"; }
has() { grep -qe "$1" "${2:-out}"; }
lacks() { ! grep -qe "$1" "${2:-out}"; }
is() { awk "BEGIN { exit !($1) }"; } # arithmetic
object() { # one JSON object on one line, and its keys in this order
	[ "$(wc -l < out)" = 1 ] || return 1
	[ "$(sed 's/"[a-z0-9_]*":\(\[[^]]*\]\|{[^}]*}\)/&/; s/^{"/"/; s/}$//' out | head -c 1)" = '"' ] || return 1
	for k in "$@"; do has "\"$k\":" || return 1; done
}

seq 400 | sed 's/$/ the quick brown fox/' > text
head -c 300 text > short
printf x > one
: > empty
printf 'ab\377\376cd efgh and so on' > latin
mkdir folder

# ---- about the program
works --version
holds version has '^bitdial [0-9a-z]'
works help
holds "a line a verb" [ "$(grep -c '^  bitdial ' out)" -ge 11 ]
for verb in open scan search eval tokens logits chat layout export train calibrate teach runs watch rerun batch doctor help; do
	works help $verb
	holds "its name" has "^bitdial $verb"
	works $verb --help
	holds "its name" has "^bitdial $verb"
done
works eval -h
works train --method help
cut -d ' ' -f 1 out | sed -n '2,/^$/p' | grep . > methods
works help train
for method in $(cat methods); do
	holds "the method $method" has "^  --method RULE .*[ ,]$method[,;]"
done
works help calibrate
holds "what a calibration takes by itself" has '^  --steps N .*(240)$'
holds "and its method" has '^  --method RULE .*(\(latent\|flips\))$'
holds "its text is learned from" has '^  --text FILE  *text to train on;'
holds "no default of train's" lacks '(300)\|(rank)\|text to measure on'
fails 2 'did you mean scan?' scna --demo
fails 2 'did you mean eval?' evla
fails 2 'did you mean search?' help serach
fails 2 'did you mean --text?' tokens --demo --txt short
fails 2 'no such option' tokens --demo --prompt x
fails 2 'wants a value' tokens --demo --text
fails 2 'takes no value' tokens --demo --json=yes --text short
fails 2 'whole number above 0' tokens --demo --text short --limit 0
fails 2 'whole number above 0' tokens --demo --text short --limit -3
fails 2 'whole number' chat --demo --prompt x --seed -1
fails 2 'expected a number' search --demo --bpw many
fails 2 'one word too many: b' tokens a b --text short
fails 2 'one word too many' doctor now
fails 2 'leave out a' tokens a --demo --text short
fails 2 'log-level' tokens --demo --text short --log-level loud
fails 2 'WxH' --demo --headless 120
fails 2 'WxH' --demo --once --size 0x10
fails 2 'goes with --headless' --demo --once --keys one
fails 2 'expected auto, always or never' --demo --once --color sometimes
fails 2 'not a terminal; try .*--plain' --demo
fails 1 'there is no such file or folder' -- scan
fails 1 'there is no such file or folder, and no run (bitdial runs lists them)' nosuch.gguf

# ---- tokens
fails 2 'usage: bitdial tokens' tokens --demo
works tokens --demo --text short --json
holds json object ids
holds "a token a byte" [ "$(tr -cd , < out | wc -c)" = 299 ]
works tokens --demo --text short --limit 5 --json
holds "five of them" [ "$(tr -cd , < out | wc -c)" = 4 ]
works tokens --demo --text empty --json
holds "no ids" [ "$(cat out)" = '{"ids":[]}' ]
works tokens --demo --text latin
holds "the bad byte named once" [ "$(grep -c 'not UTF-8 from byte 2' err)" = 1 ]
fails 1 'cannot open nosuch: No such file' tokens --demo --text nosuch
fails 1 'folder is a folder; name a text file in it' scan --demo --text folder
fails 1 'folder is a folder; name a text file in it' scan --demo --text folder --text self
fails 1 'folder is a folder' tokens --demo --text folder
fails 1 'null is a device' tokens --demo --text /dev/null

# ---- bad models
cp "$XDG_CACHE_HOME/bitdial/demo.gguf" demo.gguf
cp demo.gguf 'odd name.gguf'
head -c 1000 demo.gguf > cut.gguf
head -c 200000 demo.gguf > short.gguf
{ printf 'GGUX'; tail -c +5 demo.gguf; } > magic.gguf
printf '\n\033[31mred' > "$(printf 'esc\033.gguf')"
fails 1 'cut.gguf: at byte' tokens cut.gguf --text short
fails 1 'short.gguf' logits short.gguf --prompt x
fails 1 'magic.gguf' tokens magic.gguf --text short
fails 1 'empty is of no known form' tokens empty --text short
fails 1 'folder has no config.json' tokens folder --text short
fails 1 'neither a file nor a folder' tokens /dev/null --text short
fails 1 'esc' tokens "$(printf 'esc\033.gguf')" --text short
holds "no escape on stderr" [ "$(tr -d '[:print:]\n' < err | wc -c)" = 0 ]
works tokens 'odd name.gguf' --text short

# ---- logits
fails 2 'usage: bitdial logits' logits --demo
fails 2 'prompt is empty' logits --demo --prompt ''
fails 2 'no such quantizer' logits --demo --prompt x --layout int4g128 --quantizer best
works logits --demo --prompt hello --top 3 --json
holds json object ids top logsumexp
holds "three of them" [ "$(grep -o '"logit":' out | wc -l)" = 3 ]
cp out logits
works logits --demo --prompt hello --top 3 --json --threads 1
holds "the same on one thread" cmp -s out logits
works logits --demo --prompt hello
holds "twenty lines" [ "$(wc -l < out)" = 20 ]

# ---- eval
fails 2 'usage: bitdial eval' eval --demo
works eval --demo --text text --limit 1024 --json
holds json object tokens nll ppl kl kl_se top1 stored_bpw
holds "1022 scored" [ "$(field tokens)" = 1022 ]
holds "ppl is exp nll" is "(exp($(field nll)) / $(field ppl) - 1) ^ 2 < 1e-20"
holds "no KL without a layout" [ "$(field kl) $(field kl_se) $(field stored_bpw)" = 'null null null' ]
works eval --demo --text text --limit 1024 --json --layout keep
holds "keep is the reference" is "$(field kl) < 1e-9 && $(field top1) == 1"
works eval --demo --text text --limit 1024 --json --layout int2g64 --quantizer minmax
holds "a KL, its error, its size" is "$(field kl) > 0 && $(field kl_se) > 0 && $(field stored_bpw) == 2.5"
works eval --demo --text short --window 64
holds words has '^perplexity'
works eval --demo --text latin
fails 1 'nothing to score' eval --demo --text empty
# what comes with it is found beside it: where it was built, where its folder was moved, or nowhere
mkdir -p tree/build moved/bin moved/share alone
for at in tree/build moved/bin alone; do cp "$bitdial" $at/bitdial; done
for at in share layouts; do ln -s "$here/../$at" tree/$at; done
ln -s "$here/../share" moved/share/bitdial
there=$bitdial
unset BITDIAL_SHARE
for bitdial in "$dir/tree/build/bitdial" "$dir/moved/bin/bitdial"; do
	works eval --demo --task basics --limit 2 --json
	holds "two questions of basics" [ "$(field items)" = 2 ]
done
bitdial=$dir/alone/bitdial
run eval --demo --task basics --limit 2
if [ $rc = 0 ]; then
	echo "skipped: there are tasks where it would be installed"
else
	says 1 'basics: there is no such file, and no task of that name'
	XDG_CACHE_HOME="$dir/bare" works --batch "$here/../scripts/table1.lua" \
		"$dir/cache/bitdial/demo.gguf" 3.6
	holds "no tasks are told" has '^table1.lua: there are no tasks' err
fi
bitdial=$there
export BITDIAL_SHARE="$dir/nothing"
fails 1 'nothing to score' eval --demo --text one
fails 1 'layout int9g64 is no' eval --demo --text short --layout int9g64
fails 1 'below the least' eval --demo --text short --layout 1.5
fails 2 'from 0 to 64' eval --demo --text short --layout 99
fails 2 'from 0 to 64' eval --demo --text short --layout -1
fails 2 'from 0 to 64' eval --demo --text short --layout nan

# ---- chat
fails 2 'usage: bitdial chat' chat --demo
fails 2 'usage: bitdial chat' chat --demo --prompt ''
run chat --demo --prompt x --template nosuch
holds "a template that is not there" has 'no such chat template' err
works chat --demo --prompt 'hello you' --seed 5 --max-tokens 30 --json
holds json object answer prompt_tokens tokens stored_bpw ttft_ms tok_s end
sed 's/"ttft_ms.*//' out > first
works chat --demo --prompt 'hello you' --seed 5 --max-tokens 30 --json
sed 's/"ttft_ms.*//' out > second
holds "the same seed, the same answer" cmp -s first second
works chat --demo --prompt 'hello you' --seed 6 --max-tokens 30 --json
sed 's/"ttft_ms.*//' out > second
holds "another seed, another answer" eval '! cmp -s first second'
works chat --demo --prompt 'hello you' --max-tokens 10 --kv int8
fails 2 'kv int4: expected float or int8' chat --demo --prompt hi --kv int4
works chat --demo --prompt 'hello you' --max-tokens 10 --head int4g64 --precision exact
fails 2 'precision slow: expected fast or exact' chat --demo --prompt hi --precision slow
fails 2 'head int4g3: the group must be a multiple of 32' chat --demo --prompt hi --head int4g3
fails 2 'bitdial: --head foo: not a format, write bits' chat --demo --prompt hi --head foo
works chat --demo --prompt 'hello you' --max-tokens 10 --layout int3g64 --temp 0 --stats
holds "its speed" has 'tok/s' err

# ---- search, before anything was scanned
fails 2 'usage: bitdial search' search --demo
fails 1 'below the least these formats reach, 2.5' search --demo --bpw 2
fails 1 'bits go from 1 to 8' search --demo --bpw 3 --formats int99g3
fails 2 'expected uniform, ends or random' search --demo --bpw 3 --guard best
for g in random:abc random: random:1.5 random:-1 uniform:3 random:99999999999999999999; do
	fails 2 'expected uniform, ends or random' search --demo --bpw 3 --guard $g
done
fails 1 'there is no folder' search --demo --bpw 3.6 --refine -o /nosuch/dir/x.json
fails 1 'is a folder' search --demo --bpw 3.6 --refine -o .
fails 2 'the least number is 2' scan --demo --tokens 1
fails 2 'the name is empty' scan --demo --text ''
fails 1 'is not a regular file' layout show /dev/null
works search --demo --bpw 3.6 -o layout.json --json
holds json object asked_bpw stored_bpw nominal_bpw bytes file_bytes predicted_kl predicted_se source text
holds "not over the budget" is "$(field stored_bpw) <= 3.6 && $(field stored_bpw) > 3.4"
holds "which score" has '"source":"first score"'
for b in 2.5 3 4 5.5 8.5; do
	works search --demo --bpw $b --json
	holds "not over the budget" is "$(field stored_bpw) <= $b"
done
for g in uniform ends random:3; do
	works search --demo --bpw 3.6 --guard $g --json
	holds "not over the budget" is "$(field stored_bpw) <= 3.6"
done

works search --demo --bpw 9
holds "more than all is said" has 'as in the file: more bits than its 8.50 bring nothing$'
works search --demo --bpw 8.5 --refine
holds "nothing to swap is a sentence" has '^refined    nothing to exchange: every linear is as in the file$'
holds "and that alone" lacks '±'

# ---- train: what it refuses, what it foretells, what it makes, how it goes on
printf '{"prompt":"a","completion":"b"}\n' > row.jsonl
{ cat row.jsonl; echo '{"prompt":3,"completion":"b"}'; } > third.jsonl
echo '{"a":1}' > shape.jsonl
seq 40 | sed 's/.*/{"prompt":"number &","completion":"then comes another"}/' > rows.jsonl
BD_RUNS="$dir/trained"
set -- train --demo --layout int4g64
fails 2 'usage: bitdial train MODEL --layout L --data FILE' "$@"
fails 2 'rank trains packed codes: which layout' train --demo --data rows.jsonl
fails 1 'cannot open nosuch: No such file' "$@" --data nosuch
fails 2 'data: the name is empty: give a file of rows' "$@" --data ''
fails 2 'test: the name is empty: give a file of rows' "$@" --data rows.jsonl --test ''
fails 2 'layout: the name is empty: give a format' train --demo --layout '' --data rows.jsonl
fails 2 'layout: the name is empty' train --demo --layout '' --dry-run
fails 2 'resume: the name is empty: give a run' train --resume ''
fails 1 'folder is a folder' "$@" --data folder
fails 1 'empty: no row in it' "$@" --data empty
fails 1 'shape.jsonl: line 1: none of the rows known here' "$@" --data shape.jsonl
fails 1 'third.jsonl: line 2: "prompt" is a number, expected a string' "$@" --data third.jsonl
fails 1 'third.jsonl: line 2' "$@" --data rows.jsonl --test third.jsonl --steps 1
fails 2 'did you mean rank' "$@" --data rows.jsonl --method rnk
fails 2 'held 1: expected a share' "$@" --data rows.jsonl --held 1
fails 2 'held -1: expected a number from 0 on' "$@" --data rows.jsonl --held -1
fails 2 'lr nan: expected a number from 0 on' "$@" --data rows.jsonl --lr nan
fails 1 'galore: a rank of 1048576 is more than any matrix here has: at most 64' \
	"$@" --data rows.jsonl --method galore --rank 1048576
fails 1 'a rank of 65 is more than any' "$@" --method galore --rank 65 --dry-run
fails 1 "rank of an adapter is 1 to 64 here" "$@" --data rows.jsonl --method lora --rank 1048576
fails 1 'rank is of adapters (lora, qlora), galore and galore-fp: flips has none' \
	"$@" --data rows.jsonl --method flips --rank 8
fails 1 'a budget of codes is of rank: flips has none' \
	"$@" --data rows.jsonl --method flips --budget 0.01
fails 1 'expected a share above 0, at most 1' \
	"$@" --data rows.jsonl --budget 2
fails 2 'window 99999999: at most' "$@" --data rows.jsonl --window 99999999
fails 1 "longer than the model's context of 2048" "$@" --data rows.jsonl --window 4096
fails 1 'behind the window of 2 tokens' "$@" --data row.jsonl --window 2
fails 2 'seed 4503599627370497: at most 4503599627370496$' "$@" --data rows.jsonl --seed 4503599627370497
fails 2 'save-every 2000000000: at most 1073741824$' "$@" --data rows.jsonl --save-every 2000000000
fails 1 'a rate lr of 1000: expected 0 to 100$' "$@" --data rows.jsonl --method flips --lr 1000
fails 1 'of 1 (lr_s) and 0.0001 (lr_gain): expected 0 to below 1$' "$@" --data rows.jsonl --lr-s 1
fails 1 'lr is not of rank, whose share of codes a step is its budget' "$@" --data rows.jsonl --lr 0.1
fails 1 'lr is not of stats, which moves no weight' "$@" --data rows.jsonl --method stats --lr 0
fails 1 'lr_s is of scales and offsets, which fp does not train' "$@" --data rows.jsonl --method fp --lr-s 0.1
fails 1 'lr_gain is of the norms, which lora does not train' "$@" --data rows.jsonl --method lora --lr-gain 0.1
fails 1 'across is of rank, one threshold for all matrices: flips has none' \
	"$@" --data rows.jsonl --method flips --across
fails 1 'stats has nothing that it could leave out' "$@" --data rows.jsonl --method stats --lean
fails 2 'template bogus: no such chat template; there are chatml' "$@" --data rows.jsonl --template bogus
fails 2 'seed 99999999999999999999: expected a whole number' "$@" --data rows.jsonl --seed 99999999999999999999
fails 1 'activations and logits' "$@" --data rows.jsonl --windows 1000000
fails 2 'read-only' "$@" --data rows.jsonl --read-only
fails 2 'rows.jsonl: this is no layout but data to train on (prompt and completion): --data takes it' \
	train --demo --layout rows.jsonl --data rows.jsonl
echo '[{"instruction":"a","output":"b"}]' > alpaca.json
fails 2 'alpaca.json: this is no layout but data to train on (instruction' \
	train --demo --layout alpaca.json --dry-run
fails 2 'text: this is no layout but data to train on (plain text)' \
	train --demo --layout text --data rows.jsonl
fails 1 'shape.jsonl: .v: ' train --demo --layout shape.jsonl --data rows.jsonl
fails 1 'every linear of this layout is as in the file' train --demo --layout keep --data rows.jsonl
fails 1 'there is no run nosuch' train --resume nosuch
fails 1 'there is no such file or folder\|cannot open nosuch' train nosuch --layout int4g64 --data rows.jsonl
works train --method help
holds "a line a method" [ "$(grep -c '^[a-z0-9-]*  *[-0-9]' out)" -ge 10 ]
mkdir shape
cat > shape/config.json << 'EOF'
{"architectures":["LlamaForCausalLM"],"hidden_size":4096,"intermediate_size":14336,
"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":128256,
"max_position_embeddings":8192,"rms_norm_eps":1e-5,"rope_theta":500000.0,"tie_word_embeddings":false}
EOF
works train shape --layout int2g64 --recompute --dry-run
grep -v '^free here' out > foretold
[ -z "$UPDATE_GOLDEN" ] || cp foretold "$here/golden/train_need.txt"
holds "the arithmetic of an 8B model" cmp -s foretold "$here/golden/train_need.txt"
works train shape/config.json --layout int2g64 --recompute --dry-run
holds "the same of the file alone" eval 'sed 1d foretold > a; grep -v "^free here\|^model " out | cmp -s - a'
works train shape --layout 3.6 --method galore --rank 128 --dry-run --json
holds json object job method stored_bpw steps step_tokens memory_bytes weights methods
holds "not over the budget" is "$(field stored_bpw) <= 3.6 && $(field stored_bpw) > 3.59"
works train shape --layout int2g64 --method galore --rank 128 --lean --recompute --dry-run --json
holds "8 GB with GaLore" is "$(sed 's/"methods.*//' out > a; field memory_bytes a) <= 8e9"
works train shape --layout int2g64 --lean --recompute --dry-run --json
holds "20 GB without" is "$(sed 's/"methods.*//' out > a; field memory_bytes a) <= 20e9"
fails 1 'below the least' train shape --layout 1.5 --dry-run
fails 1 'layout foo is no file, no run' train shape --layout foo --dry-run
fails 1 'folder shape has neither' train shape --layout int4g64 --data rows.jsonl
works train --demo --layout int4g64 --data row.jsonl --steps 1
holds "one row is said" has 'has one row to learn from: none can be held out' err
# Nothing is trained, so nothing may change, however much is held out and however little a look takes.
seq 400 | sed 's/.*/{"prompt":"number &","completion":"then comes & and one"}/' > many.jsonl
works "$@" --data many.jsonl --method stats --lr-s 0 --lr-gain 0 --steps 2 --held 0.9 --json
holds "the last look is of the rows of the first" is "$(field held_nll) == $(field held_first)"
works "$@" --data many.jsonl --method stats --lr-s 0 --lr-gain 0 --steps 2 --held 0.9
holds "more is measured beside it" has '^           [0-9.]* ± [0-9.]* of [0-9]* sequences that are held out, KL'
sed -n 1,2p rows.jsonl > two.jsonl
works "$@" --data two.jsonl --held 0.5 --steps 1
holds "of one row there is no error" has '^held out   [0-9.]*, at first [0-9.]*$'
"$bitdial" "$@" --data rows.jsonl --steps 200 --events 2> err | head -3 > /dev/null
holds "a reader that goes is told" has 'nobody reads the output any more: stopped ' err
cat row.jsonl row.jsonl row.jsonl > same.jsonl
works train --demo --layout int4g64 --data same.jsonl --steps 1
holds "rows that are all the same are no one row" has \
	'same.jsonl: its 3 rows are all the same: none can be held out.*; name other rows as test' err
yes "$(sed -n 3p rows.jsonl)" | head -9 | cat row.jsonl - > most.jsonl
works train --demo --layout int4g64 --data most.jsonl --steps 1 --held 0.2
holds "more is held out than was asked for" has \
	'most.jsonl: 9 of 10 rows are held out, though 20 % were asked for: ' err
works train --demo --layout int4g64 --data rows.jsonl --steps 1 --held 0.2
holds "a share that is met says nothing" lacks 'asked for' err
works "$@" --data rows.jsonl --steps 6 --windows 2 --json
holds json object run status folder method steps tokens seconds loss held_first held_nll
holds "it learned" is "$(field held_nll) < $(field held_first)"
sed 's/"seconds.*"loss/"loss/; s/"run":[^,]*,//; s/"folder":[^,]*,//; s/"best":[^,]*,//' out > first
works "$@" --data rows.jsonl --steps 6 --windows 2 --json --threads 1
sed 's/"seconds.*"loss/"loss/; s/"run":[^,]*,//; s/"folder":[^,]*,//; s/"best":[^,]*,//' out > second
holds "the same on one thread" cmp -s first second
dir_of=$(sed -n 's/.*"folder":"\([^"]*\)".*/\1/p' out)
run_of=$(sed -n 's/.*"run":"\([^"]*\)".*/\1/p' out)
works chat "$dir_of" --prompt 'number 3' --max-tokens 5
works chat "$run_of" --prompt 'number 3' --max-tokens 5
works chat "${run_of##*-}" --prompt 'number 3' --max-tokens 5
works "${run_of#*-*-}" --once --size 80x24
holds "the workbench opens its checkpoint" has '^ bitdial step-000006 '
works "$run_of" --once --size 80x24
fails 1 'runs begin or end with 2: type more of one' chat 2 --prompt x
works runs show "$run_of"
holds "what a run of one layout says" has '^options  *rank, 6 steps of 2 x 256 tokens, layout int4g64$'
fails 1 'its 6 steps are done' train --resume "$run_of"
fails 1 'its 6 steps are done' train --resume "$run_of" --dry-run
fails 1 'there is no run nosuch' train --resume nosuch --dry-run
fails 2 'read-only: a training run writes checkpoints' train --resume "$run_of" --steps 8 --read-only
holds "and nothing was trained" [ "$(readlink "$BD_RUNS/$run_of/last")" = step-000006 ]
for option in data=rows.jsonl test=row.jsonl layout=int4g64 formats=int4g64 quantizer=minmax dial=int2g64 \
	method=rank window=64 windows=2 lr=0.1 lr-s=0 lr-gain=0 budget=0.1 rank=4 held=0 held-every=2 save-every=2 \
	patience=2 seed=0 rows=5 samples=5 teacher=said all teach recompute f32 across lean; do
	fails 2 "--${option%=*} goes with a new run: a resumed one knows all but --steps" \
		train --resume "$run_of" --steps 8 --$option
done
fails 2 '--text goes with a new run' calibrate --resume "$run_of" --steps 8 --text text
fails 2 '--lr goes with a new run' train --resume "$run_of" --steps 8 --lr 1 --dry-run
works train --resume "$BD_RUNS/$run_of/" --steps 8 --dry-run
holds "the rest is foretold" has "^run .*: 6 of 8 steps are done"
holds "two steps of it" has '^steps  *2 of 2 windows'
holds "by its own layout" has '^layout .*layout.json: 4.5000'
holds "and nothing was trained" [ "$(readlink "$BD_RUNS/$run_of/last")" = step-000006 ]
cp -r "$BD_RUNS/$run_of" "$BD_RUNS/20260101-000000-train-0001"
echo '{' > "$BD_RUNS/20260101-000000-train-0001/step-000006/train.json"
fails 1 '0001/step-000006: train.json: byte .*: remove step-000006 from the run.s folder, and it begins anew' \
	train --resume 20260101-000000-train-0001 --steps 8
cp -r "$BD_RUNS/$run_of/step-000006" "$BD_RUNS/20260101-000000-train-0001/step-000003"
fails 1 ': remove step-000006 from the run.s folder, and it goes on from step-000003' \
	train --resume 20260101-000000-train-0001 --steps 8
rm -r "$BD_RUNS/20260101-000000-train-0001/step-000003"
cp "$BD_RUNS/$run_of/step-000006/train.json" "$BD_RUNS/20260101-000000-train-0001/step-000006"
printf x >> "$BD_RUNS/20260101-000000-train-0001/step-000006/train.state"
fails 1 'train.state is damaged: remove step-000006 from the run.s folder, and it begins anew' \
	train --resume 20260101-000000-train-0001 --steps 8
rm -r "$BD_RUNS/20260101-000000-train-0001/step-000006"
works train --resume 20260101-000000-train-0001 --steps 2
holds "without that folder it begins anew" has '^step 1/2' err
echo '{}' > "$BD_RUNS/20260101-000000-train-0001/run.json"
fails 2 'does not say what kind of run it is' train --resume 20260101-000000-train-0001 --steps 8
rm -r "$BD_RUNS/20260101-000000-train-0001"
: > "$BD_RUNS/$run_of/step-000006/model.safetensors"
fails 1 'model.safetensors: a safetensors file has at least 8 bytes, this one has 0' \
	chat "$BD_RUNS/$run_of/last" --prompt 'number 3'
(ulimit -f 100; timeout 120 "$bitdial" train --resume "$run_of" --steps 8 > out 2> err < /dev/null)
holds "the checkpoint that could be written is named" has "the last checkpoint, of step 6, is good" err
works train --resume "$run_of" --steps 8
holds "it goes on behind the sixth" has '^step 7/8' err
first=$(sed -n 's/.*"held_first":\([0-9.]*\).*/\1/p' second)
holds "at first is before its first step" \
	is "($(sed -n 's/^held out .*, at first //p' out) - $first) ^ 2 < 1e-8"
holds "all that it read is told" is \
	"$(sed -n 's/^trained  *8 steps, \([0-9]*\) tokens.*/\1/p' out) > $(field tokens second)"
holds "what to type next" has "^next  *bitdial .*step-000008"
works chat "$BD_RUNS/$run_of/last" --prompt 'number 3' --max-tokens 5 # whole again
works "$@" --data rows.jsonl --steps 2 --method lora --test row.jsonl
holds "the test is told" has '^test  *[0-9]'
holds "adapters are" has 'adapters, as PEFT reads them'
holds "and what opens them" has '^next  *PEFT opens the adapters: PeftModel.from_pretrained(model, "[^"]*/step-000002")$'
run_of=$(basename "$(dirname "$(sed -n 's/^result  *\([^ ]*\) .*/\1/p' out)")")
fails 1 'adapters, which are no model by themselves: PEFT reads them' chat "$run_of" --prompt a
fails 1 'adapters, which are no model by themselves: PEFT reads them' "$BD_RUNS/$run_of/last" --once
works "$@" --data rows.jsonl --steps 2 --windows 1 --window 40
holds "cut rows are said once" [ "$(grep -c 'longer than the window\|left out' err)" = 1 ]
awk 'BEGIN { x = 1; for (i = 0; i < 12; i++) { s = ""; for (k = 0; k < 6; k++) {
	x = (x * 16807) % 2147483647; s = s sprintf("%08x", x) }
	printf "{\"prompt\":\"%d\",\"completion\":\"%s\"}\n", i, s } }' > noise.jsonl
works "$@" --data noise.jsonl --method fp --lr 0.01 --steps 100 --held 0.3 --held-every 5 \
	--save-every 5 --windows 2 --window 96
best=$(sed -n 's/^best  *\([^,]*\), held out.*/\1/p' out)
holds "what is learned by heart is worse at the end" [ -n "$best" ]
holds "it is what the link leads to" [ "${best##*/}" = "$(readlink "${best%/*}/best")" ]
holds "and what to open" has "^next  *bitdial $best$"
holds "quantized as was asked" has "^  *bitdial export $best --layout int4g64 -o DIR$"
run_of=$(basename "${best%/*}")
works "$run_of" --once --size 80x24
holds "a run opens at its best checkpoint" has "^ bitdial ${best##*/} "
works "$@" --data noise.jsonl --method fp --lr 0.01 --steps 100 --held 0.3 --held-every 5 \
	--windows 2 --window 96 --patience 3
best=$(sed -n 's/^best  *\([^,]*\), held out.*/\1/p' out)
holds "with patience it ends when that is seen" \
	has "^early  *ended at step [1-9][05]: held-out loss was lowest at step $(expr "$best" : '.*step-0*\(.*\)')$"
fails 1 'ended at step .*: name the steps of the whole run to go on' train --resume "$(basename "${best%/*}")"
fails 1 'patience counts looks at what is held out, and of noise.jsonl nothing is' \
	"$@" --data noise.jsonl --held 0 --patience 3
works "$@" --data rows.jsonl --steps 12 --teach --method latent --seed 2
holds "KL is told at the end" has '^KL  *[0-9.]* from the model as it was, at first'
kls=$(sed -n 's/^KL  *\([0-9.]*\) .* first \([0-9.]*\).*/\1 \2/p' out)
holds "what a teacher taught is nearer to it" \
	[ "$(echo $kls | awk '{ print ($1 < $2) }')" = 1 ]
run_of=$(basename "$(dirname "$(sed -n 's/^result  *//p' out)")")
holds "a run remembers that it was taught" grep -q '"teach": *true' "$BD_RUNS/$run_of/run.json"
works train --resume "$run_of" --steps 13
holds "KL at first is before its first step" [ "$(sed -n 's/^KL .* first //p' out)" = "${kls#* }" ]
holds "its best is KL" [ "$(grep -c '"best_kl"' "$BD_RUNS/$run_of/end.json")" = 1 ]
holds "and no loss" [ "$(grep -c '"best_nll"' "$BD_RUNS/$run_of/end.json")" = 0 ]
works runs show "$run_of"
holds "KL is told in the list, and of what" has '^KL  *0[.][0-9]* on what is held out$'
fails 2 'names the formats: leave --layout out' "$@" --data rows.jsonl --dial int2g32
for dial in int2g32, ,int2g32 int2g32,,int4g64; do
	fails 2 "dial: $dial: a name is missing at a comma" train --demo --data rows.jsonl --dial $dial
	fails 2 "dial: $dial: a name is missing at a comma" calibrate --demo --dial $dial --dry-run
done
fails 1 'a dial leaves the norms. gains as they are' train --demo --data rows.jsonl --dial int2g32,int4g64 --lr-gain 1e-4
fails 1 'a dial leaves the norms. gains as they are' train --demo --dry-run --dial int2g32,int4g64 --lr-gain 1e-4
works "$@" --data rows.jsonl --steps 1 --lr 0 --lr-s 0 --lr-gain 0 --method fp
run_of=$(basename "$(dirname "$(sed -n 's/^result  *//p' out)")")
holds "a rate of gains is the run's" grep -q '"lr_gain": *0\b' "$BD_RUNS/$run_of/run.json"
set -- train --demo --data rows.jsonl --teach --method latent --steps 8
works "$@" --dial int4g64,int2g32
firsts=$(sed -n 's/.* stored bpw: .*, at first //p' out)
run_of=$(basename "$(dirname "$(sed -n 's/^result  *//p' out)")")
holds "what to type next opens" has "^next  *bitdial .*/step-000008$"
holds "KL at five budgets" [ "$(head -1 "$BD_RUNS/$run_of/metrics/dial.tsv" | tr '\t' '\n' | grep -c '^kl_')" = 5 ]
holds "from the smaller format's to the larger one's" \
	[ "$(head -1 "$BD_RUNS/$run_of/metrics/dial.tsv" | grep -c 'kl_3[.].*kl_4[.][0-9]*$')" = 1 ]
works chat "$BD_RUNS/$run_of/last/int2g32" --prompt a --max-tokens 2
works chat "$BD_RUNS/$run_of/last/int4g64" --prompt a --max-tokens 2
works layout cut "$run_of" --layout 3.7 -o cut37
holds "the bits that were asked for" has 'cut37: 3[.]6[0-9]* stored bpw\|cut37: 3[.]7' err
holds "by what they were chosen" has '^layout 3.7 from the [a-z ]* on ' err
cp -r "$BD_RUNS/$run_of" "$BD_RUNS/unmeasured"
works layout cut unmeasured --layout 3.7 -o cut37u
holds "first scores say so" has '^warning: no damage of unmeasured is measured.*bitdial scan unmeasured' err
works scan unmeasured
works layout cut unmeasured --layout 3.7 -o cut37v
holds "and it is the search's once it is scanned" lacks '^warning: no damage' err
rm -r "$BD_RUNS/unmeasured"
fails 2 'stored bits a weight go from 0 to 64' layout cut "$run_of" --layout 99 -o cut99
works chat cut37 --prompt a --max-tokens 2
works layout cut "$BD_RUNS/$run_of/last/" --layout int4g64 -o cut4
works eval "$BD_RUNS/$run_of" --layout int2g32 --text text
grep '^nll' out > nll.run
cp -r "$BD_RUNS/$run_of" "$BD_RUNS/stranger"
sed -i 's/"model_sha256": *"./&0/' "$BD_RUNS/stranger/run.json"
fails 1 'was made of another model than' eval "$BD_RUNS/stranger" --layout int2g32 --text text
rm -r "$BD_RUNS/stranger"
works eval "$BD_RUNS/$run_of/last/int2g32" --layout keep --text text
holds "a run opens like a model, with its own variants" has "^$(cat nll.run)$"
holds "the same bits as there" cmp -s cut4/model.safetensors "$BD_RUNS/$run_of/last/int4g64/model.safetensors"
works layout cut "$run_of" --layout keep -o cutk --json
holds json object folder stored_bpw bytes
holds "nothing beside it" [ ! -s err ]
fails 1 'has no int3g64, which the layout gives' layout cut "$run_of" --layout int3g64 -o cut3
fails 1 'exists already' layout cut "$run_of" --layout int4g64 -o cut4
fails 1 'there is no run nosuch' layout cut nosuch --layout int4g64 -o cut5
fails 2 'usage: bitdial layout cut RUN' layout cut "$run_of" --layout int4g64
works train --resume "$run_of" --steps 10
holds "it goes on behind the eighth" has '^step 9/10' err
holds "each budget at first" [ "$(sed -n 's/.* stored bpw: .*, at first //p' out)" = "$firsts" ]
works runs show "$run_of"
holds "the formats of its dial" has '^dial  *int4g64,int2g32$'
holds "in the place of a layout" has '^options  *latent, 8 steps of 4 x 256 tokens, dial int4g64,int2g32$'
holds "the mean of its budgets" has '^KL  *0[.][0-9]* on what is held out, the mean of five budgets$'
holds "no bits of its largest format" lacks '^bpw\|^bytes'
holds "and no loss beside" has '^summary  *latent, 10 steps, loss [0-9.]*, held-out KL [0-9.]*$'
works runs "$run_of"
holds "KL and no bits in the list" has "^$run_of  *[-0-9]* [0-9:]*  *train  *ok  *[0-9.]*  *-  *0[.0-9]* "
works calibrate --demo --steps 6 --formats int2g32,int4g64,keep --text rows.jsonl
holds "five budgets, before and now" [ "$(grep -c 'stored bpw: KL [0-9.]*, at first' out)" = 5 ]
run_of=$(basename "$(dirname "$(sed -n 's/^result  *//p' out)")")
printf 'wait idle\n:budget 3.7\nwait idle\n:keep worn\nwait idle\n:pin layers.0.v int4g64\n:keep wornpin\nwait idle\n' > keys
works "$run_of" --headless 80x24 --keys keys
works runs kind:search worn --json
id=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' out | head -1)
works rerun "$id"
holds "what was kept on a run is made again on it" has "^again: bitdial search .*/$run_of --bpw 3.7" err
id=$(basename "$(grep -l '"again_not"' "$BD_RUNS"/*-search-*/run.json | tail -1 | sed 's,/run.json,,')")
rm -f "$BD_RUNS/$id/acts.lua"
fails 1 "bitdial $run_of --layout $id opens it there" rerun "$id"
works "$run_of" --layout "$id" --once --size 80x24
holds "of the dial that was named" grep -q '"dial": *"int2g32,int4g64"' "$BD_RUNS/$run_of/run.json"
works chat "$run_of" --layout int2g32 --prompt a --max-tokens 2
works search "$run_of" --bpw 3.7 -o cut37.json
holds "a layout says whose variants it takes" grep -q "\"calibrated\": \"$run_of\"" cut37.json
works eval "$run_of" --layout cut37.json --text short --window 64
fails 1 "what the run $run_of calibrated: open that run" eval --demo --layout cut37.json --text short --window 64
works export "$run_of" --layout cut37.json -o worncut
holds "an export is a model of its own" lacks calibrated worncut/layout.json
works train "$run_of" --layout int2g32 --data rows.jsonl --method lora --steps 2
id=$(ls -t "$BD_RUNS" | grep -- -train- | head -1)
works train --resume "$id" --steps 3
holds "adapters go on beside what they were trained beside" has "^trained  *3 steps"
works "${run_of##*-}" --once --size 80x24
printf 'show model\nquit\n' > lines
timeout 60 "$bitdial" "$run_of" --plain < lines > out 2> err
last='RUN --plain'
holds "the run's formats are the dial's" has '^formats of the dial: int2g32, int4g64, keep'
cp -r "$BD_RUNS/$run_of" "$BD_RUNS/20260101-000000-train-0002"
part=$BD_RUNS/20260101-000000-train-0002/step-000006
rm "${part%/*}/best" "${part%/*}/last"
works layout cut "${part%/*}" --layout int2g32 -o cutless
holds "without its links a run has its newest checkpoint" cmp -s cutless/model.safetensors "$part/int2g32/model.safetensors"
ln -s step-000999 "${part%/*}/last"
works eval 20260101-000000-train-0002 --layout int2g32 --text short --window 64
holds "a format's weights have a sum beside" eval '(cd "$part/int2g32" && sha256sum -c --quiet model.safetensors.sha256)'
size=$(($(wc -c < "$part/int2g32/model.safetensors") - 200))
printf '\377' | dd of="$part/int2g32/model.safetensors" bs=1 seek="$size" conv=notrunc 2> dd.err
holds "a byte is another" eval '! cmp -s "$part/int2g32/model.safetensors" "$BD_RUNS/$run_of/step-000006/int2g32/model.safetensors"'
fails 1 'int2g32/model.safetensors is not what was written there: the checkpoint is damaged' \
	eval 20260101-000000-train-0002 --layout int2g32 --text short --window 64
rm "$part/int2g32/model.safetensors.sha256"
works eval 20260101-000000-train-0002 --layout int2g32 --text short --window 64 # as an older version wrote it
rm "$part/int2g32/model.safetensors"
fails 1 'step-000006/int2g32/model.safetensors is gone, so this checkpoint is damaged: name another' \
	eval 20260101-000000-train-0002 --layout int4g64 --text short --window 64
fails 1 'int2g32/model.safetensors is gone' layout cut "${part%/*}" --layout 3.7 -o cutgone
rm -r "$part/int2g32"
fails 1 'int2g32/model.safetensors is gone' eval "$part" --layout int4g64 --text short --window 64
rm -r "${part%/*}"
works train "$run_of" --layout int4g64 --dry-run
works calibrate --demo --steps 4 --layout int2g32 --json
holds "what the model writes itself is the text, once one layout is named" has '"method": *"flips"'
works calibrate --demo --dry-run
works calibrate --demo --dial int2g32 --steps 2 --text rows.jsonl
id=$(ls -t "$BD_RUNS" | grep -- -train- | head -1)
works train --resume "$id" --steps 4 --json
holds "a dial of one format tells its first look, also when it is resumed" has '"kl_first": *[0-9]'
works calibrate --demo --steps 2 --formats int2g32,int4g64 --text rows.jsonl --held 0 # and no looks to wait for
fails 1 'patience counts looks' calibrate --demo --steps 2 --formats int2g32,int4g64 --text rows.jsonl --held 0 \
	--patience 3
works calibrate --demo --steps 2 --formats int2g32,int4g64 --data rows.jsonl --text text
holds "a text beside data is measured at the end, at each budget" has \
	'^text  *[0-9.]*, KL [0-9.]* from the model as it was, the mean of these budgets'
fails 2 'name the same thing' teach --demo --text rows.jsonl --data rows.jsonl -o said
echo '{"text":""}' > blank.jsonl
fails 1 'blank.jsonl: nothing to learn in it: all of its rows (1) are empty' calibrate --demo --text blank.jsonl
fails 1 'none of its rows (1) has an answer; .* (--all, or all=on)' train --demo --layout int4g64 --data blank.jsonl
fails 2 'lora trains none' calibrate --demo --method lora
fails 1 'nosuch' calibrate --demo --text nosuch
fails 2 '--text: the name is empty: give a text' calibrate --demo --text ''
fails 2 '--formats keep: nothing in it is trained' calibrate --demo --formats keep
fails 2 '--formats keep: nothing in it is trained' calibrate --demo --formats keep --dry-run
fails 2 '--formats: "foo" is not a format' calibrate --demo --formats foo
fails 2 '--text: the name is empty: give a file' teach --demo --text '' -o said
fails 2 'usage: bitdial teach .* -o DIR: the name of DIR is empty' teach --demo --text text -o ''
fails 2 '--dial: "foo" is not a format' "$@" --dial int2g32,foo
fails 2 '--dial: "nan" is not a format' "$@" --dial int2g64,nan
fails 2 '--dial: "3.6" is not a format' "$@" --dial int2g64,3.6
fails 2 '--dial: no format is named: say which' "$@" --dial ,
fails 1 'takes as many bits as another' "$@" --dial int2g32,int2g32
fails 2 '--dial: keep is not trained with a dial' "$@" --dial int2g32,keep
fails 2 'lora trains none' train --demo --data rows.jsonl --method lora --dial int2g32
fails 2 'lora trains none' train --demo --method lora --dial int2g32 --dry-run
fails 2 'names the formats: leave --layout out' train --demo --layout int4g64 --dial int2g32 --dry-run
fails 2 '--dial: "foo" is not a format' "$@" --dial int2g32,foo --dry-run
fails 1 'takes as many bits as another' "$@" --dial int2g32,int2g32 --dry-run
fails 2 '--dial: keep is not trained with a dial' "$@" --dial int2g32,keep --dry-run
fails 2 '--dial: no format is named' "$@" --dial , --dry-run
find "$XDG_CACHE_HOME" "$BD_RUNS" > before
works "$@" --dial int4g128,int2g64 --dry-run
holds "what is trained" has '^layout  *int2g64 and int4g128 at once, each step a layout drawn between 2.50 and 4.46 bpw$'
holds "who teaches" has '^teacher .* a second forward pass in every step$'
holds "each budget is looked at" has '^a look .*, of five budgets one after another$'
holds "a folder a format, twice" has '^disk .* a checkpoint (a folder a format), .* for the last and the best one$'
holds "what has no codes" has '^fp  *trains no codes$'
find "$XDG_CACHE_HOME" "$BD_RUNS" > after
holds "nothing was made for it" cmp -s before after
# By each method, against a run: what it holds, and what a checkpoint is.
for method in latent flips stats; do
	set -- train --demo --data rows.jsonl --dial int2g64,int4g128 --method $method --teach --window 64
	works "$@" --dry-run --json
	holds json object job method stored_bpw dial budgets teacher look begun_bytes peak_bytes \
		checkpoint_bytes disk_bytes
	sed 's/"methods.*//' out > plan
	holds "two of them" is "$(field disk_bytes plan) == 2 * $(field checkpoint_bytes plan)"
	works "$@" --steps 1 --json
	holds "the memory that was foretold" is \
		"($(field memory_bytes plan) - $(field frozen plan)) / $(field train_bytes) - 1 < 0.02 &&
		($(field memory_bytes plan) - $(field frozen plan)) / $(field train_bytes) - 1 > -0.02"
	kept=$(sed -n 's/.*"folder":"\([^"]*\)".*/\1/p' out)
	kept=$(find "$kept" -name model.safetensors -o -name train.state | xargs wc -c | awk 'END { print $1 }')
	holds "the disk that was foretold" is \
		"$(field checkpoint_bytes plan) / $kept - 1 < 0.02 && $(field checkpoint_bytes plan) / $kept - 1 > -0.02"
done
works train --demo --layout int4g64 --teach --dry-run --json
first=$(field step_flop)
works train --demo --layout int4g64 --teacher said --dry-run --json
holds "a teacher that is read does not run" is "$(field step_flop) < $first"
works train --demo --layout int4g64 --teacher said --dry-run
holds "and it is said" has '^teacher  *said: what the model said'
set -- train --demo --data rows.jsonl --teach --method latent --steps 8
works train --resume "$run_of" --steps 12 --dry-run
holds "the rest of one with a dial" has '^layout  *int2g32 and int4g64 at once'
set -- --data rows.jsonl --window 64
fails 2 'seed' teach --demo "$@" -o said --seed 1
works teach --demo --data rows.jsonl --window 64 --held 0.2 --rows 30 -o 'said of 30'
next=$(sed -n 's/^next  *bitdial //p' out)
holds "its next line names all that it must" [ "$next" = \
	'calibrate --demo --data rows.jsonl --teacher "said of 30" --window 64 --held 0.2 --rows 30' ]
eval "works $next --steps 1"
works teach --demo "$@" -o said --dry-run
holds "the size is said" has 'of each and the rest: [0-9.]* [KM]*i*B' err
holds "and nothing written" [ ! -e said ]
works teach --demo "$@" -o said
first=$(ls -l said)
works teach --demo "$@" -o said --json
holds "a second time nothing is done again" [ "$first" = "$(ls -l said)" ]
works train --demo --layout int4g64 "$@" --teacher said --method latent --steps 2
fails 1 'said was said of rows all (here 20): give what it was made with, or teach into another folder' \
	train --demo --layout int4g64 "$@" --rows 20 --teacher said --steps 2
fails 1 'said of window 64 (here 128), samples all (here 5), held 0.05 (here 0.2)' \
	train --demo --layout int4g64 --data rows.jsonl --window 128 --held 0.2 --samples 5 --teacher said --steps 2
fails 1 'said of another data file' train --demo --layout int4g64 --data noise.jsonl --teacher said --steps 2
fails 1 'said of window 64 (here 32)' teach --demo --data rows.jsonl --window 32 -o said
mv said/teach.json kept.json
fails 1 'said of other data, or of windows of another length' \
	train --demo --layout int4g64 "$@" --rows 20 --teacher said --steps 2
mv kept.json said/teach.json
fails 1 'is no folder: bitdial teach makes' train --demo --layout int4g64 "$@" --teacher none --steps 2
fails 2 'usage: bitdial teach MODEL --data FILE -o DIR' teach --demo "$@"
fails 1 "longer than the model's context of 2048" teach --demo --data rows.jsonl --window 4096 -o wide
fails 2 'at most 1024 tokens a row' teach --demo "$@" -o said --top 4000
fails 1 'is a file: name a folder' teach --demo "$@" -o rows.jsonl
printf x >> said/part-000000.teach
fails 1 'is damaged: teach again into that folder' \
	train --demo --layout int4g64 "$@" --teacher said --steps 2
: > said/part-000000.teach
works teach --demo "$@" -o said
works train --demo --layout int4g64 "$@" --teacher said --method latent --steps 2
cp rows.jsonl self
works teach --demo --data self --window 64 --samples 20 -o selfsaid
works train --demo --layout int4g64 --data self --window 64 --samples 20 --teacher selfsaid --method latent --steps 2
run_of=$(basename "$(dirname "$(sed -n 's/^result  *//p' out)")")
holds "self is what the model writes, whatever lies here" grep -q '"data": *"self"' "$BD_RUNS/$run_of/run.json"
rm self
run teach --demo "$@" -o said --top 16
holds "how many it has, and what to do" has 'has 64 tokens a row, not 16: take another folder, or as many$' err
rm said/part-000000.teach
fails 1 'said: 0 of 1 parts are there: bitdial teach makes the rest' \
	train --demo --layout int4g64 "$@" --teacher said --steps 2
set -- train --demo --layout int4g64
works "$@" --data rows.jsonl --steps 2 --events
holds "lines of steps" [ "$(grep -c '"ev":"train.step"' out)" = 2 ]
"$bitdial" "$@" --data rows.jsonl --steps 100000 > out 2> err & pid=$!
for i in 1 2 3 4 5 6 7 8 9 10; do grep -q '^step 1/' err && break; sleep 1; done
kill -INT $pid
wait $pid
rc=$?
last='train, interrupted'
checks=$((checks + 1))
[ $rc = 130 ] || bad "$last: status $rc"
holds "how to go on" has 'is good: bitdial train --resume .* goes on' err
run_of=$(sed -n 's/.*--resume \([^ ]*\).*/\1/p' err)
fails 1 'that run is no training\|steps are done already' train --resume "$run_of" --steps 1
set --
BD_RUNS="$dir/runs"

# ---- layout
fails 2 'usage: bitdial layout' layout
fails 2 'usage: bitdial layout' layout hide layout.json
fails 1 'no such file and no such run' layout show nosuch
fails 1 'is a folder without a layout.json' layout show folder
fails 1 'text: byte' layout show text
fails 1 'empty' layout show empty
works layout show layout.json
holds "a row a kind" has '^ *gate '
works layout show layout.json --json
holds json object model bytes stored_bpw predicted_kl linears
sed 's/"sha256": *"...../"sha256":"00000/' layout.json > other.json
fails 1 'demo' eval --demo --text short --layout other.json
sed 's/int4g128/int4g129x/' layout.json > broken.json
fails 1 'broken.json' eval --demo --text short --layout broken.json

# ---- tasks
printf '%s\n' '{"prompt":"a b","options":["c","d e"],"answer":1}' '{"prompt":"f","options":["g","h"],"answer":0}' > two.jsonl
works eval --demo --task two.jsonl
holds "how many were asked" has '^questions   2 (bitdial)'
works eval --demo --task two.jsonl --layout int4g128 --json
holds json object task form items acc acc_se acc_norm acc_norm_se stored_bpw questions
fails 1 'no task of that name' eval --demo --task nosuch
fails 2 'usage: bitdial eval' eval --demo --task two.jsonl --text two.jsonl
printf '{"prompt":"a"}\n' > bad.jsonl
fails 1 'bad.jsonl: line 1' eval --demo --task bad.jsonl

# ---- export
fails 2 'usage: bitdial export' export --demo
fails 1 'folder exists already' export --demo --layout int4g128 -o folder
fails 1 '/nosuch/x' export --demo --layout layout.json -o /nosuch/x
works export --demo --layout layout.json -o exported
holds "nothing half written" [ "$(ls -d exported* | wc -l)" = 1 ]
works logits --demo --layout exported/layout.json --prompt hello --top 50 --json
cp out before
works logits exported --prompt hello --top 50 --json
holds "the folder's logits, bit for bit" cmp -s out before
works eval exported --text short --json
works layout show exported/layout.json

# ---- scan
works scan --demo --tokens 256 --json
holds "a cell" has '"linear":"layers.0.q","format":"int2g64"'
holds "256 tokens" has '"tokens":256}'
works scan --demo --tokens 256 --text text
holds "a header and a line a cell" [ "$(grep -c '^layers' out)" -ge 84 ]
works search --demo --tokens 256 --bpw 3.6 --json
holds "which score" has '"source":"scan"'
fails 1 'at least 2' scan --demo --text one
works scan --demo --text short --formats default
holds "all four" [ "$(cut -f 2 out | grep -c '^int2g64$')" = 28 ]
holds "and the widest" has '	int8g128	'
printf abc > three
works scan --demo --text three
holds "no error bar is a dash" has 'layers.0.q	int2g64	gptq	[-0-9.e]*	-	3$'
holds "no nan" lacks nan
works scan --demo --text three --quantizer minmax
holds "no nan" lacks nan

# ---- scripts and runs
demo="$dir/cache/bitdial/demo.gguf"
cat > s.lua << 'END'
local m = assert(bitdial.open(arg[1]))
assert(bitdial.scan{ tokens = 256 }:wait())
local l = assert(bitdial.search{ bpw = tonumber(arg[2]) }:wait())
print(m.linears, l.bpw <= tonumber(arg[2]), arg[3])
assert(bitdial.cmd "budget 3.5")
assert(bitdial.run.keep "from a script")
bitdial.expect(arg[3] ~= "missed", "a goal")
END
works --batch s.lua "$demo" 3 --json
holds "the script's own arguments" has '^28	true	--json$'
run batch s.lua "$demo" 3 missed
holds "status 3" [ $rc = 3 ]
holds "the goal" has '^a goal$' err
works --json --batch s.lua "$demo" 3
holds "events" has '"v":1,"t":[0-9.e-]*,"ev":"search.answer"'
holds "prints are events" has '"ev":"print","text":"28'
holds "a line each" [ "$(grep -vc '^{.*}$' out)" = 0 ]
works runs kind:search from script
holds "each kept" [ "$(grep -c -- '-search-' out)" = 3 ]
id=$(sed -n 's/^\([0-9-]*search-[0-9a-f]*\).*/\1/p' out | head -1)
works runs tag "$id" good
works runs tag:good --json
holds "json" has "\"id\":\"$id\".*\"tags\":\"good\""
works runs show "$id"
holds "its folder" has "^folder  *$dir/runs/$id"
works runs note "$id" 'two words'
works watch "$id"
holds "how it ended" has "$id: ok" err
fails 1 'there is no run' watch nix
fails 2 'wants a run' watch
works runs trash "$id"
fails 1 'there is no run' runs show "$id"
fails 1 'expected kind:search' runs 'bpw<x'
fails 2 'wants a script' --batch
fails 1 'cannot open nix.lua' --batch nix.lua
fails 2 'opens its model itself' demo.gguf --batch s.lua
echo 'while true do print(("x"):rep(99)) end' > e.lua
last='--batch e.lua | head -c 10' checks=$((checks + 1))
{ timeout 30 "$bitdial" --batch e.lua 2> err; echo $? > rc; } | head -c 10 > out
holds "a reader that has enough ends it" [ "$(cat rc)" = 0 ] && holds "quietly" [ ! -s err ]
echo 'print(assert(bitdial.open()).name) bitdial.scan{ undecided = true }' > e.lua
works --demo --batch e.lua
holds "the demo without a path" has '^demo$'
works --demo --events --batch e.lua
holds "events by their other name" has '"ev":"print","text":"demo"'
holds "stages" has '"ev":"job.stage","job":'
holds "each job that began ended" [ "$(grep -c '"ev":"job.began","job":' out)" = "$(grep -c '"ev":"job.ended","job":' out)" ]
run --batch e.lua
holds "there is none without --demo" has "bad argument #1 to 'open'" err
echo 'print(bitdial.bind("nowhere", "F5", "measure"))' > e.lua
works --batch e.lua
holds "which place" has 'there is no place "nowhere"'
echo 'os.exit(5)' > e.lua
run batch e.lua
holds "status of os.exit" [ $rc = 5 ]
cat > strange.lua <<'END'
local m = assert(bitdial.open(arg[1]))
print(m.layers, io, os.execute, require)
END
works --sandbox --batch strange.lua "$demo"
holds "no files, no processes" has '^4	nil	nil	nil$'
works --json --sandbox --batch strange.lua "$demo"
holds "prints are events" has '"ev":"print","text":"4'
echo 'while true do end' > strange.lua
run --sandbox --sandbox-seconds 0.1 --batch strange.lua
holds "status 1" [ $rc = 1 ]
holds "which limit" has 'strange.lua used more than 0.1 s of its own' err
fails 2 'go with --sandbox' --sandbox-seconds 1 --batch strange.lua
printf ':script strange.lua\nwait idle\n:notices\n' > strange.keys
works --sandbox --sandbox-seconds 0.1 --headless 120x36 --keys strange.keys --dump - "$demo"
holds "a notice" has 'strange.lua used more than 0.1 s of its own'
# ---- runs of the verbs, and the same once more
rm -rf runs
works scan --demo --tokens 64
works search --demo --tokens 64 --bpw 3.2
works eval --demo --text short --layout 3.2
nll=$(sed -n 's/^KL  *//p' out)
works eval --demo --text short
works eval --demo --read-only --text short --layout 3.2
works runs
holds "a folder for each of three" [ "$(grep -c '  demo' out)" = 3 ]
id=$(sed -n 's/^\([0-9-]*eval-[0-9a-f]*\).*/\1/p' out)
scan=$(sed -n 's/^\([0-9-]*scan-[0-9a-f]*\).*/\1/p' out)
works runs show "$id"
holds "its command line" has "^command  *.*bitdial eval --demo --text short --layout 3.2$"
holds "the scan it was made on" has "^made from  *$scan$"
holds "what it measured" has '^KL  *[0-9.e-]* .*measured$'
(cd / && works rerun "$id" && cp out err "$dir")
holds "the same number" has "^KL  *$nll$"
holds "what it runs" has '^again: bitdial eval --demo --text short --layout 3.2$' err
holds "no warning" lacks '^warning' err
works runs kind:eval
holds "a run of its own" [ "$(grep -c '  demo' out)" = 2 ]
sed -i 's/"host": ".*"/"host": "elsewhere"/; s/"bitdial": ".*"/"bitdial": "0.0"/; s/"header": ".*"/"header": "x"/; s/"file_sha256": "...../"file_sha256": "00000/' "runs/$id/run.json"
works rerun "$id"
holds "another machine" has '^warning: the host was elsewhere, now it is ' err
holds "another version" has '^warning: bitdial was 0.0, now it is ' err
cp "$demo" mine.gguf
works scan mine.gguf --tokens 64
id=$(ls -t runs | grep scan | head -1)
printf 'x' | dd of=mine.gguf bs=1 seek=100000 conv=notrunc 2> err
works rerun "$id"
holds "other weights" has '^warning: the weights of /.*/mine.gguf changed' err
fails 1 'there is no run' rerun nix
fails 2 'wants a run' rerun
mkdir runs/old && echo '{"v":1,"kind":"scan","model":"m","bitdial":"0.0"}' > runs/old/run.json
fails 1 'says no command line' rerun old
echo 'garbage' > runs/old/run.json
fails 1 'there is no run old' rerun old
# what a script kept: the script, where its user has it and as it was
works --batch s.lua "$demo" 3 --json
id=$(ls -t runs | grep search | head -1)
works runs show "$id"
holds "its script" has "^script  *$dir/s.lua$"
works rerun "$id"
holds "the same script" has '^28	true	--json$'
echo '-- another' >> s.lua
fails 1 'is another script than the one that made' rerun "$id"
works rerun --anyway "$id"
holds "and says so" has '^warning: .*s.lua is another script' err
cp s.lua "runs/$id/s.lua"
sed -i "s,\"s.lua\",\"$dir/runs/$id/s.lua\"," "runs/$id/run.json"
fails 1 'what is found there is never run' rerun --anyway "$id"
# kept on the screen: the verb that makes the same, or why there is none
printf 'wait idle\n:budget 3.2\nwait idle\n:keep plain\nwait idle\n:pin layers.0.v int4g128\n:keep pinned\nwait idle\n' > keys
works "$demo" --headless 80x24 --keys keys
works runs kind:search plain --json
id=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' out)
works rerun "$id"
holds "the equivalent verb" has "^again: bitdial search $demo --bpw 3.2$" err
works runs kind:search pinned --json
id=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' out)
fails 1 "made in the workbench: its acts are in its folder, and you run them yourself" rerun "$id"
# thrown away and back
works runs trash "$id"
works runs restore "$id"
works runs show "$id"
fails 1 'in the trash' runs restore "$id"

works runs trash "$id"
works runs restore "${id##*-}"
holds "by its end" [ -d "runs/$id" ]
mkdir -p folder
fails 1 'in the trash' runs restore "$dir/folder"
holds "not any folder" [ -d folder ]
for act in show diff tag note trash restore; do
	fails 2 "usage: bitdial runs $act RUN" runs $act
done
fails 2 'usage: bitdial runs diff RUN RUN' runs diff "$id"
# a table has a line a run, and two columns
works runs note "$id" 'first
second'
cp -r "runs/$id" runs/forged
sed -i 's/"model": ".*"/"model": "m\\nforged ok"/; s/"header": ".*"/"header": "x"/' runs/forged/run.json
echo '{"status":"ok","seconds":-1e300}' > runs/forged/end.json
works runs
holds "no forged line" lacks '^forged ok'
holds "no time" has '^forged  *.* ok  *-  *'
works runs diff "$id" forged
holds "hashes are short" lacks '[0-9a-f]\{40\}'
rm runs/forged/notes.md
works runs diff "$id" forged
holds "notes are a line" has '^notes  *first\.\.\.  *-$'
ln -sf "$dir/text" runs/forged/notes.md && cp text text.was
fails 1 'is a link' runs note forged x
holds "as it was" cmp -s text text.was
rm -r runs/forged
# what each was made from
parent() { sed -n 's/.*"parents": "\([^ "]*\).*/\1/p' "runs/$(ls -t runs | head -1)/run.json"; }
rm -rf runs
works scan --demo --tokens 64
scan=$(ls runs)
works search --demo --tokens 64 --bpw 3.2
search=$(ls -t runs | head -1)
holds "a search from the scan" [ "$(parent)" = "$scan" ]
for l in "$search" "runs/$search" "runs/$search/layout.json"; do
	works eval --demo --text short --layout "$l"
	holds "an eval from the layout's run" [ "$(parent)" = "$search" ]
done
works export --demo --layout "$search" -o made
holds "an export from the layout's run" [ "$(parent)" = "$search" ]
printf ':screen 4\nwait idle\nP\nwait idle\n' > keys
works --demo --headless 120x36 --keys keys --dump frame
holds "the chain" has "from search-${search##*-}  done" frame
holds "to its end" has "from scan-${scan##*-}  done" frame
works --batch s.lua "$demo" 3 --json
holds "a script's from its scan" has '^[-0-9]*scan-....$' - <<END
$(parent)
END
printf 'wait idle\n:budget 3.2\nwait idle\n:keep plain\nwait idle\n' > keys
works --demo --headless 80x24 --keys keys
holds "a kept one from its scan" has '^[-0-9]*scan-....$' - <<END
$(parent)
END
# a run.json of a stranger: doctored NAME ARGV AGAIN MORE
doctored() {
	mkdir -p "runs/$1"
	printf '{"v":1,"kind":"scan","model":"m","model_path":"","cwd":"%s","argv":[%s],"again":[%s]%s}\n' \
		"${5:-$dir}" "$2" "$3" "$4" > "runs/$1/run.json"
	echo '{"v":1,"status":"ok","seconds":1,"summary":""}' > "runs/$1/end.json"
}
nothing="a rerun does only what makes runs"
echo 'io.open("pwned", "w"):close()' > evil.lua
echo ':lua io.open("pwned", "w"):close()' > evil.keys
doctored evil '"bitdial"' "\"open\",\"--demo\",\"--headless\",\"80x24\",\"--keys\",\"$dir/evil.keys\""
fails 1 "$nothing" rerun evil
doctored evil '' "\"open\",\"--demo\",\"--headless\",\"80x24\",\"--keys\",\"$dir/evil.keys\""
fails 1 "$nothing" rerun evil
doctored evil "\"bitdial\",\"--demo\",\"--headless\",\"80x24\",\"--keys\",\"$dir/evil.keys\"" ''
fails 1 'made in the workbench' rerun evil
doctored evil '"bitdial"' '"rerun","evil"'
fails 1 "$nothing" rerun evil
for words in '"runs","trash","evil"' '"runs","restore","evil"' '"runs","note","evil","x"' \
	'"doctor","--clear-cache"' '"watch","evil"' '"chat","--demo","--prompt","x"'; do
	doctored evil "\"bitdial\",$words" ''
	fails 1 "$nothing" rerun --anyway evil
	doctored evil '"bitdial"' "$words"
	fails 1 "$nothing" rerun --anyway evil
done
holds "nothing was thrown away" [ -d runs/evil ]
holds "the cache is there" [ -d cache ]
# its script: only where one says so, and never of a folder of runs, whichever the words name
script() { # FILE: as run.json tells of it
	printf ',"script":"%s","script_sha256":"%s"' "$1" "$(sha256sum "$1" | cut -c 1-64)"
}
doctored evil "\"bitdial\",\"--batch\",\"$dir/evil.lua\"" '' "$(script "$dir/evil.lua")"
fails 1 "did not write evil, which would run the script $dir/evil.lua" rerun evil
cp evil.lua runs/evil/x.lua
doctored evil "\"bitdial\",\"--runs\",\"$dir/other\",\"--batch\",\"$dir/runs/evil/x.lua\"" '' \
	"$(script "$dir/runs/evil/x.lua")"
fails 1 'what is found there is never run' rerun --anyway evil
mkdir -p taken/run/deep && echo '{}' > taken/run/run.json && cp evil.lua taken/run/deep/x.lua
doctored evil "\"bitdial\",\"--batch\",\"$dir/taken/run/deep/x.lua\"" '' \
	"$(script "$dir/taken/run/deep/x.lua")"
fails 1 'what is found there is never run' rerun --anyway evil
(cd / && BD_RUNS= "$bitdial" rerun --runs "$dir/runs" --anyway evil > "$dir/out" 2> "$dir/err" < /dev/null)
holds "nor from elsewhere" has 'what is found there is never run' err
doctored evil "\"bitdial\",\"--batch\",\"$dir/evil.lua\"" '' "$(script "$dir/evil.lua")" "$dir/runs/evil"
fails 1 'a folder of runs: what is found there is never run' rerun --anyway evil
holds "no script was run" [ ! -e pwned ]
doctored evil "\"bitdial\",\"--batch\",\"$dir/evil.lua\",\"a b\\n\"" '' "$(script "$dir/evil.lua")"
works rerun --anyway evil
holds "the user said so" [ -e pwned ]
holds "the whole command line" has "^again: bitdial --batch $dir/evil.lua \\$'a b.x0a'$" err
# what it writes: nothing over another file, and nothing outside
mkdir inside
doctored evil "\"bitdial\",\"export\",\"--demo\",\"--layout\",\"int4g128\",\"-o\",\"$dir/bundle\"" ''
cd inside || exit 1
fails 1 "outside of the folder you are in" rerun evil
cd .. || exit 1
holds "nothing outside" [ ! -e bundle ]
works rerun evil
holds "inside" [ -d bundle ]
fails 1 "bundle, which is there: --anyway" rerun evil
for out in ../x text inside/../../x; do
	doctored evil "\"bitdial\",\"search\",\"--demo\",\"--tokens\",\"64\",\"--bpw\",\"3.2\",\"-o\",\"$out\"" '' '' "$dir/"
	fails 1 "evil writes $out, .*--anyway" rerun evil
done
ln -s / outside
doctored evil "\"bitdial\",\"search\",\"--demo\",\"--tokens\",\"64\",\"--bpw\",\"3.2\",\"-o\",\"outside/nix/l\"" ''
fails 1 "outside of the folder you are in" rerun evil
rm -r runs/evil
# a run of a rerun is made from the one it repeats
id=$(ls runs | grep eval | head -1)
works rerun "$id"
again=$(ls -t runs | grep eval | head -1)
holds "what it repeats, then what that was made from" has "\"parents\": \"$id [-0-9]*search-" "runs/$again/run.json"

works help lua
holds "every module" [ "$(grep -c '^bitdial\.[a-z]* - ' out)" -ge 9 ]

works help lua scan
holds "one module" [ "$(grep -c '^bitdial\.[a-z]* - ' out)" = 1 ]
fails 2 'no module or function scna.*did you mean scan' help lua scna
fails 2 'usage: bitdial help' help scan lua
works help lua --roff
holds "a manual page" has '^\.Dt BITDIAL-LUA 3'

# ---- init.lua
works --default-config
holds "every option" [ "$(grep -c '^--set(' out)" = "$(grep -c '^O(' "$here/../app/tui/options.def")" ]
holds "nothing but comments" [ "$(grep -cv '^--\|^$' out)" = 0 ]
mkdir -p config/bitdial/themes
sed 's/^--\([^ ]\)/\1/; s/^--  /  /; s/^set("auto_scan", true)/set("auto_scan", false)/' out > config/bitdial/init.lua
works --demo --once --size 100x30 --color never
holds "a notice of the file" lacks 'init.lua'
holds "no scan, as it says" lacks '\[scan'
cat > config/bitdial/init.lua << 'EOF'
set("ascii", true)
theme "mine"
EOF
printf 'return { text = 10,\n  wran = 3 }\n' > config/bitdial/themes/mine.lua
works --demo --once --size 100x30
holds "the line of the theme" has \
	'^bitdial: mine.lua:2: a theme has no role "wran"; did you mean warn' err
holds "what was set before it" lacks '━'
works --demo --once --size 100x30 --no-config
holds "as without one" has '━'
echo 'print("on")' > on.lua
works --batch on.lua
holds "the script ran" [ "$(cat out)" = on ]
holds "the notice" has '^bitdial: mine.lua:2' err
works --no-config --batch on.lua
holds "quiet" [ ! -s err ]
works doctor --colors
holds "the broken theme is named" has '^mine.lua:2: a theme has no role'
echo 'set("formats", "int2g64,keep") set("max_tokens", 3) while true do end' > config/bitdial/init.lua
echo ':notices' > keys
works --demo --headless 100x30 --keys keys --dump dump
holds "the notice" has 'init.lua:1: settings are soon said' dump
cat > formats.lua << 'EOF'
local m = assert(bitdial.open(arg[1]))
print(table.concat(m.formats, " "))
EOF
works --batch formats.lua "$demo"
holds "the formats of the file" [ "$(cat out)" = 'int2g64 keep' ]
works --batch --formats int4g128,keep formats.lua "$demo"
holds "those of the command line" [ "$(cat out)" = 'int4g128 keep' ]
rm -r config/bitdial

# ---- doctor
works doctor
holds "what training would multiply by" has '^training  *products in \(bfloat16\|float\) by '
holds "the cache" has '^cache .*[1-9] models'
holds "why there is no device" has '^devices  *only the processor: ..'
holds "what computes" has '^computes on  *cpu$'
works doctor --json
holds json object bitdial cpu threads memory devices no_device_because backend kernels model cache
works doctor --colors
holds "every ramp" [ "$(grep -cE '^ +(viridis|cividis|PuOr|grey|diverging) ' out)" = 5 ]
holds "every theme" [ "$(grep -cE '^theme (default|dark|light|high-contrast|mono) ' out)" = 5 ]

# ---- devices: by name, or one sentence
none='device cuda:0: there is no cuda:0 here, but .*cpu'
fails 1 "$none" scan --demo --device cuda:0
fails 1 "$none" search --demo --bpw 3 --device cuda:0
fails 1 "$none" eval --demo --text short --device=cuda:0
fails 1 "$none" logits --demo --prompt x --device cuda:0
fails 1 "$none" chat --demo --prompt x --device cuda:0
fails 1 "$none" export --demo --layout int4g128 -o nowhere --device cuda:0
holds "nothing is written" [ ! -e nowhere ]
fails 1 "$none" tokens --demo --text short --device cuda:0
fails 1 'device gpu: there is no gpu here, but .*cpu' --demo --once --device gpu
fails 1 'device gpu: there is no gpu here, but .*cpu' --batch --device gpu formats.lua "$demo"
fails 2 'wants a value: cpu|cuda:0|auto' chat --demo --device
fails 2 'no such option' watch x --device cpu
works tokens --demo --text short --device cpu
works logits --demo --prompt a --top 3 --device auto
cp out device.auto
works logits --demo --prompt a --top 3 --device cpu
holds "the same without a device" cmp -s out device.auto
cat > device.lua <<'END'
print(bitdial.models.device())
print(bitdial.models.device('nope'))
assert(bitdial.open(arg[1]))
print(bitdial.models.device('cpu'))
print(pcall(bitdial.cmd.run, 'device nope'))
END
works --batch device.lua "$demo"
holds "where, and what there is" [ "$(sed -n '1p;3p' out)" = "$(printf 'cpu\ncpu')" ]
holds "a sentence" [ "$(grep -c 'no device "nope"; there is cpu' out)" = 2 ]
# a device that is there, with memory that the host cannot touch (tests/fenced.c)
fenced=$(dirname "$bitdial")/tests/libfenced.so
if [ -f "$fenced" ]; then
	export BITDIAL_CUDA="$fenced"
	works doctor
	holds "both" [ "$(grep -c '^device fenced:[01] ' out)" = 2 ]
	holds "what computes" has '^computes on  *fenced:0$'
	for d in cpu fenced:1; do
		works eval --demo --layout int4g128 --text short --json --device $d
		mv out eval.$d
		works chat --demo --prompt hi --temp 0 --max-tokens 8 --precision exact --device $d
		mv out chat.$d
	done
	holds "the same KL" is "($(field kl eval.cpu) - $(field kl eval.fenced:1)) ^ 2 < 1e-12"
	holds "the same words" cmp -s chat.cpu chat.fenced:1
	cat > device.lua <<'END'
assert(bitdial.open(arg[1]))
for _, name in ipairs { "fenced:1", "cpu", "fenced:0", "auto" } do
	local at, why = bitdial.models.device(name)
	print(at or why, bitdial.kernels.best())
end
print(bitdial.models.device("fenced:2"))
END
	works --batch --device cpu device.lua "$demo"
	holds "each in turn" [ "$(cut -f 1 out | head -4 | tr '\n' ' ')" = 'fenced:1 cpu fenced:0 fenced:0 ' ]
	holds "what there is" has 'no device "fenced:2"; there is cpu, fenced:0 (a fenced arena), fenced:1'
	export BITDIAL_FENCED_FAIL=40
	run logits --demo --prompt a --device fenced:0
	holds "one that fails" [ $rc = 1 ]
	holds "with a sentence" has '^bitdial: fenced:0: operation 40' err
	holds "and no numbers" [ ! -s out ]
	export BITDIAL_CUDA=
	unset BITDIAL_FENCED_FAIL
else
	echo "SKIPPED: no $fenced (make cli builds it)"
fi
# ---- the same on an emulated GPU (tests/emu), and what becomes of one that fails
emulated=$(dirname "$bitdial")/tests/libbitdial-cuda-emu.so
if [ -f "$emulated" ]; then
	export BITDIAL_CUDA="$emulated"
	works doctor
	holds "the device" has '^device cuda:0 emulated GPU, .* free, sm_.* driver '
	holds "what computes" has '^computes on  *cuda:0$'
	cp short short.cuda
	for d in cpu cuda:0; do
		works eval --demo --layout int4g128 --text short.cuda --json --device $d
		mv out eval.$d
		works chat --demo --prompt hi --temp 0 --max-tokens 8 --device $d
		mv out chat.$d
	done
	holds "the same KL" is "($(field kl eval.cpu) - $(field kl eval.cuda:0)) ^ 2 < 1e-10"
	holds "the same words" cmp -s chat.cpu chat.cuda:0
	holds "some words" [ "$(wc -c < chat.cuda:0)" -gt 4 ]
	there=$(ls -t runs | grep eval | head -1)
	holds "whose run it is" grep -q '"backend": "cuda:0 emulated GPU, ' "runs/$there/run.json"
	works rerun "$there"
	holds "where it was" lacks 'the backend' err
	works rerun "$there" --device cpu
	holds "what is different" has 'warning: the backend was cuda:0 .*, now it is ' err
	holds "what is done" has '^again: bitdial eval .* --device cpu$' err
	holds "another device on record" grep -q '"cpu"' "runs/$(ls -t runs | grep eval | head -1)/run.json"
	run rerun --device nope "$there"
	holds "one that is not there" [ $rc = 1 ]
	holds "and why" has '^bitdial: --device nope: there is no nope here' err
	# lost: once more in a process of its own, on the processor where no device was asked for
	export EMU_FAIL=300:700:sticky
	works eval --demo --layout int4g128 --text short.cuda --json
	holds "told" [ "$(grep -c 'beginning again, with the processor' err)" = 1 ]
	holds "its numbers" [ "$(field kl)" = "$(field kl eval.cpu)" ]
	holds "printed once" [ "$(wc -l < out)" = 1 ]
	works eval --demo --layout int4g128 --text short.cuda --events
	holds "as lines" [ "$(sed -n 's/.*"ev":"\(job[.a-z]*\)".*/\1/p' out | grep -v progress | tr '\n' ' ')" = 'job.began job.again job.ended ' ]
	run eval --demo --layout int4g128 --text short.cuda --device cuda:0
	holds "no other where one was named" [ $rc = 1 ]
	holds "but once more there" [ "$(grep -c 'beginning again, with another process' err)" = 1 ]
	holds "and no numbers" [ ! -s out ]
	export EMU_FAIL=300:2 # no memory
	works logits --demo --prompt a --top 1
	holds "what is full" has 'beginning again, with the processor' err
	unset EMU_FAIL
	export EMU_MEMORY=1000000
	works logits --demo --prompt a --top 1
	holds "why it is not used" has '^warning: cuda:0: .*no room.*; going on with cpu$' err
	works doctor
	holds "the same" has '^device cuda:0 .*; not used: .*no room'
	unset EMU_MEMORY
	export EMU_DRIVER=12040
	fails 1 'device cuda:0: there is no cuda:0 here, but .*CUDA 12.4' logits --demo --prompt a --device cuda:0
	works logits --demo --prompt a
	unset EMU_DRIVER
	export BITDIAL_CUDA=
else
	echo "SKIPPED: no $emulated (make cli builds it)"
fi
# ---- what happens, as lines
works search --demo --bpw 3 --events
holds "a line each" [ "$(grep -vc '^{"v":1,"t":[0-9.e-]*,"ev":"[a-z.]*".*}$' out)" = 0 ]
holds "the first" [ "$(sed -n 1p out | cut -d, -f3-)" = '"ev":"job.began","kind":"search"}' ]
holds "the result" [ "$(tail -2 out | grep -c '"ev":"result",.*"stored_bpw":')" = 1 ]
holds "the last" [ "$(tail -1 out | cut -d, -f3-)" = '"ev":"job.ended","status":"ok","exit":0}' ]
works scan --demo --fresh --events
holds "cells measured anew" [ "$(grep -c '"ev":"cell"' out)" -gt 50 ]
works scan --demo --events
holds "which are known then" lacks '"ev":"cell"'
run search nix.gguf --bpw 3 --events
holds "how it failed" has '"ev":"job.ended","status":"failed","exit":1}'

# A search that is only foretold leaves no run; a model that another process measures opens.
works runs --json
before=$(grep -o '"id"' out | wc -l)
works search --demo --bpw 3 --dry-run
works runs --json
holds "no run of a dry run" [ "$(grep -o '"id"' out | wc -l)" = "$before" ]
"$bitdial" scan --demo --fresh --tokens 4096 > /dev/null 2>&1 < /dev/null &
other=$!
sleep 0.5
works --demo --once --size 80x24
kill $other 2>/dev/null
wait $other

# A sitting's log, its acts made while the scan ran, done again: the same layouts and numbers.
cat > acts.keys << 'END'
wait 150
:budget 3.9
wait 100
:budget 3.1
wait 100
:pin layers.1.v 4
wait 200
:budget 3.5
wait 100
:measure
wait idle
:keep with a pin
wait idle
:free layers.1.v
wait idle
:set temperature 0
:say hello
wait idle
:keep by hand
wait idle
:budget kl<=0.05
wait idle
:undo
wait idle
:lua 6 * 7
wait idle
:history write acts.lua
END
XDG_CACHE_HOME="$dir/other" works --demo --headless 120x36 --keys acts.keys --dump acts.frame
holds "the acts" [ "$(grep -c '^act(' acts.lua)" -ge 9 ]
holds "what came of them" has '^act([0-9]*, [0-9]*, "free layers.1.v", { layout = "[0-9a-f]*", ' acts.lua
works runs --sort began 'with a pin' --json
id=$(sed 's/.*"id":"\([^"]*\)".*/\1/' out)
holds "a kept run has its acts" has '"keep with a pin")$' "runs/$id/acts.lua"
holds "and no later ones" lacks 'by hand' "runs/$id/acts.lua"
fails 1 "you run them yourself: bitdial --batch .*/$id/acts.lua" rerun "$id"
XDG_CACHE_HOME="$dir/other" works --batch "runs/$id/acts.lua"
holds "the same again" lacks 'in the log' err
XDG_CACHE_HOME="$dir/other" works --batch acts.lua
holds "the same numbers" lacks 'in the log' err
holds "what Lua made of it" has '^42$'
sed 's/kl = [0-9]*[.]/kl = 7./' acts.lua > other.lua
XDG_CACHE_HOME="$dir/other" run --batch other.lua
holds "other numbers are told" has 'predicted KL [.0-9e-]*, in the log 7\.' err
holds "a goal was missed" [ $rc = 3 ]
rm -r "$dir/other/bitdial/models"
XDG_CACHE_HOME="$dir/other" run --batch acts.lua
holds "a journal that is gone" has '0 of the [0-9]* cells.*--fresh' err
XDG_CACHE_HOME="$dir/other" works --fresh --batch acts.lua
works doctor --clear-cache
works doctor
holds "an empty cache" has '^cache .*0 models'

# ---- output that cannot be written
last='tokens > /dev/full' checks=$((checks + 1))
"$bitdial" tokens --demo --text text > /dev/full 2> err
rc=$?
says 1 'No space left'
last='scan --events > /dev/full' checks=$((checks + 1))
"$bitdial" scan --demo --fresh --events > /dev/full 2> err
rc=$?
says 1 'cannot write the output: No space left'
last='scan --events | true' checks=$((checks + 1))
{ "$bitdial" scan --demo --fresh --events 2> err; echo $? > status; } | true
[ "$(cat status)" = 0 ] && lacks "^bitdial" err || bad "$last: status $(cat status), or it says something"
last='chat > /dev/full' checks=$((checks + 1))
"$bitdial" chat --demo --prompt x --max-tokens 50 > /dev/full 2> err
rc=$?
says 1 'No space left'
last='tokens | head -1' checks=$((checks + 1))
{ "$bitdial" tokens --demo --text text 2> err; echo $? > rc; } | head -1 > out
holds "quiet" [ "$(cat rc) $(wc -c < err) $(wc -l < out)" = '0 0 1' ]
last='chat | true' checks=$((checks + 1))
{ "$bitdial" chat --demo --prompt x --max-tokens 2000 2> err; echo $? > rc; } | true
holds "quiet" [ "$(cat rc) $(wc -c < err)" = '0 0' ]
for bpw in 0 -0 1e308 64.1; do
	fails 2 "--bpw $bpw: expected bits a weight" search --demo --bpw "$bpw" --dry-run
	fails 2 "--bpw $bpw: expected bits a weight" search --demo --bpw "$bpw"
done
fails 1 '/dev/full' search --demo --bpw 3.6 -o /dev/full
fails 1 'folder is a folder' search --demo --bpw 3.6 -o folder
fails 1 '/nosuch/l.json' search --demo --bpw 3.6 -o /nosuch/l.json
cp layout.json kept.json
last='search -o with no room' checks=$((checks + 1))
{ (ulimit -f 0; exec "$bitdial" search demo.gguf --bpw 3.6 --read-only -o kept.json) 2>&1; echo $? > rc; } | cat > both
rc=$(cat rc)
grep '^bitdial: ' both > err
holds "the result is printed all the same" has '^stored' both
says 1 'kept.json'
holds "the former file stands" cmp -s layout.json kept.json
last='export with no room' checks=$((checks + 1))
{ (ulimit -f 60; exec "$bitdial" export demo.gguf --read-only --layout layout.json -o roomless) 2>&1; echo $? > rc; } | cat > err
rc=$(cat rc)
says 1 'roomless'
holds "nothing is left" [ "$(ls -d roomless* 2> /dev/null | wc -l)" = 0 ]

# ---- stopped
for i in $(seq 200); do cat text; done > long
for s in INT:130 TERM:143 HUP:129; do
	last="eval, SIG${s%:*}" checks=$((checks + 1))
	# timeout gives the signal its default back, which a script's & takes away
	timeout -s "${s%:*}" --preserve-status 0.7 "$bitdial" eval --demo --text long > out 2> err
	rc=$?
	says "${s#*:}" 'bitdial: stopped'
	holds "eval keeps nothing" [ "$(grep -c 'is kept' err)" = 0 ]
done

# ---- places
last='HOME unset' checks=$((checks + 1))
env -u HOME -u XDG_CACHE_HOME -u XDG_STATE_HOME -u XDG_DATA_HOME \
	"$bitdial" tokens --read-only --demo --text one > out 2> err
holds "works" [ "$(cat out)" = 120 ]
env -u XDG_CACHE_HOME -u XDG_STATE_HOME -u XDG_DATA_HOME HOME=/proc/nosuch \
	"$bitdial" tokens --demo --text one > out 2> err
holds "works in a home that is not there" [ "$(cat out)" = 120 ]
XDG_CACHE_HOME=/proc/nosuch "$bitdial" eval --demo --text short --json > out 2> err
holds "works without a cache" object nll
mkdir ro
(
	export XDG_CACHE_HOME="$dir/ro/cache" XDG_STATE_HOME="$dir/ro/state" \
		XDG_CONFIG_HOME="$dir/ro/config" XDG_DATA_HOME="$dir/ro/data" BD_RUNS="$dir/ro/runs"
	"$bitdial" eval --demo --read-only --text short --layout int4g128 --json &&
		"$bitdial" scan --read-only --tokens 64 --demo --json &&
		"$bitdial" --demo --read-only --tokens 64 --headless 80x24 &&
		"$bitdial" --demo --read-only --once --size 80x24
) > out 2> err
rc=$? last='--read-only'
holds "status 0" [ $rc = 0 ]
holds "writes nothing" [ -z "$(find ro -mindepth 1)" ]
holds "no temporary demo is left" [ -z "$(ls tmp)" ]
works scan demo.gguf --tokens 64 --formats int2g64,keep
find "$XDG_CACHE_HOME" "$XDG_STATE_HOME" -printf '%p %s %T@\n' | sort > before
works scan demo.gguf --tokens 64 --formats int2g64,keep --read-only
find "$XDG_CACHE_HOME" "$XDG_STATE_HOME" -printf '%p %s %T@\n' | sort > after
holds "changes no file" cmp -s before after

# ---- a screen without a terminal
works --demo --once --size 100x30
holds "its size" [ "$(wc -l < out)" = 30 ]
holds "plain text" lacks "$(printf '\033')"
works --demo --plain
holds "facts" has '^model: demo'
holds "no boxes" lacks '│'
works --demo --once --size 10x5 --ascii

# ---- lines instead of a screen
lines() { # STATUS OPTIONS, commands in the file lines
	want=$1
	shift
	timeout 120 "$bitdial" "$@" --plain < lines > out 2> err
	rc=$?
	last="bitdial $* --plain < lines"
	checks=$((checks + 1))
	[ $rc = "$want" ] || bad "$last: status $rc, not $want"
}
printf 'budget 3.6\nmeasure\nshow map 3\nshow layout\nsay hello\nquit\nnonsense\n' > lines
lines 0 --demo
holds "one layout predicted or measured after the dial" has '^search: 3.5[0-9] bpw (asked 3.60), damage'
holds "measured before it is shown" [ "$(sed -n '/is done after/=; /^most sensitive: 3/=' out | tail -1)" = \
	"$(sed -n '/^most sensitive: 3/=' out)" ]
holds "the map sorted" has '^1: layer [0-3] [a-z]*, damage'
holds "the layout by kinds" has '^gate: [1-4] in '
holds "an answer and its facts" has '^answer: [0-9]* tokens, .* tokens a second'
holds "quit ends the lines" lacks nonsense
holds "no escape" lacks "$(printf '\033')"
holds "nothing on stderr" [ ! -s err ]
sed '/^job\|^notice\|^answer/d' out > before
lines 0 --demo
sed '/^job\|^notice\|^answer/d' out > after
sed -n '/^most/,$p' before > b1 && sed -n '/^most/,$p' after > a1
holds "the same lines, the same map, layout and answer" cmp -s b1 a1
printf 'nonsense\nmeasure\n' > lines
lines 2 --demo
holds "the sentence" has '^error: no command "nonsense"'
holds "goes on" has '^notice: measured'
printf 'export /nosuch/x\n' > lines
lines 1 --demo
holds "what failed" has 'failed after'
printf 'help\n' > lines
(timeout 60 "$bitdial" --demo --plain < lines 2> err; echo $? > status) | head -1 > out
holds "a reader that has enough" [ "$(cat status)" = 0 -a ! -s err ]
fails 2 'json does not go with --plain' --demo --plain --json
fails 2 'once does not go with --plain' --demo --plain --once
mkfifo wait.fifo
"$bitdial" --demo --plain < wait.fifo > out 2> err &
pid=$!
exec 9> wait.fifo
echo 'show model' >&9
for _ in $(seq 100); do has '^formats of the dial' && break; sleep 0.1; done
kill -TERM $pid
wait $pid
rc=$?
exec 9>&-
last="--plain after SIGTERM" checks=$((checks + 1))
[ $rc = 143 ] || bad "$last: status $rc, not 143"

# ---- the tour by itself
works --demo --tour --headless 120x36 --json --dump last.txt
holds json object stations passed frames frame_p50_ms frame_p99_ms frame_worst_ms bytes
holds "every station" [ "$(field passed)" = "$(field stations)" ]
holds "at its end the chat has answered" has '^.you: Tell me about the dial' last.txt
holds "and the mark is on the dial" has 'to A 4' last.txt
works --demo --tour --headless 80x24
holds "what to do next" has '^that was the tour: '
works --demo --tour --plain
holds "the same in lines" has '^tour, 6 of 6: '
fails 2 'tour goes with --demo' --tour --headless 80x24
printf 'wait idle\n<\n,\ndump frame\n' > keys
works --demo --headless 120x36 --keys keys --dump last.ansi --stats
holds json object keys key_p50_ms key_p99_ms first_frame_ms bytes_per_second
holds "a dump" [ "$(wc -l < frame)" = 36 ]
holds "colours in the other" has "$(printf '\033\\[')" last.ansi
printf 'Nokey\n' > keys
fails 2 'keys:1: there is no key "Nokey"' --demo --headless 80x24 --keys keys
fails 1 'nosuch' --demo --headless 80x24 --keys nosuch
fails 1 'nosuch' --demo --headless 80x24 --dump /nosuch/x
printf '\033[2J\n' > keys
fails 2 'x1b' --demo --headless 80x24 --keys keys
holds "no escape on stderr" lacks "$(printf '\033')" err

# ---- hostile names, closed files, limits
printf '\033]0;x\007' > bytes
cp text "$(cat bytes).txt"
works search demo.gguf --bpw 4 --text "$(cat bytes).txt"
holds "no escape of a file's name" lacks "$(printf '\033')"
works search demo.gguf --bpw 4 -o named.json
sed 's/"name": "[^"]*"/"name": "a\\u001b[31m\\u009b\\u202eb"/' named.json > hostile.json
works layout show hostile.json
holds "no escape of a layout's name" lacks "$(printf '\033\|\302\233\|\342\200\256')"
works layout show hostile.json --json
holds "nor in JSON" lacks "$(printf '\302\233\|\342\200\256')"
fails 1 'the model itself' search demo.gguf --bpw 4 -o demo.gguf
fails 2 'context is' logits --demo --prompt "$(seq -s ' ' 3000)"
last="bitdial scan with stdout closed"
timeout 60 "$bitdial" scan --demo > out 2> err < /dev/null
timeout 60 "$bitdial" scan --demo 2> err < /dev/null >&-
rc=$?
tail -n 1 err > last && mv last err
says 1 'cannot write the output'
last="bitdial scan with 100 MB of address space"
(ulimit -v 100000 && exec timeout 60 "$bitdial" scan --demo) > out 2> err < /dev/null
rc=$?
says 1 'address space'
printf 'wait idle\n:dump-screen demo.gguf\n' > keys
cp demo.gguf before.gguf
works demo.gguf --headless 80x24 --keys keys
holds "the model is not written over" cmp -s demo.gguf before.gguf

# ---- screens: what does not depend on time or machine
# Each begins with a finished scan and no more: what one measures is not on the next one's screen.
export XDG_CACHE_HOME="$dir/still"
works scan --demo
mv still scanned
# sample ID KIND STATUS BPW KL PARENTS: a run of another model, on a day long gone
sample() {
	mkdir -p "sample_runs/$1"
	printf '{"v":1,"kind":"%s","model":"other","model_path":"/other.gguf","model_sha256":"%s","text":"wiki.txt","options":"","seed":1,"began":%s,"bitdial":"0.1","parents":"%s"}' \
		"$2" abc 1577880000 "$6" > "sample_runs/$1/run.json"
	printf '{"v":1,"status":"%s","seconds":12,"summary":""}' "$3" > "sample_runs/$1/end.json"
	[ -z "$4" ] ||
		printf '{"v":1,"stored_bpw":%s,"bytes":52000000,"predicted":{"kl":%s,"se":0.002}}' "$4" "$5" > "sample_runs/$1/layout.json"
}
export TZ=UTC0
sample 20200101-120000-scan-91ca scan ok '' '' ''
sample 20200101-120001-search-7f3a search ok 4.25 0.0131 20200101-120000-scan-91ca
sample 20200101-120002-search-2b10 search cancelled 3 0.0813 20200101-120000-scan-91ca
sample 20200101-120003-search-11aa search crashed 3.5 0.03 20191231-120000-scan-88d1
for keys in "$here"/sessions/*.keys; do
	name=$(basename "$keys" .keys)
	size=$(sed -n 's/^# size //p' "$keys")
	options=$(sed -n 's/^# options //p' "$keys")
	rows=$(sed -n 's/^# rows //p' "$keys")
	last="sessions/$name.keys"
	rm -rf "$dir/state" still # as on the first day
	cp -rp scanned still
	checks=$((checks + 1))
	# shellcheck disable=SC2086
	timeout 60 "$bitdial" --demo --headless "$size" --keys "$keys" $options > raw 2> err < /dev/null ||
		bad "$last: status $?"
	# Damages may end in other digits on other machines.
	awk -v h="${size#*x}" -v from="${rows%-*}" -v to="${rows#*-}" \
		'{ row = (NR - 1) % h + 1 } row >= from && row <= to { print } row == to { print "--" }' raw |
		sed 's/[0-9.][0-9.]* KL [.0-9e-]*/# KL #/; s/[0-9.]* bpw/# bpw/' > out
	if [ -n "$UPDATE_GOLDEN" ]; then
		cp out "$here/sessions/$name.screen"
	elif ! cmp -s out "$here/sessions/$name.screen"; then
		bad "$last differs from $name.screen"
		diff out "$here/sessions/$name.screen" | head -20
	fi
done

echo "cli: $checks checks, $failed failed"
[ $failed = 0 ]
