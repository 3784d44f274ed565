#include "outcome/rate_headers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reply_builder.h"

namespace packhorse::outcome {
namespace {

using limit::Announcement;
using std::chrono::hours;
using std::chrono::seconds;
using Unit = limit::Window::Unit;

// 2026-11-20 08:15:31 UTC
constexpr WallTime kWallNow{seconds(1'795'162'531)};

std::vector<Announcement> Read(const test::HeaderList& headers) {
  return ReadAnnouncements(test::Http(200, "", headers), kWallNow);
}

struct Form {
  std::string name;
  test::HeaderList headers;
  std::vector<Announcement> said;
};

TEST(AnnouncedLimitsInHeaders, TableOfForms) {
  const Form kForms[] = {
      {"none", {}, {}},
      {"draft",
       {{"ratelimit-policy", R"("burst";q=100;w=60)"}, {"ratelimit", R"("burst";r=50;t=30)"}},
       {{"burst", Unit::kRequests, 100, seconds(60), 50, seconds(30)}}},
      {"draft, several, with bytes and a key",
       {{"ratelimit-policy", R"("day";q=5000;w=86400;pk=:cHk=:, "size";q=1000000;w=60;qu="content-bytes")"},
        {"ratelimit", R"("size";r=70;t=9, "day";r=4000;t=80000)"}},
       {{"day", Unit::kRequests, 5'000, hours(24), 4'000, seconds(80'000)},
        {"size", Unit::kBytes, 1'000'000, seconds(60), 70, seconds(9)}}},
      {"draft, two header lines",
       {{"ratelimit-policy", R"("a";q=1;w=2)"}, {"ratelimit-policy", R"("b";q=3;w=4)"}},
       {{"a", Unit::kRequests, 1, seconds(2), {}, {}}, {"b", Unit::kRequests, 3, seconds(4), {}, {}}}},
      {"draft, requests at the same time",
       {{"ratelimit-policy", R"("c";q=4;qu="concurrent-requests")"}, {"ratelimit", R"("c";r=0;t=1)"}},
       {{"c", Unit::kRequests, 4, {}, 0, seconds(1), true}}},
      {"draft, a unit that nobody knows", {{"ratelimit-policy", R"("c";q=4;w=10;qu="tokens")"}}, {}},
      {"draft, no policy", {{"ratelimit", R"("a";r=5;t=9)"}}, {{"a", Unit::kRequests, {}, {}, 5, seconds(9)}}},
      {"draft 7",
       {{"ratelimit-policy", "10;w=1, 500;w=60"}, {"ratelimit", "limit=500, remaining=40, reset=7"}},
       {{"1 s", Unit::kRequests, 10, seconds(1), {}, {}}, {"60 s", Unit::kRequests, 500, seconds(60), 40, seconds(7)}}},
      {"earlier drafts",
       {{"ratelimit-limit", "100, 100;w=60"}, {"ratelimit-remaining", "4"}, {"ratelimit-reset", "8"}},
       {{"60 s", Unit::kRequests, 100, seconds(60), 4, seconds(8)}}},
      {"x, epoch",
       {{"x-ratelimit-limit", "5000"}, {"x-ratelimit-remaining", "4999"}, {"x-ratelimit-reset", "1795162571"}},
       {{"x-ratelimit", Unit::kRequests, 5'000, {}, 4'999, seconds(40)}}},
      {"x, by the name of the length",
       {{"x-ratelimit-limit-minute", "20"}, {"x-ratelimit-remaining-minute", "7"}, {"x-ratelimit-limit-hour", "500"}},
       {{"minute", Unit::kRequests, 20, seconds(60), 7, {}}, {"hour", Unit::kRequests, 500, hours(1), {}, {}}}},
      {"only a limit", {{"x-ratelimit-limit", "5000"}}, {}},
      {"policy without a count", {{"ratelimit-policy", R"("a";w=60, 100, "b")"}}, {}},
      {"garbage", {{"ratelimit-policy", ";;,,=;\"\\"}, {"ratelimit", "=,;=;r=;t"}, {"x-ratelimit-limit", ","}}, {}},
  };
  for (const Form& form : kForms) {
    EXPECT_EQ(Read(form.headers), form.said) << form.name;
  }
}

TEST(AnnouncedLimitsInHeaders, NumberIsBounded) {
  std::string policies;
  for (int i = 0; i < 500; ++i) {
    policies += "\"p" + std::to_string(i) + "\";q=1;w=60,";
  }
  EXPECT_LE(Read({{"ratelimit-policy", policies}, {"ratelimit", policies}}).size(), 16U);
}

}  // namespace
}  // namespace packhorse::outcome
