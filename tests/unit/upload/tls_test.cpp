// TLS against a real nginx, with an authority of our own.
#include "support/tls.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "harness.h"
#include "support/nginx.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::upload {
namespace {

using test::Nginx;
using test::TestPki;

// Four servers of one nginx: good, for another host, expired, and one that asks for a client certificate.
class Tls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = std::make_unique<test::TempDir>();
    pki_ = std::make_unique<TestPki>(dir_->path());
    std::string config;
    good_ = Add(config, pki_->server_certificate, pki_->server_key, "http2", "");
    elsewhere_ = Add(config, pki_->elsewhere_certificate, pki_->elsewhere_key, "", "");
    expired_ = Add(config, pki_->expired_certificate, pki_->expired_key, "", "");
    mutual_ = Add(config, pki_->server_certificate, pki_->server_key, "",
                  "ssl_client_certificate " + pki_->ca + "; ssl_verify_client on;");
    old_ = Add(config, pki_->server_certificate, pki_->server_key, "",
               "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;");
    nginx_ = std::make_unique<Nginx>(dir_->path(), good_, config);
  }
  static void TearDownTestSuite() {
    nginx_.reset();
    pki_.reset();
    dir_.reset();
  }
  static int Add(std::string& config, const std::string& certificate, const std::string& key,
                 const std::string& options, const std::string& more) {
    const int port = test::FreePort();
    config += "server { listen 127.0.0.1:" + std::to_string(port) + " ssl " + options + "; ssl_certificate " +
              certificate + "; ssl_certificate_key " + key + "; " + more + " location / { return 200 fine; } }\n";
    return port;
  }
  static Endpoint Secure(int port, const std::string& host = "127.0.0.1") {
    Endpoint endpoint = At("https://" + host + ":" + std::to_string(port));
    endpoint.ca = pki_->ca;
    return endpoint;
  }
  Response Send(const Endpoint& endpoint) { return Exchange(*uploader_, endpoint, Post("/v1/telemetry")); }
  // A failure of the handshake: nothing was sent, and the message says which host.
  void ExpectTlsFailure(const Endpoint& endpoint, const std::string& part) {
    const Response response = Send(endpoint);
    EXPECT_EQ(Name(response.transport), "tls") << response.error;
    EXPECT_EQ(response.bytes_sent, 0U);
    EXPECT_NE(response.error.find(part), std::string::npos) << response.error;
    EXPECT_NE(response.error.find("127.0.0.1:"), std::string::npos) << response.error;
  }

  static std::unique_ptr<test::TempDir> dir_;
  static std::unique_ptr<TestPki> pki_;
  static std::unique_ptr<Nginx> nginx_;
  static int good_, elsewhere_, expired_, mutual_, old_;
  std::unique_ptr<Uploader> uploader_ = NewUploader();
};
std::unique_ptr<test::TempDir> Tls::dir_;
std::unique_ptr<TestPki> Tls::pki_;
std::unique_ptr<Nginx> Tls::nginx_;
int Tls::good_, Tls::elsewhere_, Tls::expired_, Tls::mutual_, Tls::old_;

TEST_F(Tls, ConfiguredAuthorityIsTrustedAndHttp2IsUsedWhereOffered) {
  const Response response = Send(Secure(good_));
  EXPECT_EQ(response.transport, Transport::kOk) << response.error;
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "fine");
  EXPECT_EQ(response.http_version, "2");
  ASSERT_TRUE(response.certificate_ends);
  EXPECT_GT(*response.certificate_ends, SystemClock().Wall());
  EXPECT_FALSE(Send(Secure(good_)).certificate_ends) << "it goes over the same connection";
}

TEST_F(Tls, ServerWithoutHttp2IsAskedInHttp11) {
  Endpoint endpoint = Secure(mutual_);
  endpoint.certificate = pki_->client_certificate;
  endpoint.key = pki_->client_key;
  EXPECT_EQ(Send(endpoint).http_version, "1.1");
}

TEST_F(Tls, ManyHttp2RequestsShareOneConnection) {
  int answered = 0;
  for (int i = 0; i < 20; ++i) {
    uploader_->Send(Secure(good_), Post("/shared", std::string_view("{\"n\":1}")),
                    [&](const Response& response) { answered += response.status == 200 ? 1 : 0; });
  }
  ASSERT_TRUE(Drain(*uploader_));
  EXPECT_EQ(answered, 20);
  std::set<std::string> connections;
  for (const Nginx::Access& access : nginx_->LogOf("/shared", 20)) {
    EXPECT_EQ(access.protocol, "HTTP/2.0");
    connections.insert(access.connection);
  }
  EXPECT_EQ(connections.size(), 1U);
}

TEST_F(Tls, UnknownAuthorityIsRefused) {
  Endpoint endpoint = Secure(good_);
  endpoint.ca = pki_->other_ca;
  ExpectTlsFailure(endpoint, "certificate");
  endpoint.ca = "";  // the system's store does not know it either
  ExpectTlsFailure(endpoint, "certificate");
}

TEST_F(Tls, WrongHostNameIsRefused) { ExpectTlsFailure(Secure(elsewhere_), "subject"); }

TEST_F(Tls, HostNameIsAcceptedAsWellAsAddress) { EXPECT_EQ(Send(Secure(good_, "localhost")).status, 200); }

TEST_F(Tls, ExpiredCertificateIsRefused) { ExpectTlsFailure(Secure(expired_), "expired"); }

TEST_F(Tls, VersionsBefore12AreRefused) { ExpectTlsFailure(Secure(old_), ""); }

TEST_F(Tls, PlainServerBehindHttpsIsAHandshakeFailure) {
  const int port = test::FreePort();
  const test::TempDir dir;
  const Nginx plain(dir.path(), port, "server { listen 127.0.0.1:" + std::to_string(port) + "; return 200; }");
  ExpectTlsFailure(Secure(port), "");
}

TEST_F(Tls, MissingOrBrokenAuthorityFileIsOurOwnFault) {
  Endpoint endpoint = Secure(good_);
  endpoint.ca = *dir_ / "none.pem";
  const Response missing = Send(endpoint);
  EXPECT_EQ(Name(missing.transport), "local");
  EXPECT_NE(missing.error.find("none.pem"), std::string::npos) << missing.error;
  test::WriteAll(*dir_ / "junk.pem", "not a certificate");
  endpoint.ca = *dir_ / "junk.pem";
  EXPECT_EQ(Name(Send(endpoint).transport), "local");
}

TEST_F(Tls, MendedAuthorityFileIsUsedAtOnce) {
  Endpoint endpoint = Secure(good_);
  endpoint.ca = *dir_ / "mended.pem";
  test::WriteAll(endpoint.ca, test::ReadAll(pki_->other_ca));
  EXPECT_EQ(Name(Send(endpoint).transport), "tls");
  test::WriteAll(endpoint.ca, test::ReadAll(pki_->ca));
  EXPECT_EQ(Send(endpoint).status, 200);
}

TEST_F(Tls, ClientCertificateIsPresented) {
  Endpoint endpoint = Secure(mutual_);
  endpoint.certificate = pki_->client_certificate;
  endpoint.key = pki_->client_key;
  EXPECT_EQ(Exchange(*uploader_, endpoint, Post("/who")).status, 200);
  const auto logged = nginx_->LogOf("/who", 1);
  ASSERT_EQ(logged.size(), 1U);
  EXPECT_EQ(logged[0].client, "CN=gw-0042");
}

TEST_F(Tls, WithoutClientCertificateTheServerSaysSo) {
  const Response response = Send(Secure(mutual_));  // nginx answers this inside HTTP
  EXPECT_EQ(response.status, 400);
}

TEST_F(Tls, MissingKeyOfTheClientCertificateIsOurOwnFault) {
  Endpoint endpoint = Secure(mutual_);
  endpoint.certificate = pki_->client_certificate;
  endpoint.key = *dir_ / "none.key";
  EXPECT_EQ(Name(Send(endpoint).transport), "local");
  endpoint.key = pki_->server_key;  // belongs to another certificate
  EXPECT_EQ(Name(Send(endpoint).transport), "local");
}

TEST_F(Tls, ServerThatEndsTheConnectionForTheCertificateHasSeenNoRequest) {
  const int port = test::FreePort();
  test::Process server(
      {"openssl", "s_server", "-accept", "127.0.0.1:" + std::to_string(port), "-cert", pki_->server_certificate, "-key",
       pki_->server_key, "-CAfile", pki_->ca, "-Verify", "1", "-verify_return_error", "-tls1_3", "-www"},
      *dir_ / "s_server.log");
  ASSERT_TRUE(test::WaitFor([&] { return test::PortOpen(port); }));
  EXPECT_EQ(Name(Send(Secure(port)).transport), "tls");
  Endpoint stranger = Secure(port);
  stranger.certificate = pki_->stranger_certificate;
  stranger.key = pki_->stranger_key;
  const Response response = Send(stranger);
  EXPECT_EQ(Name(response.transport), "tls") << response.error;
}

TEST_F(Tls, PinnedKeyIsAcceptedAndAnotherIsNot) {
  const std::string wrong = "sha256//" + std::string(43, 'A') + "=";
  Endpoint endpoint = Secure(good_);
  endpoint.pins = {wrong};
  ExpectTlsFailure(endpoint, "pinned");
  endpoint.pins = {wrong, pki_->server_pin};
  EXPECT_EQ(Send(endpoint).status, 200);
}

TEST_F(Tls, PinIsCheckedThoughAConnectionIsOpen) {
  EXPECT_EQ(Send(Secure(good_)).status, 200);
  Endpoint endpoint = Secure(good_);
  endpoint.pins = {"sha256//" + std::string(43, 'A') + "="};
  ExpectTlsFailure(endpoint, "pinned");
}

TEST_F(Tls, PinDoesNotReplaceVerification) {
  Endpoint endpoint = Secure(good_);
  endpoint.ca = pki_->other_ca;
  endpoint.pins = {pki_->server_pin};
  ExpectTlsFailure(endpoint, "certificate");
}

TEST_F(Tls, PinOfAnotherFormIsOurOwnFault) {
  for (const std::string& pin : {std::string("sha1//AAAA"), std::string("/etc/passwd"), std::string("sha256//short="),
                                 pki_->server_pin + ";" + pki_->server_pin}) {
    Endpoint endpoint = Secure(good_);
    endpoint.pins = {pin};
    EXPECT_EQ(Name(Send(endpoint).transport), "local") << pin;
  }
}

}  // namespace
}  // namespace packhorse::upload
