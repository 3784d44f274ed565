#!/usr/bin/env bash
# Every shell script parses, and bash scripts stop at the first error.
set -euo pipefail
. tests/lint/files.sh
status=0
while read -r file; do
  case $(head -n 1 "$file") in
    '#!/usr/bin/env bash' | '#!/bin/bash')
      bash -n "$file" || status=1
      if ! grep -q '^set -euo pipefail$' "$file"; then
        echo "$file: 'set -euo pipefail' is missing"
        status=1
      fi
      ;;
    '#!/bin/sh'*) sh -n "$file" || status=1 ;;
  esac
done < <(files '*.sh' '.ci/*' 'debian/*')
exit $status
