// Connections that end at every moment, over real sockets: once the server is honest again each record has arrived,
// none was given up, and the ledger balances.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "api_fixture.h"
#include "support/scripted_server.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

enum class Moment {
  kConnect,             // nobody listens
  kTls,                 // no TLS where it is asked for
  kMidRequest,          // reset while the request is sent
  kAfterCommit,         // reset once all of it is stored
  kBeforeReply,         // closed in an orderly way once all of it is stored
  kMidReply,            // closed in the middle of the reply
  kNoHttp,              // something that is no HTTP
  kStoredAndBadGateway  // stored, and a proxy answers with a page
};
constexpr int kWrongRequests = 6;

class RealFaults : public ApiTest, public ::testing::WithParamInterface<std::tuple<const char*, Moment>> {
 protected:
  RealFaults() {
    auto made = upload::MakeUploader("packhorse/test");
    EXPECT_TRUE(made) << made.error().message;
    real_ = std::move(made).value();
    through_ = real_.get();
    port_ = test::FreePort();
    url_ = (Is(Moment::kTls) ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_);
    Use(MakeModel(std::get<0>(GetParam())));
  }
  ~RealFaults() override {
    destination_.reset();
    server_.reset();
  }

  static bool Is(Moment moment) { return std::get<1>(GetParam()) == moment; }

  void Serve() {
    server_ = std::make_unique<test::ScriptedServer>(
        [this](test::ScriptedConnection& connection, int) {
          while (ServeOne(connection)) {
          }
        },
        "127.0.0.1", port_);
  }

  // Whether the connection goes on.
  bool ServeOne(test::ScriptedConnection& connection) {
    if (Is(Moment::kMidRequest) && Wrong()) {
      connection.ReadAtLeast(300);
      connection.Reset();
      return false;
    }
    if (Is(Moment::kTls) && Wrong()) {
      connection.ReadAtLeast(1);
      connection.Write("HTTP/1.1 400 Bad Request\r\n\r\n");
      return false;
    }
    const std::string request = connection.ReadRequest();
    if (request.empty()) {
      return false;
    }
    const Items items = model_->Read(request.substr(request.find("\r\n\r\n") + 4));
    const upload::Response answer = model_->Success(items);
    const std::string reply =
        test::ScriptedServer::Reply(std::to_string(answer.status) + " OK", answer.body,
                                    "Content-Type: " + std::string(answer.Header("content-type")) + "\r\n");
    if (!Wrong()) {
      Keep(items);
      return connection.Write(reply);
    }
    if (!Is(Moment::kNoHttp)) {
      Keep(items);
    }
    if (Is(Moment::kAfterCommit)) {
      connection.Reset();
    } else if (Is(Moment::kMidReply)) {
      connection.Write(reply.substr(0, reply.size() / 2));
    } else if (Is(Moment::kNoHttp)) {
      connection.Write("220 mail.example ESMTP\r\n");
    } else if (Is(Moment::kStoredAndBadGateway)) {
      return connection.Write(test::ScriptedServer::Reply("502 Bad Gateway", "<html><title>Bad</title></html>",
                                                          "Content-Type: text/html\r\n"));
    }
    return false;
  }
  void Keep(const Items& items) {
    const std::lock_guard lock(mutex_);
    Store(items);
  }
  bool Wrong() { return wrong_++ < kWrongRequests; }

  // Real sockets, and a clock that leaps over every wait.
  bool PlayReal(const std::function<bool()>& done) {
    return test::WaitFor([&] {
      queue_->Poll();
      const MonoTime now = clock_.Mono();
      const MonoTime next = destination_->Step(now);
      if (real_->in_flight() > 0) {
        EXPECT_TRUE(real_->Poll({}, std::chrono::steady_clock::now() + 50ms));
      } else if (destination_->idle()) {
        clock_.Advance(
            std::chrono::duration_cast<std::chrono::microseconds>(std::clamp(next, now + 1ms, now + 1min) - now));
      }
      return done();
    });
  }

  int port_ = 0;
  std::unique_ptr<upload::Uploader> real_;
  std::unique_ptr<test::ScriptedServer> server_;
  std::mutex mutex_;  // over kept_
  std::atomic<int> wrong_{0};
};

TEST_P(RealFaults, NothingIsLostAndNothingGivenUp) {
  for (int i = 0; i < 40; ++i) {
    AppendNext();
  }
  if (Is(Moment::kConnect) || Is(Moment::kTls)) {
    if (Is(Moment::kTls)) {
      Serve();
    }
    EXPECT_TRUE(PlayReal([&] { return Now().requests >= kWrongRequests; })) << Now().requests;
    server_.reset();
    wrong_ = kWrongRequests;
    url_ = "http://127.0.0.1:" + std::to_string(port_);
    Begin();
  }
  if (!server_) {
    Serve();
  }
  EXPECT_TRUE(PlayReal([&] { return AllEnded(); })) << Now().pending << " " << Now().reason;
  EXPECT_GE(wrong_.load(), kWrongRequests);
  EXPECT_EQ(Dead() + Suspects(), 0U);
  EXPECT_EQ(Row().delivered, 40U);
  EXPECT_TRUE(queue_->VerifyLedger()->empty());
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(kept_.size(), 40U);
}

INSTANTIATE_TEST_SUITE_P(All, RealFaults,
                         ::testing::Combine(::testing::Values("Ingest", "Influx", "Elasticsearch"),
                                            ::testing::Values(Moment::kConnect, Moment::kTls, Moment::kMidRequest,
                                                              Moment::kAfterCommit, Moment::kBeforeReply,
                                                              Moment::kMidReply, Moment::kNoHttp,
                                                              Moment::kStoredAndBadGateway)),
                         [](const auto& entry) {
                           return std::string(std::get<0>(entry.param)) +
                                  std::to_string(static_cast<int>(std::get<1>(entry.param)));
                         });

}  // namespace
}  // namespace packhorse::delivery
