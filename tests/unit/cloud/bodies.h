#pragma once

#include <zlib.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace packhorse::cloud::test {

// Bodies of packhorse-ingest@1 for the tests.
inline nlohmann::json Record(std::uint64_t sequence, const std::string& device = "17") {
  const std::string number = std::to_string(sequence);
  return {{"record_id", "k3f9.n." + number},
          {"sequence", sequence},
          {"kind", "telemetry"},
          {"stream", "telemetry"},
          {"device_id", device},
          {"server_received_at", "2026-11-20T09:12:01.123456Z"},
          {"gateway_clock", "synchronized"},
          {"device_time",
           {{"value", "2026-11-20T09:12:00.900Z"},
            {"raw", "1795165920900"},
            {"source", "device"},
            {"quality", "ok"},
            {"skew_ms", -223}}},
          {"contract", "generic-json@1.0"},
          {"topic", "site/a/dev/" + device + "/telemetry"},
          {"measurements", {{"temperature", {{"value", 21.5}, {"unit", "Cel"}}}, {"seq", {{"value", sequence}}}}},
          {"attributes", {{"firmware", "1.4.2"}}},
          {"flags", {"backfilled"}}};
}

inline nlohmann::json Body(std::vector<nlohmann::json> records) {
  return {{"contract", "packhorse-ingest@1.0"},
          {"gateway", {{"id", "gw-0042"}, {"attributes", {{"site", "plant-7"}}}}},
          {"batch", {{"id", "b1"}, {"lane", "normal"}, {"records", records.size()}}},
          {"records", std::move(records)}};
}

inline std::string Gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 64, '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace packhorse::cloud::test
