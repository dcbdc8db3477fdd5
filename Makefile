# SPDX-License-Identifier: MIT
# Thin over Meson: see README.md. Everything is built below build/.
BUILD ?= build
PREFIX ?= /usr/local
SECONDS ?= 60

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@scripts/install-deps build
	meson setup $(BUILD) --prefix=$(PREFIX) --libdir=$(or $(LIBDIR),$$(scripts/library-folder))

demo: ; @scripts/demo

# The checks: docs/testing.md. JOBS=N limits compilers and tests that run in parallel.
CHECK = scripts/check $(if $(JOBS),--jobs $(JOBS))
deps: ; @scripts/install-deps build test deb
quick: ; @$(CHECK) --quick
check: deps ; @$(CHECK)
check-all: deps ; @scripts/install-deps static static-test docs && { scripts/install-deps windows windows-test || true; } && $(CHECK) --all
# Those stages of check-all alone, without packages for the programs in one file and for Windows.
check-more: deps ; @scripts/install-deps docs && $(CHECK) $(STAGES)
check-long: deps ; @scripts/install-deps static static-test docs long && { scripts/install-deps windows windows-test || true; } && $(CHECK) --long
check-static: deps ; @scripts/install-deps static && $(CHECK) static
check-windows: deps all windows ; @scripts/install-deps windows-test && scripts/check-windows $(if $(JOBS),--jobs $(JOBS))
coverage: deps ; @scripts/coverage
fuzz: ; @scripts/fuzz $(SECONDS)

# make install [PREFIX=/usr/local] [LIBDIR=lib] [DESTDIR=folder]; a PREFIX that is given replaces the build's.
# ldconfig, so that programs find the library at once.
install: $(BUILD)/build.ninja
	@test "$(origin PREFIX)" = file || meson configure $(BUILD) --prefix=$(PREFIX) --libdir=$(or $(LIBDIR),$$(scripts/library-folder))
	ninja -C $(BUILD)
	meson install -C $(BUILD) --no-rebuild
	@test -n "$(DESTDIR)" || test "$$(id -u)" != 0 || ldconfig

# Debian packages in build-deb/; scripts/package-version says how their version follows from git's tags.
deb: ; @scripts/install-deps build deb && scripts/make-deb

# The Python package as a wheel that needs nothing but Python and cffi, and its sources; in build-wheel/dist.
wheel: ; @scripts/install-deps build deb && python/backend.py wheel && python/backend.py sdist

# The documentation as HTML, with the notebooks and the Python reference; in build-docs/html.
docs: ; @scripts/install-deps build docs && $(MAKE) --no-print-directory all && scripts/make-docs

# The program in one file that needs no other: build-standalone/igtcloud-VERSION-linux-x86_64, -aarch64.
standalone: ; @scripts/install-deps static && scripts/make-standalone

# The program for Windows: build-windows/igtcloud-VERSION-windows-x86_64.exe.
windows: ; @scripts/install-deps windows && scripts/make-windows

# All files of a release in build-release/, with SHA256SUMS, and the tables of downloads: scripts/make-release.
release: ; @scripts/install-deps build deb static && scripts/make-release $(if $(KEY),--key $(KEY)) $(if $(PUBLIC_KEY),--public-key $(PUBLIC_KEY))

# Removes what the last install of this build folder put in place.
uninstall:
	ninja -C $(BUILD) uninstall
	@test "$$(id -u)" != 0 || ldconfig

# make generate SPEC=dir: C of other descriptions (auth.json, action.json, entities.json).
generate:
	@test -n "$(SPEC)" || { echo "say which: make generate SPEC=folder-of-descriptions"; exit 2; }
	mkdir -p $(BUILD)/generated
	python3 -B api/generate.py $(BUILD)/generated $(wildcard $(SPEC)/auth.json $(SPEC)/action.json $(SPEC)/entities.json)

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(BUILD) build-*

.PHONY: all windows demo deps quick check check-all check-more check-long check-static check-windows coverage fuzz install uninstall deb wheel docs standalone release generate format clean
