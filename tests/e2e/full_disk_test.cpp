// A full disk, on real parts: nothing comes in, what is queued goes out, nothing is lost.

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <utility>

#include "site.h"
#include "support/small_disk.h"

namespace packhorse::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// A site whose queue has a disk of its own.
class FullDisk : public ::testing::Test {
 protected:
  FullDisk() {
    std::filesystem::create_directory(site_.Path("disk"));
    disk_.emplace(site_.Path("disk"), 40U << 20U);
    site_.config()["queue"]["path"] = site_.Path("disk/queue.db");
  }

  void Publish(int messages) {
    std::vector<MqttMessage> batch;
    for (int i = 0; i < messages; ++i) {
      batch.push_back(MqttMessage{"site/a/dev/17/telemetry", LargePayload(static_cast<int>(++seq_))});
    }
    ASSERT_EQ(MqttClient(site_.broker().port()).Publish(batch), batch.size());
  }
  // Publishes more than the disk takes while the cloud is away.
  void FillTheDisk(std::uint64_t free_bytes, int messages) {
    site_.KillCloud();
    disk_->Fill(free_bytes);
    Publish(messages);
    json received;
    ASSERT_TRUE(StatusBecomes([&](const json& status) {  // and what it took until then is stored
      const json before = std::exchange(received, status["ledger"]["received"]);
      return IsFull(status) && status["queue"]["at_risk"] == 0 && received == before;
    }));
  }
  template <typename Holds>
  bool StatusBecomes(Holds holds) {
    return WaitFor(
        [&] {
          std::this_thread::sleep_for(100ms);
          status_ = site_.Status();
          return status_.is_object() && holds(status_);
        },
        40s);
  }
  static bool IsFull(const json& status) { return status["queue"]["full"] == "disk"; }
  bool EventIsOpen(const std::string& name) {
    const json events = json::parse(site_.Cli({"events", "--json"}).out);
    return events["open"].dump().find(name) != std::string::npos;
  }
  void ExpectEverythingOnce() {
    ASSERT_TRUE(site_.Settled(seq_)) << site_.Status();
    // What the broker sent twice counts as received too: the count alone does not say that all of it is there.
    const auto arrived = [&] {
      return site_.Cloud("SELECT count(DISTINCT json_extract(measurements, '$.seq.value')) FROM records");
    };
    EXPECT_TRUE(WaitFor([&] { return arrived() == static_cast<std::int64_t>(seq_); })) << arrived() << " of " << seq_;
    EXPECT_EQ(site_.Cli({"ledger", "--check"}).exit_code, 0);
    EXPECT_EQ(site_.Status()["ledger"]["dropped"], 0);
    EXPECT_TRUE(StatusBecomes([](const json& status) { return status["state"] == "ok"; })) << status_;
    EXPECT_FALSE(EventIsOpen("queue_store_failing"));
  }

  Site site_;
  std::optional<SmallDisk> disk_;
  json status_;
  std::uint64_t seq_ = 0;
};

TEST_F(FullDisk, NothingIsAcknowledgedUntilWhatIsQueuedHasLeftAndMadeRoom) {
  site_.StartBridge();
  FillTheDisk(16U << 20U, 8'000);  // more than fits, the reserve file included
  EXPECT_EQ(status_["state"], "down");
  EXPECT_NE(status_["reasons"].dump().find("the disk is full"), std::string::npos) << status_["reasons"];
  EXPECT_TRUE(WaitFor([&] { return EventIsOpen("queue_store_failing"); }));
  EXPECT_LT(status_["ledger"]["received"], 8'000);
  // A source that has to be made anew meanwhile is, once the message has been taken that waits.
  json another = site_.config()["streams"][0];
  another["name"] = "other";
  another["topics"] = {"other/{device}"};
  site_.config()["streams"].push_back(another);
  site_.WriteConfig();
  const RunResult reload = site_.Cli({"reload"});
  EXPECT_EQ(reload.exit_code, 0) << reload.out << reload.err;
  site_.StartCloud();
  ExpectEverythingOnce();
  ASSERT_TRUE(WaitFor([&] { return site_.BridgeConnected(); }));
  ASSERT_EQ(MqttClient(site_.broker().port()).Publish({MqttMessage{"other/17", LargePayload(0)}}), 1U);
  EXPECT_TRUE(site_.Settled(seq_ + 1));
}

TEST_F(FullDisk, SomebodyElseFillsWhatIsQueuedLeavesAllTheSameAlsoAfterAKill) {
  site_.StartBridge();
  FillTheDisk(4U << 20U, 4'000);
  const std::uint64_t queued = status_["ledger"]["received"];
  EXPECT_LT(queued, 4'000U);
  disk_->Fill();
  site_.KillBridge();
  site_.LaunchBridge();
  ASSERT_TRUE(StatusBecomes(IsFull));
  site_.StartCloud();
  ASSERT_TRUE(StatusBecomes([&](const json& status) { return status["ledger"]["delivered"] >= queued; }))
      << status_ << test::Run({"ls", "-l", site_.Path("disk")}).out;
  disk_->MakeRoom();
  ExpectEverythingOnce();
}

}  // namespace
}  // namespace packhorse::test
