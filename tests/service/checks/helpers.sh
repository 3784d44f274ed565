# Sourced by run.sh. What the parts share: how a check is made and counted, and questions to daemon, broker and cloud.

passed=0 failed=0
published=0   # messages that the broker acknowledged to the devices, all in all

configuration=/etc/packhorse/packhorse.json
queue=/var/lib/packhorse/queue.db
cloud_database=/var/tmp/cloud.db

# check TEXT COMMAND...: counts whether it succeeds; its output is shown only when it fails. Functions stop at their first
# failing command. Runs in a subshell: what is to be kept belongs outside.
check() {
  local text=$1 output result
  shift
  set +e
  output=$(set -e; "$@" 2>&1 < /dev/null)
  result=$?
  set -e
  if [ "$result" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok      $text"
  else
    failed=$((failed + 1))
    echo "FAILED  $text (exit code $result of: $*)"
    [ -z "$output" ] || printf '%s\n' "$output" | sed 's/^/        /'
  fi
}

# within SECONDS COMMAND...: repeats the command until it succeeds.
within() {
  local deadline=$((SECONDS + $1)) output
  shift
  until output=$("$@" 2>&1); do
    if [ "$SECONDS" -ge "$deadline" ]; then
      printf 'not in time: %s\n%s\n' "$*" "$output"
      return 1
    fi
    sleep 0.1
  done
}

# equal ACTUAL EXPECTED, matches ACTUAL REGEX: say both when they differ.
equal() { [ "$1" = "$2" ] || { printf 'is:       %s\nexpected: %s\n' "$1" "$2"; return 1; }; }
matches() { [[ $1 =~ $2 ]] || { printf 'is:       %s\nexpected: %s\n' "$1" "$2"; return 1; }; }

# refused REGEX COMMAND...: it fails, and says why in words that match.
refused() {
  local words=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf 'succeeded: %s\n%s\n' "$*" "$output"
    return 1
  fi
  matches "$output" "$words"
}

# as USER COMMAND...: with the groups that the user has.
as() {
  local user=$1
  shift
  setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
}

property() { systemctl show --property "$1" --value "${2:-packhorsed}"; }
state_is() { equal "$(property ActiveState)" "$1"; }
owner_and_mode() { equal "$(stat --format '%U:%G %a' "$1")" "$2"; }
status() { packhorse status --json | jq --raw-output "$1"; }
status_is() { equal "$(status "$1")" "$2"; }
healthy() { status_is .state ok && equal "$(property StatusText)" "ok: receiving and delivering"; }

# configure [JQ_FILTER]: writes the configuration of this test, changed by the filter. It is not applied.
configure() {
  jq "${1:-.}" /test/checks/packhorse.json > "$configuration"
}

# publish COUNT: that many messages from twenty devices, each acknowledged by the broker.
first_seq=1
publish() {
  local report
  report=$(/test/programs/packhorse-fleet --broker 127.0.0.1:1883 --devices 20 --rate 0 --count "$1" --first-seq "$first_seq")
  equal "$(jq .acknowledged <<< "$report")" "$1" || return 1
  first_seq=$((first_seq + $1))
  published=$((published + $1))
}

in_cloud() {
  sqlite3 -readonly "$cloud_database" 'SELECT COUNT(*) FROM (SELECT DISTINCT queue_id, lane, sequence FROM records)'
}
all_in_cloud() { equal "$(in_cloud)" "$published"; }
pending_is() { status_is .ledger.pending "$1"; }
# The broker acknowledges to a device before it has handed the message on; only what has been handed on can be sent or kept.
has_arrived() { within 10 status_is .ledger.received "$published"; }
# Everything that was ever published is in the cloud, and the ledger says the same, recounted.
accounted_for() {
  within 20 all_in_cloud
  within 5 pending_is 0
  packhorse ledger --check
  status_is .ledger.received "$published"
  status_is .ledger.delivered "$published"
}
