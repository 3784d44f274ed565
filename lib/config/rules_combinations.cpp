#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/scheme.h"
#include "base/text.h"
#include "base/url.h"
#include "config/choices.h"
#include "config/rules.h"
#include "document/suggest.h"

namespace packhorse::config {
namespace {

bool Numbers(const document::Node& a, const document::Node& b) {
  return a.usable() && b.usable() && a.kind == document::Node::Kind::kInteger &&
         b.kind == document::Node::Kind::kInteger;
}

// Of two values that do not fit, the one that the user wrote is the one to report.
const document::Node& Written(const document::Node& a, const document::Node& b) { return a.written ? a : b; }

void CheckOrder(const document::Node& low, const document::Node& high, const std::string& low_name,
                const std::string& high_name, document::Problems& problems) {
  if (Numbers(low, high) && low.integer > high.integer) {
    problems.Error(Written(high, low),
                   high_name + " (" + high.text + ") is less than " + low_name + " (" + low.text + ")",
                   {.allowed = low_name + " up to " + high_name});
  }
}

bool Takes(const auth::SchemeEntry& scheme, std::string_view name) {
  const bool key = std::any_of(scheme.keys.begin(), scheme.keys.end(),
                               [&](const auth::SchemeKey& candidate) { return candidate.name == name; });
  return key || (!scheme.free_prefix.empty() && std::string(name) + "." == scheme.free_prefix);
}

// Some scheme that a contract may name takes it.
bool MayBeForContract(std::string_view name) {
  const std::span<const auth::SchemeEntry> all = auth::Schemes();
  return std::any_of(all.begin(), all.end(),
                     [&](const auth::SchemeEntry& scheme) { return scheme.in_contracts && Takes(scheme, name); });
}

void CheckAuth(const document::Node& auth, document::Problems& problems) {
  const document::Node& type = auth["type"];
  const bool left_out = auth.Find("type") == nullptr;
  const auth::SchemeEntry* known = left_out ? auth::FindScheme("none") : auth::FindScheme(type.text);
  if (known == nullptr || !(left_out || type.usable())) {
    return;
  }
  for (const auth::SchemeKey& key : known->keys) {
    // What a contract may say is missing only once that is known.
    if (key.required && !key.from_contract && auth.Find(key.name) == nullptr) {
      problems.Error(auth,
                     document::Quoted(key.name) + " is missing; type " + document::Quoted(type.text) + " needs it",
                     {.show_value = false});
    }
  }
  for (const document::Member& member : auth.members) {
    if (member.name == "type" || Takes(*known, member.name) || (left_out && MayBeForContract(member.name))) {
      continue;
    }
    const std::span<const auth::SchemeEntry> all = auth::Schemes();
    const auto other = std::find_if(all.begin(), all.end(),
                                    [&](const auth::SchemeEntry& candidate) { return Takes(candidate, member.name); });
    const bool suggest = known->name == "none" && other != all.end();
    problems.Error(member.value,
                   document::Quoted(member.name) + " is not used with type " + document::Quoted(known->name),
                   {.suggestion = suggest ? "did you mean \"type\": \"" + std::string(other->name) + "\"?" : "",
                    .show_value = false});
  }
}

// Headers that the upload or the contract sets; a second one would contradict it.
void CheckHeaderName(const document::Node& header, document::Problems& problems) {
  const std::span<const std::string_view> reserved = auth::ReservedHeaders();
  const std::vector<std::string> taken(reserved.begin(), reserved.end());
  if (header.usable() && std::find(taken.begin(), taken.end(), Lower(header.text)) != taken.end()) {
    problems.Error(header, "this header is set by Packhorse itself",
                   {.allowed = "any header but " + document::List(taken)});
  }
}

// A batch that is larger than a limit's whole interval could never be sent within it.
void CheckLimits(const document::Node& limits, const document::Node& batch, const std::string& whose,
                 document::Problems& problems) {
  for (const document::Node& limit : limits.items) {
    const document::Node& records = limit["records"];
    const document::Node& bytes = limit["bytes"];
    if (Numbers(records, batch["max_records"]) && records.integer < batch["max_records"].integer) {
      problems.Error(records, "a full batch" + whose + " has more records than this limit ever admits",
                     {.allowed = "at least batch.max_records (" + batch["max_records"].text + ")"});
    }
    if (Numbers(bytes, batch["max_bytes"]) && bytes.integer < batch["max_bytes"].integer) {
      problems.Warning(bytes, "a full batch" + whose + " may have more bytes than this limit ever admits",
                       {.allowed = "at least batch.max_bytes (" + batch["max_bytes"].text + ")"});
    }
  }
}

// A batch goes alone where it is larger than the whole budget.
void CheckBudget(const document::Node& budget, const document::Node& batch, document::Problems& problems) {
  const document::Node& bytes = budget["bytes"];
  if (Numbers(bytes, batch["max_bytes"]) && bytes.integer < batch["max_bytes"].integer) {
    problems.Warning(bytes, "a full batch may have more bytes than this budget",
                     {.allowed = "at least batch.max_bytes (" + batch["max_bytes"].text + ")"});
  }
}

void CheckWindows(const document::Node& windows, document::Problems& problems) {
  for (const document::Node& window : windows.items) {
    if (window["from"].usable() && window["to"].usable() && window["from"].text == window["to"].text) {
      problems.Error(window["to"], "the window ends when it begins", {.allowed = "another time than from"});
    }
  }
}

void CheckRollout(const document::Node& rollout, document::Problems& problems) {
  const std::vector<document::Node>& steps = rollout["steps"].items;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    if (Numbers(steps[i - 1], steps[i]) && steps[i].integer <= steps[i - 1].integer) {
      problems.Error(steps[i], "a step has to be more than the one before (" + steps[i - 1].text + ")",
                     {.allowed = "percentages that rise, for example [1, 10, 50, 100]"});
    }
  }
  if (!steps.empty() && steps.back().usable() && steps.back().integer != 100) {
    problems.Error(steps.back(), "the last step has to be all devices", {.allowed = "100"});
  }
  std::set<std::string> seen;
  for (const document::Node& device : rollout["devices"].items) {
    if (device.usable() && !seen.insert(device.text).second) {
      problems.Warning(device, "this device is listed twice");
    }
  }
}

// A shadow owes nothing: what is there to keep promises has no meaning for it.
void CheckShadow(const document::Node& destination, document::Problems& problems) {
  if (!destination["shadow"].boolean) {
    return;
  }
  if (destination["rollout"].usable()) {
    problems.Error(destination["rollout"], "a shadow has one contract",
                   {.allowed = "the newer contract as its \"contract\"", .show_value = false});
  }
  if (destination["shared"].usable() && !destination["shared"].text.empty()) {
    problems.Error(destination["shared"], "a shadow would take from the limit of the others",
                   {.allowed = "\"limits\" of its own"});
  }
  if (destination["start"].text == "oldest") {
    problems.Error(destination["start"], "a shadow gets what arrives from now on", {.allowed = "\"now\""});
  }
}

void CheckBind(const document::Node& bind, document::Problems& problems) {
  constexpr std::size_t kMaxInterfaceBytes = 15;  // IFNAMSIZ, without its terminating NUL
  if (bind.usable() && !IsAddress(bind.text) && bind.text.size() > kMaxInterfaceBytes) {
    problems.Error(bind, "is neither an address nor the name of an interface, which has at most 15 characters",
                   {.allowed = "for example \"wwan0\" or \"192.0.2.10\""});
  }
}

void CheckDestination(const document::Node& root, const document::Node& destination, document::Problems& problems) {
  CheckOrder(destination["retry"]["initial"], destination["retry"]["max"], "retry.initial", "retry.max", problems);
  CheckAuth(destination["auth"], problems);
  CheckHeaderName(destination["auth"]["header"], problems);
  CheckLimits(destination["limits"], destination["batch"], "", problems);
  CheckBudget(destination["budget"], destination["batch"], problems);
  CheckWindows(destination["windows"], problems);
  CheckBind(destination["bind"], problems);
  CheckRollout(destination["rollout"], problems);
  CheckShadow(destination, problems);
  if (destination["shared"].usable()) {
    CheckLimits(root["limits"][destination["shared"].text], destination["batch"],
                " of " + document::Quoted(destination["name"].text), problems);
  }
  if (destination["receiver"].text == "watermark" && destination["order"].text == "live_first") {
    problems.Error(Written(destination["order"], destination["receiver"]),
                   "the backlog would arrive behind what is new, and a receiver that keeps only the highest sequence "
                   "would lose it",
                   {.allowed = "\"order\": \"fifo\", or \"receiver\": \"record_id\""});
  }
  if (destination["receiver"].text == "watermark" && destination["order"].text == "any") {
    problems.Error(Written(destination["order"], destination["receiver"]),
                   "several requests of a lane would overtake each other, and a receiver that keeps only the highest "
                   "sequence would lose what comes behind",
                   {.allowed = "\"order\": \"fifo\", or \"receiver\": \"record_id\""});
  }
  const document::Node& durability = root["queue"]["durability"];
  const document::Node& age = destination["batch"]["max_age"];
  if (durability["mode"].text == "window" && Numbers(age, durability["window"]) &&
      age.integer >= durability["window"].integer) {
    problems.Warning(Written(age, durability["window"]),
                     "batch.max_age (" + age.text + ") is not below queue.durability.window (" +
                         durability["window"].text + "): every message is written to the disk before it is sent");
  }
}

void CheckSource(const document::Node& source, document::Problems& problems) {
  CheckOrder(source["reconnect"]["min"], source["reconnect"]["max"], "reconnect.min", "reconnect.max", problems);
  // MQTT 3.1.1 section 3.1.2.9: a password needs a user name. MQTT 5 allows it alone.
  if (source["password"].usable() && source["protocol"].text == "3.1.1" && source["username"].text.empty()) {
    problems.Error(source["password"], "MQTT 3.1.1 takes a password only together with a user name",
                   {.allowed = "\"username\" beside it, or protocol 5", .show_value = false});
  }
  std::vector<std::string> seen;
  for (const document::Node& url : source["urls"].items) {
    if (url.usable() && std::find(seen.begin(), seen.end(), url.text) != seen.end()) {
      problems.Warning(url, "this address is listed twice");
    }
    seen.push_back(url.text);
  }
}

void CheckPaths(const document::Node& root, document::Problems& problems) {
  const document::Node& path = root["queue"]["path"];
  const document::Node& runtime = root["queue"]["runtime_dir"];
  if (path.usable() && runtime.usable()) {
    std::string folder = runtime.text;
    while (!folder.empty() && folder.back() == '/') {
      folder.pop_back();
    }
    if (path.text.compare(0, folder.size() + 1, folder + "/") == 0) {
      problems.Warning(path, "the queue lies in runtime_dir, which is usually empty after a restart of the machine",
                       {.allowed = "a folder on a disk"});
    }
  }
  const document::Node& socket = root["control"]["socket"];
  constexpr std::size_t kMaxSocketBytes = 107;  // sun_path of unix(7), without its terminating NUL
  if (socket.usable() && socket.text.size() > kMaxSocketBytes) {
    problems.Error(socket, "is too long for a socket: " + std::to_string(socket.text.size()) + " bytes",
                   {.allowed = "at most " + std::to_string(kMaxSocketBytes)});
  }
}

}  // namespace

void CheckCombinations(const document::Node& root, document::Problems& problems) {
  for (const document::Node& source : root["sources"].items) {
    CheckSource(source, problems);
  }
  for (const document::Node& destination : root["destinations"].items) {
    CheckDestination(root, destination, problems);
  }
  CheckPaths(root, problems);
}

}  // namespace packhorse::config
