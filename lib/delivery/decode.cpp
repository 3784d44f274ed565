// By which of its stream's definitions a stored message is decoded.

#include <algorithm>
#include <functional>
#include <utility>

#include "delivery/delivery.h"
#include "queue/values/definition.h"
#include "queue/values/values.h"

namespace packhorse::delivery {
namespace {

using contract::Decoded;

Decoded Undecodable(std::string_view reason, std::string detail) {
  Decoded decoded;
  decoded.kind = Decoded::Kind::kQuarantine;
  decoded.reason = reason;
  decoded.detail = std::move(detail);
  return decoded;
}

const TopicPattern* Match(const StreamDefinition& definition, const std::string& topic) {
  const auto found = std::find_if(definition.patterns.begin(), definition.patterns.end(),
                                  [&](const TopicPattern& pattern) { return pattern.Matches(topic); });
  return found == definition.patterns.end() ? nullptr : &*found;
}

// One message and the ways to decode it, tried until one does.
class Attempts {
 public:
  Attempts(const StreamBinding& stream, std::string_view queue_id, Lane lane, const queue::StoredMessage& stored,
           const std::function<bool(const Decoded&)>& fits, std::vector<CanonicalRecord>* spare)
      : stream_(stream), queue_id_(queue_id), lane_(lane), stored_(stored), fits_(fits), spare_(spare) {}

  Decoded Run() {
    // The newest first: a mistake in a definition is mended for what is stored, too. One that ended before the message
    // came is not asked: it would make something of messages that the one in force refuses.
    const bool found = Try([this](const StreamDefinition& definition) { return InForce(definition); });
    // That its topics match shows that it let the message in, whatever the numbers say.
    if (!found && !tried_) {
      Try([](const StreamDefinition&) { return true; });
    }
    if (!tried_) {
      By(stream_.definitions.front(), nullptr);
    }
    return std::move(result_);
  }

 private:
  bool InForce(const StreamDefinition& definition) const {
    return !definition.through || stored_.sequence <= definition.through->at(queue::At(lane_));
  }

  template <typename Wanted>
  bool Try(Wanted wanted) {
    return std::any_of(stream_.definitions.begin(), stream_.definitions.end(), [&](const StreamDefinition& definition) {
      const TopicPattern* pattern = wanted(definition) ? Match(definition, stored_.message.topic) : nullptr;
      return pattern != nullptr && By(definition, pattern);
    });
  }

  // Whether it decodes the message. What the newest says stays, if none does; but while the contract of one is not
  // known that one may be right.
  bool By(const StreamDefinition& definition, const TopicPattern* pattern) {
    const bool first = !std::exchange(tried_, true);
    if (definition.contract == nullptr) {
      result_ =
          Undecodable(queue::kUnknownContract, "the stream's contract " + definition.contract_name +
                                                   " is not known to this release; the message is decoded once it is");
      return false;
    }
    contract::DecodeContext context;
    context.queue_id = queue_id_;
    context.lane = lane_;
    context.sequence = stored_.sequence;
    context.stream = stream_.name;
    context.pattern = pattern;
    context.retained_is_state = definition.retained_is_state;
    context.spare = spare_;
    Decoded decoded = definition.contract->Decode(stored_.message, context);
    const bool fits = fits_(decoded);
    if (fits || first) {
      result_ = std::move(decoded);
    }
    return fits;
  }

  const StreamBinding& stream_;
  const std::string_view queue_id_;
  const Lane lane_;
  const queue::StoredMessage& stored_;
  const std::function<bool(const Decoded&)>& fits_;
  std::vector<CanonicalRecord>* const spare_;
  bool tried_ = false;
  Decoded result_;
};

Decoded DecodeBy(const Streams& streams, std::string_view queue_id, Lane lane, const queue::StoredMessage& stored,
                 const std::function<bool(const Decoded&)>& fits, std::vector<CanonicalRecord>* spare = nullptr) {
  const StreamBinding* const stream = streams.Find(stored.message.stream);
  if (stream == nullptr) {
    return Undecodable(queue::kUnknownStream,
                       "the stream of this message is not configured and nothing is kept of it; the message is decoded "
                       "once a stream of its name is configured again");
  }
  return Attempts(*stream, queue_id, lane, stored, fits, spare).Run();
}

}  // namespace

Decoded Decode(const Streams& streams, std::string_view queue_id, Lane lane, const queue::StoredMessage& stored,
               std::vector<CanonicalRecord>* spare) {
  static const std::function<bool(const Decoded&)> decodes = [](const Decoded& decoded) {
    return decoded.kind == Decoded::Kind::kIgnored ||
           (decoded.kind == Decoded::Kind::kRecords && !decoded.records.empty());
  };
  return DecodeBy(streams, queue_id, lane, stored, decodes, spare);
}

Decoded DecodeAgain(const Streams& streams, std::string_view queue_id, Lane lane, const queue::StoredMessage& stored,
                    std::uint32_t records) {
  return DecodeBy(streams, queue_id, lane, stored, [records](const Decoded& decoded) {
    return decoded.kind == Decoded::Kind::kRecords && decoded.records.size() == records;
  });
}

void Bind(std::string_view name, const std::vector<queue::KeptDefinition>& kept, StreamId stream, Streams& streams) {
  StreamBinding binding{std::string(name), {}};
  for (const queue::KeptDefinition& each : kept) {
    if (each.stream != stream) {
      continue;
    }
    const auto contract = contract::FindDeviceContract(each.definition.contract);
    std::vector<TopicPattern> patterns;
    for (const std::string& topic : each.definition.topics) {
      if (Result<TopicPattern> pattern = TopicPattern::Parse(topic)) {
        patterns.push_back(*std::move(pattern));
      }
    }
    StreamDefinition definition(std::move(patterns), contract ? *contract : nullptr, each.definition.retained_is_state);
    definition.contract_name = each.definition.contract;
    if (!each.current) {
      definition.through = each.through;
    }
    binding.definitions.push_back(std::move(definition));
  }
  if (!binding.definitions.empty()) {
    streams.Set(stream, std::move(binding));
  }
}

}  // namespace packhorse::delivery
