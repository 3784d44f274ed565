// A day of simulated time against an API that limits requests, with an outage of two hours: where its limits are
// configured or announced it never has to refuse anything, and the backlog is gone as fast as it allows.

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "delivery_fixture.h"
#include "support/rate_servers.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using test::ServerKind;
using Unit = limit::Window::Unit;

enum class Knows { kConfigured, kAnnounced, kPartlyBoth, kPlainHeaders };

struct Scene {
  const char* name;
  ServerKind server;
  Knows knows;
  int destinations = 1;
};

// What both sides agree on. Requests have one record each.
struct Scale {
  std::uint64_t sustained = 60;
  std::chrono::seconds sustained_per = 600s;
  std::uint64_t burst = 4;
  std::chrono::seconds burst_per = 10s;
  std::chrono::seconds length = 24h;
  std::chrono::seconds away_at = 12h;
  std::chrono::seconds away = 2h;
  double share = 0.6;  // of the sustained rate that arrives
};

// Several destinations with one account of the API, in a world of its own.
class LimitedWorld {
 public:
  LimitedWorld(const Scene& scene, const Scale& scale) : scene_(scene), scale_(scale) {
    servers_.push_back(test::MakeServer(scene.server, "sustained", scale.sustained, scale.sustained_per));
    if (scene.knows != Knows::kPlainHeaders) {  // these have room for one limit
      servers_.push_back(test::MakeServer(scene.server, "burst", scale.burst, scale.burst_per));
    }
    const limit::Window sustained{Unit::kRequests, scale.sustained, scale.sustained_per};
    if (scene.knows == Knows::kPartlyBoth) {
      shared_.configured = limit::RateLimit({sustained});
    } else if (scene.knows == Knows::kConfigured) {
      configured_ = {sustained, {Unit::kRequests, scale.burst, scale.burst_per}};
    }
    Open();
  }

  void Play() {
    const MonoTime begin = clock_.Mono();
    const MonoTime end = begin + scale_.length;
    const std::chrono::duration<double> between(1 / (scale_.share * servers_.front()->per_second()));
    const auto interval = std::chrono::duration_cast<std::chrono::microseconds>(between);
    MonoTime next_message = begin;
    while (clock_.Mono() < end) {
      const MonoTime now = clock_.Mono();
      const bool was_away =
          std::exchange(away_, now >= begin + scale_.away_at && now < begin + scale_.away_at + scale_.away);
      returned_at_ = was_away && !away_ ? now : returned_at_;
      if (now >= next_message) {
        Append();
        next_message += interval;
      }
      MonoTime next = std::min(next_message, end);
      next = std::min(next, Turn(now));
      if (events_due_.empty() && !Idle()) {
        std::this_thread::sleep_for(20us);
        continue;
      }
      next = events_due_.empty() ? next : std::min(next, events_due_.begin()->first);
      clock_.Advance(std::chrono::ceil<std::chrono::microseconds>(std::max(next, now + 1ms) - now));
      while (!events_due_.empty() && events_due_.begin()->first <= clock_.Mono()) {
        const auto happens = std::move(events_due_.extract(events_due_.begin()).mapped());
        happens();
      }
    }
  }

  std::uint64_t refused() const { return refused_; }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t pending() const {
    std::uint64_t pending = 0;
    for (const auto& destination : destinations_) {
      pending += destination->Snapshot(clock_.Mono()).pending;
    }
    return pending;
  }
  // Of what the API allowed from its return until the backlog was gone; 0: it is not gone.
  double drained() const {
    if (!gone_at_) {
      return 0;
    }
    const double time = std::chrono::duration<double>(*gone_at_ - *returned_at_).count();
    return static_cast<double>(taken_since_) / (servers_.front()->per_second() * time);
  }
  DestinationStatus Shown() const { return destinations_.front()->Snapshot(clock_.Mono()); }
  queue::Queue& queue() { return *queue_; }

 private:
  void Open() {
    queue::Options options;
    options.path = dir_ / "queue.db";
    options.runtime_dir = dir_ / "run";
    for (int i = 0; i < scene_.destinations; ++i) {
      const std::string name = "cloud-" + std::to_string(i);
      options.destinations.emplace_back(name);
      options.streams.push_back(queue::StreamOptions{"stream-" + std::to_string(i), Lane::kNormal, {name}});
    }
    Result<std::unique_ptr<queue::Queue>> opened = queue::Open(options, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_ = *std::move(opened);
    for (const queue::StreamOptions& stream : options.streams) {
      const auto id = queue_->Stream(stream.name);
      ids_.push_back(*id);
      streams_.Set(*id, StreamBinding{stream.name,
                                      {StreamDefinition({*TopicPattern::Parse("dev/{device}")},
                                                        *contract::FindDeviceContract("generic-json@1"))}});
    }
    for (int i = 0; i < scene_.destinations; ++i) {
      destinations_.push_back(Make("cloud-" + std::to_string(i)));
    }
  }

  std::unique_ptr<Destination> Make(const std::string& name) {
    Options options;
    options.name = name;
    options.gateway_id = "gw-1";
    options.contract = *contract::FindCloudContract("packhorse-ingest@1");
    options.endpoint.base_url = "https://cloud.invalid";
    options.batch.max_records = 1;
    options.batch.max_age = 0ms;
    options.limits = configured_;
    options.coding.clear();
    auto made = MakeDestination(std::move(options), nullptr,
                                Dependencies{*queue_, *queue_, uploader_, events_, clock_, streams_,
                                             scene_.destinations > 1 ? &shared_ : nullptr});
    EXPECT_TRUE(made);
    return *std::move(made);
  }

  void Append() {
    RawMessage message;
    message.stream = ids_[appended_++ % ids_.size()];
    message.topic = "dev/17";
    message.payload = R"({"n":)" + std::to_string(appended_) + "}";
    message.received_at = clock_.Wall();
    message.boot_time = clock_.Boot();
    message.clock = ClockState::kSynchronized;
    ASSERT_TRUE(queue_->Append(std::move(message)));
  }

  MonoTime Turn(MonoTime now) {
    queue_->Poll();
    MonoTime next = now + 1h;
    for (const auto& destination : destinations_) {
      next = std::min(next, destination->Step(now));
    }
    for (FakeUploader::Sent& sent : std::exchange(uploader_.sent, {})) {
      const auto request = std::make_shared<FakeUploader::Sent>(std::move(sent));
      After(Latency(), [this, request] { Arrive(request); });
    }
    return next;
  }
  bool Idle() const {
    return std::all_of(destinations_.begin(), destinations_.end(), [](const auto& one) { return one->idle(); });
  }
  void After(std::chrono::microseconds time, std::function<void()> what) {
    events_due_.emplace(clock_.Mono() + time, std::move(what));
  }
  std::chrono::microseconds Latency() { return std::chrono::microseconds(10'000 + random_() % 90'000); }

  void Arrive(const std::shared_ptr<FakeUploader::Sent>& request) {
    const MonoTime now = clock_.Mono();
    if (away_) {
      request->done(Broken(upload::Transport::kConnect));
      return;
    }
    ++sent_;
    const bool room =
        std::all_of(servers_.begin(), servers_.end(), [&](const auto& one) { return one->Left(now) > 0; });
    upload::Response response = room ? Reply(200, R"({"accepted":1})") : Reply(429);
    refused_ += room ? 0U : 1U;
    for (const auto& server : servers_) {
      if (room) {
        server->Take(now);
      }
    }
    if (room && returned_at_ && !gone_at_) {
      ++taken_since_;
    }
    Announce(response, now);
    After(Latency(), [this, request, response = std::move(response)]() mutable {
      request->done(std::move(response));
      if (returned_at_ && !gone_at_ && pending() <= 1) {
        gone_at_ = clock_.Mono();
      }
    });
  }

  void Announce(upload::Response& response, MonoTime now) {
    std::string policies;
    std::string left;
    for (const auto& server : servers_) {
      const std::string resets = std::to_string(std::chrono::ceil<std::chrono::seconds>(server->Resets(now)).count());
      const std::string remaining = std::to_string(server->Left(now));
      if (scene_.knows == Knows::kPlainHeaders) {
        response.headers.emplace_back("x-ratelimit-limit", std::to_string(server->count()));
        response.headers.emplace_back("x-ratelimit-remaining", remaining);
        response.headers.emplace_back("x-ratelimit-reset", resets);
      } else if (scene_.knows == Knows::kAnnounced ||
                 (scene_.knows == Knows::kPartlyBoth && server->name() == "burst")) {
        const std::string comma = policies.empty() ? "" : ", ";
        policies += comma + "\"" + server->name() + "\";q=" + std::to_string(server->count()) +
                    ";w=" + std::to_string(server->per().count());
        left += comma + "\"" + server->name() + "\";r=" + remaining + ";t=" + resets;
      }
    }
    if (!policies.empty()) {
      response.headers.emplace_back("ratelimit-policy", policies);
      response.headers.emplace_back("ratelimit", left);
    }
  }

  const Scene scene_;
  const Scale scale_;
  test::TempDir dir_;
  test::ManualClock clock_;
  std::mt19937_64 random_{7};
  health::Events events_;
  FakeUploader uploader_;
  Streams streams_;
  std::vector<limit::Window> configured_;
  limit::SharedLimits shared_;
  std::vector<std::unique_ptr<test::RateServer>> servers_;
  std::unique_ptr<queue::Queue> queue_;
  std::vector<StreamId> ids_;
  std::vector<std::unique_ptr<Destination>> destinations_;
  std::multimap<MonoTime, std::function<void()>> events_due_;
  std::size_t appended_ = 0;
  bool away_ = false;
  std::optional<MonoTime> returned_at_;
  std::optional<MonoTime> gone_at_;
  std::uint64_t sent_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t taken_since_ = 0;
};

class LimitedDay : public ::testing::TestWithParam<Scene> {};

TEST_P(LimitedDay, HasNoRefusalAndDrainsItsBacklogAsFastAsAllowed) {
  LimitedWorld world(GetParam(), Scale{});
  world.Play();
  EXPECT_EQ(world.refused(), 0U);
  EXPECT_GE(world.drained(), 0.95);
  RecordProperty("drained", std::to_string(world.drained()));
  EXPECT_LE(world.pending(), 2U);
  const Result<queue::Ledger> ledger = world.queue().ReadLedger();
  EXPECT_TRUE(ledger->Balanced());
  EXPECT_GT(ledger->Total().delivered, 5'100U);
  EXPECT_EQ(ledger->Total().rejected, 0U);
  EXPECT_EQ(world.Shown().learnt_requests_per_second, 0);
}

INSTANTIATE_TEST_SUITE_P(All, LimitedDay,
                         ::testing::Values(Scene{"ConfiguredFixed", ServerKind::kFixed, Knows::kConfigured},
                                           Scene{"ConfiguredSliding", ServerKind::kSliding, Knows::kConfigured},
                                           Scene{"ConfiguredBucket", ServerKind::kBucket, Knows::kConfigured},
                                           Scene{"AnnouncedFixed", ServerKind::kFixed, Knows::kAnnounced},
                                           Scene{"AnnouncedSliding", ServerKind::kSliding, Knows::kAnnounced},
                                           Scene{"AnnouncedBucket", ServerKind::kBucket, Knows::kAnnounced},
                                           Scene{"PartlyBothFixedShared", ServerKind::kFixed, Knows::kPartlyBoth, 2},
                                           Scene{"PartlyBothSlidingShared", ServerKind::kSliding, Knows::kPartlyBoth,
                                                 2},
                                           Scene{"PartlyBothBucketShared", ServerKind::kBucket, Knows::kPartlyBoth, 2},
                                           Scene{"AnnouncedFixedShared", ServerKind::kFixed, Knows::kAnnounced, 2},
                                           Scene{"PlainHeadersFixed", ServerKind::kFixed, Knows::kPlainHeaders},
                                           Scene{"PlainHeadersSliding", ServerKind::kSliding, Knows::kPlainHeaders},
                                           Scene{"PlainHeadersBucket", ServerKind::kBucket, Knows::kPlainHeaders}),
                         [](const auto& each) { return std::string(each.param.name); });

// The same in short.
TEST(LimitedHours, HaveNoRefusalEither) {
  Scale scale;
  scale.length = 2h;
  scale.away_at = 20min;
  scale.away = 30min;
  LimitedWorld world(Scene{"Short", ServerKind::kFixed, Knows::kPartlyBoth, 2}, scale);
  world.Play();
  EXPECT_EQ(world.refused(), 0U);
  EXPECT_GT(world.sent(), 350U);
  EXPECT_TRUE(world.queue().ReadLedger()->Balanced());
}

}  // namespace
}  // namespace packhorse::delivery
