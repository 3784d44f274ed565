#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/cloud_contract.h"

namespace packhorse::delivery {

// A contract of an API that takes lines, one per measurement, in requests of one device each. It obeys what
// CloudContract says; the test sets what its records are.
class FakeContract final : public contract::CloudContract {
 public:
  FakeContract() {
    accepts_.max_items = 100;
    accepts_.max_bytes = 1 << 20;
  }

  const std::string& name() const override { return name_; }
  const std::string& method() const override { return method_; }
  const std::vector<std::string>& codings() const override { return codings_; }
  bool recognises_records() const override { return true; }
  const contract::ResponseRules& response() const override { return rules_; }
  const contract::Accepts& accepts() const override { return accepts_; }
  const std::vector<contract::DeclaredLimit>& limits() const override { return limits_; }
  bool TellsGap(std::string_view /*outcome*/) const override { return false; }
  const std::vector<std::string>& secrets() const override { return codings_; }
  const std::string* SecretEntry(std::string_view name) const override {
    return name == "tokens:a" ? &token_ : nullptr;
  }
  std::vector<std::string> HeaderNames() const override { return {"x-batch"}; }

  // An attribute "fate" says what becomes of a record, "part" to which part it belongs.
  contract::RenderedRecord RenderRecord(const CanonicalRecord& record) const override {
    using Fate = contract::RenderedRecord::Fate;
    contract::RenderedRecord rendered;
    std::string lines;
    for (const Measurement& measurement : record.measurements) {
      lines += record.record_id + " " + measurement.name + "\n";
      rendered.item_ends.push_back(static_cast<std::uint32_t>(lines.size()));
    }
    rendered.text = contract::ItemText(lines);
    for (const Attribute& attribute : record.attributes) {
      const auto* text = std::get_if<std::string>(&attribute.value);
      if (attribute.name == "part" && text != nullptr) {
        rendered.part = *text;
      }
      if (attribute.name == "fate" && text != nullptr && !(mended && *text == "wait")) {
        rendered.fate = *text == "skip" ? Fate::kSkipped : *text == "wait" ? Fate::kWait : Fate::kDeadLetter;
        rendered.reason = "missing_value";
        rendered.detail = "there is no unit";
      }
    }
    return rendered;
  }
  std::optional<WallTime> TimeOf(const CanonicalRecord& record) const override { return record.server_received_at; }
  contract::RenderedRecord RenderAsReceived(const CanonicalRecord& record) const override {
    return RenderRecord(record);
  }
  contract::Rendered RenderBatch(const contract::BatchHeader& header,
                                 std::span<const contract::RenderedRecord> records) const override {
    contract::Rendered rendered{"/lines/" + header.part, "text/plain", "begin\n"};
    rendered.items_begin = rendered.body.size();
    for (const contract::RenderedRecord& record : records) {
      rendered.body += record.text.view();
    }
    rendered.items_end = rendered.body.size();
    rendered.body += "end\n";
    return rendered;
  }
  contract::Headers RequestHeaders(const contract::BatchHeader& header) const override {
    return {{"X-Batch", header.batch_id + "/" + header.part}, {"Accept", "text/plain"}};
  }
  Result<std::vector<std::string>> Items(std::string_view items) const override {
    std::vector<std::string> lines;
    for (std::size_t end = items.find('\n'); end != std::string_view::npos; end = items.find('\n')) {
      lines.emplace_back(items.substr(0, end + 1));
      items.remove_prefix(end + 1);
    }
    return lines;
  }
  std::uint64_t EnvelopeBytes(const contract::BatchHeader& /*header*/) const override { return 10; }

  contract::Accepts accepts_;
  bool mended = false;

 private:
  std::string name_ = "fake@1.0";
  std::string method_ = "PUT";
  std::string token_ = "token-of-a";
  std::vector<std::string> codings_;
  std::vector<contract::DeclaredLimit> limits_;
  // One answer for all: what packhorse-ingest@1 says.
  contract::ResponseRules rules_ = (*contract::FindCloudContract("packhorse-ingest@1"))->response();
};

}  // namespace packhorse::delivery
