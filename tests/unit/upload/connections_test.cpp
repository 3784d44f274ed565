// Which connection carries a request.
#include <gtest/gtest.h>

#include "harness.h"
#include "support/http_server.h"

namespace packhorse::upload {
namespace {

using test::ScriptedConnection;
using test::ScriptedServer;

TEST(Connection, HasANumberThatStaysAsLongAsItIsKept) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "{}")));
  const auto uploader = NewUploader();
  const Response first = Exchange(*uploader, At(server.url()), Post("/"));
  const Response second = Exchange(*uploader, At(server.url()), Post("/"));
  EXPECT_GT(first.connection, 0U);
  EXPECT_EQ(first.connection, second.connection);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Connection, OfItsOwnForARequestThatAsksForIt) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("422 Unprocessable", "{}")));
  const auto uploader = NewUploader();
  const Response first = Exchange(*uploader, At(server.url()), Post("/"));
  Request request = Post("/");
  request.new_connection = true;
  const Response second = Exchange(*uploader, At(server.url()), std::move(request));
  EXPECT_GT(second.connection, first.connection);
  EXPECT_EQ(server.connections(), 2);
}

TEST(Connection, NumberIsKnownAlsoWhenTheServerClosesItAfterTheReply) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "{}", "Connection: close\r\n")));
  const auto uploader = NewUploader();
  const Response first = Exchange(*uploader, At(server.url()), Post("/"));
  const Response second = Exchange(*uploader, At(server.url()), Post("/"));
  EXPECT_GT(first.connection, 0U);
  EXPECT_GT(second.connection, first.connection);
}

TEST(Connection, IsZeroWhenNoneWasMade) {
  const auto uploader = NewUploader();
  EXPECT_EQ(Exchange(*uploader, At("http://127.0.0.1:1"), Post("/")).connection, 0U);
}

}  // namespace
}  // namespace packhorse::upload
