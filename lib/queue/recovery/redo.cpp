#include "queue/recovery/redo.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

#include "base/random.h"
#include "queue/checkpoint/configuration.h"
#include "queue/operation/operation.h"
#include "queue/recovery/identity.h"
#include "queue/tables/definition_table.h"
#include "queue/tables/delivered_hours.h"
#include "queue/tables/rows.h"
#include "queue/tables/schema.h"

namespace packhorse::queue {
namespace {

// Brings the queue state from where the database is to where the process was when it ended.
Result<LogPosition> ReplayJournal(const Journal::Options& journal, LogPosition position, QueueState& state,
                                  MonoTime now, StartReport& report) {
  LogPosition reached = position;
  const auto apply = [&](LogPosition at, std::string_view bytes) -> Status {
    const Result<Operation> operation = DecodeOperation(bytes);
    RETURN_IF_ERROR(operation);
    if (const auto* arrival = std::get_if<ArrivalOp>(&*operation);
        arrival != nullptr && arrival->sequence < state.numbers(arrival->lane).next) {
      reached = at;
      return {};  // carried over from the file before, from which it has just been read
    }
    RETURN_IF_ERROR(state.Check(*operation));
    state.Apply(*operation, now);
    reached = at;
    ++report.operations;
    return {};
  };
  const Result<Journal::Left> left = Journal::Read(journal, position, apply);
  if (!left) {
    report.problem = left.error().message;
    report.how = StartReport::How::kWithoutJournal;
    return reached;
  }
  report.foreign_entries = left->foreign_entries;
  if (left->found && !left->other_boot) {
    report.how = StartReport::How::kRecovered;
  }
  return left->through;
}

std::array<Sequence, kLanes> LastNumbers(const QueueState& state) {
  std::array<Sequence, kLanes> last{};
  for (const Lane lane : kAllLanes) {
    last.at(At(lane)) = state.last(lane);
  }
  return last;
}

// Everything that was only in the journal goes into the database, with the configuration; from here on the journal's
// entries carry `epoch`.
Status FirstCheckpoint(Opened& opened, const Options& options, const NewIdentity& identity, std::uint64_t epoch,
                       std::int32_t hour) {
  QueueState& state = *opened.state;
  const CheckpointWork work = state.TakeCheckpoint(opened.position);
  const std::array<Sequence, kLanes> last = LastNumbers(state);
  const auto change = [&](Database& db) -> Result<LedgerChanges> {
    StoredCount count;  // nobody waits for a queue that is being opened: all at once
    Result<LedgerChanges> configured = ApplyConfiguration(db, options.streams, options.destinations, last, count);
    if (!configured) {
      return configured;
    }
    RETURN_IF_ERROR(KeepDefinitions(db, options.streams, last));
    RETURN_IF_ERROR(WriteIdentity(db, identity, last, state));
    const StartReport& report = opened.report;
    if (report.how == StartReport::How::kWithoutJournal || report.loss || report.salvaged) {
      RETURN_IF_ERROR(NoteForgotten(db, hour));
    }
    Status begun = db.Execute("UPDATE meta SET value = '" + std::to_string(epoch) + "' WHERE key = 'epoch'");
    return begun ? std::move(configured) : begun.error();
  };
  const Result<CheckpointResult> checkpointed = opened.writer.Write(work, change);
  RETURN_IF_ERROR(checkpointed);
  state.Checkpointed(work, *checkpointed);
  state.CatchUp(checkpointed->counted);
  Result<QueueIds> ids = LoadIds(opened.writer.database());
  RETURN_IF_ERROR(ids);
  opened.ids = *std::move(ids);
  state.ReleaseClock();
  const Result<StoredConfiguration> stored = ReadConfiguration(opened.writer.database());
  RETURN_IF_ERROR(stored);
  Install(*stored, options.streams, state);
  return {};
}

// How far the queue is, with everything that the journal had.
Progress ProgressOf(const Opened& opened) {
  return Progress{opened.position, LastNumbers(*opened.state), opened.state->pending()};
}

// How long what came last may be missing in the witness on the disk: it is written with a checkpoint, once a minute.
std::chrono::seconds Unwitnessed(const Options& options) {
  return std::chrono::minutes(1) + std::chrono::ceil<std::chrono::seconds>(options.window);
}

// Whether the queue goes on under its id, and what is gone.
Continuity JudgeContinuity(const Opened& opened, const Meta& meta, const FoundFiles& around, const Options& options,
                           const Clock& clock) {
  Findings findings;
  findings.boot_id = clock.BootId();
  findings.fresh = around.fresh;
  findings.log_lost = around.log_lost && !meta.clean;
  findings.salvaged = opened.report.salvaged.has_value();
  findings.now = ProgressOf(opened);
  findings.destinations = opened.state->Destinations().size();
  findings.unwitnessed = Unwitnessed(options);
  return Judge(meta, around.claimed.witnesses, findings);
}

// The first checkpoint under an id that nobody else can have, announced before and told afterwards.
Status CheckpointUnder(Opened& opened, const Meta& meta, const Continuity& continuity, ClaimedFiles& claimed,
                       const Options& options, const Clock& clock) {
  const bool follows = continuity.accepted && claimed.witnesses.disk;
  NewIdentity identity{continuity.proven ? "" : NewQueueId(),
                       follows ? claimed.witnesses.disk->queue_id : meta.ids.current()};
  claimed.witness->Begin(identity.id.empty() ? meta.ids.current() : identity.id, clock.BootId());
  opened.writer.BeforeCommit(
      [witness = claimed.witness.get()](std::uint64_t checkpoint) { witness->Announce(checkpoint); });
  // A start is an operation too: a copy of the database from before it is behind the witness that it leaves.
  ++opened.position;
  const std::uint64_t epoch = RandomSeed() >> 1U;  // SQLite's integers are signed
  RETURN_IF_ERROR(FirstCheckpoint(opened, options, identity, epoch, HourOf(clock.Wall())));
  opened.epoch = epoch;
  claimed.witness->Committed(opened.writer.checkpoint(), ProgressOf(opened));
  // That the queue is in use must be known before the first message is: in the file itself, and beside it.
  static_cast<void>(opened.writer.Shrink(0));
  if (Status saved = claimed.witness->Save(Micros(clock.Wall()), false); !saved) {
    opened.report.witness_error = saved.error().message;
  }
  const bool used =
      std::any_of(kAllLanes.begin(), kAllLanes.end(), [&](Lane lane) { return opened.state->last(lane) > 0; });
  if (!continuity.proven && used) {
    opened.report.renewed_from = meta.ids.current();
    opened.report.renewed_because = continuity.because;
  }
  return {};
}

}  // namespace

Status RedoJournal(Opened& opened, const Meta& meta, const FoundFiles& around, const Options& options,
                   const Clock& clock) {
  StartReport& report = opened.report;
  SetRetention(options.streams, *opened.state);  // before what is only in the journal could be let go
  report.how = meta.clean ? StartReport::How::kClean : StartReport::How::kWithoutJournal;
  opened.position = meta.position;
  Journal::Options journal{
      options.runtime_dir, options.journal_bytes, meta.ids.current(), clock.BootId(), meta.epoch, ""};
  if (!meta.clean) {
    const Result<LogPosition> through = ReplayJournal(journal, meta.position, *opened.state, clock.Mono(), report);
    RETURN_IF_ERROR(through);
    opened.position = *through;
  }
  const Continuity continuity = JudgeContinuity(opened, meta, around, options, clock);
  report.loss = continuity.loss;
  if (report.salvaged && report.loss) {
    // The ledger that counted may be damaged too.
    report.salvaged->messages_lost = std::max(report.salvaged->messages_lost, report.loss->at_least);
  }
  const bool forgot = report.how == StartReport::How::kWithoutJournal && clock.Boot() >= options.clock_wait;
  opened.state->BeginClockEpoch({clock.BootId(), clock.Boot(), WallAtBoot(clock), clock.Synchronized(), forgot});
  RETURN_IF_ERROR(CheckpointUnder(opened, meta, continuity, around.claimed, options, clock));
  journal.epoch = opened.epoch;
  journal.before = std::exchange(journal.queue_id, opened.ids.current());
  if (!around.claimed.runtime_lock) {
    report.journal_error = around.claimed.runtime_error;
    return {};
  }
  Result<Journal> made = Journal::Create(journal, opened.position + 1);
  if (made) {
    opened.journal = *std::move(made);
  } else {
    report.journal_error = made.error().message;
  }
  return {};
}

}  // namespace packhorse::queue
