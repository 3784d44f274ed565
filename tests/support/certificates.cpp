#include "support/certificates.h"

#include <sys/stat.h>

#include <stdexcept>
#include <vector>

#include "support/process.h"

namespace packhorse::test {
namespace {

std::string OpenSsl(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "openssl");
  const RunResult result = Run(arguments, input);
  if (result.exit_code != 0) {
    throw std::runtime_error("openssl " + arguments[1] + " failed: " + result.err);
  }
  return result.out;
}

}  // namespace

Certificates::Certificates() {
  MakeAuthority("ca");
  MakeAuthority("other-ca");
  RenewServer();
  MakeSigned("client", "packhorse", "extendedKeyUsage=clientAuth\n");
}

void Certificates::RenewServer() {
  MakeSigned("server", "localhost", "subjectAltName=DNS:localhost,IP:::1\nextendedKeyUsage=serverAuth\n");
}

void Certificates::MakeAuthority(const std::string& name) {
  OpenSsl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
           "-subj", "/CN=Test authority " + name, "-keyout", dir_ / (name + ".key"), "-out", dir_ / (name + ".pem")});
}

void Certificates::MakeSigned(const std::string& name, const std::string& common_name, const std::string& extensions) {
  WriteAll(dir_ / (name + ".ext"), extensions);
  OpenSsl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
           "/CN=" + common_name, "-keyout", dir_ / (name + ".key"), "-out", dir_ / (name + ".csr")});
  OpenSsl({"x509", "-req", "-in", dir_ / (name + ".csr"), "-CA", ca(), "-CAkey", dir_ / "ca.key", "-CAcreateserial",
           "-days", "30", "-extfile", dir_ / (name + ".ext"), "-out", dir_ / (name + ".pem")});
  chmod((dir_ / (name + ".key")).c_str(), 0644);
}

std::string Certificates::server_pin() const { return PublicKeyPin(server_key()); }

std::string PublicKeyPin(const std::string& key_file) {
  const std::string key = OpenSsl({"pkey", "-in", key_file, "-pubout", "-outform", "DER"});
  const std::string hash = OpenSsl({"dgst", "-sha256", "-binary"}, key);
  return "sha256//" + OpenSsl({"base64", "-A"}, hash);
}

}  // namespace packhorse::test
