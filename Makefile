# SPDX-License-Identifier: BSD-3-Clause
#
# Only names for what meson and the scripts do; `make help` lists them.

PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build

# Under sudo in a person's own tree, compile as that person, so that no file in it belongs to root.
OWNER := $(shell stat -c %U .)
ifeq ($(shell id -u),0)
AS_OWNER := $(if $(filter-out root UNKNOWN,$(OWNER)),runuser -u $(OWNER) --)
endif

SCRIPTS = .ci/run $(wildcard tests/*.sh tests/*/*.sh)
SOURCES = $(wildcard dataplane/*.[ch] dataplane/include/dp/*.h control/*.[ch] luahost/*.[ch] \
	luahost/include/lh/*.h bench/*.[ch] tests/*/*.[ch])

.PHONY: build
build: deps-build $(BUILD)/build.ninja ## compile; the program is build/prtip-dp
	@$(AS_OWNER) ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@$(AS_OWNER) meson setup $(BUILD) .

.PHONY: demo
demo: deps-lab build ## show it: a simulated network, then real servers in namespaces (root)
	@tests/demo/demo.sh

.PHONY: check
check: deps-lab build lab-root ## run all tests; the last line is the total (root)
	@tests/run --build $(BUILD)

.PHONY: soak
soak: build ## the long tests
	@tests/run --build $(BUILD) --soak

# Each run has a seed of its own, which it prints: FAULT_SEED=N gives it again.
ROUNDS ?= 100
.PHONY: faults
faults: deps-lab build ## kills, stops, full disks, a link that goes, ROUNDS=100 of the kills (root)
	@tests/run --build $(BUILD) --faults $(ROUNDS)

.PHONY: asan
asan: deps-build deps-lab ## the tests again, with the address and undefined-behaviour sanitizers (root)
	@test -f build-asan/build.ninja || $(AS_OWNER) meson setup build-asan . \
		-Db_sanitize=address,undefined -Db_lundef=false
	@$(AS_OWNER) ninja -C build-asan --quiet
	@tests/run --build build-asan --sanitized

.PHONY: coverage
coverage: deps-build deps-lab deps-coverage lab-root ## line coverage of the plugin host by its tests (root)
	@test -f build-coverage/build.ninja || $(AS_OWNER) env CC=clang CXX=clang++ \
		meson setup build-coverage . -Dcoverage=true
	@$(AS_OWNER) ninja -C build-coverage --quiet
	@tests/coverage.py build-coverage luahost 85

# The report goes to bench/results/. Peers that are missing are named in it.
.PHONY: bench bench-quick
bench: deps-bench build ## measure everything beside its peers, in a quarter of an hour (root)
	@bench/report.py $(BUILD)
bench-quick: deps-bench build ## measure the most, in two minutes (root)
	@bench/report.py --quick $(BUILD)

.PHONY: format
format: deps-lint ## format the C sources in place
	@$(AS_OWNER) clang-format -i $(SOURCES)

# cppcheck misreads compound literals, typeof, integer promotions, _Noreturn and an #include within a
# string; gcc's warnings cover those.
.PHONY: lint
lint: deps-lint ## check format, C and shell
	@clang-format --dry-run --Werror $(SOURCES)
	@cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j2 \
		--enable=warning,portability -Idataplane/include -Iluahost/include \
		--suppress=missingIncludeSystem --suppress=unknownMacro \
		--suppress=uninitvar --suppress=nullPointer --suppress=invalidPrintfArgType_uint \
		--suppress=nullPointerRedundantCheck --suppress=internalAstError \
		$(filter-out %.bpf.c %_test.c,$(filter %.c,$(SOURCES)))
	@shellcheck -x -P . $(SCRIPTS)

.PHONY: install
install: build ## install below PREFIX (/usr/local), in DESTDIR if given
	@$(AS_OWNER) meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX))
	@$(AS_OWNER) ninja -C $(BUILD) --quiet
	@DESTDIR="$(DESTDIR)" meson install -C $(BUILD) --no-rebuild

.PHONY: clean
clean: ## remove what was built
	@rm -rf build build-asan build-coverage

# Without them the tests that need them fail, each for itself, and all others run.
.PHONY: lab-root
lab-root:
	@tests/deps.sh servers || echo "no servers for the lab: tests that need them will fail"

# Debian packages; installs only what is missing, and only as root. Servers are unpacked, not installed.
.PHONY: deps deps-build deps-lab deps-servers deps-lint deps-coverage deps-bench
deps: ## install what build, check and demo need (root)
	@tests/deps.sh build lab servers
deps-build deps-lab deps-servers deps-lint deps-coverage deps-bench: deps-%:
	@tests/deps.sh $*

.PHONY: help
help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12
