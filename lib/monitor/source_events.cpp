#include "monitor/source_events.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/units.h"
#include "health/event_kinds.h"

namespace packhorse::monitor {
namespace {

constexpr std::chrono::seconds kQuiet = health::kMinutes;
constexpr std::uint64_t kMany = 10;  // so many within that time are no accident
constexpr health::EventName kUnrouted = "messages_unrouted";
constexpr health::EventName kQos0 = "published_at_qos0";

std::string Seconds(WallTime time) {
  return FormatUtc(std::chrono::floor<std::chrono::seconds>(time)).substr(0, 19) + "Z";
}

std::string Samples(const std::vector<std::string>& topics) {
  std::string text;
  for (const std::string& topic : topics) {
    text += (text.empty() ? "'" : ", '") + topic + "'";
  }
  return text;
}

std::string Listed(const std::vector<std::string>& filters) { return Shorten(Join(filters), 500); }

std::set<std::string> DestinationsOf(const config::Config& config, const std::string& source) {
  std::set<std::string> names;
  for (const config::Stream& stream : config.streams) {
    if (stream.source == source) {
      names.insert(stream.destinations.begin(), stream.destinations.end());
    }
  }
  return names;
}

}  // namespace

void SourceEvents::Look(const ingest::SourceStatus& status, const ingest::Oddities& oddities, MonoTime now) {
  CheckPromises(status, clock_.Wall());
  CheckSession(status);
  CheckOddities(status, oddities, now);
}

void SourceEvents::CheckPromises(const ingest::SourceStatus& status, WallTime now) {
  events_.Follow(!status.flapping.empty(), "source_flapping", status.name,
                 "connections to " + status.url + " do not last: " + status.flapping, now);
  if (status.state != ingest::SourceState::kConnected) {
    return;  // what the broker grants is known again once it is there
  }
  events_.Follow(!status.qos0_filters.empty(), "subscription_qos0", status.name,
                 "the broker grants only QoS 0, so that messages can be lost, for " + Listed(status.qos0_filters), now);
  events_.Follow(status.short_expiry.has_value(), "session_expiry_short", status.name,
                 "the broker keeps our session, and the messages in it, only for " +
                     FormatDuration(std::chrono::milliseconds(status.short_expiry.value_or(std::chrono::seconds(0)))) +
                     " while we are away, less than session_expiry asks for",
                 now);
}

void SourceEvents::CheckSession(const ingest::SourceStatus& status) {
  std::uint64_t& seen = sessions_lost_[status.name];
  if (status.session_lost > seen) {
    std::string when;
    for (const ingest::Blindness& each : sessions_.Untold()) {
      if (each.source == status.name) {
        when = " between " + Seconds(each.from) + " and " + Seconds(each.to);
      }
    }
    events_.Raise("session_lost", status.name,
                  "the broker at " + status.url + " had forgotten our session: what was published" +
                      (when.empty() ? " until it was subscribed again" : when) + " did not reach us",
                  clock_.Wall());
  }
  seen = status.session_lost;
}

void SourceEvents::CheckOddities(const ingest::SourceStatus& status, const ingest::Oddities& oddities, MonoTime now) {
  const auto add = [&](health::EventName event, const std::string& subject, const ingest::Oddities::Seen& seen,
                       std::uint64_t but_for_dots) -> const Odd& {
    Odd& odd = odd_[{std::string(event.text()), subject}];
    odd.messages += seen.messages;
    odd.but_for_dots += but_for_dots;
    odd.last = now;
    for (const std::string& topic : seen.topics) {
      const bool known = std::find(odd.topics.begin(), odd.topics.end(), topic) != odd.topics.end();
      if (!known && odd.topics.size() < ingest::Oddities::kMaxSamples) {
        odd.topics.push_back(topic);
      }
    }
    return odd;
  };
  if (oddities.unrouted.messages > 0) {
    NoteUnrouted(status.name, add(kUnrouted, status.name, oddities.unrouted, oddities.unrouted_but_for_dots));
  }
  if (!status.qos0_filters.empty()) {
    return;  // that is the broker's doing, and told above
  }
  for (const auto& [id, seen] : oddities.qos0) {
    const std::string stream = queue_.StreamName(id);
    NoteQos0(stream, add(kQos0, stream, seen, 0));
  }
}

void SourceEvents::NoteUnrouted(const std::string& source, const Odd& odd) {
  if (odd.messages < kMany) {
    return;
  }
  std::string message = std::to_string(odd.messages) +
                        " messages came that no stream takes, and were discarded; topics: " + Samples(odd.topics);
  if (2 * odd.but_for_dots >= odd.messages) {
    message +=
        ". Streams would take them if '.' and '/' were the same: does the broker exchange the two (RabbitMQ "
        "does)? Then write '/' for '.' in the topics of the streams";
  }
  events_.Raise(kUnrouted, source, std::move(message), clock_.Wall());
}

void SourceEvents::NoteQos0(const std::string& stream, const Odd& odd) {
  if (odd.messages < kMany) {
    return;
  }
  events_.Raise(kQos0, stream,
                "stream '" + stream + "': " + std::to_string(odd.messages) +
                    " messages were published with QoS 0, so that they can be lost on the way to us; topics: " +
                    Samples(odd.topics),
                clock_.Wall());
}

// A record of kind gap for each destination that the source has, as far as its contract knows such a one.
void SourceEvents::TellClouds(MonoTime now) {
  std::erase_if(odd_, [&](const auto& each) { return now - each.second.last >= kQuiet; });
  const std::vector<ingest::Blindness> untold = sessions_.Untold();
  for (const ingest::Blindness& each : untold) {
    if (!clock_.Synchronized()) {
      unsure_.try_emplace(each.id, now);
    }
  }
  if (queue_.ClockOfBoot().withholds) {
    return;  // its end may be stamped wrongly; messages wait as well
  }
  for (const ingest::Blindness& each : untold) {
    const auto unsure = unsure_.find(each.id);
    const WallTime to =
        unsure == unsure_.end()
            ? each.to
            : clock_.Wall() - std::chrono::duration_cast<std::chrono::microseconds>(now - unsure->second);
    const nlohmann::ordered_json text = {{"outcome", "not_received"},
                                         {"reason", "session_lost"},
                                         {"source", each.source},
                                         {"from", FormatUtc(each.from)},
                                         {"to", FormatUtc(std::max(each.from, to))}};
    bool all = true;
    for (const std::string& destination : DestinationsOf(config_, each.source)) {
      if (!told_.contains({each.id, destination})) {
        const bool told = gaps_.Tell(destination, "not_received", text.dump());
        all = all && told;
        if (told) {
          told_.emplace(each.id, destination);
        }
      }
    }
    if (all) {
      sessions_.Told(each.id);
      std::erase_if(told_, [&](const auto& pair) { return pair.first == each.id; });
      unsure_.erase(each.id);
    }
  }
}

}  // namespace packhorse::monitor
