#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "common/queue_json.h"
#include "packhorse/views.h"
#include "packhorsed/answers.h"

namespace packhorse::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

// From the queue's values over the JSON of the daemon to what people see.
class QueueViews : public testing::Test {
 protected:
  QueueViews() {
    setenv("TZ", "UTC", 1);
    tzset();
    found.lane = Lane::kNormal;
    found.sequence = 1001;
    found.last = 2000;
    found.given = true;
  }

  std::string Json() const { return daemon::WhereJson({"k3f9", Lane::kNormal, 1001, std::nullopt}, found); }
  std::string Text() const { return WhereText(Json(), plain, now); }

  queue::Place& Add(queue::PlaceState state) {
    queue::Place place;
    place.destination = "cloud";
    place.state = state;
    found.places.push_back(place);
    return found.places.back();
  }

  queue::SettledBatch Batch() const {
    queue::SettledBatch batch;
    batch.idempotency_key = "key-1";
    batch.trace_id = "0af7";
    batch.first = 1000;
    batch.last = 1002;
    batch.messages = 3;
    batch.records = 3;
    batch.at = now - std::chrono::minutes(3);
    batch.http_status = 200;
    batch.provider_request_id = "req-7";
    batch.attempts = 2;
    return batch;
  }

  const Style plain{false};
  const WallTime now = *ParseTime("2026-11-20T09:15:31Z");
  queue::MessageTrace found;
};

TEST_F(QueueViews, WhereNamesTheBatchThatDeliveredAMessage) {
  Add(queue::PlaceState::kDelivered).settled.push_back(Batch());
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("record k3f9.n.1001"));
  EXPECT_THAT(text, HasSubstr("cloud         delivered 09:12:31 (3 min): batch key-1, HTTP status 200"));
  EXPECT_THAT(text, HasSubstr("req-7"));
  EXPECT_THAT(text, HasSubstr("0af7"));
  EXPECT_THAT(text, Not(HasSubstr("probably")));
  EXPECT_TRUE(WhereKnown(Json()));
}

TEST_F(QueueViews, WhereSaysWhenTheLogLeavesADoubt) {
  queue::Place& place = Add(queue::PlaceState::kDelivered);
  place.certain = false;
  place.settled.push_back(Batch());
  place.settled[0].messages = 2;
  EXPECT_THAT(Text(), HasSubstr("probably delivered"));
  EXPECT_THAT(Text(), HasSubstr("2 of the 3"));
}

TEST_F(QueueViews, WhereSaysThatANumberWasNeverGivenOrIsForgotten) {
  EXPECT_THAT(Text(), HasSubstr("not known any more"));
  EXPECT_THAT(Text(), HasSubstr("which is empty"));
  EXPECT_FALSE(WhereKnown(Json()));
  found.logged_batches = 10'000;
  found.logged_since = now - std::chrono::hours(24);
  EXPECT_THAT(Text(), HasSubstr("10,000"));
  found.given = false;
  EXPECT_THAT(Text(), HasSubstr("never given: the last one of lane normal is 2000"));
}

TEST_F(QueueViews, WhereShowsWaitingBatchesLettersAndQuarantine) {
  Add(queue::PlaceState::kWaiting);
  Add(queue::PlaceState::kInBatch).batches.push_back({"key-9", "", now, 12, true});
  queue::DeadLetter letter;
  letter.id = 4;
  letter.reason = "rejected";
  letter.detail = "no such \x1b[2J device";
  letter.http_status = 422;
  letter.died_at = now;
  Add(queue::PlaceState::kRejected).dead.push_back(letter);
  EXPECT_THAT(Text(), HasSubstr("waiting: in no batch yet"));
  EXPECT_THAT(Text(), HasSubstr("in batch key-9 of 12 records"));
  EXPECT_THAT(Text(), HasSubstr("it was refused before"));
  EXPECT_THAT(Text(), HasSubstr("refused 09:15:31 (0 s), HTTP status 422: rejected"));
  EXPECT_THAT(Text(), HasSubstr("packhorse dead show 4"));
  EXPECT_THAT(Text(), Not(HasSubstr("\x1b")));
  queue::QuarantinedMessage quarantined;
  quarantined.reason = "invalid_json";
  quarantined.detail = "byte 1";
  quarantined.at = now;
  found.quarantined.push_back(quarantined);
  EXPECT_THAT(Text(), HasSubstr("quarantined   09:15:31 (0 s): invalid_json, byte 1"));
}

TEST_F(QueueViews, ListsShowTheBeginningOfAPayloadAndBinaryAsHex) {
  std::vector<queue::QuarantinedMessage> messages(2);
  messages[0].sequence = 7;
  messages[0].reason = "invalid_json";
  messages[0].message.topic = "a/b";
  messages[0].message.payload = "{" + std::string(300, 'x') + "\xc3\xa9";
  messages[1].sequence = 8;
  messages[1].message.payload = std::string("\x00\xff", 2);
  const std::string answer = daemon::QuarantineJson({"k3f9", {}}, messages, true);
  const std::string text = QuarantineText(answer, plain, now);
  EXPECT_THAT(text, HasSubstr("k3f9.n.7"));
  EXPECT_THAT(text, HasSubstr("topic a/b"));
  EXPECT_THAT(text, HasSubstr("303 B: {xxx"));
  EXPECT_THAT(text, HasSubstr("2 B, hex: 00ff"));
  EXPECT_THAT(text, HasSubstr("packhorse queue quarantine --after 8"));
  EXPECT_EQ(QuarantineText("{}", plain, now), "nothing in quarantine\n");
}

TEST_F(QueueViews, APageNeverEndsBetweenTwoLanesOfOneNumber) {
  std::vector<queue::QuarantinedMessage> messages(3);
  messages[0].sequence = 1;
  messages[1].sequence = 2;
  messages[2].sequence = 2;
  EXPECT_TRUE(daemon::CutPage(messages, 2));
  EXPECT_EQ(messages.size(), 1U);
  EXPECT_FALSE(daemon::CutPage(messages, 2));
}

TEST_F(QueueViews, PagesOfAnyLengthShowEveryQuarantinedMessageOnce) {
  constexpr std::array<Sequence, 9> kAll = {1, 1, 1, 2, 3, 3, 4, 4, 4};
  for (std::size_t limit = 1; limit < 10; ++limit) {
    std::size_t shown = 0;
    Sequence after = 0;
    for (bool more = true; more;) {
      std::vector<queue::QuarantinedMessage> page;
      for (const Sequence sequence : kAll) {
        if (sequence > after && page.size() < limit + kLanes) {
          page.emplace_back().sequence = sequence;
        }
      }
      more = daemon::CutPage(page, limit);
      ASSERT_FALSE(page.empty()) << "limit " << limit;
      shown += page.size();
      after = page.back().sequence;
    }
    EXPECT_EQ(shown, kAll.size()) << "limit " << limit;
  }
}

TEST_F(QueueViews, PeekShowsPerDestinationAndLaneWhatComesNext) {
  daemon::Waiting part{"cloud", Lane::kUrgent, 1234, {}};
  part.next.push_back({5, {}});
  part.next[0].message.topic = "site/a";
  part.next[0].message.payload = "21.5";
  part.next[0].message.received_at = now;
  const std::string answer = daemon::PeekJson({"k3f9", {}}, {part}, [](StreamId) { return "telemetry"; });
  const std::string text = PeekText(answer, plain, now);
  EXPECT_THAT(text, HasSubstr("cloud, lane urgent: 1,234 waiting"));
  EXPECT_THAT(text, HasSubstr("k3f9.u.5  09:15:31 (0 s)  site/a\n      4 B: 21.5"));
  EXPECT_EQ(PeekText("{}", plain, now), "nothing waits outside of batches\n");
}

TEST_F(QueueViews, WhatIsReadFromTheFileSaysSoFirst) {
  EXPECT_EQ(FromFileText("{}", plain), "");
  EXPECT_EQ(FromFileText(R"({"from_file":{"path":"/q.db","journal_operations":0,"journal_bytes":0}})", plain),
            "from the file /q.db; packhorsed is not running\n");
  EXPECT_THAT(FromFileText(R"({"from_file":{"path":"/q.db","journal_operations":1200,"journal_bytes":2048}})", plain),
              HasSubstr("! not shown: the last 1,200 operations (2.0 KiB)"));
}

TEST_F(QueueViews, RecordIdsOfOtherQueuesAndOtherTextsAreRefused) {
  EXPECT_EQ(daemon::ReadRecordId("42").error().code, ErrorCode::kInvalidArgument);
  const auto key = daemon::ReadRecordId("k3f9.n.1");
  ASSERT_TRUE(key);
  EXPECT_TRUE(daemon::CheckOfQueue(*key, {"k3f9", {}}));
  // A queue that was renewed knows its earlier numbers under their own id.
  const queue::QueueIds renewed("abcd", {{"k3f9", {0, 100'000'000, 0}}});
  EXPECT_TRUE(daemon::CheckOfQueue(*key, renewed));
  const Status other = daemon::CheckOfQueue(*key, {"abcd", {}});
  EXPECT_EQ(other.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(other.error().message, HasSubstr("k3f9"));
}

TEST_F(QueueViews, VerifySaysWhatItLookedAtAndThatAllIsWell) {
  queue::CheckReport report;
  report.segments = 1;
  report.messages = 12'345;
  const std::string answer = daemon::CheckJson("k3f9", report);
  EXPECT_TRUE(VerifyOk(answer));
  EXPECT_THAT(VerifyText(answer, plain), HasSubstr("1 segment with 12,345 messages"));
  EXPECT_THAT(VerifyText(answer, plain), HasSubstr("no problem found"));
}

TEST_F(QueueViews, VerifyNamesProblemsAndHowManyMoreThereAre) {
  queue::CheckReport report;
  report.problems = {"segment 7 of lane normal does not decode: \x1b[2J"};
  report.problem_count = 3;
  const std::string answer = daemon::CheckJson("k3f9", report);
  EXPECT_FALSE(VerifyOk(answer));
  EXPECT_THAT(VerifyText(answer, plain), HasSubstr("! segment 7 of lane normal"));
  EXPECT_THAT(VerifyText(answer, plain), HasSubstr("and 2 more"));
  EXPECT_THAT(VerifyText(answer, plain), Not(HasSubstr("\x1b")));
}

TEST_F(QueueViews, FlushSaysPerDestinationWhatIsStillPendingAndWhy) {
  bridge::FlushOutcome outcome;
  outcome.checkpointed = true;
  outcome.waited = std::chrono::seconds(30);
  outcome.destinations = {{"archive", "ok", "", 7, true},
                          {"cloud", "held", "HTTP 404 Not Found", 1'234, false},
                          {"slow", "ok", "", 5, false},
                          {"quiet", "paused", "", 6, false}};
  const std::string answer = daemon::FlushJson(outcome);
  EXPECT_FALSE(FlushComplete(answer));
  const std::string text = FlushText(answer, plain);
  EXPECT_THAT(text, HasSubstr("archive: nothing of what waited is pending any more"));
  EXPECT_THAT(text, HasSubstr("cloud: 1,234 still pending, it is held: HTTP 404 Not Found"));
  EXPECT_THAT(text, HasSubstr("slow: 5 still pending after 30 s"));
  EXPECT_THAT(text, HasSubstr("packhorse resume quiet"));
  outcome.destinations.resize(1);
  EXPECT_TRUE(FlushComplete(daemon::FlushJson(outcome)));
  outcome.checkpointed = false;
  EXPECT_FALSE(FlushComplete(daemon::FlushJson(outcome)));
  EXPECT_THAT(FlushText(daemon::FlushJson(outcome), plain), HasSubstr("not everything is on the disk yet"));
}

}  // namespace
}  // namespace packhorse::cli
