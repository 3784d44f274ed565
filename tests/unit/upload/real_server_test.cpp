// Against a real nginx: what every cloud does on a good day.
#include <gtest/gtest.h>

#include <cstdlib>
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

// One nginx for all tests of this file, each with a fresh uploader.
class Cloud : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = std::make_unique<test::TempDir>();
    const int port = test::FreePort();
    nginx_ = std::make_unique<Nginx>(dir_->path(), port, Config(port));
  }
  static void TearDownTestSuite() {
    nginx_.reset();
    dir_.reset();
  }
  static std::string Config(int port) {
    const std::string at = "127.0.0.1:" + std::to_string(port);
    return "server { listen " + at +
           "; client_max_body_size 64k;"
           "location /ok { default_type application/json; add_header X-Request-Id r-17; return 200 '{\"accepted\":1}'; "
           "}"
           "location /busy { add_header Retry-After 7 always; return 429 'slow down'; }"
           "location /moved { return 302 http://" +
           at +
           "/ok; }"
           "location /empty { return 204; }"
           "location /zipped { gzip on; gzip_min_length 1; gzip_types text/plain; default_type text/plain; return 200 "
           "'" +
           std::string(500, 'a') + "'; } location / { return 404 'no such thing'; } }";
  }
  static Endpoint Nearby() { return At("http://127.0.0.1:" + std::to_string(nginx_->port())); }

  static std::unique_ptr<test::TempDir> dir_;
  static std::unique_ptr<Nginx> nginx_;
  std::unique_ptr<Uploader> uploader_ = NewUploader();
};
std::unique_ptr<test::TempDir> Cloud::dir_;
std::unique_ptr<Nginx> Cloud::nginx_;

TEST_F(Cloud, SuccessBringsStatusHeadersAndBody) {
  const Response response = Exchange(*uploader_, Nearby(), Post("/ok", R"({"records":[]})"));
  EXPECT_EQ(response.transport, Transport::kOk) << response.error;
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"accepted":1})");
  EXPECT_EQ(response.Header("x-request-id"), "r-17");
  EXPECT_EQ(response.Header("content-type"), "application/json");
  EXPECT_EQ(response.Header("x-none"), "");
  EXPECT_EQ(response.http_version, "1.1");
  EXPECT_FALSE(response.truncated);
  EXPECT_TRUE(response.error.empty());
  EXPECT_GT(response.elapsed.count(), 0);
  EXPECT_GT(response.bytes_sent, 14U);
}

TEST_F(Cloud, ErrorStatusIsAnAnswerToo) {
  const Response missing = Exchange(*uploader_, Nearby(), Post("/v1/telemetri"));
  EXPECT_EQ(missing.transport, Transport::kOk);
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "no such thing");
  const Response busy = Exchange(*uploader_, Nearby(), Post("/busy"));
  EXPECT_EQ(busy.status, 429);
  EXPECT_EQ(busy.Header("retry-after"), "7");
}

TEST_F(Cloud, EmptyAnswerHasNoBody) {
  const Response response = Exchange(*uploader_, Nearby(), Post("/empty"));
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
}

TEST_F(Cloud, RedirectIsReportedAndNotFollowed) {
  const Response response = Exchange(*uploader_, Nearby(), Post("/moved"));
  EXPECT_EQ(response.transport, Transport::kOk);
  EXPECT_EQ(response.status, 302);
}

TEST_F(Cloud, TooLargeBodyIs413) {
  const std::string body(200'000, 'x');
  const Response response = Exchange(*uploader_, Nearby(), Post("/ok", body));
  EXPECT_EQ(response.transport, Transport::kOk) << response.error;
  EXPECT_EQ(response.status, 413);
}

TEST_F(Cloud, BodyOfManyMegabytesThatIsRefusedAtOnceIs413) {
  const std::string body(8'000'000, 'x');
  const Response response = Exchange(*uploader_, Nearby(), Post("/ok", body));
  EXPECT_EQ(response.transport, Transport::kOk) << response.error;
  EXPECT_EQ(response.status, 413);
  EXPECT_LT(response.bytes_sent, body.size());
}

TEST_F(Cloud, CompressedAnswerIsDecoded) {
  const Response response = Exchange(*uploader_, Nearby(), Post("/zipped"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("content-encoding"), "gzip");
  EXPECT_EQ(response.body, std::string(500, 'a'));
}

TEST_F(Cloud, DecodedBodyOverItsBoundIsCut) {
  Endpoint endpoint = Nearby();
  endpoint.max_response_bytes = 499;
  const Response response = Exchange(*uploader_, endpoint, Post("/zipped"));
  EXPECT_EQ(response.transport, Transport::kOk);
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.truncated);
  EXPECT_EQ(response.body.size(), 499U);
  endpoint.max_response_bytes = 500;
  EXPECT_FALSE(Exchange(*uploader_, endpoint, Post("/zipped")).truncated);
}

TEST_F(Cloud, OtherMethodsWork) {
  Request get;
  get.method = "GET";
  get.path = "/ok?from=1&to=2";
  EXPECT_EQ(Exchange(*uploader_, Nearby(), get).body, R"({"accepted":1})");
  Request head;
  head.method = "HEAD";
  head.path = "/ok";
  const Response response = Exchange(*uploader_, Nearby(), head);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "");
  Request put = Post("/ok");
  put.method = "PUT";
  EXPECT_EQ(Exchange(*uploader_, Nearby(), put).status, 200);
  Request remove;
  remove.method = "DELETE";
  remove.path = "/ok?remove";
  EXPECT_EQ(Exchange(*uploader_, Nearby(), remove).status, 200);
  const auto logged = nginx_->LogOf("/ok?remove", 1);
  ASSERT_EQ(logged.size(), 1U);
  EXPECT_EQ(logged[0].method, "DELETE");
}

TEST_F(Cloud, ConnectionIsKeptForTheNextRequest) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Exchange(*uploader_, Nearby(), Post("/ok?keep")).status, 200);
  }
  std::set<std::string> connections;
  for (const Nginx::Access& access : nginx_->LogOf("/ok?keep", 10)) {
    connections.insert(access.connection);
  }
  EXPECT_EQ(connections.size(), 1U);
}

TEST_F(Cloud, ManyAtOnceUseAtMostSixtyFourConnections) {
  int answered = 0;
  for (int i = 0; i < 100; ++i) {
    uploader_->Send(Nearby(), Post("/ok?many"),
                    [&](const Response& response) { answered += response.status == 200 ? 1 : 0; });
  }
  EXPECT_EQ(uploader_->in_flight(), 100U);
  ASSERT_TRUE(Drain(*uploader_));
  EXPECT_EQ(answered, 100);
  std::set<std::string> connections;
  for (const Nginx::Access& access : nginx_->LogOf("/ok?many", 100)) {
    connections.insert(access.connection);
  }
  EXPECT_GE(connections.size(), 1U);
  EXPECT_LE(connections.size(), 64U);
}

TEST_F(Cloud, ProxyOfTheEnvironmentIsNotUsed) {
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) {
    setenv(name, "http://127.0.0.1:1", 1);
  }
  const Response response = Exchange(*uploader_, Nearby(), Post("/ok"));
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) {
    unsetenv(name);
  }
  EXPECT_EQ(response.status, 200) << response.error;
}

}  // namespace
}  // namespace packhorse::upload
