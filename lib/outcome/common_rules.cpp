#include "outcome/common_rules.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "contract/cloud/read_response.h"
#include "document/document.h"
#include "document/problems.h"
#include "embedded.h"

namespace packhorse::outcome {
namespace {

constexpr std::string_view kFile = "outcome/common.json";

contract::ResponseRules Load() {
  const auto files = embedded::Files();
  const auto file = std::find_if(files.begin(), files.end(), [](const auto& each) { return each.path == kFile; });
  if (file == files.end()) {
    return {};
  }
  const document::Document document = document::ParseDocument(file->text);
  document::Problems problems{std::string(kFile)};
  return contract::ReadResponseRules(document.root["response"], problems);
}

}  // namespace

const contract::ResponseRules& CommonRules() {
  static const contract::ResponseRules rules = Load();
  return rules;
}

}  // namespace packhorse::outcome
