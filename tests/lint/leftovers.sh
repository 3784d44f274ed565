#!/usr/bin/env bash
# What editing and patching leave behind is in nobody's way but does not belong here.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lint/files.sh

found=$(files '*.orig' '*.rej' '*~' '*.swp')
[ -z "$found" ] || { echo "$found" | sed 's/$/: a leftover/'; exit 1; }
