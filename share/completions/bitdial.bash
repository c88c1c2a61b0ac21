# bitdial.bash - completion of bitdial's command line for bash, 4.0 or later.
# Verbs, options and words come from the program that is being typed, by `bitdial help --options`
# (app/shell.c says what its lines are); here is only how a shell offers what is of a kind.
# Nothing is fetched.

# The program as it was typed, by a path or a name; else the one on the PATH.
_bitdial_ask() {
	local program=${1//[\\\"\']/}
	case $program in "~/"*) program=$HOME/${program#"~/"} ;; esac
	type -P -- "$program" >/dev/null || program=bitdial
	command "$program" help --options 2>/dev/null </dev/null
}

_bitdial_files() { # [GLOB...]: folders, and files that match; without a glob all files
	local g
	compopt -o filenames 2>/dev/null
	if [ $# = 0 ]; then
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$cur")
	for g; do
		[ -z "$g" ] ||
			mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -X "!$g" -- "$cur")
	done
}

# Not by compgen -W, which would expand what is in them.
_bitdial_words() {
	local w
	for w; do
		case $w in "$cur"*) COMPREPLY+=("$w") ;; esac
	done
}

# int2g64,int4g128,... : the last of a list
_bitdial_list() {
	local before= word=$cur w
	case $cur in *,*) before=${cur%,*}, word=${cur##*,} ;; esac
	for w; do
		case $w in "$word"*) COMPREPLY+=("$before$w") ;; esac
	done
	compopt -o nospace 2>/dev/null
}

# Words and kinds with bars between them.
_bitdial_offer() {
	local w
	for w in ${1//|/ }; do
		case $w in
		@file) _bitdial_files ;;
		@dir) _bitdial_files '' ;;
		@model) _bitdial_files '*.gguf' '*.safetensors' '*.bin' ;;
		@json | @jsonl | @lua) _bitdial_files "*.${w#@}" ;;
		@formats) _bitdial_list ${kind[$w]} ;;
		@*) _bitdial_words ${kind[$w]} ;;
		*) _bitdial_words "$w" ;;
		esac
	done
}

_bitdial() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local tab=$'\t' IFS=$' \t\n' verb= word line what name rest lines
	local -i i nth=0
	# By name; of options with one dash, as they may be typed: what they want, what completes it.
	local -A places=() options=() value=() complete=() kind=()
	COMPREPLY=()

	mapfile -t lines < <(_bitdial_ask "$1")
	for line in "${lines[@]}"; do
		what=${line%%"$tab"*} rest=${line#*"$tab"}
		name=${rest%%"$tab"*} rest=${rest#*"$tab"}
		line=${rest#*"$tab"}
		case $what in
		verb) places[$name]=${rest%%"$tab"*} options[$name]=${line%%"$tab"*} ;;
		option)
			name=${name#-} name=-${name#-}
			value[$name]=${rest%%"$tab"*} complete[$name]=${line%%"$tab"*} ;;
		kind) kind[$name]=$rest ;;
		esac
	done

	# An option with = and its value arrive as three words.
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--batch) verb=batch ;;
		-?*)
			word=${word#-} word=-${word#-}
			[ -z "${value[$word]}" ] && continue
			[ "${COMP_WORDS[i + 1]}" = = ] && i+=2 || i+=1 ;;
		*)
			if [ -n "$verb" ]; then
				nth+=1
			elif [ -n "${places[$word]+is}" ]; then
				verb=$word
			else
				verb=open nth=1
			fi ;;
		esac
	done
	case $prev in
	-?*)
		prev=${prev#-} prev=-${prev#-}
		if [ -n "${value[$prev]}" ]; then
			_bitdial_offer "${complete[$prev]}"
			return
		fi ;;
	esac
	case $cur in
	-*) _bitdial_words ${options[${verb:-open}]}; return ;;
	esac
	if [ -z "$verb" ]; then
		_bitdial_offer "@verb|${places[open]}"
		return
	fi
	set -- ${places[$verb]}
	[ $nth -ge $# ] && case ${!#} in *...) nth=$#-1 ;; esac
	shift $nth 2>/dev/null && _bitdial_offer "${1%...}"
}

complete -F _bitdial bitdial
