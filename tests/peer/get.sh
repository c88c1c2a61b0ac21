# get.sh - sourced: the pinned llama.cpp, from the sdist of llama-cpp-python on PyPI, fetched and
# built once under $XDG_CACHE_HOME/bitdial/peer; words for scripts that compare with it.
# Exit status 2: this machine lacks what it needs (network, cmake, a compiler, pip).
package=llama-cpp-python version=0.3.36
sum=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bitdial
root=$cache/peer/$version
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
export JOBS

lack() { echo "make peer: $*" >&2; exit 2; }
fail() { echo "make peer: $*" >&2; exit 1; }

fetch() {
	[ ! -d "$root/src" ] || return 0
	for t in cmake cc c++ python3 tar; do
		command -v $t > /dev/null || lack "$t is not installed (Debian: cmake g++ python3-pip)"
	done
	echo "fetching $package $version (77 MB) ..." >&2
	python3 -m pip download -q --disable-pip-version-check --no-deps --no-binary $package \
		-d "$work" $package==$version 2> "$work/pip.log" ||
		lack "pip could not fetch $package $version: $(grep . "$work/pip.log" | tail -1)"
	set -- "$work"/*.tar.gz
	[ "$(sha256sum "$1" | cut -d' ' -f1)" = $sum ] || fail "$package $version has another SHA-256 than $sum"
	tar -xzf "$1" -C "$work"
	rm -rf "$1" "$root/src"
	mkdir -p "$root"
	mv "$work"/*/vendor/llama.cpp "$root/src"
}
# build FOLDER "TARGETS" [CMAKE OPTIONS...]: into $root/FOLDER/bin, unless it is there
build() {
	dir=$root/$1 targets=$2
	shift 2
	[ ! -f "$dir/built" ] || return 0
	echo "building $targets (minutes) ..." >&2
	mkdir -p "$dir"
	cmake -S "$root/src" -B "$dir" -DCMAKE_BUILD_TYPE=Release -DLLAMA_BUILD_TESTS=OFF \
		-DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF \
		-DLLAMA_OPENSSL=OFF -DBUILD_SHARED_LIBS=ON "$@" > "$dir.log" 2>&1 ||
		fail "llama.cpp cannot be configured, see $dir.log"
	# shellcheck disable=SC2086 # targets are words
	cmake --build "$dir" -j"$JOBS" --target $targets >> "$dir.log" 2>&1 ||
		fail "llama.cpp does not build, see $dir.log"
	touch "$dir/built"
}
# The build that is timed, in $root/speed.  gcc 12 and AMX make a ggml that dies at its first tile:
# on such a machine what else it has is asked for by hand.
build_speed() { # "TARGETS"
	has() { grep -qw "$1" /proc/cpuinfo && echo ON || echo OFF; }
	if [ "$(has amx_tile)" = ON ]; then
		build speed "$1" -DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON \
			-DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON -DGGML_AVX512="$(has avx512f)" \
			-DGGML_AVX512_VBMI="$(has avx512vbmi)" -DGGML_AVX512_VNNI="$(has avx512_vnni)" \
			-DGGML_AVX512_BF16="$(has avx512_bf16)"
	else
		build speed "$1" -DGGML_NATIVE=ON
	fi
	bin=$root/speed/bin
}
# compile FOLDER PROGRAM SOURCES...: against the library of $root/FOLDER
compile() {
	from=$root/$1/bin program=$2
	shift 2
	# shellcheck disable=SC2086 # flags are words
	cc -O3 -march=native -D_GNU_SOURCE -I"$here/../.." -I"$root/src/include" \
		-I"$root/src/ggml/include" -o "$program" "$@" -L"$from" -lllama -lggml -lggml-cpu \
		-lggml-base ${LIBS:-} -lm -Wl,-rpath,"$from" || fail "$program does not compile"
}
# Sets noise: per cent of all cores that others took since the call before, busy time of /proc/stat
# less what this script's children, all waited for, have used.  Not in a subshell: it has no children.
others() {
	times > "$work/times"
	own=$(awk -F '[ms ]+' 'NR == 2 { printf "%.2f", $1 * 60 + $2 + $3 * 60 + $4 }' "$work/times")
	awk -v own="$own" -v tick="$(getconf CLK_TCK)" -v old="${load:-}" '/^cpu / {
		for (i = 2; i <= 9; i++) all += $i / tick
		busy = all - ($5 + $6) / tick - own
		split(old, o)
		if (old && all > o[2]) printf "%.0f", 100 * (busy - o[1]) / (all - o[2]) > "/dev/stderr"
		printf "%.2f %.2f\n", busy, all }' /proc/stat > "$work/load" 2> "$work/others"
	load=$(cat "$work/load") noise=$(cat "$work/others")
}
# The model ($1, or the default one) into $model.
find_model() {
	model=${1:-${XDG_DATA_HOME:-$HOME/.local/share}/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf}
	[ -f "$model" ] || lack "$model is not there; make model fetches it"
}
# What every comparison begins with: a folder of its own into $work, removed at the end.
begin_work() {
	mkdir -p "$cache/peer"
	work=$(mktemp -d "$cache/peer/work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
}
middle() { sort -g | awk '{ v[NR] = $1 } END { printf "%.4g", v[int((NR + 1) / 2)] }'; }
field() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"; }
