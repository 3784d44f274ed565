#include <algorithm>
#include <set>
#include <string>

#include "config/rules.h"
#include "document/suggest.h"

namespace packhorse::config {
namespace {

// Names of a list, also of entries that have other mistakes: a reference to one of those is not a second mistake.
std::vector<std::string> Names(const document::Node& list) {
  std::vector<std::string> names;
  for (const document::Node& item : list.items) {
    if (item["name"].kind == document::Node::Kind::kString) {
      names.push_back(item["name"].text);
    }
  }
  return names;
}

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void CheckUnique(const document::Node& list, document::Problems& problems) {
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const document::Node& name = list.items[i]["name"];
    if (name.kind != document::Node::Kind::kString || name.text.empty()) {
      continue;
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (list.items[j]["name"].kind == document::Node::Kind::kString && list.items[j]["name"].text == name.text) {
        problems.Error(name, "this name is already taken by " + list.items[j].pointer,
                       {.allowed = "a name of its own for each entry of " + list.pointer});
        break;
      }
    }
  }
}

// `what`: "source" or "destination".
void CheckReference(const document::Node& reference, const std::vector<std::string>& names, const std::string& what,
                    document::Problems& problems) {
  if (reference.usable() && reference.kind == document::Node::Kind::kString && !Has(names, reference.text)) {
    problems.Error(reference, "there is no " + what + " of this name",
                   {.allowed = names.empty() ? "none is configured" : document::List(names),
                    .suggestion = document::DidYouMean(reference.text, names)});
  }
}

void CheckStream(const document::Node& stream, const std::vector<std::string>& sources,
                 const std::vector<std::string>& destinations, document::Problems& problems) {
  if (stream.kind != document::Node::Kind::kObject) {
    return;
  }
  CheckReference(stream["source"], sources, "source", problems);
  if (stream.Find("source") == nullptr && sources.size() > 1) {
    problems.Error(stream, "\"source\" is missing; it is needed where there are several sources",
                   {.allowed = document::List(sources), .show_value = false});
  }
  const document::Node& targets = stream["destinations"];
  if (stream.Find("destinations") == nullptr && destinations.size() > 1) {
    problems.Error(stream, "\"destinations\" is missing; it is needed where there are several destinations",
                   {.allowed = document::List(destinations), .show_value = false});
  }
  std::set<std::string> seen;
  for (const document::Node& target : targets.items) {
    CheckReference(target, destinations, "destination", problems);
    if (target.usable() && !seen.insert(target.text).second) {
      problems.Error(target, "this destination is listed twice", {.allowed = "each destination once"});
    }
  }
}

// Entries of `list` that nothing refers to.
void WarnUnused(const document::Node& list, const std::set<std::string>& used, const std::string& what,
                document::Problems& problems) {
  for (const document::Node& item : list.items) {
    const document::Node& name = item["name"];
    if (name.usable() && used.count(name.text) == 0) {
      problems.Warning(name, "no stream uses this " + what);
    }
  }
}

// Who is told of a message once and keeps no promise must not be all there is.
void CheckShadows(const document::Node& root, document::Problems& problems) {
  std::set<std::string> shadows;
  for (const document::Node& destination : root["destinations"].items) {
    if (destination["shadow"].boolean) {
      shadows.insert(destination["name"].text);
    }
  }
  const std::vector<document::Node>& all = root["destinations"].items;
  if (!all.empty() && shadows.size() == all.size()) {
    problems.Error(all.front()["shadow"], "all destinations are shadows: nothing would be delivered",
                   {.allowed = "false, at least once"});
    return;
  }
  for (const document::Node& stream : root["streams"].items) {
    const std::vector<document::Node>& targets = stream["destinations"].items;
    if (!targets.empty() && std::all_of(targets.begin(), targets.end(), [&](const document::Node& target) {
          return target.usable() && shadows.contains(target.text);
        })) {
      problems.Error(stream["destinations"], "only shadows get this stream: nothing of it would be delivered",
                     {.allowed = "a destination beside them that is no shadow", .show_value = false});
    }
  }
}

void CheckSharedLimits(const document::Node& root, document::Problems& problems) {
  std::vector<std::string> names;
  for (const document::Member& member : root["limits"].members) {
    names.push_back(member.name);
  }
  std::set<std::string> used;
  for (const document::Node& destination : root["destinations"].items) {
    CheckReference(destination["shared"], names, "limit under /limits", problems);
    used.insert(destination["shared"].text);
  }
  for (const document::Member& member : root["limits"].members) {
    if (used.count(member.name) == 0) {
      problems.Warning(member.value, "no destination shares this limit", {.show_value = false});
    }
  }
}

}  // namespace

void CheckReferences(const document::Node& root, document::Problems& problems) {
  for (const char* list : {"sources", "streams", "destinations"}) {
    CheckUnique(root[list], problems);
  }
  const std::vector<std::string> sources = Names(root["sources"]);
  const std::vector<std::string> destinations = Names(root["destinations"]);
  std::set<std::string> used_sources;
  std::set<std::string> used_destinations;
  for (const document::Node& stream : root["streams"].items) {
    CheckStream(stream, sources, destinations, problems);
    used_sources.insert(stream["source"].text);
    for (const document::Node& target : stream["destinations"].items) {
      used_destinations.insert(target.text);
    }
  }
  if (sources.size() > 1) {
    WarnUnused(root["sources"], used_sources, "source", problems);
  }
  if (destinations.size() > 1) {
    WarnUnused(root["destinations"], used_destinations, "destination", problems);
  }
  CheckSharedLimits(root, problems);
  CheckShadows(root, problems);
}

}  // namespace packhorse::config
