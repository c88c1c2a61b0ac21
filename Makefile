# bitdial - build, test, install.  `make help` lists the targets.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1.0)
PREFIX  ?= /usr/local
B       ?= build
CC      ?= cc
CFLAGS  ?= -O2 -g
# The CUDA backend is built where its compiler is.
NVCC    ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc))
# Machine code for these, and PTX that later devices' drivers compile, of the first and the last.
CUDA_ARCHS ?= 80 86 89 90 100
SAN     ?=
FROM    ?=

# What Debian 12 needs: to build, to test, and for `make model`.
DEBS    := gcc g++ make pkg-config libncurses-dev liblua5.4-dev libcjson-dev libopenblas-dev nettle-dev gnuplot-nox \
	   libcriterion-dev libvterm-dev tmux python3-pip

PKGS    := ncursesw lua5.4 libcjson openblas nettle
WARN    := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	   -Wpointer-arith -Wwrite-strings -Wvla
override CPPFLAGS += -I. -D_GNU_SOURCE -DBD_VERSION='"$(VERSION)"' -DBD_SHARE='"$(PREFIX)/share/bitdial"'
# No contraction: the same sums on every machine, except in the kernels that ask for it.
override CFLAGS   += $(WARN) -pthread -ffp-contract=off $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS            += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm -pthread -ldl
ifneq ($(SAN),)
override CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
override LDFLAGS += -fsanitize=$(SAN)
endif

# A file is in the build because it is in its folder: no lists to keep.
LIB    := $(sort $(wildcard core/*/*.c kernels/*.c kernels/*/*.c))
APP    := $(sort $(filter-out app/main.c,$(wildcard app/*.c app/*/*.c)))
TEST   := $(sort $(wildcard tests/test_*.c))
HELP   := $(sort $(wildcard tests/lib_*.c))
STRESS := $(sort $(wildcard tests/stress_*.c))
BENCH  := $(sort $(filter-out tests/bench_cuda%,$(wildcard tests/bench_*.c)))
SCREEN := $(sort $(wildcard tests/tmux/*.sh))
# Minutes by nvcc, so first.
CUDA   := $(wildcard $(addprefix kernels/cuda/,attention_few.cu gemv.cu attention_many.cu gemm.cu))
CUDA   += $(filter-out $(CUDA),$(sort $(wildcard kernels/cuda/*.cu)))
EMU    := $(sort $(wildcard tests/emu/*.cc))
SOURCE  = $(shell find app core kernels tests -name '*.[ch]' -o -name '*.inc' -path 'kernels/*')
obj     = $(patsubst %,$B/%.o,$(1))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps model demo unit check stress cli screens asan tsan coverage headers layers fmt tidy bench \
	check-cuda bench-cuda quality peer peer-speed peer-first peer-ops peer-quant soak golden install uninstall clean help

all: $B/bitdial  ## build the program, and its CUDA backend where nvcc is

$B/bitdial: $B/app/main.c.o $B/libbitdial.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The Lua reference, said by the program itself.
$B/bitdial-lua.3: $B/bitdial
	$< help lua --roff > $@

$B/libbitdial.a: $(call obj,$(APP) $(LIB))
	@rm -f $@
	@ar rcs $@ $^

# ---- the CUDA backend, twice: for devices, and for the host on the thread emulator of tests/emu

CXXWARN := -std=c++17 -Wall -Wextra -Wshadow
CXXFLAGS ?= $(filter -O% -g% -Werror --coverage,$(CFLAGS))
# What it needs of the program, compiled once more.
CUDA_C  := kernels/mat.c kernels/mix.c core/base/err.c core/base/f16.c core/base/text.c core/base/uc_tables.c
EMUOBJ   = $(patsubst %,$B/emu/%.o,$(EMU))

# Names of an object that others see.
SEEN := hidden
$B/pic/%.c.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -fvisibility=$(SEEN) -MMD -MP -c -o $@ $<

ifneq ($(strip $(CUDA)),)
ifneq ($(NVCC),)
all: $B/libbitdial-cuda.so
else
all: cuda-missing
endif
endif
.PHONY: cuda-missing
cuda-missing:
	@echo 'no nvcc: built without the CUDA backend (the CUDA toolkit has it; NVCC=FILE says where)'

CUDA_LIB   = $(wildcard $(dir $(NVCC))../lib64 $(dir $(NVCC))../lib)
CUDA_PTX   = $(sort $(firstword $(CUDA_ARCHS)) $(lastword $(CUDA_ARCHS)))
NVCCFLAGS ?= -O3 -lineinfo
$B/%.cu.o: %.cu Makefile
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 $(NVCCFLAGS) -t0 $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$a,code=sm_$a) \
	  $(foreach a,$(CUDA_PTX),-gencode arch=compute_$a,code=compute_$a) \
	  -I. -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra $(if $(filter -Werror,$(CFLAGS)),-Werror all-warnings) \
	  -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

$B/libbitdial-cuda.so: $(call obj,$(CUDA)) $(CUDA_C:%=$B/pic/%.o)
	$(NVCC) -shared -cudart static -o $@ $^ -lcublas $(foreach d,$(CUDA_LIB),-Xlinker -rpath=$(realpath $d))

$B/emu/%.o: % Makefile
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXWARN) $(CXXFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	  -pthread -ffp-contract=off -fPIC -fvisibility=hidden -Itests/emu -MMD -MP -x c++ -c -o $@ $<

$B/tests/libbitdial-cuda-emu.so: $(CUDA:%=$B/emu/%.o) $(EMUOBJ) $(CUDA_C:%=$B/pic/%.o)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -shared -o $@ $^ -pthread -ldl

# What looks like a backend and is none.
$B/tests/so_%.so: $B/pic/tests/so_%.c.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -shared -o $@ $^
$B/pic/tests/so_%.c.o: SEEN := default

# The emulator by itself.
$B/tests/test_emu: $(patsubst %,$B/emu/%.o,$(wildcard tests/emu/*.cu)) $(EMUOBJ)
$B/tests/test_emu: LDLIBS += -lstdc++
$B/tests/stress_backends: | $B/tests/libfenced.so
$B/tests/test_backends: | $(patsubst %,$B/tests/so_%.so,other_abi no_name no_operation)
ifneq ($(strip $(CUDA)),)
$B/tests/test_backends $(patsubst %.c,$B/%,$(wildcard tests/test_cuda*.c)): | $B/tests/libbitdial-cuda-emu.so
endif

# Programs for a machine with a device and little else: no library but CUDA's.
DEVICE_C := $(sort $(wildcard tests/lib_ops*.c kernels/ref/*.c)) $(addprefix kernels/,mat.c mix.c pool.c stream.c) \
	   $(addprefix core/base/,alloc.c checked.c clock.c err.c f16.c mem.c rng.c text.c text_words.c uc_tables.c)
DEVICE_B := $(sort $(wildcard tests/bench_cuda*.c)) tests/lib_random_model.c $(addprefix core/model/,faults.c forward.c generate.c kv.c place.c product.c) core/base/sink.c
$B/tests/bench_cuda_peer.c.o: override CPPFLAGS += -isystem $(dir $(NVCC))../include

$B/tests/check_cuda: $(call obj,tests/check_cuda.c $(DEVICE_C))
	$(CC) $(LDFLAGS) -o $@ $^ -lm -pthread -ldl
$B/tests/bench_cuda: $(call obj,$(DEVICE_B) $(DEVICE_C))
	$(CC) $(LDFLAGS) -o $@ $^ $(foreach d,$(CUDA_LIB),-L$d -Wl,-rpath,$(realpath $d)) -lcublas -lcudart -lm -pthread -ldl

# GCC remarks that passing wide vectors by value changed in its version 4.6: all that do are inlined.
$B/core/tune/loops_%.c.o: override CFLAGS += -Wno-psabi

# Kernels with their own instruction sets: nothing else may use them.
$B/kernels/cpu/%_avx2.c.o: override CFLAGS += -O3 -mavx2 -mfma -mf16c -ffp-contract=fast
$B/kernels/cpu/%_avx512.c.o: override CFLAGS += -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c -ffp-contract=fast
$B/kernels/cpu/%_vnni.c.o: override CFLAGS += -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c -ffp-contract=fast
$B/kernels/cpu/%_bf16.c.o: override CFLAGS += -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512bf16 -mfma -mf16c
$B/kernels/cpu/%_amx.c.o: override CFLAGS += -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprfchw -mamx-tile -mamx-bf16

# The same for the quantizers' loops, whose sums are those of every machine: no contraction.
$B/core/quant/%_avx2.c.o: override CFLAGS += -mavx2
$B/core/quant/%_avx512.c.o: override CFLAGS += -mavx512f

# And for the optimizers', which the compiler turns into vectors.
$B/core/tune/loops_%.c.o: override CFLAGS += -O3 -fno-math-errno -fno-trapping-math
$B/core/tune/%_avx2.c.o: override CFLAGS += -mavx2
$B/core/tune/%_avx512.c.o: override CFLAGS += -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512

$B/%.c.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/tests/%: $B/tests/%.c.o $(call obj,$(HELP)) $B/libbitdial.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcriterion -lvterm

$B/tests/test_sandbox $B/tests/test_completions $B/tests/test_help_options: | $B/bitdial  # start the program

# A device whose memory the host cannot touch: ref once more, for the suites that ask for it by name.
FENCED := tests/fenced.c kernels/mat.c kernels/mix.c kernels/stream.c kernels/pool.c $(wildcard kernels/ref/*.c) core/base/f16.c
$B/tests/libfenced.so: $(FENCED) $(wildcard kernels/*.h kernels/ref/*.h) tests/fenced.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -shared -Wl,-Bsymbolic -o $@ $(FENCED) -lm
$(addprefix $B/tests/test_,device device_model device_session device_train train_state lora lora_file): | $B/tests/libfenced.so

deps:      ## install the Debian packages that are missing (as root or by sudo)
	@share/install-debs $(DEBS)

model:     ## fetch the default model once (FROM=FILE: from a file, without a network)
	@share/fetch-model '$(FROM)'

demo: deps model  ## packages, build, model, and open the workbench on it
	@$(MAKE) --no-print-directory all
	@$B/bitdial

unit: $(TEST:%.c=$B/%)  ## the Criterion suites
	@tests/run $^

stress: $(STRESS:%.c=$B/%)  ## thread tests, plain programs
	@for t in $^; do echo "$$t"; $$t || exit 1; done

screens: $B/bitdial $B/tests/libbitdial-cuda-emu.so  ## the program in a real terminal (tmux)
	@printf '%s\n' $(SCREEN) | BITDIAL=$B/bitdial xargs -P 3 -n 1 sh

cli: $B/bitdial $B/tests/libfenced.so $B/tests/libbitdial-cuda-emu.so  ## the verbs as a shell sees them, and golden screens
	@sh tests/cli.sh $B/bitdial

check: $B/bitdial unit stress cli screens layers headers  ## all tests, but for what needs nvcc or a GPU

asan:      ## the suites under address and undefined-behaviour checks
	LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 \
	$(MAKE) B=$B/asan SAN=address,undefined unit
tsan:      ## tests/stress_*.c under the data-race check (Criterion cannot run under it)
	$(MAKE) B=$B/tsan SAN=thread stress
coverage:  ## line coverage of core/ and app/
	$(MAKE) B=$B/cov CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage unit
	@gcov -n -r $$(find $B/cov/core $B/cov/app -name '*.gcda') 2>/dev/null | \
	  awk '/^File .(core|app)/{f=$$2} /^Lines/&&f{print f,$$2; f=""}' | sort

layers:    ## no upward include: core knows no curses and no Lua, kernels no core but err and f16
	@! grep -nE '#include *[<"](n?curses|panel\.h|lua|lauxlib|app/)' $$(find core kernels -name '*.[ch]*' -o -name '*.inc')
	@! grep -nE '#include *"core/' $$(find kernels -name '*.[ch]*' -o -name '*.inc') | grep -vE 'core/base/(err|f16)\.h'
	@! grep -nE '#include *"core/work/' $$(find core -name '*.[ch]' -not -path 'core/work/*')
	@! grep -nE '#include *"core/(io|text|quant|model|search|tune|eval|work)/' $$(find core/base -name '*.[ch]')
	@! grep -nE '#include *"core/(search|tune|eval)/' $$(find core -name '*.[ch]' -not -path 'core/work/*') | \
	  grep -vE '^core/(search|tune|eval)/[^:]*:[0-9]+:#include *"core/\1/'
	@! grep -nE '#include *"(core/(io|text|model|search|tune|eval)|app/lua)/' $$(find app/panel -name '*.[ch]')
	@! grep -lE '#include *<n?curses' $$(find app -name '*.[ch]') | grep -v '^app/tui/term'
	@! grep -lE '#include *<(lua|lauxlib|lualib)' $$(find app -name '*.[ch]') | grep -v '^app/lua/'

headers:   ## each header compiles alone
	@for h in $$(find app core kernels tests -name '*.h' -not -name 'lanes_*' -not -path 'kernels/cuda/*' \
	    -not -path 'tests/emu/*'); do \
	  $(CC) $(CPPFLAGS) $(CFLAGS) -x c -Wno-unused-function -fsyntax-only $$h || exit 1; done
	@for h in $$(find kernels/cuda tests/emu -name '*.h'); do \
	  $(CXX) $(CPPFLAGS) $(CXXWARN) $(CXXFLAGS) -Itests/emu -x c++ -Wno-unused-function -fsyntax-only $$h || exit 1; done

fmt:       ## rewrite the sources in the house style
	clang-format -i $$(find app core kernels tests -name '*.[ch]') \
	  $$(find kernels/cuda tests/emu -name '*.cu' -o -name '*.cc' -o -name '*.inc')
tidy:      ## static checks
	clang-tidy -quiet $(LIB) $(APP) -- $(CPPFLAGS) $(CFLAGS)

bench: $(BENCH:%.c=$B/%) $B/bitdial  ## times and ratios as JSON lines
	@for t in $(filter-out %/bitdial,$^); do $$t || exit 1; done
	@tests/bench_screen.sh $B/bitdial
	@tests/bench_tour.sh $B/bitdial
	@tests/bench_p24.sh $B/bitdial

check-cuda:  ## every operation on a GPU against the plain C ones (minutes; SANITIZE=1: under compute-sanitizer)
	@MAKE='$(MAKE)' NVCC='$(NVCC)' B='$B' tests/cuda.sh $(if $(SANITIZE),sanitize,check)

bench-cuda:  ## times on a GPU beside cuBLAS (minutes; WRITE=1: report into share/bench, OUT=DIR: there)
	@MAKE='$(MAKE)' NVCC='$(NVCC)' B='$B' OUT='$(OUT)' WRITE='$(WRITE)' tests/cuda.sh bench

quality: $B/bitdial  ## KL of the dial's layouts beside the guards (TEXT=FILE, minutes)
	@tests/quality.sh $B/bitdial '$(TEXT)'

peer: $B/bitdial  ## llama.cpp's types beside the dial (TEXT=FILE; fetches and builds llama.cpp)
	@tests/peer/llama.sh $B/bitdial '$(TEXT)' $(TYPES)

peer-speed: $B/tests/bench_model  ## tokens a second beside llama.cpp's, by turns (MODEL=FILE)
	@tests/peer/speed.sh $< '$(MODEL)'

peer-first: $B/tests/bench_first $B/bitdial  ## time to open and to a first token beside llama.cpp's (MODEL=FILE)
	@tests/peer/first.sh $^ '$(MODEL)'

peer-ops: $B/libbitdial.a $B/tests/lib_bench.c.o  ## products beside ggml's, in one process (minutes)
	@LIBS='$(LDLIBS)' tests/peer/ops.sh $B/tests/lib_bench.c.o $B/libbitdial.a

peer-quant: $B/bitdial  ## weights a second and error of quantizing beside llama.cpp's (MODEL=FILE)
	@tests/peer/quantize.sh $< $(MODEL)

soak: asan tsan  ## what takes too long for check (DATA=FILE: rows to train on, an hour more)
	@for i in 1 2 3 4 5 6 7 8; do BITDIAL=$B/bitdial sh tests/tmux/kill_scan.sh || exit 1; done
	@m=$${XDG_DATA_HOME:-$$HOME/.local/share}/bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf; \
	if [ -z '$(DATA)' ]; then echo 'soak: training skipped, name rows to train on: DATA=FILE, a thousand or more'; \
	elif [ -e "$$m" ]; then BITDIAL_SHARE=share $B/bitdial --batch tests/soak_train.lua "$$m" data='$(DATA)'; \
	else echo 'soak: training skipped, there is no default model (make model)'; fi

golden:    ## rewrite the golden screens; the diff is the review
	@UPDATE_GOLDEN=1 $(MAKE) --no-print-directory unit cli

install: all $B/bitdial-lua.3  ## into $(DESTDIR)$(PREFIX)
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/share/man/man1' \
	  '$(DESTDIR)$(PREFIX)/share/man/man3' '$(DESTDIR)$(PREFIX)/share/bitdial/layouts' \
	  '$(DESTDIR)$(PREFIX)/share/bitdial/themes' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' \
	  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions'
	install -m755 $B/bitdial '$(DESTDIR)$(PREFIX)/bin/bitdial'
	install -m644 share/man/bitdial.1 '$(DESTDIR)$(PREFIX)/share/man/man1/'
	install -m644 $B/bitdial-lua.3 '$(DESTDIR)$(PREFIX)/share/man/man3/'
	install -m644 share/completions/bitdial.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/bitdial'
	install -m644 share/completions/_bitdial '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_bitdial'
	cp -R layouts/. '$(DESTDIR)$(PREFIX)/share/bitdial/layouts/'
	cp -R share/themes/. '$(DESTDIR)$(PREFIX)/share/bitdial/themes/'
	install -m644 share/tour.lua '$(DESTDIR)$(PREFIX)/share/bitdial/tour.lua'
	if [ -f $B/libbitdial-cuda.so ]; then \
	  install -d '$(DESTDIR)$(PREFIX)/lib/bitdial' && \
	  install -m755 $B/libbitdial-cuda.so '$(DESTDIR)$(PREFIX)/lib/bitdial/'; fi
	cp -R share/tasks share/sft scripts '$(DESTDIR)$(PREFIX)/share/bitdial/'

uninstall: ## take it out again; says what of yours stays
	rm -rf '$(DESTDIR)$(PREFIX)/bin/bitdial' '$(DESTDIR)$(PREFIX)/share/bitdial' \
	  '$(DESTDIR)$(PREFIX)/lib/bitdial' '$(DESTDIR)$(PREFIX)/share/man/man1/bitdial.1' '$(DESTDIR)$(PREFIX)/share/man/man3/bitdial-lua.3' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/bitdial' \
	  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_bitdial'
	@share/what-stays

clean:     ## remove what was built
	rm -rf $B
help:      ## this list
	@sed -nE 's/^([a-z-]+):.*##[ ]*(.*)/  \1\t\2/p' $(MAKEFILE_LIST)

-include $(shell find $B -name '*.d' 2>/dev/null)
