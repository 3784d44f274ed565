#pragma once

#include <string>

namespace packhorse::test {

// Certificates of a small authority of our own, made in a folder with the `openssl` command (EC keys, valid for a day).
// All members are paths of PEM files, except for the pins.
struct TestPki {
  // Throws when openssl fails. The folder exists.
  explicit TestPki(const std::string& dir);

  std::string ca;
  std::string server_certificate;  // for "localhost" and 127.0.0.1, signed by `ca`
  std::string server_key;
  std::string server_pin;             // "sha256//<base64>" of its public key
  std::string elsewhere_certificate;  // same authority, but for "elsewhere.example" only
  std::string elsewhere_key;
  std::string expired_certificate;  // as the server's, but its day is over
  std::string expired_key;
  std::string client_certificate;  // signed by `ca`, common name "gw-0042"
  std::string client_key;
  std::string other_ca;  // another authority, which signed only the stranger
  std::string stranger_certificate;
  std::string stranger_key;
};

}  // namespace packhorse::test
