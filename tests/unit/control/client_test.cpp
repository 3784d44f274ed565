#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <deque>

#include "harness.h"
#include "support/process.h"

namespace packhorse::control {
namespace {

TEST(Client, AsksAndGetsAnswers) {
  const test::TempDir dir;
  const Running server(dir / "s", Echo);
  const auto client = Connect(dir / "s");
  ASSERT_TRUE(client) << client.error().message;
  for (int i = 0; i < 100; ++i) {
    const std::string args = "{\"i\":" + std::to_string(i) + "}";
    EXPECT_EQ(*(*client)->Ask("echo", args), args);
  }
}

TEST(Client, ErrorOfTheDaemonKeepsItsCode) {
  const test::TempDir dir;
  const Running server(dir / "s", Echo);
  const auto client = Connect(dir / "s");
  ASSERT_TRUE(client);
  const auto answer = (*client)->Ask("fail", "{}");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(answer.error().message, "no such thing");
}

TEST(Client, LargeAnswerComesWhole) {
  const test::TempDir dir;
  const Running server(dir / "s", Echo);
  const auto client = Connect(dir / "s");
  ASSERT_TRUE(client);
  EXPECT_EQ((*client)->Ask("big", "{\"n\":16000000}")->size(), 16'000'002U);
}

TEST(Client, RequestThatIsTooLargeIsNotSent) {
  const test::TempDir dir;
  const Running server(dir / "s", Echo);
  const auto client = Connect(dir / "s");
  ASSERT_TRUE(client);
  const auto answer = (*client)->Ask("echo", "{\"a\":\"" + std::string(70'000, 'x') + "\"}");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kLimitExceeded);
  EXPECT_TRUE((*client)->Ask("echo", "{}"));
}

TEST(Client, FollowsUntilTheDaemonEnds) {
  const test::TempDir dir;
  std::atomic<std::uint64_t> follower{0};
  int pushed = 0;
  Running server(
      dir / "s",
      [&](const Call& call) {
        follower = call.connection;
        return Answer(std::string("\"following\""));
      },
      [&](Server& running) {
        if (follower != 0 && pushed < 3) {
          running.Push(follower, std::to_string(++pushed));
        }
      });
  const auto client = Connect(dir / "s");
  ASSERT_TRUE(client);
  EXPECT_EQ(*(*client)->Ask("tail", "{}"), "\"following\"");
  EXPECT_EQ(*(*client)->Next(), "1");
  EXPECT_EQ(*(*client)->Next(), "2");
  EXPECT_EQ(*(*client)->Next(), "3");
  server.Stop();
  EXPECT_EQ((*client)->Next().error().code, ErrorCode::kUnavailable);
}

TEST(Client, MissingDaemonIsExplained) {
  const auto client = Connect("/nonexistent/control.sock");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(client.error().message,
            "cannot reach packhorsed at /nonexistent/control.sock: no such file; is it running? (systemctl status "
            "packhorsed)");
}

// A socket file of a process that has gone, or of one that never answers when `listening`.
Fd Socket(const std::string& path, bool listening) {
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  if (listening) {
    EXPECT_EQ(listen(fd.get(), 0), 0);
  }
  return fd;
}

TEST(Client, StaleSocketIsExplained) {
  const test::TempDir dir;
  Socket(dir / "s", false).Close();
  const auto client = Connect(dir / "s");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(Has(client.error().message, "nobody listens")) << client.error().message;
}

TEST(Client, DaemonThatHangsIsATimeout) {
  const test::TempDir dir;
  const Fd hanging = Socket(dir / "s", true);
  const auto client = ConnectWithin(dir / "s", std::chrono::milliseconds(100));
  ASSERT_TRUE(client) << client.error().message;
  const auto answer = (*client)->Ask("status", "{}");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kTimeout);
}

TEST(Client, FullBacklogOfADaemonThatHangsIsExplained) {
  const test::TempDir dir;
  const Fd hanging = Socket(dir / "s", true);
  std::vector<std::unique_ptr<Client>> waiting;
  for (int i = 0; i < 10; ++i) {
    auto client = ConnectWithin(dir / "s", std::chrono::milliseconds(50));
    if (!client) {
      EXPECT_EQ(client.error().code, ErrorCode::kBusy);
      EXPECT_TRUE(Has(client.error().message, "hangs")) << client.error().message;
      return;
    }
    waiting.push_back(std::move(client).value());
  }
  ADD_FAILURE() << "ten clients fit into a backlog of none";
}

TEST(Client, BadPathIsExplained) {
  EXPECT_EQ(Connect("").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Connect("/" + std::string(200, 'x')).error().code, ErrorCode::kInvalidArgument);
}

TEST(Client, RefusalForTooManyConnectionsIsRead) {
  const test::TempDir dir;
  std::atomic<int> asked{0};
  const Running server(dir / "s", [&](const Call& call) {
    ++asked;
    return Echo(call);
  });
  std::deque<Peer> waiting;
  for (int i = 0; i < 16; ++i) {
    waiting.emplace_back(dir / "s").Write("{\"command\":\"later\"}\n");
  }
  ASSERT_TRUE(test::WaitFor([&] { return asked == 16; }));
  const auto late = Connect(dir / "s");
  ASSERT_TRUE(late);
  const auto answer = (*late)->Ask("echo", "{}");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kLimitExceeded);
  EXPECT_TRUE(Has(answer.error().message, "tail")) << answer.error().message;
}

TEST(Client, DaemonThatTalksNonsenseIsNotBelieved) {
  const test::TempDir dir;
  const Fd listener = Socket(dir / "s", true);
  std::thread daemon([&] {
    const Fd peer(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::string nonsense = "HTTP/1.1 400 Bad Request\n{\"ok\":true,\"resu";
    EXPECT_EQ(send(peer.get(), nonsense.data(), nonsense.size(), MSG_NOSIGNAL), static_cast<ssize_t>(nonsense.size()));
  });
  const auto client = Connect(dir / "s");
  ASSERT_TRUE(client);
  EXPECT_EQ((*client)->Ask("status", "{}").error().code, ErrorCode::kCorrupt);
  daemon.join();
  EXPECT_EQ((*client)->Next().error().code, ErrorCode::kUnavailable);
}

// What another user sees. Only root can become one; any other user is that user already and checks the message by mode.
TEST(Client, WhoMayNotOpenTheSocketIsToldWhichGroupToJoin) {
  const test::TempDir dir;
  const Running server(dir / "s", Echo);
  ASSERT_EQ(chmod((dir / "s").c_str(), 0600), 0);
  if (geteuid() != 0) {
    ASSERT_EQ(chmod((dir / "s").c_str(), 0), 0);
  }
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool other = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
    const auto client = Connect(dir / "s");
    const bool told = !client && client.error().code == ErrorCode::kPermissionDenied &&
                      Has(client.error().message, "group packhorse");
    _exit(other && told ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace packhorse::control
