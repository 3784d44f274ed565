#pragma once

#include <string>

#include "support/temp_dir.h"

namespace packhorse::test {

// A throw-away certificate authority with a server certificate (host name "localhost" and nothing else), a client
// certificate (CN "packhorse") and a second authority that signed neither. Made with the `openssl` command; files are
// readable by everyone, because servers drop their privileges. Throws when openssl fails.
class Certificates {
 public:
  Certificates();
  // A new key and certificate for the server, in the same files.
  void RenewServer();
  std::string ca() const { return dir_ / "ca.pem"; }
  std::string other_ca() const { return dir_ / "other-ca.pem"; }
  std::string server_certificate() const { return dir_ / "server.pem"; }
  std::string server_key() const { return dir_ / "server.key"; }
  std::string server_pin() const;  // "sha256//<base64>" of its public key
  std::string client_certificate() const { return dir_ / "client.pem"; }
  std::string client_key() const { return dir_ / "client.key"; }

 private:
  void MakeAuthority(const std::string& name);
  void MakeSigned(const std::string& name, const std::string& common_name, const std::string& extensions);

  TempDir dir_;
};

// "sha256//<base64>" of the public half of a private key, made with the `openssl` command.
std::string PublicKeyPin(const std::string& key_file);

}  // namespace packhorse::test
