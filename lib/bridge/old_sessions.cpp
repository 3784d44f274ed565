#include "bridge/old_sessions.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "bridge/leaving.h"
#include "bridge/session_access.h"
#include "health/event_kinds.h"
#include "health/log.h"

namespace packhorse::bridge {
namespace {

// A session that could not be ended for so long, and for as long as the broker was to keep it, is let go.
constexpr std::chrono::hours kForgotten{24 * 30};
constexpr health::EventName kEnding = "old_session";
constexpr health::EventName kLeft = "old_session_left";

std::string SubjectOf(const std::string& client_id, const std::string& url) { return client_id + " at " + url; }

bool Of(const SourceUnit& unit, const ingest::BrokerSession& session) {
  return unit.config.client_id == session.client_id && unit.config.urls.front() == session.url;
}

// Those of the source of this name; of a source that is gone, whatever stream wants its topics now.
Result<std::vector<ingest::Route>> RoutesFor(const Sources& of, const config::Config& config, const std::string& name) {
  const auto& sources = config.sources;
  const bool configured =
      std::any_of(sources.begin(), sources.end(), [&](const auto& each) { return each.name == name; });
  std::vector<ingest::Route> all;
  for (const config::Source& source : sources) {
    if (configured && source.name != name) {
      continue;
    }
    Result<std::vector<ingest::Route>> routes = of.RoutesOf(config, source.name);
    RETURN_IF_ERROR(routes);
    std::move(routes->begin(), routes->end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace

bool IsConfigured(const config::Config& config, const std::string& client_id, const std::string& url) {
  return std::any_of(config.sources.begin(), config.sources.end(), [&](const config::Source& source) {
    return source.client_id == client_id &&
           std::any_of(source.urls.begin(), source.urls.end(),
                       [&](const std::string& each) { return ingest::ShownUrl(each) == url; });
  });
}

void GiveWay(Sources& sources, const config::Config& config) {
  for (auto& unit : sources.old_sessions()) {
    if (IsConfigured(config, unit->config.client_id, unit->config.urls.front())) {
      LeaveForGood(sources, std::move(unit));
    }
  }
  std::erase(sources.old_sessions(), nullptr);
}

void OldSessions::Look(bool held, MonoTime now) {
  const WallTime wall = sources_.clock().Wall();
  for (const auto& unit : sources_.old_sessions()) {
    if (held) {
      unit->source->BeginStop();
    }
    Follow(*unit, wall);
  }
  std::erase_if(sources_.old_sessions(), [](const auto& unit) { return unit->source->Stopped(); });
  const std::vector<ingest::BrokerSession> sessions = sources_.sessions().List();
  for (const ingest::BrokerSession& session : sessions) {
    const bool under_way = std::any_of(sources_.old_sessions().begin(), sources_.old_sessions().end(),
                                       [&](const auto& unit) { return Of(*unit, session); });
    if (!held && !under_way && MayBegin(session)) {
      Begin(session, now);
    }
  }
  const auto stands = [&](const std::string& subject) {
    return std::any_of(sessions.begin(), sessions.end(), [&](const ingest::BrokerSession& session) {
      return SubjectOf(session.client_id, session.url) == subject &&
             !IsConfigured(config_, session.client_id, session.url);
    });
  };
  events_.ResolveIf(
      [&](const health::Event& event, const health::EventKind& kind) {
        return (kind.name == kEnding.text() || kind.name == kLeft.text()) && !stands(event.subject);
      },
      wall);
  std::erase_if(given_up_, [&](const auto& each) { return !stands(each.first); });
}

bool OldSessions::MayBegin(const ingest::BrokerSession& session) const {
  if (given_up_.contains(SubjectOf(session.client_id, session.url)) || IsLeaving(sources_, session.client_id) ||
      IsConfigured(config_, session.client_id, session.url)) {
    return false;
  }
  return std::all_of(sources_.units().begin(), sources_.units().end(), [&](const auto& unit) {
    return unit->config.name != session.source || StatusOf(*unit).state == ingest::SourceState::kConnected;
  });
}

void OldSessions::Begin(const ingest::BrokerSession& session, MonoTime now) {
  const WallTime wall = sources_.clock().Wall();
  Result<config::Source> source = SourceOf(session.access);
  auto routes = RoutesFor(sources_, config_, session.source);
  if (!source || !routes) {
    GiveUp(session, source ? routes.error().message : source.error().message, wall);
    return;
  }
  source->name = session.source;
  source->client_id = session.client_id;
  source->urls = {session.url};
  auto unit = std::make_unique<SourceUnit>();
  unit->config = *std::move(source);
  unit->drain = true;
  unit->intake = sources_.MakeIntake(std::move(routes).value(), unit->config);
  sources_.Start(*unit, now);
  if (!unit->source) {
    GiveUp(session, unit->error, wall);
    return;
  }
  events_.Raise(kEnding, SubjectOf(session.client_id, session.url),
                "the broker at " + session.url + " keeps the session \"" + session.client_id +
                    "\" of an earlier configuration of source '" + session.source +
                    "': what it collected is taken, then the session is ended",
                wall);
  sources_.old_sessions().push_back(std::move(unit));
}

void OldSessions::Follow(SourceUnit& unit, WallTime now) {
  if (!unit.source->Stopped()) {
    return;
  }
  const ingest::SourceStatus status = unit.source->Snapshot();
  const std::string received = std::to_string(unit.intake->Stats().received);
  if (status.ended) {
    health::Log(health::LogLevel::kInfo, "old_session_ended", "the session of an earlier configuration is ended",
                {{"client_id", unit.config.client_id}, {"url", status.url}, {"messages", received}});
  } else if (const auto session = sources_.sessions().Find(unit.config.client_id, status.url);
             session && status.gave_up) {
    GiveUp(*session, status.reason, now);
  }
}

void OldSessions::GiveUp(const ingest::BrokerSession& session, const std::string& reason, WallTime now) {
  const std::string subject = SubjectOf(session.client_id, session.url);
  if (sources_.clock().Synchronized() &&
      now - session.alive_at > std::max<WallTime::duration>(session.expiry, kForgotten)) {
    health::Log(health::LogLevel::kWarning, "old_session_forgotten",
                "the broker could not be reached for so long that nothing more is done about the session: " + reason,
                {{"client_id", session.client_id}, {"url", session.url}});
    sources_.sessions().Forget(session.client_id, session.url);
    return;
  }
  given_up_[subject] = reason;
  events_.Resolve(kEnding, subject, now);
  events_.Raise(kLeft, subject,
                "the broker at " + session.url + " may still collect messages for the session \"" + session.client_id +
                    "\" of an earlier configuration of source '" + session.source + "', which could not be ended: " +
                    reason + ". It is tried again at the next start; or end the session at the broker",
                now);
}

}  // namespace packhorse::bridge
