#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/topic.h"
#include "contract/device_contract.h"
#include "record/raw_message.h"

namespace packhorse::delivery {

// A way to decode messages of a stream.
struct StreamDefinition {
  std::vector<TopicPattern> patterns;
  std::shared_ptr<const contract::DeviceContract> contract;  // null: this release does not know it
  bool retained_is_state = true;
  // The last number of each lane that may have come under it; none: it is in force.
  std::optional<std::array<Sequence, kLanes>> through;
  std::string contract_name;  // as it was configured

  StreamDefinition(std::vector<TopicPattern> topics, std::shared_ptr<const contract::DeviceContract> by,
                   bool state = true)
      : patterns(std::move(topics)), contract(std::move(by)), retained_is_state(state) {}
};

// How messages of one stream are decoded: as it is configured now or was at last, and before that as it was when the
// message came or later. The newest first; never empty.
struct StreamBinding {
  std::string name;
  std::vector<StreamDefinition> definitions;
};

// The streams of a gateway. A copy is cheap and stays as it is when the original changes: another thread may read it
// while the loop takes over a new configuration.
class Streams {
 public:
  // Null: nothing is known of the stream. Valid as long as this object or a copy has it.
  const StreamBinding* Find(StreamId stream) const {
    const auto found = bindings_->find(stream);
    return found == bindings_->end() ? nullptr : &found->second;
  }
  std::size_t size() const { return bindings_->size(); }
  // Enters the stream, or replaces what was there.
  void Set(StreamId stream, StreamBinding binding) {
    auto changed = std::make_shared<Bindings>(*bindings_);
    changed->insert_or_assign(stream, std::move(binding));
    bindings_ = std::move(changed);
  }
  void Clear() { bindings_ = std::make_shared<Bindings>(); }
  // Whether one is a copy of the other, and neither has changed since.
  bool IsSame(const Streams& other) const { return bindings_ == other.bindings_; }

 private:
  using Bindings = std::map<StreamId, StreamBinding>;
  std::shared_ptr<const Bindings> bindings_ = std::make_shared<Bindings>();
};

}  // namespace packhorse::delivery
