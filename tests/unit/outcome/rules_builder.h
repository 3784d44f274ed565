#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "contract/cloud/read_response.h"
#include "document/document.h"
#include "document/problems.h"
#include "reply_builder.h"

namespace packhorse::outcome::test {

// Rules from their text, which has to be without mistakes.
inline contract::ResponseRules Rules(const std::string& text) {
  const document::Document parsed = document::ParseDocument(text);
  EXPECT_FALSE(parsed.problem.has_value()) << text;
  document::Problems problems("response");
  contract::ResponseRules rules = contract::ReadResponseRules(parsed.root, problems);
  for (const document::Problem& problem : problems.Take()) {
    ADD_FAILURE() << document::Describe(problem);
  }
  return rules;
}

// A reply judged by rules, for [sent] records of one item each.
inline Verdict JudgeBy(const contract::ResponseRules& rules, const Reply& reply, std::size_t sent = 3) {
  const std::vector<std::string> ids = Ids(sent);
  return Judge(reply, rules, SentOf(ids), kWall);
}
inline Verdict JudgeBy(const std::string& rules, const Reply& reply, std::size_t sent = 3) {
  return JudgeBy(Rules(rules), reply, sent);
}

// A verdict in short: the action, and of each record A (accepted), R (again) or X (refused). "?" behind it: unexpected.
inline std::string Short(const Verdict& verdict) {
  std::string text(Name(verdict.action));
  if (verdict.action == Action::kPartial) {
    text += ' ';
    for (const RecordResult& record : verdict.records) {
      text += record.verdict == RecordVerdict::kDelivered ? 'A' : record.verdict == RecordVerdict::kRetry ? 'R' : 'X';
    }
  }
  return text + (verdict.unexpected ? "?" : "");
}

}  // namespace packhorse::outcome::test
