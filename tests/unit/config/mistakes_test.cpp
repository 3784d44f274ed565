#include "config_fixture.h"
#include "document/problems.h"

namespace packhorse::config {
namespace {

// One mistake in an otherwise right configuration: where it is reported and what the line says.
struct Mistake {
  const char* name;
  const char* where;  // the object that `json` is put into: top, gateway, source, stream, destination
  const char* json;
  const char* path;
  std::vector<const char*> parts;  // of Describe()
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class MistakeTest : public ConfigTest, public testing::WithParamInterface<Mistake> {
 protected:
  static std::string Text(const Mistake& mistake) {
    Extra extra;
    const std::string where = mistake.where;
    std::string& place = where == "top"       ? extra.top
                         : where == "gateway" ? extra.gateway
                         : where == "source"  ? extra.source
                         : where == "stream"  ? extra.stream
                                              : extra.destination;
    place = mistake.json;
    return Minimal(extra);
  }
};

TEST_P(MistakeTest, IsReportedOnceAtItsPlaceAndExplained) {
  const Loaded loaded = ParseInDir(Text(GetParam()));
  EXPECT_FALSE(loaded.ok());
  ASSERT_EQ(loaded.problems.size(), 1U) << All(loaded);
  EXPECT_EQ(loaded.problems[0].path, GetParam().path);
  const std::string line = document::Describe(loaded.problems[0]);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  for (const char* part : GetParam().parts) {
    EXPECT_NE(line.find(part), std::string::npos) << "missing: " << part << "\nin: " << line;
  }
}

const std::vector<Mistake> kKeys = {
    {"UnknownTopKey",
     "top",
     R"("sinks": [])",
     "/sinks",
     {"unknown key \"sinks\"", "allowed: $schema, gateway, sources"}},
    {"MisspeltTopKey", "top", R"("queu": {})", "/queu", {"unknown key", "did you mean \"queue\"?"}},
    {"SwappedLetters", "destination", R"("bacth": {})", "/destinations/0/bacth", {"did you mean \"batch\"?"}},
    {"CamelCase", "source", R"("clientId": "x")", "/sources/0/clientId", {"did you mean \"client_id\"?"}},
    {"KeyOfAnotherObject",
     "stream",
     R"("compression": "gzip")",
     "/streams/0/compression",
     {"unknown key", "it belongs in destinations[]"}},
    {"KeyThatNeedsEscaping", "top", R"("a/b~c": 1)", "/a~1b~0c", {"unknown key \"a/b~c\""}},
    {"ControlCharacterInKey", "top", R"("a\nb": 1)", "/a\nb", {"/a?b: unknown key \"a\\u000ab\""}},
    {"DuplicateKey", "gateway", R"("id": "gw-2")", "/gateway/id", {"written twice in one object"}},
    {"UnknownKeyHidesItsValue",
     "destination",
     R"("passwd": "secret-value")",
     "/destinations/0/passwd",
     {"unknown key"}},
    {"BadAttributeName",
     "gateway",
     R"("attributes": {"a b": "x"})",
     "/gateway/attributes/a b",
     {"the name \"a b\" is not allowed", "letters, digits"}},
    {"BadSharedLimitName", "top", R"("limits": {"": []})", "/limits/", {"the name \"\" is not allowed"}},
};
INSTANTIATE_TEST_SUITE_P(Keys, MistakeTest, testing::ValuesIn(kKeys), CaseName{});

const std::vector<Mistake> kTypes = {
    {"NullIsNoString", "source", R"("username": null)", "/sources/0/username", {"must be a string", "is: null"}},
    {"StringForNumber",
     "source",
     R"("receive_maximum": "10")",
     "/sources/0/receive_maximum",
     {"must be a whole number", "is: \"10\"", "did you mean 10 without quotes?"}},
    {"FractionForWholeNumber",
     "source",
     R"("receive_maximum": 10.5)",
     "/sources/0/receive_maximum",
     {"must be a whole number", "is: 10.5", "1 to 65535"}},
    {"WholeNumberWrittenAsFraction",
     "source",
     R"("receive_maximum": 10.0)",
     "/sources/0/receive_maximum",
     {"must be a whole number"}},
    {"StringForTruth",
     "source",
     R"("allow_plaintext": "true")",
     "/sources/0/allow_plaintext",
     {"must be true or false", "did you mean true without quotes?"}},
    {"StringForArray",
     "stream",
     R"("destinations": "cloud")",
     "/streams/0/destinations",
     {"must be an array", "put it in [ ]"}},
    {"ArrayForObject", "top", R"("queue": [])", "/queue", {"must be an object", "an array of 0"}},
    {"ObjectForString",
     "source",
     R"("username": {})",
     "/sources/0/username",
     {"must be a string", "is: an object of 0"}},
    {"NumberForDuration",
     "source",
     R"("keep_alive": 30)",
     "/sources/0/keep_alive",
     {"must be a duration", "is: 30", "did you mean \"30s\"?"}},
    {"NumberForAttribute",
     "gateway",
     R"("attributes": {"floor": 7})",
     "/gateway/attributes/floor",
     {"must be a string", "is: 7"}},
};
INSTANTIATE_TEST_SUITE_P(Types, MistakeTest, testing::ValuesIn(kTypes), CaseName{});

const std::vector<Mistake> kValues = {
    {"NumberTooLow",
     "source",
     R"("receive_maximum": 0)",
     "/sources/0/receive_maximum",
     {"is out of range", "is: 0", "allowed: 1 to 65535"}},
    {"NumberTooHigh", "source", R"("receive_maximum": 65536)", "/sources/0/receive_maximum", {"is out of range"}},
    {"NegativeNumber",
     "destination",
     R"("batch": {"max_records": -1})",
     "/destinations/0/batch/max_records",
     {"is out of range", "is: -1"}},
    {"NumberBeyond64Bits",
     "destination",
     R"("batch": {"max_records": 99999999999999999999})",
     "/destinations/0/batch/max_records",
     {"must be a whole number"}},
    {"ShareAboveOne",
     "destination",
     R"("retry": {"budget": 1.5})",
     "/destinations/0/retry/budget",
     {"is out of range", "is: 1.5", "0.01 to 1"}},
    {"DurationWithoutUnit",
     "top",
     R"("queue": {"max_age": "30"})",
     "/queue/max_age",
     {"is not a duration", "is: \"30\"", "\"250ms\""}},
    {"DurationWithOtherUnit", "top", R"("queue": {"max_age": "2 weeks"})", "/queue/max_age", {"is not a duration"}},
    {"NegativeDuration", "destination", R"("timeout": "-1s")", "/destinations/0/timeout", {"is not a duration"}},
    {"FractionOfADuration", "destination", R"("timeout": "1.5s")", "/destinations/0/timeout", {"is not a duration"}},
    {"DurationBeyond64Bits",
     "destination",
     R"("timeout": "99999999999999999d")",
     "/destinations/0/timeout",
     {"is not a duration"}},
    {"DurationOutOfRange",
     "top",
     R"("queue": {"durability": {"window": "11s"}})",
     "/queue/durability/window",
     {"is out of range", "is: \"11s\"", "allowed: 100ms to 10s"}},
    {"DurationNotInSteps",
     "source",
     R"("keep_alive": "5500ms")",
     "/sources/0/keep_alive",
     {"must be a multiple of 1s"}},
    {"SizeWithOtherUnit",
     "top",
     R"("queue": {"max_bytes": "1GB"})",
     "/queue/max_bytes",
     {"is not a size", "is: \"1GB\"", "KiB, MiB or GiB"}},
    {"SizeTooSmall",
     "top",
     R"("queue": {"max_bytes": 4096})",
     "/queue/max_bytes",
     {"is out of range", "1MiB to 1024GiB"}},
    {"NegativeSize", "source", R"("max_payload": -5)", "/sources/0/max_payload", {"is out of range"}},
    {"MisspeltChoice",
     "stream",
     R"("lane": "norml")",
     "/streams/0/lane",
     {"is not one of the choices", "allowed: urgent, normal, bulk", "did you mean \"normal\"?"}},
    {"ChoiceInCapitals", "top", R"("log": {"level": "INFO"})", "/log/level", {"did you mean \"info\"?"}},
    {"ForeignChoice",
     "destination",
     R"("compression": "brotli")",
     "/destinations/0/compression",
     {"allowed: auto, gzip, zstd, none"}},
    {"ContractWithoutVersion",
     "stream",
     R"("contract": "generic-json")",
     "/streams/0/contract",
     {"does not have the right form", "NAME@MAJOR"}},
    {"EmptyText", "source", R"("client_id": "")", "/sources/0/client_id", {"must not be empty", "1 to 128 characters"}},
    {"NulInText", "source", R"("client_id": "a\u0000b")", "/sources/0/client_id", {"control character", "a\\u0000b"}},
    {"RelativePath",
     "top",
     R"("queue": {"path": "queue.db"})",
     "/queue/path",
     {"must be an absolute path", "starts with '/'"}},
    {"MalformedPin",
     "destination",
     R"("tls": {"pin": ["sha256//abc"]})",
     "/destinations/0/tls/pin/0",
     {"does not have the right form", "44 characters of base64"}},
    {"EmptyList",
     "stream",
     R"("destinations": [])",
     "/streams/0/destinations",
     {"has too few entries", "1 to 16 entries"}},
};
INSTANTIATE_TEST_SUITE_P(Values, MistakeTest, testing::ValuesIn(kValues), CaseName{});

const std::vector<Mistake> kCombinations = {
    {"UnknownSource",
     "stream",
     R"("source": "plnat")",
     "/streams/0/source",
     {"there is no source of this name", "allowed: plant", "did you mean \"plant\"?"}},
    {"UnknownDestination",
     "stream",
     R"("destinations": ["cloud", "clowd"])",
     "/streams/0/destinations/1",
     {"there is no destination of this name", "did you mean \"cloud\"?"}},
    {"DestinationListedTwice",
     "stream",
     R"("destinations": ["cloud", "cloud"])",
     "/streams/0/destinations/1",
     {"listed twice"}},
    {"UnknownSharedLimit",
     "destination",
     R"("shared": "account")",
     "/destinations/0/shared",
     {"there is no limit under /limits of this name", "none is configured"}},
    {"ReconnectMinAboveMax",
     "source",
     R"("reconnect": {"min": "2m"})",
     "/sources/0/reconnect/min",
     {"reconnect.max (\"1m\") is less than reconnect.min (\"2m\")"}},
    {"RetryMaxBelowInitial",
     "destination",
     R"("retry": {"initial": "5s", "max": "1s"})",
     "/destinations/0/retry/max",
     {"less than retry.initial"}},
    {"LimitOfNothing",
     "destination",
     R"("limits": [{"per": "1s"}])",
     "/destinations/0/limits/0",
     {"says none of requests, records, bytes"}},
    {"LimitOfTwoThings",
     "destination",
     R"("limits": [{"requests": 1, "records": 900, "per": "1s"}])",
     "/destinations/0/limits/0",
     {"says more than one of", "is: requests, records"}},
    {"LimitWithoutInterval",
     "destination",
     R"("limits": [{"requests": 1}])",
     "/destinations/0/limits/0",
     {"\"per\" is missing", "a duration"}},
    {"LimitBelowABatch",
     "destination",
     R"("limits": [{"records": 499, "per": "1s"}])",
     "/destinations/0/limits/0/records",
     {"a full batch has more records", "batch.max_records (500)"}},
    {"SocketPathTooLong",
     "top",
     R"("control": {"socket": "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})",
     "/control/socket",
     {"is too long: 108 characters"}},
    {"SocketPathTooLongInBytes",
     "top",
     R"("control": {"socket": "/ääääääääääääääääääääääääääääääääääääääääääääääääääääää"})",
     "/control/socket",
     {"is too long for a socket: 109 bytes", "at most 107"}},
    {"PasswordWithoutUserOn311",
     "source",
     R"("protocol": "3.1.1", "password": {"file": "DIR/token"})",
     "/sources/0/password",
     {"only together with a user name"}},
    {"CertificateWithoutKey",
     "destination",
     R"("tls": {"certificate": "DIR/client.pem"})",
     "/destinations/0/tls",
     {"\"key\" is missing beside \"certificate\""}},
    {"LiveFirstForAWatermark",
     "destination",
     R"("order": "live_first", "receiver": "watermark")",
     "/destinations/0/order",
     {"live_first", "behind what is new", "highest sequence", "fifo", "record_id"}},
    {"AnyOrderForAWatermark",
     "destination",
     R"("order": "any", "receiver": "watermark")",
     "/destinations/0/order",
     {"any", "overtake each other", "highest sequence", "fifo", "record_id"}},
    {"TooManyInFlight", "destination", R"("max_in_flight": 33)", "/destinations/0/max_in_flight", {"33", "1", "32"}},
    {"NoneInFlight", "destination", R"("max_in_flight": 0)", "/destinations/0/max_in_flight", {"0", "1", "32"}},
};

INSTANTIATE_TEST_SUITE_P(Combinations, MistakeTest, testing::ValuesIn(kCombinations), CaseName{});

const std::vector<Mistake> kAuth = {
    {"BearerWithoutToken",
     "destination",
     R"("auth": {"type": "bearer"})",
     "/destinations/0/auth",
     {"\"token\" is missing; type \"bearer\" needs it"}},
    {"BasicWithoutPassword",
     "destination",
     R"("auth": {"type": "basic", "username": "u"})",
     "/destinations/0/auth",
     {"\"password\" is missing"}},
    {"HeaderWithoutName",
     "destination",
     R"("auth": {"type": "header", "value": {"file": "DIR/token"}})",
     "/destinations/0/auth",
     {"\"header\" is missing"}},
    {"TokenWithoutType",
     "destination",
     R"("auth": {"token": {"file": "DIR/token"}})",
     "/destinations/0/auth/token",
     {"not used with type \"none\"", "did you mean \"type\": \"bearer\"?"}},
    {"UserNameWithBearer",
     "destination",
     R"("auth": {"type": "bearer", "token": {"file": "DIR/token"}, "username": "u"})",
     "/destinations/0/auth/username",
     {"not used with type \"bearer\""}},
    {"MisspeltType",
     "destination",
     R"("auth": {"type": "Baerer"})",
     "/destinations/0/auth/type",
     {"is: \"Baerer\"", "none, bearer, basic, header", "did you mean \"bearer\"?"}},
    {"HeaderOfOurOwn",
     "destination",
     R"("auth": {"type": "header", "header": "Content-Type", "value": {"file": "DIR/token"}})",
     "/destinations/0/auth/header",
     {"is set by Packhorse itself"}},
    {"HeaderWithItsValue",
     "destination",
     R"("auth": {"type": "header", "header": "X-Key: abc", "value": {"file": "DIR/token"}})",
     "/destinations/0/auth/header",
     {"does not have the right form", "is: (not shown)"}},
    {"ColonInBasicUser",
     "destination",
     R"("auth": {"type": "basic", "username": "a:b", "password": {"file": "DIR/token"}})",
     "/destinations/0/auth/username",
     {"text without ':'", "(not shown)"}},
};
INSTANTIATE_TEST_SUITE_P(Auth, MistakeTest, testing::ValuesIn(kAuth), CaseName{});

TEST_F(ConfigTest, AValueIsShortenedInTheMessage) {
  const Loaded loaded = ParseInDir(Minimal({.stream = "\"lane\": \"" + std::string(5000, 'x') + "\""}));
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_LT(document::Describe(loaded.problems[0]).size(), 250U);
}

TEST_F(ConfigTest, MissingSectionsAreAllNamed) {
  const Loaded loaded = ParseInDir("{}");
  ASSERT_EQ(loaded.problems.size(), 4U) << All(loaded);
  for (const char* name : {"gateway", "sources", "streams", "destinations"}) {
    EXPECT_NE(All(loaded).find("\"" + std::string(name) + "\" is missing"), std::string::npos);
  }
}

TEST_F(ConfigTest, AnArrayAtTheTopIsRefused) {
  const Loaded loaded = ParseInDir("[]");
  ASSERT_EQ(loaded.problems.size(), 1U) << All(loaded);
  EXPECT_EQ(document::Describe(loaded.problems[0]), "test.json: must be an object (line 1; is: an array of 0)");
}

TEST_F(ConfigTest, ATakenNameIsReportedAtTheLaterEntry) {
  const Loaded loaded = ParseInDir(R"({"gateway": {"id": "g"},
    "sources": [{"name": "a", "urls": ["mqtt://localhost"]}, {"name": "a", "urls": ["mqtt://localhost:1884"]}],
    "streams": [{"name": "s", "source": "a", "topics": ["a"], "destinations": ["d"]},
                {"name": "s", "source": "a", "topics": ["b"], "destinations": ["d"]}],
    "destinations": [{"name": "d", "url": "https://x"}, {"name": "d", "url": "https://y"}]})");
  ASSERT_EQ(loaded.problems.size(), 3U) << All(loaded);
  EXPECT_EQ(loaded.problems[0].path, "/sources/1/name");
  EXPECT_EQ(loaded.problems[1].path, "/streams/1/name");
  EXPECT_EQ(loaded.problems[2].path, "/destinations/1/name");
  EXPECT_EQ(loaded.problems[0].message, "this name is already taken by /sources/0");
}

TEST_F(ConfigTest, WithSeveralSourcesAndDestinationsAStreamMustSayWhich) {
  const Loaded loaded = ParseInDir(R"({"gateway": {"id": "g"},
    "sources": [{"name": "a", "urls": ["mqtt://localhost"]}, {"name": "b", "urls": ["mqtt://localhost:1884"]}],
    "streams": [{"name": "s", "topics": ["a"]}],
    "destinations": [{"name": "d", "url": "https://x"}, {"name": "e", "url": "https://y"}]})");
  EXPECT_NE(All(loaded).find("/streams/0: \"source\" is missing"), std::string::npos) << All(loaded);
  EXPECT_NE(All(loaded).find("/streams/0: \"destinations\" is missing"), std::string::npos);
  EXPECT_NE(All(loaded).find("warning: no stream uses this source"), std::string::npos);
}

TEST_F(ConfigTest, ThousandsOfMistakesAreCutWithTheirNumber) {
  std::string keys = "\"k\": 1";
  for (int i = 1; i < 3000; ++i) {
    keys += ", \"k" + std::to_string(i) + "\": 1";
  }
  const Loaded loaded = ParseInDir(Minimal({.top = keys}));
  ASSERT_EQ(loaded.problems.size(), 1001U);
  EXPECT_EQ(loaded.problems.back().message, "and 2000 more problems");
}

TEST_F(ConfigTest, TooManyAttributesAreOneMistake) {
  std::string attributes = "\"k\": \"v\"";
  for (int i = 1; i < 65; ++i) {
    attributes += ", \"k" + std::to_string(i) + "\": \"v\"";
  }
  const Loaded loaded = ParseInDir(Minimal({.gateway = "\"attributes\": {" + attributes + "}"}));
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(document::Describe(loaded.problems[0]),
            "test.json: /gateway/attributes: has too many members (line 1; is: an object of 65; allowed: at most 64)");
}

}  // namespace
}  // namespace packhorse::config
