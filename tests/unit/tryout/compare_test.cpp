#include "tryout/compare.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "try_contract.h"
#include "tryout/advice.h"

namespace packhorse::tryout {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Patch = nlohmann::ordered_json;

constexpr char kBase[] = R"({
  "contract": "acme@1.0",
  "settings": { "project": {}, "region": { "default": "eu" } },
  "request": { "method": "POST", "path": "/v2/{settings.project}/points", "headers": { "Idempotency-Key": "{batch.id}" },
    "coding": ["gzip"],
    "body": { "json": { "points": "{items}" } },
    "item": { "id": "{record_id}", "at": "{time|rfc3339}", "device": "{device_id}", "kind": "{kind}", "values": "{fields}" } },
  "time": "device_or_received",
  "accepts": { "kinds": ["telemetry", "state"], "max_items": 500, "max_bytes": "1MiB" },
  "response": [
    { "status": 200, "when": { "/failed": 0 }, "verdict": "accepted" },
    { "status": 200, "lists": [ { "each": "/results/*", "by": "index", "item": [
      { "when": { "/code": "ok" }, "verdict": "accepted" },
      { "when": { "/code": "bad" }, "verdict": "rejected", "reason": "/message" },
      { "verdict": "retry" } ] } ] },
    { "status": 400, "when": { "/error": "quota*" }, "verdict": "throttled" } ] })";

// What is found when the contract is changed by a merge patch (RFC 7396); breaks are marked by '!'.
std::vector<std::string> Changed(const std::string& patch, const std::string& base = kBase) {
  Patch after = Patch::parse(base);
  after.merge_patch(Patch::parse(patch));
  after["contract"] = "acme@1.1";
  const auto old = ReadContract(base);
  const auto now = ReadContract(after.dump(2));
  const auto made_old = Make(old, {{"project", "p"}});
  const auto made_now = Make(now, {{"project", "p"}});
  std::vector<std::string> found;
  if (made_old != nullptr && made_now != nullptr) {
    for (const Finding& finding : Compare({made_old.get(), RulesOf(*old)}, {made_now.get(), RulesOf(*now)})) {
      found.push_back((finding.level == Finding::Level::kBreak ? "! " : "") + finding.place + ": " + finding.message);
    }
  }
  return found;
}

TEST(ContractComparison, EqualMeaningInOtherWordsHasNoFindings) {
  EXPECT_THAT(Changed("{}"), IsEmpty());
  EXPECT_THAT(Changed(R"({ "title": "another", "request": { "item": { "kind": "{kind|string}" } } })"), IsEmpty());
  // The same rules in another order, where none overlaps.
  EXPECT_THAT(Changed(R"({ "response": [
    { "status": 400, "when": { "/error": "quota*" }, "verdict": "throttled" },
    { "status": 200, "when": { "/failed": 0 }, "verdict": "accepted" },
    { "status": 200, "lists": [ { "each": "/results/*", "by": "index", "item": [
      { "when": { "/code": "bad" }, "verdict": "rejected", "reason": "/message" },
      { "when": { "/code": "ok" }, "verdict": "accepted" },
      { "verdict": "retry" } ] } ] } ] })"),
              IsEmpty());
}

TEST(ContractComparison, ANewMemberAndANewOptionalSettingAreNoBreak) {
  EXPECT_THAT(
      Changed(R"({ "settings": { "zone": { "default": "a" } }, "request": { "item": { "stream": "{stream}" } } })"),
      IsEmpty());
}

TEST(ContractComparison, WhatTheApiIsAskedForStaysOrIsToldToBeGone) {
  constexpr char kOffer[] = R"({ "reconcile": { "path": "/counts?f={from|unix}&t={to|unix}", "each": "/h/*",
    "stream": "/s", "hour": "/h", "count": "/n" } })";
  EXPECT_THAT(Changed(kOffer), IsEmpty());
  Patch base = Patch::parse(kBase);
  base.merge_patch(Patch::parse(kOffer));
  EXPECT_THAT(Changed("{}", base.dump()), IsEmpty());
  EXPECT_THAT(Changed(R"({ "reconcile": null })", base.dump()),
              ElementsAre("reconcile: is gone: nobody notices any more what the API has lost"));
  EXPECT_THAT(Changed(R"({ "reconcile": { "path": "/count?f={from|unix}&t={to|unix}" } })", base.dump()),
              ElementsAre(HasSubstr("! reconcile /path: was /counts?f=0&t=3600, is /count?")));
  base["reconcile"]["sums"] = {{"energy", "/e"}, {"*", "/sums/{name}"}};
  EXPECT_THAT(Changed("{}", base.dump()), IsEmpty());
  EXPECT_THAT(Changed(R"({ "reconcile": { "sums": null } })", base.dump()),
              ElementsAre("reconcile /sums: the sum of energy is compared no more",
                          "! reconcile /sums: a destination can name no measurements any more"));
}

TEST(ContractComparison, AnotherQuestionOrAnotherAnswerOfAConfirmationBreaks) {
  const std::string rules = R"("response": [ { "status": 200, "when": { "/id": "*" }, "verdict": "confirm" } ])";
  const std::string before =
      R"({ "confirm": { "key": "/id", "request": { "path": "/ask/{key}" }, "done": { "/ok": true } }, )" + rules + "}";
  Patch base = Patch::parse(kBase);
  base.merge_patch(Patch::parse(before));
  const auto changed = [&](const std::string& patch) {
    Patch after = base;
    after.merge_patch(Patch::parse(patch));
    const auto old = ReadContract(base.dump(2));
    const auto now = ReadContract(after.dump(2));
    const auto made_old = Make(old, {{"project", "p"}});
    const auto made_now = Make(now, {{"project", "p"}});
    std::vector<std::string> places;
    for (const Finding& finding : Compare({made_old.get(), RulesOf(*old)}, {made_now.get(), RulesOf(*now)})) {
      places.push_back(finding.place);
    }
    return places;
  };
  EXPECT_THAT(changed(R"({ "confirm": { "every": "1m", "within": "1h" } })"), IsEmpty());
  EXPECT_THAT(changed(R"({ "confirm": { "request": { "path": "/asks/{key}" } } })"), ElementsAre("confirm"));
  EXPECT_THAT(changed(R"({ "confirm": { "done": { "/ok": null, "/stored": true } } })"), ElementsAre("confirm"));
  EXPECT_THAT(changed(R"({ "confirm": { "else": "hold" } })"), ElementsAre("confirm"));
}

TEST(ContractComparison, ASettingThatBecomesATableBreaks) {
  EXPECT_THAT(Changed(R"({ "settings": { "region": { "default": null, "table": true } } })"),
              Contains(HasSubstr("! settings /region: is a table now")));
}

TEST(ContractComparison, AMemberThatIsGoneBreaks) {
  EXPECT_THAT(Changed(R"({ "request": { "item": { "device": null } } })"),
              Contains("! request /points/0/device: is gone"));
}

TEST(ContractComparison, AnotherTypeBreaks) {
  EXPECT_THAT(Changed(R"({ "request": { "item": { "at": "{time|unix_ms}" } } })"),
              Contains(HasSubstr("! request /points/0/at: the type is another one")));
}

TEST(ContractComparison, AnotherClockBreaksAndIsCalledSo) {
  EXPECT_THAT(Changed(R"({ "time": "received" })"),
              Contains(HasSubstr("! request /points/0/at: the clock is another one")));
}

TEST(ContractComparison, WhatMayBeMissingNowBreaks) {
  const Patch base = Patch::parse(kBase);
  EXPECT_THAT(Changed(R"({ "request": { "item": { "at": "{device_time|rfc3339}" } } })"),
              Contains(HasSubstr("/points/0/at: may be missing now, in a record without device time")));
}

TEST(ContractComparison, AbsentThatBecomesAValueBreaks) {
  EXPECT_THAT(Changed(R"({ "request": { "item": { "device": "{device_id|default:none}" } } })"),
              Contains(HasSubstr("/points/0/device: was left out, is \"none\", in a record without a device")));
}

TEST(ContractComparison, SettingsThatAConfigurationOfBeforeLacksBreak) {
  EXPECT_THAT(Changed(R"({ "settings": { "zone": {} }, "request": { "query": { "z": "{settings.zone}" } } })"),
              Contains(HasSubstr("! settings /zone: is new and required")));
  EXPECT_THAT(Changed(R"({ "settings": { "region": null } })"), Contains(HasSubstr("! settings /region: is gone")));
}

TEST(ContractComparison, KindsPathHeadersAndCodingAreCompared) {
  EXPECT_THAT(Changed(R"({ "accepts": { "kinds": ["telemetry"] } })"),
              Contains(HasSubstr("a record of kind state was sent, is not any more")));
  EXPECT_THAT(Changed(R"({ "request": { "path": "/v3/{settings.project}/points" } })"),
              Contains(HasSubstr("! path: was /v2/p/points, is /v3/p/points")));
  EXPECT_THAT(Changed(R"({ "request": { "headers": { "Idempotency-Key": null } } })"),
              Contains("! headers: \"Idempotency-Key\" is gone"));
  EXPECT_THAT(Changed(R"({ "request": { "coding": ["zstd", "gzip"] } })"),
              Contains(HasSubstr("! coding: was gzip, is zstd, gzip")));
  EXPECT_THAT(Changed(R"({ "accepts": { "max_items": 5000 } })"), ElementsAre("accepts /max_items: was 500, is 5000"));
}

TEST(ContractComparison, AVerdictThatMovesBreaksWhereverItStands) {
  EXPECT_THAT(Changed(R"({ "response": [
    { "status": 200, "when": { "/failed": 0 }, "verdict": "accepted" },
    { "status": 200, "lists": [ { "each": "/results/*", "by": "index", "item": [
      { "when": { "/code": "ok" }, "verdict": "accepted" },
      { "when": { "/code": ["bad", "busy"] }, "verdict": "rejected", "reason": "/message" },
      { "verdict": "retry" } ] } ] },
    { "status": 400, "when": { "/error": "quota*" }, "verdict": "throttled" } ] })"),
              ElementsAre(testing::AllOf(HasSubstr("! response: HTTP 200"), HasSubstr("\"busy\""),
                                         HasSubstr("was retry, retry, retry, is rejected, rejected, rejected"))));
  EXPECT_THAT(Changed(R"({ "response": [ { "status": 200, "when": { "/failed": 0 }, "verdict": "accepted" } ] })"),
              testing::AllOf(Contains(HasSubstr("HTTP 400")), Contains(HasSubstr("HTTP 200"))));
}

std::vector<std::string> AdviceOn(const std::string& patch, const std::vector<Sample>& samples = {}) {
  Patch json = Patch::parse(kBase);
  json.merge_patch(Patch::parse(patch));
  const auto made = Make(ReadContract(json.dump(2)), {{"project", "p"}});
  return made == nullptr ? std::vector<std::string>{"no contract"} : Advice(*made, samples);
}

TEST(ContractAdvice, ARuleThatNoReplyReachesIsNamed) {
  const std::vector<std::string> advice = AdviceOn(R"({ "response": [
    { "status": "2xx", "verdict": "accepted" }, { "status": 200, "when": { "/failed": 1 }, "verdict": "hold" } ] })");
  EXPECT_THAT(advice, Contains(HasSubstr("/response/1: can never be reached")));
  EXPECT_THAT(advice, Not(Contains(HasSubstr("/response/0: can never be reached"))));
}

TEST(ContractAdvice, RulesThatBuryRecordsAreNamed) {
  EXPECT_THAT(
      AdviceOn(
          R"({ "response": [ { "status": 200, "when": { "/failed": 0 }, "verdict": "accepted" }, { "status": "4xx", "verdict": "rejected" } ] })"),
      Contains(HasSubstr("/response/1: refuses a batch whatever the reply says")));
  EXPECT_THAT(AdviceOn(R"({ "response": [ { "status": 200, "lists": [ { "each": "/r/*", "by": "index", "item": [
      { "when": { "/code": "ok" }, "verdict": "accepted" }, { "verdict": "rejected" } ] } ] } ] })"),
              Contains(HasSubstr("/response/0/lists/0/item/1: refuses whatever is left")));
}

TEST(ContractAdvice, ASearchThatStoresTwiceAndARuleSetThatAcceptsNothingAreNamed) {
  constexpr char kBisect[] = R"({ "response": [ { "status": 400, "verdict": "partial_unknown", "then": "bisect" } ] })";
  EXPECT_THAT(AdviceOn(kBisect), Contains(HasSubstr("\"overwrites\": true")));
  EXPECT_THAT(AdviceOn(R"({ "response": [ { "status": 400, "verdict": "hold" } ] })"),
              Contains(HasSubstr("no rule accepts anything")));
}

TEST(ContractAdvice, ARuleWithoutASampleIsNamed) {
  EXPECT_THAT(AdviceOn("{}", {Sample()}),
              ElementsAre("/response/0: no sample has a reply for it", "/response/1: no sample has a reply for it",
                          "/response/2: no sample has a reply for it"));
  EXPECT_THAT(AdviceOn("{}"), ElementsAre()) << "without samples that is all there is to say, and is said elsewhere";
}

}  // namespace
}  // namespace packhorse::tryout
