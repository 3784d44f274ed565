# systemctl stop: sends what is there when it can, keeps it when it cannot, and ends in time either way.

# stopped_within SECONDS
stopped_within() {
  local begin=$SECONDS
  systemctl stop packhorsed
  equal "$(property ActiveState) $(property Result) $(property ExecMainStatus)" 'inactive success 0'
  [ $((SECONDS - begin)) -le "$1" ] || { echo "took $((SECONDS - begin)) s"; return 1; }
}

check "it starts" systemctl start packhorsed
check "it is healthy" within 10 healthy
publish 200 || true
check "it has received them" has_arrived
check "it stops in time" stopped_within 12
check "the status text says that it stopped" equal "$(property StatusText)" 'stopped, not yet delivered: 0'
check "what had arrived was still sent" all_in_cloud
check "the runtime folder is kept, for what a disk may have refused" test -d /run/packhorse

systemctl stop cloud
systemctl start packhorsed
within 10 status_is '.sources[0].state' connected > /dev/null || true
publish 150 || true
check "without the cloud messages are kept" within 10 pending_is 150
check "it stops in time without the cloud" stopped_within 12
check "the status text says what is kept" equal "$(property StatusText)" 'stopped, not yet delivered: 150'
check "it starts with them" systemctl start packhorsed
check "they are still there" within 10 pending_is 150
