# kill -9 with a backlog.

systemctl stop cloud
publish 300 || true
check "without the cloud messages are kept" within 10 pending_is 300
touch /run/packhorse/kept
folder=$(stat --format %i /run/packhorse)
systemctl reset-failed packhorsed
systemctl restart packhorsed
check "it runs" within 10 pending_is 300
pid=$(property MainPID)
kill -KILL "$pid"
check "a killed daemon is replaced" within 10 restarted_once "$pid"
check "with the backlog" within 10 pending_is 300
check "the runtime folder is kept over the restart" test -e /run/packhorse/kept -a "$(stat --format %i /run/packhorse)" = "$folder"
check "the cloud comes back" start_cloud
check "everything is in the cloud, once" accounted_for
rm -f /run/packhorse/kept
