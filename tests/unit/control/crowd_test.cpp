// More clients than there is room for, and clients that do not read.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <thread>
#include <vector>

#include "harness.h"

namespace packhorse::control {
namespace {

constexpr auto kCrowdEcho = R"({"command":"echo","args":{"a":1}})";
constexpr auto kCrowdEchoed = "{\"ok\":true,\"result\":{\"a\":1}}\n";

class Crowd : public ServerTest {
 protected:
  void Start(Limits limits = {}) {
    ServerTest::Start(limits, [this](const Call& call) {
      callers_.push_back(call.connection);
      return Echo(call);
    });
  }
  // A peer that follows: its connection's number is the last of callers_.
  Peer& Follow() {
    Peer& peer = peers_.emplace_back(path_);
    Ask(peer, kCrowdEcho);
    EXPECT_TRUE(server_->Push(callers_.back(), "0"));
    return peer;
  }
  // A peer with another user id than ours. Only the thread that connects has it.
  Peer& Stranger() {
    EXPECT_EQ(chmod(path_.c_str(), 0666), 0);
    EXPECT_EQ(chmod(dir_.path().c_str(), 0755), 0);
    std::thread([this] {
      constexpr uid_t kNobody = 65534;
      ASSERT_EQ(syscall(SYS_setresuid, kNobody, kNobody, kNobody), 0);
      peers_.emplace_back(path_);
    }).join();
    Iterate();
    return peers_.back();
  }

  std::deque<Peer> peers_;
  std::vector<std::uint64_t> callers_;
};

TEST_F(Crowd, FollowersThatNeverReadHoldABoundedAmountInAll) {
  Start();
  for (int i = 0; i < 16; ++i) {
    Follow();
  }
  const std::string line = "\"" + std::string(10'000, 'x') + "\"";
  std::size_t taken = 0;
  for (const std::uint64_t caller : callers_) {
    while (server_->Push(caller, line)) {
      taken += line.size();
    }
  }
  EXPECT_LE(taken, 16U * ((1U << 20U) + 400'000U)) << "what the sockets themselves take included";
  Peer next(path_);
  EXPECT_EQ(Ask(next, kCrowdEcho), kCrowdEchoed);
}

TEST_F(Crowd, WhoeverMayChangeThingsTakesThePlaceOfTheOldestFollower) {
  Start();
  for (int i = 0; i < 16; ++i) {
    Follow();
  }
  Peer late(path_);
  EXPECT_EQ(Ask(late, kCrowdEcho), kCrowdEchoed);
  EXPECT_TRUE(peers_.front().closed());
  EXPECT_FALSE(peers_.at(1).closed());
}

TEST_F(Crowd, AThousandThatSendHalfARequestKeepNobodyOutWhoMayChangeThings) {
  Start();
  for (int i = 0; i < 1'000; ++i) {
    Peer& peer = peers_.emplace_back(path_);
    peer.Write("{\"command\":");
    Iterate();
    clock_.Advance(std::chrono::milliseconds(1));
  }
  Peer late(path_);
  EXPECT_EQ(Ask(late, kCrowdEcho), kCrowdEchoed);
  EXPECT_TRUE(peers_.front().closed());
  EXPECT_FALSE(peers_.back().closed());
}

TEST_F(Crowd, WhoeverWaitsForAnAnswerKeepsHisPlace) {
  Start();
  for (int i = 0; i < 16; ++i) {
    peers_.emplace_back(path_).Write("{\"command\":\"later\"}\n");
    Iterate();
  }
  Peer refused(path_);
  Iterate();
  EXPECT_TRUE(Has(refused.Read(), "limit_exceeded"));
  EXPECT_FALSE(peers_.front().closed());
}

TEST_F(Crowd, OthersLeaveFourPlaces) {
  if (geteuid() != 0) {
    return;  // only root can connect as somebody else
  }
  Start();
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(Ask(Stranger(), kCrowdEcho), kCrowdEchoed);
  }
  Peer& refused = Stranger();
  EXPECT_TRUE(Has(refused.Read(), "limit_exceeded"));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Ask(peers_.emplace_back(path_), kCrowdEcho), kCrowdEchoed);
  }
}

TEST_F(Crowd, LargeAnswersThatNobodyReadsAreBoundedInAll) {
  Start();
  int refused = 0;
  for (int i = 0; i < 8; ++i) {
    Peer& peer = peers_.emplace_back(path_);
    peer.Write("{\"command\":\"big\",\"args\":{\"n\":12000000}}\n");
    Iterate();
    std::string begin(4096, '\0');
    begin.resize(static_cast<std::size_t>(std::max<ssize_t>(recv(peer.fd(), begin.data(), begin.size(), MSG_PEEK), 0)));
    refused += Has(begin, "\"busy\"") ? 1 : 0;
  }
  EXPECT_EQ(refused, 6);
  Peer next(path_);
  EXPECT_EQ(Ask(next, kCrowdEcho), kCrowdEchoed) << "small answers always fit, as long as there is anything left";
}

}  // namespace
}  // namespace packhorse::control
