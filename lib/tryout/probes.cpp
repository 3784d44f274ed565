#include "tryout/probes.h"

#include <chrono>
#include <cstdint>
#include <utility>

namespace packhorse::tryout {
namespace {

using std::chrono::microseconds;

constexpr std::int64_t kReceived = 1'795'165'921'123'456;  // 2026-11-20T09:12:01.123456Z

CanonicalRecord Everything() {
  CanonicalRecord record;
  record.record_id = "probe.n.7";
  record.sequence = 7;
  record.stream = "stream";
  record.device_id = "device";
  record.server_received_at = WallTime(microseconds(kReceived));
  record.gateway_clock = ClockState::kSynchronized;
  record.device_time = {"2026-11-20T09:11:58.5Z", "1795165918.5", TimeSource::kDevice, TimeQuality::kOk, -2623};
  record.contract = "generic-json@1.1";
  record.topic = "probe/device/data";
  record.measurements = {{"integer", std::int64_t{21}, "Cel"},
                         {"large", std::int64_t{9'007'199'254'740'993}, "1"},
                         {"number", 21.5, "Cel"},
                         {"truth", true, ""},
                         {"nested.name", std::int64_t{-3}, ""},
                         {"nothing", nullptr, ""}};
  record.attributes = {{"text", std::string("on")}, {"nested.text", std::string("a \"b\", c")}};
  record.flags = static_cast<Flags>(Flag::kBackfilled);
  return record;
}

}  // namespace

std::vector<Probe> Probes() {
  std::vector<Probe> probes = {{"a record with everything", Everything()}};
  const auto add = [&](std::string what, auto change) {
    Probe probe = {std::move(what), Everything()};
    change(probe.record);
    probes.push_back(std::move(probe));
  };
  add("a record without a device", [](CanonicalRecord& record) { record.device_id.clear(); });
  add("a record without device time", [](CanonicalRecord& record) { record.device_time = {}; });
  add("a record whose device time is late",
      [](CanonicalRecord& record) { record.device_time.quality = TimeQuality::kLate; });
  add("a record whose device time cannot be believed",
      [](CanonicalRecord& record) { record.device_time.quality = TimeQuality::kImplausible; });
  add("a record without measurements", [](CanonicalRecord& record) { record.measurements.clear(); });
  add("a record without attributes", [](CanonicalRecord& record) { record.attributes.clear(); });
  add("a record without flags", [](CanonicalRecord& record) { record.flags = 0; });
  add("a record with nothing but a null", [](CanonicalRecord& record) {
    record.measurements = {{"nothing", nullptr, ""}};
    record.attributes.clear();
  });
  for (const RecordKind kind :
       {RecordKind::kState, RecordKind::kMetadata, RecordKind::kConnectivity, RecordKind::kGap}) {
    add("a record of kind " + std::string(Name(kind)), [kind](CanonicalRecord& record) { record.kind = kind; });
  }
  return probes;
}

}  // namespace packhorse::tryout
