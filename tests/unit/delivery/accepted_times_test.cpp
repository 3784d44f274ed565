#include "delivery/accepted_times.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/read_contract.h"
#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;
using contract::Outside;
using ::testing::HasSubstr;
using ::testing::Not;
using Reasons = std::vector<std::pair<std::string, std::uint64_t>>;

TEST(AcceptedTimesTest, RefusesWhatLiesBeyondEitherEnd) {
  const AcceptedTimes times{1h, 10min};
  EXPECT_EQ(times.Refuses(1h), "");
  EXPECT_EQ(times.Refuses(1h + 1us), kTooOld);
  EXPECT_EQ(times.Refuses(-10min), "");
  EXPECT_EQ(times.Refuses(-10min - 1us), kTooNew);
  EXPECT_EQ(AcceptedTimes().Refuses(24h * 365), "");
  EXPECT_FALSE(AcceptedTimes().limited());
}

TEST(AcceptedTimesTest, NoticeIsAnHourOrAQuarterOfAShorterTime) {
  EXPECT_EQ((AcceptedTimes{48h}).Notice(), 1h);
  EXPECT_EQ((AcceptedTimes{1h}).Notice(), 15min);
  EXPECT_EQ(AcceptedTimes().Notice(), 0ms);
}

TEST(OutsideNoticeTest, OneOutageIsToldAtOnceAndThenOnceAMinute) {
  OutsideNotice notice;
  const MonoTime start{1'000s};
  const WallTime at{1'800'000'000s};
  EXPECT_FALSE(notice.due());
  notice.Add(OutsideTimes{2, 0, at, at + 5s}, start);
  ASSERT_EQ(notice.due(), start);
  EXPECT_THAT(notice.Take(AcceptedTimes{1h}, start), HasSubstr("2 too_old"));
  EXPECT_FALSE(notice.due());
  notice.Add(OutsideTimes{1, 1, at - 5s, at}, start + 1s);
  ASSERT_EQ(notice.due(), start + 1min);
  const std::string text = notice.Take(AcceptedTimes{1h, 10min}, start + 1min);
  EXPECT_THAT(text, HasSubstr(FormatUtc(at - 5s) + " to " + FormatUtc(at + 5s) + ": 3 too_old, 1 too_new"));
  EXPECT_THAT(text, HasSubstr("at most 1h old and at most 10m ahead"));
  notice.Add(OutsideTimes{1, 0, at, at}, start + 20min);
  ASSERT_EQ(notice.due(), start + 20min) << "another outage";
  EXPECT_THAT(notice.Take(AcceptedTimes{1h}, start + 20min), HasSubstr(": 1 too_old;"));
}

// An API that takes records of the last hour, and names what it refuses by its position.
std::shared_ptr<const contract::CloudContract> Timed(const std::string& order) {
  const contract::ContractRead read = contract::ReadCloudContract(
      R"({ "contract": "timed@1.0",
           "request": { "method": "POST", "path": "/points", "body": { "json": "{items}" },
                        "item": { "at": "{time|unix_ms}", "values": "{fields}" } },
           "time": "device_or_received",
           "accepts": { "max_items": 100, "overwrites": true, "order": ")" +
          order + R"(" },
           "response": [
             { "status": 204, "verdict": "accepted" },
             { "status": 200, "lists": [ { "each": "/*", "by": "index", "item": [
               { "when": { "/ok": true }, "verdict": "accepted" },
               { "when": { "/ok": null }, "verdict": "retry" },
               { "verdict": "rejected", "reason": "/why" } ] } ] } ] })",
      "timed@1.0.json");
  EXPECT_TRUE(read.definition) << (read.problems.empty() ? "" : read.problems.front().message);
  return *contract::MakeCloudContract(read.definition, {});
}

class TimesOfAnApi : public DeliveryTest {
 protected:
  TimesOfAnApi() {
    accepted_.oldest = 1h;
    accepted_.newest = 10s;
    Use("any");
  }

  void Use(const std::string& order) {
    contract_ = Timed(order);
    Rebuild();
  }

  std::int64_t Millis(std::chrono::microseconds ago) {
    return std::chrono::floor<std::chrono::milliseconds>((clock_.Wall() - ago).time_since_epoch()).count();
  }
  // A record with this number, whose device's clock said so long ago.
  std::string Record(int n, std::chrono::microseconds ago) {
    return "{\"ts\":" + std::to_string(Millis(ago)) + ",\"n\":" + std::to_string(n) + "}";
  }
  static bool Has(const std::string& body, int n) {
    return body.find("\"n\":" + std::to_string(n) + "}") != std::string::npos;
  }
  std::string Message(const std::string& name) {
    for (const health::Event& event : events_.Open()) {
      if (event.name == name) {
        return event.message;
      }
    }
    return "";
  }
  Reasons Skipped() { return Row(0).skip_reasons; }
  queue::LedgerRow Row(std::size_t row) { return queue_->ReadLedger()->rows.at(row); }
  using DeliveryTest::Row;
};

TEST_F(TimesOfAnApi, WhatIsTooOldIsSkippedBeforeTheUploadCountedAndTold) {
  Append(Record(1, 2h));
  Append(Record(2, 0s));
  const FakeUploader::Sent sent = Next();
  EXPECT_FALSE(Has(sent.body, 1));
  EXPECT_TRUE(Has(sent.body, 2));
  sent.done(Reply(204));
  ASSERT_TRUE(Settled(1));
  EXPECT_EQ(Row().skipped, 1U);
  EXPECT_EQ(Skipped(), (Reasons{{"too_old", 1}}));
  EXPECT_THAT(Message("records_outside_window"),
              HasSubstr("records of 2026-11-20T06:15:31.500000Z to 2026-11-20T06:15:31.500000Z: 1 too_old; the API"));
  EXPECT_EQ(uploader_.total, 1U);
}

TEST_F(TimesOfAnApi, WhatIsTooNewIsSkippedToo) {
  Append(Record(1, -30s));
  ASSERT_TRUE(Turn([&] { return Row().skipped == 1; }));
  EXPECT_EQ(Skipped(), (Reasons{{"too_new", 1}}));
  EXPECT_EQ(uploader_.total, 0U);
}

TEST_F(TimesOfAnApi, OldRecordBesideOthersOfItsMessageIsLeftOutAndTold) {
  Append("[" + Record(1, 2h) + "," + Record(2, 0s) + "]");
  const FakeUploader::Sent sent = Next();
  EXPECT_FALSE(Has(sent.body, 1));
  sent.done(Reply(204));
  ASSERT_TRUE(Settled(1));
  EXPECT_EQ(Row().records_delivered, 1U);
  EXPECT_THAT(Message("records_outside_window"), HasSubstr("1 too_old"));
}

TEST_F(TimesOfAnApi, RecordThatBecomesTooOldWhileItsBatchWaitsIsTakenOut) {
  Append(Record(1, 40min));
  Append(Record(2, 0s));
  const FakeUploader::Sent first = Next();
  EXPECT_TRUE(Has(first.body, 1));
  first.done(Reply(503));
  clock_.Advance(30min);
  const FakeUploader::Sent second = Next();
  EXPECT_FALSE(Has(second.body, 1));
  EXPECT_TRUE(Has(second.body, 2));
  second.done(Reply(204));
  ASSERT_TRUE(Settled(1));
  EXPECT_EQ(Skipped(), (Reasons{{"too_old", 1}}));
}

TEST_F(TimesOfAnApi, BatchOfWhichAllIsTooOldIsNeverSentAgain) {
  Append(Record(1, 0s));
  Next().done(Reply(503));
  clock_.Advance(61min);
  ASSERT_TRUE(Turn([&] { return Row().skipped == 1; }));
  EXPECT_EQ(uploader_.total, 1U);
  Append(Record(2, 0s));
  Next().done(Reply(204));
  ASSERT_TRUE(Settled(1));
}

TEST_F(TimesOfAnApi, BatchOfAnEarlierRunIsJudgedToo) {
  Append(Record(1, 40min));
  Append(Record(2, 0s));
  Next().done(Reply(503));
  Restart();
  clock_.Advance(30min);
  const FakeUploader::Sent sent = Next();
  EXPECT_FALSE(Has(sent.body, 1));
  sent.done(Reply(204));
  ASSERT_TRUE(Settled(1));
  EXPECT_EQ(Row().skipped, 1U);
}

TEST_F(TimesOfAnApi, OldTimesOfDevicesAreReplacedByThatOfTheReceipt) {
  accepted_.outside = Outside::kSendWithReceivedTime;
  Rebuild();
  const std::int64_t now = Millis(0s);
  Append(Record(1, 2h));
  Append(Record(2, 1min));
  const FakeUploader::Sent sent = Next();
  EXPECT_THAT(sent.body, HasSubstr("{\"at\":" + std::to_string(now) + ",\"values\":{\"n\":1}"));
  EXPECT_THAT(sent.body, HasSubstr("{\"at\":" + std::to_string(now - 60'000) + ",\"values\":{\"n\":2}"));
  sent.done(Reply(503));
  clock_.Advance(2h);  // now the receipt is too long ago as well
  ASSERT_TRUE(Turn([&] { return Row().skipped == 2; }));
  EXPECT_EQ(uploader_.total, 1U);
}

TEST_F(TimesOfAnApi, LaneIsHeldUntilTheConfigurationTakesItsNextRecord) {
  accepted_.outside = Outside::kHold;
  Rebuild();
  Append(Record(1, 0s));
  Append(Record(2, 2h));
  Append(Record(3, 0s));
  const FakeUploader::Sent sent = Next();
  EXPECT_TRUE(Has(sent.body, 1));
  EXPECT_FALSE(Has(sent.body, 3));
  sent.done(Reply(204));
  ASSERT_TRUE(Settled(1));
  clock_.Advance(30s);
  EXPECT_FALSE(SendsNow());
  EXPECT_THAT(Message("lane_held_by_time"), HasSubstr("lane normal: too_old: its time is "));
  EXPECT_EQ(Row().pending, 2U);
  accepted_.oldest = 3h;
  Rebuild();
  const FakeUploader::Sent rest = Next();
  EXPECT_TRUE(Has(rest.body, 2));
  EXPECT_TRUE(Has(rest.body, 3));
  EXPECT_EQ(Message("lane_held_by_time"), "");
  rest.done(Reply(204));
  EXPECT_TRUE(Settled(3));
}

TEST_F(TimesOfAnApi, BatchThatBecomesTooOldIsHeldToo) {
  accepted_.outside = Outside::kHold;
  Rebuild();
  Append(Record(1, 0s));
  Next().done(Reply(503));
  clock_.Advance(61min);
  EXPECT_FALSE(SendsNow());
  EXPECT_NE(Message("lane_held_by_time"), "");
  EXPECT_EQ(Row().pending, 1U);
}

TEST_F(TimesOfAnApi, ByAClockThatIsNotRightNothingIsLate) {
  clock_.SetSynchronized(false);
  Append(Record(1, 2h));
  EXPECT_TRUE(Has(Next().body, 1));
  EXPECT_EQ(Row().skipped, 0U);
}

TEST_F(TimesOfAnApi, ClockThatLeapsMakesNothingTooOld) {
  Append(Record(1, 0s));
  Next().done(Reply(503));
  Append(Record(2, 0s));
  clock_.StepWall(24h * 365 * 10);
  clock_.Advance(2min);
  const FakeUploader::Sent again = Next();
  EXPECT_TRUE(Has(again.body, 1));
  again.done(Reply(204));
  EXPECT_TRUE(Has(Next().body, 2));
  EXPECT_EQ(Row().skipped, 0U);
}

TEST_F(TimesOfAnApi, SomebodyIsToldBeforeTheOldestRecordIsTooOld) {
  Append(Record(1, 0s));
  Next().done(Reply(503));
  clock_.Advance(44min);
  Next().done(Reply(503));
  EXPECT_EQ(Message("records_too_old_soon"), "");
  clock_.Advance(2min);
  const FakeUploader::Sent sent = Next();
  EXPECT_THAT(Message("records_too_old_soon"), HasSubstr("too old at " + FormatUtc(clock_.Wall() + 14min)));
  sent.done(Reply(204));
  ASSERT_TRUE(Settled(1));
  clock_.Advance(11s);
  EXPECT_FALSE(SendsNow());
  EXPECT_EQ(Message("records_too_old_soon"), "");
}

TEST_F(TimesOfAnApi, RecordsOfARequestAreSortedByTimeAndVerdictsFindThem) {
  Use("time");
  Append(Record(1, 1min));
  Append(Record(2, 3min));
  Append(Record(3, 2min));
  FakeUploader::Sent sent = Next();
  const auto at = [&](int n) { return sent.body.find("\"n\":" + std::to_string(n) + "}"); };
  EXPECT_LT(at(2), at(3));
  EXPECT_LT(at(3), at(1));
  const std::string body = sent.body;
  Restart();
  sent = Next();
  EXPECT_EQ(sent.body, body);
  sent.done(Reply(200, R"([{"ok":false,"why":"is the second"},{"ok":true},{}])"));
  clock_.Advance(10s);
  sent = Next();
  EXPECT_TRUE(Has(sent.body, 1)) << "what stood last is tried again";
  EXPECT_FALSE(Has(sent.body, 3));
  const auto suspects = queue_->Suspects("cloud", 10, 0);
  ASSERT_TRUE(suspects);
  ASSERT_EQ(suspects->size(), 1U);
  EXPECT_EQ(suspects->front().sequence, 2U);
}

TEST_F(TimesOfAnApi, SortedRequestWhoseMessagesDecodeNoMoreIsCutInItsOrder) {
  contract_ = *contract::FindCloudContract("prometheus-remote-write@1");
  Rebuild();
  for (const auto& [name, ago] : {std::pair("one", 1min), std::pair("two", 2min), std::pair("three", 3min)}) {
    Append("{\"ts\":" + std::to_string(Millis(ago)) + ",\"n\":1,\"name\":\"" + name + "\"}");
  }
  FakeUploader::Sent sent = Next();
  EXPECT_LT(sent.body.find("three"), sent.body.find("two"));
  EXPECT_LT(sent.body.find("two"), sent.body.find("one"));
  const StreamId stream = *queue_->Stream("telemetry");
  StreamBinding undecodable = *streams_.Find(stream);
  undecodable.definitions.front().contract = nullptr;
  streams_.Set(stream, undecodable);
  sent.done(Reply(400, "out of bounds", "text/plain"));
  sent = Next();
  EXPECT_THAT(sent.body, HasSubstr("one"));
  EXPECT_THAT(sent.body, Not(HasSubstr("three")));
  sent.done(Reply(204));
  sent = Next();
  EXPECT_THAT(sent.body, Not(HasSubstr("one")));
  EXPECT_LT(sent.body.find("three"), sent.body.find("two"));
  EXPECT_NE(sent.body.find("two"), std::string::npos);
}

}  // namespace
}  // namespace packhorse::delivery
