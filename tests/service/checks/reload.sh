# systemctl reload: a right configuration is applied, a wrong one refused, both without an interruption.

pid=$(property MainPID)
with_credential='.destinations[0].auth.token = {"credential": "cred_cloud.token"}'

reload_right() {
  configure "$with_credential | .gateway.attributes.site = \"plant-8\""
  systemctl reload packhorsed
  status_is .gateway.attributes.site plant-8
}

reload_wrong() {
  configure "$with_credential | .gateway.attributes.site = \"plant-9\" | .destinations[0].batch.max_records = 0"
  refused 'failed' systemctl reload packhorsed
}

old_one_in_force() {
  status_is .gateway.attributes.site plant-8
  equal "$(property ActiveState) $(property MainPID)" "active $pid"
}

refusal_named() {
  within 5 matches_status 'degraded: config_reload_refused since '
  journalctl --no-pager --unit packhorsed --output cat | grep --fixed-strings '/destinations/0/batch/max_records'
}
matches_status() { matches "$(property StatusText)" "$1"; }

mended() {
  configure "$with_credential"
  systemctl reload packhorsed
  within 5 healthy
  status_is .gateway.attributes.site plant-7
}

check "a changed configuration is applied" reload_right
check "a bad one is refused" reload_wrong
check "the old one stays in force, in the same process" old_one_in_force
check "status text and journal say what is wrong" refusal_named
publish 100 || true
check "messages go on" accounted_for
check "a mended one is applied and all is well again" mended
check "still the same process" equal "$(property MainPID)" "$pid"
