# libpastore: the core as a library for C, without Python. Included by the Makefile.
#
#   make libpastore                                   build/libpastore.a, build/libpastore.so, build/pastore.pc
#   make libpastore CC=clang CFLAGS='-O2 -g'
#   make install-libpastore PREFIX=/opt/pastore       DESTDIR= goes before it
#   make static-libpastore CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar OBJCOPY=aarch64-linux-gnu-objcopy BUILD=build/aarch64
#
# OBJCOPY= (nothing) leaves the objects apart, for object formats without hidden symbols.
include ext/core/sources.mk

BUILD ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O3 -g
OBJCOPY ?= objcopy

libpastore_version = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
libpastore_soname := libpastore.so.$(LIBPASTORE_ABI)
libpastore_sources := $(filter-out $(CORE_FRAMES:%=ext/core/%),$(sort $(wildcard ext/core/*.c)))
libpastore_objects := $(libpastore_sources:ext/core/%.c=$(BUILD)/libpastore/%.o)
libpastore_x86 = $(filter x86_64% i386% i486% i586% i686% amd64%,$(shell $(CC) -dumpmachine))
libpastore_isa = $(if $(libpastore_x86),$(if $(findstring _avx512,$1),$(CORE_CFLAGS_avx512),$(if $(findstring _avx2,$1),$(CORE_CFLAGS_avx2))))

.PHONY: libpastore static-libpastore install-libpastore

libpastore: static-libpastore $(BUILD)/libpastore.so $(BUILD)/pastore.pc ## the C library: libpastore.a, libpastore.so, pastore.pc

static-libpastore: $(BUILD)/libpastore.a

$(BUILD)/libpastore/%.o: ext/core/%.c ext/core/sources.mk ext/libpastore.mk
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CORE_CFLAGS) $(call libpastore_isa,$*) -fPIC -DPASTORE_EXPORT -MMD -MP -c $< -o $@

# One object, in which what the files share with each other is no longer global: a program may have a `checksum_add` of its own.
$(BUILD)/libpastore.a: $(libpastore_objects)
	@rm -f $@
ifeq ($(OBJCOPY),)
	$(AR) rcs $@ $(libpastore_objects)
else
	$(CC) $(CFLAGS) -r -nostdlib $(libpastore_objects) -o $(BUILD)/libpastore/whole.o
	$(OBJCOPY) --localize-hidden $(BUILD)/libpastore/whole.o
	$(AR) rcs $@ $(BUILD)/libpastore/whole.o
endif

$(BUILD)/libpastore.so: $(libpastore_objects) ext/core/libpastore.map
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(libpastore_soname) -Wl,--version-script=ext/core/libpastore.map -Wl,-z,defs \
		$(libpastore_objects) -o $@
	ln -sf $(@F) $(BUILD)/$(libpastore_soname)

$(BUILD)/pastore.pc: ext/pastore.pc.in pyproject.toml
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(libpastore_version)|' ext/pastore.pc.in >$@

install-libpastore: libpastore ## the C library into PREFIX, /usr/local if left out
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 ext/core/pastore.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(BUILD)/libpastore.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/libpastore.so $(DESTDIR)$(PREFIX)/lib/libpastore.so.$(libpastore_version)
	ln -sf libpastore.so.$(libpastore_version) $(DESTDIR)$(PREFIX)/lib/$(libpastore_soname)
	ln -sf $(libpastore_soname) $(DESTDIR)$(PREFIX)/lib/libpastore.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(libpastore_version)|' ext/pastore.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/pastore.pc

-include $(libpastore_objects:.o=.d)
