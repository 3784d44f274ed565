#pragma once

#include <memory>
#include <string>

#include "bridge/sources.h"

namespace packhorse::bridge {

// Sources go in their own time, whatever the reason. One that is storing a message can neither give it back nor
// acknowledge it before the queue has it, which takes as long as the disk refuses; and all sources share the thread
// that waits for that. So nobody destroys a source that has not stopped, nobody waits for it, and what takes its place
// is started once it has. Loop thread.

// The source of the unit is asked to stop, if it has one. Its successor is started by FollowSources().
void Leave(SourceUnit& unit, const Clock& clock);
// Likewise, of a unit that is not part of the configuration any more.
void LeaveForGood(Sources& sources, std::unique_ptr<SourceUnit> unit);
// Whether a source with this client id has still to stop: another one would only take the connection from it.
bool IsLeaving(const Sources& sources, const std::string& client_id);

// Takes the sources off their brokers, or lets them be: `because` says why, empty: they need not. A clean disconnect:
// the broker keeps the session and what comes for it, within its own limits.
void BlockSources(Sources& sources, const std::string& because);

// Destroys what has stopped, and starts the sources of the configuration that have none, unless they are `held` off
// their brokers. Call each iteration; cheap.
void FollowSources(Sources& sources, bool held, MonoTime now);

// A message could neither be stored nor be given back, so that this process receives nothing any more: why. Empty: it
// does.
std::string ReceivesNothing(const Sources& sources);

}  // namespace packhorse::bridge
