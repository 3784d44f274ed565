#include "bridge/redrive.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "contract/cloud_contract.h"

namespace packhorse::bridge {
namespace {

constexpr std::size_t kMaxLetters = 10'000;
constexpr std::size_t kLettersAtATime = 100;  // letters in memory at a time; a letter carries a whole payload
constexpr std::size_t kMaxFailures = 100;

using Group = std::pair<std::string, Lane>;  // one batch has one destination and one lane

struct Job {
  queue::Queue& queue;
  Destinations& destinations;
  std::function<void(Result<RedriveReport>)> done;
  std::vector<std::int64_t> ids;
  std::size_t next = 0;
  std::size_t waiting = 0;  // batches of the present page without an answer, and one for the page itself
  RedriveReport report;

  void Fail(std::string line) {
    if (report.failures.size() < kMaxFailures) {
      report.failures.push_back(std::move(line));
    }
  }
};

void RunPage(const std::shared_ptr<Job>& job);

void GroupEnded(const std::shared_ptr<Job>& job) {
  if (--job->waiting > 0) {
    return;
  }
  if (job->next < job->ids.size()) {
    RunPage(job);
  } else {
    job->done(std::move(job->report));
  }
}

// "Try now" of what is set aside: it goes by itself, as soon as one may.
void RetrySuspect(Job& job, const queue::Suspect& suspect) {
  const DestinationUnit* unit = job.destinations.Find(suspect.destination);
  if (unit == nullptr) {
    job.Fail("destination '" + suspect.destination + "' is not configured: its suspects stay");
    return;
  }
  unit->destination->RetrySuspect(suspect.id, [&job, id = suspect.id](const Status& status) {
    if (status) {
      ++job.report.letters;
    } else {
      job.Fail(std::to_string(id) + ": " + status.error().message);
    }
  });
}

std::map<Group, std::vector<queue::DeadLetter>> ReadPage(Job& job) {
  std::map<Group, std::vector<queue::DeadLetter>> groups;
  const std::size_t end = std::min(job.next + kLettersAtATime, job.ids.size());
  for (; job.next < end; ++job.next) {
    if (const Result<queue::Suspect> suspect = job.queue.FindSuspect(job.ids[job.next])) {
      RetrySuspect(job, *suspect);
      continue;
    }
    Result<queue::DeadLetter> letter = job.queue.FindDeadLetter(job.ids[job.next]);
    if (!letter) {
      job.Fail(std::to_string(job.ids[job.next]) + ": " + letter.error().message);
      continue;
    }
    const Group group{letter->destination, letter->lane};
    groups[group].push_back(std::move(letter).value());
  }
  return groups;
}

// How many records one batch of this destination may hold.
std::size_t BatchSize(const DestinationUnit& unit) {
  const auto contract = contract::FindCloudContract(unit.config.contract, config::PlainSettings(unit.config));
  const std::uint32_t declared = contract ? (*contract)->accepts().max_items : 0;
  const std::uint32_t most = declared > 0 ? declared : unit.config.batch.max_records;
  return std::clamp<std::size_t>(std::min(most, unit.config.batch.max_records), 1, kLettersAtATime);
}

void RedriveGroup(const std::shared_ptr<Job>& job, const DestinationUnit& unit,
                  const std::vector<queue::DeadLetter>& letters) {
  const std::uint64_t count = letters.size();
  ++job->waiting;
  unit.destination->RedriveDead(letters, [job, count, name = unit.config.name](const Result<std::uint32_t>& result) {
    if (result) {
      job->report.letters += count;
    } else {
      job->Fail("destination '" + name + "': " + result.error().message);
    }
    GroupEnded(job);
  });
}

void RunPage(const std::shared_ptr<Job>& job) {
  job->waiting = 1;
  for (auto& [group, letters] : ReadPage(*job)) {
    const DestinationUnit* unit = job->destinations.Find(group.first);
    if (unit == nullptr) {
      job->Fail("destination '" + group.first + "' is not configured: its dead letters stay");
      continue;
    }
    const auto size = static_cast<std::ptrdiff_t>(BatchSize(*unit));
    for (auto begin = letters.begin(); begin != letters.end();) {
      const auto end = begin + std::min(size, letters.end() - begin);
      RedriveGroup(job, *unit, {std::make_move_iterator(begin), std::make_move_iterator(end)});
      begin = end;
    }
  }
  GroupEnded(job);
}

// The ids first: what is refused again becomes a new dead letter and must not be taken twice in one call.
Status Select(Job& job, const RedriveSelection& selection) {
  job.ids = selection.ids;
  if (!selection.all && selection.destination.empty()) {
    return {};
  }
  std::int64_t after = 0;
  while (true) {
    // What has happened so far is in the database once the first page was read.
    using Reading = queue::Queue::Reading;
    const auto page =
        job.queue.DeadLetters(kLettersAtATime, after, after == 0 ? Reading::kUpToDate : Reading::kAsStored);
    RETURN_IF_ERROR(page);
    for (const queue::DeadLetter& letter : *page) {
      after = letter.id;
      if (!selection.destination.empty() && letter.destination != selection.destination) {
        continue;
      }
      if (job.ids.size() == kMaxLetters) {
        job.report.remaining = true;
        return {};
      }
      job.ids.push_back(letter.id);
    }
    if (page->size() < kLettersAtATime) {
      return {};
    }
  }
}

}  // namespace

void RedriveDeadLetters(queue::Queue& queue, Destinations& destinations, const RedriveSelection& selection,
                        std::function<void(Result<RedriveReport>)> done) {
  auto job = std::make_shared<Job>(Job{queue, destinations, std::move(done), {}, 0, 0, {}});
  if (Status selected = Select(*job, selection); !selected) {
    job->done(selected.error());
    return;
  }
  RunPage(job);
}

}  // namespace packhorse::bridge
