// What contracts may say of times, order and confirmation, in a rollout: both sides of it obey their own.
#include <gmock/gmock.h>

#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/read_contract.h"
#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using contract::Outside;
using ::testing::HasSubstr;

// Its path says which version made a request.
std::shared_ptr<const contract::CloudContract> PlantApi(const std::string& version, const std::string& order,
                                                        const std::string& more = "") {
  const contract::ContractRead read = contract::ReadCloudContract(
      R"({ "contract": "plant@)" + version + R"(",
           "request": { "method": "POST", "path": "/)" +
          version + R"(", "body": { "json": "{items}" }, "item": { "at": "{time|unix_ms}", "values": "{fields}" } },
           "time": "device_or_received",
           "accepts": { "max_items": 100, "overwrites": true, "order": ")" +
          order + R"(" }, )" + more + R"(
           "response": [
             { "status": 202, "when": { "/ack": "*" }, "verdict": ")" +
          (more.empty() ? "accepted" : "confirm") + R"(" },
             { "status": 204, "verdict": "accepted" },
             { "status": 200, "lists": [ { "each": "/*", "by": "index", "item": [
               { "when": { "/ok": true }, "verdict": "accepted" },
               { "verdict": "rejected", "reason": "/why" } ] } ] } ] })",
      "plant.json");
  EXPECT_TRUE(read.definition) << (read.problems.empty() ? "" : document::Describe(read.problems.front()));
  return *contract::MakeCloudContract(read.definition, {});
}

class RollingOutContracts : public DeliveryTest {
 protected:
  RollingOutContracts() {
    contract_ = PlantApi("1.0", "any");
    rollout_.emplace();
    rollout_->steps = {100};
    rollout_->hold = 1h;
    Use(PlantApi("1.1", "any"));
  }

  void Use(std::shared_ptr<const contract::CloudContract> newer) {
    rollout_->contract = std::move(newer);
    Rebuild();
  }
  // A record with this number, whose device's clock said so long ago.
  std::string Record(int n, std::chrono::microseconds ago) {
    const auto at = std::chrono::floor<std::chrono::milliseconds>((clock_.Wall() - ago).time_since_epoch());
    return "{\"ts\":" + std::to_string(at.count()) + ",\"n\":" + std::to_string(n) + "}";
  }
  // The numbers of the records in a request, as it has them.
  static std::vector<int> NumbersIn(const FakeUploader::Sent& sent) {
    constexpr std::string_view kNumber = "\"n\":";
    std::vector<int> numbers;
    for (std::size_t at = sent.body.find(kNumber); at != std::string::npos; at = sent.body.find(kNumber, at + 1)) {
      numbers.push_back(std::stoi(sent.body.substr(at + kNumber.size())));
    }
    return numbers;
  }
  FakeUploader::Sent NextBy(const std::string& version, const std::vector<int>& numbers) {
    FakeUploader::Sent sent = Next();
    EXPECT_EQ(sent.request.path, "/" + version);
    EXPECT_EQ(NumbersIn(sent), numbers);
    return sent;
  }
  Rollout::Kept Kept() { return destination_->Snapshot(clock_.Mono()).rollout->now; }
  bool IsTold(const std::string& event) {
    const std::vector<health::Event> open = events_.Open();
    return std::any_of(open.begin(), open.end(), [&](const health::Event& each) { return each.name == event; });
  }
};

TEST_F(RollingOutContracts, WhatIsTooOldForTheNewerContractAloneGoesByThePresentOne) {
  rollout_->accepted.oldest = 1h;
  Rebuild();
  Append(Record(1, 2h));
  NextBy("1.0", {1}).done(Reply(204));
  ASSERT_TRUE(Settled(1));
  Append(Record(2, 0s));
  NextBy("1.1", {2}).done(Reply(204));
  ASSERT_TRUE(Settled(2));
  EXPECT_EQ(Row().skipped, 0U);
  EXPECT_EQ(Kept().counts.faulty, 1U);
}

TEST_F(RollingOutContracts, WhatIsTooOldForBothIsSkipped) {
  rollout_->accepted.oldest = accepted_.oldest = 1h;
  Rebuild();
  Append(Record(1, 2h));
  ASSERT_TRUE(Turn([&] { return Row().skipped == 1; }));
  EXPECT_EQ(uploader_.total, 0U);
  EXPECT_TRUE(IsTold("records_outside_window"));
  EXPECT_EQ(Kept().counts.faulty, 0U);
}

TEST_F(RollingOutContracts, BatchThatBecomesTooOldForTheNewerContractGoesByThePresentOne) {
  for (const bool restart : {false, true}) {
    rollout_->accepted.oldest = 1h;
    Rebuild();
    const std::uint64_t before = Row().delivered;
    Append(Record(1, 40min));
    Append(Record(2, 0s));
    NextBy("1.1", {1, 2}).done(Reply(503));
    if (restart) {
      Restart();
    }
    clock_.Advance(30min);
    NextBy("1.0", {1, 2}).done(Reply(204));
    ASSERT_TRUE(Settled(before + 2));
    EXPECT_EQ(Row().skipped, 0U);
  }
}

TEST_F(RollingOutContracts, RecordThatBecomesTooOldForBothIsTakenOutAndTheOthersGoByThePresentOne) {
  rollout_->accepted.oldest = accepted_.oldest = 1h;
  Rebuild();
  Append(Record(1, 40min));
  Append(Record(2, 0s));
  NextBy("1.1", {1, 2}).done(Reply(503));
  clock_.Advance(30min);
  NextBy("1.0", {2}).done(Reply(204));
  ASSERT_TRUE(Settled(1));
  EXPECT_EQ(Row().skipped, 1U);
}

TEST_F(RollingOutContracts, LaneIsHeldWhereThePresentContractHoldsIt) {
  rollout_->accepted = {1h, std::nullopt, Outside::kHold};
  accepted_ = {2h, std::nullopt, Outside::kHold};
  Rebuild();
  Append(Record(1, 90min));
  NextBy("1.0", {1}).done(Reply(204));
  ASSERT_TRUE(Settled(1));
  Append(Record(2, 115min));
  Append(Record(3, 0s));
  NextBy("1.0", {2}).done(Reply(503));
  clock_.Advance(10min);
  EXPECT_FALSE(SendsNow());
  EXPECT_TRUE(IsTold("lane_held_by_time"));
}

TEST_F(RollingOutContracts, RefusalByPlaceInASortedRequestNamesTheRightRecord) {
  Use(PlantApi("1.1", "time"));
  Append(Record(1, 1min));
  Append(Record(2, 2min));
  NextBy("1.1", {2, 1}).done(Reply(200, R"([{"ok":false,"why":"unit"},{"ok":true}])"));
  NextBy("1.0", {2}).done(Reply(204));
  ASSERT_TRUE(Settled(2));
  EXPECT_EQ(Kept().counts.records, 1U);
  EXPECT_EQ(Kept().counts.faulty, 1U);
}

TEST_F(RollingOutContracts, SortedRequestThatIsRefusedGoesInTheOrderOfItsArrivalByThePresentContract) {
  Use(PlantApi("1.1", "time"));
  Append(Record(1, 1min));
  Append(Record(2, 2min));
  NextBy("1.1", {2, 1}).done(Reply(422));
  NextBy("1.0", {1, 2}).done(Reply(204));
  ASSERT_TRUE(Settled(2));
}

constexpr char kConfirms[] = R"("confirm": { "key": "/ack", "request": { "path": "/ack/{key}" },
  "done": { "/stored": true }, "every": "10s", "within": "20s", "else": "retry" },)";

TEST_F(RollingOutContracts, NewerContractThatIsConfirmedCountsOnceItIs) {
  Use(PlantApi("1.1", "any", kConfirms));
  Append(Record(1, 0s));
  NextBy("1.1", {1}).done(Reply(202, R"({"ack":7})"));
  EXPECT_FALSE(SendsNow());
  EXPECT_EQ(Kept().counts.records, 0U);
  clock_.Advance(10s);
  const FakeUploader::Sent question = Next();
  EXPECT_EQ(question.request.path, "/ack/7");
  question.done(Reply(200, R"({"stored":true})"));
  ASSERT_TRUE(Settled(1));
  EXPECT_EQ(Kept().counts.records, 1U);
}

TEST_F(RollingOutContracts, WhatTheNewerContractGetsNotConfirmedGoesByThePresentOne) {
  Use(PlantApi("1.1", "any", kConfirms));
  Append(Record(1, 0s));
  for (int attempt = 0; attempt < 2; ++attempt) {
    NextBy("1.1", {1}).done(Reply(202, R"({"ack":7})"));
    EXPECT_FALSE(SendsNow());
    clock_.Advance(10s);
    Next().done(Reply(200, R"({"stored":false})"));
    clock_.Advance(10s);
    EXPECT_TRUE(Turn([&] { return !destination_->Snapshot(clock_.Mono()).last_error.empty(); }));
    if (attempt == 0) {
      EXPECT_THAT(destination_->Snapshot(clock_.Mono()).last_error, HasSubstr("not confirmed within 20s"));
      clock_.Advance(5min);
    }
  }
  NextBy("1.0", {1}).done(Reply(204));
  ASSERT_TRUE(Settled(1));
  EXPECT_GE(destination_->Snapshot(clock_.Mono()).possible_duplicates, 1U);
  EXPECT_EQ(Kept().counts.faulty, 1U);
}

TEST_F(RollingOutContracts, OutcomesOfTheDestinationHoldForTheNewerContractToo) {
  outcomes_.rules.resize(1);
  outcomes_.rules[0].status = {{422, 422}};
  outcomes_.rules[0].verdict = contract::RuleVerdict::kAccepted;
  Rebuild();
  Append(Record(1, 0s));
  NextBy("1.1", {1}).done(Reply(422));
  ASSERT_TRUE(Settled(1));
  EXPECT_EQ(Kept().counts.records, 1U);
  EXPECT_EQ(Kept().counts.faulty, 0U);
}

}  // namespace
}  // namespace packhorse::delivery
