#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/definition.h"
#include "contract/cloud/read_contract.h"
#include "document/problems.h"
#include "tryout/run.h"
#include "tryout/sample.h"

namespace packhorse::tryout {

// Contracts and samples as texts, for tests.

inline std::vector<std::string> Lines(const std::vector<document::Problem>& problems) {
  std::vector<std::string> lines;
  for (const document::Problem& problem : problems) {
    lines.push_back(document::Describe(problem));
  }
  return lines;
}

inline std::shared_ptr<const contract::CloudDefinition> ReadContract(std::string_view text,
                                                                     const std::string& file = "a contract") {
  contract::ContractRead read = contract::ReadCloudContract(text, file);
  EXPECT_NE(read.definition, nullptr) << file << ": " << Join(Lines(read.problems), "\n");
  return std::move(read.definition);
}

inline std::vector<contract::SettingRule> RulesOf(const contract::CloudDefinition& definition) {
  std::vector<contract::SettingRule> rules;
  for (const contract::DefinedSetting& setting : definition.settings) {
    rules.push_back(setting.rule);
  }
  return rules;
}

inline std::shared_ptr<const contract::CloudContract> Make(const std::shared_ptr<const contract::CloudDefinition>& of,
                                                           contract::SettingValues values) {
  if (of == nullptr) {
    return nullptr;
  }
  for (const contract::SettingRule& rule : RulesOf(*of)) {
    if (rule.table && values.count(rule.name) == 0) {
      values[rule.name] = R"({"*":")" + rule.name + R"("})";
    } else if (rule.secret && !rule.table) {
      values.erase(rule.name);
    } else if (rule.required && values.count(rule.name) == 0) {
      values[rule.name] = rule.name;
    }
  }
  auto made = contract::MakeCloudContract(of, values);
  EXPECT_TRUE(made) << (made ? "" : made.error().message);
  return made ? *std::move(made) : nullptr;
}

// What is not as the sample says, of a contract and a sample as texts.
inline std::vector<std::string> Try(const std::shared_ptr<const contract::CloudDefinition>& definition,
                                    std::string_view sample_text, const std::string& file = "a sample") {
  const SampleRead read = ReadSample(sample_text, file);
  if (!read.problems.empty()) {
    return Lines(read.problems);
  }
  const auto made = Make(definition, contract::SettingValues(read.sample.settings));
  return made == nullptr ? std::vector<std::string>{"no contract"} : RunSample(*made, read.sample);
}

}  // namespace packhorse::tryout
