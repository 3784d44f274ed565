#include "bridge/sources.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "bridge/session_access.h"
#include "config/auth_options.h"
#include "health/log.h"

namespace packhorse::bridge {
namespace {

// How long to wait before a source that could not be made is tried again.
constexpr std::chrono::seconds kSourceRetry{30};

ingest::DeviceRate ToRate(const std::optional<config::DeviceRate>& rate) {
  return rate ? ingest::DeviceRate{rate->messages, rate->per, rate->over == config::DeviceRate::Over::kDrop}
              : ingest::DeviceRate{};
}

// Packets above this are discarded by an MQTT 5 broker without a word, so it lies well above the limit at which the
// intake refuses a payload and says so; it only bounds the memory that one packet can claim.
std::uint32_t MaxPacketBytes(const config::Source& source) {
  constexpr std::uint64_t kLargest = 256ULL
                                     << 20U;  // MQTT 5 section 2.1.4: a packet's length has four digits of base 128
  constexpr std::uint64_t kProperties = 64ULL << 10U;
  return static_cast<std::uint32_t>(
      std::min(kLargest - 1, 4 * source.max_payload_bytes + source.max_topic_bytes + kProperties));
}

// Reads the secret anew at each call; null when there is none.
std::function<Result<std::string>()> ReaderOf(const config::SecretRef* secret) {
  if (secret == nullptr || secret->kind == config::SecretRef::Kind::kNone) {
    return nullptr;
  }
  return [from = config::SourceOf(*secret)]() -> Result<std::string> {
    Result<auth::Secret> read = auth::ReadSecret(from);
    return read ? Result<std::string>(read->Reveal()) : Result<std::string>(read.error());
  };
}

// Whether any stream of this source does something with retained messages.
bool WantsRetained(const config::Config& config, const std::string& source) {
  return std::any_of(config.streams.begin(), config.streams.end(), [&](const config::Stream& stream) {
    return stream.source == source && stream.retained != RetainedPolicy::kIgnore;
  });
}

}  // namespace

ingest::Limits LimitsOf(const config::Source& source) { return {source.max_payload_bytes, source.max_topic_bytes}; }

ingest::SourceOptions Sources::OptionsOf(const SourceUnit& unit) const {
  const config::Source& source = unit.config;
  ingest::SourceOptions options;
  options.name = source.name;
  options.urls = source.urls;
  options.client_id = source.client_id;
  options.username = source.username;
  options.password = ReaderOf(&source.password);
  options.next_password = ReaderOf(source.password.next.get());
  options.ca = source.tls.ca;
  options.certificate = source.tls.certificate;
  options.key = source.tls.key;
  options.pins = source.tls.pins;
  options.filters = unit.filters;
  options.protocol = source.protocol;
  options.keep_alive = source.keep_alive;
  options.session_expiry = source.session_expiry;
  options.receive_maximum = source.receive_maximum;
  options.max_packet_bytes = MaxPacketBytes(source);
  options.connect_timeout = source.connect_timeout;
  options.reconnect_min = source.reconnect_min;
  options.reconnect_max = source.reconnect_max;
  options.retained_on_subscribe = unit.wants_retained;
  options.sessions = sessions_;
  options.access = AccessOf(source);
  options.drain = unit.drain;
  return options;
}

Result<std::vector<ingest::Route>> Sources::RoutesOf(const config::Config& config, const std::string& source) const {
  std::vector<ingest::Route> routes;
  for (const config::Stream& stream : config.streams) {
    if (stream.source != source) {
      continue;
    }
    const Result<StreamId> id = queue_.Stream(stream.name);
    RETURN_IF_ERROR(id);
    auto patterns = config::PatternsOf(stream);
    RETURN_IF_ERROR(patterns);
    routes.push_back({*id, stream.retained, *std::move(patterns), ToRate(stream.device_rate)});
  }
  return routes;
}

std::unique_ptr<ingest::Intake> Sources::MakeIntake(std::vector<ingest::Route> routes,
                                                    const config::Source& source) const {
  auto intake = std::make_unique<ingest::Intake>(std::move(routes), LimitsOf(source), queue_, clock_);
  intake->SetTap(tap_);
  return intake;
}

void Sources::SetTap(TapPtr tap) {
  tap_ = std::move(tap);
  for (const auto& unit : units_) {
    unit->intake->SetTap(tap_);
  }
}

Result<std::unique_ptr<SourceUnit>> Sources::Make(const config::Config& config, const config::Source& source) const {
  auto routes = RoutesOf(config, source.name);
  if (!routes) {
    return routes.error().With("source '" + source.name + "'");
  }
  auto unit = std::make_unique<SourceUnit>();
  unit->config = source;
  unit->filters = config::SubscriptionFilters(config, source.name);
  unit->wants_retained = WantsRetained(config, source.name);
  unit->intake = MakeIntake(std::move(routes).value(), source);
  return unit;
}

void Sources::Start(SourceUnit& unit, MonoTime now) const {
  auto made = ingest::MakeSource(OptionsOf(unit), *unit.intake, clock_, wake_);
  Status started = made ? (*made)->Start() : Status(made.error());
  if (started) {
    unit.source = std::move(made).value();
    unit.connected_as = unit.config.client_id;
    unit.error.clear();
    return;
  }
  if (unit.error != started.error().message) {
    unit.error = started.error().message;
    unit.since = clock_.Wall();
    health::Log(health::LogLevel::kError, "source_not_started", unit.error, {{"source", unit.config.name}});
  }
  unit.retry_at = now + kSourceRetry;
}

ingest::SourceStatus StatusOf(const SourceUnit& unit) {
  ingest::SourceStatus status;
  if (unit.source) {
    status = unit.source->Snapshot();
    if (!unit.leaving) {
      return status;
    }
  } else {
    status.name = unit.config.name;
    status.url = unit.config.urls.empty() ? "" : unit.config.urls.front();
  }
  const bool waits = unit.error.empty();
  status.state = waits ? ingest::SourceState::kConnecting : ingest::SourceState::kDown;
  status.reason = waits ? "the connection of before has to end first" : unit.error;
  status.since = unit.since;
  return status;
}

}  // namespace packhorse::bridge
