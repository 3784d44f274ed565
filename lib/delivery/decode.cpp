// By which of its stream's definitions a stored message is decoded.

#include <optional>
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

// The device that the topic names, by the first of the patterns that it matches.
std::optional<std::string_view> Match(const StreamDefinition& definition, std::string_view topic) {
  for (const TopicPattern& pattern : definition.patterns) {
    if (const auto device = pattern.Match(topic)) {
      return device;
    }
  }
  return std::nullopt;
}

// One message and the definitions to decode it by. The newest first: a mistake in a definition is mended for what is
// stored, too. One that ended before the message came is not asked: it would make something of messages that the one in
// force refuses. But where none is in force, that its topics match shows that it let the message in, whatever the
// numbers say.
class Candidates {
 public:
  Candidates(const StreamBinding& stream, Lane lane, const queue::StoredMessage& stored)
      : definitions_(stream.definitions), lane_(lane), stored_(stored) {}

  // The first is never null: where no topics match, it is the newest.
  const StreamDefinition* Next() {
    while (const StreamDefinition* const next = Following()) {
      if (ended_too_ || InForce(*next)) {
        if (const auto device = Match(*next, stored_.message.topic)) {
          device_ = *device;
          found_ = true;
          return next;
        }
      }
    }
    return std::exchange(found_, true) ? nullptr : &definitions_.front();
  }
  // What the topic says by the one that Next() gave.
  std::string_view device() const { return device_; }

 private:
  const StreamDefinition* Following() {
    if (at_ == definitions_.size() && !found_ && !ended_too_) {
      ended_too_ = true;
      at_ = 0;
    }
    return at_ == definitions_.size() ? nullptr : &definitions_[at_++];
  }
  bool InForce(const StreamDefinition& definition) const {
    return !definition.through || stored_.sequence <= definition.through->at(queue::At(lane_));
  }

  const std::vector<StreamDefinition>& definitions_;
  const Lane lane_;
  const queue::StoredMessage& stored_;
  std::size_t at_ = 0;
  bool ended_too_ = false;
  bool found_ = false;
  std::string_view device_;
};

Decoded By(const StreamDefinition& definition, const queue::StoredMessage& stored, contract::DecodeContext& context) {
  if (definition.contract == nullptr) {
    return Undecodable(queue::kUnknownContract, "the stream's contract " + definition.contract_name +
                                                    " is not known to this release; the message is decoded once it is");
  }
  context.retained_is_state = definition.retained_is_state;
  return definition.contract->Decode(stored.message, context);
}

// By the first that gives what `fits`. What the newest says stays, if none does; but while the contract of one is not
// known that one may be right.
template <typename Fits>
Decoded DecodeByFirst(const StreamBinding& stream, contract::DecodeContext& context, const queue::StoredMessage& stored,
                      const Fits& fits) {
  Candidates candidates(stream, context.lane, stored);
  const auto decode = [&](const StreamDefinition& definition) {
    context.device = candidates.device();
    return By(definition, stored, context);
  };
  Decoded decoded = decode(*candidates.Next());
  bool done = fits(decoded);
  while (!done) {
    const StreamDefinition* const next = candidates.Next();
    if (next == nullptr) {
      break;
    }
    Decoded other = decode(*next);
    done = fits(other);
    if (done || next->contract == nullptr) {
      decoded = std::move(other);
    }
  }
  return decoded;
}

template <typename Fits>
Decoded DecodeBy(const Streams& streams, std::string_view queue_id, Lane lane, const queue::StoredMessage& stored,
                 const Fits& fits, std::vector<CanonicalRecord>* spare = nullptr) {
  const StreamBinding* const stream = streams.Find(stored.message.stream);
  if (stream == nullptr) {
    return Undecodable(queue::kUnknownStream,
                       "the stream of this message is not configured and nothing is kept of it; the message is decoded "
                       "once a stream of its name is configured again");
  }
  contract::DecodeContext context;
  context.queue_id = queue_id;
  context.lane = lane;
  context.sequence = stored.sequence;
  context.stream = stream->name;
  context.spare = spare;
  return DecodeByFirst(*stream, context, stored, fits);
}

}  // namespace

Decoded Decode(const Streams& streams, std::string_view queue_id, Lane lane, const queue::StoredMessage& stored,
               std::vector<CanonicalRecord>* spare) {
  const auto decodes = [](const Decoded& decoded) {
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
