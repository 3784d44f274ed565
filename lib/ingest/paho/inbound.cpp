#include "ingest/paho/inbound.h"

#include <stdexcept>

namespace packhorse::ingest {
namespace {

// As the library names a PUBLISH of QoS 2 that it has received (MQTTPersistence.h of Paho C). Whatever else it would
// keep it must not remember: a new connection begins without.
constexpr const char* kReceived = "r-";

}  // namespace

void InboundQos2::clear() {
  const std::lock_guard lock(mutex_);
  packets_.clear();
  bytes_ = 0;
}

bool InboundQos2::contains_key(const std::string& key) {
  const std::lock_guard lock(mutex_);
  return packets_.contains(key);
}

mqtt::string_collection InboundQos2::keys() const {
  const std::lock_guard lock(mutex_);
  mqtt::string_collection keys;
  for (const auto& [key, packet] : packets_) {
    keys.push_back(key);
  }
  return keys;
}

void InboundQos2::put(const std::string& key, const std::vector<mqtt::string_view>& bufs) {
  if (key.rfind(kReceived, 0) != 0) {
    return;
  }
  std::string packet;
  for (const mqtt::string_view& buf : bufs) {
    packet.append(buf.data(), buf.size());
  }
  remove(key);
  const std::lock_guard lock(mutex_);
  if (packets_.size() < kMaxMessages && bytes_ + packet.size() <= kMaxBytes) {
    bytes_ += packet.size();
    packets_[key] = std::move(packet);
  }
}

std::string InboundQos2::get(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = packets_.find(key);
  if (found == packets_.end()) {
    throw std::out_of_range("no such packet");  // the library takes it as an error of the store
  }
  return found->second;
}

void InboundQos2::remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (const auto found = packets_.find(key); found != packets_.end()) {
    bytes_ -= found->second.size();
    packets_.erase(found);
  }
}

}  // namespace packhorse::ingest
