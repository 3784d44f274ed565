#include "model.h"

#include <algorithm>
#include <tuple>

namespace packhorse::queue::model {
namespace {

std::string Words(const LedgerRow& row) {
  std::string words;
  for (const auto& [name, count] :
       {std::pair("received", row.received), std::pair("delivered", row.delivered), std::pair("rejected", row.rejected),
        std::pair("quarantined", row.quarantined), std::pair("deduplicated", row.deduplicated),
        std::pair("expired", row.expired), std::pair("dropped", row.dropped), std::pair("pending", row.pending),
        std::pair("records", row.records_delivered), std::pair("refused", row.records_rejected)}) {
    words += std::string(" ") + name + "=" + std::to_string(count);
  }
  return words;
}

void CountMessage(const Message& message, std::size_t destination, LedgerRow& row) {
  unsigned dead = 0;
  bool dropped = false;
  for (std::size_t record = 0; record < message.records; ++record) {
    const At at = message.at[destination][record];
    dead += at == At::kDead || at == At::kRefused ? 1 : 0;
    dropped = dropped || at == At::kDropped;
    row.records_delivered += at == At::kDelivered ? 1 : 0;
    row.records_rejected += at == At::kRefusedBefore ? 1 : 0;
  }
  row.records_rejected += dead;
  ++row.received;
  if (message.Live(destination)) {
    ++row.pending;
  } else if (message.Is(destination, At::kQuarantined)) {
    ++row.quarantined;
  } else if (dropped && dead == 0) {
    ++row.dropped;
  } else if (message.Is(destination, At::kExpired)) {
    ++row.expired;
  } else if (message.Is(destination, At::kDeduplicated)) {
    ++row.deduplicated;
  } else {
    ++(dead > 0 ? row.rejected : row.delivered);
  }
}

}  // namespace

bool Message::Live(std::size_t destination) const {
  return std::any_of(at[destination], at[destination] + records,
                     [](At each) { return each == At::kPending || each == At::kPrepared || each == At::kAside; });
}

void Message::ForgetWhatHasNoLetter(std::size_t destination) {
  std::replace(at[destination], at[destination] + records, At::kRefused, At::kRefusedBefore);
  std::replace(at[destination], at[destination] + records, At::kDropped, At::kDroppedBefore);
}

std::vector<StreamOptions> Streams(const Configuration& configuration) {
  Model model{};
  model.configuration = configuration;
  std::vector<StreamOptions> streams;
  for (std::size_t stream = 0; stream < kStreams; ++stream) {
    StreamOptions options{kStreamNames.at(stream), kStreamLanes.at(stream), {}};
    for (std::size_t destination = 0; destination < kDestinations; ++destination) {
      if (model.Wants(stream, destination)) {
        options.destinations.emplace_back(kDestinationNames.at(destination));
      }
    }
    options.retain_delivered = std::chrono::hours(stream == kRetainedStream ? 24 * 365 : 0);
    streams.push_back(std::move(options));
  }
  return streams;
}

std::vector<DestinationOptions> Destinations(const Configuration& configuration) {
  std::vector<DestinationOptions> destinations = {"cloud"};
  if (configuration.lake) {
    destinations.emplace_back("lake", configuration.from_oldest ? StartAt::kOldest : StartAt::kNow);
  }
  return destinations;
}

bool Model::Wants(std::size_t stream, std::size_t destination) const {
  const std::string name = kStreamNames.at(stream);
  if (destination == 0) {
    return name != "logs";
  }
  return configuration.lake && (name != "telemetry" || configuration.telemetry_to_lake);
}

std::vector<std::uint16_t> Model::Pending(std::size_t destination, Lane lane) const {
  std::vector<std::uint16_t> found;
  for (std::uint16_t i = 0; i < messages; ++i) {
    if (message[i].lane() == lane && message[i].Is(destination, At::kPending)) {
      found.push_back(i);
    }
  }
  return found;
}

LedgerRow Model::Row(std::size_t stream, std::size_t destination) const {
  LedgerRow row;
  for (std::uint16_t i = 0; i < messages; ++i) {
    if (message[i].stream == stream && !message[i].Is(destination, At::kNotFor)) {
      CountMessage(message[i], destination, row);
    }
  }
  row.received += dropped[stream][destination] + quarantined[stream][destination];
  row.dropped += dropped[stream][destination];
  row.quarantined += quarantined[stream][destination];
  return row;
}

std::vector<std::string> Model::Dead() const {
  std::vector<std::string> letters;
  for (std::uint16_t i = 0; i < messages; ++i) {
    for (std::size_t destination = 0; destination < kDestinations; ++destination) {
      for (std::size_t record = 0; record < message[i].records; ++record) {
        if (message[i].at[destination][record] == At::kDead) {
          letters.push_back(std::string(kDestinationNames.at(destination)) + " " + Letter(message[i].lane()) +
                            std::to_string(message[i].sequence) + "." + std::to_string(record) + " " +
                            message[i].Payload());
        }
      }
    }
  }
  std::sort(letters.begin(), letters.end());
  return letters;
}

// Those on their way again too.
std::vector<std::string> Model::Suspects() const {
  std::vector<std::string> suspects;
  const auto add = [&](const Message& of, std::size_t destination, std::size_t record, bool retrying) {
    const std::uint32_t key = of.kept[destination][record];
    suspects.push_back(std::string(kDestinationNames.at(destination)) + " " + Letter(of.lane()) +
                       std::to_string(of.sequence) + "." + std::to_string(record) + " " + of.Payload() + " " +
                       std::to_string(of.refusals[destination][record]) + (retrying ? " goes" : "") +
                       (key == 0 ? "" : " key-" + std::to_string(key)));
  };
  for (std::uint16_t i = 0; i < messages; ++i) {
    for (std::size_t destination = 0; destination < kDestinations; ++destination) {
      for (std::size_t record = 0; record < message[i].records; ++record) {
        if (message[i].at[destination][record] == At::kAside) {
          add(message[i], destination, record, false);
        }
      }
    }
  }
  for (const Batch& each : batch) {
    if (each.id != 0 && each.suspect) {
      add(message[each.part[0].message], each.destination, each.part[0].first_record, true);
    }
  }
  std::sort(suspects.begin(), suspects.end());
  return suspects;
}

std::vector<std::string> Model::Prepared(std::size_t destination) const {
  std::vector<const Batch*> found;
  for (const Batch& each : batch) {
    if (each.id != 0 && each.destination == destination) {
      found.push_back(&each);
    }
  }
  const auto order = [&](const Batch* each) {
    return std::tuple(each->lane, message[each->part[0].message].sequence, each->part[0].first_record);
  };
  std::sort(found.begin(), found.end(), [&](const Batch* a, const Batch* b) { return order(a) < order(b); });
  std::vector<std::string> prepared;
  for (const Batch* each : found) {
    std::string words = std::to_string(each->id) + " " + each->Key() + " " + each->Body();
    for (std::uint16_t i = 0; i < each->parts; ++i) {
      const Part& part = each->part[i];
      words += " " + std::to_string(message[part.message].sequence) + "." + std::to_string(part.first_record) + "+" +
               std::to_string(part.records);
    }
    prepared.push_back(std::move(words));
  }
  return prepared;
}

std::uint64_t Model::Quarantined() const {
  std::uint64_t count = quarantine_rows;
  for (std::uint16_t i = 0; i < messages; ++i) {
    count += message[i].Is(0, At::kQuarantined) || message[i].Is(1, At::kQuarantined) ? 1U : 0U;
  }
  return count;
}

Batch* Model::FreeBatch() {
  Batch* found = std::find_if(std::begin(batch), std::end(batch), [](const Batch& each) { return each.id == 0; });
  return found == std::end(batch) ? nullptr : found;
}

bool Model::LakeOnlyWaits() const {
  return std::all_of(message, message + messages,
                     [](const Message& each) { return each.Is(kLake, At::kNotFor) || each.Is(kLake, At::kPending); });
}

Model Model::WithoutLake() const {
  Model without = *this;
  without.lake_began = false;
  for (std::uint16_t i = 0; i < without.messages; ++i) {
    without.message[i].Put(kLake, At::kNotFor);
  }
  return without;
}

std::string BeginLake(Model& model, const Observation& seen, bool first) {
  model.lake_began = true;
  for (std::uint16_t i = 0; i < model.messages; ++i) {
    Message& message = model.message[i];
    const std::vector<StoredMessage>& waiting = seen.pending.at({kLake, message.lane()}).messages;
    const bool waits = std::any_of(waiting.begin(), waiting.end(), [&](const StoredMessage& stored) {
      return stored.sequence == message.sequence && stored.message.payload == message.Payload();
    });
    const bool may = model.configuration.from_oldest && model.Wants(message.stream, kLake);
    const bool must = first && may && message.Is(0, At::kPending);
    if ((waits && !may) || (must && !waits)) {
      return "the lake begins " + std::string(waits ? "with " : "without ") + std::to_string(message.sequence) +
             " in lane " + Letter(message.lane());
    }
    if (waits) {
      message.Put(kLake, At::kPending);
    }
  }
  return "";
}

std::string CompareLedger(const Model& model, const Ledger& ledger) {
  for (std::size_t stream = 0; stream < kStreams; ++stream) {
    for (std::size_t destination = 0; destination < kDestinations; ++destination) {
      LedgerRow seen;
      for (const LedgerRow& row : ledger.rows) {
        if (row.stream == kStreamNames.at(stream) && row.destination == kDestinationNames.at(destination)) {
          seen = row;
        }
      }
      const std::string expected = Words(model.Row(stream, destination));
      if (expected != Words(seen) || !seen.Balanced()) {
        return std::string("ledger of ") + kStreamNames.at(stream) + " to " + kDestinationNames.at(destination) +
               ": expected" + expected + ", is" + Words(seen);
      }
    }
  }
  return "";
}

// The queue may show less than all, but in order, from the first on, and something when there is something.
std::string ComparePending(const Model& model, std::size_t destination, Lane lane, const Pending& seen) {
  const std::vector<std::uint16_t> expected = model.Pending(destination, lane);
  const std::string who = std::string(kDestinationNames.at(destination)) + ", lane " + Letter(lane) + ": ";
  if (seen.messages.size() > expected.size() || (seen.messages.empty() && !expected.empty())) {
    return who + std::to_string(expected.size()) + " pending, " + std::to_string(seen.messages.size()) + " shown";
  }
  for (std::size_t i = 0; i < seen.messages.size(); ++i) {
    const Message& message = model.message[expected[i]];
    if (seen.messages[i].sequence != message.sequence || seen.messages[i].message.payload != message.Payload()) {
      return who + "expected " + std::to_string(message.sequence) + ", is " + std::to_string(seen.messages[i].sequence);
    }
  }
  return "";
}

std::string Compare(const Model& model, const Observation& seen) {
  if (std::string difference = CompareLedger(model, seen.ledger); !difference.empty()) {
    return difference;
  }
  for (const auto& [place, pending] : seen.pending) {
    const std::string difference = ComparePending(model, place.first, place.second, pending);
    if (!difference.empty()) {
      return difference;
    }
    if (model.Pending(place.first, place.second).size() != seen.waiting.at(place)) {
      return "waiting: " + std::to_string(seen.waiting.at(place));
    }
  }
  for (std::size_t destination = 0; destination < kDestinations; ++destination) {
    if (model.Prepared(destination) != seen.prepared[destination]) {
      return std::string("prepared batches of ") + kDestinationNames.at(destination);
    }
  }
  if (model.Dead() != seen.dead) {
    return "dead letters: " + std::to_string(model.Dead().size()) + " expected, " + std::to_string(seen.dead.size());
  }
  if (model.Suspects() != seen.suspects) {
    return "suspects: " + std::to_string(model.Suspects().size()) + " expected, " +
           std::to_string(seen.suspects.size());
  }
  if (model.Quarantined() != seen.quarantined) {
    return "quarantined: " + std::to_string(model.Quarantined()) + " expected, " + std::to_string(seen.quarantined);
  }
  return "";
}

}  // namespace packhorse::queue::model
