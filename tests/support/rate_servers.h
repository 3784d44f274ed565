#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace packhorse::test {

// Limits of requests as APIs enforce them, from the other side.
class RateServer {
 public:
  RateServer(std::string name, std::uint64_t count, std::chrono::seconds per)
      : name_(std::move(name)), count_(count), per_(per) {}
  virtual ~RateServer() = default;
  // How many more it takes now.
  virtual std::uint64_t Left(MonoTime now) = 0;
  virtual void Take(MonoTime now) = 0;
  // Until there is more again.
  virtual MonoTime::duration Resets(MonoTime now) = 0;

  const std::string& name() const { return name_; }
  std::uint64_t count() const { return count_; }
  std::chrono::seconds per() const { return per_; }
  double per_second() const { return static_cast<double>(count_) / static_cast<double>(per_.count()); }

 private:
  std::string name_;
  std::uint64_t count_;
  std::chrono::seconds per_;
};

// All of it is given back when the window ends. Windows begin when the server likes.
class FixedWindowServer final : public RateServer {
 public:
  using RateServer::RateServer;
  std::uint64_t Left(MonoTime now) override {
    const MonoTime begin = Begin(now);
    used_ = begin == begin_ ? used_ : 0;
    begin_ = begin;
    return count() - used_;
  }
  void Take(MonoTime /*now*/) override { ++used_; }
  MonoTime::duration Resets(MonoTime now) override { return Begin(now) + per() - now; }

 private:
  MonoTime Begin(MonoTime now) const {
    const auto since = (now.time_since_epoch() + std::chrono::milliseconds(4'321)) % std::chrono::nanoseconds(per());
    return now - since;
  }
  MonoTime begin_{};
  std::uint64_t used_ = 0;
};

// Each comes back a window after it was taken.
class SlidingWindowServer final : public RateServer {
 public:
  using RateServer::RateServer;
  std::uint64_t Left(MonoTime now) override {
    while (!taken_.empty() && taken_.front() + per() <= now) {
      taken_.pop_front();
    }
    return count() - taken_.size();
  }
  void Take(MonoTime now) override { taken_.push_back(now); }
  MonoTime::duration Resets(MonoTime now) override { return taken_.empty() ? per() : taken_.front() + per() - now; }

 private:
  std::deque<MonoTime> taken_;
};

// As many as there are tokens, which come steadily up to the count.
class TokenBucketServer final : public RateServer {
 public:
  using RateServer::RateServer;
  std::uint64_t Left(MonoTime now) override {
    const double time = std::chrono::duration<double>(now - at_).count();
    tokens_ = std::min(static_cast<double>(count()), tokens_ + time * per_second());
    at_ = now;
    return static_cast<std::uint64_t>(tokens_);
  }
  void Take(MonoTime /*now*/) override { tokens_ -= 1; }
  MonoTime::duration Resets(MonoTime /*now*/) override {
    const double missing = static_cast<double>(count()) - tokens_;
    return std::chrono::duration_cast<MonoTime::duration>(std::chrono::duration<double>(missing / per_second()));
  }

 private:
  double tokens_ = 1e9;
  MonoTime at_{};
};

enum class ServerKind { kFixed, kSliding, kBucket };

inline std::unique_ptr<RateServer> MakeServer(ServerKind kind, const std::string& name, std::uint64_t count,
                                              std::chrono::seconds per) {
  switch (kind) {
    case ServerKind::kFixed:
      return std::make_unique<FixedWindowServer>(name, count, per);
    case ServerKind::kSliding:
      return std::make_unique<SlidingWindowServer>(name, count, per);
    case ServerKind::kBucket:
      break;
  }
  return std::make_unique<TokenBucketServer>(name, count, per);
}

}  // namespace packhorse::test
