// Order any: several requests of one lane at once, on real parts.

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "site.h"
#include "support/scripted_server.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

json DestinationOf(const json& status, const std::string& name) {
  for (const json& destination : status["destinations"]) {
    if (destination["name"] == name) {
      return destination;
    }
  }
  return {};
}

TEST(AtOnce, EightInFlightDeliverAtLeastFourTimesWhatOneDoesOverALongWay) {
  constexpr int kMessages = 2'000;
  Site site;
  json& destinations = site.config()["destinations"];
  destinations[0]["batch"] = {{"max_age", "50ms"}, {"max_records", 10}};
  destinations.push_back(destinations[0]);
  destinations[1]["name"] = "any";
  destinations[1]["order"] = "any";
  destinations[1]["max_in_flight"] = 8;
  site.config()["streams"][0]["destinations"] = {"cloud", "any"};
  site.Admin("/admin/faults", R"([{"fault":"slow","delay_ms":100,"seconds":600}])");
  site.StartBridge();
  site.Publish(kMessages);
  json status;
  ASSERT_TRUE(WaitFor(
      [&] {
        std::this_thread::sleep_for(100ms);
        status = site.Status();
        return DestinationOf(status, "any")["records_delivered"] == kMessages;
      },
      60s))
      << status["destinations"];
  EXPECT_LE(DestinationOf(status, "cloud")["records_delivered"], kMessages / 4);
  EXPECT_EQ(DestinationOf(status, "any")["max_in_flight"], 8);
  EXPECT_EQ(DestinationOf(status, "any")["retries"], 0);
}

TEST(AtOnce, KillInTheMiddleLosesNothing) {
  constexpr int kMessages = 1'500;
  Site site;
  json& destination = site.config()["destinations"][0];
  destination["batch"] = {{"max_age", "50ms"}, {"max_records", 5}};
  destination["order"] = "any";
  destination["max_in_flight"] = 8;
  site.Admin("/admin/faults", R"([{"fault":"slow","delay_ms":80,"seconds":600}])");
  site.StartBridge();
  site.Publish(kMessages);
  for (const int delivered : {300, 700}) {
    ASSERT_TRUE(WaitFor([&] { return site.CloudRecords() >= delivered; }, 60s));
    site.KillBridge();
    site.StartBridge();
  }
  ASSERT_TRUE(site.Settled(kMessages));
  EXPECT_EQ(site.Status()["ledger"]["delivered"], kMessages);
  EXPECT_EQ(site.CloudRecords(), kMessages);
  EXPECT_LE(site.Cloud("SELECT count(*) FROM records WHERE copies > 1"), 2 * 8 * 5) << "what was on its way";
  EXPECT_EQ(site.Cli({"ledger", "--check"}).exit_code, 0);
}

// Works on four requests at once, and refuses the fifth.
class NarrowCloud {
 public:
  std::string url() const { return server_.url(); }
  int refused() const { return refused_; }
  std::size_t records() const {
    const std::lock_guard lock(mutex_);
    return ids_.size();
  }

 private:
  void Serve(ScriptedConnection& connection) {
    for (std::string request; !(request = connection.ReadRequest()).empty();) {
      const bool fits = ++at_once_ <= 4;
      if (fits) {
        std::this_thread::sleep_for(30ms);  // of work
        Store(json::parse(request.substr(request.find("\r\n\r\n") + 4), nullptr, false));
      }
      --at_once_;
      refused_ += fits ? 0 : 1;
      connection.Write(fits ? ScriptedServer::Reply("200 OK", json{{"accepted", kRecords}}.dump(),
                                                    "Content-Type: application/json\r\n")
                            : ScriptedServer::Reply("429 Too Many Requests", "", "Retry-After: 1\r\n"));
    }
  }
  void Store(const json& body) {
    const std::lock_guard lock(mutex_);
    for (const json& record : body.value("records", json::array())) {
      ids_.insert(record.value("record_id", ""));
    }
  }

 public:
  static constexpr int kRecords = 5;  // of each request

 private:
  std::atomic<int> at_once_{0};
  std::atomic<int> refused_{0};
  mutable std::mutex mutex_;
  std::set<std::string> ids_;  // guarded by mutex_
  ScriptedServer server_{[this](ScriptedConnection& connection, int) { Serve(connection); }};
};

TEST(AtOnce, ApiThatTakesFourAndRefusesTheFifthIsAskedForFourSoon) {
  constexpr int kMessages = 1'000;
  NarrowCloud cloud;
  Site site;
  json& destination = site.config()["destinations"][0];
  destination["url"] = cloud.url();
  destination["compression"] = "none";
  destination["batch"] = {{"max_age", "1h"}, {"max_records", NarrowCloud::kRecords}};
  destination["order"] = "any";
  destination["max_in_flight"] = 16;
  site.StartBridge();
  site.Publish(kMessages);
  ASSERT_TRUE(site.Settled(kMessages));
  EXPECT_GE(cloud.refused(), 1);
  EXPECT_LE(cloud.refused(), 3);
  EXPECT_EQ(cloud.records(), static_cast<std::size_t>(kMessages));
  const json status = site.Status();
  EXPECT_EQ(status["destinations"][0]["learnt_in_flight"], 4);
  EXPECT_EQ(status["destinations"][0]["learnt_max_in_flight"], 4);
  EXPECT_NE(site.Cli({"status"}).out.find("at most 4 requests at once, as the API refused more"), std::string::npos);
  EXPECT_EQ(status["destinations"][0]["learnt_requests_per_second"], nullptr);
  EXPECT_EQ(status["ledger"]["rejected"], 0);
  EXPECT_EQ(site.BridgeLog().find("destination_held"), std::string::npos);
}

}  // namespace
}  // namespace packhorse::test
