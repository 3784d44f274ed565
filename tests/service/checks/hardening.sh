# What systemd itself thinks of the unit.

unit=/lib/systemd/system/packhorsed.service

# Unknown keys are only warned about, with exit code 0. (--man: there is no man program here to ask.)
verify_is_silent() { equal "$(systemd-analyze --man=no verify "$unit" 2>&1)" ''; }

check "systemd-analyze verify has nothing to say" verify_is_silent
check "the manual pages that it names are there" test -e /usr/share/man/man8/packhorsed.8.gz
check "the runbook that it names is there" test -e /usr/share/doc/packhorse/RUNBOOK.md
check "exposure is below 2.0" systemd-analyze --no-pager --offline=true --threshold=19 security "$unit"
