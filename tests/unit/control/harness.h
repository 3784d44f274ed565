#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/file.h"
#include "control/client.h"
#include "control/control.h"
#include "control/server.h"
#include "control/socket.h"
#include "support/manual_clock.h"
#include "support/temp_dir.h"

namespace packhorse::control {

inline bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Answers `echo` with its arguments, `fail` with an error, `later` not yet, `big` with as many bytes as args say.
inline Answer Echo(const Call& call) {
  if (call.command == "echo") {
    return call.args;
  }
  if (call.command == "fail") {
    return Error{ErrorCode::kNotFound, "no such thing"};
  }
  if (call.command == "later") {
    return Error{ErrorCode::kBusy, ""};
  }
  if (call.command == "who") {
    return std::string(call.may_change ? "true" : "false");
  }
  if (call.command == "big") {
    return "\"" + std::string(std::stoul(call.args.substr(call.args.find(':') + 1)), 'x') + "\"";
  }
  return Error{ErrorCode::kUnsupported, "unknown command"};
}

// A peer on the raw socket, driven by the test together with the server: nothing here blocks.
class Peer {
 public:
  explicit Peer(const std::string& path) {
    Result<Fd> fd = ConnectTo(path, std::chrono::milliseconds(0));
    EXPECT_TRUE(fd) << fd.error().message;
    if (fd) {
      fd_ = std::move(fd).value();
    }
  }
  int fd() const { return fd_.get(); }
  // How many bytes the socket took.
  std::size_t Write(const std::string& bytes) {
    const ssize_t n = send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  // Whatever has come; sets closed() at the end.
  std::string Read() {
    std::string all;
    std::string chunk(65536, '\0');
    while (true) {
      const ssize_t n = recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (n <= 0) {
        closed_ = closed_ || n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
        return all;
      }
      all.append(chunk, 0, static_cast<std::size_t>(n));
    }
  }
  bool closed() {
    Read();
    return closed_;
  }
  void HalfClose() { shutdown(fd_.get(), SHUT_WR); }
  void Close() { fd_.Close(); }

 private:
  Fd fd_;
  bool closed_ = false;
};

// A server in this thread, with a clock that only the test moves.
class ServerTest : public ::testing::Test {
 protected:
  void Start(Limits limits = {}, std::function<Answer(const Call&)> handler = Echo) {
    auto made = ListenWithin(path_, std::move(handler), limits, clock_);
    ASSERT_TRUE(made) << made.error().message;
    server_ = std::move(made).value();
  }
  // Turns of the loop until its descriptor says that nothing is left to do.
  void Iterate() {
    for (int i = 0; i < 1000 && Ready(); ++i) {
      server_->Serve();
    }
  }
  bool Ready() {
    pollfd polled{server_->Fds().at(0), POLLIN, 0};
    return poll(&polled, 1, 0) > 0;
  }
  // A request and its answer, both within this thread.
  std::string Ask(Peer& peer, const std::string& line) {
    EXPECT_EQ(peer.Write(line + "\n"), line.size() + 1);
    Iterate();
    return peer.Read();
  }

  test::TempDir dir_;
  const std::string path_ = dir_ / "control.sock";
  test::ManualClock clock_;
  std::unique_ptr<Server> server_;
};

// A server that runs on a thread of its own, for the blocking client.
class Running {
 public:
  Running(
      const std::string& path, std::function<Answer(const Call&)> handler,
      std::function<void(Server&)> each_turn = [](Server&) {}) {
    auto made = Listen(path, std::move(handler));
    EXPECT_TRUE(made) << made.error().message;
    if (!made) {
      return;
    }
    server_ = std::move(made).value();
    thread_ = std::thread([this, turn = std::move(each_turn)] {
      while (!stop_) {
        pollfd polled{server_->Fds().at(0), POLLIN, 0};
        poll(&polled, 1, 5);
        server_->Serve();
        turn(*server_);
      }
    });
  }
  ~Running() { Stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
    server_.reset();
  }

 private:
  std::unique_ptr<Server> server_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace packhorse::control
