# bitdial.bash - completion of bitdial's command line for bash.
# The tables are those of app/verbs.c and app/args.c; tests/test_completions.c compares them.
# Nothing is run and nothing is fetched.

# The options of a verb.
_bitdial_options() {
	case $1 in
	open)
		echo '--text --formats --mix --tokens --layout --once --size --plain --headless
			--keys --dump --color --ascii --no-mouse --no-sync --arrange --screen
			--stats --json --tour --show-cursor --seed --temp --sandbox --sandbox-seconds --sandbox-memory
			--sandbox-weak --no-config --default-config --threads --template --read-only --runs
			--log-level --demo' ;;
	scan)
		echo '--events --fresh --text --tokens --formats --mix --quantizer --dry-run --anyway --json --threads --template --read-only
			--runs --log-level --demo' ;;
	search)
		echo '--events --fresh --bpw --formats --mix --text --tokens --guard --refine -o --dry-run --anyway --json --threads --template
			--read-only --runs --log-level --demo' ;;
	eval)
		echo '--events --text --task --layout --limit --window --quantizer --formats --mix --tokens --json
			--threads --template --read-only --runs --log-level --demo' ;;
	tokens)
		echo '--text --limit --json --threads --template --read-only --runs
			--log-level --demo' ;;
	logits)
		echo '--prompt --top --layout --quantizer --formats --json --threads
			--template --read-only --runs --log-level --demo' ;;
	chat)
		echo '--prompt --system --layout --quantizer --formats --seed --temp
			--max-tokens --head --kv --precision --stats --json --threads --template --read-only --runs
			--log-level --demo' ;;
	layout)
		echo '--json' ;;
	export)
		echo '--events --layout --quantizer --formats -o --dry-run --json --threads --template
			--read-only --runs --log-level --demo' ;;
	batch)
		echo '--fresh --formats --mix --tokens --template --json --read-only --runs --log-level --threads
			--sandbox --sandbox-seconds --sandbox-memory --sandbox-weak
			--no-config' ;;
	watch)
		echo '--runs' ;;
	rerun)
		echo '--anyway --runs' ;;
	runs)
		echo '--sort --json --runs' ;;
	doctor)
		echo '--json --colors --clear-cache --threads' ;;
	help)
		echo '--roff' ;;
	esac
}

_bitdial_files() { # [GLOB...]: folders, and files that match; without a glob all files
	local IFS=$'\n' g
	compopt -o filenames 2>/dev/null
	if [ $# = 0 ]; then
		COMPREPLY+=($(compgen -f -- "$cur"))
		return
	fi
	COMPREPLY+=($(compgen -d -- "$cur"))
	for g; do
		COMPREPLY+=($(compgen -f -X "!$g" -- "$cur"))
	done
}

_bitdial_words() { COMPREPLY+=($(compgen -W "$1" -- "$cur")); }

# int2g64,int4g128,... : the last of a list
_bitdial_formats() {
	local before= word=$cur f
	case $cur in *,*) before=${cur%,*}, word=${cur##*,} ;; esac
	for f in default $formats; do
		case $f in "$word"*) COMPREPLY+=("$before$f") ;; esac
	done
	compopt -o nospace 2>/dev/null
}

# The value of an option; false: it takes none.
_bitdial_value() {
	case $1 in
	--text | --keys | --dump) _bitdial_files ;;
	-o) _bitdial_files ;;
	--runs) _bitdial_files '' ;;
	--task) _bitdial_words 'basics'; _bitdial_files '*.jsonl' ;;
	--layout) _bitdial_words "$formats"; _bitdial_files '*.json' ;;
	--formats) _bitdial_formats ;;
	--mix) _bitdial_words 'layer channel' ;;
	--quantizer) _bitdial_words 'minmax clip hqq gptq' ;;
	--guard) _bitdial_words 'uniform ends random:1' ;;
	--head) _bitdial_words 'keep int8g128 int4g128' ;;
	--kv) _bitdial_words 'float int8' ;;
	--precision) _bitdial_words 'fast exact' ;;
	--template) _bitdial_words 'chatml llama2 llama3 mistral phi3 zephyr' ;;
	--color) _bitdial_words 'auto always never' ;;
	--size | --headless) _bitdial_words '120x36 80x24' ;;
	--screen) _bitdial_words '1 3 5 search chat jobs' ;;
	--arrange) _bitdial_words 'search console chat jobs'; _bitdial_files '*.lua' ;;
	--sort) _bitdial_words 'began kind status model seconds bpw kl' ;;
	--log-level) _bitdial_words 'error warn info debug trace' ;;
	--bpw | --prompt | --system | --top | --tokens | --limit | --window) ;;
	--max-tokens | --temp | --seed | --threads | --sandbox-seconds | --sandbox-memory) ;;
	*) return 1 ;;
	esac
	return 0
}

_bitdial() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verbs='open scan search eval tokens logits chat layout export runs watch rerun batch doctor help'
	local formats='int2g64 int3g64 int4g64 int4g128 int8g128 keep'
	local flags='--events --fresh --json --demo --once --plain --ascii --no-mouse --no-sync --read-only'
	flags="$flags --sandbox --sandbox-weak --clear-cache --colors --stats --tour --show-cursor --refine --no-config --default-config --roff --dry-run --anyway --help --version"
	local verb= word i
	COMPREPLY=()

	# --text=FILE arrives as three words
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-*)
			case " "$flags" " in
			*" $word "*) ;;
			*) [ "${COMP_WORDS[i + 1]}" = = ] && i=$((i + 2)) || i=$((i + 1)) ;;
			esac ;;
		*)
			case " $verbs " in *" $word "*) verb=$word ;; *) verb=open ;; esac
			break ;;
		esac
	done
	_bitdial_value "$prev" && return
	case $cur in
	-*) _bitdial_words "$(_bitdial_options "${verb:-open}") --help --version"; return ;;
	esac
	case $verb in
	'') _bitdial_words "$verbs"; _bitdial_files '*.gguf' '*.safetensors' '*.bin' ;;
	help) _bitdial_words "$verbs" ;;
	doctor | watch | rerun) ;;
	runs) _bitdial_words 'show diff tag note trash restore' ;;
	batch) _bitdial_files '*.lua' ;;
	layout)
		if [ "$prev" = layout ]; then
			_bitdial_words show
		else
			_bitdial_files '*.json'
		fi ;;
	*) _bitdial_files '*.gguf' '*.safetensors' '*.bin' ;;
	esac
}

complete -F _bitdial bitdial
