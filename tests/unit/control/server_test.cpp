#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <deque>
#include <filesystem>
#include <vector>

#include "harness.h"

namespace packhorse::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kEcho[] = R"({"command":"echo","args":{"a":1}})";
constexpr char kEchoed[] = "{\"ok\":true,\"result\":{\"a\":1}}\n";

TEST_F(ServerTest, RequestIsAnswered) {
  Start();
  Peer peer(path_);
  EXPECT_EQ(Ask(peer, kEcho), kEchoed);
  EXPECT_EQ(Ask(peer, R"({"command":"fail"})"),
            "{\"error\":{\"code\":\"not_found\",\"message\":\"no such thing\"},\"ok\":false}\n");
  EXPECT_EQ(Ask(peer, kEcho), kEchoed);
}

TEST_F(ServerTest, HandlerLearnsTheConnection) {
  std::vector<std::uint64_t> seen;
  Start({}, [&](const Call& call) {
    seen.push_back(call.connection);
    return Answer(std::string("1"));
  });
  Peer a(path_);
  Peer b(path_);
  Ask(a, kEcho);
  Ask(b, kEcho);
  Ask(a, kEcho);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_NE(seen[0], seen[1]);
}

TEST_F(ServerTest, MalformedLinesAreAnsweredAndTheConnectionStays) {
  Start();
  Peer peer(path_);
  for (const std::string& line : {std::string("nonsense"), std::string(""), std::string("\x00\xFF\x01", 3),
                                  std::string(40'000, '['), std::string(R"({"command":7})")}) {
    EXPECT_TRUE(Has(Ask(peer, line), "\"invalid_argument\"")) << line.substr(0, 20);
  }
  EXPECT_EQ(Ask(peer, kEcho), kEchoed);
}

TEST_F(ServerTest, RequestInPiecesIsPutTogether) {
  Start();
  Peer peer(path_);
  for (const char c : std::string(kEcho) + "\n") {
    EXPECT_EQ(peer.Read(), "");
    peer.Write(std::string(1, c));
    Iterate();
  }
  EXPECT_EQ(peer.Read(), kEchoed);
}

TEST_F(ServerTest, ManyRequestsAtOnceAreAnsweredInTheirOrder) {
  Start();
  Peer peer(path_);
  std::string requests;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    requests += "{\"command\":\"echo\",\"args\":{\"a\":" + std::to_string(i) + "}}\n";
    expected += "{\"ok\":true,\"result\":{\"a\":" + std::to_string(i) + "}}\n";
  }
  ASSERT_EQ(peer.Write(requests), requests.size());
  std::string answers;
  for (int i = 0; i < 500 && answers.size() < expected.size(); ++i) {
    Iterate();  // goes on when the peer has read: whoever does not read is asked nothing more of
    answers += peer.Read();
  }
  EXPECT_TRUE(answers == expected) << answers.size() << " of " << expected.size() << " bytes";
}

TEST_F(ServerTest, RequestOf64KibibytesIsTakenAndOneByteMoreIsNot) {
  Start();
  const std::string start = R"({"command":"echo","args":{"a":")";
  const std::string longest = start + std::string(65536 - start.size() - 3, 'x') + R"("}})";
  ASSERT_EQ(longest.size(), 65536U);
  Peer fits(path_);
  EXPECT_TRUE(Has(Ask(fits, longest), "\"ok\":true"));
  Peer over(path_);
  EXPECT_TRUE(Has(Ask(over, longest + " "), "limit_exceeded"));
  EXPECT_TRUE(over.closed());
}

TEST_F(ServerTest, EndlessLineIsRefused) {
  Start();
  Peer peer(path_);
  for (int i = 0; i < 10; ++i) {
    peer.Write(std::string(16384, 'x'));
    Iterate();
  }
  EXPECT_TRUE(Has(peer.Read(), "limit_exceeded"));
  EXPECT_TRUE(peer.closed());
}

TEST_F(ServerTest, SeventeenthConnectionIsToldAndClosed) {
  Start();
  std::deque<Peer> peers;
  for (int i = 0; i < 16; ++i) {
    peers.emplace_back(path_).Write("{\"command\":\"later\"}\n");
  }
  Iterate();
  Peer late(path_);
  Iterate();
  EXPECT_TRUE(Has(late.Read(), "limit_exceeded"));
  EXPECT_TRUE(late.closed());
  EXPECT_FALSE(peers.front().closed());
  peers.pop_front();
  Iterate();
  Peer next(path_);
  EXPECT_EQ(Ask(next, kEcho), kEchoed);
}

TEST_F(ServerTest, FileThatIsRemovedOrReplacedIsMadeAnew) {
  Start();
  Peer before(path_);
  Iterate();
  for (const bool replaced : {false, true}) {
    std::filesystem::remove(path_);
    if (replaced) {
      const Fd another(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path_.copy(address.sun_path, sizeof address.sun_path - 1);
      ASSERT_EQ(bind(another.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    clock_.Advance(std::chrono::seconds(1));
    server_->Serve();
    Peer next(path_);
    EXPECT_EQ(Ask(next, kEcho), kEchoed);
  }
  EXPECT_EQ(Ask(before, kEcho), kEchoed) << "who is connected stays so";
}

TEST_F(ServerTest, IdleConnectionIsClosedAfter30Seconds) {
  Start();
  Peer silent(path_);
  Peer half(path_);
  half.Write("{\"comm");
  Iterate();
  clock_.Advance(milliseconds(29'999));
  server_->Serve();
  EXPECT_FALSE(silent.closed());
  EXPECT_FALSE(half.closed());
  clock_.Advance(milliseconds(1));
  server_->Serve();
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(half.closed());
}

TEST_F(ServerTest, DescriptorBecomesReadableWhenAConnectionIsIdleTooLong) {
  Limits limits;
  limits.idle = milliseconds(20);
  Start(limits);
  Peer peer(path_);
  Iterate();
  clock_.Advance(limits.idle);
  pollfd polled{server_->Fds().at(0), POLLIN, 0};
  ASSERT_EQ(poll(&polled, 1, 5000), 1);  // the timer runs in real time
  server_->Serve();
  EXPECT_TRUE(peer.closed());
  EXPECT_FALSE(Ready());
}

TEST_F(ServerTest, WaitingForALateAnswerIsNotIdle) {
  std::uint64_t caller = 0;
  Start({}, [&](const Call& call) {
    caller = call.connection;
    return Echo(call);
  });
  Peer peer(path_);
  EXPECT_EQ(Ask(peer, R"({"command":"later"})"), "");
  clock_.Advance(seconds(300));
  server_->Serve();
  server_->AnswerLater(caller, Answer(std::string("\"done\"")));
  EXPECT_EQ(peer.Read(), "{\"ok\":true,\"result\":\"done\"}\n");
  EXPECT_FALSE(peer.closed());
  clock_.Advance(seconds(30));
  server_->Serve();
  EXPECT_TRUE(peer.closed());
}

TEST_F(ServerTest, RequestsAfterALateOneWaitForIt) {
  std::uint64_t caller = 0;
  Start({}, [&](const Call& call) {
    caller = call.connection;
    return Echo(call);
  });
  Peer peer(path_);
  EXPECT_EQ(Ask(peer, std::string(R"({"command":"later"})") + "\n" + kEcho), "");
  server_->AnswerLater(caller, Error{ErrorCode::kTimeout, "too slow"});
  Iterate();
  const std::string answers = peer.Read();
  EXPECT_TRUE(Has(answers, "\"timeout\""));
  EXPECT_EQ(answers.substr(answers.find('\n') + 1), kEchoed);
}

TEST_F(ServerTest, EndlessLineWhileAnAnswerIsLateIsRefusedAfterIt) {
  std::uint64_t caller = 0;
  Start({}, [&](const Call& call) {
    caller = call.connection;
    return Echo(call);
  });
  Peer peer(path_);
  Ask(peer, R"({"command":"later"})");
  for (int i = 0; i < 10; ++i) {
    peer.Write(std::string(16384, 'x'));
    Iterate();
  }
  EXPECT_FALSE(Ready());  // what does not fit stays with the kernel, and the loop may sleep
  server_->AnswerLater(caller, Answer(std::string("1")));
  Iterate();
  EXPECT_TRUE(Has(peer.Read(), "limit_exceeded"));
}

TEST_F(ServerTest, AnswerBeforeTheHandlerReturnsCounts) {
  Start({}, [&](const Call& call) {
    server_->AnswerLater(call.connection, Answer(std::string("\"early\"")));
    return Answer(Error{ErrorCode::kBusy, ""});
  });
  Peer peer(path_);
  EXPECT_EQ(Ask(peer, kEcho), "{\"ok\":true,\"result\":\"early\"}\n");
  EXPECT_EQ(Ask(peer, kEcho), "{\"ok\":true,\"result\":\"early\"}\n");
}

TEST_F(ServerTest, BusyWithAMessageIsAnOrdinaryError) {
  Start({}, [](const Call&) { return Answer(Error{ErrorCode::kBusy, "a reload is under way"}); });
  Peer peer(path_);
  EXPECT_TRUE(Has(Ask(peer, kEcho), "a reload is under way"));
}

TEST_F(ServerTest, AnswerOrPushForNobodyDoesNothing) {
  Start();
  server_->AnswerLater(12345, Answer(std::string("1")));
  EXPECT_FALSE(server_->Push(12345, "1"));
  EXPECT_FALSE(server_->Push(0, "1"));
}

TEST_F(ServerTest, FollowerGetsLinesAndIsNeverIdle) {
  std::uint64_t caller = 0;
  Start({}, [&](const Call& call) {
    caller = call.connection;
    return Echo(call);
  });
  Peer peer(path_);
  EXPECT_EQ(Ask(peer, kEcho), kEchoed);
  EXPECT_TRUE(server_->Push(caller, "{\"n\":1}"));
  EXPECT_EQ(peer.Read(), "{\"ok\":true,\"result\":{\"n\":1},\"more\":true}\n");
  clock_.Advance(seconds(3600));
  server_->Serve();
  EXPECT_TRUE(server_->Push(caller, "{\"n\":2}"));
  EXPECT_TRUE(Has(peer.Read(), "\"n\":2"));
  EXPECT_FALSE(peer.closed());
}

TEST_F(ServerTest, FollowerThatHangsUpIsForgotten) {
  std::uint64_t caller = 0;
  Start({}, [&](const Call& call) {
    caller = call.connection;
    return Echo(call);
  });
  Peer peer(path_);
  Ask(peer, R"({"command":"later"})");
  EXPECT_TRUE(server_->Push(caller, "1"));
  peer.Close();
  Iterate();
  EXPECT_FALSE(server_->Push(caller, "2"));
  EXPECT_FALSE(Ready());
}

TEST_F(ServerTest, FollowerThatDoesNotReadIsDroppedAtItsBound) {
  Limits limits;
  limits.follower_bytes = 1U << 20U;
  std::uint64_t caller = 0;
  Start(limits, [&](const Call& call) {
    caller = call.connection;
    return Echo(call);
  });
  Peer peer(path_);
  Ask(peer, kEcho);
  const std::string line = "\"" + std::string(100'000, 'x') + "\"";
  int taken = 0;
  while (taken < 100 && server_->Push(caller, line)) {
    ++taken;
  }
  EXPECT_GE(taken, 10);
  EXPECT_LT(taken, 30);
  EXPECT_TRUE(peer.closed());
}

TEST_F(ServerTest, FollowerThatStopsReadingIsClosedAfterTheIdleTime) {
  std::uint64_t caller = 0;
  Start({}, [&](const Call& call) {
    caller = call.connection;
    return Echo(call);
  });
  Peer peer(path_);
  Ask(peer, kEcho);
  clock_.Advance(seconds(600));  // quiet for long: the idle time counts from the first byte that waits
  const std::string line = "\"" + std::string(500'000, 'x') + "\"";
  ASSERT_TRUE(server_->Push(caller, line));
  ASSERT_TRUE(server_->Push(caller, line));
  clock_.Advance(milliseconds(29'999));
  server_->Serve();
  ASSERT_TRUE(server_->Push(caller, "1"));
  clock_.Advance(seconds(1));
  server_->Serve();
  EXPECT_FALSE(server_->Push(caller, "1"));
}

TEST_F(ServerTest, SlowReaderGetsAllOfALargeAnswerAndBlocksNobody) {
  Start();
  Peer slow(path_);
  slow.Write("{\"command\":\"big\",\"args\":{\"n\":8000000}}\n");
  Iterate();
  Peer other(path_);
  EXPECT_EQ(Ask(other, kEcho), kEchoed);
  std::size_t bytes = 0;
  for (int i = 0; i < 1000 && bytes < 8'000'000; ++i) {
    bytes += slow.Read().size();
    Iterate();  // also shows that the descriptor tells when there is room again
  }
  EXPECT_EQ(bytes, 8'000'000U + std::string("{\"ok\":true,\"result\":\"\"}\n").size());
  EXPECT_EQ(Ask(slow, kEcho), kEchoed);
}

TEST_F(ServerTest, AnswerOver16MebibytesBecomesAnError) {
  Start();
  Peer peer(path_);
  EXPECT_TRUE(Has(Ask(peer, "{\"command\":\"big\",\"args\":{\"n\":17000000}}"), "limit_exceeded"));
  EXPECT_EQ(Ask(peer, kEcho), kEchoed);
}

TEST_F(ServerTest, HalfClosedClientStillGetsItsAnswer) {
  Start();
  Peer peer(path_);
  peer.Write(std::string(kEcho) + "\n");
  peer.HalfClose();
  Iterate();
  EXPECT_EQ(peer.Read(), kEchoed);
  EXPECT_TRUE(peer.closed());
}

TEST_F(ServerTest, RequestOfAClientThatDoesNotWaitIsCarriedOut) {
  int calls = 0;
  Start({}, [&](const Call&) {
    ++calls;
    return Answer(std::string("1"));
  });
  {
    Peer peer(path_);
    peer.Write(std::string(kEcho) + "\n");
  }
  Iterate();
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(Ready());
}

TEST_F(ServerTest, ClientThatComesAndGoesLeavesNothing) {
  Start();
  for (int i = 0; i < 200; ++i) {
    Peer peer(path_);
    peer.Write(i % 2 == 0 ? "{\"comm" : "");
    peer.Close();
    Iterate();
  }
  EXPECT_FALSE(Ready());
  Peer peer(path_);
  EXPECT_EQ(Ask(peer, kEcho), kEchoed);
}

TEST_F(ServerTest, SleepsWhenThereIsNothingToDo) {
  Start();
  EXPECT_FALSE(Ready());
  Peer peer(path_);
  EXPECT_TRUE(Ready());
  Iterate();
  EXPECT_FALSE(Ready());
}

TEST_F(ServerTest, WithoutDescriptorsItWaitsInsteadOfSpinning) {
  Start();
  Peer peer(path_);  // waits in the backlog
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit none = old;
  none.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  server_->Serve();
  const bool spins = Ready();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_FALSE(spins);
  clock_.Advance(seconds(1));
  server_->Serve();
  EXPECT_EQ(Ask(peer, kEcho), kEchoed);
}

TEST_F(ServerTest, ServiceUserMayChange) {
  Start();
  Peer peer(path_);
  EXPECT_EQ(Ask(peer, R"({"command":"who"})"), "{\"ok\":true,\"result\":true}\n");
}

TEST_F(ServerTest, ServeInsideAHandlerIsHarmless) {
  Start({}, [&](const Call& call) {
    server_->Serve();
    return Echo(call);
  });
  Peer peer(path_);
  EXPECT_EQ(Ask(peer, kEcho), kEchoed);
}

}  // namespace
}  // namespace packhorse::control
