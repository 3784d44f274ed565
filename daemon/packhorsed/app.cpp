#include "packhorsed/app.h"

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
#include "monitor/gaps.h"
#include "packhorsed/event_file.h"
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

ingest::SourceOptions ToOptions(const App& app, const SourceUnit& unit) {
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
  options.sessions = app.sessions;
  options.access = AccessOf(source);
  options.drain = unit.drain;
  return options;
}

}  // namespace

App::App(std::string file, config::Config checked, const Clock& the_clock)
    : clock(the_clock),
      config_file(std::move(file)),
      config(std::move(checked)),
      started_at(the_clock.Wall()),
      started(the_clock.Mono()) {}

App::~App() {
  if (uploader) {
    uploader->Abort();  // replies that come late have nobody left to go to
  }
}

std::string ContractOf(const App& app, const std::string& destination) {
  const auto unit = std::find_if(app.destinations.begin(), app.destinations.end(),
                                 [&](const DestinationUnit& each) { return each.config.name == destination; });
  return unit == app.destinations.end() ? "" : unit->config.contract;
}

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
    streams.push_back({monitor::GapStream(destination.name), Lane::kUrgent, {destination.name}, {}, false, {}});
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

Status BindGapStreams(App& app, const config::Config& config) {
  const auto contract = contract::MakeGapContract();
  RETURN_IF_ERROR(contract);
  for (const config::Destination& destination : config.destinations) {
    const std::string name = monitor::GapStream(destination.name);
    const Result<StreamId> id = app.queue->Stream(name);
    RETURN_IF_ERROR(id);
    app.streams.insert_or_assign(*id,
                                 delivery::StreamBinding{name, {delivery::StreamDefinition({}, *contract, false)}});
  }
  return {};
}

}  // namespace

Status BindStreams(App& app, const config::Config& config) {
  const auto kept = app.queue->Definitions();
  if (!kept) {
    return kept.error().With("read how the streams are decoded");
  }
  StreamId before = 0;
  for (const queue::KeptDefinition& each : *kept) {
    if (std::exchange(before, each.stream) != each.stream) {
      delivery::Bind(app.queue->StreamName(each.stream), *kept, each.stream, app.streams);
    }
  }
  return BindGapStreams(app, config);
}

void SetSharedLimits(App& app, const config::Config& config) {
  for (const auto& [name, limits] : config.shared_limits) {
    const auto before = app.config.shared_limits.find(name);
    const bool same = before != app.config.shared_limits.end() && before->second == limits;
    if (!same || !app.shared_limits.contains(name)) {  // an unchanged one keeps what it has counted
      app.shared_limits.insert_or_assign(name, limit::RateLimit(ToWindows(limits)));
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

Result<DestinationUnit> MakeDestination(App& app, const config::Gateway& gateway,
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
  options.breaker.backoff_initial = destination.retry.initial;
  options.breaker.backoff_max = destination.retry.max;
  options.retry_budget = destination.retry.budget;
  options.gzip = destination.compression == "gzip";
  options.live_first = destination.order == "live_first";
  options.keeps_order = destination.receiver == "watermark";
  options.backfill_share = destination.backfill_share;
  options.backfill_after = destination.backfill_after;

  const auto shared = app.shared_limits.find(destination.shared_limit);
  delivery::Dependencies dependencies{*app.queue,
                                      *app.queue,
                                      *app.uploader,
                                      app.events,
                                      app.clock,
                                      app.streams,
                                      shared == app.shared_limits.end() ? nullptr : &shared->second};
  auth::Credentials* seen = credentials.get();
  auto made = delivery::MakeDestination(std::move(options), std::move(credentials), dependencies);
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

Result<std::vector<ingest::Route>> RoutesOf(const App& app, const config::Config& config, const std::string& source) {
  Result<std::vector<BoundStream>> bound = BindStreams(config);
  RETURN_IF_ERROR(bound);
  std::vector<ingest::Route> routes;
  for (BoundStream& entry : *bound) {
    if (entry.stream->source != source) {
      continue;
    }
    const Result<StreamId> id = app.queue->Stream(entry.stream->name);
    RETURN_IF_ERROR(id);
    routes.push_back(
        {*id, ToPolicy(entry.stream->retained), std::move(entry.patterns), ToRate(entry.stream->device_rate)});
  }
  return routes;
}

ingest::Limits LimitsOf(const config::Source& source) { return {source.max_payload_bytes, source.max_topic_bytes}; }

Result<std::unique_ptr<SourceUnit>> MakeSourceUnit(const App& app, const config::Config& config,
                                                   const config::Source& source) {
  auto routes = RoutesOf(app, config, source.name);
  if (!routes) {
    return routes.error().With("source '" + source.name + "'");
  }
  auto unit = std::make_unique<SourceUnit>();
  unit->config = source;
  unit->filters = config::SubscriptionFilters(config, source.name);
  unit->wants_retained = WantsRetained(config, source.name);
  unit->intake = std::make_unique<ingest::Intake>(std::move(routes).value(), LimitsOf(source), *app.queue, app.clock);
  unit->intake->SetTap(app.tap);
  return unit;
}

void StartSource(const App& app, SourceUnit& unit, MonoTime now) {
  auto made = ingest::MakeSource(ToOptions(app, unit), *unit.intake, app.clock,
                                 [uploader = app.uploader.get()] { uploader->Wake(); });
  Status started = made ? (*made)->Start() : Status(made.error());
  if (started) {
    unit.source = std::move(made).value();
    unit.connected_as = unit.config.client_id;
    unit.error.clear();
    return;
  }
  if (unit.error != started.error().message) {
    unit.error = started.error().message;
    unit.since = app.clock.Wall();
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

std::unique_ptr<observer::Observer> MakeObserver(App& app) {
  observer::Observer::Hooks hooks;
  hooks.decode = [&app](Lane lane, const queue::StoredMessage& stored) {
    return delivery::Decode(app.streams, app.queue->id(), lane, stored);
  };
  hooks.attach = [&app](std::shared_ptr<const ingest::Intake::Tap> tap) {
    app.tap = std::move(tap);
    for (const auto& unit : app.sources) {
      unit->intake->SetTap(app.tap);
    }
  };
  hooks.wake = [uploader = app.uploader.get()] { uploader->Wake(); };
  return std::make_unique<observer::Observer>(std::move(hooks), app.clock);
}

}  // namespace

Result<std::unique_ptr<App>> MakeApp(std::string file, config::Config config, const Clock& clock) {
  auto app = std::make_unique<App>(std::move(file), std::move(config), clock);
  auto uploader = upload::MakeUploader(std::string("packhorse/") + kVersion);
  RETURN_IF_ERROR(uploader);
  app->uploader = std::move(uploader).value();
  return app;
}

Status OpenQueue(App& app) {
  queue::Options options;
  options.path = app.config.queue.path;
  options.runtime_dir = app.config.queue.runtime_dir;
  options.strict = app.config.queue.durability == config::Durability::kStrict;
  options.window = app.config.queue.window;
  options.clock_wait = app.config.queue.clock_wait;
  options.limits = QueueLimits(app.config.queue);
  options.streams = QueueStreams(app.config);
  options.destinations = QueueDestinations(app.config);
  options.wake = [wake = app.uploader.get()] { wake->Wake(); };
  auto queue = queue::Open(std::move(options), app.clock);
  RETURN_IF_ERROR(queue);
  app.queue = std::move(queue).value();
  return {};
}

Status Assemble(App& app) {
  app.sessions = std::make_shared<ingest::Sessions>(app.config.queue.path + ".sessions",
                                                    app.config.queue.runtime_dir + "/sessions", app.clock);
  if (!app.sessions->problem().empty()) {
    health::Log(health::LogLevel::kWarning, "sessions_forgotten",
                "what the brokers keep for us is not known any more: " + app.sessions->problem());
  }
  RestoreEvents(app);
  ReportStart(app);

  RETURN_IF_ERROR(BindStreams(app, app.config));
  SetSharedLimits(app, app.config);
  for (const config::Destination& destination : app.config.destinations) {
    auto credentials = MakeCredentials(destination);
    if (!credentials) {
      // Only the unit gives a credential: no later try finds one that it does not.
      const bool lasts = destination.auth.secret.kind == config::SecretRef::Kind::kCredential;
      return lasts ? Error{ErrorCode::kUnsupported, credentials.error().message} : credentials.error();
    }
    auto unit = MakeDestination(app, app.config.gateway, destination, std::move(credentials).value());
    RETURN_IF_ERROR(unit);
    app.destinations.push_back(std::move(unit).value());
  }
  for (const config::Source& source : app.config.sources) {
    auto unit = MakeSourceUnit(app, app.config, source);
    RETURN_IF_ERROR(unit);
    app.sources.push_back(std::move(unit).value());
  }
  app.observer = MakeObserver(app);
  return {};
}

}  // namespace packhorse::daemon
