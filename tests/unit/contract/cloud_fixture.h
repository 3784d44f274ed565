#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/read_contract.h"

namespace packhorse::contract::test {

inline std::string Told(const ContractRead& read) {
  std::string all;
  for (const document::Problem& problem : read.problems) {
    all += document::Describe(problem) + "\n";
  }
  return all;
}

// A contract from its text; null, and a failure, where it does not load.
inline std::shared_ptr<const CloudContract> Make(const std::string& text, const SettingValues& settings = {}) {
  const ContractRead read = ReadCloudContract(text, "file");
  EXPECT_NE(read.definition, nullptr) << Told(read);
  if (read.definition == nullptr) {
    return nullptr;
  }
  auto made = MakeCloudContract(read.definition, settings);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? *made : nullptr;
}

// A contract of which `request` and further members are given.
inline std::string Contract(const std::string& request, const std::string& more = "") {
  return R"({"contract":"acme@1.0","request":)" + request + (more.empty() ? "" : "," + more) +
         R"(,"response":[{"status":"2xx","verdict":"accepted"}]})";
}
// With the body `{items}` and this item.
inline std::string WithItem(const std::string& item, const std::string& more = "") {
  return Contract(R"({"path":"/p","body":{"json":"{items}"},"item":)" + item + "}", more);
}

// With everything that is awkward: a device that needs escapes, a whole number beyond 2^53, NaN, null.
inline CanonicalRecord Awkward() {
  CanonicalRecord record;
  record.record_id = "q.n.7";
  record.sequence = 7;
  record.stream = "plant";
  record.device_id = "b/\xC3\xBC 2";
  record.server_received_at = WallTime(std::chrono::microseconds(1'795'165'921'123'456));
  record.device_time = {"2026-11-20T09:12:00.9Z", "1795165920900", TimeSource::kDevice, TimeQuality::kOk, -223};
  record.contract = "generic-json@1.1";
  record.topic = "plant/b/data";
  record.measurements = {{"temp", 21.5, "Cel"},
                         {"count", std::int64_t{9'007'199'254'740'993}, ""},
                         {"bad", std::nan(""), ""},
                         {"none", nullptr, ""},
                         {"ok", true, ""}};
  record.attributes = {{"state", std::string("a \"b\" <c>")}};
  return record;
}
// With nothing but its id and a stream.
inline CanonicalRecord Bare() {
  CanonicalRecord record;
  record.record_id = "q.n.8";
  record.sequence = 8;
  record.stream = "plant";
  record.server_received_at = WallTime(std::chrono::microseconds(1'000'000));
  return record;
}

inline BatchHeader Header(std::string part = "") {
  BatchHeader header;
  header.batch_id = "b-1";
  header.gateway_id = "gw 1";
  header.gateway_attributes = {{"site", "x"}};
  header.created_at = WallTime(std::chrono::microseconds(1'795'165'930'000'000));
  header.part = std::move(part);
  return header;
}

// The items of a record.
inline std::vector<std::string> ItemsOf(const RenderedRecord& record) {
  std::vector<std::string> items;
  if (record.fate != RenderedRecord::Fate::kItems) {
    return items;
  }
  if (record.item_ends.empty()) {
    return {std::string(record.text.view())};
  }
  std::size_t begin = 0;
  for (const std::uint32_t end : record.item_ends) {
    items.emplace_back(record.text.view().substr(begin, end - begin));
    begin = end;
  }
  return items;
}

// The body of a request for these records.
inline std::string BodyOf(const CloudContract& contract, const std::vector<CanonicalRecord>& records) {
  std::vector<RenderedRecord> rendered;
  for (const CanonicalRecord& record : records) {
    rendered.push_back(contract.RenderRecord(record));
  }
  return contract.RenderBatch(Header(rendered.empty() ? "" : rendered[0].part), rendered).body;
}

}  // namespace packhorse::contract::test
