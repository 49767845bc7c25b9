# mox - the web-administered mail gateway.   make help: what there is to run.

B       ?= build
ifeq ($(origin CC),default)
CC      = gcc
endif
NODE    ?= node
PREFIX  ?= /usr
SYSCONFDIR ?= /etc
DESTDIR ?=
FUZZ_SECONDS ?= 60

PKGS    = openssl libmicrohttpd sqlite3 jansson zlib libidn2 libargon2 libsystemd libcap libcurl
WARN    = -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
	  -Wmissing-prototypes -Wvla -Wformat=2 -Wswitch-enum -Wcast-qual -Wwrite-strings -Wundef \
	  -Wnull-dereference -Werror
HARDEN  = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
OPT     ?= -O2 -g
SAN     ?=
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lunbound -lunistring -lcrypt -lpthread
CPPFLAGS = -D_GNU_SOURCE -Iserver -I. -I$(B)
CFLAGS   = -std=c11 $(OPT) $(WARN) $(HARDEN) $(SAN) $(PKG_CFLAGS) -MMD -MP
LDFLAGS  = -pie -Wl,-z,relro,-z,now $(SAN)

# The floors of the house, lowest first; a file sees its own folder and those below.
FLOOR0 = server/base
FLOOR1 = server/config server/dns server/tls server/store server/message
FLOOR2 = server/http server/auth
FLOOR3 = server/policy server/acme
FLOOR4 = server/report
FLOOR5 = server/smtp
FLOOR6 = server/queue
FLOOR7 = server/control
FLOOR8 = server/daemon server/cli server/setup
FLOOR9 = webui
FLOORS = $(FLOOR0) $(FLOOR1) $(FLOOR2) $(FLOOR3) $(FLOOR4) $(FLOOR5) $(FLOOR6) $(FLOOR7) $(FLOOR8) \
	 $(FLOOR9)

SRC     := $(sort $(foreach f,$(FLOORS),$(wildcard $(f)/*.c)))
LIB_SRC := $(filter-out server/daemon/main.c webui/mkassets.c,$(SRC))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
ASSETS  := $(wildcard templates/*.html static/css/* static/js/* static/*.svg static/*.txt)
UNIT    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ    := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
C_FILES := $(shell find server webui tests -name node_modules -prune -o -name '*.[ch]' -print 2>/dev/null)

.PHONY: all
all: mox

.PHONY: help
help:
	@echo "make                 builds ./mox (needs the packages of make build-deps)"
	@echo "make localserve      installs what is missing, builds, runs a gateway on loopback"
	@echo "make check           installs test needs, builds, runs every test"
	@echo "make unit            unit tests        make e2e        end-to-end tests"
	@echo "make browser         browser tests     make fuzz       FUZZ_SECONDS=60 a parser"
	@echo "make check-asan      unit and end-to-end tests with address and UB sanitizers"
	@echo "make check-tsan      the same with the thread sanitizer"
	@echo "make layers          which folder sees which        make fmt, fmt-check"
	@echo "make bench           speed and memory, beside Postfix"
	@echo "make world           the internet in a box, to try things by hand"
	@echo "make screenshots     pictures of the admin pages"
	@echo "make install         DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR)"
	@echo "make uninstall, build-deps, deps, clean"

# --- packages: says what it installs, does nothing when nothing is missing --------------

.PHONY: deps build-deps
deps:
	@sh tests/deps.sh build test
build-deps:
	@sh tests/deps.sh build

# A make of its own after the packages are there: the flags above come from them.
.PHONY: localserve
localserve: build-deps
	@$(MAKE) --no-print-directory mox
	./mox localserve $(ARGS)

# --- build ------------------------------------------------------------------------------

mox: $(B)/mox
	@cp -f $< $@

$(B)/mox: $(B)/server/daemon/main.o $(B)/libmox.a
	$(CC) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

.PHONY: lib
lib: $(B)/libmox.a

$(B)/libmox.a: $(LIB_OBJ) $(B)/assets.o
	@rm -f $@
	@ar rcs $@ $^

# Only server/base/version.c knows the version, so that a commit rebuilds one file.
$(B)/server/base/version.o: CFLAGS += -DMOX_VERSION='"$(VERSION)"'
$(B)/server/base/version.o: $(B)/version
$(B)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@
.PHONY: FORCE
FORCE:

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# templates/ and static/ become one C file.
$(B)/mkassets: webui/mkassets.c
	@mkdir -p $(@D)
	@$(CC) -std=c11 -D_GNU_SOURCE -O1 $(WARN) -o $@ $<

$(B)/assets.c: $(B)/mkassets $(ASSETS)
	@$(B)/mkassets $(ASSETS) > $@.tmp && mv $@.tmp $@

$(B)/assets.o: $(B)/assets.c
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

-include $(LIB_OBJ:.o=.d) $(B)/server/daemon/main.d

# --- tests ------------------------------------------------------------------------------

.PHONY: check
check: deps
	+@MAKE="$(MAKE)" NODE="$(NODE)" sh tests/check.sh

$(B)/unit/%: tests/unit/%.c $(B)/libmox.a
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libmox.a -lcmocka $(PKG_LIBS)

.PHONY: unit
unit: $(UNIT)
	@B=$(B) sh tests/run_unit.sh $(UNIT)

.PHONY: e2e browser screenshots world bench
e2e: $(B)/mox
	@python3 tests/e2e/run.py --mox $(B)/mox $(ARGS)
browser: $(B)/mox
	@MOX=$(B)/mox $(NODE) tests/browser/run.mjs $(ARGS)
screenshots: $(B)/mox
	@MOX=$(B)/mox $(NODE) tests/browser/screenshots.mjs $(ARGS)
world: deps
	@$(MAKE) --no-print-directory mox
	@python3 tests/e2e/world/run.py $(ARGS)
bench: deps
	@$(MAKE) --no-print-directory mox $(B)/bench/auth
	@sh tests/bench/run.sh $(ARGS)

$(B)/bench/%: tests/bench/%.c $(B)/libmox.a
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libmox.a $(PKG_LIBS)

# Builds of their own, in their own folders.
ASAN = CC=gcc B=build-asan HARDEN=-fPIE OPT="-O1 -g -fno-omit-frame-pointer" \
	SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined"
TSAN = CC=gcc B=build-tsan HARDEN=-fPIE OPT="-O1 -g" SAN=-fsanitize=thread
FUZZING = CC=clang B=build-fuzz HARDEN=-fPIE OPT="-O1 -g" \
	SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined"

.PHONY: check-asan check-tsan fuzz fuzz-run
check-asan: deps
	@$(MAKE) --no-print-directory $(ASAN) unit e2e
check-tsan: deps
	@TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1" \
		$(MAKE) --no-print-directory $(TSAN) unit e2e
fuzz: deps
	@$(MAKE) --no-print-directory $(FUZZING) FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz-run
fuzz-run: $(FUZZ)
	@B=$(B) FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/run_fuzz.sh $(FUZZ)

$(B)/fuzz/%: tests/fuzz/%.c $(B)/libmox.a
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(B)/libmox.a $(PKG_LIBS)

.PHONY: fmt fmt-check layers
fmt:
	@clang-format -i $(C_FILES)
fmt-check:
	@clang-format --dry-run -Werror $(C_FILES) && echo "format: ok"
layers:
	@sh tests/layers.sh "$(FLOOR0)" "$(FLOOR1)" "$(FLOOR2)" "$(FLOOR3)" "$(FLOOR4)" "$(FLOOR5)" \
		"$(FLOOR6)" "$(FLOOR7)" "$(FLOOR8)" "$(FLOOR9)"

# --- install ----------------------------------------------------------------------------

D = $(DESTDIR)$(PREFIX)

.PHONY: install uninstall
install: mox
	install -D -m 0755 mox $(D)/sbin/mox
	install -D -m 0644 mox.conf.example $(DESTDIR)$(SYSCONFDIR)/mox/mox.conf.example
	install -D -m 0644 server/daemon/mox.service $(D)/lib/systemd/system/mox.service
	install -D -m 0644 server/daemon/mox.sysusers $(D)/lib/sysusers.d/mox.conf
	install -D -m 0644 server/cli/mox.8 $(D)/share/man/man8/mox.8
	install -D -m 0644 server/config/mox.conf.5 $(D)/share/man/man5/mox.conf.5
uninstall:
	rm -f $(D)/sbin/mox $(D)/lib/systemd/system/mox.service $(D)/lib/sysusers.d/mox.conf \
		$(D)/share/man/man8/mox.8 $(D)/share/man/man5/mox.conf.5 \
		$(DESTDIR)$(SYSCONFDIR)/mox/mox.conf.example

.PHONY: clean
clean:
	rm -rf build build-* mox
