#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

class PeekBehindTest : public QueueTest {
 protected:
  // All that a message has.
  static std::vector<std::string> Words(const Pending& pending) {
    std::vector<std::string> words;
    for (const StoredMessage& stored : pending.messages) {
      const RawMessage& message = stored.message;
      std::string word = std::to_string(stored.sequence) + " " + message.topic + " " + message.payload + " " +
                         message.content_type + (message.retained ? " retained" : "");
      for (const auto& [name, value] : message.user_properties) {
        word += " " + name + "=" + value;
      }
      words.push_back(word);
    }
    return words;
  }

  void AppendRich(int number) {
    RawMessage message = Message("payload " + std::to_string(number));
    if (number % 2 == 0) {
      message.content_type = "application/json";
      message.user_properties = {{"a", std::to_string(number)}, {"b", ""}};
      message.retained = true;
    }
    ASSERT_TRUE(queue_->Append(message));
  }
};

TEST_P(PeekBehindTest, NothingOfTheMessagesThatItWritesOverIsLeft) {
  for (int i = 0; i < 40; ++i) {
    AppendRich(i);
  }
  Pending room;
  for (const std::size_t most : {std::size_t{9}, std::size_t{20}, std::size_t{3}, std::size_t{7}}) {
    for (Sequence behind = 0; behind < 40; behind += 6) {
      const Result<Pending> fresh = queue_->PeekBehind(behind, "cloud", Lane::kNormal, most, 1U << 20U, {});
      ASSERT_TRUE(fresh);
      Result<Pending> over = queue_->PeekBehind(behind, "cloud", Lane::kNormal, most, 1U << 20U, std::move(room));
      ASSERT_TRUE(over);
      EXPECT_EQ(Words(*over), Words(*fresh));
      EXPECT_EQ(over->from, fresh->from);
      EXPECT_EQ(over->through, fresh->through);
      room = *std::move(over);
    }
  }
  const Result<Pending> none = queue_->PeekBehind(40, "cloud", Lane::kNormal, 5, 1U << 20U, std::move(room));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->messages.empty());
}

INSTANTIATE_TEST_SUITE_P(Modes, PeekBehindTest, testing::Values(Mode::kWindow, Mode::kWithoutJournal), NameOf);

}  // namespace
}  // namespace packhorse::queue
