#include "queue/bring_forward.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <variant>

#include "base/random.h"
#include "queue/configuration.h"
#include "queue/identity.h"
#include "queue/operation.h"
#include "queue/sqlite/definitions.h"
#include "queue/sqlite/rows.h"
#include "queue/sqlite/schema.h"

namespace packhorse::queue {
namespace {

// Brings the index from where the database is to where the process was when it ended.
Result<Position> ReplayJournal(const Journal::Options& journal, Position position, Index& index, MonoTime now,
                               StartReport& report) {
  Position reached = position;
  const auto apply = [&](Position at, std::string_view bytes) -> Status {
    const Result<Operation> operation = DecodeOperation(bytes);
    if (!operation) {
      return operation.error();
    }
    if (const auto* arrival = std::get_if<ArrivalOp>(&*operation);
        arrival != nullptr && arrival->sequence < index.numbers(arrival->lane).next) {
      reached = at;
      return {};  // carried over from the file before, from which it has just been read
    }
    if (Status fits = index.Check(*operation); !fits) {
      return fits;
    }
    index.Apply(*operation, now);
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
  report.strangers = left->strangers;
  if (left->found && !left->other_boot) {
    report.how = StartReport::How::kRecovered;
  }
  return left->through;
}

std::array<Sequence, kLanes> LastNumbers(const Index& index) {
  std::array<Sequence, kLanes> last{};
  for (const Lane lane : kAllLanes) {
    last.at(At(lane)) = index.last(lane);
  }
  return last;
}

// Everything that was only in the journal goes into the database, with the configuration; from here on the journal's
// entries carry `epoch`.
Status FirstFold(Opened& opened, const Options& options, const NewIdentity& identity, std::uint64_t epoch) {
  Index& index = *opened.index;
  const FoldWork work = index.TakeFold(opened.position);
  const std::array<Sequence, kLanes> last = LastNumbers(index);
  const auto change = [&](Database& db) -> Result<LedgerChanges> {
    StoredCount count;  // nobody waits for a queue that is being opened: all at once
    Result<LedgerChanges> configured = ApplyConfiguration(db, options.streams, options.destinations, last, count);
    if (!configured) {
      return configured;
    }
    if (Status kept = KeepDefinitions(db, options.streams, last); !kept) {
      return kept.error();
    }
    if (Status identified = WriteIdentity(db, identity, last, index); !identified) {
      return identified.error();
    }
    Status begun = db.Execute("UPDATE meta SET value = '" + std::to_string(epoch) + "' WHERE key = 'epoch'");
    return begun ? std::move(configured) : begun.error();
  };
  const Result<FoldResult> folded = opened.books.Write(work, change);
  if (!folded) {
    return folded.error();
  }
  index.Folded(work, *folded);
  index.CatchUp(folded->counted);
  Result<QueueIds> ids = LoadIds(opened.books.database());
  if (!ids) {
    return ids.error();
  }
  opened.ids = *std::move(ids);
  index.ReleaseClock();
  const Result<StoredConfiguration> stored = ReadConfiguration(opened.books.database());
  if (!stored) {
    return stored.error();
  }
  Install(*stored, options.streams, index);
  return {};
}

// How far the queue is, with everything that the journal had.
Moment MomentOf(const Opened& opened) {
  return Moment{opened.position, LastNumbers(*opened.index), opened.index->pending()};
}

// How long what came last may be missing in the witness on the disk: it is written with a fold, once a minute.
std::chrono::seconds Unwitnessed(const Options& options) {
  return std::chrono::minutes(1) + std::chrono::ceil<std::chrono::seconds>(options.window);
}

// Whether the queue goes on under its id, and what is gone.
Continuity JudgeContinuity(const Opened& opened, const Meta& meta, const FoundAround& around, const Options& options,
                           const Clock& clock) {
  Findings findings;
  findings.boot_id = clock.BootId();
  findings.fresh = around.fresh;
  findings.log_lost = around.log_lost && !meta.clean;
  findings.salvaged = opened.report.salvaged.has_value();
  findings.now = MomentOf(opened);
  findings.destinations = opened.index->Destinations().size();
  findings.unwitnessed = Unwitnessed(options);
  return Judge(meta, around.outside.testimony, findings);
}

// The first fold under an id that nobody else can have, announced before and told afterwards.
Status FoldUnder(Opened& opened, const Meta& meta, const Continuity& continuity, Outside& outside,
                 const Options& options, const Clock& clock) {
  const bool follows = continuity.accepted && outside.testimony.disk;
  NewIdentity identity{continuity.proven ? "" : NewQueueId(),
                       follows ? outside.testimony.disk->queue_id : meta.ids.current()};
  outside.witness->Begin(identity.id.empty() ? meta.ids.current() : identity.id, clock.BootId());
  opened.books.BeforeCommit([witness = outside.witness.get()](std::uint64_t fold) { witness->Announce(fold); });
  // A start is an operation too: a copy of the database from before it is behind the witness that it leaves.
  ++opened.position;
  const std::uint64_t epoch = RandomSeed() >> 1U;  // SQLite's integers are signed
  if (Status folded = FirstFold(opened, options, identity, epoch); !folded) {
    return folded;
  }
  opened.epoch = epoch;
  outside.witness->Committed(opened.books.fold(), MomentOf(opened));
  // That the queue is in use must be known before the first message is: in the file itself, and beside it.
  static_cast<void>(opened.books.Shrink(0));
  if (Status saved = outside.witness->Save(Micros(clock.Wall()), false); !saved) {
    opened.report.witness_error = saved.error().message;
  }
  const bool used =
      std::any_of(kAllLanes.begin(), kAllLanes.end(), [&](Lane lane) { return opened.index->last(lane) > 0; });
  if (!continuity.proven && used) {
    opened.report.renewed_from = meta.ids.current();
    opened.report.renewed_because = continuity.because;
  }
  return {};
}

}  // namespace

Status BringForward(Opened& opened, const Meta& meta, const FoundAround& around, const Options& options,
                    const Clock& clock) {
  StartReport& report = opened.report;
  SetRetention(options.streams, *opened.index);  // before what is only in the journal could be let go
  report.how = meta.clean ? StartReport::How::kClean : StartReport::How::kWithoutJournal;
  opened.position = meta.position;
  Journal::Options journal{
      options.runtime_dir, options.journal_bytes, meta.ids.current(), clock.BootId(), meta.epoch, ""};
  if (!meta.clean) {
    const Result<Position> through = ReplayJournal(journal, meta.position, *opened.index, clock.Mono(), report);
    if (!through) {
      return through.error();
    }
    opened.position = *through;
  }
  const Continuity continuity = JudgeContinuity(opened, meta, around, options, clock);
  report.loss = continuity.loss;
  if (report.salvaged && report.loss) {
    // The ledger that counted may be damaged too.
    report.salvaged->messages_lost = std::max(report.salvaged->messages_lost, report.loss->at_least);
  }
  const bool forgot = report.how == StartReport::How::kWithoutJournal && clock.Boot() >= options.clock_wait;
  opened.index->BeginBoot({clock.BootId(), clock.Boot(), WallAtBoot(clock), clock.Synchronized(), forgot});
  if (Status folded = FoldUnder(opened, meta, continuity, around.outside, options, clock); !folded) {
    return folded;
  }
  journal.epoch = opened.epoch;
  journal.before = std::exchange(journal.queue_id, opened.ids.current());
  if (!around.outside.runtime_lock) {
    report.journal_error = around.outside.runtime_error;
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
