#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "contract/device_contract.h"

namespace packhorse::contract {

// 2026-11-20T08:15:31.500000Z
inline constexpr WallTime kArrived{std::chrono::microseconds(1'795'162'531'500'000)};

// Decodes payloads with the newest generic-json@1 as one stream of a gateway would.
class DecodeFixture : public ::testing::Test {
 protected:
  DecodeFixture() {
    auto found = FindDeviceContract("generic-json@1");
    if (found) {
      contract_ = *found;
    }
    message_.topic = "site/a/dev/17/telemetry";
    message_.received_at = kArrived;
    message_.clock = ClockState::kSynchronized;
    context_.queue_id = "k3f9";
    context_.sequence = 1001;
    context_.stream = "telemetry";
  }

  Decoded Decode(std::string payload) {
    message_.payload = std::move(payload);
    return contract_->Decode(message_, context_);
  }

  // The only record that the payload gives.
  CanonicalRecord One(std::string payload) {
    Decoded decoded = Decode(std::move(payload));
    EXPECT_EQ(decoded.records.size(), 1U) << decoded.reason << ": " << decoded.detail;
    return decoded.records.empty() ? CanonicalRecord{} : std::move(decoded.records.front());
  }

  std::shared_ptr<const DeviceContract> contract_;
  RawMessage message_;
  DecodeContext context_;
};

// The value of a measurement or attribute; a text that no test expects when there is none of this name.
inline Value ValueOf(const CanonicalRecord& record, std::string_view name) {
  for (const Measurement& measurement : record.measurements) {
    if (measurement.name == name) {
      return measurement.value;
    }
  }
  for (const Attribute& attribute : record.attributes) {
    if (attribute.name == name) {
      return attribute.value;
    }
  }
  return std::string("<no such field>");
}

inline bool HasField(const CanonicalRecord& record, std::string_view name) {
  return ValueOf(record, name) != Value(std::string("<no such field>"));
}

}  // namespace packhorse::contract
