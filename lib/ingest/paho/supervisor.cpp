#include "ingest/paho/supervisor.h"

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "health/log.h"
#include "ingest/paho/preflight.h"

namespace packhorse::ingest {
namespace {

using health::Log;
using health::LogLevel;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds kForEver{1'000'000'000};
constexpr std::chrono::seconds kLasting{10};        // a connection that lived that long starts the backoff anew
constexpr std::uint32_t kSuspiciousShortLives = 3;  // that many in a row look like a second client of our id
constexpr std::uint32_t kMaxDoublings = 20;

// "first: reason; second: reason", so that a short text still names each URL.
void AppendReason(std::string& reasons, const std::string& url, const std::string& reason, bool several) {
  reasons += reasons.empty() ? "" : "; ";
  reasons += several ? url + ": " + Shorten(reason, 200) : reason;
}

std::string SubscriptionReason(const Subscribed& result) {
  std::string reason;
  for (const Subscribed::Refused& refused : result.refused) {
    reason += (reason.empty() ? "" : "; ") + ("subscription \"" + Shorten(refused.filter, 100) + "\" refused: ") +
              refused.why;
  }
  for (const std::string& filter : result.qos0) {
    reason += (reason.empty() ? "" : "; ") +
              ("subscription \"" + Shorten(filter, 100) + "\" granted with QoS 0 only: messages can be lost");
  }
  return reason;
}

TlsSettings TlsOf(const SourceOptions& options) { return {options.ca, options.certificate, options.key, options.pins}; }

PasswordSlot Other(PasswordSlot slot) {
  return slot == PasswordSlot::kFirst ? PasswordSlot::kNext : PasswordSlot::kFirst;
}

}  // namespace

Supervisor::Supervisor(std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)), random_(RandomSeed()), known_(shared_->endpoints().size()) {}

void Supervisor::Run() {
  while (!shared_->Stopping()) {
    if (ConnectToAny()) {
      Serve();
    }
    if (shared_->WaitForStop(Steady::now() + Backoff())) {
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
  const bool first = shared_->Snapshot().state != SourceState::kDown;
  shared_->Update([&](SourceStatus& status) {
    status.state = SourceState::kDown;
    status.reason = reasons;
    status.protocol.clear();
  });
  Log(first ? LogLevel::kWarning : LogLevel::kDebug, "source_down", reasons, {{"source", shared_->options().name}});
  return false;
}

Result<std::vector<Protocol>> Supervisor::Candidates(std::size_t index) {
  const SourceOptions& options = shared_->options();
  const Endpoint& endpoint = shared_->endpoints()[index];
  const std::vector<Protocol> fixed = options.protocol == "3.1.1" ? std::vector{Protocol::kMqtt311}
                                      : options.protocol == "5"   ? std::vector{Protocol::kMqtt5}
                                                                  : std::vector<Protocol>{};
  if (const std::optional<Protocol> known = known_[index].protocol) {
    if (Status resolved = Resolve(endpoint); !resolved) {
      return resolved.error();
    }
    return fixed.empty() ? std::vector{*known} : fixed;
  }
  const Result<Dialect> dialect = Preflight(endpoint, TlsOf(options), options.connect_timeout);
  if (!dialect) {
    return dialect.error();
  }
  if (*dialect == Dialect::kOlder && options.protocol == "5") {
    return Error{ErrorCode::kUnsupported,
                 "the broker does not speak MQTT 5: set \"protocol\" to \"auto\" or \"3.1.1\""};
  }
  if (!fixed.empty()) {
    return fixed;
  }
  switch (*dialect) {
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
  if (!candidates) {
    return candidates.error();
  }
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

// One attempt; on success connection_ and protocol_ are set.
Refusal Supervisor::Open(std::size_t index, Protocol protocol, const std::string& password) {
  const Endpoint& endpoint = shared_->endpoints()[index];
  const SourceOptions& options = shared_->options();
  if (endpoint.tls && !options.pins.empty()) {
    // Paho offers no way to see the certificate: a connection of our own looks, right before each of its own.
    if (Status trusted = CheckPeer(endpoint, TlsOf(options), options.connect_timeout); !trusted) {
      return {Refusal::Kind::kUntrusted, 0, trusted.error().message};
    }
  }
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
    return {Refusal::Kind::kClosed, 0, made.error().message};
  }
  const Connected connected = (*made)->Connect(options, password);
  if (connected.refusal.kind != Refusal::Kind::kNone) {
    if (shared_->Stuck()) {
      static_cast<void>(made->release());  // its destructor would wait for the lock that the stuck thread holds
    }
    return connected.refusal;
  }
  connection_ = std::move(*made);
  protocol_ = protocol;
  shared_->Update([&](SourceStatus& status) {
    status.session_present = connected.session_present;
    status.session_lost += status.connects > 0 && !connected.session_present ? 1U : 0U;
    ++status.connects;
    status.protocol = Name(protocol);
  });
  return {};
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
    const Result<Dialect> dialect = Preflight(shared_->endpoints()[index], TlsOf(options), options.connect_timeout);
    if (!dialect) {
      return dialect.error();
    }
  }
  return Error{ErrorCode::kUnavailable, refusal.text};
}

// False when the connection did not survive it.
bool Supervisor::Subscribe(const std::vector<std::string>& filters) {
  const Subscribed result = connection_->Subscribe(filters, shared_->options());
  if (result.refusal.kind != Refusal::Kind::kNone) {
    shared_->LostCurrent(result.refusal.text);
    return false;
  }
  refused_.clear();
  for (const Subscribed::Refused& refused : result.refused) {
    refused_.push_back(refused.filter);
  }
  wanting_ = refused_;
  wanting_.insert(wanting_.end(), result.qos0.begin(), result.qos0.end());
  subscription_reason_ = SubscriptionReason(result);
  ReportConnected();
  return true;
}

void Supervisor::ReportConnected() {
  const std::string both = suspicion_.empty() || subscription_reason_.empty() ? "" : "; ";
  const std::string reason = suspicion_ + both + subscription_reason_;
  const SourceStatus before = shared_->Snapshot();
  shared_->Update([&](SourceStatus& status) {
    status.state = SourceState::kConnected;
    status.reason = reason;
    status.refused_filters = refused_;
  });
  if (before.state != SourceState::kConnected || before.reason != reason) {
    Log(reason.empty() ? LogLevel::kInfo : LogLevel::kWarning, "source_connected",
        reason.empty() ? "connected and subscribed" : reason,
        {{"source", before.name}, {"url", before.url}, {"protocol", std::string(Name(protocol_))}});
  }
}

// From the first subscription to the end of the connection.
void Supervisor::Serve() {
  const Steady::time_point start = Steady::now();
  Steady::time_point again = start + shared_->options().subscribe_again;
  bool alive = Subscribe(shared_->options().filters);
  Shared::Loss loss;
  while (alive && !shared_->Stopping()) {
    if (shared_->WaitForLoss(std::min(again, start + (suspicion_.empty() ? kForEver : kLasting)), loss)) {
      break;
    }
    const Steady::time_point now = Steady::now();
    if (!suspicion_.empty() && now >= start + kLasting) {
      suspicion_.clear();
      ReportConnected();
    }
    if (now >= again) {
      again = now + shared_->options().subscribe_again;
      alive = wanting_.empty() || Subscribe(std::vector(wanting_));
    }
  }
  if (shared_->Stopping()) {
    return;
  }
  static_cast<void>(shared_->WaitForLoss(Steady::now(), loss));
  connection_.reset();
  OnLoss(loss, Steady::now() - start);
}

void Supervisor::OnLoss(const Shared::Loss& loss, Steady::duration lived) {
  const bool lasted = lived >= kLasting;
  short_lives_ = lasted ? 0 : short_lives_ + 1;
  failures_ = lasted && !loss.taken_over ? 1 : failures_ + 1;
  const std::string id = "the client id \"" + shared_->options().client_id + "\"";
  std::string reason = loss.reason;
  if (loss.taken_over) {
    suspicion_ = "another client uses " + id + "; each bridge needs its own";
    reason += ": " + suspicion_;
  } else if (short_lives_ >= kSuspiciousShortLives) {
    suspicion_ = "the connection is lost soon after each start: does another client use " + id + "?";
    reason += "; " + suspicion_;
  }
  shared_->Update([&](SourceStatus& status) {
    status.state = SourceState::kConnecting;
    status.reason = reason;
    status.protocol.clear();
    status.refused_filters.clear();
  });
  Log(LogLevel::kWarning, "source_lost", reason, {{"source", shared_->options().name}});
}

void Supervisor::End() {
  if (connection_ != nullptr && !shared_->Stuck()) {
    connection_->Disconnect(shared_->StopBy());
  }
  if (shared_->Stuck()) {
    static_cast<void>(connection_.release());  // see Open()
  }
  connection_.reset();
  shared_->Update([](SourceStatus& status) {
    status.state = SourceState::kDown;
    status.reason = "stopped";
    status.protocol.clear();
  });
}

}  // namespace packhorse::ingest
