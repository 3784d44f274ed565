// How long a connection may be idle, with a clock of the test's and real sockets.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "base/file.h"
#include "upload/curl/connections.h"

namespace packhorse::upload {
namespace {

using namespace std::chrono_literals;
using Outcome = Connections::Outcome;

class IdleConnections : public ::testing::Test {
 protected:
  IdleConnections() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    EXPECT_EQ(listen(listener_.get(), 64), 0);
    socklen_t size = sizeof address_;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address_), &size);
  }
  ~IdleConnections() override {
    for (const int fd : opened_) {
      Connections::OnClose(&connections_, fd);
    }
  }
  // What libcurl does for a new connection.
  int Open() {
    curl_sockaddr wanted{AF_INET, SOCK_STREAM, 0, sizeof address_, {}};
    const int fd = Connections::OnOpen(&connections_, CURLSOCKTYPE_IPCXN, &wanted);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    opened_.push_back(fd);
    return fd;
  }
  Connections::Ends EndsOf(int fd) const {
    sockaddr_in local{};
    socklen_t size = sizeof local;
    getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size);
    return {"127.0.0.1", ntohs(local.sin_port), "127.0.0.1", ntohs(address_.sin_port)};
  }
  // One request over it, that ends at once.
  void Use(int fd, Outcome outcome, const std::string& origin = kOrigin) {
    Connections::Use use = connections_.Begin(origin);
    ASSERT_TRUE(connections_.Take(origin, EndsOf(fd), now_, use));
    connections_.Release(origin, use, outcome, now_);
  }
  static bool Alive(int fd) {
    pollfd polled{fd, POLLRDHUP, 0};
    return poll(&polled, 1, 0) == 0;
  }

  static constexpr auto kOrigin = "http://cloud:80";

  Connections connections_;
  Fd listener_;
  sockaddr_in address_{};
  std::vector<int> opened_;
  MonoTime now_{1000s};
};

TEST_F(IdleConnections, AreKeptForAMinute) {
  Use(Open(), Outcome::kGood);
  EXPECT_EQ(connections_.IdleLimit(kOrigin), 60s);
}

TEST_F(IdleConnections, AreKeptShorterOnceOneWasLostThatHadBeenIdle) {
  const int fd = Open();
  Use(fd, Outcome::kGood);
  now_ += 15'900ms;
  Use(fd, Outcome::kLost);
  EXPECT_EQ(connections_.IdleLimit(kOrigin), 7s);
  EXPECT_EQ(connections_.IdleLimit("http://other:80"), 60s);
}

TEST_F(IdleConnections, AreKeptNoLongerAfterALaterLoss) {
  for (const auto idle : {4s, 30s}) {
    const int fd = Open();
    Use(fd, Outcome::kGood);
    now_ += idle;
    Use(fd, Outcome::kLost);
    EXPECT_EQ(connections_.IdleLimit(kOrigin), 2s);
  }
}

TEST_F(IdleConnections, AreKeptAsBeforeWhenABusyOneOrABackendFails) {
  int fd = Open();
  Use(fd, Outcome::kGood);
  now_ += 999ms;
  Use(fd, Outcome::kLost);  // was not idle for long: that has other causes
  fd = Open();
  Use(fd, Outcome::kGood);
  now_ += 15s;
  Use(fd, Outcome::kFailed);  // answered
  EXPECT_EQ(connections_.IdleLimit(kOrigin), 60s);
}

TEST_F(IdleConnections, TakeNothingMoreOnceOneFailedAndEndWhenThereIsANewerOne) {
  const int idle = Open();
  const int other = Open();
  const int failed = Open();
  Use(idle, Outcome::kGood);
  Use(other, Outcome::kGood, "http://other:80");
  Use(failed, Outcome::kFailed);
  for (const int fd : {idle, failed}) {
    Connections::Use use = connections_.Begin(kOrigin);
    EXPECT_FALSE(connections_.Take(kOrigin, EndsOf(fd), now_, use));
    EXPECT_EQ(use.number, 0U);
    EXPECT_TRUE(Alive(fd));
  }
  Use(Open(), Outcome::kGood);
  EXPECT_FALSE(Alive(idle));
  EXPECT_FALSE(Alive(failed));
  EXPECT_TRUE(Alive(other));
}

TEST_F(IdleConnections, ThousandsOfOriginsAreForgotten) {
  const int fd = Open();
  Use(fd, Outcome::kFailed);
  for (int i = 0; i < 3000; ++i) {
    connections_.Begin("http://cloud:" + std::to_string(i));
  }
  EXPECT_TRUE(connections_.Distrusted(kOrigin)) << "of one that has a connection everything is known";
}

}  // namespace
}  // namespace packhorse::upload
