// Requests through a proxy, and from an address of one's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "harness.h"
#include "support/connect_proxy.h"
#include "support/nginx.h"
#include "support/process.h"
#include "support/scripted_server.h"
#include "support/temp_dir.h"
#include "support/tls.h"
#include "upload/curl/no_proxy.h"

namespace packhorse::upload {
namespace {

using test::ConnectProxy;
using test::ScriptedServer;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Endpoint By(const ConnectProxy& proxy, const std::string& url) {
  Endpoint endpoint = At(url);
  endpoint.proxy.url = proxy.url();
  return endpoint;
}

std::string Port(const ScriptedServer& server) { return std::to_string(server.port()); }

ScriptedServer::Script Fine() {
  return ScriptedServer::Always(ScriptedServer::Reply("200 OK", "{}", "X-From: cloud\r\n"));
}

// Nothing was sent to the other side, and the message says that it is the proxy's doing.
void ExpectProxyFailure(const Response& response, const std::string& part) {
  EXPECT_EQ(Name(response.transport), "proxy") << response.error;
  EXPECT_FALSE(OutcomeUnknown(response.transport));
  EXPECT_EQ(response.status, 0);
  EXPECT_EQ(response.bytes_sent, 0U);
  EXPECT_THAT(response.headers, IsEmpty());
  EXPECT_THAT(response.error,
              AllOf(HasSubstr("the proxy 127.0.0.1:"), HasSubstr(part), HasSubstr("nothing of the request was sent")));
}

TEST(Proxy, MakesTheConnectionAlsoForPlainHttpAndResolvesTheName) {
  const ScriptedServer server(Fine());
  const ConnectProxy proxy;
  const auto uploader = NewUploader();
  const Endpoint endpoint = By(proxy, "http://no-such-name.invalid:" + Port(server));
  const Response response = Exchange(*uploader, endpoint, Post("/v1", "hello"));
  ASSERT_EQ(response.status, 200) << response.error;
  EXPECT_EQ(response.Header("x-from"), "cloud");
  EXPECT_EQ(response.Header("via"), "") << "headers of the proxy are none of the reply";
  EXPECT_EQ(response.bytes_sent, server.requests().at(0).size()) << "what goes to the proxy is not counted";
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/v1")).connection, response.connection);
  EXPECT_THAT(proxy.asked(), ElementsAre("no-such-name.invalid:" + Port(server)));
  EXPECT_THAT(server.requests().at(0), AllOf(HasSubstr("POST /v1 HTTP/1.1\r\n"), Not(HasSubstr("Proxy-"))));
}

TEST(Proxy, GetsUserNameAndPasswordAndTheOtherSideDoesNot) {
  const ScriptedServer server(Fine());
  const ConnectProxy proxy({.username = "gw-1", .password = "pr0xy:pass"});
  const auto uploader = NewUploader();
  Endpoint endpoint = By(proxy, server.url());
  endpoint.proxy.username = "gw-1";
  endpoint.proxy.password = "pr0xy:pass";
  const Response response = Exchange(*uploader, endpoint, Post("/v1"));
  EXPECT_EQ(response.status, 200) << response.error;
  EXPECT_EQ(proxy.asked().size(), 1U) << "they are sent at once, not on demand";
  EXPECT_THAT(server.requests().at(0), Not(HasSubstr("roxy")));
}

TEST(Proxy, ThatWantsAUserNameIsToldFromTheDestination) {
  const ScriptedServer server(Fine());
  const ConnectProxy proxy({.username = "gw-1", .password = "right"});
  const auto uploader = NewUploader();
  Endpoint endpoint = By(proxy, server.url());
  ExpectProxyFailure(Exchange(*uploader, endpoint, Post("/v1")), "wants a user name and a password (407)");
  endpoint.proxy.username = "gw-1";
  endpoint.proxy.password = "wr0ng";
  const Response refused = Exchange(*uploader, endpoint, Post("/v1"));
  ExpectProxyFailure(refused, "refuses the user name or the password (407)");
  EXPECT_THAT(refused.error, Not(HasSubstr("wr0ng")));
  endpoint.proxy.password = "right";
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/v1")).status, 200);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(Proxy, ThatForbidsOrCannotMakeTheConnectionIsToldFromTheDestination) {
  const ScriptedServer server(Fine());
  const auto uploader = NewUploader();
  const ConnectProxy forbids({.answer = "403 Forbidden"});
  ExpectProxyFailure(Exchange(*uploader, By(forbids, server.url()), Post("/v1")), "does not allow connections");
  const ConnectProxy broken({.answer = "503 Service Unavailable"});
  ExpectProxyFailure(Exchange(*uploader, By(broken, server.url()), Post("/v1")), "it answered 503");
  const ConnectProxy works;
  ExpectProxyFailure(Exchange(*uploader, By(works, "http://127.0.0.1:1"), Post("/v1")), "it answered 502");
  EXPECT_EQ(server.connections(), 0);
}

TEST(Proxy, ThatCannotBeReachedIsToldFromTheDestination) {
  const ScriptedServer server(Fine());
  const auto uploader = NewUploader();
  Endpoint endpoint = At(server.url());
  endpoint.proxy.url = "http://127.0.0.1:1";
  ExpectProxyFailure(Exchange(*uploader, endpoint, Post("/v1")), "could not be reached");
  endpoint.proxy.url = "http://no-such-proxy.invalid:3128";
  const Response unknown = Exchange(*uploader, endpoint, Post("/v1"));
  EXPECT_EQ(unknown.transport, Transport::kProxy);
  EXPECT_THAT(unknown.error, HasSubstr("the proxy no-such-proxy.invalid:3128: its name could not be resolved"));
  EXPECT_EQ(server.connections(), 0);
}

TEST(Proxy, ThatSaysNothingIsATimeoutWithoutAnUnknownOutcome) {
  const ScriptedServer server(Fine());
  const ConnectProxy proxy({.silent = true});
  const auto uploader = NewUploader();
  Endpoint endpoint = By(proxy, server.url());
  endpoint.connect_timeout = std::chrono::milliseconds(150);
  ExpectProxyFailure(Exchange(*uploader, endpoint, Post("/v1")), "did not answer in time");
}

TEST(Proxy, IsNotUsedForWhatIsExcepted) {
  const ScriptedServer server(Fine());
  const ConnectProxy proxy;
  const auto uploader = NewUploader();
  Endpoint endpoint = By(proxy, server.url());
  endpoint.proxy.no_proxy = {"plant.example", "127.0.0.0/8"};
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/v1")).status, 200);
  EXPECT_THAT(proxy.asked(), IsEmpty());
  endpoint.base_url = "http://127.0.0.1:1";
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/v1")).transport, Transport::kConnect);
}

TEST(Proxy, IsNeverTakenFromTheEnvironment) {
  const ScriptedServer server(Fine());
  const ConnectProxy proxy;
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) {
    setenv(name, proxy.url().c_str(), 1);
  }
  const auto uploader = NewUploader();
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/v1")).status, 200);
  EXPECT_THAT(proxy.asked(), IsEmpty());
  setenv("no_proxy", "*", 1);
  EXPECT_EQ(Exchange(*uploader, By(proxy, server.url()), Post("/v1")).status, 200);
  EXPECT_EQ(proxy.asked().size(), 1U);
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy"}) {
    unsetenv(name);
  }
}

TEST(Proxy, ARequestThatOnlyConnectsGoesThroughItToo) {
  const ScriptedServer server(Fine());
  const ConnectProxy proxy;
  const auto uploader = NewUploader();
  Request request;
  request.only_connect = true;
  EXPECT_EQ(Exchange(*uploader, By(proxy, server.url()), request).transport, Transport::kOk);
  EXPECT_EQ(proxy.asked().size(), 1U);
  const ConnectProxy forbids({.answer = "403 Forbidden"});
  EXPECT_EQ(Exchange(*uploader, By(forbids, server.url()), request).transport, Transport::kProxy);
}

class SecureProxy : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = std::make_unique<test::TempDir>();
    pki_ = std::make_unique<test::TestPki>(dir_->path());
    port_ = test::FreePort();
    nginx_ = std::make_unique<test::Nginx>(dir_->path(), port_,
                                           "server { listen 127.0.0.1:" + std::to_string(port_) +
                                               " ssl http2; ssl_certificate " + pki_->server_certificate +
                                               "; ssl_certificate_key " + pki_->server_key +
                                               "; location / { return 200 fine; } }\n");
  }
  static void TearDownTestSuite() {
    nginx_.reset();
    pki_.reset();
    dir_.reset();
  }
  static Endpoint Secure(const ConnectProxy& proxy) {
    Endpoint endpoint = By(proxy, "https://localhost:" + std::to_string(port_));
    endpoint.ca = pki_->ca;
    return endpoint;
  }

  static inline std::unique_ptr<test::TempDir> dir_;
  static inline std::unique_ptr<test::TestPki> pki_;
  static inline std::unique_ptr<test::Nginx> nginx_;
  static inline int port_ = 0;
  std::unique_ptr<Uploader> uploader_ = NewUploader();
};

TEST_F(SecureProxy, TlsGoesThroughItToTheDestination) {
  const ConnectProxy proxy({.username = "gw-1", .password = "secret"});
  Endpoint endpoint = Secure(proxy);
  endpoint.proxy.username = "gw-1";
  endpoint.proxy.password = "secret";
  endpoint.pins = {pki_->server_pin};
  const Response response = Exchange(*uploader_, endpoint, Post("/v1"));
  ASSERT_EQ(response.status, 200) << response.error;
  EXPECT_EQ(response.body, "fine");
  EXPECT_EQ(response.http_version, "2");
  EXPECT_THAT(proxy.asked(), ElementsAre("localhost:" + std::to_string(port_)));
}

TEST_F(SecureProxy, ACertificateOfTheDestinationThatIsNotTrustedIsNotTheProxysFault) {
  const ConnectProxy proxy;
  Endpoint endpoint = Secure(proxy);
  endpoint.ca = pki_->other_ca;
  const Response response = Exchange(*uploader_, endpoint, Post("/v1"));
  EXPECT_EQ(Name(response.transport), "tls") << response.error;
  EXPECT_EQ(response.bytes_sent, 0U);
}

TEST_F(SecureProxy, OneThatSpeaksTlsItselfIsVerifiedByItsOwnAuthority) {
  auto tls = http::TlsContext::Load(pki_->server_certificate, pki_->server_key);
  ASSERT_TRUE(tls) << tls.error().message;
  const ConnectProxy proxy({.tls = *tls});
  Endpoint endpoint = Secure(proxy);
  endpoint.proxy.ca = pki_->ca;
  const Response response = Exchange(*uploader_, endpoint, Post("/v1"));
  EXPECT_EQ(response.status, 200) << response.error;
  endpoint.proxy.ca = pki_->other_ca;
  endpoint.base_url = "https://127.0.0.1:" + std::to_string(port_);
  ExpectProxyFailure(Exchange(*uploader_, endpoint, Post("/v1")), "certificate");
}

TEST(WithoutProxy, FollowsNamesDomainsAddressesAndNetworks) {
  const std::vector<std::string> list = {"Plant.example", ".corp.example", "192.0.2.7",
                                         "10.0.0.0/9",    "2001:db8::/33", "broken/x"};
  for (const char* host : {"plant.example", "a.plant.example", "PLANT.EXAMPLE.", "x.corp.example", "192.0.2.7",
                           "10.127.255.255", "[2001:db8:7fff::1]"}) {
    EXPECT_TRUE(WithoutProxy(host, list)) << host;
  }
  for (const char* host : {"explant.example", "corp.example", "192.0.2.8", "10.128.0.0", "[2001:db8:8000::1]",
                           "example", "[::ffff:10.0.0.1]"}) {
    EXPECT_FALSE(WithoutProxy(host, list)) << host;
  }
  EXPECT_FALSE(WithoutProxy("plant.example", {}));
}

TEST(Bind, AConnectionComesFromTheAddressOrTheInterface) {
  const ScriptedServer server(Fine());
  const auto uploader = NewUploader();
  for (const char* bind : {"127.0.0.1", "lo"}) {
    Endpoint endpoint = At(server.url());
    endpoint.bind = bind;
    const Response response = Exchange(*uploader, endpoint, Post("/v1"));
    EXPECT_EQ(response.status, 200) << bind << ": " << response.error;
  }
  EXPECT_EQ(server.connections(), 2) << "a connection from elsewhere is not used";
}

TEST(Bind, AnInterfaceThatIsNotThereIsADestinationThatCannotBeReached) {
  const ScriptedServer server(Fine());
  const auto uploader = NewUploader();
  for (const char* bind : {"wwan9", "192.0.2.1"}) {
    Endpoint endpoint = At(server.url());
    endpoint.bind = bind;
    const Response response = Exchange(*uploader, endpoint, Post("/v1"));
    EXPECT_EQ(Name(response.transport), "connect") << bind << ": " << response.error;
    EXPECT_EQ(response.bytes_sent, 0U);
  }
  EXPECT_EQ(server.connections(), 0);
}

}  // namespace
}  // namespace packhorse::upload
