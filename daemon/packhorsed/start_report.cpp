#include "packhorsed/start_report.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/units.h"
#include "bridge/refused_contracts.h"
#include "contract/cloud_library.h"
#include "health/log.h"

namespace packhorse::daemon {
namespace {

constexpr std::size_t kGapBytes = 1'000;  // of the ledger's gaps in an event

std::string Uncounted(const queue::Loss& loss) {
  return loss.uncounted.count() == 0
             ? ""
             : ", and at most what came in the last " + std::to_string(loss.uncounted.count()) + " s before the end";
}

// How many messages are gone, counted once for each destination for which they waited.
std::string Lost(const queue::Loss& loss) {
  if (loss.unknown) {
    return (loss.at_least == 0 ? ""
                               : "at least " + std::to_string(loss.at_least) + " messages that waited are lost; ") +
           "how many that were acknowledged and not delivered are lost is not known";
  }
  const std::string at_most = std::to_string(loss.at_most);
  const std::string count =
      loss.at_least == loss.at_most ? at_most : "at least " + std::to_string(loss.at_least) + " and at most " + at_most;
  return count + " messages that were acknowledged and not delivered are lost" + Uncounted(loss);
}

void ReportLoss(App& app, const queue::Loss& loss, WallTime now) {
  using What = queue::Loss::What;
  const std::string& path = app.config.queue.path;
  std::string text;
  switch (loss.what) {
    case What::kGone:
      text = "the queue's database " + path + " is gone, a new one was made: ";
      break;
    case What::kOlder:
      text = "the queue's database " + path +
             " is not the one that was worked with last (an older copy was put back, it comes from another machine, or "
             "its write-ahead log is missing): ";
      break;
    case What::kJournal:
      text = "the journal in " + app.config.queue.runtime_dir + " is damaged: ";
      break;
    case What::kDamaged:
      return;  // told with the salvage
  }
  app.events.Raise("queue_lost", "queue", text + Lost(loss), now);
}

void ReportSalvage(App& app, const queue::StartReport& start, WallTime now) {
  const queue::Salvaged& salvaged = *start.salvaged;
  std::string text = "the queue's database was damaged (" + salvaged.because +
                     "): " + std::to_string(salvaged.segments_kept) + " segments were kept, " +
                     std::to_string(salvaged.segments_lost) + " found unreadable; " +
                     std::to_string(salvaged.messages_lost) + " pending messages are lost" +
                     (start.loss ? Uncounted(*start.loss) : "") +
                     ", those that the ledger knows are counted as dropped (damaged); the damaged file is kept as " +
                     salvaged.set_aside;
  if (salvaged.sent_again) {
    text += "; what had been sent is not known any more: everything stored is sent again under the same record ids";
  }
  app.events.Raise("queue_salvaged", "queue", text, now);
}

void ReportJournal(App& app, const queue::StartReport& start, WallTime now) {
  const std::string& directory = app.config.queue.runtime_dir;
  if (!start.journal_error.empty()) {
    app.events.Raise("no_journal", "queue",
                     "no journal in " + directory + " (" + start.journal_error +
                         "): each message waits for the disk, as in mode strict",
                     now);
  } else if (!OnTmpfs(directory)) {
    health::Log(health::LogLevel::kWarning, "journal_on_disk",
                directory + " is not a tmpfs: the journal is written to the disk, which wears flash");
  }
}

void ReportReserveFile(const queue::StartReport& start) {
  if (!start.reserve_file_error.empty()) {
    health::Log(health::LogLevel::kWarning, "no_ballast",
                start.reserve_file_error + ": should the disk become full, the queue stands still until there is room");
  }
}

}  // namespace

void ReportStart(App& app) {
  using How = queue::StartReport::How;
  const queue::StartReport& start = app.queue->start();
  const WallTime now = app.clock.Wall();
  if (start.how == How::kRecovered && !start.loss) {
    health::Log(health::LogLevel::kInfo, "queue_recovered",
                "the last run ended without warning; the journal had everything that was under way",
                {{"operations", std::to_string(start.operations)}});
  }
  if (start.how == How::kWithoutJournal) {
    app.events.Raise("unclean_boot", "queue",
                     "the last run ended without warning and there is no journal of it (a power cut, or the runtime "
                     "directory is gone): acknowledged messages of its last seconds may be lost, and batches may be "
                     "sent again" +
                         (start.problem.empty() ? "" : " (" + start.problem + ")"),
                     now);
  }
  if (!start.ledger_contradictions.empty()) {
    std::string gaps;
    for (const std::string& gap : start.ledger_contradictions) {
      gaps += (gaps.empty() ? "" : "; ") + gap;
    }
    app.events.Raise("ledger_mismatch", "queue",
                     "the ledger did not balance when the queue was opened: " + Shorten(gaps, kGapBytes), now);
  }
  if (start.foreign_entries > 0) {
    health::Log(
        health::LogLevel::kWarning, "journal_ignored",
        "the journal in the runtime directory belongs to another queue, for which it is kept there, or to an older "
        "copy of this one",
        {{"operations", std::to_string(start.foreign_entries)}});
  }
  if (start.salvaged) {
    ReportSalvage(app, start, now);
  }
  if (start.loss) {
    ReportLoss(app, *start.loss, now);
  }
  if (!start.renewed_from.empty()) {
    health::Log(
        health::LogLevel::kInfo, "queue_id_renewed",
        "the queue has a new id, so that no record id is given twice; what was stored before keeps its record ids",
        {{"queue", app.queue->id()}, {"before", start.renewed_from}, {"because", start.renewed_because}});
  }
  if (!start.witness_error.empty()) {
    health::Log(health::LogLevel::kWarning, "no_witness",
                start.witness_error + ": should the database get lost, nobody knows how much waited in it");
  }
  const std::vector<health::Event> open = app.events.Open();
  const bool told =
      std::any_of(open.begin(), open.end(), [](const auto& event) { return event.name == "dead_letters"; });
  if (const std::uint64_t letters = app.queue->Snapshot().dead_letters; letters > 0 && !told) {
    app.events.Raise("dead_letters", "",
                     std::to_string(letters) + " records were refused before this start: packhorse dead list", now);
  }
  ReportJournal(app, start, now);
  ReportReserveFile(start);
  bridge::FollowRefusedContracts(*contract::CloudContracts(), app.events, now);
}

}  // namespace packhorse::daemon
