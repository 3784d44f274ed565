#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "health/metrics.h"
#include "reconcile/reconciler.h"
#include "support/manual_clock.h"

namespace packhorse::reconcile::test {

// One destination "cloud" with its ledger and its cloud, both as the test says. Answers come when Settle() runs them.
class FakeBridge : public Surroundings {
 public:
  struct Hour {
    std::uint64_t records = 0;
    std::uint64_t id_hash = 0;
    std::string sums = "{}";
  };

  std::vector<Target> Targets() override { return targets; }
  void ReadLedger(const std::string& destination, std::int32_t first, std::int32_t end,
                  std::function<void(Result<DeliveredHours>)> done) override {
    EXPECT_EQ(destination, "cloud");
    later_.push_back([this, first, end, done] {
      DeliveredHours read = ledger;
      std::erase_if(read.hours, [&](const auto& hour) { return hour.of.hour < first || hour.of.hour >= end; });
      ++ledger_reads;
      done(std::move(read));
    });
  }
  std::set<StreamHour> InBatches(const std::string&) override { return in_batches; }
  void Ask(const std::string&, contract::ReconcileRequest request, MonoTime,
           std::function<void(Result<outcome::Reply>)> done) override {
    asked.push_back(request.path);
    later_.push_back([this, done] { done(answer ? answer() : NextPage()); });
  }

  // The ledger has it, with a hash of all of it.
  void Deliver(const std::string& stream, std::int32_t hour, std::uint64_t records, std::uint64_t hash) {
    queue::DeliveredHour row;
    row.of = {stream, hour};
    row.records = row.hashed = records;
    row.id_hash = hash;
    ledger.hours.push_back(row);
  }

  Result<outcome::Reply> NextPage() {
    outcome::Reply reply;
    reply.complete = true;
    reply.status = status;
    reply.headers = {{"content-type", "application/json"}};
    if (status != 200) {
      reply.body = R"({"title":"No","detail":"not today"})";
      return reply;
    }
    reply.body = R"({"gateway":"gw-1","windows":[)";
    std::size_t i = 0;
    for (const auto& [of, hour] : cloud) {
      if (i >= page * page_hours && i < (page + 1) * page_hours) {
        char hash[17];
        std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(hour.id_hash));
        reply.body += (i == page * page_hours ? R"({"stream":")" : R"(,{"stream":")") + of.stream + R"(","hour":")" +
                      HourText(of.hour) + R"(","count":)" + std::to_string(hour.records) + R"(,"hash":")" + hash +
                      "\",\"sums\":" + hour.sums + "}";
      }
      ++i;
    }
    reply.body += "]";
    ++page;
    if (page * page_hours < cloud.size()) {
      reply.body += R"(,"next":"c)" + std::to_string(page) + "\"";
    } else {
      page = 0;
    }
    reply.body += "}";
    return reply;
  }

  // Runs what waits, until nothing does.
  void Settle() {
    while (!later_.empty()) {
      const std::function<void()> next = std::move(later_.front());
      later_.pop_front();
      next();
    }
  }
  bool waits() const { return !later_.empty(); }

  std::vector<Target> targets;
  DeliveredHours ledger;
  std::set<StreamHour> in_batches;
  std::map<StreamHour, Hour> cloud;
  std::function<Result<outcome::Reply>()> answer;  // instead of a page
  int status = 200;
  std::size_t page_hours = 100;
  std::size_t page = 0;
  std::vector<std::string> asked;
  int ledger_reads = 0;

 private:
  std::deque<std::function<void()>> later_;
};

class ReconcilerTest : public ::testing::Test {
 protected:
  ReconcilerTest() {
    Target target;
    target.name = "cloud";
    target.contract = *contract::FindCloudContract("packhorse-ingest@1");
    target.gateway.gateway_id = "gw-1";
    target.url = "https://cloud.example";
    target.every = std::chrono::hours(24);
    target.replayable = {"telemetry"};
    bridge_.targets.push_back(target);
    bridge_.ledger.first_hour = Present() - 200;
    Restart();
  }

  void Restart() { reconciler_ = std::make_unique<Reconciler>(bridge_, events_, clock_, 1); }
  std::int32_t Present() const { return queue::HourOf(clock_.Wall()); }

  // What a comparison on request finds.
  Report Compared(std::optional<WallTime> from = std::nullopt, std::optional<WallTime> to = std::nullopt) {
    std::optional<Report> report;
    EXPECT_TRUE(reconciler_->Start("cloud", from, to, [&](const Report& found) { report = found; }));
    Work();
    EXPECT_TRUE(report.has_value());
    return report.value_or(Report{});
  }
  void Work() {
    reconciler_->Step(clock_.Mono());
    bridge_.Settle();
    reconciler_->Step(clock_.Mono());
    bridge_.Settle();
  }
  // Lets the time go by in pieces of ten minutes.
  void Pass(std::chrono::hours time) {
    for (int i = 0; i < 6 * time.count(); ++i) {
      clock_.Advance(std::chrono::minutes(10));
      Work();
    }
  }
  std::vector<std::string> Gaps() const {
    std::vector<std::string> messages;
    for (const health::Event& event : events_.Open()) {
      if (event.name == "reconciliation_gap") {
        messages.push_back(event.message);
      }
    }
    return messages;
  }

  packhorse::test::ManualClock clock_;
  health::Events events_;
  FakeBridge bridge_;
  std::unique_ptr<Reconciler> reconciler_;
};

}  // namespace packhorse::reconcile::test
