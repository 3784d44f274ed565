#include "contract/gap_contract.h"

#include <gtest/gtest.h>

#include "contract/cloud_contract.h"

namespace packhorse::contract {
namespace {

TEST(GapContract, BecomesARecordOfKindGapWithoutDeviceTopicAndContract) {
  const auto contract = MakeGapContract();
  ASSERT_TRUE(contract);
  RawMessage message;
  message.payload =
      R"({"messages":50,"outcome":"dropped","reason":"max_bytes","lane":"bulk","first_sequence":1,"last_sequence":50})";
  message.received_at = WallTime(std::chrono::microseconds(1'795'165'921'123'456));
  message.clock = ClockState::kSynchronized;
  const Decoded decoded = (*contract)->Decode(message, DecodeContext{"k3f9", Lane::kUrgent, 7, "gaps/cloud"});
  ASSERT_EQ(decoded.records.size(), 1U);
  EXPECT_EQ(ToJson(decoded.records.front()),
            R"({"record_id":"k3f9.u.7","sequence":7,"kind":"gap","stream":"gaps/cloud",)"
            R"("server_received_at":"2026-11-20T09:12:01.123456Z","gateway_clock":"synchronized",)"
            R"("device_time":{"source":"none","quality":"absent"},)"
            R"("measurements":{"messages":{"value":50},"first_sequence":{"value":1},"last_sequence":{"value":50}},)"
            R"("attributes":{"outcome":"dropped","reason":"max_bytes","lane":"bulk"}})");
}

}  // namespace
}  // namespace packhorse::contract
