#include "contract/cloud/read_contract.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "contract/cloud/first_form.h"
#include "contract/cloud/read_auth.h"
#include "contract/cloud/read_confirm.h"
#include "contract/cloud/read_reconcile.h"
#include "contract/cloud/read_request.h"
#include "contract/cloud/read_response.h"
#include "contract/json_folder.h"
#include "document/check.h"

namespace packhorse::contract {
namespace {

using document::Node;

bool IsNote(const document::Member& member) {
  return member.name == "note" && member.value.kind == Node::Kind::kString;
}

// Takes the notes out of everything but what is sent: there a member called note is one.
void RemoveNotes(Node& node, bool below) {
  std::erase_if(node.members, IsNote);
  if (!below) {
    return;
  }
  for (document::Member& member : node.members) {
    RemoveNotes(member.value, member.name != "request");
  }
  for (Node& item : node.items) {
    RemoveNotes(item, true);
  }
}

// "64KiB" as the configuration has it, and what vendors write: KB, MB, GB are thousands.
std::optional<std::uint64_t> ReadSize(const Node& node) {
  if (node.kind == Node::Kind::kInteger) {
    return node.integer > 0 ? std::optional(static_cast<std::uint64_t>(node.integer)) : std::nullopt;
  }
  if (const auto bytes = ParseBytes(node.text)) {
    return *bytes > 0 ? std::optional(*bytes) : std::nullopt;
  }
  static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 3> kUnits = {
      {{"KB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}}};
  for (const auto& [unit, factor] : kUnits) {
    std::uint32_t number = 0;
    const std::string_view text = node.text;
    if (text.ends_with(unit) && ReadNumber(text.substr(0, text.size() - 2), number) && number > 0) {
      return number * factor;
    }
  }
  return std::nullopt;
}

class Reader {
 public:
  Reader(const Node& root, document::Problems& problems) : root_(root), problems_(problems) {}

  std::shared_ptr<CloudDefinition> Read() {
    auto definition = std::make_shared<CloudDefinition>();
    CloudDefinition& d = *definition;
    d.contract = root_["contract"].text;
    d.title = root_["title"].text;
    d.description = root_["description"].text;
    ReadSettings(d);
    if (const Node* auth = root_.Find("auth")) {
      d.auth = ReadAuth(*auth, declared_, problems_);
    }
    d.time = root_["time"].text == "device"     ? ClockOfTime::kDevice
             : root_["time"].text == "received" ? ClockOfTime::kReceived
                                                : ClockOfTime::kDeviceOrReceived;
    ReadAccepts(root_["accepts"], d);
    ReadLimits(root_["limits"], d);
    const bool gaps = (d.kinds >> static_cast<unsigned>(RecordKind::kGap) & 1U) != 0;
    for (const Node& outcome : root_["gap_outcomes"].items) {
      if (gaps) {
        d.gap_outcomes.push_back(outcome.text);
      }
    }
    if (const Node& request = root_["request"]; request.usable() && request.kind == Node::Kind::kObject) {
      ReadRequest(request, declared_, d, problems_);
    }
    ReadConfirm(root_["confirm"], declared_, d, problems_);
    if (const Node& reconcile = root_["reconcile"]; reconcile.usable()) {
      d.reconcile = ReadReconcile(reconcile, declared_, problems_);
    }
    d.slots = std::move(declared_.slots);
    d.deferred = std::move(declared_.deferred);
    return definition;
  }

 private:
  void ReadSettings(CloudDefinition& d) {
    for (const document::Member& member : root_["settings"].members) {
      DefinedSetting setting;
      setting.rule.name = member.name;
      setting.rule.secret = member.value["secret"].boolean;
      const Node* standard = member.value.Find("default");
      setting.rule.required = standard == nullptr;
      setting.rule.table = member.value["table"].boolean;
      Declared::Setting known{member.name, setting.rule.secret, false, setting.rule.table};
      if (standard != nullptr && setting.rule.secret) {
        problems_.Error(*standard, "a secret has no default", {.allowed = "no default", .show_value = false});
      } else if (standard != nullptr && setting.rule.table && standard->kind != Node::Kind::kNull) {
        setting.table = std::make_shared<const LookupTable>(ReadLookupTable(*standard, problems_));
      } else if (standard != nullptr && standard->kind == Node::Kind::kString) {
        Declared none;
        setting.value = ParseText(standard->text, *standard, Where::kSetting, false, none, problems_);
        known.of_gateway = !setting.value->constant();
      } else if (standard != nullptr && standard->kind != Node::Kind::kNull) {
        problems_.Error(*standard, "must be a text or null",
                        {.allowed = "a text, or null", .suggestion = "put it in \" \""});
      }
      d.settings.push_back(std::move(setting));
      declared_.settings.push_back(std::move(known));
    }
  }

  std::uint64_t Size(const Node& owner, std::string_view name, std::uint64_t fallback) {
    const Node& node = owner[name];
    if (!node.usable()) {
      return fallback;
    }
    const std::optional<std::uint64_t> size = ReadSize(node);
    if (!size) {
      problems_.Error(
          node, "is not a size",
          {.allowed = "a whole number of bytes, or one with KB, MB, GB, KiB, MiB or GiB, such as \"1MiB\""});
    }
    return size.value_or(fallback);
  }

  void ReadAccepts(const Node& accepts, CloudDefinition& d) {
    Accepts& out = d.accepts;
    const auto duration = [&](std::string_view name) {
      const Node& node = accepts[name];
      return node.usable() ? std::optional(std::chrono::milliseconds(node.integer)) : std::nullopt;
    };
    out.max_items = accepts["max_items"].usable() ? static_cast<std::uint32_t>(accepts["max_items"].integer) : 1;
    out.max_bytes = Size(accepts, "max_bytes", std::uint64_t{1} << 20U);
    out.max_sent_bytes = Size(accepts, "max_sent_bytes", 0);
    d.max_item_bytes = Size(accepts, "max_item_bytes", 0);
    out.oldest = duration("oldest");
    out.newest = duration("newest");
    const std::string outside = accepts["outside"].text;
    out.outside = outside == "hold"                      ? Outside::kHold
                  : outside == "send_with_received_time" ? Outside::kSendWithReceivedTime
                                                         : Outside::kDropAndReport;
    const std::string unfit = accepts["unfit"].text;
    d.unfit = unfit == "skip" ? OnUnfit::kSkip : unfit == "wait" ? OnUnfit::kWait : OnUnfit::kDeadLetter;
    const std::string order = accepts["order"].text;
    out.order = order == "time" ? Order::kTime : order == "device" ? Order::kDevice : Order::kAny;
    out.overwrites = accepts["overwrites"].boolean;
    out.max_parts = accepts["max_parts"].usable() ? static_cast<std::uint32_t>(accepts["max_parts"].integer) : 64;
    const Node& kinds = accepts["kinds"];
    if (kinds.usable()) {
      d.kinds = 0;
      for (const Node& kind : kinds.items) {
        for (unsigned i = 0; i <= static_cast<unsigned>(RecordKind::kGap); ++i) {
          d.kinds |= Name(static_cast<RecordKind>(i)) == kind.text ? 1U << i : 0U;
        }
      }
    }
  }

  void ReadLimits(const Node& limits, CloudDefinition& d) {
    for (const Node& node : limits.items) {
      DeclaredLimit limit;
      limit.requests = node["requests"].usable() ? static_cast<std::uint64_t>(node["requests"].integer) : 0;
      limit.items = node["items"].usable() ? static_cast<std::uint64_t>(node["items"].integer) : 0;
      limit.bytes = Size(node, "bytes", 0);
      limit.per = std::chrono::milliseconds(node["per"].integer);
      if (limit.requests == 0 && limit.items == 0 && limit.bytes == 0 && node.kind == Node::Kind::kObject) {
        problems_.Error(node, "limits nothing", {.allowed = "requests, items or bytes", .show_value = false});
      }
      d.limits.push_back(limit);
    }
  }

  const Node& root_;
  document::Problems& problems_;
  Declared declared_;
};

// A second request that no reply leads to is a mistake.
void CheckConfirmed(const Node& response, const ResponseRules& rules, bool confirms, document::Problems& problems) {
  const bool used = std::any_of(rules.rules.begin(), rules.rules.end(),
                                [](const ResponseRule& rule) { return rule.verdict == RuleVerdict::kConfirm; });
  if (confirms && !used) {
    problems.Error(
        response, "has no rule with the verdict \"confirm\", and there is \"confirm\" beside it",
        {.allowed = R"({ "status": 200, "when": { "/ackId": "*" }, "verdict": "confirm" })", .show_value = false});
  }
}

}  // namespace

ContractRead ReadCloudContract(std::string_view text, const std::string& file) {
  document::Problems problems(file);
  document::Document parsed = document::ParseDocument(text);
  if (parsed.problem) {
    problems.File(parsed.problem->message, parsed.problem->line, "JSON with // comments");
    return {nullptr, problems.Take()};
  }
  std::optional<FirstForm> first;
  if (IsFirstForm(parsed.root)) {
    first = ReadFirstForm(parsed.root, problems);
    if (std::vector<document::Problem> found = problems.Take(); HasError(found)) {
      return {nullptr, std::move(found)};
    }
    document::Document second = document::ParseDocument(first->text);
    if (const Node* reconcile = parsed.root.Find("reconcile")) {
      second.root.members.push_back({"reconcile", *reconcile});
    }
    parsed = std::move(second);
  }
  RemoveNotes(parsed.root, true);
  const document::Document schema = document::EmbeddedSchema("cloud-contract-2.schema.json");
  const Node root = document::CheckAgainstSchema(parsed.root, document::Schema(schema.root, schema.root), problems);
  std::shared_ptr<CloudDefinition> definition = Reader(root, problems).Read();
  if (first) {
    definition->response = std::move(first->response);
  } else if (const Node* response = root.Find("response")) {
    std::optional<ConfirmRule> confirm = std::move(definition->response.confirm);
    definition->response = ReadResponseRules(*response, problems, confirm.has_value());
    CheckConfirmed(*root.Find("response"), definition->response, confirm.has_value(), problems);
    definition->response.confirm = std::move(confirm);
  }
  std::vector<document::Problem> found = problems.Take();
  if (HasError(found)) {
    definition = nullptr;
  }
  return {std::move(definition), std::move(found)};
}

}  // namespace packhorse::contract
