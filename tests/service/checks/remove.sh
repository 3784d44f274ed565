# Removal keeps configuration and queue; purge takes the configuration with its secrets, and never undelivered messages.

apt_get() { apt-get -qq -y -o Dpkg::Use-Pty=0 "$@"; }

removed() {
  apt_get remove packhorse
  [ ! -e /usr/bin/packhorsed ]
  equal "$(property ActiveState)" inactive
}

purge_says_what_stays() {
  local output
  output=$(apt_get purge packhorse)
  matches "$output" 'rm -r /var/lib/packhorse'
}

no_service_left() { equal "$(systemctl list-unit-files --no-legend 'packhorsed*')" ''; }

check "apt removes it" removed
check "the configuration stays" equal "$(sha256sum < "$configuration")" "$before"
check "the queue stays" test -s "$queue"
check "it installs again" apt_install /test/packages/next.deb
check "it takes up the backlog" within 10 pending_is 150
check "the cloud comes back" start_cloud
check "everything is in the cloud, once" accounted_for
systemctl stop cloud
publish 50 || true
check "messages wait once more" within 10 pending_is 50
check "purge says what it leaves" purge_says_what_stays
check "configuration and secrets are gone" test ! -e /etc/packhorse
check "the queue is not" test -s "$queue"
check "nothing of the service is left" no_service_left
rm -f /run/systemd/system/packhorsed.service.d/times.conf
check "it installs anew" apt_install /test/packages/next.deb
check "the queue still belongs to the service" owner_and_mode "$queue" 'packhorse:packhorse 600'

# From a package that had the configuration as a conffile, changed here and changed there.
changed_here() {
  echo '// Mine.' >> "$configuration"
  before=$(sha256sum < "$configuration")
}

purged() { apt_get purge packhorse > /dev/null; }
# Whoever upgrades by hand sets nothing that keeps packages from asking.
upgraded_without_a_question() {
  unset DEBIAN_FRONTEND
  apt_install /test/packages/next.deb < /dev/null
  matches "$(dpkg-query --show --showformat '${Status}' packhorse)" '^install ok installed$'
  equal "$(sha256sum < "$configuration")" "$before"
}

check "apt purges it" purged
check "an older package with a conffile installs" apt_install /test/packages/previous.deb
changed_here
check "the newer one asks nothing and leaves the configuration" upgraded_without_a_question
