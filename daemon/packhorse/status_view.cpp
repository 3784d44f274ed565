#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "base/units.h"
#include "health/event_kinds.h"
#include "packhorse/json_view.h"
#include "packhorse/views.h"
#include "queue/values/ledger.h"

// `packhorse status`: the verdict, why, what to do; then the stations in the order in which a message passes them.

namespace packhorse::cli {
namespace {

bool Contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// What to do about a destination that is not ok; empty when it heals by itself.
std::string DestinationHint(const JsonView& destination) {
  const std::string state = destination["state"].Text();
  const std::string reason = destination["reason"].Text();
  if (state == "paused") {
    return "go on: packhorse resume " + destination["name"].Shown();
  }
  if (state != "held") {
    return "";
  }
  const bool secret = Contains(reason, "401") || Contains(reason, "403");
  return std::string(secret ? "check its token or key" : "check its url and contract") +
         " in the configuration, then: packhorse reload";
}

// What has happened stays open for whoever looks later; who has seen it may say so.
std::string EventHint(const JsonView& event) {
  if (event["name"].Text() == "contract_refused") {
    const bool table = event["subject"].Text().starts_with("tables/");
    return "mend " + event["subject"].Shown() + ": packhorse check names every mistake" +
           (table ? "; it is taken over by itself" : ", then: packhorse reload");
  }
  const health::EventKind* kind = health::FindEventKind(event["name"].Text());
  const bool happened = kind != nullptr && kind->nature == health::EventNature::kOccurrence;
  if (!happened || kind->severity > health::Severity::kP2 || event["acknowledged_at"].Exists()) {
    return "";
  }
  return "seen? then: packhorse events ack " + event["name"].Shown() +
         (event["subject"].Text().empty() ? "" : " " + event["subject"].Shown());
}

// What is open and no reason any more, because somebody knows.
std::string AcknowledgedLines(const JsonView& status, WallTime now) {
  std::string text;
  for (const JsonView& event : status["events"].Items()) {
    if (const auto at = event["acknowledged_at"].Time()) {
      text += Wrap(event["severity"].Shown() + " " + event["name"].Shown() +
                       (event["subject"].Text().empty() ? "" : " '" + event["subject"].Shown() + "'") +
                       ", acknowledged " + LocalTime(*at, now),
                   "  = ", 4);
    }
  }
  return text;
}

std::vector<std::string> Hints(const JsonView& status) {
  std::vector<std::string> hints;
  for (const JsonView& destination : status["destinations"].Items()) {
    if (std::string hint = DestinationHint(destination); !hint.empty()) {
      hints.push_back("destination " + destination["name"].Shown() + ": " + hint);
    }
  }
  for (const JsonView& source : status["sources"].Items()) {
    if (source["state"].Text() == "down") {
      hints.push_back("source " + source["name"].Shown() + " at " + source["url"].Shown() + ": " +
                      source["advice"].Shown());
    }
    if (!source["refused_filters"].Items().empty()) {
      hints.push_back("source " + source["name"].Shown() + ": allow its user these topics in the broker");
    }
  }
  if (status["queue"]["dead_letters"].Count() > 0) {
    hints.emplace_back("records were refused by a cloud API: packhorse dead list");
  }
  if (status["queue"]["suspects"].Count() > 0) {
    hints.emplace_back("records are set aside and tried again now and then: packhorse dead list");
  }
  for (const JsonView& event : status["events"].Items()) {
    if (std::string hint = EventHint(event); !hint.empty()) {
      hints.push_back(std::move(hint));
    }
  }
  return hints;
}

std::string AgeText(WallTime since, WallTime now) {
  return Span(std::chrono::duration_cast<std::chrono::seconds>(now - since));
}

// Nothing while the clock is as it should be.
std::string ClockLine(const JsonView& status) {
  if (status["boot_clock"]["withholds"].Flag()) {
    return Wrap("the gateway's clock is not right yet; what arrived since the machine started waits for it, a while",
                "  CLOCK  ", 9);
  }
  if (status["clock"].Text() == "unsynchronized") {
    return Wrap("the kernel does not know the gateway's clock to be right: is a time service running? (timedatectl)",
                "  CLOCK  ", 9);
  }
  return "";
}

std::string SourceLines(const JsonView& status, const Style& style, WallTime now) {
  Table table({"SOURCE", "STATE", "FOR", "RECEIVED", "UNROUTED", "BROKER"});
  for (const JsonView& source : status["sources"].Items()) {
    const auto since = source["since"].Time();
    table.Add({source["name"].Shown(), style.State(source["state"].Text()), since ? AgeText(*since, now) : "-",
               Grouped(source["received"].Count()), Grouped(source["unrouted"].Count()),
               Shorten(source["url"].Shown(), 30)});
  }
  return table.Text(style);
}

std::string StreamLines(const JsonView& status, const Style& style) {
  Table table({"STREAM", "LANE", "RECEIVED", "PENDING", "TOPICS"});
  for (const JsonView& stream : status["streams"].Items()) {
    std::string topics;
    for (const JsonView& topic : stream["topics"].Items()) {
      topics += (topics.empty() ? "" : ", ") + topic.Shown();
    }
    table.Add({stream["name"].Shown(), stream["lane"].Shown(), Grouped(stream["received"].Count()),
               Grouped(stream["pending"].Count()), Shorten(topics, 40)});
  }
  return table.Text(style);
}

// Nothing is to be known of it as long as nobody looks and nobody missed anything.
std::string ObserverLine(const JsonView& observer) {
  if (observer["followers"].Count() == 0 && observer["shed"].Count() == 0) {
    return "";
  }
  return "observer   " + Grouped(observer["followers"].Count()) + " following, " +
         Grouped(observer["observed"].Count()) + " messages shown, " + Grouped(observer["shed"].Count()) +
         " not shown for want of time\n";
}

std::string QueueLine(const JsonView& queue, WallTime now) {
  std::string text = Grouped(queue["messages"].Count()) + (queue["messages"].Count() == 1 ? " message" : " messages") +
                     " stored, " + FormatBytes(queue["bytes"].Count());
  if (queue["max_bytes"].Count() > 0) {
    text += " of " + FormatBytes(queue["max_bytes"].Count());
  }
  if (!queue["full"].Text().empty()) {
    text += " (full: " + queue["full"].Shown() + ")";
  }
  if (const auto oldest = queue["oldest_at"].Time()) {
    text += ", oldest " + AgeText(*oldest, now);
  }
  if (const std::uint64_t retained = queue["retained_messages"].Count(); retained > 0) {
    text += "; besides " + Grouped(retained) + " kept for replays, " + FormatBytes(queue["retained_bytes"].Count());
  }
  text += "; a power cut would cost " + Grouped(queue["at_risk"].Count());
  text += "; dead letters " + Grouped(queue["dead_letters"].Count());
  if (queue["suspects"].Count() > 0) {
    text += "; set aside " + Grouped(queue["suspects"].Count());
  }
  text += ", quarantined " + Grouped(queue["quarantined"].Count());
  return Wrap(text, "  QUEUE  ", 9);
}

std::string LatencyOf(const JsonView& destination, const char* name) {
  const auto value = destination[name].Number();
  return value ? Latency(*value) : "-";
}

// How long what an outage left will take; nothing while there is none.
std::string BacklogLine(const JsonView& destination) {
  const std::uint64_t messages = destination["backlog"].Count();
  if (messages == 0) {
    return "";
  }
  const auto eta = destination["backlog_eta_s"].Number();
  return "    " + destination["name"].Shown() + ": backlog of " + Grouped(messages) +
         (messages == 1 ? " message, " : " messages, ") +
         (eta ? "gone in about " + Span(std::chrono::seconds(static_cast<std::int64_t>(*eta)))
              : "time unknown: none of it went in the last minute") +
         (destination["suspects"].Count() > 0 ? "; besides " + Grouped(destination["suspects"].Count()) + " set aside"
                                              : "") +
         "\n";
}

std::string RateText(double per_second) {
  std::array<char, 32> number{};
  std::snprintf(number.data(), number.size(), "%.3g", per_second >= 1 ? per_second : per_second * 60);
  return std::string(number.data()) + " requests per " + (per_second >= 1 ? "second" : "minute");
}

// When the next request goes. Where nothing is wrong a wait of less than a second is the pace that is meant.
std::string NextAttemptLine(const JsonView& destination) {
  static const std::map<std::string, std::string> kWords = {{"configured_limit", "by the configured limits"},
                                                            {"shared_limit", "by a limit that is shared"},
                                                            {"announced_limit", "by what the API announces"},
                                                            {"first_reply", "after the reply to the first one"},
                                                            {"learnt_rate", "at the rate that was learnt of the API"},
                                                            {"budget", "when the next period of the budget begins"}};
  const auto wait = destination["next_attempt_in_ms"].Number();
  if (!wait || (destination["state"].Text() == "ok" && *wait < 1'000)) {
    return "";
  }
  const auto words = kWords.find(destination["waits_for"].Text());
  const std::string time = *wait < 60'000
                               ? Latency(std::max(*wait, 0.0))
                               : FormatDuration(std::chrono::seconds(static_cast<std::int64_t>(*wait / 1'000)));
  return "    " + destination["name"].Shown() + ": next attempt in " + time +
         (words == kWords.end() ? "" : ", " + words->second) + "\n";
}

// What is really on its way, where anything is.
std::string OnTheirWayLine(const JsonView& destination) {
  const std::uint64_t requests = destination["requests_in_flight"].Count();
  if (requests == 0) {
    return "";
  }
  return "    " + destination["name"].Shown() + ": " + Grouped(requests) + (requests == 1 ? " request" : " requests") +
         " on the way, of at most " + Grouped(destination["max_in_flight"].Count()) + "\n";
}

// What the API bears, as its refusals have shown.
std::string LearntRateLine(const JsonView& destination) {
  const double rate = destination["learnt_requests_per_second"].Number().value_or(0);
  if (rate <= 0) {
    return "";
  }
  return "    " + destination["name"].Shown() + ": " + RateText(rate) + ", as the API refused more\n";
}

// How many requests at once the API bears. Where nothing is known they begin with four, or the maximum.
std::string LearntInFlightLine(const JsonView& destination) {
  constexpr std::uint64_t kFirstInFlight = 4;
  const std::uint64_t refused_above = destination["learnt_max_in_flight"].Count();
  const std::uint64_t now = destination["learnt_in_flight"].Count();
  if (refused_above == 0 && now >= std::min(kFirstInFlight, destination["max_in_flight"].Count())) {
    return "";
  }
  const std::uint64_t shown = refused_above > 0 ? refused_above : now;
  return "    " + destination["name"].Shown() + (refused_above > 0 ? ": at most " : ": ") + Grouped(shown) +
         (shown == 1 ? " request" : " requests") + " at once, as " +
         (refused_above > 0 ? "the API refused more\n" : "more were refused or slower\n");
}

// What the API says of its limits.
std::string AnnouncedLines(const JsonView& destination, WallTime now) {
  std::string text;
  for (const JsonView& limit : destination["announced_limits"].Items()) {
    const auto amount = [&](const char* name) {
      return limit["unit"].Text() == "bytes" ? FormatBytes(limit[name].Count()) : Grouped(limit[name].Count());
    };
    const std::string unit = limit["unit"].Text() == "bytes" ? "" : " " + limit["unit"].Shown();
    text += "    " + destination["name"].Shown() + ": the API announces ";
    text += limit["count"].Exists() ? amount("count") + unit : "a limit of " + limit["unit"].Shown();
    text += limit["at_once"].Flag() ? " at once" : "";
    if (limit["per_s"].Exists()) {
      text += " per " + FormatDuration(std::chrono::seconds(limit["per_s"].Count()));
    }
    if (const auto resets = limit["resets_at"].Time(); resets && limit["left"].Exists()) {
      text += ", " + amount("left") + " left until " + LocalTime(*resets, now);
    }
    text += "\n";
  }
  return text;
}

// What was learnt of how large a batch may be.
std::string LearntLine(const JsonView& destination) {
  const std::uint64_t records = destination["learnt_max_records"].Count();
  const std::uint64_t bytes = destination["learnt_max_bytes"].Count();
  if (records == 0 && bytes == 0) {
    return "";
  }
  return "    " + destination["name"].Shown() + ": batches of at most" +
         (records > 0 ? " " + Grouped(records) + " records" : "") + (records > 0 && bytes > 0 ? " and" : "") +
         (bytes > 0 ? " " + FormatBytes(bytes) : "") + ", as larger ones did not get through\n";
}

// What the API says of its own end.
std::string DeprecationLine(const JsonView& destination) {
  const std::string words = destination["deprecation"]["text"].Shown();
  return words.empty() ? "" : Wrap(destination["name"].Shown() + ": " + words, "    ", 6);
}

// What a link costs: how much of it is used, and which lanes wait for a cheaper time.
std::string CostLines(const JsonView& destination, WallTime now) {
  std::string text;
  const JsonView budget = destination["budget"];
  if (budget["bytes"].Exists()) {
    text += "    " + destination["name"].Shown() + ": " + FormatBytes(budget["used"].Count()) + " of " +
            FormatBytes(budget["bytes"].Count()) + " sent this " + budget["per"].Shown();
    if (const auto ends = budget["ends_at"].Time()) {
      text += ", until " + LocalTime(*ends, now);
    }
    text += "\n";
  }
  for (const JsonView& closed : destination["closed_lanes"].Items()) {
    const auto opens = closed["opens_at"].Time();
    text += "    " + destination["name"].Shown() + ": lane " + closed["lane"].Shown() + " waits for its window" +
            (opens ? ", until " + LocalTime(*opens, now) : "") + "\n";
  }
  return text;
}

std::string ShadowLines(const JsonView& status) {
  std::string text;
  for (const JsonView& shadow : status["shadows"].Items()) {
    const std::uint64_t missed = shadow["missed"].Count();
    const std::string words = shadow["last_words"].Shown();
    const std::string state = shadow["state"].Text();
    text += Wrap("shadow " + shadow["name"].Shown() + ": " + Grouped(shadow["accepted"].Count()) +
                     " records accepted, " + Grouped(shadow["refused"].Count()) + " refused" +
                     (missed > 0 ? ", " + Grouped(missed) + " messages missed" : "") +
                     (words.empty() ? "" : "; the last refusal: " + words) +
                     (state == "ok" ? "" : "; " + state + ": " + shadow["reason"].Shown()),
                 "    ", 6);
  }
  return text;
}

std::string DestinationLines(const JsonView& status, const Style& style, WallTime now) {
  Table table({"DESTINATION", "STATE", "FOR", "PENDING", "PREPARED", "P50", "P95", "P99"});
  for (const JsonView& destination : status["destinations"].Items()) {
    const auto since = destination["since"].Time();
    table.Add({destination["name"].Shown(), style.State(destination["state"].Text()),
               since ? AgeText(*since, now) : "-", Grouped(destination["pending"].Count()),
               Grouped(destination["in_flight"].Count()), LatencyOf(destination, "p50_ms"),
               LatencyOf(destination, "p95_ms"), LatencyOf(destination, "p99_ms")});
  }
  std::string text = table.Text(style);
  for (const JsonView& destination : status["destinations"].Items()) {
    text += NextAttemptLine(destination);
    if (destination["state"].Text() == "ok") {
      for (const JsonView& reason : destination["reasons"].Items()) {
        text += Wrap(HumaniseTimes(reason.Shown(), now), "    ", 6);
      }
    }
    text += OnTheirWayLine(destination) + BacklogLine(destination);
    text += LearntLine(destination) + LearntRateLine(destination) + LearntInFlightLine(destination) +
            AnnouncedLines(destination, now);
    text += DeprecationLine(destination);
    text += CostLines(destination, now);
    text += RunningReplays(status, destination["name"].Text());
    if (const std::string rollout = RolloutLine(destination["rollout"]); !rollout.empty()) {
      text += Wrap(destination["name"].Shown() + ": " + rollout, "    ", 6);
    }
  }
  text += ShadowLines(status);
  for (const auto& [name, messages] : status["left_behind"].Members()) {
    text += "    " + name + ": not configured any more, keeps " + Grouped(messages.Count()) + " unsent\n";
  }
  return text;
}

std::string LedgerLine(const JsonView& ledger, const Style& style) {
  std::string text = "received " + Grouped(ledger["received"].Count()) + " =";
  const char* plus = " ";
  for (const queue::LedgerCounter& counter : queue::kLedgerCounters) {
    const std::string name(Name(counter.outcome));
    const std::uint64_t count = ledger[name.c_str()].Count();
    if (count > 0 || counter.outcome == Outcome::kDelivered) {
      text += plus + name + " " + Grouped(count);
      plus = " + ";
    }
  }
  text += " + pending " + Grouped(ledger["pending"].Count());
  text += "; unrouted " + Grouped(ledger["unrouted"].Count()) + "; ";
  text += ledger["balanced"].Flag() ? style.Good("balanced") : style.Bad("NOT BALANCED");
  return Wrap(text, "  LEDGER  ", 10);
}

}  // namespace

std::string StateOf(const std::string& status_json) { return JsonView(status_json)["state"].Text(); }

std::string VersionOf(const std::string& json) { return JsonView(json)["version"].Shown(); }

std::string ForgottenText(const std::string& json) {
  std::string text;
  const JsonView answer(json);
  for (const JsonView& forgotten : answer["forgotten"].Items()) {
    const double rate = forgotten["requests_per_second"].Number().value_or(0);
    const std::uint64_t announced = forgotten["announced_limits"].Count();
    text += "    " + forgotten["destination"].Shown() + ": forgotten: ";
    text += rate > 0 ? "the learnt rate of " + RateText(rate) : "";
    text += rate > 0 && announced > 0 ? " and " : "";
    text += announced > 0 ? Grouped(announced) + " announced limit" + (announced == 1 ? "" : "s") : "";
    text += "\n";
  }
  return text;
}

std::string StatusText(const std::string& json, const Style& style, WallTime now) {
  const JsonView status(json);
  std::string text =
      style.Title("packhorse " + status["version"].Shown() + ", gateway " + status["gateway"]["id"].Shown()) + ": " +
      style.State(status["state"].Shown());
  if (const auto started = status["started_at"].Time()) {
    text += ", running since " + SinceText(*started, now);
  }
  text += "\n";
  for (const JsonView& reason : status["reasons"].Items()) {
    text += Wrap(HumaniseTimes(reason.Shown(), now), style.Bad("  ! "), 4);
  }
  for (const std::string& hint : Hints(status)) {
    text += Wrap(hint, "  > ", 4);
  }
  text += AcknowledgedLines(status, now);
  text += ClockLine(status);
  text += "\n" + SourceLines(status, style, now) + "\n" + StreamLines(status, style) + "\n" +
          QueueLine(status["queue"], now) + ObserverLine(status["observer"]) + "\n" +
          DestinationLines(status, style, now) + "\n" + LedgerLine(status["ledger"], style);
  return text;
}

}  // namespace packhorse::cli
