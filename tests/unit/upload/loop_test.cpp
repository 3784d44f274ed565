// Poll() as the wait of a whole loop, what may be asked of Send(), and what messages may tell.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "base/file.h"
#include "harness.h"
#include "support/process.h"
#include "support/scripted_server.h"

namespace packhorse::upload {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::ScriptedConnection;
using test::ScriptedServer;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) == 0) {
      read = Fd(ends[0]);
      write = Fd(ends[1]);
    }
  }
  Fd read, write;
};

MonoTime Now() { return std::chrono::steady_clock::now(); }

TEST(Poll, EndsAtItsDeadline) {
  const auto uploader = NewUploader();
  const MonoTime start = Now();
  const auto ready = uploader->Poll({}, After(milliseconds(50)));
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, 0U);
  EXPECT_GE(Now() - start, milliseconds(50));
  EXPECT_LT(Now() - start, seconds(5));
}

TEST(Poll, DeadlineInThePastReturnsAtOnce) {
  const auto uploader = NewUploader();
  const MonoTime start = Now();
  ASSERT_TRUE(uploader->Poll({}, start - seconds(1)));
  ASSERT_TRUE(uploader->Poll({}, MonoTime{}));
  EXPECT_LT(Now() - start, seconds(5));
}

TEST(Poll, TellsWhichDescriptorsAreReadable) {
  const auto uploader = NewUploader();
  const Pipe a;
  const Pipe b;
  const Pipe c;
  ASSERT_EQ(write(b.write.get(), "x", 1), 1);
  const auto ready = uploader->Poll({a.read.get(), b.read.get(), c.read.get()}, After(seconds(10)));
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, 2U);
}

TEST(Poll, HangUpWithoutDataCountsAsReadable) {
  const auto uploader = NewUploader();
  Pipe pipe;
  pipe.write.Close();
  const auto ready = uploader->Poll({pipe.read.get()}, After(seconds(10)));
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, 1U);
}

TEST(Poll, TakesThirtyTwoDescriptorsAndNotOneMore) {
  const auto uploader = NewUploader();
  const Pipe pipe;
  ASSERT_EQ(write(pipe.write.get(), "x", 1), 1);
  std::vector<int> fds(32, pipe.read.get());
  const auto ready = uploader->Poll(fds, After(seconds(10)));
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, 0xFFFFFFFFU);
  fds.push_back(pipe.read.get());
  EXPECT_EQ(uploader->Poll(fds, After(seconds(10))).error().code, ErrorCode::kLimitExceeded);
}

TEST(Poll, DescriptorWakesItWhileATransferWaits) {
  const ScriptedServer server([](ScriptedConnection& connection, int) { connection.Stall(); });
  const auto uploader = NewUploader();
  uploader->Send(At(server.url()), Post("/"), [](const Response&) {});
  const Pipe pipe;
  ASSERT_EQ(write(pipe.write.get(), "x", 1), 1);
  const auto ready = uploader->Poll({pipe.read.get()}, After(seconds(10)));
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, 1U);
  EXPECT_EQ(uploader->in_flight(), 1U);
}

TEST(Wake, EndsAPollThatIsWaiting) {
  const auto uploader = NewUploader();
  const MonoTime start = Now();
  std::thread other([&] { uploader->Wake(); });
  ASSERT_TRUE(uploader->Poll({}, After(seconds(30))));
  other.join();
  EXPECT_LT(Now() - start, seconds(20));
}

TEST(Wake, BeforePollEndsTheNextOne) {
  const auto uploader = NewUploader();
  uploader->Wake();
  const MonoTime start = Now();
  ASSERT_TRUE(uploader->Poll({}, After(seconds(30))));
  EXPECT_LT(Now() - start, seconds(20));
}

TEST(Wake, FromManyThreadsIsSafe) {
  const auto uploader = NewUploader();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        uploader->Wake();
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(uploader->Poll({}, After(milliseconds(1))));
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST(Send, CallbackMaySendAgain) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "")));
  const auto uploader = NewUploader();
  int answered = 0;
  std::function<void(Response)> again = [&](const Response& response) {
    answered += response.status == 200 ? 1 : 0;
    if (answered < 5) {
      uploader->Send(At(server.url()), Post("/"), again);
    }
  };
  uploader->Send(At(server.url()), Post("/"), again);
  ASSERT_TRUE(Drain(*uploader));
  EXPECT_EQ(answered, 5);
  EXPECT_EQ(server.connections(), 1);
}

TEST(Send, CallbackThatSendsSomethingHopelessDoesNotKeepPollForEver) {
  const auto uploader = NewUploader();
  int calls = 0;
  std::function<void(Response)> again = [&](const Response&) {
    ++calls;
    uploader->Send(At("ftp://127.0.0.1"), Post("/"), again);
  };
  uploader->Send(At("ftp://127.0.0.1"), Post("/"), again);
  ASSERT_TRUE(uploader->Poll({}, After(seconds(1))));
  EXPECT_LE(calls, 2);
  EXPECT_EQ(uploader->in_flight(), 1U);
}

TEST(Send, CallbackRunsInPollAndNotInSend) {
  const auto uploader = NewUploader();
  bool called = false;
  uploader->Send(At("nonsense"), Post("/"), [&](const Response& response) {
    called = true;
    EXPECT_EQ(Name(response.transport), "local");
  });
  EXPECT_FALSE(called);
  EXPECT_EQ(uploader->in_flight(), 1U);
  ASSERT_TRUE(uploader->Poll({}, After(seconds(10))));
  EXPECT_TRUE(called);
  EXPECT_EQ(uploader->in_flight(), 0U);
}

TEST(Send, PollInsideACallbackIsRefused) {
  const auto uploader = NewUploader();
  bool refused = false;
  uploader->Send(At("nonsense"), Post("/"), [&](const Response&) {
    const auto ready = uploader->Poll({}, After(seconds(1)));
    refused = !ready && ready.error().code == ErrorCode::kInternal;
  });
  ASSERT_TRUE(uploader->Poll({}, After(seconds(10))));
  EXPECT_TRUE(refused);
}

TEST(Send, MoreThan256InFlightAreRefused) {
  const ScriptedServer server([](ScriptedConnection& connection, int) { connection.Stall(); });
  const auto uploader = NewUploader();
  int refused = 0;
  for (int i = 0; i < 257; ++i) {
    uploader->Send(At(server.url()), Post("/"),
                   [&](const Response& response) { refused += response.transport == Transport::kLocal ? 1 : 0; });
  }
  ASSERT_TRUE(uploader->Poll({}, After(milliseconds(1))));
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(uploader->in_flight(), 256U);
}

TEST(Abort, EndsTransfersWithoutCallbacks) {
  const ScriptedServer server([](ScriptedConnection& connection, int) { connection.Stall(); });
  const auto uploader = NewUploader();
  bool called = false;
  for (int i = 0; i < 3; ++i) {
    uploader->Send(At(server.url()), Post("/"), [&](const Response&) { called = true; });
  }
  uploader->Send(At("nonsense"), Post("/"), [&](const Response&) { called = true; });
  ASSERT_TRUE(test::WaitFor([&] {
    return server.connections() > 0 || (uploader->in_flight() > 3 && server.connections() > 0) ||
           !uploader->Poll({}, After(milliseconds(1)));
  }));
  called = false;
  uploader->Abort();
  EXPECT_EQ(uploader->in_flight(), 0U);
  ASSERT_TRUE(uploader->Poll({}, After(milliseconds(1))));
  EXPECT_FALSE(called);
}

TEST(Abort, InsideACallbackDropsTheOthers) {
  const auto uploader = NewUploader();
  int calls = 0;
  for (int i = 0; i < 3; ++i) {
    uploader->Send(At("nonsense"), Post("/"), [&](const Response&) {
      ++calls;
      uploader->Abort();
    });
  }
  ASSERT_TRUE(uploader->Poll({}, After(milliseconds(1))));
  EXPECT_EQ(calls, 1);
}

TEST(Abort, UploaderWorksAfterwards) {
  const ScriptedServer server([](ScriptedConnection& connection, int number) {
    if (number == 0) {
      connection.Stall();
    }
    ScriptedServer::Always(ScriptedServer::Reply("200 OK", ""))(connection, number);
  });
  const auto uploader = NewUploader();
  uploader->Send(At(server.url()), Post("/"), [](const Response&) {});
  ASSERT_TRUE(test::WaitFor([&] { return uploader->Poll({}, After(milliseconds(1))) && server.connections() == 1; }));
  uploader->Abort();
  EXPECT_EQ(Exchange(*uploader, At(server.url()), Post("/")).status, 200);
}

TEST(Abort, DestructorEndsWhatIsInFlight) {
  const ScriptedServer server([](ScriptedConnection& connection, int) { connection.Stall(); });
  auto uploader = NewUploader();
  bool ended = false;
  uploader->Send(At(server.url()), Post("/"), [](const Response&) { ADD_FAILURE(); });
  // The resolver may be as quick as the first poll, or still at work at the end.
  uploader->Send(At("http://x.invalid"), Post("/"), [&](const Response&) { EXPECT_FALSE(ended); });
  ASSERT_TRUE(uploader->Poll({}, MonoTime{}));
  ended = true;
  uploader.reset();
}

TEST(MakeUploader, UserAgentWithALineBreakIsRefused) {
  EXPECT_EQ(MakeUploader("a\r\nX-Evil: 1").error().code, ErrorCode::kInvalidArgument);
}

// Everything a caller can get wrong is kLocal, and nothing reaches the network.
TEST(Send, BadRequestsAreOurOwnFault) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "")));
  const auto uploader = NewUploader();
  const auto expect_local = [&](const Endpoint& endpoint, const Request& request) {
    const Response response = Exchange(*uploader, endpoint, request);
    EXPECT_EQ(Name(response.transport), "local") << endpoint.base_url << " " << request.path << " " << response.error;
    EXPECT_FALSE(response.error.empty());
    EXPECT_EQ(response.error.find("s3cr3t"), std::string::npos) << response.error;
  };
  for (const char* url :
       {"", "127.0.0.1", "ftp://127.0.0.1/s3cr3t", "file:///etc/passwd", "http://", "http://a b/s3cr3t",
        "http://127.0.0.1:99999/s3cr3t", "http://user:s3cr3t@127.0.0.1", "http://s3cr3t@127.0.0.1"}) {
    expect_local(At(url), Post("/x?key=s3cr3t"));
  }
  for (const char* path : {"@127.0.0.1/s3cr3t", "s3cr3t", ":80", "/a b", "/a\r\nX-Evil: s3cr3t"}) {
    expect_local(At(server.url()), Post(path));
  }
  const std::pair<std::string, std::string> headers[] = {{"X-A", "s3cr3t\r\nX-Evil: 1"},
                                                         {"X-A", std::string("s3cr3t\0", 7)},
                                                         {"X A", "s3cr3t"},
                                                         {"", "s3cr3t"},
                                                         {"Host", "s3cr3t"},
                                                         {"content-length", "1"},
                                                         {"Expect", "100-continue"}};
  for (const auto& header : headers) {
    Request request = Post("/");
    request.headers.push_back(header);
    expect_local(At(server.url()), request);
  }
  Request many = Post("/");
  many.headers.resize(101, {"X-A", "s3cr3t"});
  expect_local(At(server.url()), many);
  for (const char* method : {"", "PO ST", "POST\r\nX-Evil: 1"}) {
    Request request = Post("/");
    request.method = method;
    expect_local(At(server.url()), request);
  }
  EXPECT_EQ(server.connections(), 0);
}

// Whatever goes wrong, the message names the host and never a header value, the path or the query.
TEST(Secrets, AppearInNoErrorMessage) {
  const auto uploader = NewUploader();
  const std::string body(5'000'000, 'x');
  const ScriptedServer::Script scripts[] = {
      [](ScriptedConnection& connection, int) { connection.ReadRequest(); },
      [](ScriptedConnection& connection, int) { connection.Reset(); },
      [](ScriptedConnection& connection, int) { connection.Stall(); },
      ScriptedServer::Always("garbage\r\n\r\n"),
      ScriptedServer::Always("HTTP/1.1 200 OK\r\nContent-Length: s3cr3t-free\r\n\r\n"),
      ScriptedServer::Always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
  };
  std::vector<Response> responses;
  const auto ask = [&](const std::string& url) {
    Endpoint endpoint = At(url);
    endpoint.timeout = milliseconds(300);
    Request request = Post("/s3cr3t-path?key=s3cr3t-query", body);
    request.headers.emplace_back("Authorization", "Bearer s3cr3t-token");
    responses.push_back(Exchange(*uploader, endpoint, request));
  };
  for (const auto& script : scripts) {
    const ScriptedServer server(script);
    ask(server.url());
  }
  ask("http://x.invalid");
  ask("http://127.0.0.1:" + std::to_string(test::FreePort()));
  ask("https://127.0.0.1:" + std::to_string(test::FreePort()));
  for (const Response& response : responses) {
    EXPECT_NE(response.transport, Transport::kOk);
    EXPECT_FALSE(response.error.empty());
    EXPECT_EQ(response.error.find("s3cr3t-"), std::string::npos) << response.error;
  }
}

}  // namespace
}  // namespace packhorse::upload
