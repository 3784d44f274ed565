// Contracts of other APIs than our own, against the real servers: what arrives there is what was published.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "site.h"
#include "support/time_series.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

void SendTo(Site& site, const std::string& contract, const std::string& url, const json& settings) {
  json& destination = site.config()["destinations"][0];
  destination["contract"] = contract;
  destination["url"] = url;
  destination["settings"] = settings;
  destination["retry"] = {{"initial", "200ms"}, {"max", "1s"}};
  destination.erase("auth");
}

std::uint64_t Ledger(const Site& site, const std::string& outcome) { return site.Status()["ledger"][outcome]; }

// Messages of one device, so far apart by its own clock, the last one now: a series takes one sample a millisecond.
void PublishTimed(Site& site, int count, const std::string& device, std::chrono::milliseconds apart = 1s) {
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  std::vector<MqttMessage> messages;
  for (int i = 1; i <= count; ++i) {
    messages.push_back(
        MqttMessage{"site/a/dev/" + device + "/telemetry",
                    json{{"ts", now - apart.count() * (count - i)}, {"temperature", 21.5}, {"seq", i}}.dump()});
  }
  MqttClient client(site.broker().port());
  ASSERT_EQ(client.Publish(messages), messages.size());
}

// The values of a column of an InfluxDB answer.
std::vector<json> Column(const json& series, const std::string& name) {
  std::vector<json> values;
  for (std::size_t i = 0; series.is_object() && i < series["columns"].size(); ++i) {
    if (series["columns"][i] == name) {
      for (const json& row : series["values"]) {
        values.push_back(row[i]);
      }
    }
  }
  return values;
}

class InfluxDbOne : public testing::Test {
 protected:
  void SendToDatabase(const std::string& database) { SendTo(site_, "influxdb@1", influx_.url(), {{"db", database}}); }

  Site site_;
  InfluxDb influx_{site_.Path("influx")};
};

TEST_F(InfluxDbOne, WhatIsReadBackEqualsWhatWasPublished) {
  influx_.Query("CREATE DATABASE plant");
  SendToDatabase("plant");
  site_.StartBridge();
  site_.Publish(300, "th 1,x=y");
  ASSERT_TRUE(site_.PublishRaw(R"({"temperature":-0.5,"label":"a \"b\" \\ c","open":true})", false, "th-2"));
  ASSERT_TRUE(site_.Settled(301));
  EXPECT_EQ(Ledger(site_, "delivered"), 301U);
  const json first = influx_.Query(R"(SELECT temperature, seq FROM telemetry WHERE device = 'th 1,x=y')", "plant");
  std::multiset<int> sequences;
  for (const json& value : Column(first, "seq")) {
    sequences.insert(value.get<int>());
  }
  EXPECT_EQ(sequences.size(), 300U);
  EXPECT_EQ(*sequences.begin(), 1);
  EXPECT_EQ(*sequences.rbegin(), 300);
  const json second = influx_.Query(R"(SELECT temperature, open FROM telemetry WHERE device = 'th-2')", "plant");
  EXPECT_EQ(Column(second, "temperature"), std::vector<json>{-0.5});
  EXPECT_EQ(Column(second, "open"), std::vector<json>{true});
}

TEST_F(InfluxDbOne, AMissingDatabaseHoldsTheDestinationAndNothingIsLost) {
  SendToDatabase("plant");
  site_.StartBridge();
  site_.Publish(20);
  ASSERT_TRUE(site_.DestinationIs("held"));
  EXPECT_NE(site_.Destination()["reason"].get<std::string>().find("database not found"), std::string::npos);
  EXPECT_EQ(Ledger(site_, "rejected"), 0U);
  influx_.Query("CREATE DATABASE plant");
  EXPECT_EQ(site_.Cli({"resume", "cloud"}).exit_code, 0);
  ASSERT_TRUE(site_.Settled(20));
  EXPECT_EQ(Column(influx_.Query("SELECT count(seq) FROM telemetry", "plant"), "count"), std::vector<json>{20});
}

// The database stores all points but those whose type contradicts, and says only how many it dropped.
TEST_F(InfluxDbOne, OnlyThePointsOfATypeConflictBecomeDeadLetters) {
  influx_.Query("CREATE DATABASE plant");
  SendToDatabase("plant");
  site_.config()["destinations"][0]["batch"]["max_age"] = "1s";
  site_.StartBridge();
  ASSERT_TRUE(site_.PublishRaw(R"({"temperature":20.5,"seq":100000})"));
  ASSERT_TRUE(site_.Settled(1));
  site_.Publish(10);
  ASSERT_TRUE(site_.PublishRaw(R"({"temperature":true,"seq":100001})"));
  site_.Publish(10);
  const auto dead = [&] { return json::parse(site_.Cli({"dead", "list", "--json"}).out, nullptr, false); };
  // While the suspect waits for its second refusal others have to pass.
  ASSERT_TRUE(WaitFor(
      [&] {
        site_.Publish(1, "other");
        return Ledger(site_, "rejected") == 1;
      },
      120s))
      << site_.Status();
  EXPECT_NE(dead().dump().find("field type conflict"), std::string::npos) << dead();
  EXPECT_EQ(Column(influx_.Query("SELECT count(seq) FROM telemetry WHERE device = '17'", "plant"), "count"),
            std::vector<json>{21});
}

// What was accepted can be searched a moment later. The samples of all series that match, by their sequence numbers.
std::set<double> Values(const std::vector<json>& series) {
  std::set<double> values;
  for (const json& each : series) {
    for (const json& value : each["values"]) {
      values.insert(value.get<double>());
    }
  }
  return values;
}

TEST(VictoriaMetricsDatabase, LineProtocolIsReadBackEqual) {
  Site site;
  const VictoriaMetrics database(site.Path("vm"));
  SendTo(site, "influxdb@1", database.url(), {{"db", "plant"}});
  site.StartBridge();
  PublishTimed(site, 200, "17");
  ASSERT_TRUE(site.Settled(200));
  const std::string wanted = R"({__name__="telemetry_seq",device="17",db="plant"})";
  EXPECT_TRUE(WaitFor([&] { return Values(database.Export(wanted)).size() == 200; }));
  const std::vector<json> series = database.Export(wanted);
  ASSERT_EQ(series.size(), 1U);
  EXPECT_EQ(*Values(series).rbegin(), 200);
}

TEST(VictoriaMetricsDatabase, RemoteWriteIsReadBackEqual) {
  Site site;
  const VictoriaMetrics database(site.Path("vm"));
  SendTo(site, "prometheus-remote-write@1", database.url(), json::object());
  site.StartBridge();
  PublishTimed(site, 200, "17");
  ASSERT_TRUE(site.Settled(200));
  const std::string wanted = R"({__name__="seq",device="17",stream="telemetry"})";
  EXPECT_TRUE(WaitFor([&] { return Values(database.Export(wanted)).size() == 200; }));
  const std::vector<json> series = database.Export(wanted);
  ASSERT_EQ(series.size(), 1U);
  EXPECT_EQ(*Values(series).rbegin(), 200);
  EXPECT_EQ(Values(database.Export(R"({__name__="temperature",device="17"})")), std::set<double>{21.5});
}

TEST(PrometheusDatabase, RemoteWriteIsReadBackEqual) {
  Site site;
  const Prometheus database(site.Path("prometheus"));
  SendTo(site, "prometheus-remote-write@1", database.url(), json::object());
  site.StartBridge();
  PublishTimed(site, 50, "17");
  ASSERT_TRUE(site.Settled(50));
  EXPECT_EQ(Ledger(site, "delivered"), 50U);
  const json last = database.Query(R"(last_over_time(seq{device="17"}[5m]))");
  ASSERT_EQ(last.size(), 1U) << last;
  EXPECT_EQ(last[0]["value"][1], "50");
}

// A message a minute for thirty hours, by the device's clock.
class PrometheusAfterAnOutage : public testing::Test {
 protected:
  static constexpr int kMessages = 30 * 60 + 1;

  void Deliver(const Prometheus& database) {
    site_.UseBridge("packhorsed-disciplined");
    SendTo(site_, "prometheus-remote-write@1", database.url(), json::object());
    if (!oldest_.is_null()) {
      site_.config()["destinations"][0]["accepts"] = {{"oldest", oldest_}};
    }
    site_.StartBridge();
    PublishTimed(site_, kMessages, "17", 1min);
    ASSERT_TRUE(site_.Settled(kMessages));
    const json destination = site_.Destination();
    for (const auto& [reply, count] : destination["replies"].items()) {
      EXPECT_EQ(reply.front(), '2') << reply << ": " << count;
    }
    EXPECT_EQ(destination["retries"], 0);
    EXPECT_EQ(Ledger(site_, "rejected"), 0U);
    EXPECT_EQ(Ledger(site_, "delivered") + Ledger(site_, "skipped"), std::uint64_t{kMessages});
    stored_ = database.Query(R"(count_over_time(seq{device="17"}[48h]))");
    ASSERT_EQ(stored_.size(), 1U) << stored_;
    EXPECT_EQ(stored_[0]["value"][1], std::to_string(Ledger(site_, "delivered")));
  }

  Site site_;
  json oldest_;
  json stored_;
};

TEST_F(PrometheusAfterAnOutage, ThatTakesOldSamplesGetsThirtyHours) {
  const Prometheus database(site_.Path("prometheus"), "out_of_order_time_window: 48h");
  oldest_ = "48h";
  Deliver(database);
  EXPECT_EQ(Ledger(site_, "delivered"), std::uint64_t{kMessages});
}

TEST_F(PrometheusAfterAnOutage, GetsTheLastHourAndTheRestIsToldBeforeTheUpload) {
  const Prometheus database(site_.Path("prometheus"));
  Deliver(database);
  EXPECT_NEAR(static_cast<double>(Ledger(site_, "delivered")), 60, 2);
  const json ledger = json::parse(site_.Cli({"ledger", "--json"}).out);
  for (const json& row : ledger["rows"]) {
    if (row["stream"] == "telemetry") {
      EXPECT_EQ(row["skip_reasons"], (json{{"too_old", Ledger(site_, "skipped")}}));
    }
  }
  const std::string events = site_.Cli({"events", "--json"}).out;
  EXPECT_NE(events.find("records_outside_window"), std::string::npos) << events;
  EXPECT_NE(events.find("too_old"), std::string::npos) << events;
}

}  // namespace
}  // namespace packhorse::test
