#include "ingest/paho/supervisor.h"

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "health/log.h"
#include "ingest/paho/address.h"
#include "ingest/paho/oversize.h"
#include "ingest/paho/preflight.h"

namespace packhorse::ingest {
namespace {

using health::Log;
using health::LogLevel;
using Steady = std::chrono::steady_clock;

constexpr std::uint32_t kMaxDoublings = 20;
constexpr int kDeaths = 2;
constexpr std::chrono::seconds kPassOverQuiet{5};

std::chrono::milliseconds SettledAfter(const SourceOptions& options) {
  return options.settled_after.count() > 0
             ? options.settled_after
             : std::max<std::chrono::milliseconds>(std::chrono::minutes(1), 2 * options.reconnect_max);
}

// "first: reason; second: reason", so that a short text still names each URL.
void AppendReason(std::string& reasons, const std::string& url, const std::string& reason, bool several) {
  reasons += reasons.empty() ? "" : "; ";
  reasons += several ? url + ": " + Shorten(reason, 200) : reason;
}

TlsSettings TlsOf(const SourceOptions& options) { return {options.ca, options.certificate, options.key, options.pins}; }

PasswordSlot Other(PasswordSlot slot) {
  return slot == PasswordSlot::kFirst ? PasswordSlot::kNext : PasswordSlot::kFirst;
}

}  // namespace

Supervisor::Supervisor(std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)),
      random_(RandomSeed()),
      known_(shared_->endpoints().size()),
      subscriptions_(shared_->options().filters, shared_->options().subscribe_again),
      stability_(shared_->options().client_id, SettledAfter(shared_->options())),
      begun_(Steady::now()) {
  const SourceOptions& options = shared_->options();
  for (std::size_t i = 0; i < known_.size() && options.sessions; ++i) {
    if (const auto session = options.sessions->Find(options.client_id, shared_->endpoints()[i].Shown())) {
      known_[i].keep_alive = session->keep_alive;
      known_[i].wary = session->deaths >= kDeaths;
    }
  }
}

void Supervisor::Run() {
  while (!shared_->Stopping()) {
    if (ConnectToAny()) {
      shared_->options().drain ? Drain() : Serve();
    }
    if (shared_->options().drain && Steady::now() - begun_ >= shared_->options().drain_for) {
      shared_->Update([](SourceStatus& status) { status.gave_up = !status.ended; });
    }
    const SourceStatus status = shared_->Snapshot();
    if (status.gave_up || status.ended || shared_->WaitForStop(Steady::now() + Backoff())) {
      break;
    }
  }
  End();
  shared_->Finished();
}

// Uniform in the upper half of min * 2^failures, at most max: gateways that lost the same broker spread out.
std::chrono::milliseconds Supervisor::Backoff() {
  const auto& options = shared_->options();
  const auto min = std::max<std::int64_t>(options.reconnect_min.count(), 1);
  const auto max = std::max<std::int64_t>(options.reconnect_max.count(), min);
  const std::uint32_t doublings = std::min(failures_ > 0 ? failures_ - 1 : 0, kMaxDoublings);
  const std::int64_t ceiling = min > (max >> doublings) ? max : min << doublings;
  const std::uint64_t spread = static_cast<std::uint64_t>(ceiling) / 2;
  return std::chrono::milliseconds(ceiling - static_cast<std::int64_t>(random_.UpTo(spread)));
}

// The library sends a PINGREQ when it has sent nothing for that long, and gives up one and a half times as long after
// it: with half of `keep_alive` a silent broker is noticed after one and a quarter.
std::chrono::seconds Supervisor::Announced(std::size_t index) const {
  std::chrono::milliseconds obeyed = shared_->options().keep_alive;
  if (const std::chrono::seconds asked_for = known_[index].keep_alive; asked_for.count() > 0) {
    obeyed = std::min<std::chrono::milliseconds>(obeyed, asked_for);
  }
  return std::max(std::chrono::floor<std::chrono::seconds>(obeyed / 2), std::chrono::seconds(1));
}

bool Supervisor::ConnectToAny() {
  std::string reasons;
  for (std::size_t i = 0; i < known_.size() && !shared_->Stopping(); ++i) {
    const std::string url = shared_->endpoints()[i].Shown();
    shared_->Update([&](SourceStatus& status) { status.url = url; });
    const Status connected = ConnectTo(i);
    if (connected) {
      return true;
    }
    AppendReason(reasons, url, connected.error().message, known_.size() > 1);
  }
  if (shared_->Stopping()) {
    return false;
  }
  ++failures_;
  const SourceStatus before = shared_->Snapshot();
  const bool told = before.state == SourceState::kDown && before.reason == Shorten(reasons, Shared::kMaxReasonBytes);
  shared_->Update([&](SourceStatus& status) {
    status.state = SourceState::kDown;
    status.reason = reasons;
    status.protocol.clear();
  });
  Log(told ? LogLevel::kDebug : LogLevel::kWarning, "source_down", reasons, {{"source", shared_->options().name}});
  return false;
}

Result<std::vector<Protocol>> Supervisor::Candidates(std::size_t index) {
  const SourceOptions& options = shared_->options();
  const Endpoint& endpoint = shared_->endpoints()[index];
  const std::vector<Protocol> fixed = options.protocol == "3.1.1" ? std::vector{Protocol::kMqtt311}
                                      : options.protocol == "5"   ? std::vector{Protocol::kMqtt5}
                                                                  : std::vector<Protocol>{};
  const Result<std::vector<std::string>> addresses = Resolve(endpoint);
  RETURN_IF_ERROR(addresses);
  const bool stands = std::find(addresses->begin(), addresses->end(), known_[index].address) != addresses->end();
  if (const std::optional<Protocol> known = known_[index].protocol; known && stands) {
    return fixed.empty() ? std::vector{*known} : fixed;
  }
  const Result<Found> found = Preflight(endpoint, *addresses, TlsOf(options), options.connect_timeout);
  RETURN_IF_ERROR(found);
  known_[index].address = found->address;
  if (found->dialect == Dialect::kOlder && options.protocol == "5") {
    return Error{ErrorCode::kUnsupported,
                 "the broker does not speak MQTT 5: set \"protocol\" to \"auto\" or \"3.1.1\""};
  }
  if (!fixed.empty()) {
    return fixed;
  }
  switch (found->dialect) {
    case Dialect::kMqtt5:
      return std::vector{Protocol::kMqtt5};
    case Dialect::kOlder:
      return std::vector{Protocol::kMqtt311};
    case Dialect::kUnknown:
      break;
  }
  return std::vector{Protocol::kMqtt5, Protocol::kMqtt311};
}

Status Supervisor::ConnectTo(std::size_t index) {
  const Result<std::vector<Protocol>> candidates = Candidates(index);
  RETURN_IF_ERROR(candidates);
  const Passwords passwords = ReadPasswords(index);
  if (passwords.list.empty()) {
    return *passwords.missing;
  }
  Refusal refusal;
  for (const Protocol protocol : *candidates) {
    if (shared_->Stopping()) {
      return Error{ErrorCode::kUnavailable, "stopped"};
    }
    refusal = OpenWithAny(index, protocol, passwords.list);
    if (refusal.kind == Refusal::Kind::kNone) {
      known_[index].protocol = protocol;
      return {};
    }
    if (refusal.kind == Refusal::Kind::kCode && !refusal.WrongVersion()) {
      known_[index].protocol = protocol;  // it refuses us in this language
    }
    const bool other_may_do = refusal.WrongVersion() || refusal.kind == Refusal::Kind::kClosed;
    if (!other_may_do) {
      break;
    }
  }
  Error why = Explain(index, refusal);
  if (refusal.WrongCredentials() && passwords.missing) {
    why.message += "; " + passwords.missing->message;
  }
  return why;
}

// The one that the broker accepted last comes first. The next one need not exist between rotations.
Supervisor::Passwords Supervisor::ReadPasswords(std::size_t index) {
  Passwords passwords;
  std::vector<PasswordSlot> slots = {known_[index].password};
  if (shared_->options().next_password) {
    slots.push_back(Other(slots.front()));
  }
  for (const PasswordSlot slot : slots) {
    Result<std::string> text = shared_->Password(slot);
    if (!text) {
      const bool second = slot != slots.front();
      const bool no_rotation = second && slot == PasswordSlot::kNext && text.error().code == ErrorCode::kNotFound;
      if (!no_rotation && !passwords.missing) {
        passwords.missing = text.error().With(slot == PasswordSlot::kNext ? "next password" : "password");
      }
    } else if (passwords.list.empty() || passwords.list.front().text != *text) {
      passwords.list.push_back({slot, std::move(*text)});
    }
  }
  return passwords;
}

Refusal Supervisor::OpenWithAny(std::size_t index, Protocol protocol, const std::vector<Password>& passwords) {
  Refusal refusal;
  for (const Password& password : passwords) {
    if (shared_->Stopping()) {
      return {Refusal::Kind::kCancelled, 0, "stopped"};
    }
    refusal = Open(index, protocol, password.text);
    if (!refusal.WrongCredentials()) {
      if (refusal.kind == Refusal::Kind::kNone && known_[index].password != password.slot) {
        known_[index].password = password.slot;
        Log(LogLevel::kInfo, "source_password",
            password.slot == PasswordSlot::kNext ? "the broker takes the next password"
                                                 : "the broker takes the first password",
            {{"source", shared_->options().name}});
      }
      break;
    }
  }
  return refusal;
}

// One attempt, twice if the broker asks for a shorter keep-alive; on success connection_ and protocol_ are set.
Refusal Supervisor::Open(std::size_t index, Protocol protocol, const std::string& password) {
  const Endpoint& endpoint = shared_->endpoints()[index];
  const SourceOptions& options = shared_->options();
  if (endpoint.tls && !options.pins.empty()) {
    // Paho offers no way to see the certificate: a connection of our own looks, right before each of its own.
    if (Status trusted = CheckPeer(endpoint, known_[index].address, TlsOf(options), options.connect_timeout);
        !trusted) {
      return {Refusal::Kind::kUntrusted, 0, trusted.error().message};
    }
  }
  if (protocol == Protocol::kMqtt311 && std::exchange(known_[index].wary, false)) {
    PassOver(index, password);
  }
  Connected connected = Try(index, protocol, {password, Announced(index)});
  if (connected.refusal.kind == Refusal::Kind::kNone && connected.keep_alive.count() > 0 &&
      connected.keep_alive < Announced(index)) {
    // MQTT 5 section 3.2.2.3.14 wants the broker's value obeyed, and the library cannot change its own any more.
    known_[index].keep_alive = connected.keep_alive;
    Log(LogLevel::kInfo, "source_keep_alive", "connecting again with the shorter keep-alive that the broker asks for",
        {{"source", options.name}, {"seconds", std::to_string(connected.keep_alive.count())}});
    connection_->Disconnect(Steady::now() + options.connect_timeout);
    connection_.reset();
    connected = Try(index, protocol, {password, Announced(index)});
  }
  if (connected.refusal.kind == Refusal::Kind::kNone) {
    protocol_ = protocol;
    NoteConnected(index, connected);
  }
  return connected.refusal;
}

// The library takes a packet of MQTT 3.1.1 of any size into memory, more than once. What the process may have died of
// is taken without it.
void Supervisor::PassOver(std::size_t index, const std::string& password) {
  const SourceOptions& options = shared_->options();
  Log(LogLevel::kWarning, "source_wary",
      "the process ended twice while it was connected: looking for messages over max_payload_bytes first",
      {{"source", options.name}});
  PassOverSettings settings;
  settings.client_id = options.client_id;
  settings.username = options.username;
  settings.password = options.password ? std::optional(password) : std::nullopt;
  settings.max_payload_bytes = shared_->max_payload_bytes();
  settings.take = [this](const Arrival& arrival) { return shared_->Take(arrival); };
  settings.cancelled = [this] { return shared_->Stopping(); };
  settings.timeout = options.connect_timeout;
  settings.quiet = kPassOverQuiet;
  const Result<std::size_t> passed =
      PassOverOversize(shared_->endpoints()[index], known_[index].address, TlsOf(options), settings);
  Log(LogLevel::kWarning, "source_passed_over",
      passed ? "messages over max_payload_bytes, counted and acknowledged: " + std::to_string(*passed)
             : passed.error().message,
      {{"source", options.name}});
}

// One CONNECT; on success connection_ is set.
Connected Supervisor::Try(std::size_t index, Protocol protocol, const ConnectWith& with) {
  const Endpoint& endpoint = shared_->endpoints()[index];
  const SourceOptions& options = shared_->options();
  ingest::ConnectTo(endpoint.host, known_[index].address);
  const std::uint64_t number = shared_->NextConnection();
  Connection::Hooks hooks;
  const std::shared_ptr<Shared> shared = shared_;
  hooks.message = [shared](const Arrival& arrival) { shared->Receive(arrival); };
  hooks.lost = [shared, number](std::string reason, bool taken_over) {
    shared->Lost(number, std::move(reason), taken_over);
  };
  hooks.busy = [shared] { return shared->Busy(); };
  hooks.cancelled = [shared] { return shared->GiveUp(); };
  Result<std::unique_ptr<Connection>> made =
      Connection::Make(endpoint, options.client_id, protocol, known_[index].inbound, std::move(hooks));
  if (!made) {
    return {{Refusal::Kind::kClosed, 0, made.error().message}, false, {}, {}};
  }
  Connected connected = (*made)->Connect(options, with);
  if (connected.refusal.kind == Refusal::Kind::kNone) {
    connection_ = std::move(*made);
  } else if (shared_->Stuck()) {
    static_cast<void>(made->release());  // its destructor would wait for the lock that the stuck thread holds
  }
  return connected;
}

// Why no connection came about. What the broker said is said; else a connection of our own finds out more.
Error Supervisor::Explain(std::size_t index, const Refusal& refusal) {
  if (refusal.kind == Refusal::Kind::kCode && !refusal.WrongVersion()) {
    return Error{ErrorCode::kPermissionDenied, "the broker refuses the connection: " + refusal.text};
  }
  const bool was_known = std::exchange(known_[index].protocol, std::nullopt).has_value();
  const bool explained = refusal.kind == Refusal::Kind::kUntrusted;
  if (was_known && !explained && !shared_->Stopping()) {
    const SourceOptions& options = shared_->options();
    const Result<Found> found =
        Preflight(shared_->endpoints()[index], {known_[index].address}, TlsOf(options), options.connect_timeout);
    RETURN_IF_ERROR(found);
  }
  return Error{ErrorCode::kUnavailable, refusal.text};
}

}  // namespace packhorse::ingest
