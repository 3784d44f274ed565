#include "ingest/sessions.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "health/log.h"

namespace packhorse::ingest {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFileBytes = 4U << 20U;
constexpr std::chrono::hours kAliveOnDisk{1};
constexpr std::chrono::minutes kAliveOffTmpfs{1};  // where the copy wears flash as well
constexpr unsigned kMode = 0600;

std::int64_t Micros(WallTime time) { return time.time_since_epoch().count(); }
WallTime Wall(const Json& json) { return WallTime(std::chrono::microseconds(json.get<std::int64_t>())); }

Json ToJson(const BrokerSession& session) {
  Json json = {{"client_id", session.client_id},
               {"url", session.url},
               {"source", session.source},
               {"access", session.access},
               {"protocol", session.protocol},
               {"filters", session.filters},
               {"expiry_s", session.expiry.count()},
               {"keep_alive_s", session.keep_alive.count()},
               {"alive_at_us", Micros(session.alive_at)},
               {"connected", session.connected},
               {"deaths", session.deaths}};
  if (session.blind_since) {
    json["blind_since_us"] = Micros(*session.blind_since);
  }
  return json;
}

BrokerSession SessionOf(const Json& json) {
  BrokerSession session;
  session.client_id = json.at("client_id").get<std::string>();
  session.url = json.at("url").get<std::string>();
  session.source = json.at("source").get<std::string>();
  session.access = json.at("access").get<std::string>();
  session.protocol = json.at("protocol").get<std::string>();
  session.filters = json.at("filters").get<std::map<std::string, int>>();
  session.expiry = std::chrono::seconds(json.at("expiry_s").get<std::int64_t>());
  session.keep_alive = std::chrono::seconds(json.at("keep_alive_s").get<std::int64_t>());
  session.alive_at = Wall(json.at("alive_at_us"));
  json.at("connected").get_to(session.connected);
  json.at("deaths").get_to(session.deaths);
  if (json.contains("blind_since_us")) {
    session.blind_since = Wall(json.at("blind_since_us"));
  }
  return session;
}

}  // namespace

Sessions::Sessions(std::string path, std::string runtime_path, const Clock& clock)
    : path_(std::move(path)),
      runtime_path_(std::move(runtime_path)),
      clock_(clock),
      on_tmpfs_(OnTmpfs(FolderOf(runtime_path_))) {
  // The copy may be newer; it is never older, for it is written first.
  if (!Read(runtime_path_)) {
    Read(path_);
  } else {
    problem_.clear();
  }
  for (BrokerSession& session : sessions_) {
    session.deaths += std::exchange(session.connected, false) ? 1 : 0;
  }
}

// False when there is nothing to be had from that file.
bool Sessions::Read(const std::string& path) {
  if (path.empty() || !Exists(path)) {
    return false;
  }
  const Result<std::string> text = ReadFile(path, kMaxFileBytes);
  if (!text) {
    problem_ = text.error().message;
    return false;
  }
  try {
    const Json json = Json::parse(*text);
    if (json.at("of").get<std::string>() != path_) {
      return false;  // the runtime directory was another queue's before
    }
    std::vector<BrokerSession> sessions;
    for (const Json& each : json.at("sessions")) {
      sessions.push_back(SessionOf(each));
    }
    std::vector<Blindness> untold;
    for (const Json& each : json.at("untold")) {
      untold.push_back({each.at("id").get<std::uint64_t>(), each.at("source").get<std::string>(),
                        Wall(each.at("from_us")), Wall(each.at("to_us"))});
    }
    next_blindness_ = json.at("next_blindness").get<std::uint64_t>();
    sessions_ = std::move(sessions);
    untold_ = std::move(untold);
    return true;
  } catch (const Json::exception& failure) {
    problem_ = path + ": " + failure.what();
    return false;
  }
}

std::vector<BrokerSession> Sessions::List() const {
  const std::lock_guard lock(mutex_);
  return sessions_;
}

std::optional<BrokerSession> Sessions::Find(const std::string& client_id, const std::string& url) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const BrokerSession& session) {
    return session.client_id == client_id && session.url == url;
  });
  return found == sessions_.end() ? std::nullopt : std::optional(*found);
}

BrokerSession* Sessions::FindLocked(const std::string& client_id, const std::string& url) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const BrokerSession& session) {
    return session.client_id == client_id && session.url == url;
  });
  return found == sessions_.end() ? nullptr : &*found;
}

// A clock that is not right yet must not make it look as if we had been away longer.
void Sessions::TouchLocked(BrokerSession& session) {
  const WallTime now = clock_.Wall();
  session.alive_at = clock_.Synchronized() ? now : std::max(session.alive_at, now);
}

// A broker that has the session, though we were never connected at this URL, has another URL now.
BrokerSession& Sessions::AddLocked(const BrokerSession& session, bool present) {
  const auto moved = std::find_if(sessions_.begin(), sessions_.end(), [&](const BrokerSession& other) {
    return present && other.client_id == session.client_id && !other.connected;
  });
  if (moved != sessions_.end()) {
    moved->url = session.url;
    return *moved;
  }
  if (sessions_.size() >= kMaxSessions) {
    sessions_.erase(std::min_element(sessions_.begin(), sessions_.end(),
                                     [](const auto& a, const auto& b) { return a.alive_at < b.alive_at; }));
  }
  BrokerSession& added = sessions_.emplace_back(session);
  added.filters.clear();
  return added;
}

bool Sessions::Connected(const BrokerSession& session, bool present) {
  bool lost = false;
  // Whether the process dies while connected concerns the copy alone, where there is one.
  bool changed = !on_tmpfs_;
  {
    const std::lock_guard lock(mutex_);
    std::optional<WallTime> from;
    for (const BrokerSession& other : sessions_) {
      const bool ours =
          other.client_id == session.client_id && (other.url == session.url || other.source == session.source);
      if (ours && (!other.filters.empty() || other.blind_since)) {
        from = std::max(from.value_or(WallTime{}), other.blind_since.value_or(other.alive_at));
      }
    }
    lost = !present && from.has_value();
    BrokerSession* known = FindLocked(session.client_id, session.url);
    if (known == nullptr) {
      known = &AddLocked(session, present);
      changed = true;
    }
    const auto same = [&] {
      return std::tie(known->source, known->access, known->protocol, known->expiry, known->keep_alive) ==
             std::tie(session.source, session.access, session.protocol, session.expiry, session.keep_alive);
    };
    changed = changed || lost || !same() || (!present && !known->filters.empty());
    known->source = session.source;
    known->access = session.access;
    known->protocol = session.protocol;
    known->expiry = session.expiry;
    known->keep_alive = session.keep_alive;
    known->connected = true;
    if (!present) {
      known->filters.clear();
    }
    if (lost) {
      known->blind_since = from;
    }
    TouchLocked(*known);
  }
  Save(changed);
  return lost;
}

void Sessions::Subscribed(const std::string& client_id, const std::string& url,
                          const std::map<std::string, int>& filters) {
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    BrokerSession* session = FindLocked(client_id, url);
    if (session == nullptr) {
      return;
    }
    for (const auto& [filter, qos] : filters) {
      const auto [known, added] = session->filters.insert_or_assign(filter, qos);
      changed = changed || added || known->second != qos;
    }
    TouchLocked(*session);
    if (session->blind_since && !session->filters.empty()) {
      const WallTime from = *std::exchange(session->blind_since, std::nullopt);
      untold_.push_back({next_blindness_++, session->source, from, std::max(from, clock_.Wall())});
      if (untold_.size() > kMaxUntold) {
        untold_.erase(untold_.begin());
      }
      changed = true;
    }
  }
  Save(changed);
}

void Sessions::Unsubscribed(const std::string& client_id, const std::string& url,
                            const std::vector<std::string>& filters) {
  {
    const std::lock_guard lock(mutex_);
    BrokerSession* session = FindLocked(client_id, url);
    if (session == nullptr || filters.empty()) {
      return;
    }
    for (const std::string& filter : filters) {
      session->filters.erase(filter);
    }
  }
  Save(true);
}

void Sessions::Note(const std::string& client_id, const std::string& url, Life life) {
  {
    const std::lock_guard lock(mutex_);
    BrokerSession* session = FindLocked(client_id, url);
    if (session == nullptr) {
      return;
    }
    session->connected = life == Life::kStands || life == Life::kLasts;
    session->deaths = life == Life::kLasts || life == Life::kEnded ? 0 : session->deaths;
    TouchLocked(*session);
  }
  Save(life == Life::kEnded);
}

void Sessions::Forget(const std::string& client_id, const std::string& url) {
  const std::lock_guard lock(mutex_);
  std::erase_if(sessions_,
                [&](const BrokerSession& session) { return session.client_id == client_id && session.url == url; });
}

std::vector<Blindness> Sessions::Untold() const {
  const std::lock_guard lock(mutex_);
  return untold_;
}

void Sessions::Told(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(untold_, [id](const Blindness& each) { return each.id == id; });
}

std::string Sessions::TextLocked() {
  Json json = {
      {"of", path_}, {"next_blindness", next_blindness_}, {"sessions", Json::array()}, {"untold", Json::array()}};
  for (const BrokerSession& session : sessions_) {
    json["sessions"].push_back(ToJson(session));
  }
  for (const Blindness& each : untold_) {
    json["untold"].push_back(
        {{"id", each.id}, {"source", each.source}, {"from_us", Micros(each.from)}, {"to_us", Micros(each.to)}});
  }
  // Filters and client ids are checked to be UTF-8; whatever is not must not make the rest impossible to keep.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void Sessions::Save(bool durable) {
  const std::lock_guard files(file_mutex_);
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    text = TextLocked();
  }
  const MonoTime now = clock_.Mono();
  if (!runtime_path_.empty() && (durable || on_tmpfs_ || now - copied_at_ >= kAliveOffTmpfs)) {
    // Without it, at most the moment of the last connection is less exact after a crash.
    static_cast<void>(WriteFileAtomically(runtime_path_, text, kMode));
    copied_at_ = now;
  }
  if (path_.empty() || (!durable && !failing_ && now - saved_at_ < kAliveOnDisk)) {
    return;
  }
  const Status written = WriteFileAtomically(path_, text, kMode);
  if (written) {
    saved_at_ = now;
    failing_ = false;
  } else if (!std::exchange(failing_, true)) {
    health::Log(health::LogLevel::kWarning, "sessions_not_kept",
                "what the brokers keep for us is not on the disk: " + written.error().message +
                    "; after a power cut a session that was lost would not be noticed");
  }
}

}  // namespace packhorse::ingest
