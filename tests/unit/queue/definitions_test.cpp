// What is kept of the streams' definitions.

#include <gmock/gmock.h>

#include <tuple>

#include "queue/tables/definition_table.h"
#include "queue_fixture.h"

namespace packhorse::queue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class DefinitionsTest : public QueueTest {
 protected:
  DefinitionsTest() {
    streams_ = {{"telemetry", Lane::kNormal, {"cloud"}, {}, false, {"plain@1", {"a/{device}", "b/#"}}}};
    Reopen();
  }

  void Define(StreamDefinition definition) { streams_.front().definition = std::move(definition); }
  void Remove() { streams_ = {{"other", Lane::kNormal, {"cloud"}, {}, false, {"other@1", {"#"}}}}; }

  Status Reconfigure() { return queue_->Reconfigure(streams_, destinations_); }

  // Contract, and whether it is in force, the newest first.
  std::vector<std::pair<std::string, bool>> Of(StreamId stream) {
    std::vector<std::pair<std::string, bool>> found;
    const auto kept = queue_->Definitions();
    EXPECT_TRUE(kept);
    for (const KeptDefinition& each : *kept) {
      if (each.stream == stream) {
        found.emplace_back(each.definition.contract, each.current);
      }
    }
    return found;
  }
};

TEST_P(DefinitionsTest, OneIsKeptAsItIsConfiguredAlsoAcrossARestart) {
  Reopen();
  const auto kept = queue_->Definitions();
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_TRUE(kept->front().current);
  EXPECT_EQ(kept->front().stream, *queue_->Stream("telemetry"));
  EXPECT_EQ(kept->front().definition, (StreamDefinition{"plain@1", {"a/{device}", "b/#"}, true}));
}

TEST_P(DefinitionsTest, OneOfBeforeStaysWhileAMessageWaitsAndGoesWhenNoneNeedsIt) {
  const StreamId stream = *queue_->Stream("telemetry");
  Append("one");
  Append("two");
  Define({"plain@2", {"a/{device}"}, false});
  ASSERT_TRUE(Reconfigure());
  EXPECT_THAT(Of(stream), ElementsAre(Pair("plain@2", true), Pair("plain@1", false)));
  EXPECT_GE(queue_->Definitions()->back().through[1], 2U);
  Remove();
  Reopen();
  EXPECT_THAT(Of(stream), ElementsAre(Pair("plain@1", false))) << "no message came under the other";
  ASSERT_TRUE(Settle(Delivered(PrepareNext(2))));
  Reopen();
  Reopen();  // the segment went with the first checkpoint
  EXPECT_THAT(Of(stream), IsEmpty());
}

TEST_P(DefinitionsTest, OneThatComesBackTakesTheNewestPlaceAndNoSecondRow) {
  const StreamId stream = *queue_->Stream("telemetry");
  Append("one");
  const StreamDefinition first = streams_.front().definition;
  for (int i = 0; i < 3; ++i) {
    Define({"plain@2", {"a/#"}});
    ASSERT_TRUE(Reconfigure());
    Append("another");
    Define(first);
    ASSERT_TRUE(Reconfigure());
  }
  EXPECT_THAT(Of(stream), ElementsAre(Pair("plain@1", true), Pair("plain@2", false)));
}

TEST_P(DefinitionsTest, QuarantinedMessagesAndDeadLettersNeedTheirs) {
  const StreamId stream = *queue_->Stream("telemetry");
  ASSERT_TRUE(queue_->Quarantine(Message("garbage"), "invalid_json", ""));
  Append("refused");
  const BatchId batch = PrepareNext(1);
  Settlement settlement = Delivered(batch);
  settlement.dead.push_back(DeadRecord{2, 0, "rejected", "", "", 400});
  ASSERT_TRUE(Settle(std::move(settlement)));
  Remove();
  Reopen();
  Reopen();
  EXPECT_THAT(Of(stream), ElementsAre(Pair("plain@1", false)));
}

TEST_P(DefinitionsTest, TheirNumberIsBounded) {
  const StreamId stream = *queue_->Stream("telemetry");
  Append("one");
  for (std::size_t i = 0; i < kMaxDefinitions + 5; ++i) {
    Define({"plain@" + std::to_string(i + 2), {"#"}});
    ASSERT_TRUE(Reconfigure());
    Append("another");
  }
  EXPECT_EQ(Of(stream).size(), kMaxDefinitions);
  EXPECT_TRUE(Of(stream).front().second);
}

INSTANTIATE_TEST_SUITE_P(Modes, DefinitionsTest, ::testing::Values(Mode::kWindow, Mode::kStrict), NameOf);

}  // namespace
}  // namespace packhorse::queue
