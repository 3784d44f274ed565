# A newer version over a running one with a backlog; the cloud is away.

pid=$(property MainPID)
before=$(sha256sum < "$configuration")

newer_runs() {
  matches "$(dpkg-query --show --showformat '${Status} ${Version}' packhorse)" '^install ok installed .*\+next1$'
  state_is active
  ! equal "$(property MainPID)" "$pid" > /dev/null
}

check "apt installs the newer version" apt_install /test/packages/next.deb
check "the newer one runs" newer_runs
check "the configuration is untouched" equal "$(sha256sum < "$configuration")" "$before"
check "the example of the newer one is beside it" grep -q 'newer release' /usr/share/packhorse/packhorse.json
check "credentials are untouched" test -s /etc/packhorse/credentials/cloud.token
check "the backlog is there" within 10 pending_is 150
