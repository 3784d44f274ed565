#include "ingest/paho/inbound.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace packhorse::ingest {
namespace {

void Put(InboundQos2& inbound, const std::string& key, const std::vector<std::string>& parts) {
  std::vector<mqtt::string_view> views;
  for (const std::string& part : parts) {
    views.emplace_back(part.data(), part.size());
  }
  inbound.put(key, views);
}

TEST(InboundQos2, RemembersWhatWasReceivedUntilItIsReleased) {
  InboundQos2 inbound;
  Put(inbound, "r-9", {"PUB", "LISH"});
  EXPECT_TRUE(inbound.contains_key("r-9"));
  EXPECT_EQ(inbound.get("r-9"), "PUBLISH");
  Put(inbound, "r-9", {"again"});
  EXPECT_EQ(inbound.get("r-9"), "again");
  inbound.remove("r-9");
  EXPECT_FALSE(inbound.contains_key("r-9"));
  EXPECT_TRUE(inbound.keys().empty());
}

TEST(InboundQos2, RemembersNothingElse) {
  InboundQos2 inbound;
  Put(inbound, "q-1", {"a message that was not handed over"});
  Put(inbound, "c-1", {"a command"});
  EXPECT_TRUE(inbound.keys().empty());
}

TEST(InboundQos2, IsBoundedByMessagesAndBytes) {
  InboundQos2 inbound;
  for (std::size_t i = 0; i <= InboundQos2::kMaxMessages; ++i) {
    Put(inbound, "r-" + std::to_string(i), {"x"});
  }
  EXPECT_EQ(inbound.keys().size(), InboundQos2::kMaxMessages);
  EXPECT_FALSE(inbound.contains_key("r-" + std::to_string(InboundQos2::kMaxMessages)));
  inbound.clear();
  const std::string half(InboundQos2::kMaxBytes / 2, 'x');
  Put(inbound, "r-1", {half});
  Put(inbound, "r-2", {half});
  Put(inbound, "r-3", {"x"});
  EXPECT_EQ(inbound.keys().size(), 2U);
  inbound.remove("r-2");
  Put(inbound, "r-3", {"x"});
  EXPECT_TRUE(inbound.contains_key("r-3"));
}

}  // namespace
}  // namespace packhorse::ingest
