#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <thread>

#include "support/http/parser.h"
#include "support/http/server.h"
#include "support/process.h"

namespace packhorse::http::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST(HttpHead, IsParsed) {
  const Head head = ParseHead(
      "POST /v1/telemetry?a=1&b=x%20y+z HTTP/1.1\r\nHost: h\r\nContent-Length:  12 \r\nX-A: 1\r\nx-a: 2\r\n"
      "Expect: 100-Continue\r\n");
  EXPECT_EQ(head.request.framing, Framing::kOk);
  EXPECT_EQ(head.request.path, "/v1/telemetry");
  EXPECT_EQ(head.request.query.at("b"), "x y z");
  EXPECT_EQ(head.request.Header("x-a"), "1, 2");
  EXPECT_EQ(head.content_length, 12U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_TRUE(head.expects_continue);
}

TEST(HttpHead, WhatCannotBeReadIsMarked) {
  for (const char* text :
       {"", "GET", "GET /", "GET / HTTP/2.0\r\n", "GET nowhere HTTP/1.1\r\n", "GET / HTTP/1.1\r\nno colon\r\n",
        "GET / HTTP/1.1\r\n: x\r\n", "GET / HTTP/1.1\r\nA : x\r\n", "POST / HTTP/1.1\r\nContent-Length: 1x\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n"}) {
    EXPECT_EQ(ParseHead(text).request.framing, Framing::kMalformed) << text;
  }
  EXPECT_EQ(ParseHead("POST / HTTP/1.1\r\n").request.framing, Framing::kLengthRequired);
  EXPECT_EQ(ParseHead("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n").request.framing, Framing::kLengthRequired);
  EXPECT_FALSE(ParseHead("GET / HTTP/1.0\r\n").keep_alive);
  EXPECT_FALSE(ParseHead("GET / HTTP/1.1\r\nConnection: Close\r\n").keep_alive);
}

// A client that shows what really came over the wire.
class Client {
 public:
  explicit Client(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    connected_ = connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  void Send(const std::string& text) {
    ASSERT_EQ(send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Until `marker` has come, or to the end of the stream.
  std::string Receive(const std::string& marker = "") {
    std::string text;
    std::array<char, 4096> chunk{};
    while (marker.empty() || text.find(marker) == std::string::npos) {
      const ssize_t got = recv(fd_.get(), chunk.data(), chunk.size(), 0);
      if (got <= 0) {
        reset_ = got < 0 && errno == ECONNRESET;
        break;
      }
      text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;
  }
  int fd() const { return fd_.get(); }
  bool reset() const { return reset_; }

 private:
  Fd fd_;
  bool connected_ = false;
  bool reset_ = false;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest()
      : server_(
            {"127.0.0.1", 0, 0, nullptr, 4}, [this](const Request& request) { return Answer(request); },
            [](const Request&) { return std::uint64_t{1000}; }, [this] { return down_.load(); }) {
    EXPECT_TRUE(server_.Open());
    thread_ = std::thread([this] { server_.Run(); });
  }
  ~HttpServerTest() override {
    server_.Stop();
    thread_.join();
  }

  Reply Answer(const Request& request) {
    Reply reply;
    if (request.framing != Framing::kOk) {
      reply.status = request.framing == Framing::kTooLarge ? 413 : 400;
    }
    reply.content_type = "text/plain";
    reply.body = "<" + request.method + request.path + ":" + request.body + ">";
    reply.wire = request.path == "/drop"       ? Wire::kDrop
                 : request.path == "/reset"    ? Wire::kReset
                 : request.path == "/truncate" ? Wire::kTruncate
                                               : Wire::kNormal;
    reply.delay = std::chrono::milliseconds(request.path == "/slow" ? 100 : request.path == "/forever" ? 60'000 : 0);
    return reply;
  }
  static std::string Post(const std::string& path, const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  std::atomic<bool> down_{false};
  Server server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, ConnectionIsKeptForFurtherRequests) {
  Client client(server_.port());
  client.Send(Post("/a", "one") + Post("/b", "two"));
  const std::string text = client.Receive("<POST/b:two>");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
  EXPECT_THAT(text, HasSubstr("Content-Length: 12\r\nContent-Type: text/plain\r\n\r\n<POST/a:one>"));
}

TEST_F(HttpServerTest, BodyMayComeInPieces) {
  Client client(server_.port());
  client.Send("POST /a HTTP/1.1\r\nContent-Le");
  client.Send("ngth: 6\r\n\r\nabc");
  client.Send("def");
  EXPECT_THAT(client.Receive(">"), EndsWith("<POST/a:abcdef>"));
}

TEST_F(HttpServerTest, ContinueIsSentBeforeTheBodyIsRead) {
  Client client(server_.port());
  client.Send("POST /a HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.Receive("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("x");
  EXPECT_THAT(client.Receive(">"), EndsWith("<POST/a:x>"));
}

TEST_F(HttpServerTest, TooLargeBodyIsAnsweredUnread) {
  Client client(server_.port());
  client.Send(Post("/a", std::string(1001, 'x')));
  const std::string text = client.Receive();
  EXPECT_THAT(text, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(text, HasSubstr("Connection: close\r\n"));
  EXPECT_FALSE(client.reset());
}

TEST_F(HttpServerTest, EndlessHeadIsRefused) {
  Client client(server_.port());
  client.Send("GET / HTTP/1.1\r\nA: " + std::string(40'000, 'x'));
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpServerTest, DroppedReplyIsAnOrderlyEndWithoutAByte) {
  Client client(server_.port());
  client.Send(Post("/drop", "x"));
  EXPECT_EQ(client.Receive(), "");
  EXPECT_FALSE(client.reset());
}

TEST_F(HttpServerTest, ResetIsAReset) {
  Client client(server_.port());
  client.Send(Post("/reset", "x"));
  EXPECT_EQ(client.Receive(), "");
  EXPECT_TRUE(client.reset());
}

TEST_F(HttpServerTest, TruncatedReplyPromisesMoreThanItSends) {
  Client client(server_.port());
  client.Send(Post("/truncate", "12345"));
  const std::string text = client.Receive();
  EXPECT_THAT(text, HasSubstr("Content-Length: 21\r\n"));
  EXPECT_THAT(text, EndsWith("\r\n\r\n<POST/trun"));
}

TEST_F(HttpServerTest, SlowReplyComesAfterItsDelay) {
  Client client(server_.port());
  const auto begin = std::chrono::steady_clock::now();
  client.Send(Post("/slow", ""));
  client.Receive(">");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(100));
}

TEST_F(HttpServerTest, DownClosesThePortAndCutsConnectionsButNotTheAdminPort) {
  Client client(server_.port());
  client.Send(Post("/a", "x"));
  client.Receive(">");
  down_ = true;
  EXPECT_EQ(client.Receive(), "");
  EXPECT_TRUE(packhorse::test::WaitFor([&] { return !packhorse::test::PortOpen(server_.port()); }));
  Client admin(server_.admin_port());
  admin.Send(Post("/up", ""));
  EXPECT_THAT(admin.Receive(">"), EndsWith("<POST/up:>"));
  down_ = false;
  EXPECT_TRUE(packhorse::test::WaitFor([&] { return packhorse::test::PortOpen(server_.port()); }));
}

TEST_F(HttpServerTest, ConnectionsOverTheLimitAreClosed) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(server_.port()));
    clients.back()->Send(Post("/a", "x"));
    EXPECT_THAT(clients.back()->Receive(">"), HasSubstr("200 OK"));
  }
  Client fifth(server_.port());
  EXPECT_EQ(fifth.Receive(), "");
  clients.clear();
  EXPECT_TRUE(packhorse::test::WaitFor([&] {
    Client next(server_.port());
    send(next.fd(), "GET /a HTTP/1.1\r\n\r\n", 19, MSG_NOSIGNAL);
    return !next.Receive(">").empty();
  }));
}

TEST_F(HttpServerTest, StopEndsIdleConnectionsAndLetsRunningRequestsFinish) {
  Client idle(server_.port());
  Client running(server_.port());
  running.Send(Post("/forever", "x"));
  idle.Send(Post("/a", ""));
  idle.Receive(">");
  server_.Stop();
  EXPECT_EQ(idle.Receive(), "");
  EXPECT_THAT(running.Receive(), EndsWith("<POST/forever:x>"));
}

}  // namespace
}  // namespace packhorse::http::test
