#!/usr/bin/env bash
# Each mutant of tests/mutants finds its place in the source.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/mutants/apply.py --check tests/mutants/*.mutant
