// Replies and ends that no well-behaved server gives.
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "format/compression/gzip.h"
#include "harness.h"
#include "support/process.h"
#include "support/scripted_server.h"

namespace packhorse::upload {
namespace {

using std::chrono::milliseconds;
using test::ScriptedConnection;
using test::ScriptedServer;

class Faults : public ::testing::Test {
 protected:
  // One request to a server with this script.
  Response Ask(const ScriptedServer::Script& script, std::string_view body = "{}") {
    const ScriptedServer server(script);
    return Exchange(*uploader_, Impatient(server.url()), Post("/v1/telemetry", body));
  }
  static Endpoint Impatient(const std::string& url) {
    Endpoint endpoint = At(url);
    endpoint.timeout = timeout_;
    return endpoint;
  }
  static void ExpectUnknown(const Response& response, Transport expected) {
    EXPECT_EQ(Name(response.transport), Name(expected)) << response.error;
    EXPECT_TRUE(OutcomeUnknown(response.transport));
    EXPECT_NE(response.error.find("the whole request was sent"), std::string::npos) << response.error;
    EXPECT_EQ(response.status, 0);
    EXPECT_TRUE(response.headers.empty());
    EXPECT_EQ(response.body, "");
  }

  static constexpr milliseconds timeout_{400};
  std::unique_ptr<Uploader> uploader_ = NewUploader();
};

TEST_F(Faults, ClosedBeforeTheReplyIsUnknown) {
  ExpectUnknown(Ask([](ScriptedConnection& connection, int) { connection.ReadRequest(); }), Transport::kReset);
}

TEST_F(Faults, ResetAfterTheRequestIsUnknown) {
  ExpectUnknown(Ask([](ScriptedConnection& connection, int) {
                  connection.ReadRequest();
                  connection.Reset();
                }),
                Transport::kReset);
}

TEST_F(Faults, ResetWhileTheRequestIsBeingSentIsKnown) {
  const std::string body(8'000'000, 'x');
  const Response response = Ask(
      [](ScriptedConnection& connection, int) {
        connection.ReadAtLeast(100'000);
        connection.Reset();
      },
      body);
  EXPECT_EQ(Name(response.transport), "send_failed") << response.error;
  EXPECT_FALSE(OutcomeUnknown(response.transport));
  EXPECT_LT(response.bytes_sent, body.size());
  EXPECT_NE(response.error.find("of 8000000 body bytes"), std::string::npos) << response.error;
}

TEST_F(Faults, RefusalBeforeTheWholeRequestWasReadIsStillSeen) {
  const std::string body(8'000'000, 'x');
  const Response response = Ask(
      [](ScriptedConnection& connection, int) {
        connection.ReadAtLeast(100'000);
        connection.Write("HTTP/1.1 413 Too Large\r\nContent-Length: 1000\r\n\r\ntoo");
        connection.Discard(milliseconds(50));  // what was under way; the client stops when it sees the status
      },
      body);
  EXPECT_EQ(Name(response.transport), "ok") << response.error;
  EXPECT_EQ(response.status, 413);
  EXPECT_TRUE(response.truncated);
  EXPECT_LT(response.bytes_sent, body.size());
}

TEST_F(Faults, NoReplyInTimeIsUnknown) {
  const Response response = Ask([](ScriptedConnection& connection, int) {
    connection.ReadRequest();
    connection.Stall();
  });
  ExpectUnknown(response, Transport::kTimeout);
  EXPECT_GE(response.elapsed, timeout_ - milliseconds(20));
}

TEST_F(Faults, ServerThatNeverReadsIsUnknown) {
  const std::string body(8'000'000, 'x');
  const Response response = Ask([](ScriptedConnection& connection, int) { connection.Stall(); }, body);
  EXPECT_EQ(Name(response.transport), "timeout") << response.error;
}

TEST_F(Faults, StalledTransferEndsLongBeforeItsTimeout) {
  const ScriptedServer server([](ScriptedConnection& connection, int) {
    connection.ReadRequest();
    connection.Stall();
  });
  Endpoint endpoint = At(server.url());
  endpoint.timeout = std::chrono::seconds(30);
  endpoint.stall_timeout = milliseconds(900);
  const Response response = Exchange(*uploader_, endpoint, Post("/"));
  ExpectUnknown(response, Transport::kTimeout);
  EXPECT_LT(response.elapsed, std::chrono::seconds(15));
}

TEST_F(Faults, TrickledReplyEndsAtTheTimeout) {
  const Response response = Ask([](ScriptedConnection& connection, int) {
    connection.ReadRequest();
    connection.Trickle(ScriptedServer::Reply("200 OK", std::string(1000, 'x')), milliseconds(10));
  });
  ExpectUnknown(response, Transport::kTimeout);
}

TEST_F(Faults, TruncatedReplyIsUnknown) {
  for (const char* reply :
       {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"acc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", "HTTP/1.1 200 OK\r\nContent-Le"}) {
    ExpectUnknown(Ask([&](ScriptedConnection& connection, int) {
                    connection.ReadRequest();
                    connection.Write(reply);
                  }),
                  Transport::kProtocol);
  }
}

TEST_F(Faults, GarbageInsteadOfHttpIsUnknown) {
  const std::string garbage[] = {"SSH-2.0-OpenSSH_9.2\r\n", std::string("\x15\x03\x01\x00\x02\x02\x28", 7),
                                 "<html>hello</html>", std::string(100'000, '\xFF'), "HTTP/9.9 999 ?\r\n\r\n"};
  for (const std::string& reply : garbage) {
    ExpectUnknown(Ask([&](ScriptedConnection& connection, int) {
                    connection.ReadRequest();
                    connection.Write(reply);
                  }),
                  Transport::kProtocol);
  }
}

TEST_F(Faults, BodyOfACodingThatIsNoneIsTakenAsItCame) {
  for (const std::string coding : {"utf-8", "br", "gzip, gzip", "gzip"}) {  // "gzip": it says so, and is not
    const Response response = Ask(ScriptedServer::Always(
        ScriptedServer::Reply("200 OK", R"({"accepted":1})", "Content-Encoding: " + coding + "\r\n")));
    EXPECT_EQ(Name(response.transport), "ok") << response.error;
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, R"({"accepted":1})");
    EXPECT_EQ(response.undecodable, coding);
  }
  for (const std::string coding : {"identity", ""}) {
    const Response response =
        Ask(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "{}", "Content-Encoding: " + coding + "\r\n")));
    EXPECT_EQ(response.body, "{}");
    EXPECT_EQ(response.undecodable, "");
  }
}

TEST_F(Faults, CodingThatChangesNothingIsReadOver) {
  const Result<std::string> body = format::Gzip("{}");
  ASSERT_TRUE(body);
  for (const std::string coding : {"gzip, identity", "identity,GZIP", " , gzip"}) {
    const Response response =
        Ask(ScriptedServer::Always(ScriptedServer::Reply("200 OK", *body, "Content-Encoding: " + coding + "\r\n")));
    EXPECT_EQ(response.body, "{}");
    EXPECT_EQ(response.undecodable, "");
  }
}

TEST_F(Faults, CompressedBodyThatWasCutIsTruncated) {
  const Result<std::string> whole = format::Gzip(std::string(10'000, 'a'));
  ASSERT_TRUE(whole);
  const Response response = Ask(ScriptedServer::Always(
      ScriptedServer::Reply("200 OK", whole->substr(0, whole->size() - 9), "Content-Encoding: X-GZip\r\n")));
  EXPECT_TRUE(response.truncated);
  EXPECT_EQ(response.undecodable, "");
}

TEST_F(Faults, CompressionBombIsCutAtTheBound) {
  const Result<std::string> bomb = format::Gzip(std::string(8'000'000, 'a'));
  ASSERT_TRUE(bomb);
  const ScriptedServer server(
      ScriptedServer::Always(ScriptedServer::Reply("200 OK", *bomb, "Content-Encoding: gzip\r\n")));
  Endpoint endpoint = At(server.url());
  endpoint.max_response_bytes = 10'000;
  const Response response = Exchange(*uploader_, endpoint, Post("/"));
  EXPECT_EQ(Name(response.transport), "ok") << response.error;
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.truncated);
  EXPECT_EQ(response.body, std::string(10'000, 'a'));
}

TEST_F(Faults, EndlessBodyIsCutAtTheBound) {
  const Response response = Ask([](ScriptedConnection& connection, int) {
    connection.ReadRequest();
    connection.Write("HTTP/1.1 500 Oops\r\n\r\n");
    while (connection.Write(std::string(65536, 'x'))) {
    }
  });
  EXPECT_EQ(Name(response.transport), "ok") << response.error;
  EXPECT_EQ(response.status, 500);
  EXPECT_TRUE(response.truncated);
  EXPECT_EQ(response.body.size(), 1U << 20U);
}

std::string ManyHeaders(int count, std::size_t bytes_each) {
  std::string headers;
  for (int i = 0; i < count; ++i) {
    headers += "X-" + std::to_string(i) + ": " + std::string(bytes_each, 'v') + "\r\n";
  }
  return headers;
}

TEST_F(Faults, ManyOrLongHeadersAreTaken) {
  for (const std::string& headers : {ManyHeaders(200, 10), ManyHeaders(70, 1000), ManyHeaders(1, 70'000)}) {
    const Response response = Ask(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "b", headers)));
    EXPECT_EQ(Name(response.transport), "ok") << response.error;
    EXPECT_EQ(response.body, "b");
    EXPECT_FALSE(response.truncated);
    EXPECT_EQ(response.headers_left_out, 0U);
  }
}

TEST_F(Faults, HeadersOverTheirBoundAreReadOverAndCounted) {
  for (const std::string& headers : {ManyHeaders(600, 10), ManyHeaders(20, 10'000)}) {
    const Response response = Ask(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "b", headers)));
    EXPECT_EQ(Name(response.transport), "ok") << response.error;
    EXPECT_EQ(response.body, "b");
    EXPECT_FALSE(response.truncated);
    EXPECT_GT(response.headers_left_out, 3U);
    std::size_t bytes = 0;
    for (const auto& [name, value] : response.headers) {
      bytes += name.size() + value.size();
    }
    EXPECT_LE(response.headers.size(), 500U);
    EXPECT_LE(bytes, 131'072U);
  }
}

TEST_F(Faults, FloodOfHeadersIsCut) {
  const Response response = Ask(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "b", ManyHeaders(40, 50'000))));
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.truncated);
}

TEST_F(Faults, EndlessInterimRepliesEndAtTheHeaderBound) {
  const Response response = Ask([](ScriptedConnection& connection, int) {
    connection.ReadRequest();
    while (connection.Write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")) {
    }
  });
  ExpectUnknown(response, Transport::kProtocol);
}

TEST_F(Faults, ContinueBeforeTheReplyIsSkipped) {
  const Response response = Ask(ScriptedServer::Always("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n" +
                                                       ScriptedServer::Reply("200 OK", "done", "X-Final: 1\r\n")));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "done");
  EXPECT_EQ(response.Header("x-final"), "1");
  EXPECT_EQ(response.Header("x-interim"), "");
}

TEST_F(Faults, TrailersAreNotTakenForHeaders) {
  const Response response = Ask(ScriptedServer::Always(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n"));
  EXPECT_EQ(response.body, "ok");
  EXPECT_EQ(response.Header("x-late"), "");
}

TEST_F(Faults, HeaderNamesAreLowerCaseAndValuesTrimmed) {
  const Response response =
      Ask(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "", "RETRY-after: \t 7 \r\nEmpty:\r\n")));
  EXPECT_EQ(response.Header("retry-after"), "7");
  EXPECT_EQ(response.Header("empty"), "");
}

TEST_F(Faults, RequestIsSentAsGivenAndNothingIsAdded) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "")));
  Request request = Post("/v1/../a//./telemetry?x=1", "{\"a\":1}");
  request.headers.emplace_back("Idempotency-Key", "\"k1\"");
  request.headers.emplace_back("X-Empty", "");
  EXPECT_EQ(Exchange(*uploader_, At(server.url() + "/base"), request).status, 200);
  const std::string host = "127.0.0.1:" + std::to_string(server.port());
  EXPECT_EQ(server.requests().at(0), "POST /base/v1/../a//./telemetry?x=1 HTTP/1.1\r\nHost: " + host +
                                         "\r\nUser-Agent: packhorse/test\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
                                         "Content-Type: application/json\r\nIdempotency-Key: \"k1\"\r\nX-Empty:\r\n"
                                         "Content-Length: 7\r\n\r\n{\"a\":1}");
}

TEST_F(Faults, LargeBodyIsSentWithoutAskingFirst) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "")));
  const std::string body(3'000'000, 'x');
  const Response response = Exchange(*uploader_, At(server.url()), Post("/", body));
  EXPECT_EQ(response.status, 200);
  const std::string request = server.requests().at(0);
  EXPECT_EQ(request.find("Expect"), std::string::npos);
  EXPECT_EQ(request.substr(request.find("\r\n\r\n") + 4), body);
  EXPECT_EQ(response.bytes_sent, request.size());
}

TEST_F(Faults, RequestOnAKeptConnectionThatDiesIsNotRepeatedUnderneath) {
  // The second request arrives whole; then the server hangs up, as one does that commits and crashes. Sending it again
  // is for the caller to decide, who counts it.
  const ScriptedServer server([](ScriptedConnection& connection, int) {
    connection.ReadRequest();
    connection.Write(ScriptedServer::Reply("200 OK", ""));
    connection.ReadRequest();
  });
  EXPECT_EQ(Exchange(*uploader_, At(server.url()), Post("/1")).status, 200);
  ExpectUnknown(Exchange(*uploader_, At(server.url()), Post("/2")), Transport::kReset);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(Faults, KeptConnectionThatWasClosedMeanwhileIsReplaced) {
  std::atomic<bool> closed{false};
  const ScriptedServer server([&](ScriptedConnection& connection, int) {
    connection.ReadRequest();
    connection.Write(ScriptedServer::Reply("200 OK", ""));
    connection.Close();
    closed = true;
  });
  EXPECT_EQ(Exchange(*uploader_, At(server.url()), Post("/1")).status, 200);
  ASSERT_TRUE(test::WaitFor([&] { return closed.load(); }));
  EXPECT_EQ(Exchange(*uploader_, At(server.url()), Post("/2")).status, 200);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(Faults, UnknownNameIsAResolveFailure) {
  const Response response = Exchange(*uploader_, At("http://x.invalid"), Post("/"));
  EXPECT_EQ(Name(response.transport), "resolve") << response.error;
  EXPECT_NE(response.error.find("x.invalid"), std::string::npos) << response.error;
  EXPECT_EQ(response.bytes_sent, 0U);
}

TEST_F(Faults, RefusedPortIsAConnectFailure) {
  const Response response = Exchange(*uploader_, At("http://127.0.0.1:" + std::to_string(test::FreePort())), Post("/"));
  EXPECT_EQ(Name(response.transport), "connect") << response.error;
  EXPECT_NE(response.error.find("nothing of the request was sent"), std::string::npos) << response.error;
}

TEST_F(Faults, HandshakeThatNeverEndsIsAConnectFailure) {
  const ScriptedServer server([](ScriptedConnection& connection, int) { connection.Stall(); });
  Endpoint endpoint = At("https://127.0.0.1:" + std::to_string(server.port()));
  endpoint.connect_timeout = milliseconds(200);
  const Response response = Exchange(*uploader_, endpoint, Post("/"));
  EXPECT_EQ(Name(response.transport), "connect") << response.error;
  EXPECT_LT(response.elapsed, std::chrono::seconds(5));
}

}  // namespace
}  // namespace packhorse::upload
