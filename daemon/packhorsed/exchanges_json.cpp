#include "packhorsed/exchanges_json.h"

#include "common/json_parts.h"

namespace packhorse::daemon {
namespace {

// Pairs, not an object: a header may come twice.
Json HeadersJson(const delivery::HeaderList& headers) {
  Json list = Json::array();
  for (const auto& [name, value] : headers) {
    list.push_back({{"name", name}, {"value", value}});
  }
  return list;
}

Json OneExchange(const std::string& destination, const delivery::Exchange& exchange) {
  return {{"destination", destination},
          {"at", Time(exchange.at)},
          {"batch_key", exchange.batch_key},
          {"trace_id", exchange.trace_id},
          {"records", exchange.records},
          {"method", exchange.method},
          {"path", exchange.path},
          {"request_headers", HeadersJson(exchange.request_headers)},
          {"request_bytes", exchange.request_bytes},
          {"request_start", exchange.request_start},
          {"http_status", exchange.status},
          {"transport_error", exchange.transport_error},
          {"elapsed_ms", static_cast<double>(exchange.elapsed.count()) / 1000.0},
          {"reply_headers", HeadersJson(exchange.reply_headers)},
          {"reply_bytes", exchange.reply_bytes},
          {"reply_start", exchange.reply_start},
          {"provider_request_id", exchange.provider_request_id},
          {"verdict", exchange.verdict}};
}

}  // namespace

std::string ExchangesJson(const std::vector<std::pair<std::string, const delivery::Exchanges*>>& destinations) {
  Json list = Json::array();
  for (const auto& [name, exchanges] : destinations) {
    for (const delivery::Exchange& exchange : exchanges->all()) {
      list.push_back(OneExchange(name, exchange));
    }
  }
  return Dump({{"exchanges", std::move(list)}});
}

}  // namespace packhorse::daemon
