#include "queue/segment/message_codec.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace packhorse::queue {
namespace {

RawMessage Message(std::string payload) {
  RawMessage message;
  message.stream = 3;
  message.topic = "site/a/dev/17/telemetry";
  message.payload = std::move(payload);
  message.received_at = WallTime(std::chrono::microseconds(1'795'162'531'500'000));
  message.boot_time = std::chrono::seconds(5);
  message.qos = 1;
  return message;
}

TEST(MessageCodec, ManyMessagesComeBackInOrderWithTheirTimes) {
  SegmentEncoder encoder(1'000);
  for (int i = 0; i < 500; ++i) {
    RawMessage message = Message("payload " + std::to_string(i));
    message.received_at += std::chrono::microseconds(i % 2 == 0 ? i * 1'000 : -i);  // a clock may step back
    encoder.Add(1'000 + static_cast<Sequence>(i), message);
  }
  const Result<std::string> plain = OpenSegment(encoder.Finish());
  ASSERT_TRUE(plain);
  SegmentReader reader(*plain, 1'000);
  for (int i = 0; i < 500; ++i) {
    const Result<SegmentReader::Head> head = reader.Next();
    ASSERT_TRUE(head);
    EXPECT_EQ(head->sequence, 1'000U + static_cast<Sequence>(i));
    const RawMessage message = reader.Take();
    EXPECT_EQ(message.payload, "payload " + std::to_string(i));
    EXPECT_EQ(message.received_at, Message("").received_at + std::chrono::microseconds(i % 2 == 0 ? i * 1'000 : -i));
  }
  EXPECT_TRUE(reader.AtEnd());
}

// The payloads that a walk from behind `after` sees, at most `most` of them.
std::vector<std::string> PayloadsBehind(const SegmentEncoder& segment, Sequence& after, std::size_t most,
                                        SegmentMark* mark) {
  std::vector<std::string> seen;
  const auto visit = [&](const SegmentReader& reader, const SegmentReader::Head& head) {
    if (seen.size() == most) {
      return false;
    }
    const RawMessage message = reader.Take();
    seen.push_back(message.payload + " " + std::to_string(message.received_at.time_since_epoch().count()));
    after = head.sequence;
    return true;
  };
  EXPECT_TRUE(WalkSegment(segment.plain(), segment.first(), after, segment.last(), visit, mark));
  return seen;
}

TEST(MessageCodec, AWalkFromAMarkSeesWhatAWalkFromTheBeginningSees) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  SegmentEncoder encoder(50);
  Sequence sequence = 50;
  for (int i = 0; i < 300; ++i) {
    RawMessage message = Message("payload " + std::to_string(i));
    message.received_at += std::chrono::microseconds(random() % 1'000);
    encoder.Add(sequence, message);
    sequence += 1 + random() % 3;  // numbers of other streams lie between
  }
  SegmentMark mark;
  Sequence at = 0;
  for (int walk = 0; walk < 200; ++walk) {
    if (at >= encoder.last() || random() % 10 == 0) {
      at = random() % sequence;  // also one behind the mark, and one in front of it
    }
    const std::size_t most = random() % 20;
    Sequence plain = at;
    const std::vector<std::string> expected = PayloadsBehind(encoder, plain, most, nullptr);
    ASSERT_EQ(PayloadsBehind(encoder, at, most, &mark), expected) << walk;
    ASSERT_EQ(at, plain);
  }
}

TEST(MessageCodec, CorrectedStampComesBackWithTheOriginalAndTheNextMessageWithoutOne) {
  RawMessage corrected = Message("one");
  corrected.clock = ClockState::kRecovered;
  corrected.received_at_raw = WallTime(std::chrono::microseconds(90'000'001));
  corrected.content_type = "text/plain";
  SegmentEncoder encoder(7);
  encoder.Add(7, corrected);
  encoder.Add(8, Message("two"));
  SegmentReader reader(encoder.plain(), 7);
  ASSERT_TRUE(reader.Next());
  RawMessage message = reader.Take();
  EXPECT_EQ(message.received_at, corrected.received_at);
  EXPECT_EQ(message.received_at_raw, corrected.received_at_raw);
  EXPECT_EQ(message.clock, ClockState::kRecovered);
  EXPECT_EQ(message.content_type, "text/plain");
  ASSERT_TRUE(reader.Next());
  message = reader.Take();
  EXPECT_EQ(message.received_at, corrected.received_at);
  EXPECT_FALSE(message.received_at_raw);
}

TEST(MessageCodec, TypicalSegmentIsSmallerThanItsPayloads) {
  SegmentEncoder encoder(1);
  for (Sequence i = 1; i <= 200; ++i) {
    encoder.Add(i, Message(R"({"temperature":21.5,"humidity":48.0,"seq":)" + std::to_string(i) + "}"));
  }
  EXPECT_LT(encoder.Finish().size(), encoder.payload_bytes() / 2);
}

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// Rows, compressed as they were before there were columns.
constexpr std::string_view kCompressedRows =
    "01f21bf4f028b52ffd600606850700440a000101c0bf88909bacb00680c8afa025066465762f31371c7b22736571223a302c2274"
    "656d7065726174757265223a32312e307d010101d00f80897a31317d0232327d0333337d0434347d0535357d0636367d0737377d"
    "0838387d0939397d0a1d310b1d0c1d310d1d310e1d310f1d31101d31111d31121d31131d311432153216321732183219321a321b"
    "321c321d321e331f332033213322332333243325332633273358a821e4e1faff06c033aa0311cc21c221227442d807f7a8515952"
    "a5e2444dca47717113ef78186584012818600003e817c0f80248ec056978014c3f418d0ab66fd870c17ee3e3a7b52a";

TEST(MessageCodec, WhatAnEarlierFormatCompressedAsRowsIsRead) {
  const Result<std::string> plain = OpenSegment(FromHex(kCompressedRows));
  ASSERT_TRUE(plain) << plain.error().message;
  SegmentReader reader(*plain, 7);
  for (Sequence i = 0; i < 40; ++i) {
    const Result<SegmentReader::Head> head = reader.Next();
    ASSERT_TRUE(head);
    EXPECT_EQ(head->sequence, 7 + i);
    EXPECT_EQ(reader.Take().payload,
              R"({"seq":)" + std::to_string(i) + R"(,"temperature":21.)" + std::to_string(i % 10) + "}");
  }
  EXPECT_TRUE(reader.AtEnd());
}

TEST(MessageCodec, EveryDamagedByteIsNoticed) {
  const std::string blob = EncodeMessage(7, Message("{\"temperature\":21.5}"));
  for (std::size_t i = 0; i < blob.size(); ++i) {
    std::string damaged = blob;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
    EXPECT_FALSE(DecodeMessage(damaged, 7)) << "byte " << i;
  }
}

TEST(MessageCodec, EveryCutIsNoticed) {
  const std::string blob = EncodeMessage(7, Message("{\"temperature\":21.5}"));
  for (std::size_t length = 0; length < blob.size(); ++length) {
    EXPECT_FALSE(DecodeMessage(blob.substr(0, length), 7)) << length << " bytes";
  }
}

TEST(MessageCodec, RandomBytesNeverCrash) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random() & 0xFFU);
    }
    static_cast<void>(DecodeMembers(bytes));
    SegmentReader reader(bytes, 1);
    while (!reader.AtEnd() && reader.Next()) {
      static_cast<void>(reader.Take());
    }
  }
}

TEST(MessageCodec, MembersComeBack) {
  const std::vector<Member> members = {{5, 1, 0, 1, 1, 498'656}, {9, 2, 3, 4, 10, -2}, {9, 2, 8, 2, 10, 0}};
  const Result<std::vector<Member>> back = DecodeMembers(EncodeMembers(members));
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*back)[i].sequence, members[i].sequence);
    EXPECT_EQ((*back)[i].stream, members[i].stream);
    EXPECT_EQ((*back)[i].first_record, members[i].first_record);
    EXPECT_EQ((*back)[i].records, members[i].records);
    EXPECT_EQ((*back)[i].total_records, members[i].total_records);
    EXPECT_EQ((*back)[i].received_hour, members[i].received_hour);
  }
}

}  // namespace
}  // namespace packhorse::queue
