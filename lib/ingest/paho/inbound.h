#pragma once

#include <mqtt/iclient_persistence.h>

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace packhorse::ingest {

// What the library has to remember of QoS 2 messages between their PUBREC and their PUBREL, beyond the end of a
// connection: over MQTT 3.1.1 it hands such a message over only then (MQTT 3.1.1 section 4.3.3, method A). In memory:
// it does not outlive the process. We never ask for QoS 2.
//
// One for a broker. Bounded by messages and bytes; what goes over that is not remembered. Thread-safe; outlives the
// library's clients that use it.
class InboundQos2 final : public mqtt::iclient_persistence {
 public:
  static constexpr std::size_t kMaxMessages = 1'000;
  static constexpr std::size_t kMaxBytes = 4U << 20U;

  void open(const std::string&, const std::string&) override {}
  void close() override {}
  void clear() override;
  bool contains_key(const std::string& key) override;
  mqtt::string_collection keys() const override;
  void put(const std::string& key, const std::vector<mqtt::string_view>& bufs) override;
  std::string get(const std::string& key) const override;
  void remove(const std::string& key) override;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> packets_;  // guarded by mutex_
  std::size_t bytes_ = 0;                       // likewise
};

}  // namespace packhorse::ingest
