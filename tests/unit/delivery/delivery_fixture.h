#pragma once

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "delivery/delivery.h"
#include "queue/queue.h"
#include "support/manual_clock.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::delivery {

// Takes requests and lets the test answer them.
class FakeUploader final : public upload::Uploader {
 public:
  struct Sent {
    upload::Request request;
    std::string body;
    std::function<void(upload::Response)> done;
    std::string Header(const std::string& name) const {
      for (const auto& [key, value] : request.headers) {
        if (key == name) {
          return value;
        }
      }
      return "";
    }
  };

  void Send(const upload::Endpoint& endpoint, upload::Request request,
            std::function<void(upload::Response)> done) override {
    if (request.only_connect) {
      connecting.push_back(std::move(done));
      return;
    }
    timeouts.push_back(endpoint.timeout);
    proxy_password = endpoint.proxy.password;
    bind = endpoint.bind;
    std::string body(request.body);
    sent.push_back(Sent{std::move(request), std::move(body), std::move(done)});
    ++total;
  }
  Result<std::uint32_t> Poll(const std::vector<int>&, MonoTime) override { return 0U; }
  std::size_t in_flight() const override { return sent.size(); }
  void Wake() override {}
  void Abort() override { sent.clear(); }

  std::vector<Sent> sent;                                         // not answered yet
  std::vector<std::function<void(upload::Response)>> connecting;  // likewise, connections over which nothing is sent
  std::size_t total = 0;
  std::vector<std::chrono::milliseconds> timeouts;  // of all requests
  std::string proxy_password;                       // of the last one
  std::string bind;                                 // likewise
};

inline upload::Response Reply(int status, std::string body = "", std::string content_type = "application/json") {
  upload::Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers = {{"content-type", std::move(content_type)}};
  return response;
}

inline upload::Response Broken(upload::Transport transport) {
  upload::Response response;
  response.transport = transport;
  response.error = "broken";
  return response;
}

class DeliveryTest : public ::testing::Test {
 protected:
  DeliveryTest() { Restart(); }

  void Restart() {
    destination_.reset();
    uploader_.sent.clear();
    queue_.reset();
    queue::Options options;
    options.path = dir_ / "queue.db";
    options.runtime_dir = dir_ / "run";
    options.streams = queue_streams_;
    options.destinations = {"cloud"};
    Result<std::unique_ptr<queue::Queue>> opened = queue::Open(options, clock_);
    ASSERT_TRUE(opened) << opened.error().message;
    queue_ = *std::move(opened);
    streams_.Clear();
    for (const queue::StreamOptions& stream : queue_streams_) {
      streams_.Set(*queue_->Stream(stream.name),
                   StreamBinding{stream.name,
                                 {StreamDefinition({*TopicPattern::Parse("dev/{device}")},
                                                   *contract::FindDeviceContract("generic-json@1"))}});
    }
    Rebuild();
  }

  void Rebuild() {
    Options options;
    options.name = "cloud";
    options.gateway_id = "gw-1";
    options.contract = contract_;
    options.settings = settings_;
    options.endpoint.base_url = url_;
    options.endpoint.timeout = timeout_;
    options.endpoint.bind = bind_;
    options.batch.max_records = max_records_;
    options.batch.max_age = std::chrono::milliseconds(0);
    options.limits = limits_;
    options.accepted = accepted_;
    options.budget = budget_;
    options.windows = windows_;
    options.proxy_password = proxy_password_;
    options.coding.clear();
    options.settings = settings_;
    options.outcomes = outcomes_;
    options.rollout = rollout_;
    options.live_first = live_first_;
    options.keeps_order = keeps_order_;
    options.any_order = any_order_;
    options.max_in_flight = max_in_flight_;
    options.reconciled = reconciled_;
    options.sums = sums_;
    Result<std::unique_ptr<Destination>> made =
        MakeDestination(std::move(options), std::move(authorizer_),
                        Dependencies{*queue_, *queue_, *through_, events_, clock_, streams_, nullptr});
    ASSERT_TRUE(made) << made.error().message;
    destination_ = *std::move(made);
  }

  void Append(const std::string& payload, const std::string& stream = "telemetry", const std::string& device = "17") {
    RawMessage message;
    message.stream = *queue_->Stream(stream);
    message.topic = "dev/" + device;
    message.payload = payload;
    message.received_at = clock_.Wall();
    message.boot_time = clock_.Boot();
    message.clock = clock_.Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
    message.qos = 1;
    ASSERT_TRUE(queue_->Append(std::move(message)));
  }

  // Turns the loop until `condition` holds.
  bool Turn(const std::function<bool()>& condition) {
    return test::WaitFor(
        [&] {
          queue_->Poll();
          destination_->Step(clock_.Mono());
          return condition();
        },
        std::chrono::seconds(5));
  }

  // The next request that is sent.
  FakeUploader::Sent Next() {
    EXPECT_TRUE(Turn([&] { return !uploader_.sent.empty(); })) << "nothing was sent";
    if (uploader_.sent.empty()) {
      return {};
    }
    FakeUploader::Sent sent = std::move(uploader_.sent.front());
    uploader_.sent.erase(uploader_.sent.begin());
    return sent;
  }

  // Whether something is sent within a few turns, without time passing.
  bool SendsNow() {
    for (int i = 0; i < 20; ++i) {
      queue_->Poll();
      destination_->Step(clock_.Mono());
    }
    return !uploader_.sent.empty();
  }

  void Accept(const FakeUploader::Sent& sent) {
    std::size_t records = 0;
    for (std::size_t at = sent.body.find("\"record_id\""); at != std::string::npos;
         at = sent.body.find("\"record_id\"", at + 1)) {
      ++records;
    }
    sent.done(Reply(200, "{\"accepted\":" + std::to_string(records) + "}"));
  }

  // A first reply comes, which announces nothing: from then on several requests may go at once.
  void Hear() {
    destination_->Ask({"/", {}}, clock_.Mono() + std::chrono::minutes(1), [](const auto&) {});
    Next().done(Reply(200, "{}"));
    --uploader_.total;
  }

  queue::LedgerRow Row() {
    const Result<queue::Ledger> ledger = queue_->ReadLedger();
    EXPECT_TRUE(ledger->Balanced());
    return ledger->Total();
  }

  bool Settled(std::uint64_t delivered) {
    return Turn([&] { return Row().delivered == delivered; });
  }

  test::TempDir dir_;
  test::ManualClock clock_;
  health::Events events_;
  FakeUploader uploader_;
  upload::Uploader* through_ = &uploader_;
  std::string url_ = "https://cloud.invalid";
  Streams streams_;
  std::vector<queue::StreamOptions> queue_streams_ = {{"telemetry", Lane::kNormal, {"cloud"}}};
  std::vector<limit::Window> limits_;
  AcceptedTimes accepted_;
  std::optional<limit::BudgetOptions> budget_;
  std::array<std::vector<limit::DayWindow>, kLanes> windows_;
  auth::SecretSource proxy_password_;
  std::string bind_;
  std::uint32_t max_records_ = 100;
  std::chrono::milliseconds timeout_{30'000};
  contract::SettingValues settings_;
  contract::ResponseRules outcomes_;
  bool live_first_ = false;
  bool keeps_order_ = false;
  bool any_order_ = false;
  std::uint32_t max_in_flight_ = 4;
  bool reconciled_ = false;
  std::vector<std::string> sums_;
  std::shared_ptr<const contract::CloudContract> contract_ = *contract::FindCloudContract("packhorse-ingest@1");
  std::optional<RolloutOptions> rollout_;
  std::unique_ptr<auth::Authorizer> authorizer_;
  std::unique_ptr<queue::Queue> queue_;
  std::unique_ptr<Destination> destination_;
};

}  // namespace packhorse::delivery
