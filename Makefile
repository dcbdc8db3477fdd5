# SPDX-License-Identifier: MIT
# Thin over Meson: see README.md. Everything is built below build/.
BUILD ?= build
PREFIX ?= /usr/local
SECONDS ?= 60

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@scripts/install-deps build
	meson setup $(BUILD) --prefix=$(PREFIX)

demo: ; @scripts/demo
check: ; @scripts/check
check-long: ; @scripts/check --long
fuzz: ; @scripts/fuzz $(SECONDS)

install: all
	meson install -C $(BUILD) --no-rebuild

# make generate SPEC=dir: C of other descriptions (auth.json, action.json, entities.json).
generate:
	@test -n "$(SPEC)" || { echo "say which: make generate SPEC=folder-of-descriptions"; exit 2; }
	mkdir -p $(BUILD)/generated
	python3 api/generate.py $(BUILD)/generated $(wildcard $(SPEC)/auth.json $(SPEC)/action.json $(SPEC)/entities.json)

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(BUILD) build-*

.PHONY: all demo check check-long fuzz install generate format clean
