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

SCRIPTS = .ci/run system/prtip-bind system/prtip-hugepages debian/build $(wildcard tests/*.sh tests/*/*.sh)
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
check: deps-lab deps-consumers build lab-root fuzz-build ## run all tests; the last line is the total (root)
	@tests/run --build $(BUILD)

.PHONY: soak
soak: build ## the long tests; MINUTES=N (10) for the one that watches memory and descriptors
	@MINUTES=$(or $(MINUTES),10) tests/run --build $(BUILD) --soak

# 2.5 million and more against each of four scans.
.PHONY: forgery
forgery: deps-lab build ## 10^7 forged answers of every kind against true scans (root)
	@tests/run --build $(BUILD) --soak forgery

# Each target for so long, one after the other; what they find goes to build-fuzz/corpus.
.PHONY: fuzz fuzz-build fuzz-merge fuzz-coverage
fuzz: fuzz-build ## fuzz for hours: MINUTES=60 for each target, TARGETS="frame ini" for some
	@tests/fuzz/run --seconds $$(($(or $(MINUTES),60) * 60)) $(TARGETS)
fuzz-build: deps-fuzz
	@test -f build-fuzz/build.ninja || $(AS_OWNER) env CC=clang CXX=clang++ \
		meson setup build-fuzz . -Dfuzz=true -Dtests=disabled -Doptimization=1
	@$(AS_OWNER) ninja -C build-fuzz --quiet fuzzers
fuzz-coverage: deps-fuzz ## which lines the inputs of the fuzzers reach
	@test -f build-fuzz-coverage/build.ninja || $(AS_OWNER) env CC=clang CXX=clang++ \
		meson setup build-fuzz-coverage . -Dfuzz=true -Dcoverage=true -Dtests=disabled -Doptimization=1
	@$(AS_OWNER) ninja -C build-fuzz-coverage --quiet fuzzers
	@tests/fuzz/run --lines build-fuzz-coverage $(TARGETS)
fuzz-merge: fuzz-build ## make the committed corpora anew, out of what was found
	@$(AS_OWNER) tests/fuzz/run --merge $(TARGETS)

# Each run has a seed of its own, which it prints: FAULT_SEED=N gives it again.
ROUNDS ?= 100
.PHONY: faults
faults: deps-lab build ## kills, stops, full disks, a link that goes, ROUNDS=100 of the kills (root)
	@tests/run --build $(BUILD) --faults $(ROUNDS)

.PHONY: asan
asan: deps-build deps-lab deps-consumers ## the tests again, with the address and undefined-behaviour sanitizers (root)
	@test -f build-asan/build.ninja || $(AS_OWNER) meson setup build-asan . \
		-Db_sanitize=address,undefined -Db_lundef=false
	@$(AS_OWNER) ninja -C build-asan --quiet
	@tests/run --build build-asan --sanitized

.PHONY: tsan
tsan: deps-build deps-lab deps-consumers ## what has threads, with ThreadSanitizer (root)
	@test -f build-tsan/build.ninja || $(AS_OWNER) meson setup build-tsan . \
		-Db_sanitize=thread -Db_lundef=false
	@$(AS_OWNER) ninja -C build-tsan --quiet
	@tests/run --build build-tsan --threads

.PHONY: stress
stress: build ## every ring and queue, with 10^8 items each
	@tests/run --build $(BUILD) --stress

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

.PHONY: recording
recording: deps-consumers build ## what the README shows of a real run, docs/recording.svg
	@folder=$$(mktemp -d) && cd $$folder && PATH=$(CURDIR)/$(BUILD):$$PATH $(CURDIR)/docs/record.py \
		$(CURDIR)/docs/recording.svg \
		'prtip-dp --set dataplane.port=sim --set banner.enable=on -F --rate 1k --open 198.18.0.8/30' \
		'prtip-dp --set dataplane.port=sim -p 443 --rate 20k 198.18.0.0/16 -o ndjson:443.ndjson' \
		'head -n 2 443.ndjson'; rm -rf $$folder

.PHONY: install
install: build ## install below PREFIX (/usr/local), in DESTDIR if given
	@$(AS_OWNER) meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX))
	@$(AS_OWNER) ninja -C $(BUILD) --quiet
	@DESTDIR="$(DESTDIR)" meson install -C $(BUILD) --no-rebuild

.PHONY: deb deb-check
deb: deps-build deps-package ## a Debian package of what is committed, in build/deb
	@$(AS_OWNER) debian/build $(BUILD)/deb
deb-check: deb deps-lab ## install it into a fresh Debian, and run it there as its units do (root)
	@tests/deb/check.sh $(BUILD)/deb

.PHONY: clean
clean: ## remove what was built
	@rm -rf build build-asan build-tsan build-coverage build-fuzz build-fuzz-coverage

# Without them the tests that need them fail, each for itself, and all others run.
.PHONY: lab-root
lab-root:
	@tests/deps.sh servers || echo "no servers for the lab: tests that need them will fail"

# Debian packages; installs only what is missing, and only as root. Servers are unpacked, not installed.
.PHONY: deps deps-build deps-lab deps-consumers deps-servers deps-lint deps-coverage deps-bench deps-fuzz deps-package
deps: ## install what build, check and demo need (root)
	@tests/deps.sh build lab consumers servers fuzz
deps-build deps-lab deps-consumers deps-servers deps-lint deps-coverage deps-bench deps-fuzz deps-package: deps-%:
	@tests/deps.sh $*

.PHONY: help
help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12
