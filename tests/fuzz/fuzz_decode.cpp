// Any payload through the device contract and, if it gives records, on to the wire form: a verdict, never a crash.
// The first byte chooses what else is known about the message, the second is the length of the topic.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/topic.h"
#include "contract/cloud_contract.h"
#include "contract/device_contract.h"

using packhorse::contract::Decoded;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto contract = packhorse::contract::FindDeviceContract("generic-json@1").value();
  static const auto cloud = packhorse::contract::FindCloudContract("packhorse-ingest@1").value();
  static const auto pattern = packhorse::TopicPattern::Parse("site/{site}/dev/{device}/#").value();
  if (size < 2) {
    return 0;
  }
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  packhorse::RawMessage message;
  message.topic = bytes.substr(0, data[1]);
  message.payload = bytes.substr(std::min<std::size_t>(data[1], bytes.size()));
  message.received_at = packhorse::WallTime(std::chrono::microseconds(1'795'162'531'500'000));
  message.retained = (data[0] & 1U) != 0;
  message.redelivered = (data[0] & 2U) != 0;
  packhorse::contract::DecodeContext context;
  context.queue_id = "k3f9";
  context.sequence = 1;
  context.stream = "telemetry";
  context.device = (data[0] & 4U) != 0 ? pattern.Device(message.topic) : std::string_view();
  context.retained_is_state = (data[0] & 8U) != 0;

  const Decoded decoded = contract->Decode(message, context);
  if ((decoded.kind == Decoded::Kind::kRecords) == decoded.records.empty()) {
    std::abort();
  }
  for (const auto& record : decoded.records) {
    if (record.record_id.empty() || cloud->RenderRecord(record).text.size() == 0) {
      std::abort();
    }
  }
  return 0;
}
