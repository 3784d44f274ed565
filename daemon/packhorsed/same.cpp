#include "packhorsed/same.h"

#include <algorithm>
#include <tuple>

namespace packhorse::daemon {
namespace {

auto Scalars(const config::Tls& tls) {
  const auto& [ca, certificate, key, pins] = tls;
  return std::tie(ca, certificate, key, pins);
}

auto Scalars(const config::Stream& stream) {
  const auto& [name, source, topics, contract, lane, retained, destinations, retain_delivered, device_rate] = stream;
  return std::tie(name, source, topics, contract, lane, retained, destinations, retain_delivered, device_rate);
}

auto Scalars(const config::Limit& limit) {
  const auto& [unit, count, per] = limit;
  return std::tie(unit, count, per);
}

auto Scalars(const config::Batch& batch) {
  const auto& [max_records, max_bytes, max_age] = batch;
  return std::tie(max_records, max_bytes, max_age);
}

auto Scalars(const config::Retry& retry) {
  const auto& [initial, max, budget] = retry;
  return std::tie(initial, max, budget);
}

}  // namespace

bool Same(const config::SecretRef& a, const config::SecretRef& b) {
  const auto& [kind, name, next] = a;
  const auto& [other_kind, other_name, other_next] = b;
  if (kind != other_kind || name != other_name || (next == nullptr) != (other_next == nullptr)) {
    return false;
  }
  return next == nullptr || Same(*next, *other_next);
}

bool Same(const config::Auth& a, const config::Auth& b) {
  const auto& [type, username, header, secret] = a;
  const auto& [other_type, other_username, other_header, other_secret] = b;
  return std::tie(type, username, header) == std::tie(other_type, other_username, other_header) &&
         Same(secret, other_secret);
}

bool Same(const config::Tls& a, const config::Tls& b) { return Scalars(a) == Scalars(b); }

bool Same(const config::Source& a, const config::Source& b) {
  const auto& [name, urls, client_id, username, password, tls, allow_plaintext, protocol, keep_alive, session_expiry,
               receive_maximum, max_payload_bytes, max_topic_bytes, connect_timeout, reconnect_min, reconnect_max] = a;
  return std::tie(name, urls, client_id, username, allow_plaintext, protocol, keep_alive, session_expiry,
                  receive_maximum, max_payload_bytes, max_topic_bytes, connect_timeout, reconnect_min,
                  reconnect_max) == std::tie(b.name, b.urls, b.client_id, b.username, b.allow_plaintext, b.protocol,
                                             b.keep_alive, b.session_expiry, b.receive_maximum, b.max_payload_bytes,
                                             b.max_topic_bytes, b.connect_timeout, b.reconnect_min, b.reconnect_max) &&
         Same(password, b.password) && Same(tls, b.tls);
}

bool Same(const config::Stream& a, const config::Stream& b) { return Scalars(a) == Scalars(b); }

bool Same(const config::Gateway& a, const config::Gateway& b) {
  const auto& [id, attributes] = a;
  return std::tie(id, attributes) == std::tie(b.id, b.attributes);
}

bool Same(const config::Destination& a, const config::Destination& b) {
  const auto& [name, contract, url, allow_plaintext, auth, tls, batch, retry, limits, shared_limit, order, receiver,
               backfill_share, backfill_after, start, compression, timeout, connect_timeout] = a;
  return std::tie(name, contract, url, allow_plaintext, shared_limit, order, receiver, backfill_share, backfill_after,
                  start, compression, timeout, connect_timeout) ==
             std::tie(b.name, b.contract, b.url, b.allow_plaintext, b.shared_limit, b.order, b.receiver,
                      b.backfill_share, b.backfill_after, b.start, b.compression, b.timeout, b.connect_timeout) &&
         Scalars(batch) == Scalars(b.batch) && Scalars(retry) == Scalars(b.retry) && Same(limits, b.limits) &&
         Same(auth, b.auth) && Same(tls, b.tls);
}

bool Same(const std::vector<config::Limit>& a, const std::vector<config::Limit>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const config::Limit& x, const config::Limit& y) { return Scalars(x) == Scalars(y); });
}

}  // namespace packhorse::daemon
