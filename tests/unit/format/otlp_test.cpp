#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "format/otlp/writer.h"

namespace packhorse::format {
namespace {

using std::string_view_literals::operator""sv;

// The one data point of a metric with this value.
nlohmann::json DataPoint(const Scalar& value, const std::vector<Named>& attributes = {}) {
  std::string out;
  EXPECT_TRUE(AppendMetric(out, "temp", "Cel", value, 1763630131000000000, attributes));
  return nlohmann::json::parse(out)["gauge"]["dataPoints"][0];
}

TEST(Otlp, BodyIsHeadMetricsTail) {
  std::string body;
  AppendOtlpHead(body, std::vector<Named>{{"service.name", "pack\"horse"sv}}, "scope");
  EXPECT_TRUE(AppendMetric(body, "temp", "Cel", 21.5, 1763630131000000000, std::vector<Named>{{"device", "b/ü 2"sv}}));
  body += ',';
  EXPECT_TRUE(AppendMetric(body, "count", "", std::int64_t{3}, -1, {}));
  body += OtlpTail();
  EXPECT_EQ(nlohmann::json::parse(body), nlohmann::json::parse(R"({"resourceMetrics":[{
      "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"pack\"horse"}}]},
      "scopeMetrics":[{"scope":{"name":"scope"},"metrics":[
        {"name":"temp","unit":"Cel","gauge":{"dataPoints":[{"timeUnixNano":"1763630131000000000","asDouble":21.5,
          "attributes":[{"key":"device","value":{"stringValue":"b/ü 2"}}]}]}},
        {"name":"count","gauge":{"dataPoints":[{"timeUnixNano":"-1","asInt":"3","attributes":[]}]}}]}]}]})"));
}

TEST(Otlp, EachNumberHasItsForm) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(DataPoint(std::int64_t{-9007199254740993})["asInt"], "-9007199254740993");
  EXPECT_EQ(DataPoint(std::uint64_t{9223372036854775807U})["asInt"], "9223372036854775807");
  EXPECT_EQ(DataPoint(true)["asInt"], "1");
  EXPECT_EQ(DataPoint(false)["asInt"], "0");
  EXPECT_EQ(DataPoint(std::numeric_limits<double>::quiet_NaN())["asDouble"], "NaN");
  EXPECT_EQ(DataPoint(infinity)["asDouble"], "Infinity");
  EXPECT_EQ(DataPoint(-infinity)["asDouble"], "-Infinity");
}

TEST(Otlp, WholeNumberBeyondInt64IsALossyDouble) {
  std::string out;
  const Written written = AppendMetric(out, "n", "", std::uint64_t{18446744073709551615U}, 0, {});
  EXPECT_TRUE(written);
  EXPECT_TRUE(written.lossy);
  EXPECT_EQ(nlohmann::json::parse(out)["gauge"]["dataPoints"][0]["asDouble"], 18446744073709551615.0);
}

TEST(Otlp, AttributesKeepTheirTypeAndNullsAreLeftOut) {
  const std::vector<Named> attributes = {{"a", "x"sv}, {"b", true},    {"c", std::int64_t{7}},
                                         {"d", 1.5},   {"e", nullptr}, {"", "x"sv}};
  EXPECT_EQ(DataPoint(1.5, attributes)["attributes"], nlohmann::json::parse(R"([
      {"key":"a","value":{"stringValue":"x"}}, {"key":"b","value":{"boolValue":true}},
      {"key":"c","value":{"intValue":"7"}}, {"key":"d","value":{"doubleValue":1.5}}])"));
}

TEST(Otlp, MetricWithoutNameOrNumberIsNone) {
  std::string out = "x";
  EXPECT_EQ(AppendMetric(out, "", "", 1.5, 0, {}).missing, "a name"sv);
  EXPECT_EQ(AppendMetric(out, "n", "", nullptr, 0, {}).missing, "a number"sv);
  EXPECT_EQ(AppendMetric(out, "n", "", "21"sv, 0, {}).missing, "a number"sv);
  EXPECT_EQ(out, "x");
}

}  // namespace
}  // namespace packhorse::format
