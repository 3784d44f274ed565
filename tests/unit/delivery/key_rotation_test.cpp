// A key is replaced while requests of all lanes are in flight.

#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

class KeyRotation : public DeliveryTest {
 protected:
  KeyRotation() {
    queue_streams_ = {{"alarms", Lane::kUrgent, {"cloud"}},
                      {"telemetry", Lane::kNormal, {"cloud"}},
                      {"logs", Lane::kBulk, {"cloud"}}};
    test::WriteAll(dir_ / "key", "key-0001", 0600);
    Authorize();
  }
  void Authorize() {
    auth::AuthOptions options;
    options.scheme = "bearer";
    options.secrets["token"] = {{auth::SecretSource::Kind::kFile, dir_ / "key"},
                                {auth::SecretSource::Kind::kFile, dir_ / "key.next"}};
    auto made = auth::Authorizer::Make(options);
    EXPECT_TRUE(made) << made.error().message;
    authorizer_ = std::move(made).value();
    Restart();
  }
  // An API that was heard of before.
  void Known() {
    Authorize();
    Hear();
  }
  // A message in each lane, and their requests, all in flight at once.
  std::vector<FakeUploader::Sent> OneOfEachLane() {
    for (const queue::StreamOptions& stream : queue_streams_) {
      Append(R"({"a":1})", stream.name);
    }
    EXPECT_TRUE(Turn([&] { return uploader_.sent.size() == queue_streams_.size(); }));
    return std::exchange(uploader_.sent, {});
  }
  // The API takes one key alone from now on.
  void AnswerBy(const std::string& key, FakeUploader::Sent sent) {
    if (sent.Header("Authorization") == "Bearer " + key) {
      Accept(sent);
    } else {
      sent.done(Reply(401));
    }
  }
  // Answers all that is sent until so many records are delivered. How many requests that took.
  std::size_t DeliverBy(const std::string& key, std::uint64_t records) {
    const std::size_t before = uploader_.total;
    EXPECT_TRUE(Turn([&] {
      for (FakeUploader::Sent& sent : std::exchange(uploader_.sent, {})) {
        AnswerBy(key, std::move(sent));
      }
      return Row().delivered == records;
    }));
    return uploader_.total - before;
  }
  void ExpectNothingFailed() {
    EXPECT_FALSE(events_.IsOpen("destination_held", "cloud"));
    EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kOk);
    EXPECT_EQ(Row().rejected, 0U);
    EXPECT_EQ(destination_->Snapshot(clock_.Mono()).suspects, 0U);
  }
};

TEST_F(KeyRotation, RefusalsOfTheOldKeyThatComeLateSayNothingOfTheNextOne) {
  test::WriteAll(dir_ / "key.next", "key-0002", 0600);
  Known();
  std::vector<FakeUploader::Sent> old = OneOfEachLane();
  ASSERT_EQ(old.size(), 3U);
  // One learns of the change, goes again and is accepted before the others hear of it.
  AnswerBy("key-0002", std::move(old[0]));
  const auto again = Next();
  EXPECT_EQ(again.Header("Authorization"), "Bearer key-0002");
  AnswerBy("key-0002", again);
  ASSERT_TRUE(Settled(1));
  AnswerBy("key-0002", std::move(old[1]));
  AnswerBy("key-0002", std::move(old[2]));
  EXPECT_EQ(DeliverBy("key-0002", 3), 2U) << "each goes again once";
  ExpectNothingFailed();
}

TEST_F(KeyRotation, RefusalsOfAllInFlightAtOnceCostOneMoreAttemptEach) {
  test::WriteAll(dir_ / "key.next", "key-0002", 0600);
  Known();
  for (FakeUploader::Sent& sent : OneOfEachLane()) {
    AnswerBy("key-0002", std::move(sent));
  }
  EXPECT_EQ(DeliverBy("key-0002", 3), 3U);
  ExpectNothingFailed();
  // The rotation ends: what was next is the current key, and the file of the next one goes.
  test::WriteAll(dir_ / "key", "key-0002", 0600);
  unlink((dir_ / "key.next").c_str());
  clock_.Advance(10s);
  for (FakeUploader::Sent& sent : OneOfEachLane()) {
    EXPECT_EQ(sent.Header("Authorization"), "Bearer key-0002");
    AnswerBy("key-0002", std::move(sent));
  }
  EXPECT_TRUE(Settled(6));
  ExpectNothingFailed();
}

TEST_F(KeyRotation, FourRequestsOfOneLaneThatTheOldKeySentGoAgainOnceEach) {
  test::WriteAll(dir_ / "key.next", "key-0002", 0600);
  any_order_ = true;
  max_records_ = 1;
  Known();
  const auto four = [&] {
    for (int i = 0; i < 4; ++i) {
      Append(R"({"a":1})");
    }
    EXPECT_TRUE(Turn([&] { return uploader_.sent.size() == 4; }));
    return std::exchange(uploader_.sent, {});
  };
  // The last one learns of the change first, and is accepted before the others hear of it; one was taken before it.
  std::vector<FakeUploader::Sent> old = four();
  AnswerBy("key-0002", std::move(old[3]));
  const auto again = Next();
  EXPECT_EQ(again.Header("Authorization"), "Bearer key-0002");
  AnswerBy("key-0002", again);
  AnswerBy("key-0001", std::move(old[1]));
  ASSERT_TRUE(Settled(2));
  AnswerBy("key-0002", std::move(old[0]));
  AnswerBy("key-0002", std::move(old[2]));
  EXPECT_EQ(DeliverBy("key-0002", 4), 2U);
  ExpectNothingFailed();
  // All four at once.
  test::WriteAll(dir_ / "key", "key-0003-new", 0600);
  for (FakeUploader::Sent& sent : four()) {
    AnswerBy("key-0003-new", std::move(sent));
  }
  EXPECT_EQ(DeliverBy("key-0003-new", 8), 8U) << "each by the other key, and then by what the file says now";
  ExpectNothingFailed();
}

TEST_F(KeyRotation, KeyFileThatIsReplacedInFlightIsReadAtTheFirstRefusal) {
  Known();
  std::vector<FakeUploader::Sent> old = OneOfEachLane();
  test::WriteAll(dir_ / "key", "key-0002-longer", 0600);
  for (FakeUploader::Sent& sent : old) {
    AnswerBy("key-0002-longer", std::move(sent));
  }
  EXPECT_EQ(DeliverBy("key-0002-longer", 3), 3U);
  ExpectNothingFailed();
}

TEST_F(KeyRotation, EndOfTheServersCertificateIsKept) {
  Append(R"({"a":1})");
  EXPECT_FALSE(destination_->Snapshot(clock_.Mono()).certificate_ends);
  auto sent = Next();
  upload::Response reply = Reply(200, R"({"accepted":1})");
  reply.certificate_ends = clock_.Wall() + 48h;
  sent.done(reply);
  Append(R"({"a":2})");
  Accept(Next());  // over the same connection: nothing is said
  EXPECT_TRUE(Settled(2));
  EXPECT_TRUE(destination_->Snapshot(clock_.Mono()).certificate_ends);
}

}  // namespace
}  // namespace packhorse::delivery
