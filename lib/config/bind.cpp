#include "config/bind.h"

#include <string_view>

#include "auth/scheme.h"
#include "config/choices.h"
#include "contract/cloud/read_response.h"

namespace packhorse::config {
namespace {

std::string Text(const document::Node& object, std::string_view name) {
  const document::Node& node = object[name];
  return node.usable() && node.kind == document::Node::Kind::kString ? node.text : "";
}

std::int64_t Integer(const document::Node& object, std::string_view name) {
  const document::Node& node = object[name];
  return node.usable() && node.kind == document::Node::Kind::kInteger ? node.integer : 0;
}

template <typename Unsigned>
Unsigned Count(const document::Node& object, std::string_view name) {
  return static_cast<Unsigned>(Integer(object, name));  // the schema's range fits the type
}

std::chrono::milliseconds Duration(const document::Node& object, std::string_view name) {
  return std::chrono::milliseconds(Integer(object, name));
}

bool Truth(const document::Node& object, std::string_view name) {
  return object[name].usable() && object[name].boolean;
}

std::vector<std::string> Texts(const document::Node& list) {
  std::vector<std::string> texts;
  for (const document::Node& item : list.items) {
    if (item.usable() && item.kind == document::Node::Kind::kString) {
      texts.push_back(item.text);
    }
  }
  return texts;
}

// "22:00", of the form that the schema wants.
std::chrono::minutes TimeOfDay(std::string_view text) {
  const auto digit = [&](std::size_t at) { return at < text.size() ? text[at] - '0' : 0; };
  return std::chrono::hours(10 * digit(0) + digit(1)) + std::chrono::minutes(10 * digit(3) + digit(4));
}

std::string WithoutSlash(std::string url) {
  while (!url.empty() && url.back() == '/') {
    url.pop_back();
  }
  return url;
}

SecretRef Secret(const document::Node& node) {
  SecretRef secret;
  for (const auto& [name, kind] : kSecretKeys) {
    if (node[name].usable()) {
      secret.kind = kind;
      secret.name = Text(node, name);
    }
  }
  if (node["next"].usable()) {
    secret.next = std::make_shared<SecretRef>(Secret(node["next"]));
  }
  return secret;
}

Tls BindTls(const document::Node& node) {
  return Tls{Text(node, "ca"), Text(node, "certificate"), Text(node, "key"), Texts(node["pin"])};
}

Gateway BindGateway(const document::Node& node) {
  Gateway gateway;
  gateway.id = Text(node, "id");
  for (const document::Member& member : node["attributes"].members) {
    gateway.attributes[member.name] = member.value.text;
  }
  return gateway;
}

Source BindSource(const document::Node& node, const std::string& gateway_id) {
  Source source;
  source.name = Text(node, "name");
  for (const std::string& url : Texts(node["urls"])) {
    source.urls.push_back(WithoutSlash(url));
  }
  source.client_id = node["client_id"].usable() ? Text(node, "client_id") : "packhorse-" + gateway_id;
  source.username = Text(node, "username");
  source.password = Secret(node["password"]);
  source.tls = BindTls(node["tls"]);
  source.allow_plaintext = Truth(node, "allow_plaintext");
  source.protocol = Text(node, "protocol");
  source.keep_alive = Duration(node, "keep_alive");
  source.session_expiry = Duration(node, "session_expiry");
  source.receive_maximum = Count<std::uint16_t>(node, "receive_maximum");
  source.max_payload_bytes = Count<std::uint64_t>(node, "max_payload");
  source.max_topic_bytes = Count<std::uint32_t>(node, "max_topic_bytes");
  source.connect_timeout = Duration(node, "connect_timeout");
  source.reconnect_min = Duration(node["reconnect"], "min");
  source.reconnect_max = Duration(node["reconnect"], "max");
  return source;
}

std::optional<DeviceRate> BindDeviceRate(const document::Node& node) {
  if (!node.usable()) {
    return std::nullopt;
  }
  return DeviceRate{Count<std::uint64_t>(node, "messages"), Duration(node, "per"),
                    kOverNames.Find(Text(node, "over")).value_or(DeviceRate::Over::kBulk)};
}

// `root` gives what a stream may leave out where there is only one to choose.
Stream BindStream(const document::Node& node, const document::Node& root) {
  const auto only = [&](std::string_view list) {
    const std::vector<document::Node>& items = root[list].items;
    return items.size() == 1 ? Text(items.front(), "name") : std::string();
  };
  Stream stream;
  stream.name = Text(node, "name");
  stream.source = node["source"].usable() ? Text(node, "source") : only("sources");
  stream.topics = Texts(node["topics"]);
  stream.contract = Text(node, "contract");
  stream.lane = ParseLane(Text(node, "lane")).value_or(Lane::kNormal);
  stream.retained = ParseRetainedPolicy(Text(node, "retained")).value_or(RetainedPolicy::kState);
  stream.retain_delivered = Duration(node, "retain_delivered");
  stream.destinations = Texts(node["destinations"]);
  if (node.Find("destinations") == nullptr) {
    stream.destinations.push_back(only("destinations"));
  }
  stream.device_rate = BindDeviceRate(node["device_rate"]);
  return stream;
}

Queue BindQueue(const document::Node& node) {
  Queue queue;
  queue.path = Text(node, "path");
  queue.runtime_dir = WithoutSlash(Text(node, "runtime_dir"));
  queue.max_bytes = Count<std::uint64_t>(node, "max_bytes");
  queue.max_age = Duration(node, "max_age");
  queue.max_records = Count<std::uint64_t>(node, "max_records");
  const document::Node& of_lanes = node["lane_overflow"];
  for (const Lane lane : kAllLanes) {
    const bool own = of_lanes[Name(lane)].usable();
    queue.overflow.at(static_cast<std::size_t>(lane)) =
        ParseOverflow(own ? Text(of_lanes, Name(lane)) : Text(node, "overflow")).value_or(Overflow::kDropOldest);
  }
  queue.durability = kDurabilityNames.Find(Text(node["durability"], "mode")).value_or(Durability::kStrict);
  queue.window = Duration(node["durability"], "window");
  queue.clock_wait = Duration(node, "clock_wait");
  return queue;
}

std::vector<limit::Window> BindLimits(const document::Node& list) {
  std::vector<limit::Window> limits;
  for (const document::Node& item : list.items) {
    for (const auto& [name, unit] : kLimitKeys) {
      if (item[name].usable()) {
        limits.push_back(limit::Window{unit, Count<std::uint64_t>(item, name), Duration(item, "per")});
      }
    }
  }
  return limits;
}

Auth BindAuth(const document::Node& node) {
  Auth auth;
  auth.scheme = Text(node, "type");
  for (const auth::SchemeEntry& scheme : auth::Schemes()) {
    if (!auth.scheme.empty() && auth.scheme != scheme.name) {
      continue;  // left out: what is there is for the scheme of the contract
    }
    for (const auth::SchemeKey& key : scheme.keys) {
      const document::Node& value = node[key.name];
      if (value.usable() && key.secret) {
        auth.secrets.emplace(key.name, Secret(value));
      } else if (value.usable()) {
        auth.parameters.emplace(key.name, value.text);
      }
    }
  }
  for (const document::Member& header : node["headers"].members) {
    auth.parameters.emplace("headers." + header.name, header.value.text);
  }
  return auth;
}

Proxy BindProxy(const document::Node& node) {
  return Proxy{WithoutSlash(Text(node, "url")), Text(node, "ca"), Text(node, "username"), Secret(node["password"]),
               Texts(node["no_proxy"])};
}

std::optional<limit::BudgetOptions> BindBudget(const document::Node& node) {
  using Per = limit::BudgetOptions::Per;
  if (!node.usable()) {
    return std::nullopt;
  }
  return limit::BudgetOptions{Count<std::uint64_t>(node, "bytes"),
                              kPeriodNames.Find(Text(node, "per")).value_or(Per::kMonth)};
}

AcceptedTimes BindAccepts(const document::Node& node) {
  const auto duration = [&](const char* name) {
    return node[name].usable() ? std::optional(Duration(node, name)) : std::nullopt;
  };
  return {duration("oldest"), duration("newest"), Text(node, "outside")};
}

std::vector<SendWindow> BindWindows(const document::Node& list) {
  std::vector<SendWindow> windows;
  for (const document::Node& item : list.items) {
    SendWindow window;
    for (const std::string& lane : Texts(item["lanes"])) {
      window.lanes.push_back(ParseLane(lane).value_or(Lane::kBulk));
    }
    window.time = {TimeOfDay(Text(item, "from")), TimeOfDay(Text(item, "to")), Text(item, "zone") == "local"};
    windows.push_back(std::move(window));
  }
  return windows;
}

std::map<std::string, Setting> BindSettings(const document::Node& node) {
  std::map<std::string, Setting> settings;
  for (const document::Member& member : node.members) {
    if (!member.value.usable()) {
      continue;
    }
    const bool secret = member.value.kind == document::Node::Kind::kObject;
    settings[member.name] = secret ? Setting{"", Secret(member.value)} : Setting{member.value.text, SecretRef()};
  }
  return settings;
}

std::optional<Rollout> BindRollout(const document::Node& node) {
  if (!node.usable()) {
    return std::nullopt;
  }
  Rollout rollout;
  rollout.contract = Text(node, "contract");
  rollout.devices = Texts(node["devices"]);
  for (const document::Node& step : node["steps"].items) {
    rollout.steps.push_back(static_cast<std::uint32_t>(step.integer));
  }
  rollout.hold = Duration(node, "hold");
  rollout.min_records = Count<std::uint64_t>(node, "min_records");
  rollout.max_error_increase = node["max_error_increase"].number;
  return rollout;
}

// Checked by rules_outcomes.cpp, which tells of the mistakes.
contract::ResponseRules BindOutcomes(const document::Node& node) {
  document::Problems told("");
  return node.items.empty() ? contract::ResponseRules() : contract::ReadResponseRules(node, told);
}

Destination BindDestination(const document::Node& node) {
  Destination destination;
  destination.name = Text(node, "name");
  destination.contract = Text(node, "contract");
  destination.rollout = BindRollout(node["rollout"]);
  destination.settings = BindSettings(node["settings"]);
  destination.outcomes = BindOutcomes(node["outcomes"]);
  destination.url = WithoutSlash(Text(node, "url"));
  destination.allow_plaintext = Truth(node, "allow_plaintext");
  destination.auth = BindAuth(node["auth"]);
  destination.tls = BindTls(node["tls"]);
  const document::Node& batch = node["batch"];
  destination.batch = Batch{Count<std::uint32_t>(batch, "max_records"), Count<std::uint64_t>(batch, "max_bytes"),
                            Duration(batch, "max_age")};
  const document::Node& retry = node["retry"];
  destination.retry = Retry{Duration(retry, "initial"), Duration(retry, "max"), retry["budget"].number};
  destination.limits = BindLimits(node["limits"]);
  destination.shared_limit = Text(node, "shared");
  destination.accepts = BindAccepts(node["accepts"]);
  destination.budget = BindBudget(node["budget"]);
  const document::Node& reconcile = node["reconcile"];
  destination.reconcile_every =
      Truth(reconcile, "enabled") ? Duration(reconcile, "every") : std::chrono::milliseconds{};
  destination.reconcile_sums = Texts(reconcile["sums"]);
  destination.windows = BindWindows(node["windows"]);
  destination.proxy = BindProxy(node["proxy"]);
  destination.bind = Text(node, "bind");
  destination.order = Text(node, "order");
  destination.max_in_flight = Count<std::uint32_t>(node, "max_in_flight");
  destination.receiver = Text(node, "receiver");
  destination.backfill_share = node["backfill_share"].number;
  destination.backfill_after = Duration(node, "backfill_after");
  destination.start = Text(node, "start");
  destination.compression = Text(node, "compression");
  destination.timeout = Duration(node, "timeout");
  destination.connect_timeout = Duration(node, "connect_timeout");
  return destination;
}

}  // namespace

Config Bind(const document::Node& root) {
  Config config;
  config.gateway = BindGateway(root["gateway"]);
  for (const document::Node& source : root["sources"].items) {
    config.sources.push_back(BindSource(source, config.gateway.id));
  }
  for (const document::Node& stream : root["streams"].items) {
    config.streams.push_back(BindStream(stream, root));
  }
  config.queue = BindQueue(root["queue"]);
  const std::vector<document::Node>& destinations = root["destinations"].items;
  for (std::size_t i = 0; i < destinations.size(); ++i) {
    Destination destination = BindDestination(destinations[i]);
    destination.place.index = i;
    (Truth(destinations[i], "shadow") ? config.shadows : config.destinations).push_back(std::move(destination));
  }
  for (Stream& stream : config.streams) {
    const auto first =
        std::stable_partition(stream.destinations.begin(), stream.destinations.end(), [&](const std::string& name) {
          return std::none_of(config.shadows.begin(), config.shadows.end(),
                              [&](const Destination& shadow) { return shadow.name == name; });
        });
    stream.shadows.assign(first, stream.destinations.end());
    stream.destinations.erase(first, stream.destinations.end());
  }
  for (const document::Member& member : root["limits"].members) {
    config.shared_limits[member.name] = BindLimits(member.value);
  }
  config.control.socket = Text(root["control"], "socket");
  config.metrics_listen = Text(root["metrics"], "listen");
  config.log = Log{Text(root["log"], "level"), Text(root["log"], "format")};
  return config;
}

}  // namespace packhorse::config
