# bitdial - build, test, install.  `make help` lists the targets.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo 0.1.0)
PREFIX  ?= /usr/local
B       ?= build
CC      ?= cc
CFLAGS  ?= -O2 -g
SAN     ?=

PKGS    := ncursesw lua5.4 libcjson openblas
WARN    := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	   -Wpointer-arith -Wwrite-strings -Wvla
override CPPFLAGS += -I. -D_GNU_SOURCE -DBD_VERSION='"$(VERSION)"' -DBD_SHARE='"$(PREFIX)/share/bitdial"'
override CFLAGS   += $(WARN) -pthread -ffp-contract=off $(shell pkg-config --cflags $(PKGS))
LDLIBS            += $(shell pkg-config --libs $(PKGS)) -lm -pthread -ldl
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
BENCH  := $(sort $(wildcard tests/bench_*.c))
obj     = $(patsubst %,$B/%.o,$(1))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all

all: $B/bitdial  ## build the program

$B/bitdial: $B/app/main.c.o $B/libbitdial.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$B/libbitdial.a: $(call obj,$(APP) $(LIB))
	@rm -f $@
	@ar rcs $@ $^

# Kernels with their own instruction sets: nothing else may use them.
$B/kernels/cpu/%_avx2.c.o: override CFLAGS += -O3 -mavx2 -mfma -mf16c -ffp-contract=fast
$B/kernels/cpu/%_avx512.c.o: override CFLAGS += -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c -ffp-contract=fast

$B/%.c.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/tests/%: $B/tests/%.c.o $(call obj,$(HELP)) $B/libbitdial.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(if $(findstring /test_,$@),-lcriterion -lvterm)

-include $(shell find $B -name '*.d' 2>/dev/null)
