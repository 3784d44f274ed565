#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cloud_fixture.h"

namespace packhorse::contract {
namespace {

using test::Awkward;
using test::Bare;
using test::BodyOf;
using test::Contract;
using test::Header;
using test::Make;
using test::WithItem;
using Fate = RenderedRecord::Fate;

std::string ItemOf(const std::string& item, const CanonicalRecord& record, const std::string& more = "") {
  const auto contract = Make(WithItem(item, more));
  if (contract == nullptr) {
    return "";
  }
  const RenderedRecord rendered = contract->RenderRecord(record);
  return rendered.fate == Fate::kItems ? std::string(rendered.text.view())
                                       : "unfit: " + rendered.reason + ": " + rendered.detail;
}

TEST(CloudTemplate, APlaceholderAloneKeepsItsTypeAndInsideATextItIsText) {
  EXPECT_EQ(ItemOf(R"({"n":"{sequence}","t":"no {sequence}","s":"{sequence|string}","b":"{{x}"})", Awkward()),
            R"({"n":7,"t":"no 7","s":"7","b":"{x}"})");
}

TEST(CloudTemplate, EveryNameOfARecordIsWritten) {
  EXPECT_EQ(ItemOf(R"(["{record_id}","{kind}","{stream}","{topic}","{device_contract}","{device_id}"])", Awkward()),
            "[\"q.n.7\",\"telemetry\",\"plant\",\"plant/b/data\",\"generic-json@1.1\",\"b/\xC3\xBC 2\"]");
}

TEST(CloudTemplate, MapsHaveWhatJsonCanSayAndNoMemberIsEmpty) {
  EXPECT_EQ(ItemOf(R"({"f":"{fields}","m":"{measurements}","v":"{measurements|values}","n":"{measurements|numbers}",)"
                   R"("a":"{attributes}"})",
                   Awkward()),
            R"({"f":{"temp":21.5,"count":9007199254740993,"none":null,"ok":true,"state":"a \"b\" <c>"},)"
            R"("m":{"temp":{"value":21.5,"unit":"Cel"},"count":{"value":9007199254740993},"none":{"value":null},)"
            R"("ok":{"value":true}},"v":{"temp":21.5,"count":9007199254740993,"none":null,"ok":true},)"
            R"("n":{"temp":21.5,"count":9007199254740993,"ok":1},"a":{"state":"a \"b\" <c>"}})");
  EXPECT_EQ(ItemOf(R"({"id":"{record_id}","f":"{fields}","a":{"x":"{attributes}"},"fl":"{flags}","e":{}})", Bare()),
            R"({"id":"q.n.8","e":{}})");
}

TEST(CloudTemplate, WhatIsMissingIsLeftOutAloneAndUnfitElsewhere) {
  EXPECT_EQ(ItemOf(R"({"id":"{record_id}","d":"{device_id}"})", Bare()), R"({"id":"q.n.8"})");
  EXPECT_EQ(ItemOf(R"({"d":"dev {device_id}"})", Bare()), "unfit: missing_value: device_id is missing");
  EXPECT_EQ(ItemOf(R"(["{device_id}"])", Bare()), "unfit: missing_value: device_id is missing");
  EXPECT_EQ(ItemOf(R"({"{device_id}":1})", Bare()), "unfit: missing_value: device_id is missing");
  EXPECT_EQ(ItemOf(R"({"id":"x","d":"{device_id|required}"})", Bare()), "unfit: missing_value: device_id is missing");
  EXPECT_EQ(ItemOf(R"({"d":"{device_id}"})", Bare()), "unfit: missing_value: the item has no members");
  EXPECT_EQ(ItemOf(R"({"d":"{device_id|default:null}","e":"{device_id|default:none}"})", Bare()),
            R"({"d":null,"e":"none"})");
}

TEST(CloudTemplate, AMergedMapGivesWayToWrittenMembers) {
  CanonicalRecord record = Awkward();
  record.measurements = {{"id", std::int64_t{1}, ""}, {"a.b", std::int64_t{2}, ""}, {"a_b", std::int64_t{3}, ""}};
  record.attributes.clear();
  EXPECT_EQ(ItemOf(R"({"id":"{record_id}","*":"{fields}"})", record), R"({"id":"q.n.7","a.b":2,"a_b":3})");
  EXPECT_EQ(ItemOf(R"({"*":"{fields|safe_names}","z":1})", record), R"({"id":1,"a_b":2,"z":1})");
  EXPECT_EQ(ItemOf(R"({"*":"{fields|nested}"})", record), R"({"id":1,"a":{"b":2},"a_b":3})");
}

TEST(CloudTemplate, OfANameThatIsAlsoAnObjectTheFirstIsKept) {
  CanonicalRecord record = Bare();
  record.measurements = {{"a", std::int64_t{1}, ""},
                         {"a.b", std::int64_t{2}, ""},
                         {"c.d.e", std::int64_t{3}, ""},
                         {"c.f", std::int64_t{4}, ""}};
  EXPECT_EQ(ItemOf(R"({"v":"{measurements|values|nested}"})", record), R"({"v":{"a":1,"c":{"d":{"e":3},"f":4}}})");
}

TEST(CloudTemplate, TimesAreExactInEveryUnit) {
  EXPECT_EQ(ItemOf(R"(["{time|unix}","{time|unix_s}","{time|unix_ms}","{time|unix_us}","{time|unix_ns|string}",)"
                   R"("{time|rfc3339}","{time|rfc3339_ms}","{time|rfc3339_s}","{time}"])",
                   Awkward(), R"("time":"received")"),
            R"([1795165921.123456,1795165921,1795165921123,1795165921123456,"1795165921123456000",)"
            R"("2026-11-20T09:12:01.123456Z","2026-11-20T09:12:01.123Z","2026-11-20T09:12:01Z",)"
            R"("2026-11-20T09:12:01.123456Z"])");
  CanonicalRecord record = Awkward();
  record.device_time.value = "1969-12-31T23:59:58.25Z";
  EXPECT_EQ(ItemOf(R"(["{device_time|unix}","{device_time|unix_ms}"])", record), "[-1.75,-1750]");
}

TEST(CloudTemplate, TimeIsOfTheClockThatTheContractNames) {
  const std::string item = R"(["{time|rfc3339}","{received_at|rfc3339_s}","{device_time|default:none}"])";
  EXPECT_EQ(ItemOf(item, Awkward(), R"("time":"device_or_received")"),
            R"(["2026-11-20T09:12:00.900Z","2026-11-20T09:12:01Z","2026-11-20T09:12:00.900Z"])");
  CanonicalRecord record = Awkward();
  record.device_time.quality = TimeQuality::kUnsynced;
  EXPECT_EQ(ItemOf(item, record, R"("time":"device_or_received")").substr(0, 30), R"(["2026-11-20T09:12:01.123456Z")");
  EXPECT_EQ(ItemOf(item, record, R"("time":"device")"), "unfit: missing_value: time is missing");
  EXPECT_EQ(ItemOf(item, Bare()), R"(["1970-01-01T00:00:01Z","1970-01-01T00:00:01Z","none"])");
}

TEST(CloudTemplate, FiltersTurnValuesIntoText) {
  EXPECT_EQ(
      ItemOf(R"(["{device_id|safe}","{device_id|url}","{device_id|hex}","{record_id|base64}","{attributes|tags}",)"
             R"("{attributes|json}","{kind|number|default:none}"])",
             Awkward()),
      R"(["b___2","b%2F%C3%BC%202","622fc3bc2032","cS5uLjc=",["state:a \"b\" <c>"],)"
      R"("{\"state\":\"a \\\"b\\\" <c>\"}","none"])");
}

TEST(CloudTemplate, LetNamesAPieceOfTheItem) {
  const auto contract = Make(Contract(
      R"({"path":"/p","let":{"body":{"id":"{record_id}","d":"{device_id}"},"t":"{stream}-{sequence}"},)"
      R"("body":{"json":{"Records":"{items}"}},"item":{"raw":"{let.body}","data":"{let.body|json|base64}","t":"{let.t}"}})"));
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(BodyOf(*contract, {Bare()}),
            R"({"Records":[{"raw":{"id":"q.n.8"},"data":"eyJpZCI6InEubi44In0=","t":"plant-8"}]})");
}

TEST(CloudTemplate, LargeIntegersAreTextWhereTheReceiverHasDoublesOnly) {
  const auto contract = Make(
      Contract(R"({"path":"/p","body":{"json":"{items}","big_integers":"string"},"item":"{measurements|values}"})"));
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(contract->RenderRecord(Awkward()).text.view(),
            R"({"temp":21.5,"count":"9007199254740993","none":null,"ok":true})");
}

TEST(CloudTemplate, WhatOnlyTheRequestKnowsIsFilledInWhenItIsMade) {
  const auto contract = Make(Contract(
      R"({"path":"/p","body":{"json":{"n":"{batch.items}","items":"{items}"}},)"
      R"("item":{"Id":"{index|string}","i":"{index}","source":"/gw/{gateway.id|url}","batch":"{batch.id}"}})"));
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(BodyOf(*contract, {Bare(), Awkward()}),
            R"({"n":2,"items":[{"Id":"0","i":0,"source":"/gw/gw%201","batch":"b-1"},)"
            R"({"Id":"1","i":1,"source":"/gw/gw%201","batch":"b-1"}]})");
  EXPECT_EQ(contract->Items("").error().code, ErrorCode::kUnsupported);
  const std::vector<RenderedRecord> many(1000, contract->RenderRecord(Bare()));
  std::size_t bytes = 0;
  for (const RenderedRecord& each : many) {
    bytes += each.text.size();
  }
  EXPECT_LE(contract->RenderBatch(Header(), many).body.size(), contract->EnvelopeBytes(Header()) + bytes);
}

TEST(CloudTemplate, ItemsAreGroupedInTheOrderOfTheirFirst) {
  const auto contract = Make(Contract(
      R"({"path":"/p","group":{"by":["{stream}","{device_id}"],"as":{"stream":{"job":"x","d":"{device_id}"},"values":"{items}"}},)"
      R"("body":{"json":{"streams":"{groups}"}},"item":["{time|unix_ns|string}","{record_id}"]})"));
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(BodyOf(*contract, {Bare(), Awkward(), Bare()}),
            R"({"streams":[{"stream":{"job":"x"},"values":[["1000000000","q.n.8"],["1000000000","q.n.8"]]},)"
            "{\"stream\":{\"job\":\"x\",\"d\":\"b/\xC3\xBC 2\"},\"values\":[[\"1795165921123456000\",\"q.n.7\"]]}]}");
  EXPECT_EQ(contract->Items("").error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace packhorse::contract
