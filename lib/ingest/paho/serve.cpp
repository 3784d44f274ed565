#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "health/log.h"
#include "ingest/paho/supervisor.h"

// What the supervisor does with a connection that stands.

namespace packhorse::ingest {
namespace {

using health::Log;
using health::LogLevel;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds kLasting{10};     // a connection that lived that long starts the backoff anew
constexpr std::chrono::seconds kNote{10};        // how often it is noted that we are connected
constexpr std::chrono::minutes kHarmless{10};    // what came first has been taken by then, also over a slow link
constexpr std::chrono::milliseconds kLook{100};  // while a session is emptied: whether there is more
// A session that is emptied and lost so often is in use: we must not take it away from whoever has it.
constexpr int kDrainLosses = 2;

std::string Joined(const std::vector<std::string>& filters) { return Shorten(Join(filters), 300); }

// What is not as it should be although the source is connected.
std::vector<std::string> ReasonsOf(const SourceStatus& status) {
  std::vector<std::string> reasons;
  if (!status.flapping.empty()) {
    reasons.push_back("connections do not last: " + status.flapping);
  }
  if (!status.qos0_filters.empty()) {
    reasons.push_back("the broker grants only QoS 0, so that messages can be lost, for " + Joined(status.qos0_filters));
  }
  if (status.short_expiry && (status.expiry_cut || status.short_expiry->count() == 0)) {
    reasons.push_back("the broker keeps our session only for " +
                      FormatDuration(std::chrono::milliseconds(*status.short_expiry)) + " while we are away");
  }
  return reasons;
}

}  // namespace

void Supervisor::NoteConnected(std::size_t index, const Connected& connected) {
  const SourceOptions& options = shared_->options();
  url_ = shared_->endpoints()[index].Shown();
  connected_at_ = Steady::now();
  const auto asked = std::chrono::ceil<std::chrono::seconds>(options.session_expiry);
  const std::chrono::seconds granted = protocol_ == Protocol::kMqtt5 ? connected.expiry.value_or(asked) : asked;
  const std::uint64_t connects = shared_->Snapshot().connects;
  bool lost = connects > 0 && !connected.session_present;
  bool cut = false;
  if (options.sessions) {
    const std::optional<BrokerSession> before = options.sessions->Find(options.client_id, url_);
    cut = before && granted < std::min(before->expiry, asked);
    BrokerSession session;
    session.client_id = options.client_id;
    session.url = url_;
    session.source = options.name;
    session.access = options.access;
    session.protocol = Name(protocol_);
    session.expiry = granted;
    session.keep_alive = known_[index].keep_alive;
    lost = options.sessions->Connected(session, connected.session_present);
  }
  shared_->Update([&](SourceStatus& status) {
    status.session_present = connected.session_present;
    status.session_lost += lost ? 1U : 0U;
    ++status.connects;
    status.protocol = Name(protocol_);
    status.short_expiry = granted < asked ? std::optional(granted) : std::nullopt;
    status.expiry_cut = cut;
  });
}

// False when the connection did not survive it.
bool Supervisor::Subscribe() {
  std::map<std::string, int> granted;
  const Refusal refusal = subscriptions_.Subscribe(*connection_, shared_->options(), Steady::now(), granted);
  if (shared_->options().sessions && !granted.empty()) {
    shared_->options().sessions->Subscribed(shared_->options().client_id, url_, granted);
  }
  if (refusal.kind != Refusal::Kind::kNone) {
    shared_->LostCurrent(refusal.text);
    Shared::Loss loss;
    if (refusal.kind != Refusal::Kind::kTimeout && shared_->WaitForLoss(Steady::now(), loss) && !loss.taken_over) {
      subscriptions_.OnClosed(loss.reason, Steady::now());
    }
    return false;
  }
  ReportConnected();
  return true;
}

// What an earlier configuration left at the broker, after ours is subscribed, so that nothing falls between the two.
void Supervisor::Unsubscribe(bool all) {
  const SourceOptions& options = shared_->options();
  const auto session = options.sessions ? options.sessions->Find(options.client_id, url_) : std::nullopt;
  std::vector<std::string> leftover;
  for (const auto& [filter, qos] : session ? session->filters : std::map<std::string, int>()) {
    if (all || std::find(options.filters.begin(), options.filters.end(), filter) == options.filters.end()) {
      leftover.push_back(filter);
    }
  }
  if (leftover.empty()) {
    return;
  }
  const std::vector<std::string> gone = connection_->Unsubscribe(leftover, options);
  options.sessions->Unsubscribed(options.client_id, url_, gone);
  Log(LogLevel::kInfo, "unsubscribed", "topics of an earlier configuration: " + Joined(gone),
      {{"source", options.name}, {"url", url_}});
}

void Supervisor::ReportConnected() {
  const std::string subscriptions = subscriptions_.Reason();
  const std::string both = stability_.cause().empty() || subscriptions.empty() ? "" : "; ";
  const std::string reason = stability_.cause() + both + subscriptions;
  const SourceStatus before = shared_->Snapshot();
  shared_->Update([&](SourceStatus& status) {
    status.state = SourceState::kConnected;
    status.reason = reason;
    status.refused_filters = subscriptions_.Refused();
    status.qos0_filters = subscriptions_.Qos0();
    status.flapping = stability_.Described();
    status.reasons = ReasonsOf(status);
  });
  if (before.state != SourceState::kConnected || before.reason != reason) {
    Log(reason.empty() ? LogLevel::kInfo : LogLevel::kWarning, "source_connected",
        reason.empty() ? "connected and subscribed" : reason,
        {{"source", before.name}, {"url", before.url}, {"protocol", std::string(Name(protocol_))}});
  }
}

void Supervisor::Note(Sessions::Life life) {
  if (shared_->options().sessions) {
    shared_->options().sessions->Note(shared_->options().client_id, url_, life);
  }
}

// From the first subscription to the end of the connection.
void Supervisor::Serve() {
  subscriptions_.Begin();
  bool alive = Subscribe();
  if (alive) {
    Unsubscribe(false);
  }
  Shared::Loss loss;
  Steady::time_point note = Steady::now() + kNote;
  while (alive && !shared_->Stopping()) {
    const Steady::time_point settles =
        stability_.cause().empty() ? Steady::time_point::max() : stability_.SettlesAt(connected_at_);
    if (shared_->WaitForLoss(std::min({subscriptions_.Next(), settles, note}), loss)) {
      break;
    }
    const Steady::time_point now = Steady::now();
    if (now >= note) {
      note = now + kNote;
      Note(now - connected_at_ < kHarmless ? Sessions::Life::kStands : Sessions::Life::kLasts);
    }
    stability_.OnAlive(connected_at_, now);
    if (now >= settles) {
      ReportConnected();
    }
    if (now >= subscriptions_.Next()) {
      alive = Subscribe();
    }
  }
  if (shared_->Stopping()) {
    return;
  }
  static_cast<void>(shared_->WaitForLoss(Steady::now(), loss));
  connection_.reset();
  Note(Sessions::Life::kLost);
  OnLoss(loss, Steady::now());
}

// Nothing new is wanted, but what the broker has in the session; then the session is ended.
void Supervisor::Drain() {
  const SourceOptions& options = shared_->options();
  Unsubscribe(true);
  ReportConnected();
  Shared::Loss loss;
  while (!shared_->Stopping() && !shared_->WaitForLoss(Steady::now() + kLook, loss)) {
    if (shared_->QuietFor(Steady::now()) < options.drain_quiet || Steady::now() - connected_at_ < options.drain_quiet) {
      continue;
    }
    connection_->Disconnect(Steady::now() + options.connect_timeout);
    connection_.reset();
    EndSession();
    return;
  }
  connection_.reset();
  if (!shared_->Stopping() && ++drain_losses_ >= kDrainLosses) {
    shared_->Update([&](SourceStatus& status) {
      status.gave_up = true;
      status.reason = "the connection was lost each time, as if the session were in use: " + loss.reason;
    });
  }
}

// MQTT 3.1.1 section 3.1.2.4, MQTT 5 section 3.1.2.4: a clean start takes the place of the session, and ends with its
// connection.
void Supervisor::EndSession() {
  const SourceOptions& options = shared_->options();
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (shared_->endpoints()[i].Shown() != url_) {
      continue;
    }
    for (const Password& password : ReadPasswords(i).list) {
      if (Try(i, protocol_, {password.text, Announced(i), true}).refusal.kind != Refusal::Kind::kNone) {
        continue;
      }
      connection_->Disconnect(Steady::now() + options.connect_timeout);
      connection_.reset();
      options.sessions->Forget(options.client_id, url_);
      options.sessions->Write();
      shared_->Update([](SourceStatus& status) { status.ended = true; });
      return;
    }
  }
}

void Supervisor::OnLoss(const Shared::Loss& loss, Steady::time_point now) {
  const bool lasted = now - connected_at_ >= kLasting;
  failures_ = lasted && !loss.taken_over ? 1 : failures_ + 1;
  stability_.OnLoss(loss.reason, loss.taken_over, connected_at_, now);
  const std::string& cause = stability_.cause();
  const std::string reason = loss.reason + (cause.empty() ? "" : (loss.taken_over ? ": " : "; ") + cause);
  shared_->Update([&](SourceStatus& status) {
    status.state = SourceState::kConnecting;
    status.reason = reason;
    status.protocol.clear();
    status.refused_filters.clear();
    status.qos0_filters.clear();
    status.flapping = stability_.Described();
    status.reasons = ReasonsOf(status);
  });
  Log(LogLevel::kWarning, "source_lost", reason, {{"source", shared_->options().name}});
}

void Supervisor::End() {
  if (connection_ != nullptr && !shared_->Stuck()) {
    connection_->Disconnect(shared_->StopBy());
    Note(Sessions::Life::kEnded);
  }
  if (shared_->Stuck()) {
    static_cast<void>(connection_.release());  // see Open()
  }
  connection_.reset();
  shared_->Update([](SourceStatus& status) {
    status.state = SourceState::kDown;
    status.reason = status.gave_up ? status.reason : "stopped";
    status.protocol.clear();
  });
}

}  // namespace packhorse::ingest
