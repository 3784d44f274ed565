// Replies of real APIs, read by the rules that a contract for them has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "rules_builder.h"

namespace packhorse::outcome {
namespace {

using test::Http;
using test::Json;
using test::JudgeBy;
using test::Short;

TEST(ApiReplies, PackhorseIngest) {
  const std::string rules = R"([
    { "status": 200, "verdict": "accepted", "accepted_count": "/accepted" },
    { "status": 207, "accepted_count": "/accepted", "rest": "accepted", "lists": [
        { "each": "/rejected/*", "by": { "id": "/record_id" }, "item": [ { "verdict": "rejected", "reason": "/error/title" } ] },
        { "each": "/retry/*", "by": { "id": "" }, "item": [ { "verdict": "retry" } ] } ] } ])";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"accepted":3})"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"accepted":2})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(rules, Json(207, R"({"accepted":1,"rejected":[{"record_id":"q.n.2"}],"retry":["q.n.3"]})"))),
            "partial AXR");
  EXPECT_EQ(Short(JudgeBy(rules, Json(207, R"({"accepted":2,"rejected":[{"record_id":"never.sent"}]})"))), "deviation");
}

TEST(ApiReplies, InfluxDb1And2) {
  const std::string one = R"([
    { "status": 204, "verdict": "accepted" },
    { "status": 400, "when": { "/error": "partial write*" }, "verdict": "partial_unknown", "then": "bisect", "reason": "/error" },
    { "status": 404, "when": { "/error": "database not found*" }, "verdict": "hold", "reason": "/error" },
    { "status": [500, 503], "when": { "/error": "timeout*" }, "verdict": "retry" } ])";
  EXPECT_EQ(Short(JudgeBy(one, Http(204))), "delivered");
  EXPECT_TRUE(JudgeBy(one, Json(400, R"({"error":"partial write: field type conflict dropped=1"})")).maybe_stored);
  EXPECT_EQ(Short(JudgeBy(one, Json(400, R"({"error":"unable to parse"})"))), "bisect");
  EXPECT_FALSE(JudgeBy(one, Json(400, R"({"error":"unable to parse"})")).maybe_stored);
  EXPECT_EQ(Short(JudgeBy(one, Json(404, R"({"error":"database not found: \"x\""})"))), "hold");
  const std::string two = R"([
    { "status": 204, "verdict": "accepted" },
    { "status": [400, 422], "when": { "/line": "*" }, "first_bad": { "line": "/line", "before": "retry", "after": "retry" }, "reason": "/message" },
    { "status": 422, "verdict": "partial_unknown", "then": "bisect", "reason": "/message" },
    { "status": 429, "when": { "header:Retry-After": null }, "verdict": "hold", "reason": "/message" } ])";
  EXPECT_EQ(Short(JudgeBy(two, Json(400, R"({"code":"invalid","message":"bad","line":2})"))), "partial RXR");
  EXPECT_EQ(Short(JudgeBy(two, Json(422, R"({"message":"beyond retention"})"))), "bisect");
  EXPECT_EQ(Short(JudgeBy(two, Json(429, R"({"message":"cardinality"})"))), "hold");
  EXPECT_EQ(Short(JudgeBy(two, Json(429, "{}", {{"retry-after", "3"}}))), "throttled");
}

TEST(ApiReplies, InfluxDb3) {
  const std::string rules = R"([
    { "status": 204, "verdict": "accepted" },
    { "status": 400, "when": { "/error": "partial write*", "/data/0/line_number": "*" }, "rest": "accepted", "lists": [
        { "each": "/data/*", "by": { "line": "/line_number" }, "item": [ { "verdict": "rejected", "reason": "/error_message" } ] } ] },
    { "status": 400, "when": { "/error": "partial write*" }, "verdict": "partial_unknown", "then": "bisect", "reason": "/error" } ])";
  const std::string start = R"({"error":"partial write of line protocol occurred","data":)";
  const Verdict verdict = JudgeBy(rules, Json(400, start + R"([{"line_number":2,"error_message":"bad float"}]})"));
  EXPECT_EQ(Short(verdict), "partial AXA");
  EXPECT_EQ(verdict.records[1].detail, "bad float");
  EXPECT_EQ(Short(JudgeBy(rules, Json(400, start + "null}"))), "bisect");
  EXPECT_EQ(Short(JudgeBy(rules, Json(400, start + R"({"line_number":2}})"))), "bisect");
  EXPECT_EQ(Short(JudgeBy(rules, Json(400, start + R"([{"line_number":9}]})"))), "deviation");
}

TEST(ApiReplies, KinesisAndSqs) {
  const std::string kinesis = R"([
    { "status": 200, "when": { "/FailedRecordCount": 0 }, "verdict": "accepted" },
    { "status": 200, "lists": [ { "each": "/Records/*", "by": "index", "item": [
        { "when": { "/ErrorCode": null }, "verdict": "accepted" },
        { "when": { "/ErrorCode": "ProvisionedThroughput*" }, "verdict": "throttled", "reason": "/ErrorMessage" },
        { "verdict": "retry", "reason": "/ErrorMessage" } ] } ] },
    { "status": 400, "when": { "/__type": ["*ThrottlingException", "*LimitExceededException"] }, "verdict": "throttled" },
    { "status": 400, "when": { "/__type": ["*ExpiredTokenException", "*AccessDeniedException"] }, "verdict": "auth", "reason": "/message" },
    { "status": 400, "when": { "/__type": ["*ResourceNotFoundException", "*KMS*"] }, "verdict": "hold", "reason": "/message" } ])";
  const auto amazon = [](int status, const std::string& body) {
    return Http(status, body, {{"content-type", "application/x-amz-json-1.1"}});
  };
  EXPECT_EQ(Short(JudgeBy(kinesis, amazon(200, R"({"FailedRecordCount":0,"Records":[]})"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(kinesis, amazon(200, R"({"FailedRecordCount":1,"Records":[{"SequenceNumber":"1"},
      {"ErrorCode":"ProvisionedThroughputExceededException"},{"SequenceNumber":"2","ErrorCode":null}]})"))),
            "partial ARA");
  EXPECT_EQ(Short(JudgeBy(kinesis, amazon(400, R"({"__type":"com.amazonaws#ExpiredTokenException"})"))), "auth");
  EXPECT_EQ(Short(JudgeBy(kinesis, amazon(400, R"({"__type":"ResourceNotFoundException"})"))), "hold");
  EXPECT_EQ(Short(JudgeBy(kinesis, amazon(400, R"({"__type":"ValidationException"})"))), "bisect");
  const std::string sqs = R"([
    { "status": 200, "lists": [
        { "each": "/Successful/*", "by": { "index": "/Id" }, "item": [ { "verdict": "accepted" } ] },
        { "each": "/Failed/*", "by": { "index": "/Id" }, "item": [
            { "when": { "/SenderFault": false }, "verdict": "retry", "reason": "/Message" },
            { "verdict": "rejected", "reason": "/Message" } ] } ] } ])";
  EXPECT_EQ(Short(JudgeBy(sqs, amazon(200, R"({"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","SenderFault":true,
      "Message":"bad"},{"Id":"2","SenderFault":false}]})"))),
            "partial AXR");
  EXPECT_EQ(Short(JudgeBy(sqs, amazon(200, R"({"Successful":[{"Id":"0"}],"Failed":[{"Id":"1"}]})"))), "partial AXR?")
      << "two of three are named";
}

TEST(ApiReplies, PubSub) {
  const std::string rules = R"([
    { "status": 200, "lists": [ { "each": "/messageIds/*", "by": "index", "item": [ { "verdict": "accepted" } ] } ] },
    { "status": "4xx", "when": { "/error/status": "RESOURCE_EXHAUSTED" }, "verdict": "throttled" },
    { "status": 400, "when": { "/error/status": "FAILED_PRECONDITION" }, "verdict": "hold", "reason": "/error/message" } ])";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"messageIds":["1","2","3"]})"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"messageIds":["1","2"]})"))), "deviation");
  EXPECT_EQ(Short(JudgeBy(rules, Json(400, R"({"error":{"status":"FAILED_PRECONDITION"}})"))), "hold");
  EXPECT_EQ(Short(JudgeBy(rules, Json(429, R"({"error":{"status":"RESOURCE_EXHAUSTED"}})"))), "throttled");
}

TEST(ApiReplies, ElasticsearchBulk) {
  const std::string rules = R"([
    { "status": 200, "when": { "/errors": false }, "verdict": "accepted" },
    { "status": 200, "lists": [ { "each": "/items/*/create", "by": "index", "item": [
        { "when": { "/status": [200, 201] }, "verdict": "accepted" },
        { "when": { "/status": 409 }, "verdict": "duplicate" },
        { "when": { "/status": 429 }, "verdict": "throttled", "reason": "/error/reason" },
        { "when": { "/status": "5xx" }, "verdict": "retry", "reason": "/error/reason" },
        { "verdict": "rejected", "reason": "/error/reason" } ] } ] } ])";
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"errors":false,"items":[]})"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"errors":true,"items":[{"create":{"status":201}},
      {"create":{"status":409}},{"create":{"status":400,"error":{"reason":"mapping"}}}]})"))),
            "partial AAX");
  EXPECT_EQ(Short(JudgeBy(rules, Json(200, R"({"errors":true,"items":[{"create":{"status":201}},
      {"index":{"status":201}},{"create":{"status":503}}]})"))),
            "partial ARR?");
}

TEST(ApiReplies, OtlpAndRemoteWrite) {
  const std::string otlp = R"([
    { "status": 200, "when": { "/partialSuccess/rejectedDataPoints": [null, 0] }, "verdict": "accepted" },
    { "status": 200, "verdict": "partial_unknown", "then": "accept", "rejected_count": "/partialSuccess/rejectedDataPoints", "reason": "/partialSuccess/errorMessage" } ])";
  EXPECT_EQ(Short(JudgeBy(otlp, Json(200, "{}"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(otlp, Json(200, R"({"partialSuccess":{"rejectedDataPoints":"0"}})"))), "delivered");
  EXPECT_EQ(JudgeBy(otlp, Json(200, R"({"partialSuccess":{"rejectedDataPoints":"2"}})")).refused_unnamed, 2U);
  EXPECT_EQ(Short(JudgeBy(otlp, Http(200, "<html>Sign in"))), "deviation");
  const std::string remote_write = R"([ { "status": "2xx", "verdict": "accepted" },
    { "status": 400, "verdict": "partial_unknown", "then": "bisect", "reason": "text" } ])";
  EXPECT_EQ(Short(JudgeBy(remote_write, Http(204))), "delivered");
  EXPECT_EQ(JudgeBy(remote_write, Http(400, "out of order sample\n")).problem_detail, "out of order sample");
}

TEST(ApiReplies, DatadogAndLoki) {
  const std::string datadog = R"([ { "status": 202, "when": { "/errors/0": null }, "verdict": "accepted" },
    { "status": 202, "verdict": "partial_unknown", "then": "accept", "reason": "/errors/0" },
    { "status": 429, "verdict": "throttled", "wait": { "at": "header:X-RateLimit-Reset", "unit": "s" } }, { "status": 403, "verdict": "auth" } ])";
  EXPECT_EQ(Short(JudgeBy(datadog, Json(202, R"({"errors":[]})"))), "delivered");
  EXPECT_EQ(JudgeBy(datadog, Json(202, R"({"errors":["x"]})")).refused_unnamed, 0U);
  EXPECT_EQ(JudgeBy(datadog, Http(429, "", {{"x-ratelimit-reset", "6"}})).retry_after, std::chrono::seconds(6));
  const std::string loki =
      R"([ { "status": 204, "verdict": "accepted" }, { "status": 260, "verdict": "hold", "reason": "text" },
    { "status": 400, "when": { "text": ["*timestamp too old*", "*out of order*"] }, "verdict": "partial_unknown", "then": "bisect", "reason": "text" } ])";
  EXPECT_EQ(Short(JudgeBy(loki, Http(260, "blocked"))), "hold");
  EXPECT_TRUE(JudgeBy(loki, Http(400, "entry with timestamp too old: 1d")).maybe_stored);
}

TEST(ApiReplies, KafkaRest) {
  const std::string two = R"([ { "status": 200, "lists": [ { "each": "/offsets/*", "by": "index", "item": [
        { "when": { "/error_code": null }, "verdict": "accepted" },
        { "when": { "/error_code": [2, 50003] }, "verdict": "retry", "reason": "/error" },
        { "verdict": "rejected", "reason": "/error" } ] } ] } ])";
  EXPECT_EQ(
      Short(JudgeBy(two, Http(200, R"({"offsets":[{"offset":1,"error_code":null},{"error_code":2},{"error_code":1}]})",
                              {{"content-type", "application/vnd.kafka.v2+json"}}))),
      "partial ARX");
  const std::string three =
      R"([ { "status": 200, "as": "ndjson", "rest": "retry", "lists": [ { "each": "/*", "by": "index", "item": [
        { "when": { "/error_code": 200 }, "verdict": "accepted" },
        { "when": { "/error_code": [50002, 50003] }, "verdict": "retry", "reason": "/message" },
        { "when": { "/error_code": [429, "429*"] }, "verdict": "throttled", "reason": "/message" },
        { "when": { "/error_code": "5xx" }, "verdict": "retry", "reason": "/message" },
        { "verdict": "rejected", "reason": "/message" } ] } ] } ])";
  EXPECT_EQ(Short(JudgeBy(three, Json(200, R"({"error_code":200}{"error_code":50003}{"error_code":400})"))),
            "partial ARX");
  EXPECT_EQ(Short(JudgeBy(three, Json(200, R"({"error_code":200}{"error_code":200})"))), "partial AAR") << "cut";
  EXPECT_EQ(Short(JudgeBy(three, Json(200, R"({"error_code":200}{"error_code":200}{"err)"))), "partial AAR") << "cut";
}

TEST(ApiReplies, DynatraceAndHec) {
  const std::string dynatrace = R"([ { "status": 202, "verdict": "accepted", "accepted_count": "/linesOk" },
    { "status": 400, "when": { "/error/invalidLines/0/line": "*" }, "accepted_count": "/linesOk", "rest": "accepted", "lists": [
        { "each": "/error/invalidLines/*", "by": { "line": "/line" }, "item": [ { "verdict": "rejected", "reason": "/error" } ] } ] } ])";
  EXPECT_EQ(Short(JudgeBy(dynatrace, Json(400, R"({"linesOk":2,"error":{"invalidLines":[{"line":1,"error":"x"}]}})"))),
            "partial XAA");
  EXPECT_EQ(Short(JudgeBy(dynatrace, Json(400, R"({"linesOk":1,"error":{"invalidLines":[{"line":1,"error":"x"}]}})"))),
            "deviation")
      << "the list is shorter than its count";
  const std::string hec = R"([ { "status": 200, "when": { "/code": 0, "/ackId": "*" }, "verdict": "accepted" },
    { "status": 400, "when": { "/invalid-event-number": "*" }, "first_bad": { "index": "/invalid-event-number", "before": "retry", "after": "retry" } } ])";
  EXPECT_EQ(Short(JudgeBy(hec, Json(200, R"({"text":"Success","code":0,"ackId":0})"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(hec, Json(200, R"({"text":"Success","code":0})"))), "deviation?");
  EXPECT_EQ(Short(JudgeBy(hec, Json(400, R"({"code":6,"invalid-event-number":0})"))), "partial XRR");
}

TEST(ApiReplies, ClickHouse) {
  const std::string rules = R"([
    { "status": 200, "when": { "header:X-ClickHouse-Exception-Code": null, "text": "" }, "verdict": "accepted" },
    { "when": { "header:X-ClickHouse-Exception-Code": [26, 27, 53] }, "verdict": "rejected", "reason": "text" },
    { "when": { "header:X-ClickHouse-Exception-Code": [202, 241, 252] }, "verdict": "throttled", "reason": "text" },
    { "when": { "header:X-ClickHouse-Exception-Code": [60, 81, 516] }, "verdict": "hold", "reason": "text" },
    { "status": 200, "when": { "text": "Code: *" }, "verdict": "retry", "reason": "text" } ])";
  EXPECT_EQ(Short(JudgeBy(rules, Http(200))), "delivered");
  EXPECT_EQ(Short(JudgeBy(rules, Http(500, "Code: 27.", {{"x-clickhouse-exception-code", "27"}}))), "bisect");
  EXPECT_EQ(Short(JudgeBy(rules, Http(200, "Code: 241. DB::Exception: memory"))), "retry");
  EXPECT_EQ(Short(JudgeBy(rules, Http(200, "something"))), "deviation?");
}

TEST(ApiReplies, WholeBatches) {
  const std::string soap = R"([ { "status": 200, "when": { "text": "*<Ack*" }, "verdict": "accepted" },
    { "status": [200, 500], "when": { "text": "*:Client</faultcode>*" }, "verdict": "rejected", "reason": "text" },
    { "status": 500, "when": { "text": "*faultcode>*" }, "verdict": "retry", "reason": "text" } ])";
  const test::HeaderList xml = {{"content-type", "text/xml"}};
  EXPECT_EQ(Short(JudgeBy(soap, Http(200, "<s:Body><Ack/></s:Body>", xml))), "delivered");
  EXPECT_EQ(Short(JudgeBy(soap, Http(500, "<faultcode>s:Client</faultcode>", xml))), "bisect");
  EXPECT_EQ(Short(JudgeBy(soap, Http(500, "<faultcode>s:Server</faultcode>", xml))), "retry");
  const std::string things =
      R"([ { "status": 200, "verdict": "accepted" }, { "status": [400, 401, 404], "verdict": "hold" } ])";
  EXPECT_EQ(Short(JudgeBy(things, Http(200))), "delivered");
  EXPECT_EQ(Short(JudgeBy(things, Http(401))), "hold");
  const std::string webhook = R"([ { "status": "2xx", "verdict": "accepted" }, { "status": 410, "verdict": "hold" } ])";
  EXPECT_EQ(Short(JudgeBy(webhook, Http(202, "queued"))), "delivered");
  EXPECT_EQ(Short(JudgeBy(webhook, Http(410))), "hold");
}

}  // namespace
}  // namespace packhorse::outcome
