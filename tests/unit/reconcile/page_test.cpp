#include "reconcile/page.h"

#include <gmock/gmock.h>

#include "contract/cloud_contract.h"

namespace packhorse::reconcile {
namespace {

using testing::HasSubstr;

class PageTest : public ::testing::Test {
 protected:
  Result<std::string> Read(const std::string& body, bool truncated = false) {
    outcome::Reply reply;
    reply.complete = true;
    reply.status = 200;
    reply.headers = {{"content-type", "application/json"}};
    reply.body = body;
    reply.truncated = truncated;
    const contract::ReconcileRules& rules = *contract_->reconcile();
    return ReadPage(rules, rules.SumsWith({"energy_kwh"}), reply, hours_);
  }
  std::string Refused(const std::string& body) {
    hours_.clear();
    const Result<std::string> read = Read(body);
    return read ? "" : read.error().message;
  }

  std::shared_ptr<const contract::CloudContract> contract_ = *contract::FindCloudContract("packhorse-ingest@1.3");
  CloudHours hours_;
};

constexpr const char* kGood =
    R"({"gateway":"g","windows":[{"stream":"t","hour":"2026-11-20T09:00:00Z","count":3600,"hash":"9f3c0a7be21d5544",
        "sums":{"energy_kwh":1042.75}}]})";

TEST_F(PageTest, HoursCountsAndHashesAreRead) {
  ASSERT_TRUE(Read(kGood));
  ASSERT_EQ(hours_.size(), 1U);
  EXPECT_EQ(hours_.begin()->first, (StreamHour{"t", 498'657}));
  EXPECT_EQ(hours_.begin()->second.records, 3600U);
  EXPECT_EQ(hours_.begin()->second.id_hash, 0x9F3C'0A7B'E21D'5544ULL);
  EXPECT_EQ(hours_.begin()->second.sums,
            (std::map<std::string, FixedPoint>{{"energy_kwh", *FixedPoint::Parse("1042.75")}}));
}

TEST_F(PageTest, ASumMayBeInQuotesAndMayBeMissingOrNull) {
  const auto sums = [&](const std::string& members) {
    hours_.clear();
    EXPECT_TRUE(Read(R"({"windows":[{"stream":"t","hour":"2026-11-20T09:00:00Z","count":1)" + members + "}]}"));
    return hours_.begin()->second.sums;
  };
  EXPECT_EQ(sums(R"(,"sums":{"energy_kwh":"123456789012345678.000000000001"})").at("energy_kwh").ToText(),
            "123456789012345678.000000000001");
  EXPECT_TRUE(sums("").empty());
  EXPECT_TRUE(sums(R"(,"sums":{"energy_kwh":null,"other":1})").empty());
}

TEST_F(PageTest, TheCursorOfTheNextPageIsATextOrANumber) {
  EXPECT_EQ(*Read(R"({"windows":[],"next":"abc"})"), "abc");
  EXPECT_EQ(*Read(R"({"windows":[],"next":17})"), "17");
  EXPECT_EQ(*Read(R"({"windows":[],"next":null})"), "");
  EXPECT_EQ(*Read(R"({"windows":[]})"), "");
}

TEST_F(PageTest, ACountInQuotesAndAMissingHashAreTaken) {
  ASSERT_TRUE(Read(R"({"windows":[{"stream":"t","hour":"2026-11-20T09:00:00Z","count":"18446744073709551615"}]})"));
  EXPECT_EQ(hours_.begin()->second.records, UINT64_MAX);
  EXPECT_FALSE(hours_.begin()->second.id_hash);
}

TEST_F(PageTest, WhatIsNotAsTheContractSaysIsRefusedWithAReason) {
  const auto hour = [](const std::string& members) { return R"({"windows":[{)" + members + "}]}"; };
  const std::pair<std::string, const char*> bad[] = {
      {"", "empty"},
      {"<html>", ""},
      {"[]", "list of hours is missing"},
      {R"({"windows":{}})", "list of hours is missing"},
      {R"({"windows":[7]})", "stream is missing"},
      {hour(R"("hour":"2026-11-20T09:00:00Z","count":1)"), "stream is missing"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:30:00Z","count":1)"), "beginning of an hour"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00.5Z","count":1)"), "beginning of an hour"},
      {hour(R"("stream":"t","hour":"1901-01-01T00:00:00Z","count":1)"), "beginning of an hour"},
      {hour(R"("stream":"t","hour":1795165200,"count":1)"), "beginning of an hour"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00Z","count":-1)"), "count"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00Z","count":1.5)"), "count"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00Z")"), "count"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00Z","count":1,"hash":"9f3c")"), "16 hexadecimal"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00Z","count":1,"sums":{"energy_kwh":true})"), "energy_kwh"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00Z","count":1,"sums":{"energy_kwh":"x"})"), "energy_kwh"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00Z","count":1,"sums":{"energy_kwh":1e30})"), "10^18"},
      {hour(R"("stream":"t","hour":"2026-11-20T09:00:00Z","count":1,"hash":"-f3c0a7be21d5544")"), "16 hexadecimal"},
      {hour(
           R"("stream":"t","hour":"2026-11-20T09:00:00Z","count":1},{"stream":"t","hour":"2026-11-20T09:00:00Z","count":1)"),
       "comes twice"},
      {R"({"windows":[],"next":")" + std::string(5'000, 'x') + "\"}", "cursor"},
  };
  for (const auto& [body, reason] : bad) {
    const std::string why = Refused(body);
    EXPECT_NE(why, "") << body;
    EXPECT_THAT(why, HasSubstr(reason)) << body;
  }
  EXPECT_FALSE(Read(kGood, true)) << "a part of a reply is none";
}

TEST_F(PageTest, AnHourThatCameOnAnEarlierPageIsRefused) {
  ASSERT_TRUE(Read(kGood));
  EXPECT_FALSE(Read(kGood));
}

TEST_F(PageTest, TheNumberOfHoursIsBounded) {
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(kMaxHours); ++i) {
    hours_.emplace(StreamHour{"s" + std::to_string(i / 100), i % 100}, CloudCount{});
  }
  const Result<std::string> read = Read(kGood);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kLimitExceeded);
}

}  // namespace
}  // namespace packhorse::reconcile
