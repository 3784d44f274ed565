# With a valid configuration: from the broker to the cloud, and who may ask and change.

echo first-token > /root/cloud.token
cat > /run/systemd/system/cloud.service <<UNIT
[Service]
ExecStart=/test/programs/packhorse-cloud --listen 127.0.0.1:8080 --database $cloud_database --token-file /root/cloud.token --rate-limit 100000/1
UNIT
cloud_answers() { curl --silent --fail --output /dev/null http://127.0.0.1:8080/v1/stats; }
start_cloud() {
  systemctl start cloud
  within 10 cloud_answers
}

install --mode 640 --group packhorse /root/cloud.token /etc/packhorse/cloud.token
useradd member --groups packhorse
useradd stranger

configuration_is_right() {
  configure
  packhorse check
}

no_restart_since_start() { equal "$(property NRestarts)" 0; }

secret_not_told() {
  refused '^$' grep --fixed-strings --regexp "$1" <(journalctl --no-pager --unit packhorsed; packhorse status --json)
}

check "the reference cloud runs" start_cloud
check "a valid configuration is accepted" configuration_is_right
check "the service starts" systemctl restart packhorsed
check "it tells that it is ready" equal "$(property Type) $(property ActiveState) $(property SubState)" 'notify active running'
check "the status text says that it works" within 10 healthy
publish 500 || true
check "what was published is in the cloud" accounted_for
check "packhorse status works for root" packhorse status
check "packhorse status works for a member of the group" as member packhorse status
check "packhorse status is refused for others" refused 'group packhorse' as stranger packhorse status
check "a member of the group cannot change anything" refused 'only root and the service user' as member packhorse pause cloud
check "nor reload" refused 'only root and the service user' as member packhorse reload
check "nothing was paused" within 5 healthy
check "root can pause" packhorse pause cloud
check "and resume" packhorse resume cloud
check "the control socket is closed to others" owner_and_mode /run/packhorse/control.sock 'packhorse:packhorse 660'
check "so is its folder" owner_and_mode /run/packhorse 'packhorse:packhorse 750'
check "the queue belongs to the service alone" owner_and_mode "$queue" 'packhorse:packhorse 600'
check "the token is in no log and no answer" secret_not_told first-token
