#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/secret_mark.h"
#include "cloud_fixture.h"

namespace packhorse::contract {
namespace {

using test::Awkward;
using test::Bare;
using test::BodyOf;
using test::Contract;
using test::Header;
using test::ItemsOf;
using test::Make;
using test::WithItem;
using Fate = RenderedRecord::Fate;

TEST(CloudRequest, PathAndQueryAreEscapedForTheirPlaceAndWhatIsMissingIsLeftOut) {
  const auto contract = Make(
      R"({"contract":"acme@1.0","settings":{"db":{},"rp":{"default":null},"base":{"default":"/x/y"}},"request":{)"
      R"("path":"{settings.base|raw}/{settings.db}","query":{"db":"{settings.db}","rp":"{settings.rp}","q":"IN {settings.db} X"},)"
      R"("body":{"json":"{items}"},"item":"{record}"},"response":[{"status":204,"verdict":"accepted"}]})",
      {{"db", "a/b c"}});
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(contract->RenderBatch(Header(), {}).path, "/x/y/a%2Fb%20c?db=a%2Fb%20c&q=IN%20a%2Fb%20c%20X");
}

TEST(CloudRequest, ARecordThatWouldLeadToAnotherPathIsUnfit) {
  const auto contract = Make(Contract(
      R"({"path":"/api/{settings.site}/devices/{device_id}/points","split_by":"{device_id}","body":{"json":"{items}"},)"
      R"("item":"{record_id}"})",
      R"("settings":{"site":{"default":"north"}})"));
  ASSERT_NE(contract, nullptr);
  CanonicalRecord record = Awkward();
  for (const char* device : {".", "..", "%2e%2E", "%2e.", "%252e%252e"}) {
    record.device_id = device;
    const RenderedRecord rendered = contract->RenderRecord(record);
    EXPECT_EQ(rendered.fate, Fate::kDeadLetter) << device;
    EXPECT_EQ(rendered.reason, "unfit_path") << device;
    EXPECT_NE(rendered.detail.find("device_id makes "), std::string::npos) << rendered.detail;
  }
  for (const char* device : {"...", ".a", "a..", "..a", "../x", "%2f", "a?b"}) {
    record.device_id = device;
    const RenderedRecord rendered = contract->RenderRecord(record);
    EXPECT_EQ(rendered.fate, Fate::kItems) << device << ": " << rendered.detail;
    const std::string path = contract->RenderBatch(Header(rendered.part), {&rendered, 1}).path;
    EXPECT_TRUE(path.starts_with("/api/north/devices/") && path.ends_with("/points")) << path;
  }
}

TEST(CloudRequest, ARecordThatLeavesASegmentEmptyIsUnfit) {
  const auto contract = Make(Contract(
      R"({"path":"/api//{let.who}/points/","let":{"who":"{device_id|safe}"},"body":{"json":"{item}"},"item":"{record_id}"})",
      R"("accepts":{"max_items":1})"));
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(contract->RenderRecord(Awkward()).fate, Fate::kItems);
  const auto by_text = Make(Contract(
      R"({"path":"/api/{device_id|default:}/points","split_by":"{device_id|default:}","body":{"json":"{items}"},"item":"{record_id}"})"));
  ASSERT_NE(by_text, nullptr);
  const RenderedRecord rendered = by_text->RenderRecord(Bare());
  EXPECT_EQ(rendered.reason, "unfit_path");
  EXPECT_EQ(rendered.detail, "device_id leaves a segment of the path empty");
}

TEST(CloudRequest, ARawValueChoosesSegmentsAndStillLeadsNowhereElse) {
  const auto contract = Make(
      Contract(R"({"path":"/in/{topic|raw}","split_by":"{topic}","body":{"json":"{items}"},"item":"{record_id}"})"));
  ASSERT_NE(contract, nullptr);
  CanonicalRecord record = Awkward();
  for (const char* topic : {"a/../../admin", "a/.", "..?x", "a b"}) {
    record.topic = topic;
    EXPECT_EQ(contract->RenderRecord(record).reason, "unfit_path") << topic;
  }
  record.topic = "a/b/?q=../..";
  EXPECT_EQ(contract->RenderRecord(record).fate, Fate::kItems);
}

TEST(CloudRequest, ASettingThatWouldLeadToAnotherPathIsAnError) {
  const ContractRead read = ReadCloudContract(
      Contract(R"({"path":"{settings.base|raw}/{settings.site}/in","body":{"json":"{items}"},"item":"{record_id}"})",
               R"("settings":{"site":{},"base":{"default":""}})"),
      "file");
  ASSERT_NE(read.definition, nullptr) << test::Told(read);
  for (const char* site : {"..", ".", "", "%2E%2e"}) {
    const auto made = MakeCloudContract(read.definition, {{"site", site}});
    ASSERT_FALSE(made) << site;
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(made.error().message.find("the path: settings.site "), std::string::npos) << made.error().message;
  }
  EXPECT_FALSE(MakeCloudContract(read.definition, {{"site", "x"}, {"base", "/a/../b"}}));
  EXPECT_TRUE(MakeCloudContract(read.definition, {{"site", "x.y"}, {"base", "/a/b"}}));
}

TEST(CloudRequest, SecretsAreMarksInPathQueryAndHeaders) {
  const auto contract =
      Make(R"({"contract":"acme@1.0","settings":{"key":{"secret":true}},"request":{"path":"/p/{settings.key}",)"
           R"("query":{"k":"{settings.key}"},"headers":{"Authorization":"Bearer {settings.key}"},)"
           R"("body":{"json":"{items}"},"item":"{record}"},"response":[{"status":204,"verdict":"accepted"}]})");
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(contract->RenderBatch(Header(), {}).path,
            "/p/" + SecretMark(MarkPlace::kPath, "key") + "?k=" + SecretMark(MarkPlace::kQuery, "key"));
  EXPECT_EQ(contract->RequestHeaders(Header()),
            (Headers{{"Authorization", "Bearer " + SecretMark(MarkPlace::kHeader, "key")}}));
  EXPECT_EQ(contract->secrets(), std::vector<std::string>{"key"});
}

TEST(CloudRequest, HeadersTakeTheBatchAndTheContentTypeIsTheContracts) {
  const auto contract = Make(Contract(
      R"({"path":"/p","headers":{"Idempotency-Key":"\"{batch.id}\"","X-At":"{batch.created|rfc3339_s}","content-type":"application/x"},)"
      R"("body":{"json":"{items}"},"item":"{record}"})"));
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(contract->RequestHeaders(Header()),
            (Headers{{"Idempotency-Key", "\"b-1\""}, {"X-At", "2026-11-20T09:12:10Z"}}));
  EXPECT_EQ(contract->RenderBatch(Header(), {}).content_type, "application/x");
  EXPECT_EQ(contract->HeaderNames(), (std::vector<std::string>{"idempotency-key", "x-at"}));
}

TEST(CloudRequest, ASettingsDefaultMayNameTheGateway) {
  const std::string text =
      R"({"contract":"acme@1.0","settings":{"who":{"default":"gw {gateway.id}"}},"request":{"path":"/{settings.who}",)"
      R"("body":{"json":{"s":"{settings.who}","p":"{items}"}},"item":{"w":"{settings.who}"}},)"
      R"("response":[{"status":204,"verdict":"accepted"}]})";
  const auto contract = Make(text);
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(BodyOf(*contract, {Bare()}), R"({"s":"gw gw 1","p":[{"w":"gw gw 1"}]})");
  EXPECT_EQ(contract->RenderBatch(Header(), {}).path, "/gw%20gw%201");
  EXPECT_EQ(BodyOf(*Make(text, {{"who", "{x}"}}), {Bare()}), R"({"s":"{x}","p":[{"w":"{x}"}]})");
}

TEST(CloudRequest, SettingsThatAreMissingUnknownOrSecretAreNamed) {
  const ContractRead read = ReadCloudContract(
      R"({"contract":"acme@1.0","settings":{"bucket":{},"key":{"secret":true}},"request":{"path":"/{settings.bucket}",)"
      R"("body":{"json":"{items}"},"item":"{record}"},"response":[{"status":204,"verdict":"accepted"}]})",
      "file");
  ASSERT_NE(read.definition, nullptr) << test::Told(read);
  const auto made = MakeCloudContract(read.definition, {{"buckt", "x"}, {"key", "s3cret"}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
  for (const char* part :
       {"\"bucket\" is missing", "\"buckt\" is unknown, did you mean \"bucket\"?", "\"key\" is a secret"}) {
    EXPECT_NE(made.error().message.find(part), std::string::npos) << made.error().message;
  }
  EXPECT_EQ(made.error().message.find("s3cret"), std::string::npos);
  EXPECT_TRUE(MakeCloudContract(read.definition, {{"bucket", "x"}}));
}

TEST(CloudRequest, SplitByMakesAPartForEachValueAndTheRequestTakesItFromThere) {
  const auto contract = Make(Contract(
      R"({"path":"/d/{device_id|default:none}","headers":{"P":"{let.p|json}"},"let":{"p":{"k":"{device_id|default:none}"}},)"
      R"("split_by":"{device_id|default:none}","body":{"json":{"d":"{device_id}","items":"{items}"}},"item":"{record_id}"})"));
  ASSERT_NE(contract, nullptr);
  const RenderedRecord one = contract->RenderRecord(Awkward());
  const RenderedRecord other = contract->RenderRecord(Bare());
  EXPECT_NE(one.part, other.part);
  EXPECT_EQ(one.part, contract->RenderRecord(Awkward()).part);
  const std::vector<RenderedRecord> both = {one, one};
  const Rendered rendered = contract->RenderBatch(Header(one.part), both);
  EXPECT_EQ(rendered.path, "/d/b%2F%C3%BC%202");
  EXPECT_EQ(rendered.body, "{\"d\":\"b/\xC3\xBC 2\",\"items\":[\"q.n.7\",\"q.n.7\"]}");
  EXPECT_EQ(contract->RequestHeaders(Header(one.part)), (Headers{{"P", "{\"k\":\"b/\xC3\xBC 2\"}"}}));
  EXPECT_EQ(contract->RenderBatch(Header(other.part), {}).body, R"({"items":[]})");
}

TEST(CloudRequest, OneRecordARequestMayGoIntoItsHeaders) {
  const auto contract = Make(Contract(
      R"({"path":"/e","headers":{"ce-id":"{record_id}","ce-subject":"{device_id}"},"body":{"json":"{item}"},"item":"{fields}"})",
      R"("accepts":{"max_items":1})"));
  ASSERT_NE(contract, nullptr);
  const std::vector<RenderedRecord> one = {contract->RenderRecord(Awkward())};
  const Rendered rendered = contract->RenderBatch(Header(one[0].part), one);
  EXPECT_EQ(rendered.body, one[0].text.view());
  EXPECT_EQ(rendered.body.front(), '{');
  EXPECT_EQ(contract->RequestHeaders(Header(one[0].part)),
            (Headers{{"ce-id", "q.n.7"}, {"ce-subject", "b/\xC3\xBC 2"}}));
  EXPECT_EQ(contract->RenderRecord(Bare()).fate, Fate::kDeadLetter);  // without fields there is no item
}

TEST(CloudRequest, LinesOfAnItemStayTogether) {
  const auto contract = Make(Contract(
      R"({"path":"/_bulk","body":{"ndjson":[{"create":{"_id":"{record_id}"}},"{item}"]},"item":{"d":"{device_id}","*":"{measurements|values}"}})"));
  ASSERT_NE(contract, nullptr);
  CanonicalRecord record = Awkward();
  record.measurements.resize(1);
  const std::vector<RenderedRecord> both = {contract->RenderRecord(record), contract->RenderRecord(record)};
  const Rendered rendered = contract->RenderBatch(Header(), both);
  const std::string item = "{\"create\":{\"_id\":\"q.n.7\"}}\n{\"d\":\"b/\xC3\xBC 2\",\"temp\":21.5}\n";
  EXPECT_EQ(rendered.body, item + item);
  EXPECT_EQ(rendered.content_type, "application/x-ndjson");
  EXPECT_EQ(*contract->Items(rendered.body), (std::vector<std::string>{item, item}));
  EXPECT_FALSE(contract->Items(rendered.body.substr(0, rendered.body.size() - 3)));
}

TEST(CloudRequest, TextEscapesItsValuesAndXmlCarriesNoControls) {
  const auto contract = Make(Contract(
      R"({"path":"/ws","body":{"text":"<P id=\"{batch.id}\">{items}</P>","escape":"xml","join":"\n"},"each":"/measurements/{name}",)"
      R"("item":"<M d=\"{device_id}\" n=\"{name}\" u=\"{unit|default:1}\">{value|number}</M>"})"));
  ASSERT_NE(contract, nullptr);
  CanonicalRecord record = Awkward();
  record.device_id = "a<&\"b";
  record.measurements.resize(3);
  EXPECT_EQ(BodyOf(*contract, {record}),
            "<P id=\"b-1\"><M d=\"a&lt;&amp;&quot;b\" n=\"temp\" u=\"Cel\">21.5</M>\n"
            "<M d=\"a&lt;&amp;&quot;b\" n=\"count\" u=\"1\">9007199254740993</M></P>");
  EXPECT_EQ(contract->RenderRecord(record).unfit_items, 1U);
  record.device_id = "a\x01";
  EXPECT_EQ(contract->RenderRecord(record).fate, Fate::kDeadLetter);
}

TEST(CloudRequest, AnItemForEachMeasurementLeavesOutWhatIsNoNumber) {
  const auto contract =
      Make(Contract(R"({"path":"/s","each":"/measurements/{name}","body":{"json":{"series":"{items}"}},)"
                    R"("item":{"m":"{name|safe}","u":"{unit}","v":"{value|number|required}"}})"));
  ASSERT_NE(contract, nullptr);
  const RenderedRecord rendered = contract->RenderRecord(Awkward());
  EXPECT_EQ(ItemsOf(rendered),
            (std::vector<std::string>{R"({"m":"temp","u":"Cel","v":21.5})", R"({"m":"count","v":9007199254740993})",
                                      R"({"m":"ok","v":1})"}));
  EXPECT_EQ(rendered.items(), 3U);
  EXPECT_EQ(rendered.unfit_items, 2U);
  EXPECT_EQ(rendered.reason, "missing_value");
  EXPECT_EQ(rendered.detail, "bad: value is missing");
}

TEST(CloudRequest, WhatTheContractDoesNotTakeIsSkippedCondemnedOrKept) {
  CanonicalRecord gap = Bare();
  gap.kind = RecordKind::kGap;
  const auto kinds = Make(WithItem("\"{record}\"", R"("accepts":{"kinds":["telemetry","state"]})"));
  EXPECT_EQ(kinds->RenderRecord(gap).fate, Fate::kSkipped);
  EXPECT_EQ(kinds->RenderRecord(gap).reason, "kind");
  EXPECT_FALSE(kinds->TellsGap("dropped"));
  EXPECT_TRUE(Make(WithItem("\"{record}\""))->TellsGap("not_received"));
  for (const auto& [unfit, fate] : std::vector<std::pair<std::string, Fate>>{
           {"dead_letter", Fate::kDeadLetter}, {"skip", Fate::kSkipped}, {"wait", Fate::kWait}}) {
    const auto contract = Make(WithItem("[\"{device_id}\"]", R"("accepts":{"unfit":")" + unfit + "\"}"));
    const RenderedRecord rendered = contract->RenderRecord(Bare());
    EXPECT_EQ(rendered.fate, fate);
    EXPECT_EQ(rendered.items(), 0U);
    EXPECT_TRUE(rendered.text.view().empty());
  }
  const auto small = Make(WithItem("\"{record}\"", R"("accepts":{"max_item_bytes":20})"));
  EXPECT_EQ(small->RenderRecord(Bare()).reason, "too_large");
  const auto few =
      Make(Contract(R"({"path":"/s","each":"/measurements/{name}","body":{"json":"{items}"},"item":["{name}"]})",
                    R"("accepts":{"max_items":4})"));
  EXPECT_EQ(few->RenderRecord(Awkward()).reason, "too_many_items");
}

TEST(CloudRequest, LineProtocolIsWrittenByItsMapping) {
  const auto contract = Make(Contract(
      R"({"path":"/w","body":{"line_protocol":{"measurement":"{stream}","tags":{"device":"{device_id}","*":"{attributes}"},)"
      R"("fields":"{measurements|values}","time":"{time|unix_ns}"}}})",
      R"("time":"device_or_received")"));
  ASSERT_NE(contract, nullptr);
  CanonicalRecord record = Awkward();
  record.attributes = {{"device", std::string("other")}, {"state", std::string("on")}};
  const std::vector<RenderedRecord> both = {contract->RenderRecord(record), contract->RenderRecord(record)};
  EXPECT_EQ(both[0].text.view(),
            "plant,device=b/\xC3\xBC\\ 2,state=on temp=21.5,count=9007199254740993,ok=true "
            "1795165920900000000\n");
  const Rendered rendered = contract->RenderBatch(Header(), both);
  EXPECT_EQ(contract->Items(rendered.body)->size(), 2U);
  EXPECT_EQ(contract->RenderRecord(Bare()).fate, Fate::kDeadLetter);
}

TEST(CloudRequest, OtlpHasAPointForEachMeasurement) {
  const auto contract = Make(Contract(
      R"({"path":"/v1/metrics","each":"/measurements/{name}","body":{"otlp":{"resource":{"service.name":"x","gateway.id":"{gateway.id}"},)"
      R"("name":"{name}","unit":"{unit}","value":"{value|number|required}","time":"{time|unix_ns}",)"
      R"("attributes":{"device":"{device_id}","*":"{attributes}"}}}})"));
  ASSERT_NE(contract, nullptr);
  const std::vector<RenderedRecord> one = {contract->RenderRecord(Awkward())};
  EXPECT_EQ(one[0].items(), 4U);  // NaN is a number here, null is none
  const Rendered rendered = contract->RenderBatch(Header(), one);
  const auto json = nlohmann::json::parse(rendered.body);
  const auto& metrics = json.at("resourceMetrics")[0].at("scopeMetrics")[0].at("metrics");
  ASSERT_EQ(metrics.size(), 4U);
  EXPECT_EQ(metrics[0].at("name"), "temp");
  EXPECT_NE(rendered.body.find("\"gateway.id\""), std::string::npos);
  EXPECT_EQ(
      contract
          ->Items(
              std::string_view(rendered.body).substr(rendered.items_begin, rendered.items_end - rendered.items_begin))
          ->size(),
      4U);
  EXPECT_LE(rendered.body.size(), contract->EnvelopeBytes(Header()) + one[0].text.size());
}

TEST(CloudRequest, TwoMeasurementsThatBecomeOneSeriesLeaveTheSecondOut) {
  const auto contract = Make(Contract(
      R"({"path":"/w","each":"/measurements/{name}","body":{"remote_write":{"labels":{"__name__":"{name|safe}","device":"{device_id}","*":"{attributes}"},)"
      R"("value":"{value|number|required}","time":"{time|unix_ms}"}}})"));
  ASSERT_NE(contract, nullptr);
  CanonicalRecord record = Bare();
  record.measurements = {{"a.b", 1.0, ""}, {"a_b", 2.0, ""}, {"c", std::nan(""), ""}};
  const RenderedRecord rendered = contract->RenderRecord(record);
  EXPECT_EQ(rendered.items(), 2U);
  EXPECT_EQ(rendered.unfit_items, 1U);
  EXPECT_NE(rendered.detail.find("a_b"), std::string::npos);
  const std::vector<RenderedRecord> one = {rendered};
  EXPECT_EQ(contract->Items(contract->RenderBatch(Header(), one).body)->size(), 2U);
  EXPECT_EQ(contract->codings(), std::vector<std::string>{"snappy"});
  EXPECT_EQ(contract->RequestHeaders(Header()), (Headers{{"X-Prometheus-Remote-Write-Version", "0.1.0"}}));
  record.attributes = {{"x.y", std::string("1")}, {"x_y", std::string("2")}};
  EXPECT_EQ(contract->RenderRecord(record).fate, Fate::kDeadLetter);
}

TEST(CloudRequest, ASampleOfEveryContractOfTheProgramIsRendered) {
  for (const std::string& name : CloudContractNames()) {
    SettingValues settings;
    std::vector<RenderedRecord> records;
    auto contract = FindCloudContract(name, settings);
    if (!contract) {
      for (const char* setting : {"db", "org", "bucket", "region", "stream", "topic", "index", "device", "queue_url",
                                  "hub", "project", "table", "account", "path"}) {
        if (contract.error().message.find("\"" + std::string(setting) + "\" is missing") != std::string::npos) {
          settings[setting] = "x";
        }
      }
      if (contract.error().message.find("\"tokens\" is missing") != std::string::npos) {
        settings["tokens"] = R"({"*":"t"})";
      }
      contract = FindCloudContract(name, settings);
    }
    ASSERT_TRUE(contract) << contract.error().message;
    records.push_back((*contract)->RenderRecord(Awkward()));
    EXPECT_EQ(records[0].fate, Fate::kItems) << name << records[0].detail;
    const Rendered rendered = (*contract)->RenderBatch(Header(records[0].part), records);
    EXPECT_EQ(rendered.path.substr(0, 1), "/") << name;
    EXPECT_FALSE(rendered.content_type.empty()) << name;
    EXPECT_GT(rendered.items_end, rendered.items_begin) << name;
    const auto items = (*contract)->Items(
        std::string_view(rendered.body).substr(rendered.items_begin, rendered.items_end - rendered.items_begin));
    if (items) {
      EXPECT_EQ(items->size(), records[0].items()) << name;
    }
  }
}

}  // namespace
}  // namespace packhorse::contract
