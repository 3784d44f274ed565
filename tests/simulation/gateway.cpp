#include "gateway.h"

#include <algorithm>
#include <filesystem>

#include "queue/queue.h"
#include "support/process.h"

namespace packhorse::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kMaxTurns = 10'000;  // without time passing
constexpr std::size_t kPage = 1'000;

constexpr const char* kReserveFile = ".ballast";  // most of the bytes, nothing in them, and made anew

// By name.
using Files = std::map<std::string, std::string>;

Files Read(const std::string& folder) {
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != kReserveFile) {
      files[entry.path().filename()] = test::ReadAll(entry.path());
    }
  }
  return files;
}

// The folder has these files alone from now on.
void Write(const Files& files, const std::string& folder) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  for (const auto& [name, bytes] : files) {
    test::WriteAll((std::filesystem::path(folder) / name).string(), bytes, 0600);
  }
}

std::string Text(Instant at) {
  return "day " + std::to_string(at / kDay) + " " + std::to_string(at % kDay / kHour) + ":" +
         std::to_string(at % kHour / kMinute);
}

}  // namespace

Gateway::Gateway(Machine& machine, Messages& messages, const Setup& setup,
                 const std::vector<std::unique_ptr<Cloud>>& clouds)
    : machine_(machine), messages_(messages), dir_(test::MemoryFolder()) {
  options_.streams = {{"telemetry", Lane::kNormal, {}}};
  for (std::size_t i = 0; i < clouds.size(); ++i) {
    const Setup::Destination& destination = setup.destinations.at(i);
    units_.push_back(Unit{destination, *clouds[i], nullptr, 0, {}});
    options_.streams.front().destinations.push_back(destination.name);
    options_.destinations.emplace_back(destination.name);
  }
  options_.path = dir_ / "disk/queue.db";
  options_.runtime_dir = dir_ / "run";
  options_.journal_bytes = 512U << 10U;
  options_.watch_interval = 1h;  // nobody else is in its folders
  options_.checkpoint_when_asked = true;
  options_.wake = [this] {
    woken_ = true;
    woken_.notify_one();
  };
  options_.limits = setup.limits;
  Open();
}

void Gateway::Open() {
  Result<std::unique_ptr<queue::Queue>> opened = queue::Open(options_, machine_.clock());
  if (!opened) {
    Fail("cannot open: " + opened.error().message);
    return;
  }
  queue_ = *std::move(opened);
  streams_.Clear();
  streams_.Set(
      *queue_->Stream("telemetry"),
      delivery::StreamBinding{
          "telemetry", {{{*TopicPattern::Parse("dev/{device}")}, *contract::FindDeviceContract("generic-json@1")}}});
  clock_watch_ = std::make_unique<delivery::ClockWatch>(*queue_, events_, machine_.clock());
  for (Unit& unit : units_) {
    Build(unit);
  }
}

void Gateway::Build(Unit& unit) {
  delivery::Options options;
  options.name = unit.setup.name;
  options.live_first = unit.setup.live_first;
  options.keeps_order = unit.setup.keeps_order;
  options.any_order = unit.setup.any_order > 0;
  options.max_in_flight = options.any_order ? unit.setup.any_order : options.max_in_flight;
  options.gateway_id = "gw-1";
  options.contract = *contract::FindCloudContract("packhorse-ingest@1");
  options.endpoint.base_url = "https://cloud.invalid";
  options.batch.max_records = reloads_ % 2 == 0 ? 100 : 40;
  options.batch.max_age = 10min;
  options.coding.clear();
  Result<std::unique_ptr<delivery::Destination>> made = delivery::MakeDestination(
      std::move(options), nullptr,
      delivery::Dependencies{*queue_, *queue_, unit.cloud, events_, machine_.clock(), streams_, nullptr});
  if (!made) {
    Fail("cannot build the destination: " + made.error().message);
    return;
  }
  if (unit.destination) {
    (*made)->TakeOver(*unit.destination);
  }
  unit.destination = *std::move(made);
}

Gateway::Unit& Gateway::Of(const std::string& destination) {
  for (Unit& unit : units_) {
    if (unit.setup.name == destination) {
      return unit;
    }
  }
  Fail("nobody knows destination '" + destination + "'");
  return units_.front();
}

void Gateway::Close() {
  for (Unit& unit : units_) {
    unit.destination.reset();
    unit.cloud.Abort();
  }
  clock_watch_.reset();
  queue_.reset();
}

void Gateway::Fail(std::string problem) {
  if (problem_.empty()) {
    problem_ = Text(machine_.now()) + ": " + std::move(problem);
  }
}

void Gateway::Publish(Number number) {
  RawMessage message;
  message.stream = *queue_->Stream("telemetry");
  message.topic = "dev/17";
  message.payload = PayloadOf(number);
  message.received_at = machine_.clock().Wall();
  message.boot_time = machine_.clock().Boot();
  message.clock = machine_.clock().Synchronized() ? ClockState::kSynchronized : ClockState::kUnsynchronized;
  message.qos = 1;
  arrived_.push_back(machine_.now());
  const Result<Sequence> sequence = queue_->Append(std::move(message));
  if (!sequence) {
    Fail("message " + std::to_string(number) + " is not taken");
    return;
  }
  ++received_;
  if (*sequence != 0) {
    numbers_[*sequence] = number;
    return;
  }
  for (Unit& unit : units_) {
    ++unit.given_up;  // dropped and in the ledger; a kill may come before EnforceLimits() reports it
  }
}

Instant Gateway::Turn() {
  for (std::uint32_t turn = 0; turn < kMaxTurns; ++turn) {
    queue_->Poll();
    const MonoTime now = machine_.Mono();
    MonoTime next = MonoTime::max();
    for (Unit& unit : units_) {
      next = std::min(next, unit.destination->Step(now));
    }
    if (next > now) {
      return machine_.now() + std::chrono::ceil<microseconds>(next - now);
    }
  }
  Fail("the destination never has enough");
  return Instant::max();
}

void Gateway::CheckExpired(const queue::GivenUp& given_up) {
  if (given_up.first == 0) {
    return;  // Publish() has counted it
  }
  Of(given_up.destination).given_up += given_up.messages;
  if (given_up.outcome != Outcome::kExpired) {
    return;
  }
  for (auto each = numbers_.lower_bound(given_up.first); each != numbers_.end() && each->first <= given_up.last;
       ++each) {
    const Instant age = machine_.now() - arrived_.at(each->second);
    if (age < options_.limits.max_age) {
      Fail("message " + std::to_string(each->second) + " expired when it was " + Text(age) + " old");
    }
  }
}

void Gateway::LookAround() {
  clock_watch_->Look();
  const queue::LimitReport report = queue_->EnforceLimits(machine_.Mono());
  for (const queue::GivenUp& given_up : report.given_up) {
    CheckExpired(given_up);
  }
}

void Gateway::NoteCheckpointed() {
  checkpointed_ = messages_.last();
  checkpointed_received_ = received_;
}

void Gateway::Checkpoint() {
  bool done = false;
  queue_->Checkpoint([&](const Status& checkpointed) {
    done = true;
    if (!checkpointed) {
      Fail("checkpoint: " + checkpointed.error().message);
    }
  });
  while (!done) {
    woken_.wait(false);
    woken_ = false;
    queue_->Poll();
  }
  NoteCheckpointed();
}

void Gateway::Restart() {
  Close();
  NoteCheckpointed();
  Open();
}

void Gateway::Reload() {
  ++reloads_;
  if (Status changed = queue_->Reconfigure(options_.streams, options_.destinations); !changed) {
    Fail("reload: " + changed.error().message);
  }
  NoteCheckpointed();
  for (Unit& unit : units_) {
    Build(unit);
  }
}

void Gateway::CrashAndOpen(bool with_runtime_folder) {
  // All files as of one moment: the store's thread may be writing.
  Files disk;
  Files run;
  do {
    disk = Read(dir_ / "disk");
    run = Read(dir_ / "run");
  } while (disk != Read(dir_ / "disk") || run != Read(dir_ / "run"));
  Close();
  Write(disk, dir_ / "disk");
  std::filesystem::remove_all(dir_ / "run");
  if (with_runtime_folder) {
    Write(run, dir_ / "run");
  }
  Open();
  NoteCheckpointed();
}

void Gateway::Kill() { CrashAndOpen(true); }

void Gateway::NoteLost(Number first, Number last) {
  for (Number number = first; number <= last; ++number) {
    may_be_lost_.insert(number);
  }
}

void Gateway::PowerCut(microseconds off, microseconds clock_error) {
  NoteLost(checkpointed_ + 1, messages_.last());
  const std::uint64_t least = checkpointed_received_;
  const std::uint64_t most = received_;
  machine_.PowerCycle(off, clock_error);
  CrashAndOpen(false);
  received_ = Row(units_.front()).received;
  if (received_ < least || received_ > most) {
    Fail("after a power cut " + std::to_string(received_) + " were received, not " + std::to_string(least) + " to " +
         std::to_string(most));
  }
  checkpointed_received_ = received_;
}

void Gateway::OrderlyReboot(microseconds off, microseconds clock_error) {
  Close();
  std::filesystem::remove_all(dir_ / "run");
  machine_.PowerCycle(off, clock_error);
  NoteCheckpointed();
  Open();
}

void Gateway::TakeCopy() {
  Close();
  NoteCheckpointed();
  copy_ = std::make_unique<Copy>(test::MemoryFolder());
  Write(Read(dir_ / "disk"), copy_->dir / "disk");
  copy_->last = messages_.last();
  copy_->received = received_;
  Open();
}

void Gateway::PutCopyBack() {
  Close();
  Write(Read(copy_->dir / "disk"), dir_ / "disk");
  NoteLost(copy_->last + 1, messages_.last());
  received_ = copy_->received;
  copy_.reset();
  Open();
  NoteCheckpointed();
}

queue::LedgerRow Gateway::Row(const Unit& unit) {
  const Result<queue::Ledger> ledger = queue_->ReadLedger();
  if (!ledger) {
    Fail("ledger: " + ledger.error().message);
    return {};
  }
  if (!ledger->Balanced()) {
    Fail("the ledger does not balance");
  }
  for (const queue::LedgerRow& row : ledger->rows) {
    if (row.destination == unit.setup.name) {
      return row;
    }
  }
  return {};
}

std::string Gateway::Check() {
  for (const Unit& unit : units_) {
    const queue::LedgerRow row = Row(unit);
    if (row.received != received_) {
      Fail("for " + unit.setup.name + " the ledger has received " + std::to_string(row.received) + " of " +
           std::to_string(received_));
    }
    if (row.quarantined != 0) {
      Fail(std::to_string(row.quarantined) + " are in quarantine");
    }
    if (!unit.cloud.problem().empty()) {
      Fail(unit.cloud.problem());
    }
  }
  return problem_;
}

std::string Gateway::CheckDeadLetters() {
  std::int64_t after = 0;
  while (problem_.empty()) {
    const Result<std::vector<queue::DeadLetter>> letters = queue_->DeadLetters(kPage, after);
    if (!letters) {
      Fail("dead letters: " + letters.error().message);
      break;
    }
    for (const queue::DeadLetter& letter : *letters) {
      after = letter.id;
      const auto number = static_cast<Number>(std::stoul(letter.message.payload.substr(7)));
      if (machine_.now() - arrived_.at(number) >= options_.limits.max_age) {
        Of(letter.destination).over_age.insert(number);
      } else if (!messages_.Bad(number)) {
        Fail("message " + std::to_string(number) + " is good and was buried: " + letter.reason + ", " + letter.detail);
      }
    }
    if (letters->size() < kPage) {
      break;
    }
  }
  return problem_;
}

std::string Gateway::CheckEnd() {
  CheckDeadLetters();
  for (const Unit& unit : units_) {
    std::uint64_t missing = 0;
    Number first = 0;
    for (Number number = 1; number <= messages_.last(); ++number) {
      const bool there = unit.cloud.Has(number) || unit.cloud.LiedAbout(number);
      const bool told = messages_.Bad(number) || may_be_lost_.contains(number) || unit.over_age.contains(number);
      if (!there && !told) {
        ++missing;
        first = first == 0 ? number : first;
      }
    }
    if (missing > unit.given_up) {
      Fail("for " + unit.setup.name + " " + std::to_string(missing) + " messages are missing, " +
           std::to_string(unit.given_up) + " were given up and counted; the first missing: " + std::to_string(first) +
           ", arrived " + Text(arrived_.at(first)));
    }
    if (const std::uint64_t pending = Row(unit).pending; pending > 0) {
      Fail("for " + unit.setup.name + " " + std::to_string(pending) + " messages wait still");
    }
  }
  return problem_;
}

std::string Gateway::Describe() {
  std::string text;
  for (const Unit& unit : units_) {
    const queue::LedgerRow row = Row(unit);
    const delivery::DestinationStatus status = unit.destination->Snapshot(machine_.Mono());
    text += (text.empty() ? "" : "\n") + unit.setup.name +
            (unit.setup.any_order > 0 ? ", " + std::to_string(unit.setup.any_order) + " at once" : "") + ": received " +
            std::to_string(row.received) + ", delivered " + std::to_string(row.delivered) + ", rejected " +
            std::to_string(row.rejected) + ", expired " + std::to_string(row.expired) + ", dropped " +
            std::to_string(row.dropped) + ", pending " + std::to_string(row.pending) + "; in the cloud " +
            std::to_string(unit.cloud.stored()) + ", requests " + std::to_string(unit.cloud.requests()) + "; " +
            std::string(limit::Name(status.state)) + " " + status.reason;
  }
  return text;
}

}  // namespace packhorse::simulation
