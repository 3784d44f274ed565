// What people see of single messages in the queue: where one went, what is in quarantine, what waits.

#include "base/units.h"
#include "packhorse/json_view.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

// What a batch of the log was, for the end of a sentence.
std::string BatchWords(const JsonView& batch) {
  std::string text = "batch " + batch["idempotency_key"].Shown() + ", HTTP status " + batch["http_status"].Shown();
  const std::uint64_t attempts = batch["attempts"].Count();
  text += attempts > 1 ? ", " + Grouped(attempts) + " attempts" : "";
  text += batch["possible_duplicate"].Flag() ? ", perhaps twice" : "";
  const std::string request = batch["provider_request_id"].Shown();
  text += request.empty() ? "" : ", request id " + request;
  const std::string trace = batch["trace_id"].Shown();
  return text + (trace.empty() ? "" : ", trace " + trace);
}

std::string RangeWords(const JsonView& batch) {
  const std::uint64_t span = batch["last_sequence"].Count() - batch["first_sequence"].Count() + 1;
  return "its batch carried " + Grouped(batch["messages"].Count()) + " of the " + Grouped(span) + " numbers from " +
         batch["first_sequence"].Shown() + " to " + batch["last_sequence"].Shown();
}

std::string LetterWords(const JsonView& letter, WallTime now) {
  std::string text = "refused " + When(letter["died_at"], now) + ", HTTP status " + letter["http_status"].Shown() +
                     ": " + letter["reason"].Shown();
  text += letter["detail"].Text().empty() ? "" : ", " + letter["detail"].Shown();
  const std::string request = letter["provider_request_id"].Shown();
  text += request.empty() ? "" : "; request id " + request;
  return text + "; packhorse dead show " + letter["id"].Shown();
}

std::string SuspectWords(const JsonView& suspect, WallTime now) {
  std::string text = "set aside " + When(suspect["set_aside_at"], now) + ", refused " +
                     Grouped(suspect["refusals"].Count()) + " times, HTTP status " + suspect["http_status"].Shown() +
                     ": " + suspect["reason"].Shown();
  text += suspect["detail"].Text().empty() ? "" : ", " + suspect["detail"].Shown();
  text += suspect["retrying"].Flag() ? "; on its way again" : "; it is tried again now and then";
  return text + "; packhorse dead show " + suspect["id"].Shown();
}

// By what the log of settled batches says.
std::string LogWords(const JsonView& place, const std::string& state, WallTime now) {
  const std::vector<JsonView> settled = place["settled"].Items();
  if (settled.empty()) {
    return "ended; how is not known any more: outside the log of settled batches";
  }
  const JsonView& newest = settled.front();
  std::string text = When(newest["settled_at"], now) + ": " + BatchWords(newest);
  if (!place["certain"].Flag()) {
    text += "; " + RangeWords(newest) + ", perhaps not this one";
  }
  if (state == "delivered") {
    return (place["certain"].Flag() ? "delivered " : "probably delivered ") + text;
  }
  const std::string why = "; dead letters of that batch are no longer kept";
  return (state == "rejected" ? "refused " : "delivered or refused ") + text + why;
}

// Why a message was given up, in words.
std::string WhyGivenUp(const std::string& reason) {
  if (reason == "max_age") {
    return "it was older than queue.max_age";
  }
  if (reason == "max_bytes" || reason == "max_records") {
    return "the queue was over queue." + reason;
  }
  return reason;
}

std::string GivenUpWords(const JsonView& place, const std::string& state, WallTime now) {
  const JsonView range = place["given_up"];
  const bool moment = range["from_at"].Shown() == range["until_at"].Shown();
  return (place["certain"].Flag() ? "" : "probably ") + state + " " +
         (moment ? "" : "between " + When(range["from_at"], now) + " and ") + When(range["until_at"], now) + ": " +
         WhyGivenUp(range["reason"].Shown()) + "; " + Grouped(range["messages"].Count()) + " went, of the numbers " +
         range["first_sequence"].Shown() + " to " + range["last_sequence"].Shown();
}

std::vector<std::string> PlaceWords(const JsonView& place, WallTime now) {
  const std::string state = place["state"].Text();
  std::vector<std::string> lines;
  if (state == "waiting") {
    lines.emplace_back("waiting: in no batch yet, not sent");
  }
  if (state == "quarantined") {
    lines.emplace_back("quarantined, nothing was sent");
  }
  for (const JsonView& batch : place["batches"].Items()) {
    lines.push_back("in batch " + batch["idempotency_key"].Shown() + " of " + Grouped(batch["records"].Count()) +
                    " records, prepared " + When(batch["frozen_at"], now) + ", which is being sent or waits its turn" +
                    (batch["replayed"].Flag() ? "; it was refused before and is sent again" : ""));
  }
  for (const JsonView& letter : place["dead"].Items()) {
    lines.push_back(LetterWords(letter, now));
  }
  if (state == "expired" || state == "dropped") {
    lines.push_back(GivenUpWords(place, state, now));
  }
  for (const JsonView& suspect : place["set_aside"].Items()) {
    lines.push_back(SuspectWords(suspect, now));
  }
  if (lines.empty()) {
    lines.push_back(LogWords(place, state, now));
  }
  for (const JsonView& batch : place["replayed"].Items()) {
    lines.push_back("sent again by replay " + batch["replay"].Shown() + " " + When(batch["settled_at"], now) + ": " +
                    BatchWords(batch) + "; " + RangeWords(batch));
  }
  return lines;
}

// How the beginning of a payload is shown below an entry of a list.
std::string PayloadLine(const JsonView& entry) {
  constexpr std::size_t kColumns = 60;
  std::string start = entry["payload_start"].Shown();
  if (start.size() > kColumns) {
    start.resize(kColumns);
    while (!start.empty() && (static_cast<unsigned char>(start.back()) & 0x80U) != 0) {
      start.pop_back();  // no half characters
    }
    start += "...";
  }
  return "      " + FormatBytes(entry["payload_bytes"].Count()) +
         (entry["payload_encoding"].Text() == "hex" ? ", hex: " : ": ") + start + "\n";
}

}  // namespace

bool WhereKnown(const std::string& json) {
  const JsonView where(json);
  return where["quarantined"].Exists() || !where["destinations"].Items().empty();
}

std::string WhereText(const std::string& json, const Style& style, WallTime now) {
  const JsonView where(json);
  std::string text = style.Title("record " + where["record_id"].Shown()) + "\n";
  if (!where["given"].Flag()) {
    const std::uint64_t last = where["last_sequence"].Count();
    const std::string lane = "lane " + where["lane"].Shown();
    return text + Wrap("this number was never given: " +
                           (last == 0 ? lane + " has had no message yet"
                                      : "the last one of " + lane + " is " + std::to_string(last)),
                       "  ", 2);
  }
  text += Field("stream", where["stream"].Shown());
  text += Field("topic", where["topic"].Shown());
  text += where["server_received_at"].Exists() ? Field("received", When(where["server_received_at"], now)) : "";
  const JsonView quarantined = where["quarantined"];
  if (quarantined.Exists()) {
    text += Field("quarantined", When(quarantined["at"], now) + ": " + quarantined["reason"].Shown() + ", " +
                                     quarantined["detail"].Shown());
  }
  for (const JsonView& place : where["destinations"].Items()) {
    for (const std::string& line : PlaceWords(place, now)) {
      text += Field(place["name"].Shown(), line);
    }
  }
  if (WhereKnown(json)) {
    return text;
  }
  const JsonView log = where["log"];
  const std::string reach = log["batches"].Count() == 0 ? "which is empty"
                                                        : "which holds the last " + Grouped(log["batches"].Count()) +
                                                              ", since " + When(log["since"], now);
  return text + Wrap(
                    "not known any more: it does not wait, is no dead letter and not in quarantine, and it is outside "
                    "the log of settled batches, " +
                        reach +
                        ". Either it was delivered before that, or it ended "
                        "without an upload (dropped, deduplicated, expired, skipped, ignored), or a power cut skipped "
                        "its number. "
                        "`packhorse ledger` counts every ending.",
                    "  ", 2);
}

std::string FromFileText(const std::string& json, const Style& style) {
  const JsonView file = JsonView(json)["from_file"];
  if (!file.Exists()) {
    return "";
  }
  std::string text = Wrap("from the file " + file["path"].Shown() + "; packhorsed is not running", "", 2);
  if (!file["journal_problem"].Text().empty()) {
    text += Wrap("the journal cannot be read, what only it holds is not shown: " + file["journal_problem"].Shown(),
                 style.Warning("  ! "), 4);
  } else if (file["journal_operations"].Count() > 0) {
    text += Wrap("not shown: the last " + Grouped(file["journal_operations"].Count()) + " operations (" +
                     FormatBytes(file["journal_bytes"].Count()) +
                     ") before packhorsed ended, which only the journal has; the next start takes them in",
                 style.Warning("  ! "), 4);
  }
  return text;
}

bool RetryComplete(const std::string& json) {
  const JsonView report(json);
  return report["still_quarantined"].Count() == 0 && !report["remaining"].Flag();
}

std::string RetryText(const std::string& json, const Style& style) {
  const JsonView report(json);
  std::string text = Grouped(report["retried"].Count()) + " messages taken out of quarantine, to be sent\n";
  if (const std::uint64_t ended = report["nothing_to_upload"].Count(); ended > 0) {
    text += Grouped(ended) + " have nothing to upload\n";
  }
  if (const std::uint64_t stay = report["still_quarantined"].Count(); stay > 0) {
    text +=
        Wrap(style.Bad(Grouped(stay) + " stay") + ", the first because of " + report["still_because"].Shown(), "", 2);
  }
  return text + (report["remaining"].Flag() ? "there are more: run the command again\n" : "");
}

std::string QuarantineText(const std::string& json, const Style& style, WallTime now) {
  const JsonView list(json);
  const std::vector<JsonView> entries = list["quarantined"].Items();
  if (entries.empty()) {
    return "nothing in quarantine\n";
  }
  std::string text;
  for (const JsonView& entry : entries) {
    text += "  " + style.Title(entry["record_id"].Shown()) + "  " + When(entry["at"], now) + "  " +
            entry["stream"].Shown() + "  " + style.Bad(entry["reason"].Shown()) + "\n";
    text += entry["detail"].Text().empty() ? "" : Wrap(entry["detail"].Shown(), "      ", 6);
    text += "      topic " + entry["topic"].Shown() + "\n" + PayloadLine(entry);
  }
  if (list["more"].Flag()) {
    text += "  there are more: packhorse queue quarantine --after " + entries.back()["sequence"].Shown() + "\n";
  }
  return text +
         "  try a payload: packhorse decode --topic TOPIC < payload\n"
         "  decode them again: packhorse queue quarantine retry\n";
}

bool VerifyOk(const std::string& json) { return JsonView(json)["ok"].Flag(); }

std::string VerifyText(const std::string& json, const Style& style) {
  const JsonView report(json);
  const auto count = [&](const char* name, const char* one, const char* many) {
    const std::uint64_t number = report[name].Count();
    return Grouped(number) + " " + (number == 1 ? one : many);
  };
  std::string text = Wrap(
      "looked at " + count("segments", "segment", "segments") + " with " + count("messages", "message", "messages") +
          " (" + FormatBytes(report["payload_bytes"].Count()) + "), " + count("batches", "batch", "batches") + ", " +
          count("dead_letters", "dead letter", "dead letters") + ", " + count("suspects", "suspect", "suspects") +
          " and " + count("quarantined", "message", "messages") + " in quarantine, and counted all again",
      "", 2);
  const std::vector<JsonView> problems = report["problems"].Items();
  for (const JsonView& problem : problems) {
    text += Wrap(problem.Shown(), style.Bad("  ! "), 4);
  }
  if (report["problem_count"].Count() > problems.size()) {
    text += "  ... and " + Grouped(report["problem_count"].Count() - problems.size()) + " more\n";
  }
  if (VerifyOk(json)) {
    return text + style.Good("  no problem found") + "\n";
  }
  return text + Wrap(
                    "keep a copy of the queue's folder before anything else; see queue_damaged and ledger_mismatch in "
                    "RUNBOOK.md",
                    "  > ", 4);
}

bool FlushComplete(const std::string& json) { return JsonView(json)["complete"].Flag(); }

std::string FlushText(const std::string& json, const Style& style) {
  const JsonView flush(json);
  std::string text;
  for (const JsonView& part : flush["destinations"].Items()) {
    const std::string name = part["name"].Shown();
    if (part["complete"].Flag()) {
      text += style.Good("  " + name) + ": nothing of what waited is pending any more\n";
      continue;
    }
    const std::string state = part["state"].Text();
    std::string line = name + ": " + Grouped(part["pending"].Count()) + " still pending";
    line +=
        state == "ok" ? " after " + Span(std::chrono::seconds(flush["waited_ms"].Count() / 1'000)) : ", it is " + state;
    line += part["reason"].Text().empty() ? "" : ": " + part["reason"].Shown();
    line += state == "paused" ? "; go on: packhorse resume " + name : "";
    text += Wrap(line, style.Bad("  ! "), 4);
  }
  if (!flush["folded"].Flag()) {
    text += Wrap("not everything is on the disk yet: packhorse status says why", style.Bad("  ! "), 4);
  }
  return text;
}

std::string PeekText(const std::string& json, const Style& style, WallTime now) {
  std::string text;
  for (const JsonView& part : JsonView(json)["waiting"].Items()) {
    text += style.Title(part["destination"].Shown() + ", lane " + part["lane"].Shown()) + ": " +
            Grouped(part["messages"].Count()) + " waiting, the next first\n";
    for (const JsonView& entry : part["next"].Items()) {
      text += "  " + entry["record_id"].Shown() + "  " + When(entry["server_received_at"], now) + "  " +
              entry["topic"].Shown() + "\n" + PayloadLine(entry);
    }
  }
  return text.empty() ? "nothing waits outside of batches\n" : text;
}

}  // namespace packhorse::cli
