// Replies that were damaged: never a crash, never more accepted than the reply says.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "rules_builder.h"

namespace packhorse::outcome {
namespace {

constexpr std::size_t kSent = 4;

struct Sample {
  std::string rules;
  std::string body;
  std::string says;  // what stands once in the body for each record that is accepted
};

// Each names its accepted records, so that no damage may make more of them than `says` is found.
const Sample kSamples[] = {
    {R"([{"lists":[{"each":"/r/*","by":"index","item":[{"when":{"/ok":"yes"},"verdict":"accepted"},
        {"when":{"/ok":"no"},"verdict":"rejected","reason":"/m"},{"verdict":"retry"}]}]}])",
     R"({"r":[{"ok":"yes"},{"ok":"no","m":"x"},{"ok":"yes"},{"ok":"later"}]})", "yes"},
    {R"([{"lists":[{"each":"/good/*","by":{"index":"/i"},"item":[{"when":{"/ok":"yes"},"verdict":"accepted"}]},
        {"each":"/bad/*","by":{"index":"/i"},"item":[{"verdict":"rejected","reason":"/m"}]}]}])",
     R"({"good":[{"i":"0","ok":"yes"},{"i":3,"ok":"yes"}],"bad":[{"i":1,"m":"x"},{"i":"2"}]})", "yes"},
    {R"([{"as":"ndjson","rest":"retry","lists":[{"each":"/*","by":"index","item":[
        {"when":{"/ok":"yes"},"verdict":"accepted"},{"verdict":"rejected","reason":"/m"}]}]}])",
     R"({"ok":"yes"}{"ok":"no","m":"x"}{"ok":"yes"}{"ok":"yes"})", "yes"},
};

std::size_t Occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

std::size_t Accepted(const Verdict& verdict) {
  if (verdict.action == Action::kDelivered) {
    return kSent;
  }
  std::size_t accepted = 0;
  for (const RecordResult& record : verdict.records) {
    accepted += record.verdict == RecordVerdict::kDelivered ? 1U : 0U;
  }
  return accepted;
}

void Damage(std::mt19937& random, std::string& body) {
  static const std::string kPieces[] = {"null", "{}", "[]", "\"", ",",          "0",
                                        "-1",   "}",  "]",  ":",  "{\"i\":0},", "\\u0000"};
  const std::size_t at = body.empty() ? 0 : random() % body.size();
  switch (random() % 5) {
    case 0:
      body.resize(at);
      break;
    case 1:
      body.erase(at, 1 + random() % 8);
      break;
    case 2:
      body.insert(at, kPieces[random() % std::size(kPieces)]);
      break;
    case 3:
      body.insert(at, body.substr(random() % (body.size() + 1), random() % 24));
      break;
    default:
      if (!body.empty()) {
        body[at] = static_cast<char>(random() % 256);
      }
  }
}

TEST(MutatedReplies, NeverAcceptMoreThanTheReplySays) {
  std::mt19937 random(20261130);
  for (const Sample& sample : kSamples) {
    const contract::ResponseRules rules = test::Rules(sample.rules);
    ASSERT_EQ(Accepted(test::JudgeBy(rules, test::Json(200, sample.body), kSent)),
              Occurrences(sample.body, sample.says));
    for (int round = 0; round < 8'000; ++round) {
      std::string body = sample.body;
      for (std::size_t i = 0; i <= random() % 3; ++i) {
        Damage(random, body);
      }
      const int status = random() % 8 == 0 ? 400 : 200;
      const Verdict verdict = test::JudgeBy(rules, test::Json(status, body), kSent);
      EXPECT_LE(Accepted(verdict), Occurrences(body, sample.says)) << body;
      EXPECT_EQ(verdict.records.size(), verdict.action == Action::kPartial ? kSent : 0U) << body;
    }
  }
}

TEST(MutatedReplies, ACountAndListsThatWereDamagedAcceptNoMoreThanTheCount) {
  std::mt19937 random(7);
  const contract::ResponseRules rules = contract::FirstFormRules(test::IngestRules());
  const std::string whole = R"({"accepted":2,"rejected":[{"record_id":"q.n.2","error":"x"}],"retry":["q.n.4"]})";
  for (int round = 0; round < 20'000; ++round) {
    std::string body = whole;
    Damage(random, body);
    const Verdict verdict = test::JudgeBy(rules, test::Json(207, body), kSent);
    EXPECT_LE(Accepted(verdict), 2U) << body;
    EXPECT_EQ(verdict.records.size(), verdict.action == Action::kPartial ? kSent : 0U) << body;
  }
}

}  // namespace
}  // namespace packhorse::outcome
