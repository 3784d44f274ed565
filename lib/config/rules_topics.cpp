#include <map>
#include <string>
#include <utility>

#include "config/rules.h"

namespace packhorse::config {
namespace {

// Filters of one source are compared pair by pair; more than this would take a gateway seconds.
constexpr std::size_t kMaxFilters = 1'024;

struct Entry {
  TopicPattern pattern;
  const document::Node* topic;
  std::size_t stream;
  std::string stream_name;
};

// How the text of an entry is named in a message.
std::string Title(const Entry& entry) {
  return document::Quoted(entry.pattern.text()) + " of stream " + document::Quoted(entry.stream_name);
}

// The source of a stream; where it says none, all such streams belong to the only source.
std::string SourceOf(const document::Node& stream) { return stream["source"].usable() ? stream["source"].text : ""; }

std::map<std::string, std::vector<Entry>> Collect(const document::Node& root, document::Problems& problems) {
  std::map<std::string, std::vector<Entry>> by_source;
  const std::vector<document::Node>& streams = root["streams"].items;
  const std::vector<document::Node>& sources = root["sources"].items;
  const std::string only = sources.size() == 1 ? sources.front()["name"].text : "";
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const std::string named = SourceOf(streams[i]);
    std::vector<Entry>& entries = by_source[named.empty() ? only : named];
    for (const document::Node& topic : streams[i]["topics"].items) {
      if (!topic.usable() || topic.kind != document::Node::Kind::kString) {
        continue;
      }
      Result<TopicPattern> pattern = TopicPattern::Parse(topic.text);
      if (!pattern) {
        problems.Error(
            topic, "is not a topic filter: " + pattern.error().message,
            {.allowed = "levels separated by '/'; '+' or {name} for any one level, '#' at the end for the rest"});
        continue;
      }
      entries.push_back(Entry{std::move(*pattern), &topic, i, streams[i]["name"].text});
    }
  }
  return by_source;
}

// The first entry before `i` for which `holds`, or null.
template <typename Predicate>
const Entry* FirstBefore(const std::vector<Entry>& entries, std::size_t i, Predicate holds) {
  for (std::size_t j = 0; j < i; ++j) {
    if (holds(j)) {
      return &entries[j];
    }
  }
  return nullptr;
}

// Reports at most one problem for entry `i`: the gravest with an earlier entry.
void CheckEntry(const std::vector<Entry>& entries, const std::vector<bool>& subscribed, std::size_t i,
                document::Problems& problems) {
  const Entry& entry = entries[i];
  const auto overlaps = [&](std::size_t j) { return Overlap(entries[j].pattern, entry.pattern); };
  const Entry* clash =
      FirstBefore(entries, i, [&](std::size_t j) { return subscribed[i] && subscribed[j] && overlaps(j); });
  if (clash != nullptr) {
    problems.Error(*entry.topic,
                   "overlaps " + Title(*clash) +
                       ": both would be subscribed, and a broker may deliver a message that matches both twice",
                   {.allowed = "filters of one source that match no common topic, or of which one covers the other"});
    return;
  }
  const Entry* cover =
      FirstBefore(entries, i, [&](std::size_t j) { return Covers(entries[j].pattern, entry.pattern); });
  if (cover != nullptr) {
    problems.Warning(
        *entry.topic,
        cover->stream == entry.stream
            ? "adds nothing: " + document::Quoted(cover->pattern.text()) + " already matches all of it"
            : "is shadowed: no message comes here, because " + Title(*cover) + " stands earlier and matches all of it");
    return;
  }
  const Entry* overlapped = FirstBefore(entries, i, overlaps);
  if (overlapped != nullptr) {
    problems.Warning(
        *entry.topic,
        overlapped->stream == entry.stream
            ? "makes " + document::Quoted(overlapped->pattern.text()) + " of this stream needless"
            : "overlaps " + Title(*overlapped) + ": what matches both goes to that stream, because it stands earlier");
  }
}

}  // namespace

std::vector<bool> Subscribed(const std::vector<TopicPattern>& patterns) {
  std::vector<bool> subscribed(patterns.size(), true);
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    for (std::size_t j = 0; j < patterns.size() && subscribed[i]; ++j) {
      if (i != j && Covers(patterns[j], patterns[i])) {
        const bool equal = Covers(patterns[i], patterns[j]);
        subscribed[i] = equal && i < j;
      }
    }
  }
  return subscribed;
}

void CheckTopics(const document::Node& root, document::Problems& problems) {
  for (const auto& [source, entries] : Collect(root, problems)) {
    if (entries.size() > kMaxFilters) {
      problems.Error(*entries[kMaxFilters].topic,
                     "one topic filter too many for the source " + document::Quoted(source),
                     {.allowed = "at most " + std::to_string(kMaxFilters) + " for one source"});
      continue;
    }
    std::vector<TopicPattern> patterns;
    patterns.reserve(entries.size());
    for (const Entry& entry : entries) {
      patterns.push_back(entry.pattern);
    }
    const std::vector<bool> subscribed = Subscribed(patterns);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      CheckEntry(entries, subscribed, i, problems);
    }
  }
}

}  // namespace packhorse::config
