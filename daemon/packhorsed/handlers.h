#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/long_calls.h"
#include "bridge/quarantine_retry.h"
#include "bridge/reload.h"
#include "control/control.h"
#include "packhorsed/app.h"
#include "packhorsed/args.h"
#include "packhorsed/tail.h"
#include "reconcile/reconciler.h"

namespace packhorse::daemon {

// Answers the commands of the control socket. Whoever may open the socket may look; only root and the service user may
// change anything. Loop thread.
class Handlers {
 public:
  Handlers(App& app, bridge::Reloader& reloader, reconcile::Reconciler& reconciler, Tail& tail);

  control::Answer Handle(const control::Call& call);
  // Goes on with the calls that take longer than an iteration, and sends the answers that are ready. Each iteration,
  // after Server::Serve(). When to be called next.
  MonoTime Serve(control::Server& server, MonoTime now);

 private:
  using Handler = control::Answer (Handlers::*)(const control::Call& call, const Args& args);
  struct Command {
    const char* name;
    bool changes;  // needs Call::may_change
    Handler handler;
  };
  static const std::vector<Command>& Commands();

  control::Answer ShowStatus(const control::Call& call, const Args& args);
  control::Answer ShowLedger(const control::Call& call, const Args& args);
  control::Answer ShowQueueStats(const control::Call& call, const Args& args);
  control::Answer VerifyQueue(const control::Call& call, const Args& args);
  control::Answer ExportQueue(const control::Call& call, const Args& args);
  control::Answer ListQuarantine(const control::Call& call, const Args& args);
  control::Answer RetryQuarantine(const control::Call& call, const Args& args);
  control::Answer PeekQueue(const control::Call& call, const Args& args);
  control::Answer ShowWhere(const control::Call& call, const Args& args);
  control::Answer ShowEvents(const control::Call& call, const Args& args);
  control::Answer AcknowledgeEvent(const control::Call& call, const Args& args);
  control::Answer ShowVersion(const control::Call& call, const Args& args);
  control::Answer ListDead(const control::Call& call, const Args& args);
  control::Answer ShowDead(const control::Call& call, const Args& args);
  control::Answer RedriveDead(const control::Call& call, const Args& args);
  control::Answer ShowExchanges(const control::Call& call, const Args& args);
  // --- dead_handlers.cpp ---
  control::Answer DropDead(const control::Call& call, const Args& args);
  control::Answer ExportDead(const control::Call& call, const Args& args);
  // What is to go out instead of the payload of a dead letter; none: nothing is.
  static Result<std::optional<std::string>> ReadMendedPayload(const Args& args);
  // --- replay_handlers.cpp ---
  control::Answer StartReplay(const control::Call& call, const Args& args);
  control::Answer ListReplays(const control::Call& call, const Args& args);
  control::Answer CancelReplay(const control::Call& call, const Args& args);
  // --- rollout_handlers.cpp ---
  control::Answer ShowRollouts(const control::Call& call, const Args& args);
  control::Answer ChangeRollout(const control::Call& call, const Args& args);

  // --- reconcile_handlers.cpp ---
  control::Answer Reconcile(const control::Call& call, const Args& args);

  control::Answer Follow(const control::Call& call, const Args& args);
  control::Answer Reload(const control::Call& call, const Args& args);
  control::Answer Pause(const control::Call& call, const Args& args);
  control::Answer Resume(const control::Call& call, const Args& args);
  control::Answer Flush(const control::Call& call, const Args& args);

  // Answers once everything so far is in the database: who only looks must not keep the loop waiting for the disk.
  control::Answer AfterCheckpoint(const control::Call& call, std::function<control::Answer(bool checkpointed)> answer);
  // What a handler returns whose answer follows by Serve().
  static Error Later() { return Error{ErrorCode::kBusy, ""}; }
  // The destinations that an argument `destination` means: that one, or all when it is absent.
  Result<std::vector<bridge::DestinationUnit*>> Chosen(const Args& args);

  App& app_;
  bridge::Reloader& reloader_;
  reconcile::Reconciler& reconciler_;
  Tail& tail_;
  bridge::LongCalls long_calls_;
  bridge::LongCalls::Ready ready_;
  bridge::QuarantineRetries retries_;
};

}  // namespace packhorse::daemon
