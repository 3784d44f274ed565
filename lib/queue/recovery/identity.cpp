#include "queue/recovery/identity.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/recovery/open.h"
#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

Loss LossOf(Loss::What what, const Witness& witness, const Findings& findings, bool within_boot) {
  Loss loss;
  loss.what = what;
  loss.at_most = witness.progress.pending;
  loss.at_least = loss.at_most > findings.now.pending ? loss.at_most - findings.now.pending : 0;
  loss.witnessed_at = WallTime(std::chrono::microseconds(witness.at));
  if (!within_boot && !witness.clean) {
    loss.uncounted = findings.unwitnessed;
  }
  return loss;
}

// Numbers that were given and are not known any more.
std::uint64_t Given(const Progress& then, const Progress& now) {
  std::uint64_t given = 0;
  for (const Lane lane : kAllLanes) {
    given += then.last[At(lane)] > now.last[At(lane)] ? then.last[At(lane)] - now.last[At(lane)] : 0;
  }
  return given;
}

// Whether the database is the one that the witness on the disk tells of, or one that went on from it. An older copy of
// it, or one of another box, is not.
bool GoesOnFrom(const Witness& disk, const Meta& meta) {
  return (disk.queue_id == meta.ids.current() || disk.queue_id == meta.accepted) &&
         meta.position >= disk.progress.position;
}

std::string Why(const Meta& meta, const Witnesses& witnesses, const Findings& findings, bool named, bool complete) {
  const std::optional<Witness>& runtime = witnesses.runtime;
  if (findings.fresh) {
    return "it is new";
  }
  if (findings.salvaged) {
    return "its database was damaged";
  }
  if (findings.boot_id == kUnknownBoot) {
    return "which boot of the machine this is cannot be read";
  }
  if (!runtime || runtime->queue_id.empty()) {
    return witnesses.disk && witnesses.disk->boot_id == findings.boot_id
               ? "the runtime folder does not know it any more"
               : "the machine was started, or the runtime folder is new";
  }
  if (runtime->boot_id != findings.boot_id) {
    return "the machine was started";
  }
  if (named && !complete) {
    return "the journal is damaged";
  }
  return runtime->queue_id == meta.ids.current() ? "its database is not as it was left: an older copy, or one without "
                                                   "its write-ahead log"
                                                 : "the runtime folder knows another queue";
}

}  // namespace

Result<QueueIds> LoadIds(Database& db) {
  Result<std::string> current = MetaText(db, "queue_id");
  RETURN_IF_ERROR(current);
  Result<Statement> rows = db.Prepare("SELECT queue_id, urgent, normal, bulk FROM earlier_ids ORDER BY id");
  RETURN_IF_ERROR(rows);
  std::vector<QueueIds::Earlier> earlier;
  Status read = rows->ForEach([&] {
    earlier.push_back({rows->Text(0),
                       {static_cast<Sequence>(rows->Int(1)), static_cast<Sequence>(rows->Int(2)),
                        static_cast<Sequence>(rows->Int(3))}});
  });
  RETURN_IF_ERROR(read);
  return QueueIds(*std::move(current), std::move(earlier));
}

Result<Meta> LoadMeta(Database& db) {
  Result<QueueIds> ids = LoadIds(db);
  RETURN_IF_ERROR(ids);
  const Result<std::uint64_t> clean = MetaNumber(db, "clean");
  const Result<std::uint64_t> position = MetaNumber(db, "position");
  const Result<std::uint64_t> epoch = MetaNumber(db, "epoch");
  const Result<std::uint64_t> checkpoint = MetaNumber(db, "fold");
  Result<std::string> accepted = MetaText(db, "accepted");
  for (const auto* number : {&clean, &position, &epoch, &checkpoint}) {
    if (!*number) {
      return number->error();
    }
  }
  RETURN_IF_ERROR(accepted);
  return Meta{*std::move(ids), *clean != 0, *position, *epoch, *checkpoint, *std::move(accepted)};
}

Continuity Judge(const Meta& meta, const Witnesses& witnesses, const Findings& findings) {
  Continuity result;
  const std::optional<Witness>& disk = witnesses.disk;
  // Only of this boot: on a folder that is no tmpfs it may be there after a power cut too.
  const bool within_boot = witnesses.runtime && witnesses.runtime->boot_id == findings.boot_id &&
                           findings.boot_id != kUnknownBoot && witnesses.runtime->checkpoint != 0;
  const bool named = within_boot && witnesses.runtime->Names(meta.ids.current(), meta.checkpoint);
  const bool complete = named && findings.now.position >= witnesses.runtime->progress.position;
  result.proven = named && complete && !findings.fresh && !findings.salvaged;
  result.accepted = disk && !findings.fresh && GoesOnFrom(*disk, meta);
  if (result.proven) {
    result.accepted = true;
    return result;
  }
  result.because = Why(meta, witnesses, findings, named, complete);
  if (named && !findings.fresh) {
    if (!complete || findings.salvaged) {
      const Loss::What what = findings.salvaged ? Loss::What::kDamaged : Loss::What::kJournal;
      result.loss = LossOf(what, *witnesses.runtime, findings, true);
      if (!findings.salvaged) {
        const std::uint64_t given = Given(witnesses.runtime->progress, findings.now) * findings.destinations;
        result.loss->at_most = std::max(result.loss->at_least, std::min(result.loss->at_most, given));
      }
    }
    return result;
  }
  // An older copy that the journal brought to where the queue was has lost nothing.
  if (within_boot && !findings.fresh && !findings.salvaged && witnesses.runtime->queue_id == meta.ids.current() &&
      findings.now.position >= witnesses.runtime->progress.position) {
    return result;
  }
  // One that ran elsewhere meanwhile, with another runtime folder, left this one behind.
  const bool left_behind = within_boot && result.accepted && disk->queue_id != witnesses.runtime->queue_id;
  const Loss::What what = findings.fresh      ? Loss::What::kGone
                          : findings.salvaged ? Loss::What::kDamaged
                                              : Loss::What::kOlder;
  if (within_boot && !left_behind) {
    result.loss = LossOf(what, *witnesses.runtime, findings, true);
  } else if (disk && (!result.accepted || findings.salvaged)) {
    result.loss = LossOf(what, *disk, findings, false);
  } else if (findings.log_lost && !findings.salvaged) {
    result.loss = disk ? LossOf(what, *disk, findings, false) : Loss{};
    result.loss->what = what;
    result.loss->unknown = true;
  } else if (findings.fresh && witnesses.reserve_file) {
    result.loss = Loss{};
    result.loss->what = what;
    result.loss->unknown = true;
  }
  return result;
}

}  // namespace packhorse::queue
