# A queue that cannot be opened at the start: what heals by itself is waited for, without a restart; what does not ends the
# service for good, and `packhorse check` says both before.

waits_for_it() {
  state_is active
  matches "$(property StatusText)" '^waiting for the queue, nothing is received or delivered: .* is in use by process '
  equal "$(property NRestarts)" 0
}

ends_for_good() {
  within 10 state_is failed
  equal "$(property Result) $(property ExecMainStatus) $(property NRestarts)" "exit-code 78 0"
  matches "$(property StatusText)" 'the queue has format 99\.0'
}

set_format() { as packhorse sqlite3 "$queue" "UPDATE meta SET value = '$1' WHERE key = 'format'"; }

check "it stops" systemctl stop packhorsed
systemctl reset-failed packhorsed 2> /dev/null || true
setpriv --reuid packhorse --regid packhorse --init-groups -- flock --no-fork "$queue.lock" sleep 600 &
holder=$!
check "somebody else has the queue" within 5 refused '' as packhorse flock --nonblock "$queue.lock" true
check "check says so, and that it is waited for" matches "$(packhorse check 2>&1 || true)" 'until that is over the daemon waits'
check "the start returns, and the service waits" systemctl start packhorsed
check "it says what it waits for" within 10 waits_for_it
kill "$holder"
check "it goes on by itself" within 40 healthy
check "without a restart" equal "$(property NRestarts)" 0

check "it stops once more" systemctl stop packhorsed
format=$(as packhorse sqlite3 "$queue" "SELECT value FROM meta WHERE key = 'format'")
check "a newer release wrote the queue" set_format 99.0
check "check names it" refused 'the queue has format 99\.0' packhorse check
systemctl start packhorsed 2> /dev/null || true
check "the service ends for good" ends_for_good
check "the release that knows it is back" set_format "$format"
check "the service starts" systemctl start packhorsed
check "and is well" within 10 healthy
