#pragma once

#include <chrono>
#include <map>
#include <string>

#include "bridge/sources.h"
#include "health/metrics.h"

namespace packhorse::bridge {

// Sessions of ours that brokers keep although no source of the configuration has them any more: its client id or its
// URL changed, or the source is gone. A broker would go on collecting messages for them, in vain and without end. Each
// is connected to once more, under its old client id: its topics are unsubscribed, what the broker kept is taken, and
// the session is ended. That begins once the source of the same name, if there is one, has subscribed, so that nothing
// falls between the two. A broker that cannot be reached is tried for an hour, and again after the next start.
// Loop thread.
class OldSessions {
 public:
  OldSessions(Sources& sources, const config::Config& config, health::Events& events)
      : sources_(sources), config_(config), events_(events) {}

  // Once a second. `held`: nothing may be received now.
  void Look(bool held, MonoTime now);

 private:
  void Begin(const ingest::BrokerSession& session, MonoTime now);
  bool MayBegin(const ingest::BrokerSession& session) const;
  void Follow(SourceUnit& unit, WallTime now);
  void GiveUp(const ingest::BrokerSession& session, const std::string& reason, WallTime now);

  Sources& sources_;
  const config::Config& config_;  // the one in force
  health::Events& events_;
  std::map<std::string, std::string> given_up_;  // subject of the event -> why
};

// Whether a source of this configuration has that session.
bool IsConfigured(const config::Config& config, const std::string& client_id, const std::string& url);
// Leaves the sessions that `config` has again; a source of it connects once that is done (leaving.h).
void GiveWay(Sources& sources, const config::Config& config);

}  // namespace packhorse::bridge
