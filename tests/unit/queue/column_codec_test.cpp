#include "queue/segment/column_codec.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "queue/segment/message_codec.h"
#include "queue/segment/number_text.h"
#include "support/walking_devices.h"

namespace packhorse::queue {
namespace {

std::string PutTogether(std::string_view around, const std::vector<NumberText>& numbers) {
  std::string out;
  std::size_t next = 0;
  for (const char c : around) {
    if (c == kNumberPlace) {
      EXPECT_TRUE(IsNumber(numbers[next]));
      std::array<char, kMaxNumberBytes> written{};
      out.append(written.data(), WriteNumber(written.data(), numbers[next++]));
    } else {
      out += c;
    }
  }
  EXPECT_EQ(next, numbers.size());
  return out;
}

std::string Again(std::string_view text) {
  std::string around;
  std::vector<NumberText> numbers;
  return TakeNumbersOut(text, around, numbers) ? PutTogether(around, numbers) : "no";
}

std::size_t NumbersIn(std::string_view text) {
  std::string around;
  std::vector<NumberText> numbers;
  EXPECT_TRUE(TakeNumbersOut(text, around, numbers));
  return numbers.size();
}

TEST(NumberTextTest, EveryWayToWriteANumberComesBackAsItWas) {
  for (const char* text : {"0",
                           "-0",
                           "00",
                           "0.0",
                           "-0.0",
                           "0.050",
                           "007",
                           "-007.50",
                           "1",
                           "-1",
                           "21.53",
                           "999999999999999999",
                           "-999999999999999999",
                           "1234567890123456789",
                           "0.000000000000000001",
                           "1.",
                           ".5",
                           "1..2",
                           "1.2.3",
                           "--5",
                           "5-3",
                           "1e5",
                           "1.5e-05",
                           "-",
                           "",
                           "a1",
                           "1a",
                           "_1",
                           "1_",
                           "2026-11-20T09:12:01.123456Z",
                           "dev-0421",
                           "a-1",
                           "[1,-2,3.0]",
                           "000000000000000000",
                           "0000000000000000000",
                           "100000000000000000.5",
                           "+3",
                           "1,5",
                           "\xc3\xa4"
                           "5",
                           "5\xc3\xa4"}) {
    EXPECT_EQ(Again(text), text);
  }
}

TEST(NumberTextTest, DigitsOfNamesAreNoNumbers) {
  EXPECT_EQ(NumbersIn(R"({"a1b2":"550e8400-e29b","pm2_5":12.5})"), 1U);
  EXPECT_EQ(NumbersIn("2026-11-20T09:12:01.123Z"), 6U);
  EXPECT_EQ(NumbersIn("-4 +5 6-7"), 4U);
}

TEST(NumberTextTest, RandomTextComesBack) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::string_view kLetters = "0001234567899.--,:eTZa_ \"\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& c : text) {
      c = kLetters[random() % kLetters.size()];
    }
    EXPECT_EQ(Again(text), text);
  }
}

TEST(NumberTextTest, TextOfAnExpectedKindComesBackAndOfAnotherIsNotTaken) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::string_view kLetters = "0019.-:a \"";
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 12, ' ');
    for (char& c : text) {
      c = kLetters[random() % kLetters.size()];
    }
    std::string around;
    std::vector<NumberText> numbers;
    ASSERT_TRUE(TakeNumbersOut(text, around, numbers));
    std::vector<NumberText> expected;
    ASSERT_TRUE(TakeNumbersOut(text, PiecesOf(around), expected)) << text;
    EXPECT_EQ(PutTogether(around, expected), text);
    for (char& c : text) {
      c = random() % 4 == 0 ? kLetters[random() % kLetters.size()] : c;
    }
    expected.clear();
    if (TakeNumbersOut(text, PiecesOf(around), expected)) {
      ++taken;
      EXPECT_EQ(PutTogether(around, expected), text);
    }
  }
  EXPECT_GT(taken, 1'000);
}

RawMessage Message(std::string topic, std::string payload) {
  RawMessage message;
  message.stream = 3;
  message.topic = std::move(topic);
  message.payload = std::move(payload);
  message.received_at = WallTime(std::chrono::microseconds(1'795'162'531'500'000));
  message.boot_time = std::chrono::seconds(5);
  message.qos = 1;
  return message;
}

// What is stored of these messages; they come back as they were.
std::size_t StoredBytes(const std::vector<RawMessage>& messages) {
  SegmentEncoder encoder(1'000);
  Sequence sequence = 1'000;
  for (const RawMessage& message : messages) {
    encoder.Add(sequence++, message);
  }
  const std::string columns = ToColumns(encoder.plain());
  EXPECT_TRUE(Reproduces(columns, encoder.plain()));
  const Result<std::string> rows = FromColumns(columns, 1U << 30U);
  EXPECT_TRUE(rows && *rows == encoder.plain());
  const std::string blob = encoder.Finish();
  const Result<std::string> opened = OpenSegment(blob);
  EXPECT_TRUE(opened && *opened == encoder.plain());
  return blob.size();
}

// Messages of a site at 5,000 a second, with clocks as they are.
class Site {
 public:
  explicit Site(unsigned seed) : random_(seed), devices_(seed) {}
  RawMessage Next() {
    now_us_ += static_cast<std::int64_t>(random_() % 400);
    test::WalkingDevices::Message sent = devices_.Next(1'795'162'531'500 + now_us_ / 1'000);
    RawMessage message = Message(std::move(sent.topic), std::move(sent.payload));
    message.received_at += std::chrono::microseconds(now_us_);
    message.boot_time += std::chrono::nanoseconds(now_us_ * 1'000 + static_cast<std::int64_t>(random_() % 900));
    return message;
  }

 private:
  std::mt19937 random_;
  test::WalkingDevices devices_;
  std::int64_t now_us_ = 0;
};

TEST(ColumnCodec, ReadingsThatWalkAtRandomNeedATenthOfTheirBytes) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Site site(seed);
  std::vector<RawMessage> messages;
  std::size_t payload_bytes = 0;
  for (int i = 0; i < 4'400; ++i) {
    messages.push_back(site.Next());
    payload_bytes += messages.back().payload.size();
  }
  EXPECT_LT(StoredBytes(messages), payload_bytes / 10);
}

TEST(ColumnCodec, EverythingAboutAMessageComesBack) {
  std::vector<RawMessage> messages;
  for (int i = 0; i < 40; ++i) {
    RawMessage message = Message(i % 3 == 0 ? "a" : "b/" + std::to_string(i), R"({"n":)" + std::to_string(i * i) + "}");
    message.stream = i % 2 == 0 ? 1 : 2;
    message.retained = i % 5 == 0;
    message.redelivered = i % 7 == 0;
    message.received_at += std::chrono::microseconds(i % 4 == 0 ? -i * 1'000'000'000LL : i);
    if (i % 6 == 0) {
      message.content_type = "application/json";
      message.user_properties = {{"a", "1"}, {"", ""}};
    }
    if (i % 9 == 0) {
      message.received_at_raw = message.received_at - std::chrono::hours(i);
    }
    messages.push_back(std::move(message));
  }
  StoredBytes(messages);
}

TEST(ColumnCodec, AnyMixOfPayloadsComesBack) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    std::vector<RawMessage> messages;
    for (std::size_t i = 0, count = 2 + random() % 80; i < count; ++i) {
      std::string payload;
      switch (random() % 5) {
        case 0:
          for (std::size_t n = random() % 300; n > 0; --n) {
            payload += static_cast<char>(random() & 0xFFU);  // bytes
          }
          break;
        case 1:
          for (std::size_t n = random() % 100; n > 0; --n) {
            payload += std::to_string(random() % 1'000) + ",";  // more numbers than are taken out
          }
          break;
        case 2:
          payload = "{\"id\":\"" + std::to_string(random()) + "x\"}";  // each of its own kind
          break;
        case 3:
          payload = "9223372036854775807," + std::to_string(random()) + ",-0.0";
          break;
        default:
          payload = R"({"t":)" + std::to_string(random() % 50) + (random() % 2 == 0 ? ".5}" : "}");
      }
      messages.push_back(Message("dev/" + std::to_string(random() % 4), payload));
    }
    StoredBytes(messages);
  }
}

TEST(ColumnCodec, MoreKindsOfTextThanAreKeptComeBack) {
  std::vector<RawMessage> messages;
  for (int i = 0; i < 4'000; ++i) {
    messages.push_back(Message("a", "{\"k" + std::to_string(i % 1'300) + "\":" + std::to_string(i) + "}"));
  }
  StoredBytes(messages);
}

TEST(ColumnCodec, DamagedBytesAreAnErrorOrOtherRowsAndNeverMoreThanAllowed) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Site site(seed);
  SegmentEncoder encoder(1);
  for (Sequence i = 1; i <= 50; ++i) {
    encoder.Add(i, site.Next());
  }
  const std::string columns = ToColumns(encoder.plain());
  for (int round = 0; round < 5'000; ++round) {
    std::string damaged = columns;
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      damaged[random() % damaged.size()] = static_cast<char>(random() & 0xFFU);
    }
    damaged.resize(damaged.size() - random() % 2 * (random() % damaged.size()));
    constexpr std::size_t kMost = 1U << 16U;
    const Result<std::string> rows = FromColumns(damaged, kMost);
    EXPECT_TRUE(!rows || rows->size() <= kMost);
  }
}

}  // namespace
}  // namespace packhorse::queue
