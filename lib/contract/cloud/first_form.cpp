#include "contract/cloud/first_form.h"

#include <utility>
#include <vector>

#include "contract/cloud/first_form_rules.h"
#include "document/check.h"
#include "format/json/writer.h"

namespace packhorse::contract {
namespace {

using document::Node;

std::string JsonString(std::string_view text) {
  std::string out;
  format::AppendString(out, text);
  return out;
}

// A text that is no placeholder, in whatever it says.
std::string LiteralText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    out += c == '{' ? "{" : "";
  }
  return JsonString(out);
}

std::vector<int> Statuses(const Node& list) {
  std::vector<int> statuses;
  for (const Node& item : list.items) {
    statuses.push_back(static_cast<int>(item.integer));
  }
  return statuses;
}

ResponseRules ResponseOf(const Node& response) {
  FirstFormResponse out;
  out.success = Statuses(response["success"]);
  out.accepted_pointer = response["accepted"].text;
  const Node& partial = response["partial"];
  out.partial = Statuses(partial["statuses"]);
  out.rejected_pointer = partial["rejected"].text;
  out.rejected_id_pointer = partial["rejected_id"].text;
  out.rejected_error_pointer = partial["rejected_error"].text;
  out.retry_pointer = partial["retry"].text;
  return FirstFormRules(out);
}

std::string OutcomesOf(const Node& root) {
  const Node* outcomes = root.Find("gap_outcomes");
  if (outcomes == nullptr) {
    return R"(["dropped","expired"])";
  }
  std::string list = "[";
  for (const Node& outcome : outcomes->items) {
    list += (list.size() == 1 ? "" : ",") + JsonString(outcome.text);
  }
  return list + "]";
}

}  // namespace

bool IsFirstForm(const Node& root) {
  const Node* request = root.Find("request");
  return request != nullptr && request->Find("envelope") != nullptr;
}

FirstForm ReadFirstForm(const Node& written, document::Problems& problems) {
  const document::Document schema = document::EmbeddedSchema("cloud-contract.schema.json");
  const Node root = document::CheckAgainstSchema(written, document::Schema(schema.root, schema.root), problems);
  const Node& request = root["request"];
  std::string headers = "{\"Content-Type\":" + LiteralText(request["content_type"].text);
  if (const Node& header = request["idempotency_header"]; header.usable()) {
    // A structured field String: the quotes are part of the value (IETF httpapi idempotency-key draft).
    headers += "," + JsonString(header.text) + R"(:"\"{batch.id}\"")";
  }
  FirstForm form;
  form.text = "{\"contract\":" + JsonString(root["contract"].text) + ",\"title\":" + JsonString(root["title"].text) +
              ",\"description\":" + JsonString(root["description"].text) +
              ",\"request\":{\"method\":" + JsonString(request["method"].text) +
              ",\"path\":" + LiteralText(request["path"].text) + ",\"headers\":" + headers +
              R"(},"coding":["gzip"],"body":{"json":{"contract":)" + LiteralText(root["contract"].text) +
              R"(,"gateway":{"id":"{gateway.id}","attributes":"{gateway.attributes}"},)"
              R"("batch":{"id":"{batch.id}","lane":"{batch.lane}","records":"{batch.items}"},"records":"{items}"}},)"
              R"("item":"{record}"},"accepts":{"max_items":)" +
              std::to_string(root["limits"]["max_records"].integer) +
              ",\"max_bytes\":" + std::to_string(root["limits"]["max_bytes"].integer) +
              ",\"overwrites\":true},\"gap_outcomes\":" + OutcomesOf(root) + ",\"response\":[]}";
  form.response = ResponseOf(root["response"]);
  return form;
}

}  // namespace packhorse::contract
