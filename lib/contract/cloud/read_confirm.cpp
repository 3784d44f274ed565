#include "contract/cloud/read_confirm.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "contract/cloud/path_text.h"
#include "contract/cloud/reply_place.h"

namespace packhorse::contract {
namespace {

using document::Node;

class ConfirmReader {
 public:
  ConfirmReader(Declared& declared, document::Problems& problems) : declared_(declared), problems_(problems) {}

  ConfirmDefinition ReadRequestOf(const Node& request) {
    ConfirmDefinition confirm;
    confirm.method = request["method"].text;
    confirm.path = ParseText(request["path"].text, request["path"], Where::kPath, true, declared_, problems_);
    CheckPath(confirm.path, request["path"], problems_);
    for (const document::Member& member : request["query"].members) {
      Text name = ParseText(member.name, member.value, Where::kQuery, true, declared_, problems_);
      confirm.query.emplace_back(
          std::move(name), ParseText(member.value.text, member.value, Where::kQuery, false, declared_, problems_));
    }
    for (const document::Member& member : request["headers"].members) {
      if (!IsToken(member.name)) {
        problems_.Error(member.value, "the header " + document::Quoted(member.name) + " cannot be set",
                        {.allowed = "names of letters, digits and '-'", .show_value = false});
      } else if (!std::any_of(member.value.text.begin(), member.value.text.end(), IsControl)) {
        confirm.headers.emplace_back(
            member.name, ParseText(member.value.text, member.value, Where::kHeader, false, declared_, problems_));
      }
    }
    ReadBody(request, confirm);
    return confirm;
  }

 private:
  void ReadBody(const Node& request, ConfirmDefinition& confirm) {
    const Node* json = request["body"].Find("json");
    if (json == nullptr) {
      return;
    }
    confirm.body = ParseTemplate(*json, Where::kConfirm, declared_, problems_);
    const bool typed = std::any_of(confirm.headers.begin(), confirm.headers.end(),
                                   [](const auto& header) { return Lower(header.first) == "content-type"; });
    if (!typed) {
      confirm.headers.emplace_back("Content-Type", Text{{Piece{"application/json", std::nullopt}}});
    }
    if (confirm.method == "GET") {
      problems_.Error(*json, "has no place in a GET", {.allowed = "POST", .show_value = false});
    }
  }

  Declared& declared_;
  document::Problems& problems_;
};

}  // namespace

void ReadConfirm(const Node& confirm, Declared& declared, CloudDefinition& definition, document::Problems& problems) {
  if (!confirm.usable() || confirm.kind != Node::Kind::kObject) {
    return;
  }
  declared.confirm = true;
  ConfirmDefinition read;
  if (const Node& request = confirm["request"]; request.usable() && request.kind == Node::Kind::kObject) {
    read = ConfirmReader(declared, problems).ReadRequestOf(request);
  }
  declared.confirm = false;
  read.how.every = std::chrono::milliseconds(confirm["every"].integer);
  read.how.within = std::chrono::milliseconds(confirm["within"].integer);
  const std::string otherwise = confirm["else"].text;
  read.how.otherwise = otherwise == "hold"       ? RuleVerdict::kHold
                       : otherwise == "accepted" ? RuleVerdict::kAccepted
                                                 : RuleVerdict::kRetry;
  PlaceReader places(problems);
  ConfirmRule rule;
  // The schema has told of what is missing.
  if (const Node* key = confirm.Find("key")) {
    rule.key = places.ReadPlace(*key).value_or(Place{});
  }
  if (const Node* done = confirm.Find("done"); done != nullptr && !done->members.empty()) {
    rule.done = places.ReadConditions(*done);
  } else if (done != nullptr) {
    problems.Error(*done, "says not what has to stand in the reply", {.allowed = R"({ "/acks/{key}": true })"});
  }
  definition.confirm = std::move(read);
  definition.response.confirm = std::move(rule);
}

}  // namespace packhorse::contract
