// By which definition of its stream a message is decoded.

#include <gmock/gmock.h>

#include "delivery/delivery.h"

namespace packhorse::delivery {
namespace {

using contract::Decoded;
using testing::ElementsAre;
using testing::HasSubstr;

// Decodes what its texts say, into that many records.
class Only final : public contract::DeviceContract {
 public:
  Only(std::string name, std::string text, std::size_t records = 1)
      : name_(std::move(name)), text_(std::move(text)), records_(records) {}
  const std::string& name() const override { return name_; }
  Decoded Decode(const RawMessage& message, const contract::DecodeContext& context) const override {
    Decoded decoded;
    if (message.payload != text_) {
      decoded.kind = Decoded::Kind::kQuarantine;
      decoded.reason = "refused_by_" + name_;
      return decoded;
    }
    CanonicalRecord record;
    record.contract = name_;
    record.device_id = context.device;
    decoded.records.assign(records_, record);
    return decoded;
  }

 private:
  std::string name_;
  std::string text_;
  std::size_t records_;
};

constexpr StreamId kStream = 7;

StreamDefinition Define(const std::string& topic, const std::string& name, const std::string& text,
                        std::optional<Sequence> through = {}, std::size_t records = 1) {
  StreamDefinition definition({*TopicPattern::Parse(topic)}, std::make_shared<Only>(name, text, records));
  if (through) {
    definition.through = {0, *through, 0};
  }
  return definition;
}

queue::StoredMessage Message(Sequence sequence, std::string topic, std::string payload) {
  queue::StoredMessage stored;
  stored.sequence = sequence;
  stored.message.stream = kStream;
  stored.message.topic = std::move(topic);
  stored.message.payload = std::move(payload);
  return stored;
}

class DecodeTest : public ::testing::Test {
 protected:
  Streams TheStreams() const {
    Streams streams;
    streams.Set(kStream, {"telemetry", definitions_});
    return streams;
  }
  Decoded Run(Sequence sequence, const std::string& topic, const std::string& payload) {
    return Decode(TheStreams(), "q", Lane::kNormal, Message(sequence, topic, payload));
  }
  std::vector<StreamDefinition> definitions_;
};

TEST_F(DecodeTest, TheNewestIsAskedFirstAlsoForWhatCameBefore) {
  definitions_ = {Define("new/{device}", "new", "x"), Define("new/{device}", "old", "x", 10)};
  ASSERT_EQ(Run(5, "new/1", "x").records.size(), 1U);
  EXPECT_EQ(Run(5, "new/1", "x").records.front().contract, "new");
}

TEST_F(DecodeTest, WhatItsTopicsDoNotMatchIsDecodedByTheOneWhoseDo) {
  definitions_ = {Define("new/{device}", "new", "x"), Define("old/{device}", "old", "x", 10)};
  const Decoded decoded = Run(5, "old/17", "x");
  ASSERT_EQ(decoded.records.size(), 1U);
  EXPECT_EQ(decoded.records.front().contract, "old");
  EXPECT_EQ(decoded.records.front().device_id, "17") << "named by the topic";
  EXPECT_EQ(Run(11, "old/17", "x").records.size(), 1U) << "it came by the routes of before";
}

TEST_F(DecodeTest, WhatTheNewContractRefusesIsDecodedByTheOneItCameUnder) {
  definitions_ = {Define("#", "new", "new bytes"), Define("#", "old", "old bytes", 10)};
  ASSERT_EQ(Run(10, "a", "old bytes").records.size(), 1U);
  EXPECT_EQ(Run(10, "a", "old bytes").records.front().contract, "old");
  EXPECT_EQ(Run(11, "a", "old bytes").reason, "refused_by_new") << "the present contract judges what came under it";
  EXPECT_EQ(Run(10, "a", "neither").reason, "refused_by_new");
}

TEST_F(DecodeTest, AStreamThatIsGoneIsDecodedAsItWas) {
  definitions_ = {Define("a/{device}", "old", "x", 10)};
  EXPECT_EQ(Run(5, "a/1", "x").records.size(), 1U);
  EXPECT_EQ(Decode({}, "q", Lane::kNormal, Message(5, "a/1", "x")).reason, queue::kUnknownStream);
}

TEST_F(DecodeTest, WhileAContractIsNotKnownNoOtherCondemnsTheMessage) {
  definitions_ = {Define("#", "new", "new bytes"), Define("#", "old", "x", 10)};
  definitions_.back().contract = nullptr;
  definitions_.back().contract_name = "future@9";
  EXPECT_EQ(Run(5, "a", "new bytes").records.size(), 1U);
  const Decoded decoded = Run(5, "a", "old bytes");
  EXPECT_EQ(decoded.reason, queue::kUnknownContract);
  EXPECT_THAT(decoded.detail, HasSubstr("future@9"));
}

TEST_F(DecodeTest, WhatABatchHasSentIsDecodedToAsManyRecordsAgain) {
  definitions_ = {Define("#", "new", "x"), Define("#", "old", "x", 10, 3)};
  const Streams streams = TheStreams();
  const queue::StoredMessage stored = Message(5, "a", "x");
  EXPECT_EQ(DecodeAgain(streams, "q", Lane::kNormal, stored, 3).records.size(), 3U);
  EXPECT_EQ(DecodeAgain(streams, "q", Lane::kNormal, stored, 1).records.size(), 1U);
}

TEST_F(DecodeTest, KeptDefinitionsBecomeWaysToDecode) {
  const std::vector<queue::KeptDefinition> kept = {{3, {"generic-json@1", {"#"}, true}, true, {}},
                                                   {kStream, {"generic-json@1", {"a/{device}"}, true}, true, {}},
                                                   {kStream, {"future@9", {"b/+"}, false}, false, {1, 2, 3}}};
  Streams streams;
  Bind("telemetry", kept, kStream, streams);
  Bind("nothing is kept of it", kept, 4, streams);
  ASSERT_EQ(streams.size(), 1U);
  const std::vector<StreamDefinition>& definitions = streams.Find(kStream)->definitions;
  ASSERT_EQ(definitions.size(), 2U);
  EXPECT_TRUE(definitions[0].contract);
  EXPECT_FALSE(definitions[0].through);
  EXPECT_FALSE(definitions[1].contract);
  EXPECT_FALSE(definitions[1].retained_is_state);
  EXPECT_THAT(*definitions[1].through, ElementsAre(1, 2, 3));
}

}  // namespace
}  // namespace packhorse::delivery
