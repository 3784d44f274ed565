# A secret by systemd credential: only the service manager reads the file.

use_credential() {
  install --mode 600 /dev/stdin /etc/packhorse/credentials/cloud.token <<< second-token
  rm /etc/packhorse/cloud.token
  configure '.destinations[0].auth.token = {"credential": "cred_cloud.token"}'
  systemctl restart packhorsed
}

# The cloud forgets the old token, so that only the new one lets messages in.
new_token_in_cloud() {
  echo second-token > /root/cloud.token
  systemctl restart cloud
  within 10 cloud_answers
}

check "the token of the cloud changes" new_token_in_cloud
check "the service starts with a credential" use_credential
check "it is healthy" within 10 healthy
publish 100 || true
check "the credential opens the cloud" accounted_for
check "others cannot read it" refused 'Permission denied' as member cat /run/credentials/packhorsed.service/cred_cloud.token
check "it is in no log and no answer" secret_not_told second-token
