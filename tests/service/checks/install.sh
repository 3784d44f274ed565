# The package on a bare system: its dependencies are complete, its folders right, and without a configuration the service
# says so and stays down.

# The container has no network; what apt may need is in its cache.
apt_install() { apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@"; }

no_library_missing() {
  local program
  for program in "$@"; do
    refused '^$' grep 'not found' <(ldd "$program")
  done
}

user_of_its_own() {
  local entry
  entry=$(getent passwd packhorse)
  matches "$entry" '^packhorse:[^:]*:[0-9]{1,3}:[0-9]{1,3}:[^:]*:/var/lib/packhorse:/usr/sbin/nologin$'
}

# One line, and not a screenful.
status_line_says_why() {
  local line
  line=$(systemctl --no-pager --lines 0 --full status packhorsed | grep '^ *Status: ' || true)
  matches "$line" 'not started, configuration refused \([0-9]+ errors?, [0-9]+ warnings?\): /etc/packhorse/packhorse\.json: /'
  matches "$line" 'cloud\.token'
  [ "${#line}" -le 450 ]
}

refused_for_good() {
  within 10 state_is failed
  # A unit that is to be tried again is `activating`, not `failed`.
  equal "$(property Result) $(property ExecMainStatus) $(property NRestarts)" "exit-code 78 0"
}

check "apt installs the package on a bare system" apt_install /test/packages/this.deb
check "no shared library is missing" no_library_missing /usr/bin/packhorsed /usr/bin/packhorse
check "a system user without a shell runs it" user_of_its_own
check "/etc/packhorse is root's, readable by the group" owner_and_mode /etc/packhorse 'root:packhorse 750'
check "the folder of contracts is there" owner_and_mode /etc/packhorse/contracts 'root:packhorse 750'
check "credentials are root's alone" owner_and_mode /etc/packhorse/credentials 'root:root 700'
check "the example configuration is there" owner_and_mode "$configuration" 'root:root 644'
check "it is no conffile: no upgrade asks about it" equal "$(dpkg-query --show --showformat '${Conffiles}' packhorse)" ''
check "the service is enabled" systemctl --quiet is-enabled packhorsed
check "without a valid configuration it is not tried again" refused_for_good
check "systemctl status says why in one line" status_line_says_why
check "packhorse check finds the same" refused 'cloud\.token' packhorse check
check "/var/lib/packhorse belongs to the service" owner_and_mode /var/lib/packhorse 'packhorse:packhorse 750'

# From here on there is a site around it.
check "broker and tools install" apt_install mosquitto sqlite3 curl jq libsimdjson14
check "the test's own programs find their libraries" no_library_missing /test/programs/packhorse-{cloud,fleet}
check "the broker runs" within 10 systemctl --quiet is-active mosquitto
