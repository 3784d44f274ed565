# A daemon that hangs is killed and started again by the service manager.

check "the watchdog is on" equal "$(property WatchdogUSec)" 30s
# The same with shorter times, so that the test does not wait for half a minute.
mkdir -p /run/systemd/system/packhorsed.service.d
printf '[Service]\nWatchdogSec=3\nRestartSec=1\n' > /run/systemd/system/packhorsed.service.d/times.conf
systemctl daemon-reload
systemctl restart packhorsed

# restarted_once OLD_PID
restarted_once() { equal "$(property ActiveState) $(property NRestarts)" 'active 1' && ! equal "$(property MainPID)" "$1" > /dev/null; }

check "it runs with shorter times" within 10 healthy
pid=$(property MainPID)
kill -STOP "$pid"
publish 200 || true
check "a hung daemon is replaced" within 20 restarted_once "$pid"
check "because of the watchdog" grep --quiet "packhorsed.service: Failed with result 'watchdog'" \
  <(journalctl --no-pager --unit packhorsed --output cat)
check "it is healthy again" within 10 healthy
check "what came meanwhile is in the cloud, once" accounted_for
