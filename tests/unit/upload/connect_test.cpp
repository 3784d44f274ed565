// Requests that make a connection and send nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness.h"
#include "support/process.h"
#include "support/scripted_server.h"

namespace packhorse::upload {
namespace {

using test::ScriptedServer;

Request OnlyConnect() {
  Request request;
  request.only_connect = true;
  return request;
}

TEST(OnlyConnect, AListenerIsReachedAndGetsNoRequest) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "{}")));
  const auto uploader = NewUploader();
  const Response response = Exchange(*uploader, At(server.url()), OnlyConnect());
  EXPECT_EQ(response.transport, Transport::kOk) << response.error;
  EXPECT_EQ(response.status, 0);
  EXPECT_TRUE(test::WaitFor([&] { return server.connections() == 1; }));
  EXPECT_TRUE(server.requests().empty());
  // What comes then has a connection that works.
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/v1")).status, 200);
  EXPECT_EQ(Exchange(*uploader, At(server.url()), OnlyConnect()).transport, Transport::kOk);
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/v1")).status, 200);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(OnlyConnect, AClosedPortSaysWhy) {
  int port = 0;
  { port = ScriptedServer(ScriptedServer::Always("")).port(); }
  const auto uploader = NewUploader();
  const Response response = Exchange(*uploader, At("http://127.0.0.1:" + std::to_string(port)), OnlyConnect());
  EXPECT_EQ(response.transport, Transport::kConnect);
  EXPECT_THAT(response.error, testing::HasSubstr("connect"));
}

}  // namespace
}  // namespace packhorse::upload
