# Every target installs what it lacks with apt (Debian; elsewhere it prints the list) and can be run on a bare machine.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
DURATION ?= 60
CLOUD ?= reference
ARCH ?= arm64
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 3600

packages := tests/support/packages.sh
# ThreadSanitizer of GCC 12 cannot place its shadow memory where the kernel randomises addresses widely.
no_aslr := $(shell setarch $$(uname -m) -R true 2>/dev/null && echo setarch $$(uname -m) -R)
has_tests = $(shell grep -qs '^PACKHORSE_TESTS:BOOL=ON' build/CMakeCache.txt && test -e build/build.ninja && echo yes)
has_demo = $(shell grep -qs '^PACKHORSE_DEMO:BOOL=ON' build/CMakeCache.txt && test -e build/build.ninja && echo yes)

.PHONY: help run test ci ci-rest build bench lint interop histories simulation asan tsan fuzz mutants soak nightly deb service-test cross clean configure-tests

help:
	@cat <<'TEXT'
	make run [DURATION=60]   the bridge on real parts: broker, 200 devices, a cloud that fails for ten seconds; 0 = until Ctrl-C
	make run CLOUD=influxdb  the same, into a real InfluxDB
	make build               build/bin/packhorsed and build/bin/packhorse
	make test                all tests that fit a developer's machine
	make lint                format, clang-tidy, size limits, wording
	make interop             tests against programs of other registries (npm): Prism checks each request against our OpenAPI
	make histories           3,200 more short random histories of the queue against its model
	make simulation          8 simulated years of a gateway between faults of the clock, the disk and the cloud
	make asan | tsan         unit tests under AddressSanitizer+UBSan | threaded ones under ThreadSanitizer
	make fuzz                each fuzz target for FUZZ_SECONDS=60
	make mutants             breaks each promise on purpose, in a copy, and expects its tests to fail
	make bench               rates and costs against the raw limits of this machine, into build/bench/report.md
	make deb                 Debian package, into build/deb
	make service-test        the package in a container with a systemd of its own: install, faults, upgrade, removal (root)
	make cross ARCH=arm64    ARM build (arm64, armhf) with a start under the emulator, into build/cross
	make ci                  what continuous integration runs: test, lint, sanitizers, packages, service, cross builds, a load run
	make soak | nightly      an hour of load with outages | everything, long
	make clean               removes build/
	TEXT

build:
	@$(packages) build
	test -e build/build.ninja || cmake --preset release -DPACKHORSE_TESTS=OFF
	cmake --build build --parallel $(JOBS) --target packhorsed packhorse

configure-tests:
	@$(packages) test
	$(if $(has_tests),,cmake --preset release -DPACKHORSE_TESTS=ON)

# Without the tests and what they need, and several files at once to the compiler: on a bare machine it begins sooner.
run:
	@$(packages) run $(if $(filter influxdb,$(CLOUD)),influxdb)
	$(if $(has_tests)$(has_demo),,cmake --preset demo)
	@cmake --build build --parallel $(JOBS) --target packhorsed packhorse packhorse-cloud packhorse-fleet packhorse-demo
	exec build/bin/packhorse-demo --duration $(DURATION) --cloud $(CLOUD)

test: configure-tests
	@cmake --build build --parallel $(JOBS)
	@# Three times as many as there are processors: many tests mostly wait.
	ctest --test-dir build --output-on-failure --no-label-summary -j $$((3 * $(JOBS)))

ci:
	@.ci/run

# The rest of `make ci` after `make test`.
ci-rest:
	@.ci/run --rest

lint: configure-tests
	@$(packages) lint
	tests/lint/run.sh

interop: configure-tests
	@$(packages) interop
	mkdir -p build/interop
	cp tests/interop/package.json tests/interop/package-lock.json tests/interop/token_server.mjs build/interop/
	cd build/interop && npm ci --no-audit --no-fund --loglevel=error && cd ../..
	cmake -S . -B build -DPACKHORSE_INTEROP=ON >/dev/null
	@cmake --build build --parallel $(JOBS) --target interop_test
	build/bin/interop_test

# Of each of eight parts. `make test` plays a quarter as many, so that it stays short, and `make nightly` 10,000.
SHORT_SEQUENCES ?= 400
histories: configure-tests
	@cmake --build build --parallel $(JOBS) --target model_test
	PACKHORSE_SHORT_SEQUENCES=$(SHORT_SEQUENCES) ctest --test-dir build --output-on-failure --no-label-summary -j $$(($(JOBS) + 1)) \
	  --tests-regex ShortRandomHistories

# Those of `make test` are two more. `YEARS` at a seed each.
YEARS ?= 8
simulation: configure-tests
	@cmake --build build --parallel $(JOBS) --target simulation_test
	PACKHORSE_YEARS=$(YEARS) ctest --test-dir build --output-on-failure --no-label-summary -j $(JOBS) \
	  --tests-regex SimulatedYear

# `make nightly` has all of unit_tests.
ASAN_TESTS ?= short_unit_tests
asan:
	@$(packages) sanitize
	cmake --preset asan
	cmake --build --preset asan --parallel $(JOBS) --target $(ASAN_TESTS)
	@# Fewer crashes and histories than `make test` tries: each is a process of its own, which costs a lot under a sanitizer.
	@# Long tests are small (PACKHORSE_SMALL), and one that repeats much is left out.
	PACKHORSE_CUTS=100 PACKHORSE_EVERY=9 PACKHORSE_SHORT_SEQUENCES=20 PACKHORSE_SMALL=1 GTEST_FILTER='-WorldTest.*:*LimitedDay.*' \
	  ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  tests/run-programs.sh build/asan

tsan:
	@$(packages) sanitize
	export TSAN_OPTIONS="suppressions=$$PWD/tests/tsan.supp halt_on_error=1 second_deadlock_stack=1"
	cmake --preset tsan
	$(no_aslr) cmake --build --preset tsan --parallel $(JOBS) --target threaded_tests
	@# Left out are long tests of data and of what one thread decides.
	PACKHORSE_SMALL=1 GTEST_FILTER='-WorldTest.*:PoisonTest.*:*RandomCloud.*:EvidenceChance.*:*SalvageTest.*:*Flash.*:RandomClocks.*:*DamagedPages.*:ColumnCodec.*:*FaultMatrixOfMoments*:*LimitedDay.*' \
	  $(no_aslr) tests/run-programs.sh build/tsan

fuzz:
	@$(packages) fuzz
	cmake --preset fuzz
	cmake --build --preset fuzz --parallel $(JOBS) --target fuzzers
	tests/fuzz/run.sh build/fuzz/bin $(FUZZ_SECONDS)

mutants:
	@$(packages) mutants
	tests/mutants/run.sh

bench:
	@$(packages) bench
	tests/bench/run.sh

soak:
	@$(MAKE) run DURATION=$(SOAK_SECONDS)

deb:
	@$(packages) deb
	debian/build.sh

service-test: configure-tests
	@$(packages) service
	cmake --build build --parallel $(JOBS) --target packhorse-cloud packhorse-fleet
	tests/service/run.sh

cross:
	@cross/build.sh $(ARCH)

nightly: ci
	@LINT_DEEP=1 $(MAKE) lint
	$(MAKE) asan ASAN_TESTS=unit_tests
	@# A thousand years; a test may take ten minutes.
	for _ in {1..25}; do $(MAKE) simulation YEARS=40; done
	PACKHORSE_CUTS=5000 PACKHORSE_EVERY=1 build/bin/crash_test
	$(MAKE) histories SHORT_SEQUENCES=1250
	PACKHORSE_SEQUENCES=10000 build/bin/model_test --gtest_filter='QueueModel.*'
	PACKHORSE_OUTAGE_SECONDS=60 build/bin/e2e_test --gtest_filter='*Gone*'
	PACKHORSE_CUTS_END_TO_END=5000 build/bin/e2e_test --gtest_filter='PowerCutEndToEnd.*'
	PACKHORSE_KILLS=300 build/bin/e2e_test --gtest_filter='Kill.Random*'
	PACKHORSE_SUSPECTS=2000000 build/bin/delivery_test --gtest_filter='EvidenceChance.*'
	$(MAKE) mutants
	$(MAKE) fuzz FUZZ_SECONDS=600
	$(MAKE) bench BENCH_BACKLOG=10000000
	$(MAKE) soak

clean:
	@if [ "$$(id -u)" -ne 0 ]; then
	  for made_by_root in build/cross build/service; do
	    [ ! -d "$$made_by_root" ] || sudo rm -rf --one-file-system "$$made_by_root"
	  done
	fi
	rm -rf --one-file-system build
