#include "packhorse/views.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "packhorse/json_view.h"

namespace packhorse::cli {
namespace {

std::string Join(const std::vector<JsonView>& items) {
  std::string text;
  for (const JsonView& item : items) {
    text += (text.empty() ? "" : ", ") + item.Shown();
  }
  return text;
}

// `value` of a measurement with its unit; an attribute is the value itself.
std::string ValueText(const JsonView& value) {
  if (!value["value"].Exists() && value.Members().empty()) {
    return value.Shown();
  }
  const std::string unit = value["unit"].Shown();
  return value["value"].Shown() + (unit.empty() ? "" : " " + unit);
}

// "1 GiB (12 % used), 30 days; then drop_oldest"
std::string LimitsText(const JsonView& queue) {
  const auto used = [](std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? std::string() : " (" + std::to_string(part * 100 / whole) + " % used)";
  };
  const std::uint64_t bytes = queue["max_bytes"].Count();
  const std::uint64_t messages = queue["max_records"].Count();
  std::string text = FormatBytes(bytes) + used(queue["bytes"].Count(), bytes);
  if (messages > 0) {
    text += ", " + Grouped(messages) + " messages for a destination" + used(queue["waiting"].Count(), messages);
  }
  text += ", " + FormatDuration(std::chrono::seconds(queue["max_age_s"].Count()));
  const JsonView overflow = queue["overflow"];
  const std::string normal = overflow["normal"].Shown();
  const bool same = overflow["urgent"].Shown() == normal && overflow["bulk"].Shown() == normal;
  return text + "; when full " +
         (same ? normal
               : "urgent " + overflow["urgent"].Shown() + ", normal " + normal + ", bulk " + overflow["bulk"].Shown());
}

}  // namespace

std::string QueueText(const std::string& json, const Style& style, WallTime now) {
  const JsonView queue(json);
  std::string text = style.Title("queue " + queue["id"].Shown() + " in " + queue["path"].Shown()) + "\n";
  if (!queue["last_error"].Text().empty()) {
    text += Wrap("cannot be written since " + When(queue["failing_since"], now) + ": " + queue["last_error"].Shown(),
                 style.Bad("  ! "), 4);
  }
  text += Field("messages",
                Grouped(queue["messages"].Count()) + " stored, oldest received " + When(queue["oldest_at"], now));
  text += Field("size", FormatBytes(queue["bytes"].Count()) + " of " + FormatBytes(queue["max_bytes"].Count()) +
                            " on the disk, " + Grouped(queue["segments"].Count()) + " segments with " +
                            FormatBytes(queue["payload_bytes"].Count()));
  if (queue["retained_messages"].Count() > 0) {
    text += Field("for replays", Grouped(queue["retained_messages"].Count()) + " more that nobody waits for, " +
                                     FormatBytes(queue["retained_bytes"].Count()));
  }
  if (queue["released_messages"].Count() > 0) {
    text += Field("let go", Grouped(queue["released_messages"].Count()) +
                                " of those since start before their time, to stay within max_bytes");
  }
  text += Field("limits", LimitsText(queue));
  text += Field("at risk", Grouped(queue["at_risk"].Count()) + " messages, should the power fail now");
  text += Field("dead letters", Grouped(queue["dead_letters"].Count()));
  text += Field("quarantined", Grouped(queue["quarantined"].Count()));
  text += Field("since start", Grouped(queue["commits"].Count()) + " commits since start");
  Table table({"DESTINATION", "PENDING", "PREPARED", "OLDEST"});
  for (const JsonView& destination : queue["destinations"].Items()) {
    table.Add({destination["name"].Shown(), Grouped(destination["pending"].Count()),
               Grouped(destination["in_flight"].Count()), When(destination["oldest_at"], now)});
  }
  return text + "\n" + table.Text(style);
}

bool LedgerBalanced(const std::string& json) { return JsonView(json)["balanced"].Flag(); }

namespace {

// What ended without an upload and is in none of the table's own columns.
std::uint64_t Otherwise(const JsonView& row) {
  std::uint64_t messages = 0;
  for (const char* outcome : {"deduplicated", "expired", "dropped", "skipped", "ignored"}) {
    messages += row[outcome].Count();
  }
  return messages;
}

}  // namespace

std::string LedgerText(const std::string& json, const Style& style) {
  const JsonView ledger(json);
  std::string text;
  for (const JsonView& problem : ledger["problems"].Items()) {
    text += Wrap(problem.Shown(), style.Bad("  ! "), 4);
  }
  Table table({"STREAM", "DESTINATION", "RECEIVED", "DELIVERED", "REJECTED", "QUARANT.", "OTHER", "PENDING"});
  const auto add = [&table](const std::string& stream, const std::string& destination, const JsonView& row) {
    table.Add({stream, destination, Grouped(row["received"].Count()), Grouped(row["delivered"].Count()),
               Grouped(row["rejected"].Count()), Grouped(row["quarantined"].Count()), Grouped(Otherwise(row)),
               Grouped(row["pending"].Count())});
  };
  for (const JsonView& row : ledger["rows"].Items()) {
    add(row["stream"].Shown(), row["destination"].Shown(), row);
  }
  add("total", "", ledger["total"]);
  text += table.Text(style);
  for (const JsonView& row : ledger["rows"].Items()) {
    for (const auto& [outcome, reasons] :
         {std::pair("dropped", "drop_reasons"), std::pair("skipped", "skip_reasons")}) {
      for (const auto& [reason, count] : row[reasons].Members()) {
        text += "    " + row["stream"].Shown() + " to " + row["destination"].Shown() + ": " + outcome + " " +
                Grouped(count.Count()) + (reason.empty() ? "" : " (" + Printable(reason) + ")") + "\n";
      }
    }
  }
  for (const JsonView& row : ledger["rows"].Items()) {
    if (const std::uint64_t replayed = row["replayed"].Count(); replayed > 0) {
      text += "    " + row["stream"].Shown() + " to " + row["destination"].Shown() + ": delivered again by replays " +
              Grouped(replayed) + "\n";
    }
  }
  text += "  unrouted (no stream wants the topic): " + Grouped(ledger["total"]["unrouted"].Count()) + "\n";
  const std::string how = ledger["checked"].Flag() ? ", recounted from the stored messages" : "";
  text += "  " + (LedgerBalanced(json) ? style.Good("balanced") : style.Bad("NOT BALANCED")) + how + "\n";
  return text;
}

std::string EventsText(const std::string& json, const Style& style, WallTime now) {
  const JsonView events(json);
  std::string text;
  const auto add = [&](const JsonView& event) {
    const std::string severity = event["severity"].Shown();
    const bool open = !event["resolved_at"].Exists();
    std::string lead = "  " + (open && severity <= "P1" ? style.Bad(severity) : severity) + " ";
    std::string line = event["name"].Shown();
    line += event["subject"].Text().empty() ? "" : " '" + event["subject"].Shown() + "'";
    line += " since " + When(event["since"], now);
    if (const auto resolved = event["resolved_at"].Time()) {
      line += ", resolved " + LocalTime(*resolved, now);
    }
    line += event["count"].Count() > 1 ? ", " + Grouped(event["count"].Count()) + " times" : "";
    const auto acknowledged = event["acknowledged_at"].Time();
    line += acknowledged ? ", acknowledged " + LocalTime(*acknowledged, now) : "";
    text += Wrap(line + ": " + HumaniseTimes(event["message"].Shown(), now), lead, 5);
    if (open && !event["ends"].Text().empty()) {
      text += Wrap("ends " + event["ends"].Shown(), "     ", 5);
    }
  };
  text += style.Title("open") + "\n";
  if (events["open"].Items().empty()) {
    text += "  none\n";
  }
  for (const JsonView& event : events["open"].Items()) {
    add(event);
  }
  text += style.Title("recent, resolved") + "\n";
  std::size_t shown = 0;
  for (const JsonView& event : events["recent"].Items()) {
    if (event["resolved_at"].Exists() && ++shown <= 50) {
      add(event);
    }
  }
  return text + (shown == 0 ? "  none\n" : "");
}

namespace {

std::string SuspectTimes(const JsonView& letter, WallTime now) {
  if (letter["state"].Text() != "suspect") {
    return When(letter["died_at"], now) + ", ";
  }
  const std::uint64_t refusals = letter["refusals"].Count();
  return Grouped(refusals) + (refusals == 1 ? " time, " : " times, first ") + When(letter["first_refused_at"], now) +
         (refusals == 1 ? "" : ", last " + When(letter["last_refused_at"], now)) + ", ";
}

// Below the list, what the provider said: once, however many records it said that of.
std::string ProvidersWords(const std::vector<JsonView>& letters) {
  constexpr std::size_t kIdsOfOne = 8;
  std::vector<std::pair<std::string, std::vector<std::string>>> said;
  for (const JsonView& letter : letters) {
    const std::string request = letter["provider_request_id"].Shown();
    const std::string words = letter["detail"].Shown();
    if (words.empty()) {
      continue;
    }
    const auto same = std::find_if(said.begin(), said.end(), [&](const auto& one) { return one.first == words; });
    (same == said.end() ? said.emplace_back(words, std::vector<std::string>()) : *same)
        .second.push_back(letter["id"].Shown() + (request.empty() ? "" : " (request " + request + ")"));
  }
  std::string text;
  for (auto& [words, ids] : said) {
    const std::size_t more = ids.size() > kIdsOfOne ? ids.size() - kIdsOfOne : 0;
    ids.resize(ids.size() - more);
    text += Wrap(packhorse::Join(ids) + (more > 0 ? " and " + Grouped(more) + " more" : "") + ": " + words, "    ", 6);
  }
  return text;
}

}  // namespace

std::string DeadListText(const std::string& json, const Style& style, WallTime now) {
  const JsonView list(json);
  const auto letters = list["dead_letters"].Items();
  if (letters.empty()) {
    return "no dead letters, and nothing is set aside\n";
  }
  Table table({"ID", "STATE", "RECORD", "DESTINATION", "SINCE", "REASON"});
  std::string last;
  for (const JsonView& letter : letters) {
    const std::string status = letter["http_status"].Count() == 0 ? "" : " (" + letter["http_status"].Shown() + ")";
    last = letter["id"].Shown();
    const bool suspect = letter["state"].Text() == "suspect";
    table.Add({last, letter["state"].Shown(), letter["record_id"].Shown(), letter["destination"].Shown(),
               When(letter[suspect ? "first_refused_at" : "died_at"], now), letter["reason"].Shown() + status});
  }
  std::string text = table.Text(style) + ProvidersWords(letters);
  if (list["more"].Flag()) {
    text += "  there are more: packhorse dead list --after " + last + "\n";
  }
  return text +
         "  why and what: packhorse dead show ID; send again: packhorse dead replay ID\n"
         "  give up: packhorse dead drop ID; the exchanges: packhorse exchanges\n";
}

std::string DeadLetterText(const std::string& json, const Style& style, WallTime now) {
  const JsonView letter(json);
  const bool suspect = letter["state"].Text() == "suspect";
  std::string text = style.Title((suspect ? "suspect " : "dead letter ") + letter["id"].Shown()) + "\n";
  text += Field("record", letter["record_id"].Shown());
  text += Field("destination", letter["destination"].Shown());
  text += Field("refused", SuspectTimes(letter, now) + "HTTP status " + letter["http_status"].Shown());
  if (suspect) {
    text += Field("now",
                  std::string(letter["retrying"].Flag() ? "on its way again" : "set aside, tried again now and then") +
                      "; try now: packhorse dead replay " + letter["id"].Shown() + ", give up: packhorse dead drop " +
                      letter["id"].Shown());
  }
  text += Field("reason", letter["reason"].Shown());
  text += Field("their words", letter["detail"].Shown());
  text += Field("request id", letter["provider_request_id"].Shown());
  text += Field("batch", letter["batch_key"].Shown());
  text += Field("stream", letter["stream"].Shown() + ", lane " + letter["lane"].Shown());
  text += Field("topic", letter["topic"].Shown());
  text += Field("received", letter["server_received_at"].Shown());
  text += Field("payload",
                FormatBytes(letter["payload_bytes"].Count()) + ", as " + letter["payload_encoding"].Shown() + ":");
  return text + letter["payload"].Shown() + "\n";
}

bool ReplayComplete(const std::string& json) { return JsonView(json)["failures"].Items().empty(); }

std::string ReplayText(const std::string& json) {
  const JsonView report(json);
  std::string text = Grouped(report["replayed"].Count()) + " dead letters taken back into delivery\n";
  for (const JsonView& failure : report["failures"].Items()) {
    text += Wrap(failure.Shown(), "  ! ", 4);
  }
  return text + (report["remaining"].Flag() ? "  there are more: run the command again\n" : "");
}

bool ReloadComplete(const std::string& json) {
  const JsonView report(json);
  return report["applied"].Flag() && report["refused"].Items().empty();
}

namespace {

// A contract or a table that has mistakes, beside a configuration that is fine.
std::string RefusedText(const JsonView& refused, const Style& style) {
  constexpr std::string_view kTables = "tables/";
  const std::string name = refused["name"].Shown();
  const bool table = name.starts_with(kTables);
  std::string text =
      style.Bad("refused") + ": " + (table ? "table '" + name.substr(kTables.size()) : "contract '" + name) +
      (refused["kept"].Flag() ? "'; what was read before stays in force\n" : "'; nothing of it was read before\n");
  for (const JsonView& mistake : refused["mistakes"].Items()) {
    text += Wrap(mistake.Shown(), "  ! ", 4);
  }
  return text;
}

}  // namespace

std::string ReloadText(const std::string& json, const Style& style) {
  const JsonView report(json);
  const bool applied = report["applied"].Flag();
  std::string text;
  for (const JsonView& refused : report["refused"].Items()) {
    text += RefusedText(refused, style);
  }
  text += applied ? style.Good("the configuration is in force") : style.Bad("refused");
  text += applied ? "\n" : ": the old configuration stays in force\n";
  for (const JsonView& problem : report["problems"].Items()) {
    text += Wrap(problem.Shown(), "  ! ", 4);
  }
  for (const JsonView& change : report["changes"].Items()) {
    text += Wrap(change.Shown(), "  - ", 4);
  }
  if (applied && report["changes"].Items().empty()) {
    text += "  nothing changed; secrets were read again, destinations that wait try at once\n";
  }
  return text + (ReloadComplete(json) ? "" : "  mend the file, look with: packhorse check\n");
}

bool IsRecord(const std::string& json) { return JsonView(json)["record_id"].Exists(); }

std::string RecordText(const std::string& json, const Style& style) {
  const JsonView record(json);
  const JsonView time = record["device_time"];
  std::string text = style.Title("record " + record["record_id"].Shown()) + "\n";
  text += Field("device", record["device_id"].Text().empty() ? "(none found)" : record["device_id"].Shown());
  text += Field("kind", record["kind"].Shown());
  text += Field("contract", record["contract"].Shown());
  text +=
      Field("received", record["server_received_at"].Shown() + ", gateway clock " + record["gateway_clock"].Shown());
  std::string device_time = time["value"].Shown();
  device_time += (device_time.empty() ? "quality " : ", quality ") + time["quality"].Shown();
  device_time += time["raw"].Text().empty() ? "" : ", sent as " + time["raw"].Shown();
  device_time += time["skew_ms"].Exists() ? ", skew " + time["skew_ms"].Shown() + " ms" : "";
  text += time["quality"].Exists() ? Field("device time", device_time) : "";
  text += Field("flags", Join(record["flags"].Items()));
  for (const char* group : {"measurements", "attributes"}) {
    Table table({group, "VALUE"});
    const auto members = record[group].Members();
    for (const auto& [name, value] : members) {
      table.Add({Printable(name), ValueText(value)});
    }
    text += members.empty() ? "" : table.Text(style);
  }
  return text;
}

std::string TailLine(const std::string& json, const Style& style, WallTime now) {
  const JsonView line(json);
  const std::string outcome = line["outcome"].Text();
  if (outcome == "alive" || outcome == "following") {
    return "";
  }
  if (outcome == "skipped") {
    return style.Warning("... " + Grouped(line["messages"].Count()) + " messages not shown: too fast for this view") +
           "\n";
  }
  const auto received = line["server_received_at"].Time();
  std::string text = (received ? LocalTime(*received, now) : "-") + " ";
  if (!outcome.empty()) {
    return text + style.Bad(outcome) + " " + line["topic"].Shown() + ": " + line["reason"].Shown() + ", " +
           line["detail"].Shown() + "\n";
  }
  text += line["stream"].Shown() + " " + style.Title(line["device_id"].Shown());
  for (const char* group : {"measurements", "attributes"}) {
    for (const auto& [name, value] : line[group].Members()) {
      text += " " + Printable(name) + "=" + ValueText(value);
    }
  }
  const std::string flags = Join(line["flags"].Items());
  return text + (flags.empty() ? "" : " " + style.Dim("[" + flags + "]")) + "\n";
}

}  // namespace packhorse::cli
