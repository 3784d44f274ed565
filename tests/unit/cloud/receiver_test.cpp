#include "receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bodies.h"
#include "digest.h"
#include "support/manual_clock.h"
#include "support/temp_dir.h"

namespace packhorse::cloud::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// A receiver with token "t" and its store in a fresh folder; no sockets.
class ReceiverTest : public testing::Test {
 protected:
  ReceiverTest() : store_(std::move(Store::Open(folder_ / "cloud.db", false)).value()) {}

  Request Post(const json& body, const std::string& key) {
    Request request;
    request.method = "POST";
    request.path = "/v1/telemetry";
    request.headers = {
        {"authorization", "Bearer t"}, {"content-type", "application/json"}, {"idempotency-key", "\"" + key + "\""}};
    request.body = body.dump();
    return request;
  }
  Reply Send(const json& body, const std::string& key = "k1") { return receiver_.Handle(Post(body, key)); }
  json Get(const std::string& path, std::map<std::string, std::string> query = {}, int status = 200) {
    Request request;
    request.method = "GET";
    request.path = path;
    request.query = std::move(query);
    request.headers = {{"authorization", "Bearer t"}};
    const Reply reply = receiver_.Handle(request);
    EXPECT_EQ(reply.status, status) << reply.body;
    return json::parse(reply.body);
  }
  json Stats() { return Get("/v1/stats"); }
  void Script(const std::string& script) { ASSERT_TRUE(faults_.Set(script, clock_.Mono())); }
  static std::string Header(const Reply& reply, const std::string& name) {
    for (const auto& [key, value] : reply.headers) {
      if (key == name) {
        return value;
      }
    }
    return "";
  }
  static std::string Type(const Reply& reply) {
    EXPECT_EQ(reply.content_type, "application/problem+json");
    const json problem = json::parse(reply.body);
    EXPECT_EQ(problem["status"], reply.status);
    EXPECT_FALSE(problem["title"].get<std::string>().empty());
    return problem["type"].get<std::string>().substr(kPrefixSize);
  }
  static constexpr std::size_t kPrefixSize = std::string_view("urn:packhorse:ingest:problem:").size();

  packhorse::test::TempDir folder_;
  packhorse::test::ManualClock clock_;
  std::unique_ptr<Store> store_;
  FaultScript faults_;
  ReceiverSettings settings_{"t", 100'000, 5};
  Receiver receiver_{*store_, faults_, clock_, settings_, {"temperature"}};
};

TEST_F(ReceiverTest, GoodBatchIsStoredAndCounted) {
  const Reply reply = Send(Body({Record(1), Record(2)}));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "{\"accepted\":2}");
  EXPECT_EQ(Header(reply, "RateLimit-Policy"), "\"default\";q=1000000;w=60");
  EXPECT_EQ(Header(reply, "RateLimit"), "\"default\";r=999999;t=60");
  EXPECT_EQ(Header(reply, "x-request-id").size(), 16U);
  EXPECT_EQ(Stats()["records"], 2);
}

TEST_F(ReceiverTest, RequestIdOfTheCallerIsRepeated) {
  Request request = Post(Body({Record(1)}), "k");
  request.headers["x-request-id"] = "abc-1";
  EXPECT_EQ(Header(receiver_.Handle(request), "x-request-id"), "abc-1");
}

TEST_F(ReceiverTest, GzipBodyIsTheSameAsAPlainOne) {
  Request request = Post(Body({Record(1)}), "k1");
  request.body = Gzip(request.body);
  request.headers["content-encoding"] = "gzip";
  EXPECT_EQ(receiver_.Handle(request).status, 200);
  EXPECT_EQ(Send(Body({Record(1)}), "k1").status, 200);
  EXPECT_EQ(Stats()["replayed"], 1);
}

TEST_F(ReceiverTest, DamagedGzipIsRefused) {
  Request request = Post(Body({Record(1)}), "k1");
  request.headers["content-encoding"] = "gzip";
  const std::string whole = Gzip(request.body);
  for (const std::string& body :
       {whole.substr(0, whole.size() / 2), whole + "x", std::string("plain"), std::string()}) {
    request.body = body;
    const Reply reply = receiver_.Handle(request);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(Type(reply), "bad-encoding");
  }
}

TEST_F(ReceiverTest, DecodedBodyOverTheLimitIsTooLarge) {
  Request request = Post({}, "k1");
  request.headers["content-encoding"] = "gzip";
  request.body = Gzip(std::string(100'001, ' '));
  const Reply reply = receiver_.Handle(request);
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(Type(reply), "too-large");
  EXPECT_EQ(json::parse(reply.body)["max_bytes"], 100'000);
}

TEST_F(ReceiverTest, TooManyRecordsAreTooLarge) {
  const Reply reply = Send(Body({Record(1), Record(2), Record(3), Record(4), Record(5), Record(6)}));
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(json::parse(reply.body)["max_records"], 5);
}

TEST_F(ReceiverTest, WrongTokenIsRefusedWithAChallenge) {
  Request request = Post(Body({Record(1)}), "k1");
  for (const char* value : {"", "Bearer", "Bearer x", "Bearer tt", "Basic t", "t"}) {
    request.headers["authorization"] = value;
    const Reply reply = receiver_.Handle(request);
    EXPECT_EQ(reply.status, 401) << value;
    EXPECT_EQ(Type(reply), "unauthorized");
    EXPECT_THAT(Header(reply, "WWW-Authenticate"), HasSubstr("Bearer realm="));
  }
  EXPECT_EQ(Stats()["records"], 0);
}

TEST_F(ReceiverTest, OtherMediaTypesAreRefused) {
  Request request = Post(Body({Record(1)}), "k1");
  for (const char* type : {"", "text/plain", "application/jsonx", "application/x-ndjson"}) {
    request.headers["content-type"] = type;
    EXPECT_EQ(receiver_.Handle(request).status, 415) << type;
  }
  request.headers["content-type"] = "Application/JSON; charset=utf-8";
  EXPECT_EQ(receiver_.Handle(request).status, 200);
  request.headers["content-encoding"] = "br";
  const Reply reply = receiver_.Handle(request);
  EXPECT_EQ(reply.status, 415);
  EXPECT_EQ(Header(reply, "Accept-Encoding"), "gzip");
}

TEST_F(ReceiverTest, MissingOrMalformedIdempotencyKeyIsRefused) {
  Request request = Post(Body({Record(1)}), "k1");
  for (const std::string& key : {std::string(), std::string("\"\""), std::string("bare"), std::string("\"a b\""),
                                 std::string("\"a\"b\""), "\"" + std::string(256, 'x') + "\""}) {
    request.headers["idempotency-key"] = key;
    const Reply reply = receiver_.Handle(request);
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(Type(reply), "idempotency-key");
  }
}

TEST_F(ReceiverTest, InvalidBodyNamesItsViolations) {
  json body = Body({Record(1)});
  body["records"][0]["kind"] = "x";
  const Reply reply = Send(body);
  EXPECT_EQ(reply.status, 422);
  EXPECT_EQ(Type(reply), "invalid-body");
  EXPECT_EQ(json::parse(reply.body)["violations"][0]["pointer"], "/records/0/kind");
  Request request = Post({}, "k2");
  request.body = "{\"a\":";
  EXPECT_EQ(receiver_.Handle(request).status, 400);
}

TEST_F(ReceiverTest, SameKeyAndBodyGetTheStoredReplyAndNothingIsStoredTwice) {
  Script(R"([{"fault":"partial","requests":1}])");
  const json body = Body({Record(1), Record(2), Record(3)});
  const Reply first = Send(body);
  const Reply second = Send(body);
  EXPECT_EQ(first.status, 207);
  EXPECT_EQ(second.status, 207);
  EXPECT_EQ(first.body, second.body);
  EXPECT_EQ(Stats()["records"], 1);
  EXPECT_EQ(Stats()["duplicates"], 0);
}

TEST_F(ReceiverTest, SameKeyWithAnotherBodyIsRefused) {
  Send(Body({Record(1)}), "k1");
  const Reply reply = Send(Body({Record(2)}), "k1");
  EXPECT_EQ(reply.status, 422);
  EXPECT_EQ(Type(reply), "idempotency-key-reused");
  EXPECT_EQ(Stats()["records"], 1);
  EXPECT_EQ(Stats()["keys_reused"], 1);
}

TEST_F(ReceiverTest, RecordInAnotherBatchIsADuplicateAndStillAccepted) {
  Send(Body({Record(1)}), "k1");
  const Reply reply = Send(Body({Record(1), Record(2)}), "k2");
  EXPECT_EQ(reply.body, "{\"accepted\":2}");
  EXPECT_EQ(Stats()["records"], 2);
  EXPECT_EQ(Stats()["duplicates"], 1);
  EXPECT_EQ(Stats()["restamped"], 0);
  json changed = Record(1);
  changed["server_received_at"] = "2026-11-20T09:12:02.000000Z";
  Send(Body({changed}), "k3");
  EXPECT_EQ(Stats()["duplicates"], 2);
  EXPECT_EQ(Stats()["restamped"], 1);
}

TEST_F(ReceiverTest, CountsAndKeysSurviveARestart) {
  Send(Body({Record(1)}), "k1");
  Send(Body({Record(1), Record(2)}), "k2");
  store_.reset();
  store_ = std::move(Store::Open(folder_ / "cloud.db", true)).value();
  Receiver again(*store_, faults_, clock_, settings_, {});
  EXPECT_EQ(again.Handle(Post(Body({Record(1)}), "k1")).status, 200);
  EXPECT_EQ(store_->Counts().records, 2U);
  EXPECT_EQ(store_->Counts().duplicates, 1U);
  EXPECT_EQ(store_->Counts().batches, 2U);
  EXPECT_EQ(store_->Counts().replayed, 1U);
}

TEST_F(ReceiverTest, RequestOverTheRateIsToldWhenToComeBack) {
  receiver_.rate().Configure(2, std::chrono::seconds(10));
  EXPECT_EQ(Header(Send(Body({Record(1)}), "k1"), "RateLimit"), "\"default\";r=1;t=10");
  Send(Body({Record(2)}), "k2");
  clock_.Advance(std::chrono::milliseconds(2'500));
  const Reply reply = Send(Body({Record(3)}), "k3");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(Type(reply), "quota-exceeded");
  EXPECT_EQ(Header(reply, "Retry-After"), "8");
  EXPECT_EQ(Header(reply, "RateLimit"), "\"default\";r=0;t=8");
  clock_.Advance(std::chrono::milliseconds(7'500));
  EXPECT_EQ(Send(Body({Record(3)}), "k3").status, 200);
}

TEST_F(ReceiverTest, UnknownPathsAndMethodsAreRefused) {
  Request request = Post({}, "k");
  request.path = "/v2/telemetry";
  EXPECT_EQ(receiver_.Handle(request).status, 404);
  request.path = "/admin/nothing";
  EXPECT_EQ(receiver_.Handle(request).status, 404);
  request.path = "/v1/telemetry";
  request.method = "PUT";
  EXPECT_EQ(receiver_.Handle(request).status, 405);
  EXPECT_EQ(Header(receiver_.Handle(request), "Allow"), "POST");
}

struct FaultCase {
  const char* name;
  const char* script;
  int status;
  Wire wire;
  int records;  // stored although the fault happened
  const char* body;
};

class ReceiverFault : public ReceiverTest, public testing::WithParamInterface<FaultCase> {};

TEST_P(ReceiverFault, DoesWhatItsNameSaysOnceAndIsOver) {
  Script(GetParam().script);
  const json body = Body({Record(1), Record(2), Record(3)});
  const Reply reply = Send(body);
  EXPECT_EQ(reply.status, GetParam().status);
  EXPECT_EQ(reply.wire, GetParam().wire);
  EXPECT_THAT(reply.body, HasSubstr(GetParam().body));
  EXPECT_EQ(Stats()["records"], GetParam().records);
  if (GetParam().status != 207) {
    const Reply again = Send(body);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.body, "{\"accepted\":3}");
    EXPECT_EQ(Stats()["records"], 3);
    EXPECT_EQ(Stats()["duplicates"], 0);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, ReceiverFault,
    testing::Values(
        FaultCase{"Status", R"([{"fault":"status","status":500,"requests":1}])", 500, Wire::kNormal, 0, "scripted"},
        FaultCase{"Slow", R"([{"fault":"slow","delay_ms":9,"requests":1}])", 200, Wire::kNormal, 3, "accepted"},
        FaultCase{"LostReply", R"([{"fault":"lost_reply","requests":1}])", 200, Wire::kDrop, 3, "accepted"},
        FaultCase{"Partial", R"([{"fault":"partial","requests":1}])", 207, Wire::kNormal, 1, "\"accepted\":1"},
        FaultCase{"PartialByDevice", R"([{"fault":"partial","device":"17","requests":1}])", 207, Wire::kNormal, 0,
                  "\"retry\":[]"},
        FaultCase{"Html", R"([{"fault":"html","requests":1}])", 200, Wire::kNormal, 0, "<html>"},
        FaultCase{"Html413", R"([{"fault":"html","status":413,"requests":1}])", 413, Wire::kNormal, 0, "<html>"},
        FaultCase{"Truncated", R"([{"fault":"truncated","requests":1}])", 200, Wire::kTruncate, 3, "accepted"},
        FaultCase{"WrongAccepted", R"([{"fault":"wrong_accepted","requests":1}])", 200, Wire::kNormal, 3,
                  "\"accepted\":2"},
        FaultCase{"Redirect", R"([{"fault":"redirect","requests":1}])", 307, Wire::kNormal, 0, ""},
        FaultCase{"Reset", R"([{"fault":"reset","requests":1}])", 200, Wire::kReset, 0, ""}),
    [](const testing::TestParamInfo<FaultCase>& fault) { return std::string(fault.param.name); });

TEST_F(ReceiverTest, PartialReplyNamesRefusedAndRetriedRecords) {
  Script(R"([{"fault":"partial","rejected":1,"retry":2,"requests":1}])");
  const json reply = json::parse(Send(Body({Record(1), Record(2), Record(3), Record(4)})).body);
  EXPECT_EQ(reply["accepted"], 1);
  ASSERT_EQ(reply["rejected"].size(), 1U);
  EXPECT_EQ(reply["rejected"][0]["record_id"], "k3f9.n.1");
  EXPECT_EQ(reply["rejected"][0]["error"]["status"], 422);
  EXPECT_EQ(reply["retry"], json({"k3f9.n.2", "k3f9.n.3"}));
}

TEST_F(ReceiverTest, FaultOfADeviceLeavesOtherBatchesAlone) {
  Script(R"([{"fault":"status","status":422,"device":"bad","requests":10}])");
  EXPECT_EQ(Send(Body({Record(1, "good")}), "k1").status, 200);
  EXPECT_EQ(Send(Body({Record(2, "good"), Record(3, "bad")}), "k2").status, 422);
  EXPECT_EQ(Send(Body({Record(2, "good")}), "k3").status, 200);
  EXPECT_EQ(Stats()["faults"]["status"], 1);
}

TEST_F(ReceiverTest, FaultHeadersAreAdded) {
  Script(R"([{"fault":"status","status":429,"headers":{"Retry-After":"3"},"requests":1}])");
  EXPECT_EQ(Header(Send(Body({Record(1)})), "Retry-After"), "3");
}

TEST_F(ReceiverTest, SettingsChangeWhileRunning) {
  Request request = Post({{"token", "new"}, {"max_records", 1}, {"rate_limit", {{"requests", 7}, {"seconds", 1}}}}, "");
  request.path = "/admin/settings";
  EXPECT_EQ(receiver_.Handle(request).status, 204);
  EXPECT_EQ(Send(Body({Record(1)})).status, 401);
  Request fresh = Post(Body({Record(1), Record(2)}), "k1");
  fresh.headers["authorization"] = "Bearer new";
  const Reply reply = receiver_.Handle(fresh);
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(Header(reply, "RateLimit-Policy"), "\"default\";q=7;w=1");
  request.body = R"({"tokens":"x"})";
  EXPECT_EQ(receiver_.Handle(request).status, 400);
}

TEST_F(ReceiverTest, ReconciliationCountsAndHashesByStreamAndHour) {
  json later = Record(3);
  later["server_received_at"] = "2026-11-20T10:00:00.000000Z";
  Send(Body({Record(1), Record(2), later}), "k1");
  Send(Body({Record(2)}), "k2");  // a duplicate changes nothing
  const json answer = Get("/v1/reconciliation",
                          {{"gateway", "gw-0042"}, {"from", "2026-11-20T09:00:00Z"}, {"to", "2026-11-20T11:00:00Z"}});
  ASSERT_EQ(answer["windows"].size(), 2U);
  const json& window = answer["windows"][0];
  EXPECT_EQ(window["stream"], "telemetry");
  EXPECT_EQ(window["hour"], "2026-11-20T09:00:00Z");
  EXPECT_EQ(window["count"], 2);
  EXPECT_EQ(window["hash"], HashHex(RecordIdHash("k3f9.n.1") + RecordIdHash("k3f9.n.2")));
  EXPECT_EQ(window["sums"]["temperature"], 43.0);
  EXPECT_EQ(answer["windows"][1]["count"], 1);
  EXPECT_FALSE(answer.contains("next"));
}

TEST(RecordIdHash, IsTheBeginningOfItsSha256) {
  // printf %s k3f9.n.1001 | sha256sum
  EXPECT_EQ(HashHex(RecordIdHash("k3f9.n.1001")), "b90e0fc0bfa9a86b");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(ReceiverTest, AForgottenRecordLeavesCountAndHashAndMayComeAgain) {
  const std::map<std::string, std::string> query = {
      {"gateway", "gw-0042"}, {"from", "2026-11-20T09:00:00Z"}, {"to", "2026-11-20T10:00:00Z"}};
  Send(Body({Record(1), Record(2)}), "k1");
  const json before = Get("/v1/reconciliation", query)["windows"][0];
  EXPECT_TRUE(*store_->Forget("k3f9.n.2"));
  EXPECT_FALSE(*store_->Forget("k3f9.n.2"));
  const json without = Get("/v1/reconciliation", query)["windows"][0];
  EXPECT_EQ(without["count"], 1);
  EXPECT_EQ(without["hash"], HashHex(RecordIdHash("k3f9.n.1")));
  EXPECT_EQ(without["sums"]["temperature"], 21.5);
  Send(Body({Record(2)}), "k2");
  EXPECT_EQ(Get("/v1/reconciliation", query)["windows"][0], before);
}

TEST_F(ReceiverTest, AFalsifiedMeasurementChangesNothingButItsSum) {
  const std::map<std::string, std::string> query = {
      {"gateway", "gw-0042"}, {"from", "2026-11-20T09:00:00Z"}, {"to", "2026-11-20T10:00:00Z"}};
  Send(Body({Record(1), Record(2)}), "k1");
  json expected = Get("/v1/reconciliation", query)["windows"][0];
  Request request = Post({{"record_id", "k3f9.n.2"}, {"measurement", "temperature"}, {"value", 20}}, "");
  request.path = "/admin/falsify";
  EXPECT_EQ(receiver_.Handle(request).status, 204);
  expected["sums"]["temperature"] = 41.5;
  EXPECT_EQ(Get("/v1/reconciliation", query)["windows"][0], expected);
  request.body = R"({"record_id":"other","measurement":"temperature","value":1})";
  EXPECT_EQ(receiver_.Handle(request).status, 400);
}

TEST_F(ReceiverTest, ReconciliationPagesAreComplete) {
  std::vector<std::string> streams = {"a", "b", "c"};
  int sequence = 0;
  for (int hour = 10; hour < 15; ++hour) {
    std::vector<json> records;
    for (const std::string& stream : streams) {
      json record = Record(static_cast<std::uint64_t>(++sequence));
      record["stream"] = stream;
      record["server_received_at"] = "2026-11-20T" + std::to_string(hour) + ":30:00.000000Z";
      records.push_back(record);
    }
    Send(Body(records), "k" + std::to_string(hour));
  }
  std::map<std::string, std::string> query = {
      {"gateway", "gw-0042"}, {"from", "2026-11-20T10:00:00Z"}, {"to", "2026-11-20T14:00:00Z"}, {"limit", "5"}};
  std::vector<std::string> seen;
  int pages = 0;
  for (json answer; pages == 0 || answer.contains("next"); ++pages) {
    if (pages > 0) {
      query["cursor"] = answer["next"];
    }
    answer = Get("/v1/reconciliation", query);
    for (const json& window : answer["windows"]) {
      seen.push_back(window["hour"].get<std::string>().substr(11, 2) + window["stream"].get<std::string>());
    }
  }
  EXPECT_EQ(pages, 3);  // 4 hours of 3 streams: 5 + 5 + 2
  EXPECT_THAT(seen,
              testing::ElementsAre("10a", "10b", "10c", "11a", "11b", "11c", "12a", "12b", "12c", "13a", "13b", "13c"));
}

TEST_F(ReceiverTest, BadReconciliationParametersAreNamed) {
  const std::map<std::string, std::string> good = {
      {"gateway", "g"}, {"from", "2026-11-20T10:00:00Z"}, {"to", "2026-11-20T11:00:00Z"}};
  const std::pair<const char*, const char*> bad[] = {{"gateway", ""},
                                                     {"from", ""},
                                                     {"from", "today"},
                                                     {"to", "2026-11-20T09:00:00Z"},
                                                     {"to", "2026-11-20T10:00:00Z"},
                                                     {"limit", "0"},
                                                     {"limit", "1001"},
                                                     {"limit", "x"},
                                                     {"cursor", "zz"},
                                                     {"cursor", "00"}};
  for (const auto& [name, value] : bad) {
    auto query = good;
    query[name] = value;
    EXPECT_EQ(Get("/v1/reconciliation", query, 400)["parameter"], name) << value;
  }
  EXPECT_EQ(Get("/v1/reconciliation", good)["windows"].size(), 0U);
}

}  // namespace
}  // namespace packhorse::cloud::test
