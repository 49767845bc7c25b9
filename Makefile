# mox - the web-administered mail gateway.   make help: what there is to run.

B       ?= build
ifeq ($(origin CC),default)
CC      = gcc
endif
NODE    ?= node
PREFIX  ?= /usr
DESTDIR ?=

PKGS    = openssl libmicrohttpd sqlite3 jansson libidn2 libargon2 libsystemd libcap libcurl
WARN    = -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
	  -Wmissing-prototypes -Wvla -Wformat=2 -Wswitch-enum -Wcast-qual -Wwrite-strings -Wundef \
	  -Wnull-dereference -Werror
HARDEN  = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
OPT     ?= -O2 -g
SAN     ?=
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lunbound -lcrypt -lpthread
CPPFLAGS = -D_GNU_SOURCE -Iserver -I. -I$(B)
CFLAGS   = -std=c11 $(OPT) $(WARN) $(HARDEN) $(SAN) $(PKG_CFLAGS) -MMD -MP
LDFLAGS  = -pie -Wl,-z,relro,-z,now $(SAN)

# The floors of the house, lowest first; a file sees its own folder and those below.
FLOOR0 = server/base
FLOOR1 = server/config server/dns server/tls server/store server/message
FLOOR2 = server/http
FLOOR3 = server/auth server/policy server/acme
FLOOR4 = server/smtp
FLOOR5 = server/report server/queue
FLOOR6 = server/control
FLOOR7 = server/daemon server/cli server/setup
FLOOR8 = webui
FLOORS = $(FLOOR0) $(FLOOR1) $(FLOOR2) $(FLOOR3) $(FLOOR4) $(FLOOR5) $(FLOOR6) $(FLOOR7) $(FLOOR8)

SRC     := $(sort $(foreach f,$(FLOORS),$(wildcard $(f)/*.c)))
LIB_SRC := $(filter-out server/daemon/main.c webui/mkassets.c,$(SRC))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o)
ASSETS  := $(wildcard templates/*.html static/css/* static/js/* static/*.svg static/*.txt)
UNIT    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ    := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
C_FILES := $(shell find server webui tests -name '*.[ch]' 2>/dev/null)

.PHONY: all
all: mox

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

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# templates/ and static/ become one C file.
$(B)/mkassets: webui/mkassets.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O1 $(WARN) -o $@ $<

$(B)/assets.c: $(B)/mkassets $(ASSETS)
	$(B)/mkassets $(ASSETS) > $@.tmp && mv $@.tmp $@

$(B)/assets.o: $(B)/assets.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

-include $(LIB_OBJ:.o=.d) $(B)/server/daemon/main.d

# --- tests -------------------------------------------------------------------

$(B)/unit/%: tests/unit/%.c $(B)/libmox.a
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libmox.a -lcmocka $(PKG_LIBS)

.PHONY: unit
unit: $(UNIT)
	@B=$(B) sh tests/run_unit.sh $(UNIT)

.PHONY: fmt fmt-check
fmt:
	clang-format -i $(C_FILES)
fmt-check:
	@clang-format --dry-run -Werror $(C_FILES) && echo "format: ok"

.PHONY: layers
layers:
	@sh tests/layers.sh "$(FLOOR0)" "$(FLOOR1)" "$(FLOOR2)" "$(FLOOR3)" "$(FLOOR4)" "$(FLOOR5)" "$(FLOOR6)" "$(FLOOR7)" "$(FLOOR8)"

.PHONY: clean
clean:
	rm -rf build build-* mox
