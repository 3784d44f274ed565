#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/crypto.h"
#include "contract/cloud_contract.h"
#include "delivery_fixture.h"

namespace packhorse::delivery {

// An API as its provider documents it, from the other side of a shipped contract: what it finds in a request, and the
// documents that it answers with. The messages are those of CloudTest::Payload: each has a number "n", and those with
// "bad" are what the API refuses.
class ApiModel {
 public:
  using Json = nlohmann::ordered_json;
  enum class Fate { kTaken, kAgain, kRefused };
  struct Item {
    int n = -1;
    bool bad = false;
    std::string id = {};  // where the request gives it one
  };

  virtual ~ApiModel() = default;
  virtual std::string contract() const = 0;
  virtual contract::SettingValues settings() const { return {}; }
  // The items of a request, in order.
  virtual std::vector<Item> Read(const std::string& body) const = 0;
  virtual upload::Response Success(const std::vector<Item>& items) const = 0;
  // The answer that gives each item its fate; none: the API has no such answer.
  virtual std::optional<upload::Response> Partly(const std::vector<Item>& items, const std::vector<Fate>& fates) const {
    static_cast<void>(items);
    static_cast<void>(fates);
    return std::nullopt;
  }
  // Its own document for a failure of the whole request that is none of its records' fault.
  virtual std::string Failure(int status) const = 0;

  std::shared_ptr<const contract::CloudContract> Find() const {
    auto found = contract::FindCloudContract(contract(), settings());
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : nullptr;
  }

 protected:
  // The number behind `name` in a text that holds the measurements of one message.
  static Item ItemIn(std::string_view text, std::string_view name) {
    Item item;
    const std::size_t at = text.find(name);
    if (at != std::string_view::npos) {
      std::from_chars(text.data() + at + name.size(), text.data() + text.size(), item.n);
    }
    item.bad = text.find("bad") != std::string_view::npos;
    return item;
  }
  static std::vector<std::string_view> Lines(std::string_view text) {
    std::vector<std::string_view> lines;
    for (std::size_t end = 0; !text.empty(); text.remove_prefix(std::min(end + 1, text.size()))) {
      end = std::min(text.find('\n'), text.size());
      lines.push_back(text.substr(0, end));
    }
    return lines;
  }
};

class IngestModel final : public ApiModel {
 public:
  std::string contract() const override { return "packhorse-ingest@1"; }
  std::vector<Item> Read(const std::string& body) const override {
    std::vector<Item> items;
    for (const Json& record : Json::parse(body, nullptr, false).value("records", Json::array())) {
      items.push_back(ItemIn(record.dump(), R"("n":{"value":)"));
      items.back().id = record.value("record_id", "");
    }
    return items;
  }
  upload::Response Success(const std::vector<Item>& items) const override {
    return Reply(200, Json{{"accepted", items.size()}}.dump());
  }
  std::optional<upload::Response> Partly(const std::vector<Item>& items,
                                         const std::vector<Fate>& fates) const override {
    Json document = {{"accepted", 0}, {"rejected", Json::array()}, {"retry", Json::array()}};
    int accepted = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      accepted += fates[i] == Fate::kTaken ? 1 : 0;
      if (fates[i] == Fate::kAgain) {
        document["retry"].push_back(items[i].id);
      } else if (fates[i] == Fate::kRefused) {
        document["rejected"].push_back({{"record_id", items[i].id}, {"error", {{"title", "bad record"}}}});
      }
    }
    document["accepted"] = accepted;
    return Reply(207, document.dump());
  }
  std::string Failure(int status) const override {
    return Json{{"type", "about:blank"}, {"title", "it does not work"}, {"status", status}}.dump();
  }
};

// A point alone is refused where there is no other; else the answer names the first line, and nothing is stored.
class InfluxModel final : public ApiModel {
 public:
  std::string contract() const override { return "influxdb@2"; }
  contract::SettingValues settings() const override { return {{"org", "acme"}, {"bucket", "plant"}}; }
  std::vector<Item> Read(const std::string& body) const override {
    std::vector<Item> items;
    for (const std::string_view line : Lines(body)) {
      const Item first = ItemIn(line, " n=");
      items.push_back(first.n >= 0 ? first : ItemIn(line, ",n="));
    }
    return items;
  }
  upload::Response Success(const std::vector<Item>& /*items*/) const override { return Reply(204, "", ""); }
  std::optional<upload::Response> Partly(const std::vector<Item>& items,
                                         const std::vector<Fate>& fates) const override {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (fates[i] == Fate::kRefused) {
        return Reply(400, Json{{"code", "invalid"}, {"message", "unable to parse"}, {"line", i + 1}}.dump());
      }
    }
    return std::nullopt;
  }
  std::string Failure(int /*status*/) const override {
    return Json{{"code", "internal error"}, {"message", "it does not work"}}.dump();
  }
};

class ElasticsearchModel final : public ApiModel {
 public:
  std::string contract() const override { return "elasticsearch-bulk@1"; }
  contract::SettingValues settings() const override { return {{"index", "plant"}}; }
  std::vector<Item> Read(const std::string& body) const override {
    std::vector<Item> items;
    const std::vector<std::string_view> lines = Lines(body);
    for (std::size_t i = 1; i < lines.size(); i += 2) {
      items.push_back(ItemIn(lines[i], R"("n":)"));
    }
    return items;
  }
  upload::Response Success(const std::vector<Item>& items) const override {
    return *Partly(items, std::vector<Fate>(items.size(), Fate::kTaken));
  }
  std::optional<upload::Response> Partly(const std::vector<Item>& items,
                                         const std::vector<Fate>& fates) const override {
    Json document = {{"took", 3}, {"errors", false}, {"items", Json::array()}};
    for (std::size_t i = 0; i < items.size(); ++i) {
      Json item = {{"status", 201}};
      if (fates[i] != Fate::kTaken) {
        document["errors"] = true;
        const bool again = fates[i] == Fate::kAgain;
        item = {{"status", again ? 429 : 400},
                {"error",
                 {{"type", again ? "es_rejected_execution_exception" : "mapper_parsing_exception"},
                  {"reason", "failed to parse"}}}};
      }
      document["items"].push_back({{"create", item}});
    }
    return Reply(200, document.dump());
  }
  std::string Failure(int status) const override {
    return Json{{"error", {{"type", "exception"}, {"reason", "it does not work"}}}, {"status", status}}.dump();
  }
};

// It refuses no record for itself: each that is not taken is to be sent again.
class KinesisModel final : public ApiModel {
 public:
  std::string contract() const override { return "kinesis@1"; }
  contract::SettingValues settings() const override { return {{"stream", "plant"}, {"region", "eu-central-1"}}; }
  std::vector<Item> Read(const std::string& body) const override {
    std::vector<Item> items;
    for (const Json& record : Json::parse(body, nullptr, false).value("Records", Json::array())) {
      items.push_back(ItemIn(auth::DecodeBase64(record.value("Data", "")).value_or(""), R"("n":)"));
    }
    return items;
  }
  upload::Response Success(const std::vector<Item>& items) const override {
    return *Partly(items, std::vector<Fate>(items.size(), Fate::kTaken));
  }
  std::optional<upload::Response> Partly(const std::vector<Item>& items,
                                         const std::vector<Fate>& fates) const override {
    Json document = {{"FailedRecordCount", 0}, {"Records", Json::array()}};
    int failed = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      failed += fates[i] == Fate::kTaken ? 0 : 1;
      document["Records"].push_back(fates[i] == Fate::kTaken
                                        ? Json{{"SequenceNumber", "1"}, {"ShardId", "s-0"}}
                                        : Json{{"ErrorCode", "InternalFailure"}, {"ErrorMessage", "internal"}});
    }
    document["FailedRecordCount"] = failed;
    return Reply(200, document.dump(), "application/x-amz-json-1.1");
  }
  std::string Failure(int /*status*/) const override {
    return Json{{"__type", "InternalFailure"}, {"message", "it does not work"}}.dump();
  }
};

inline std::unique_ptr<ApiModel> MakeModel(std::string_view name) {
  if (name == "Ingest") {
    return std::make_unique<IngestModel>();
  }
  if (name == "Influx") {
    return std::make_unique<InfluxModel>();
  }
  if (name == "Elasticsearch") {
    return std::make_unique<ElasticsearchModel>();
  }
  return std::make_unique<KinesisModel>();
}

}  // namespace packhorse::delivery
