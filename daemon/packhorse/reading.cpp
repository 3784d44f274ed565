#include "packhorse/reading.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "base/topic.h"
#include "base/units.h"
#include "common/load.h"
#include "packhorse/format.h"

namespace packhorse::cli {
namespace {

constexpr std::size_t kMaxPayload = 268'435'455;  // MQTT 5 section 2.1.4: no packet is larger
constexpr std::size_t kMaxTopic = 65'535;         // MQTT 5 section 1.5.4
// There is no queue here; ids only have to look like ids.
constexpr char kQueueId[] = "decode";

}  // namespace

Status CheckTopic(const std::string& topic) {
  if (topic.empty() || topic.size() > kMaxTopic || !IsValidUtf8(topic) ||
      topic.find_first_of(std::string_view("+#\0", 3)) != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument,
                 "--topic must be the topic of a message: 1 to 65535 bytes of UTF-8 without '+' and '#'"};
  }
  return {};
}

Result<std::string> ReadPayload(std::istream& in) {
  std::string payload;
  std::array<char, 65'536> chunk{};
  while (in.read(chunk.data(), chunk.size()), in.gcount() > 0) {
    payload.append(chunk.data(), static_cast<std::size_t>(in.gcount()));
    if (payload.size() > kMaxPayload) {
      return Error{ErrorCode::kInvalidArgument,
                   "the payload on standard input is larger than MQTT can carry (256 MiB)"};
    }
  }
  return payload;
}

Status ReadStreams(const Globals& globals, const std::string& topic, Reading& reading) {
  const config::Loaded loaded = daemon::LoadConfiguration(ConfigFile(globals));
  if (!loaded.ok()) {
    if (globals.config_file.empty()) {
      return {};
    }
    return Error{ErrorCode::kCorrupt, globals.config_file + " has errors; see: packhorse check " + globals.config_file};
  }
  for (const config::Stream& stream : loaded.config.streams) {
    reading.streams.push_back(stream.name + " (" + Join(stream.topics) + ")");
  }
  for (const config::Stream& stream : loaded.config.streams) {
    auto patterns = config::PatternsOf(stream);
    RETURN_IF_ERROR(patterns);
    const auto pattern =
        std::find_if(patterns->begin(), patterns->end(), [&](const TopicPattern& each) { return each.Matches(topic); });
    if (pattern == patterns->end()) {
      continue;
    }
    auto contract = contract::FindDeviceContract(stream.contract);
    RETURN_IF_ERROR(contract);
    reading.stream = stream.name;
    reading.lane = stream.lane;
    reading.retained_is_state = stream.retained == RetainedPolicy::kState;
    reading.contracts.push_back(*std::move(contract));
    reading.pattern = std::move(*pattern);
    break;
  }
  return {};
}

Status ChooseContracts(const ReadingOptions& options, Reading& reading) {
  if (!options.contract.empty()) {
    auto found = contract::FindDeviceContract(options.contract);
    if (!found) {
      return Error{ErrorCode::kInvalidArgument, found.error().message};
    }
    reading.contracts = {std::move(found).value()};
  }
  if (!options.pattern.empty()) {
    auto pattern = TopicPattern::Parse(options.pattern);
    if (!pattern) {
      return Error{ErrorCode::kInvalidArgument, "--pattern: " + pattern.error().message};
    }
    if (!pattern->Matches(options.topic)) {
      return Error{ErrorCode::kInvalidArgument, "--pattern does not match the topic"};
    }
    reading.pattern = std::move(pattern).value();
  }
  if (!reading.contracts.empty()) {
    return {};
  }
  for (const std::string& name : contract::DeviceContractNames()) {
    auto found = contract::FindDeviceContract(name.substr(0, name.rfind('.')));  // the newest minor of its major
    RETURN_IF_ERROR(found);
    if (reading.contracts.empty() || reading.contracts.back() != *found) {
      reading.contracts.push_back(std::move(found).value());
    }
  }
  return {};
}

Result<RawMessage> MakeMessage(const ReadingOptions& options, std::string payload) {
  RawMessage message;
  message.topic = options.topic;
  message.payload = std::move(payload);
  message.qos = 1;
  message.retained = options.retained;
  message.boot_time = SystemClock().Boot();
  message.received_at = SystemClock().Wall();
  message.clock = SystemClock().Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
  if (!options.received_at.empty()) {
    const auto time = ParseTime(options.received_at);
    if (!time) {
      return Error{ErrorCode::kInvalidArgument,
                   "--received-at must be a time like 2026-11-20T09:12:01.123456Z (RFC 3339), not '" +
                       Printable(Shorten(options.received_at, 64)) + "'"};
    }
    message.received_at = *time;
    message.clock = ClockState::kSynchronized;  // who names the moment knows it
  }
  return message;
}

RecordKey KeyOf(const Reading& reading, Sequence sequence) { return {kQueueId, reading.lane, sequence, std::nullopt}; }

contract::Decoded DecodeBy(const Reading& reading, const RawMessage& message, const RecordKey& key) {
  contract::DecodeContext context;
  context.queue_id = key.queue_id;
  context.lane = key.lane;
  context.sequence = key.sequence;
  context.stream = reading.stream;
  context.device = reading.pattern ? reading.pattern->Device(message.topic) : std::string_view();
  context.retained_is_state = reading.retained_is_state;
  contract::Decoded decoded;
  for (const auto& contract : reading.contracts) {
    decoded = contract->Decode(message, context);
    if (decoded.kind != contract::Decoded::Kind::kQuarantine) {
      break;
    }
  }
  return decoded;
}

}  // namespace packhorse::cli
