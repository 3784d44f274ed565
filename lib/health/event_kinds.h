#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace packhorse::health {

// Every event that the daemon can raise, in one table: severity, meaning, and what ends it. An event that is not in it
// does not compile (EventName). docs/RUNBOOK.md has the same table and a section for each, which a test compares.
// Plain constants, any thread.

// How bad it is: docs/RUNBOOK.md says what each level asks for. Open events of P0 to P2 make the bridge degraded, those
// of P3 do not.
enum class Severity : std::uint8_t { kP0, kP1, kP2, kP3 };
std::string_view Name(Severity severity);

// kCondition: something is so until it is not; raised again it is only seen again. kOccurrence: something has happened;
// raised again it has happened once more, which ends an acknowledgement.
enum class EventNature : std::uint8_t { kCondition, kOccurrence };

// What Event::subject names. A condition of a source or destination ends with it.
enum class EventSubject : std::uint8_t { kNone, kSource, kDestination, kOther };

struct EventKind {
  std::string_view name;
  Severity severity;
  EventNature nature;
  EventSubject subject;
  std::chrono::seconds quiet;  // ends by itself after so long without another one; 0: whoever raises it ends it
  std::string_view means;
  std::string_view ends;  // for people; acknowledging is always possible besides
};

// A moment leaves nothing behind that could be looked at later. So it stays open for whoever looks on the next day.
inline constexpr std::chrono::seconds kMoment = std::chrono::hours(24);
inline constexpr std::string_view kADayAfter = "a day after the last time";

// What a device or a broker does again and again.
inline constexpr std::chrono::seconds kMinutes = std::chrono::minutes(10);
inline constexpr std::string_view kMinutesAfter = "ten minutes after the last one";

inline constexpr EventKind Condition(std::string_view name, Severity severity, EventSubject subject,
                                     std::string_view means, std::string_view ends) {
  return {name, severity, EventNature::kCondition, subject, std::chrono::seconds(0), means, ends};
}
inline constexpr EventKind Moment(std::string_view name, Severity severity, std::string_view means) {
  return {name, severity, EventNature::kOccurrence, EventSubject::kOther, kMoment, means, kADayAfter};
}

// Worst first.
inline constexpr std::array kEventKinds = {
    Condition("source_down", Severity::kP0, EventSubject::kSource, "a source is not connected to its broker",
              "when it is connected again"),
    Condition("queue_store_failing", Severity::kP0, EventSubject::kNone, "the queue cannot be written",
              "when the disk takes writes again"),
    Condition("durability_window_exceeded", Severity::kP0, EventSubject::kNone,
              "acknowledged messages wait for the disk much longer than the window", "when the disk answers again"),
    Condition("queue_unreadable", Severity::kP0, EventSubject::kDestination, "stored messages cannot be read back",
              "when the disk can be read again"),
    Moment("queue_salvaged", Severity::kP0, "the queue's database was damaged; what can be read was saved"),
    Moment("queue_replaced", Severity::kP0,
           "the queue's database was removed or replaced while the daemon worked with it"),
    Moment("queue_lost", Severity::kP0, "messages that waited are gone with the queue's database or journal"),
    Condition("destination_held", Severity::kP0, EventSubject::kDestination,
              "a cloud API answers in a way that repeating cannot mend", "when a probe is accepted"),
    Condition("destination_retrying", Severity::kP1, EventSubject::kDestination, "no upload succeeded for five minutes",
              "when one succeeds"),
    Condition("suspects_full", Severity::kP1, EventSubject::kDestination,
              "so many records are set aside that the destination is held", "when fewer than 900 are left"),
    Condition("lane_waits", Severity::kP1, EventSubject::kDestination,
              "a batch does not get through and must neither be split nor overtaken", "when something is accepted"),
    Condition("lane_held_by_time", Severity::kP1, EventSubject::kDestination,
              "a lane waits because the cloud API does not take the time of its next record",
              "when the contract or the configuration takes it"),
    Condition("records_too_old_soon", Severity::kP1, EventSubject::kDestination,
              "records that wait are almost older than the cloud API takes, and are not sent then",
              "when none of them waits any more, or they are too old"),
    Condition("contract_deviation", Severity::kP1, EventSubject::kDestination, "a reply is not as agreed",
              "when a reply is as agreed"),
    Condition("subscription_refused", Severity::kP1, EventSubject::kSource, "the broker refuses topics",
              "when the broker grants them: asked again every minute"),
    Condition("ledger_mismatch", Severity::kP1, EventSubject::kNone, "the ledger does not account for every message",
              "at a start at which it balances"),
    Moment("unclean_boot", Severity::kP1, "the last run ended without warning and left no journal"),
    Moment("session_lost", Severity::kP1, "the broker had forgotten our session: messages are missing"),
    Condition("source_flapping", Severity::kP1, EventSubject::kSource, "connections to a broker do not last",
              "when a connection lasts"),
    Condition("subscription_qos0", Severity::kP1, EventSubject::kSource, "the broker grants only QoS 0",
              "when the broker grants QoS 1: asked again every minute"),
    Condition("secret_unreadable", Severity::kP1, EventSubject::kDestination,
              "a secret cannot be read; the one in use is kept", "when it can be read"),
    Condition("token_unavailable", Severity::kP1, EventSubject::kDestination,
              "the token endpoint gives no token; nothing is refused for it", "when it gives one"),
    Condition("credential_expires_now", Severity::kP1, EventSubject::kOther,
              "a certificate or a token ends within a day, or has ended", "within ten minutes after it is renewed"),
    Condition("queue_nearly_full", Severity::kP1, EventSubject::kNone, "the queue uses 80 % of a limit", "below 75 %"),
    Condition("messages_expire_soon", Severity::kP1, EventSubject::kOther,
              "messages have almost waited for queue.max_age, and are lost then",
              "when they are delivered or have expired"),
    Moment("messages_dropped", Severity::kP1, "messages were lost because the queue is full"),
    Condition("limits_not_enforced", Severity::kP1, EventSubject::kNone, "what is over the limits cannot be found",
              "when the disk can be read again"),
    Moment("records_outside_window", Severity::kP2, "records were not sent: the cloud API does not take their time"),
    Moment("messages_expired", Severity::kP2, "messages waited longer than queue.max_age"),
    Condition("definition_missing", Severity::kP2, EventSubject::kOther,
              "messages wait in quarantine for their stream or its contract",
              "when the stream is configured again, or the release that knows the contract is there"),
    EventKind{"messages_unrouted", Severity::kP2, EventNature::kOccurrence, EventSubject::kSource, kMinutes,
              "messages come that no stream takes", kMinutesAfter},
    Condition("old_session_left", Severity::kP2, EventSubject::kOther,
              "a session of an earlier configuration could not be ended",
              "when it is ended: tried again at the next start"),
    Condition("backlog_left_behind", Severity::kP2, EventSubject::kOther,
              "messages wait for a destination that is not configured any more",
              "when it is configured again, or nothing waits"),
    Condition("no_journal", Severity::kP2, EventSubject::kNone, "each message waits for the disk",
              "at a start at which the journal can be made"),
    Condition("suspects", Severity::kP2, EventSubject::kDestination,
              "records are set aside: the API refuses them, or fails at them, while it takes others",
              "when none is left"),
    Condition("records_refused", Severity::kP2, EventSubject::kDestination,
              "so many records are refused that finding them slows the destination down",
              "ten minutes after the last refusal"),
    Moment("api_contradicts_itself", Severity::kP2,
           "a record was refused while others were accepted, and is accepted later"),
    Condition("rollout_rolled_back", Severity::kP2, EventSubject::kDestination,
              "a newer contract had too many errors, or was given up: everything goes by the present one",
              "when it is advanced again, or taken out of the configuration"),
    Condition("budget_spent", Severity::kP2, EventSubject::kDestination,
              "the bytes that may be sent in this day or month are used up: uploads wait",
              "when the next period begins, or the budget is raised"),
    Condition("reconciliation_gap", Severity::kP2, EventSubject::kOther,
              "a cloud has other records of an hour than were delivered to it, or other values of them",
              "when a later comparison finds both sides equal, or the cloud tells of that hour no more"),
    Condition("credential_expires_soon", Severity::kP2, EventSubject::kOther,
              "a certificate or a token ends within a week", "when it is renewed, or within its last day"),
    Moment("items_refused_unnamed", Severity::kP2,
           "a cloud API refused a part of a request without saying which; it is lost"),
    Moment("unexpected_reply", Severity::kP2, "a reply is not among those that the contract tells of"),
    EventKind{"dead_letters", Severity::kP2, EventNature::kOccurrence, EventSubject::kOther, std::chrono::seconds(0),
              "a cloud API refused records on their own merits", "when the list of dead letters is empty"},
    Condition("config_reload_refused", Severity::kP2, EventSubject::kOther,
              "the changed configuration, or a changed table, cannot be used; the old one is in force",
              "at a reload that is accepted; of a table, when it is mended"),
    Condition("contract_refused", Severity::kP2, EventSubject::kOther,
              "a contract's file has errors; what it said before is in force, where it was read before",
              "at a reload that finds the file mended or gone; of a table, when it is"),
    Condition("clock_unsynchronized", Severity::kP3, EventSubject::kNone, "the gateway's clock may be wrong",
              "when the kernel says that it is right"),
    Condition("device_noisy", Severity::kP3, EventSubject::kOther, "a device sends more than device_rate allows",
              "after a minute without another message over the rate"),
    Condition("session_expiry_short", Severity::kP3, EventSubject::kSource,
              "the broker keeps our session for a shorter time than session_expiry",
              "when it grants what is asked for"),
    EventKind{"published_at_qos0", Severity::kP3, EventNature::kOccurrence, EventSubject::kOther, kMinutes,
              "devices publish without acknowledgement", kMinutesAfter},
    Condition("old_session", Severity::kP3, EventSubject::kOther,
              "a session of an earlier configuration is emptied and ended", "when it is ended"),
    Condition("retention_shortened", Severity::kP3, EventSubject::kNone,
              "delivered messages were let go before retain_delivered was over", "at the next start"),
    Moment("clock_learnt", Severity::kP3, "the clock is right for the first time since the machine started"),
    Moment("clock_stepped", Severity::kP3, "the clock was set, by more than a second at once"),
    Moment("quarantined", Severity::kP3, "a payload could not be decoded"),
    Moment("replay_refused", Severity::kP3, "records that were sent again on request were refused"),
    Condition("credential_expires", Severity::kP3, EventSubject::kOther, "a certificate or a token ends within 30 days",
              "when it is renewed, or within its last week"),
    Condition("rollout_finished", Severity::kP3, EventSubject::kDestination,
              "a newer contract has all devices, and the configuration still names the one before",
              "when the configuration names it"),
    Condition("api_deprecated", Severity::kP3, EventSubject::kDestination,
              "a cloud API announced that what we use will end", "when it accepts something without saying so"),
    Condition("reconciliation_failed", Severity::kP3, EventSubject::kDestination,
              "what a cloud has could not be compared with what was delivered",
              "when it can be: tried again every hour"),
    Moment("items_left_out", Severity::kP3, "parts of records were left out: the cloud API cannot take them"),
    Moment("odd_reply", Severity::kP3, "a reply was taken although something about it is wrong"),
};

// Its place in the table; the table's size when there is none of that name.
constexpr std::size_t PlaceOfEvent(std::string_view name) {
  std::size_t place = 0;
  while (place < kEventKinds.size() && kEventKinds[place].name != name) {
    ++place;
  }
  return place;
}
// Null when there is none of that name.
constexpr const EventKind* FindEventKind(std::string_view name) {
  const std::size_t place = PlaceOfEvent(name);
  return place < kEventKinds.size() ? &kEventKinds[place] : nullptr;
}

// The name of an event, from a literal. A call to this function in a compiler's message means: enter the event in
// kEventKinds and in docs/RUNBOOK.md.
void TheEventIsNotInTheTable();

class EventName {
 public:
  template <std::size_t Size>
  // NOLINTNEXTLINE(google-explicit-constructor,*-avoid-c-arrays): a literal stands for its event.
  consteval EventName(const char (&name)[Size]) : place_(PlaceOfEvent(std::string_view(name, Size - 1))) {
    if (place_ == kEventKinds.size()) {
      TheEventIsNotInTheTable();
    }
  }
  constexpr const EventKind& kind() const { return kEventKinds[place_]; }
  constexpr std::string_view text() const { return kind().name; }

 private:
  std::size_t place_;  // not a pointer: with UBSan GCC 12 does not compare one with null in a constant expression
};

}  // namespace packhorse::health
