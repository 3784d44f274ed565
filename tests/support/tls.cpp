#include "support/tls.h"

#include <stdexcept>
#include <vector>

#include "support/certificates.h"
#include "support/process.h"

namespace packhorse::test {
namespace {

// What openssl takes from its configuration: nothing of the machine's.
constexpr char kConfig[] =
    "[req]\n"
    "distinguished_name=dn\n"
    "[dn]\n"
    "[authority]\n"
    "basicConstraints=critical,CA:TRUE\n"
    "keyUsage=critical,keyCertSign,cRLSign\n"
    "[server]\n"
    "basicConstraints=CA:FALSE\n"
    "extendedKeyUsage=serverAuth\n"
    "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
    "[elsewhere]\n"
    "basicConstraints=CA:FALSE\n"
    "extendedKeyUsage=serverAuth\n"
    "subjectAltName=DNS:elsewhere.example\n"
    "[client]\n"
    "basicConstraints=CA:FALSE\n"
    "extendedKeyUsage=clientAuth\n";

std::string Openssl(std::vector<std::string> arguments, const std::string& input = "") {
  arguments.insert(arguments.begin(), "openssl");
  const RunResult result = Run(arguments, input);
  if (result.exit_code != 0) {
    throw std::runtime_error("openssl " + arguments[1] + " failed: " + result.err);
  }
  return result.out;
}

class Maker {
 public:
  explicit Maker(std::string dir) : dir_(std::move(dir)), config_(dir_ + "/openssl.cnf") { WriteAll(config_, kConfig); }

  std::string Certificate(const std::string& name) const { return dir_ + "/" + name + ".crt"; }
  std::string Key(const std::string& name) const { return dir_ + "/" + name + ".key"; }

  void Authority(const std::string& name) const {
    Openssl({"req", "-x509", "-config", config_, "-extensions", "authority", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=" + name, "-keyout", Key(name), "-out",
             Certificate(name)});
  }

  // `days` may be negative: then the certificate has expired already.
  void Leaf(const std::string& name, const std::string& section, const std::string& subject, const std::string& ca,
            const std::string& days = "1") const {
    const std::string request = Openssl({"req", "-new", "-config", config_, "-newkey", "ec", "-pkeyopt",
                                         "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout", Key(name)});
    Openssl({"x509", "-req", "-CA", Certificate(ca), "-CAkey", Key(ca), "-CAcreateserial", "-extfile", config_,
             "-extensions", section, "-days", days, "-out", Certificate(name)},
            request);
  }

 private:
  std::string dir_;
  std::string config_;
};

}  // namespace

TestPki::TestPki(const std::string& dir) {
  const Maker maker(dir);
  maker.Authority("ca");
  maker.Authority("other-ca");
  maker.Leaf("server", "server", "/CN=localhost", "ca");
  maker.Leaf("elsewhere", "elsewhere", "/CN=elsewhere.example", "ca");
  maker.Leaf("expired", "server", "/CN=localhost", "ca", "-1");
  maker.Leaf("client", "client", "/CN=gw-0042", "ca");
  maker.Leaf("stranger", "client", "/CN=stranger", "other-ca");
  ca = maker.Certificate("ca");
  server_certificate = maker.Certificate("server");
  server_key = maker.Key("server");
  server_pin = PublicKeyPin(server_key);
  elsewhere_certificate = maker.Certificate("elsewhere");
  elsewhere_key = maker.Key("elsewhere");
  expired_certificate = maker.Certificate("expired");
  expired_key = maker.Key("expired");
  client_certificate = maker.Certificate("client");
  client_key = maker.Key("client");
  other_ca = maker.Certificate("other-ca");
  stranger_certificate = maker.Certificate("stranger");
  stranger_key = maker.Key("stranger");
}

}  // namespace packhorse::test
