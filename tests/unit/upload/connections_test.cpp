// Which connection carries a request, and which one no longer does.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <set>

#include "harness.h"
#include "names.h"
#include "support/nginx.h"
#include "support/process.h"
#include "support/scripted_server.h"
#include "support/temp_dir.h"
#include "support/tls.h"

namespace packhorse::upload {
namespace {

using std::chrono::milliseconds;
using test::ScriptedConnection;
using test::ScriptedServer;

// A backend that was left behind by a rollout: whoever is connected to it gets this reply, everybody else a good one.
ScriptedServer::Script FirstConnectionsGet(int count, const std::string& reply) {
  return [count, reply](ScriptedConnection& connection, int number) {
    while (!connection.ReadRequest().empty() &&
           connection.Write(number < count ? reply : ScriptedServer::Reply("200 OK", "{}"))) {
    }
  };
}

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

class BadGateway : public ::testing::TestWithParam<const char*> {};

TEST_P(BadGateway, LeadsToANewConnection) {
  const ScriptedServer server(FirstConnectionsGet(1, ScriptedServer::Reply(GetParam(), "{}")));
  const auto uploader = NewUploader();
  const Response bad = Exchange(*uploader, At(server.url()), Post("/"));
  const Response good = Exchange(*uploader, At(server.url()), Post("/"));
  EXPECT_NE(bad.status, 200);
  EXPECT_EQ(good.status, 200);
  EXPECT_GT(good.connection, bad.connection);
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/")).connection, good.connection);
  EXPECT_EQ(server.connections(), 2);
}
INSTANTIATE_TEST_SUITE_P(All, BadGateway,
                         ::testing::Values("500 Internal Server Error", "502 Bad Gateway", "503 Busy",
                                           "504 Gateway Timeout", "520 Unknown"));

class OtherReply : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(OtherReply, KeepsTheConnection) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply(GetParam().first, "{}", GetParam().second)));
  const auto uploader = NewUploader();
  for (int i = 0; i < 3; ++i) {
    Exchange(*uploader, At(server.url()), Post("/"));
  }
  EXPECT_EQ(server.connections(), 1);
}
INSTANTIATE_TEST_SUITE_P(All, OtherReply,
                         ::testing::Values(std::pair("207 Multi-Status", ""), std::pair("400 Bad Request", ""),
                                           std::pair("401 Unauthorized", ""), std::pair("422 Unprocessable", ""),
                                           std::pair("429 Too Many Requests", ""),
                                           std::pair("503 Busy", "Retry-After: 2\r\n")));

TEST(Retired, AreThoseThatTheCallerDoubts) {
  const ScriptedServer server(FirstConnectionsGet(1, ScriptedServer::Reply("404 Not Found", "{}")));
  const auto uploader = NewUploader();
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/")).status, 404);
  Request doubting = Post("/");
  doubting.leave_kept = true;
  EXPECT_EQ(Exchange(*uploader, At(server.url()), doubting).status, 200);
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/")).status, 200);
  EXPECT_EQ(server.connections(), 2);
}

TEST(Retired, IsAlsoWhatAsksToWaitAgainAndAgain) {
  const ScriptedServer server(FirstConnectionsGet(1, ScriptedServer::Reply("503 Leaving", "{}", "Retry-After: 1\r\n")));
  const auto uploader = NewUploader();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/")).status, 503);
  }
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/")).status, 200);
  EXPECT_EQ(server.connections(), 2);
}

TEST(Retired, AreAlsoTheIdleOnesBesideTheOneThatFailed) {
  // Three kept connections, all to the old backend.
  std::atomic<bool> bad{false};
  const ScriptedServer server([&](ScriptedConnection& connection, int number) {
    while (!connection.ReadRequest().empty() &&
           connection.Write(bad && number < 3 ? ScriptedServer::Reply("503 Busy", "{}")
                                              : ScriptedServer::Reply("200 OK", "{}"))) {
    }
  });
  const auto uploader = NewUploader();
  for (int i = 0; i < 3; ++i) {
    uploader->Send(At(server.url()), Post("/"), [](const Response&) {});
  }
  ASSERT_TRUE(Drain(*uploader));
  ASSERT_EQ(server.connections(), 3);
  bad = true;
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/")).status, 503);
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/")).status, 200);
}

TEST(Retired, TogetherByRequestsThatFailTogether) {
  const ScriptedServer server(FirstConnectionsGet(3, ScriptedServer::Reply("503 Busy", "{}")));
  const auto uploader = NewUploader();
  for (int i = 0; i < 3; ++i) {
    uploader->Send(At(server.url()), Post("/"), [](const Response& response) { EXPECT_EQ(response.status, 503); });
  }
  ASSERT_TRUE(Drain(*uploader));
  std::set<std::uint64_t> later;
  for (int i = 0; i < 3; ++i) {
    later.insert(Exchange(*uploader, At(server.url()), Post("/")).connection);
  }
  EXPECT_EQ(later.size(), 1U);
  EXPECT_EQ(server.connections(), 4);
}

TEST(Retired, ByALateFailureNeverTheNewerConnection) {
  // The first request fails only when a newer connection is in use already.
  std::atomic<bool> fail{false};
  const ScriptedServer server([&](ScriptedConnection& connection, int number) {
    while (!connection.ReadRequest().empty()) {
      if (number == 0) {
        EXPECT_TRUE(test::WaitFor([&] { return fail.load(); }));
      }
      connection.Write(number < 2 ? ScriptedServer::Reply("503 Busy", "{}") : ScriptedServer::Reply("200 OK", "{}"));
    }
  });
  const auto uploader = NewUploader();
  bool late = false;
  uploader->Send(At(server.url()), Post("/"), [&](const Response& response) {
    EXPECT_EQ(response.status, 503);
    late = true;
  });
  const auto next = [&] {
    std::optional<Response> answer;
    uploader->Send(At(server.url()), Post("/"), [&](Response response) { answer = std::move(response); });
    while (!answer && uploader->Poll({}, After(milliseconds(500)))) {
    }
    return *answer;
  };
  EXPECT_EQ(next().status, 503);
  const std::uint64_t newer = next().connection;
  fail = true;
  ASSERT_TRUE(Drain(*uploader));
  EXPECT_TRUE(late);
  EXPECT_EQ(next().connection, newer);
}

TEST(Retired, NameIsResolvedAnewAfterAFailure) {
  const ScriptedServer old(ScriptedServer::Always(ScriptedServer::Reply("503 Busy", "{}")), "127.0.0.1");
  const ScriptedServer moved(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "{}")), "127.0.0.2", old.port());
  SetCloudAddress("127.0.0.1");
  const Endpoint endpoint = At("http://cloud.test:" + std::to_string(old.port()));
  const auto uploader = NewUploader();
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/")).status, 503);
  SetCloudAddress("127.0.0.2");
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/")).status, 200);
}

TEST(Retired, NameIsAskedForOnceWhileAllIsWell) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "{}", "Connection: close\r\n")));
  SetCloudAddress("127.0.0.1");
  const Endpoint endpoint = At("http://cloud.test:" + std::to_string(server.port()));
  const auto uploader = NewUploader();
  const int before = CloudLookups();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Exchange(*uploader, endpoint, Post("/")).status, 200);
  }
  EXPECT_EQ(CloudLookups(), before + 1);
}

// One nginx that speaks HTTP/2, in front of a server that answers as slowly as the test wants.
class SharedConnection : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string port = std::to_string(test::FreePort());
    nginx_ = std::make_unique<test::Nginx>(
        dir_.path(), std::stoi(port),
        "log_format resumed '$ssl_session_reused'; access_log " + dir_.path() +
            "/resumed.log resumed;"
            "server { listen 127.0.0.1:" +
            port + " ssl http2; ssl_certificate " + pki_.server_certificate + "; ssl_certificate_key " +
            pki_.server_key + "; ssl_session_cache shared:s:1m; location /slow { proxy_pass " + slow_.url() +
            "; } location /bad { return 503; } location / { return 200 fine; } }");
    endpoint_ = At("https://127.0.0.1:" + port);
    endpoint_.ca = pki_.ca;
  }
  // Sends and waits for this one alone.
  Response Ask(const std::string& path) {
    std::optional<Response> answer;
    uploader_->Send(endpoint_, Post(path), [&](Response response) { answer = std::move(response); });
    while (!answer && uploader_->Poll({}, After(milliseconds(500)))) {
    }
    return *answer;
  }
  std::string Resumed() const { return test::ReadAll(dir_.path() + "/resumed.log"); }

  test::TempDir dir_;
  test::TestPki pki_{dir_.path()};
  std::atomic<bool> answer_{false};
  ScriptedServer slow_{[this](ScriptedConnection& connection, int) {
    connection.ReadRequest();
    test::WaitFor([&] { return answer_.load(); });
    connection.Write(ScriptedServer::Reply("200 OK", "slow", "Connection: close\r\n"));
  }};
  std::unique_ptr<test::Nginx> nginx_;
  Endpoint endpoint_;
  std::unique_ptr<Uploader> uploader_ = NewUploader();
};

TEST_F(SharedConnection, FinishesWhatItCarriesAndTakesNothingMore) {
  std::optional<Response> slow;
  uploader_->Send(endpoint_, Post("/slow"), [&](Response response) { slow = std::move(response); });
  const Response bad = Ask("/bad");
  EXPECT_EQ(bad.status, 503);
  std::set<std::uint64_t> later;
  for (int i = 0; i < 5; ++i) {
    const Response good = Ask("/ok");
    EXPECT_EQ(good.status, 200);
    EXPECT_EQ(good.http_version, "2");
    later.insert(good.connection);
  }
  EXPECT_EQ(later.size(), 1U) << "one new connection for all";
  EXPECT_FALSE(later.contains(bad.connection));
  ASSERT_FALSE(slow);
  answer_ = true;
  ASSERT_TRUE(Drain(*uploader_));
  EXPECT_EQ(slow->status, 200) << slow->error;
  EXPECT_EQ(slow->connection, bad.connection);
  EXPECT_EQ(Ask("/ok").connection, *later.begin());
}

TEST_F(SharedConnection, NewOneResumesTheSession) {
  EXPECT_EQ(Ask("/bad").status, 503);
  EXPECT_EQ(Ask("/ok").status, 200);
  EXPECT_TRUE(test::WaitFor([&] { return Resumed() == ".\nr\n"; })) << Resumed();
}

TEST_F(SharedConnection, SessionsEndWithTheFilesThatMadeThem) {
  EXPECT_EQ(Ask("/ok").status, 200);
  const std::string copy = dir_.path() + "/copy.pem";
  test::WriteAll(copy, test::ReadAll(pki_.ca));
  ASSERT_EQ(rename(copy.c_str(), pki_.ca.c_str()), 0);
  EXPECT_EQ(Ask("/ok").status, 200);
  EXPECT_TRUE(test::WaitFor([&] { return Resumed() == ".\n.\n"; })) << Resumed();
}

}  // namespace
}  // namespace packhorse::upload
