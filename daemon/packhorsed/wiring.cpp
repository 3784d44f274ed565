#include "packhorsed/wiring.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "base/file.h"
#include "base/version.h"
#include "common/load.h"
#include "common/secrets.h"
#include "contract/cloud_contract.h"
#include "contract/gap_contract.h"
#include "health/log.h"
#include "packhorsed/event_file.h"
#include "packhorsed/same.h"
#include "packhorsed/session_access.h"
#include "packhorsed/start_report.h"

namespace packhorse::daemon {
namespace {

// How long to wait before a source that could not be made is tried again.
constexpr std::chrono::seconds kSourceRetry{30};

std::vector<limit::Window> ToWindows(const std::vector<config::Limit>& limits) {
  std::vector<limit::Window> windows;
  for (const config::Limit& entry : limits) {
    const auto unit = entry.unit == config::Limit::Unit::kRequests  ? limit::Window::Unit::kRequests
                      : entry.unit == config::Limit::Unit::kRecords ? limit::Window::Unit::kRecords
                                                                    : limit::Window::Unit::kBytes;
    windows.push_back({unit, entry.count, entry.per});
  }
  return windows;
}

ingest::RetainedPolicy ToPolicy(config::RetainedPolicy policy) {
  switch (policy) {
    case config::RetainedPolicy::kState:
      return ingest::RetainedPolicy::kState;
    case config::RetainedPolicy::kIgnore:
      return ingest::RetainedPolicy::kIgnore;
    case config::RetainedPolicy::kTelemetry:
      return ingest::RetainedPolicy::kTelemetry;
  }
  return ingest::RetainedPolicy::kState;
}

ingest::DeviceRate ToRate(const std::optional<config::DeviceRate>& rate) {
  return rate ? ingest::DeviceRate{rate->messages, rate->per, rate->over == config::DeviceRate::Over::kDrop}
              : ingest::DeviceRate{};
}

upload::Endpoint ToEndpoint(const config::Destination& destination) {
  upload::Endpoint endpoint;
  endpoint.base_url = destination.url;
  endpoint.ca = destination.tls.ca;
  endpoint.certificate = destination.tls.certificate;
  endpoint.key = destination.tls.key;
  endpoint.pins = destination.tls.pins;
  endpoint.connect_timeout = destination.connect_timeout;
  endpoint.timeout = destination.timeout;
  return endpoint;
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
  return [from = ToSource(*secret)]() -> Result<std::string> {
    Result<auth::Secret> read = auth::ReadSecret(from);
    return read ? Result<std::string>(read->Reveal()) : Result<std::string>(read.error());
  };
}

ingest::SourceOptions ToOptions(const Parts& parts, const SourceUnit& unit) {
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
  options.sessions = parts.sessions;
  options.access = AccessOf(source);
  options.drain = unit.drain;
  return options;
}

}  // namespace

Parts::Parts(std::string file, config::Config checked, const Clock& the_clock)
    : clock(the_clock),
      config_file(std::move(file)),
      config(std::move(checked)),
      started_at(the_clock.Wall()),
      started(the_clock.Mono()) {}

Parts::~Parts() {
  if (uploader) {
    uploader->Abort();  // replies that come late have nobody left to go to
  }
}

std::string GapStream(const std::string& destination) { return std::string(queue::kOwnStreams) + destination; }

queue::Limits QueueLimits(const config::Queue& config) {
  queue::Limits limits;
  limits.max_bytes = config.max_bytes;
  limits.max_messages = config.max_records;
  limits.max_age = config.max_age;
  const auto policy = [](config::Overflow overflow) {
    using Overflow = queue::Limits::Overflow;
    return overflow == config::Overflow::kDropOldest   ? Overflow::kDropOldest
           : overflow == config::Overflow::kDropNewest ? Overflow::kDropNewest
                                                       : Overflow::kBlock;
  };
  std::transform(config.overflow.begin(), config.overflow.end(), limits.overflow.begin(), policy);
  return limits;
}

std::vector<queue::StreamOptions> QueueStreams(const config::Config& config) {
  std::vector<queue::StreamOptions> streams;
  for (const config::Stream& stream : config.streams) {
    const bool moves = stream.device_rate && stream.device_rate->over == config::DeviceRate::Over::kBulk;
    streams.push_back({stream.name,
                       stream.lane,
                       stream.destinations,
                       stream.retain_delivered,
                       moves,
                       {stream.contract, stream.topics, stream.retained == config::RetainedPolicy::kState}});
  }
  for (const config::Destination& destination : config.destinations) {
    streams.push_back({GapStream(destination.name), Lane::kUrgent, {destination.name}, {}, false, {}});
  }
  return streams;
}

std::vector<queue::DestinationOptions> QueueDestinations(const config::Config& config) {
  std::vector<queue::DestinationOptions> destinations;
  for (const config::Destination& destination : config.destinations) {
    destinations.emplace_back(destination.name,
                              destination.start == "oldest" ? queue::StartAt::kOldest : queue::StartAt::kNow);
  }
  return destinations;
}

namespace {

Status BindGapStreams(Parts& parts, const config::Config& config) {
  const auto contract = contract::MakeGapContract();
  if (!contract) {
    return contract.error();
  }
  for (const config::Destination& destination : config.destinations) {
    const std::string name = GapStream(destination.name);
    const Result<StreamId> id = parts.queue->Stream(name);
    if (!id) {
      return id.error();
    }
    parts.streams.insert_or_assign(*id,
                                   delivery::StreamBinding{name, {delivery::StreamDefinition({}, *contract, false)}});
  }
  return {};
}

}  // namespace

Status BindStreams(Parts& parts, const config::Config& config) {
  const auto kept = parts.queue->Definitions();
  if (!kept) {
    return kept.error().With("read how the streams are decoded");
  }
  StreamId before = 0;
  for (const queue::KeptDefinition& each : *kept) {
    if (std::exchange(before, each.stream) != each.stream) {
      delivery::Bind(parts.queue->StreamName(each.stream), *kept, each.stream, parts.streams);
    }
  }
  return BindGapStreams(parts, config);
}

void SetSharedLimits(Parts& parts, const config::Config& config) {
  for (const auto& [name, limits] : config.shared_limits) {
    const auto before = parts.config.shared_limits.find(name);
    const bool same = before != parts.config.shared_limits.end() && Same(before->second, limits);
    if (!same || !parts.shared_limits.contains(name)) {  // an unchanged one keeps what it has counted
      parts.shared_limits.insert_or_assign(name, limit::RateLimit(ToWindows(limits)));
    }
  }
}

Result<std::unique_ptr<auth::Credentials>> MakeCredentials(const config::Destination& destination) {
  auto credentials = auth::MakeCredentials(AuthOptions(destination));
  if (!credentials) {
    return credentials.error().With("destination '" + destination.name + "'");
  }
  return credentials;
}

Result<DestinationUnit> MakeDestination(Parts& parts, const config::Gateway& gateway,
                                        const config::Destination& destination,
                                        std::unique_ptr<auth::Credentials> credentials) {
  auto contract = contract::FindCloudContract(destination.contract);
  if (!contract) {
    return contract.error().With("destination '" + destination.name + "'");
  }
  delivery::Options options;
  options.name = destination.name;
  options.gateway_id = gateway.id;
  options.gateway_attributes = gateway.attributes;
  options.contract = *contract;
  options.endpoint = ToEndpoint(destination);
  options.batch = {destination.batch.max_records, destination.batch.max_bytes, destination.batch.max_age};
  options.limits = ToWindows(destination.limits);
  options.gate.backoff_initial = destination.retry.initial;
  options.gate.backoff_max = destination.retry.max;
  options.retry_budget = destination.retry.budget;
  options.gzip = destination.compression == "gzip";
  options.live_first = destination.order == "live_first";
  options.keeps_order = destination.receiver == "watermark";
  options.backfill_share = destination.backfill_share;
  options.backfill_after = destination.backfill_after;

  const auto shared = parts.shared_limits.find(destination.shared_limit);
  delivery::Surroundings surroundings{*parts.queue,  *parts.uploader,
                                      parts.events,  parts.clock,
                                      parts.streams, shared == parts.shared_limits.end() ? nullptr : &shared->second};
  auth::Credentials* seen = credentials.get();
  auto made = delivery::MakeDestination(std::move(options), std::move(credentials), surroundings);
  if (!made) {
    return made.error().With("destination '" + destination.name + "'");
  }
  return DestinationUnit{destination, std::move(made).value(), seen, false, std::nullopt, {}};
}

bool WantsRetained(const config::Config& config, const std::string& source) {
  return std::any_of(config.streams.begin(), config.streams.end(), [&](const config::Stream& stream) {
    return stream.source == source && stream.retained != config::RetainedPolicy::kIgnore;
  });
}

Result<std::vector<ingest::Route>> RoutesOf(const Parts& parts, const config::Config& config,
                                            const std::string& source) {
  Result<std::vector<BoundStream>> bound = BindStreams(config);
  if (!bound) {
    return bound.error();
  }
  std::vector<ingest::Route> routes;
  for (BoundStream& entry : *bound) {
    if (entry.stream->source != source) {
      continue;
    }
    const Result<StreamId> id = parts.queue->Stream(entry.stream->name);
    if (!id) {
      return id.error();
    }
    routes.push_back(
        {*id, ToPolicy(entry.stream->retained), std::move(entry.patterns), ToRate(entry.stream->device_rate)});
  }
  return routes;
}

ingest::Limits LimitsOf(const config::Source& source) { return {source.max_payload_bytes, source.max_topic_bytes}; }

Result<std::unique_ptr<SourceUnit>> MakeSourceUnit(const Parts& parts, const config::Config& config,
                                                   const config::Source& source) {
  auto routes = RoutesOf(parts, config, source.name);
  if (!routes) {
    return routes.error().With("source '" + source.name + "'");
  }
  auto unit = std::make_unique<SourceUnit>();
  unit->config = source;
  unit->filters = config::SubscriptionFilters(config, source.name);
  unit->wants_retained = WantsRetained(config, source.name);
  unit->intake =
      std::make_unique<ingest::Intake>(std::move(routes).value(), LimitsOf(source), *parts.queue, parts.clock);
  unit->intake->SetTap(parts.tap);
  return unit;
}

void StartSource(const Parts& parts, SourceUnit& unit, MonoTime now) {
  auto made = ingest::MakeSource(ToOptions(parts, unit), *unit.intake, parts.clock,
                                 [uploader = parts.uploader.get()] { uploader->Wake(); });
  Status started = made ? (*made)->Start() : Status(made.error());
  if (started) {
    unit.source = std::move(made).value();
    unit.connected_as = unit.config.client_id;
    unit.error.clear();
    return;
  }
  if (unit.error != started.error().message) {
    unit.error = started.error().message;
    unit.since = parts.clock.Wall();
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

namespace {

std::unique_ptr<observer::Observer> MakeObserver(Parts& parts) {
  observer::Observer::Hooks hooks;
  hooks.decode = [&parts](Lane lane, const queue::StoredMessage& stored) {
    return delivery::Decode(parts.streams, parts.queue->id(), lane, stored);
  };
  hooks.attach = [&parts](std::shared_ptr<const ingest::Intake::Tap> tap) {
    parts.tap = std::move(tap);
    for (const auto& unit : parts.sources) {
      unit->intake->SetTap(parts.tap);
    }
  };
  hooks.wake = [uploader = parts.uploader.get()] { uploader->Wake(); };
  return std::make_unique<observer::Observer>(std::move(hooks), parts.clock);
}

}  // namespace

Result<std::unique_ptr<Parts>> MakeParts(std::string file, config::Config config, const Clock& clock) {
  auto parts = std::make_unique<Parts>(std::move(file), std::move(config), clock);
  auto uploader = upload::MakeUploader(std::string("packhorse/") + kVersion);
  if (!uploader) {
    return uploader.error();
  }
  parts->uploader = std::move(uploader).value();
  return parts;
}

Status OpenQueue(Parts& parts) {
  queue::Options options;
  options.path = parts.config.queue.path;
  options.runtime_dir = parts.config.queue.runtime_dir;
  options.strict = parts.config.queue.durability == config::Durability::kStrict;
  options.window = parts.config.queue.window;
  options.clock_wait = parts.config.queue.clock_wait;
  options.limits = QueueLimits(parts.config.queue);
  options.streams = QueueStreams(parts.config);
  options.destinations = QueueDestinations(parts.config);
  options.wake = [wake = parts.uploader.get()] { wake->Wake(); };
  auto queue = queue::Open(std::move(options), parts.clock);
  if (!queue) {
    return queue.error();
  }
  parts.queue = std::move(queue).value();
  return {};
}

Status Assemble(Parts& parts) {
  parts.sessions = std::make_shared<ingest::Sessions>(parts.config.queue.path + ".sessions",
                                                      parts.config.queue.runtime_dir + "/sessions", parts.clock);
  if (!parts.sessions->problem().empty()) {
    health::Log(health::LogLevel::kWarning, "sessions_forgotten",
                "what the brokers keep for us is not known any more: " + parts.sessions->problem());
  }
  RestoreEvents(parts);
  ReportStart(parts);

  if (Status bound = BindStreams(parts, parts.config); !bound) {
    return bound;
  }
  SetSharedLimits(parts, parts.config);
  for (const config::Destination& destination : parts.config.destinations) {
    auto credentials = MakeCredentials(destination);
    if (!credentials) {
      // Only the unit gives a credential: no later try finds one that it does not.
      const bool lasts = destination.auth.secret.kind == config::SecretRef::Kind::kCredential;
      return lasts ? Error{ErrorCode::kUnsupported, credentials.error().message} : credentials.error();
    }
    auto unit = MakeDestination(parts, parts.config.gateway, destination, std::move(credentials).value());
    if (!unit) {
      return unit.error();
    }
    parts.destinations.push_back(std::move(unit).value());
  }
  for (const config::Source& source : parts.config.sources) {
    auto unit = MakeSourceUnit(parts, parts.config, source);
    if (!unit) {
      return unit.error();
    }
    parts.sources.push_back(std::move(unit).value());
  }
  parts.observer = MakeObserver(parts);
  return {};
}

}  // namespace packhorse::daemon
