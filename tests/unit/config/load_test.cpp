#include <sys/stat.h>

#include "config_fixture.h"
#include "document/problems.h"

namespace packhorse::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The example of the public surface, every secret and TLS file in DIR.
constexpr const char* kPublicSurface = R"({
  "gateway": { "id": "gw-0042", "attributes": { "site": "plant-7" } },
  "sources": [ { "name": "plant", "urls": ["mqtt://127.0.0.1:1883"], "client_id": "packhorse-gw-0042",
                 "username": "bridge", "password": { "file": "DIR/mqtt.password" },
                 "tls": { "ca": "DIR/ca.pem", "certificate": "DIR/client.pem", "key": "DIR/client.key",
                          "pin": ["sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] } } ],
  "streams": [ { "name": "telemetry", "source": "plant", "topics": ["site/{site}/dev/{device}/telemetry"],
                 "contract": "generic-json@1", "lane": "normal", "retained": "state", "destinations": ["cloud"] } ],
  "queue": { "path": "/var/lib/packhorse/queue.db", "runtime_dir": "/run/packhorse", "max_bytes": "1GiB",
             "max_age": "30d", "overflow": "drop_oldest", "durability": { "mode": "window", "window": "2s" } },
  "destinations": [ { "name": "cloud", "contract": "packhorse-ingest@1", "url": "https://ingest.example.com",
                      "auth": { "type": "bearer", "token": { "file": "DIR/token" } },
                      "batch": { "max_records": 500, "max_bytes": "1MiB", "max_age": "500ms" },
                      "limits": [ { "requests": 200, "per": "10s" }, { "requests": 600, "per": "1m" } ],
                      "order": "fifo", "compression": "gzip", "timeout": "30s" } ],
  "limits": { "account": [ { "requests": 1000, "per": "1m" } ] },
  "control": { "socket": "/run/packhorse/control.sock" },
  "log": { "level": "info", "format": "json" }
})";

TEST_F(ConfigTest, ThePublicSurfaceLoadsWithEveryValue) {
  const Loaded loaded = ParseInDir(kPublicSurface);
  ASSERT_TRUE(loaded.ok()) << All(loaded);
  const Config& config = loaded.config;
  EXPECT_EQ(config.gateway.id, "gw-0042");
  EXPECT_EQ(config.gateway.attributes.at("site"), "plant-7");
  ASSERT_EQ(config.sources.size(), 1U);
  const Source& source = config.sources[0];
  EXPECT_EQ(source.urls, std::vector<std::string>{"mqtt://127.0.0.1:1883"});
  EXPECT_EQ(source.client_id, "packhorse-gw-0042");
  EXPECT_EQ(source.username, "bridge");
  EXPECT_EQ(source.password.kind, SecretRef::Kind::kFile);
  EXPECT_EQ(source.password.name, dir_ / "mqtt.password");
  EXPECT_EQ(source.tls.key, dir_ / "client.key");
  ASSERT_EQ(source.tls.pins.size(), 1U);
  ASSERT_EQ(config.streams.size(), 1U);
  EXPECT_EQ(config.streams[0].topics, std::vector<std::string>{"site/{site}/dev/{device}/telemetry"});
  EXPECT_EQ(config.streams[0].destinations, std::vector<std::string>{"cloud"});
  EXPECT_EQ(config.queue.max_bytes, 1ULL << 30U);
  EXPECT_EQ(config.queue.max_age, std::chrono::hours(24 * 30));
  EXPECT_EQ(config.queue.durability, Durability::kWindow);
  EXPECT_EQ(config.queue.window, seconds(2));
  ASSERT_EQ(config.destinations.size(), 1U);
  const Destination& cloud = config.destinations[0];
  EXPECT_EQ(cloud.url, "https://ingest.example.com");
  EXPECT_EQ(cloud.auth.scheme, "bearer");
  EXPECT_EQ(cloud.auth.secrets.at("token").name, dir_ / "token");
  EXPECT_EQ(cloud.batch.max_age, milliseconds(500));
  ASSERT_EQ(cloud.limits.size(), 2U);
  EXPECT_EQ(cloud.limits[1].count, 600U);
  EXPECT_EQ(cloud.limits[1].per, seconds(60));
  EXPECT_EQ(config.shared_limits.at("account").at(0).count, 1000U);
  EXPECT_EQ(config.control.socket, "/run/packhorse/control.sock");
}

TEST_F(ConfigTest, TheSmallestConfigurationGetsEveryDefaultWithoutAWarning) {
  const Loaded loaded = ParseInDir(Minimal());
  ASSERT_TRUE(loaded.ok()) << All(loaded);
  EXPECT_TRUE(loaded.problems.empty()) << All(loaded);
  const Source& source = loaded.config.sources.at(0);
  EXPECT_EQ(source.client_id, "packhorse-gw-1");
  EXPECT_EQ(source.password.kind, SecretRef::Kind::kNone);
  EXPECT_EQ(source.protocol, "auto");
  EXPECT_EQ(source.keep_alive, seconds(30));
  EXPECT_EQ(source.session_expiry, std::chrono::hours(24 * 7));
  EXPECT_EQ(source.receive_maximum, 100U);
  EXPECT_EQ(source.max_payload_bytes, 1U << 20U);
  EXPECT_EQ(source.max_topic_bytes, 1024U);
  EXPECT_EQ(source.connect_timeout, seconds(10));
  EXPECT_EQ(source.reconnect_min, seconds(1));
  EXPECT_EQ(source.reconnect_max, seconds(60));
  EXPECT_FALSE(source.allow_plaintext);
  const Stream& stream = loaded.config.streams.at(0);
  EXPECT_EQ(stream.source, "plant");
  EXPECT_EQ(stream.contract, "generic-json@1");
  EXPECT_EQ(stream.lane, Lane::kNormal);
  EXPECT_EQ(stream.retained, RetainedPolicy::kState);
  EXPECT_EQ(stream.destinations, std::vector<std::string>{"cloud"});
  EXPECT_EQ(stream.retain_delivered, seconds(0));
  EXPECT_FALSE(stream.device_rate);
  const Destination& cloud = loaded.config.destinations.at(0);
  EXPECT_EQ(cloud.contract, "packhorse-ingest@1");
  EXPECT_EQ(cloud.auth.scheme, "");
  EXPECT_EQ(cloud.batch.max_records, 500U);
  EXPECT_EQ(cloud.batch.max_bytes, 1U << 20U);
  EXPECT_EQ(cloud.retry.initial, seconds(1));
  EXPECT_EQ(cloud.retry.max, seconds(60));
  EXPECT_DOUBLE_EQ(cloud.retry.budget, 0.1);
  EXPECT_TRUE(cloud.limits.empty());
  EXPECT_EQ(cloud.order, "fifo");
  EXPECT_EQ(cloud.receiver, "record_id");
  EXPECT_EQ(cloud.compression, "");
  EXPECT_EQ(cloud.timeout, seconds(30));
  EXPECT_EQ(cloud.connect_timeout, seconds(10));
  EXPECT_EQ(loaded.config.queue.path, "/var/lib/packhorse/queue.db");
  EXPECT_EQ(loaded.config.queue.runtime_dir, "/run/packhorse");
  EXPECT_EQ(loaded.config.queue.max_bytes, 1ULL << 30U);
  EXPECT_EQ(loaded.config.queue.max_records, 0U);
  EXPECT_EQ(loaded.config.queue.max_age, std::chrono::hours(24 * 30));
  EXPECT_EQ(loaded.config.queue.overflow,
            (std::array{Overflow::kDropOldest, Overflow::kDropOldest, Overflow::kDropOldest}));
  EXPECT_EQ(loaded.config.queue.durability, Durability::kWindow);
  EXPECT_EQ(loaded.config.control.socket, "/run/packhorse/control.sock");
  EXPECT_EQ(loaded.config.metrics_listen, "");
  EXPECT_EQ(loaded.config.log.level, "info");
  EXPECT_EQ(loaded.config.log.format, "json");
}

TEST_F(ConfigTest, OtherChoicesReachTheConfiguration) {
  ASSERT_EQ(setenv("PACKHORSE_TEST_TOKEN", "x", 1), 0);
  const Loaded loaded = ParseInDir(
      Minimal({.top = R"("limits": {"account": [{"bytes": "2MiB", "per": "1m"}, {"records": 5000, "per": "1h"}]})",
               .source = R"("protocol": "3.1.1", "allow_plaintext": true, "max_payload": 2048)",
               .stream = R"("lane": "urgent", "retained": "ignore", "contract": "generic-json@1.0",
           "retain_delivered": "7d", "device_rate": {"messages": 60, "over": "drop"})",
               .destination = R"("auth": {"type": "header", "header": "X-Api-Key",
           "value": {"env": "PACKHORSE_TEST_TOKEN", "next": {"file": "DIR/token"}}},
           "shared": "account", "compression": "none")"}));
  ASSERT_TRUE(loaded.ok()) << All(loaded);
  EXPECT_EQ(loaded.config.sources[0].protocol, "3.1.1");
  EXPECT_EQ(loaded.config.sources[0].max_payload_bytes, 2048U);
  EXPECT_TRUE(loaded.config.sources[0].allow_plaintext);
  EXPECT_EQ(loaded.config.streams[0].lane, Lane::kUrgent);
  EXPECT_EQ(loaded.config.streams[0].retained, RetainedPolicy::kIgnore);
  EXPECT_EQ(loaded.config.streams[0].retain_delivered, std::chrono::hours(24 * 7));
  EXPECT_EQ(loaded.config.streams[0].device_rate, (DeviceRate{60, std::chrono::minutes(1), DeviceRate::Over::kDrop}));
  const Destination& cloud = loaded.config.destinations[0];
  EXPECT_EQ(cloud.auth.scheme, "header");
  EXPECT_EQ(cloud.auth.parameters.at("header"), "X-Api-Key");
  EXPECT_EQ(cloud.auth.secrets.at("value").kind, SecretRef::Kind::kEnv);
  ASSERT_NE(cloud.auth.secrets.at("value").next, nullptr);
  EXPECT_EQ(cloud.auth.secrets.at("value").next->kind, SecretRef::Kind::kFile);
  EXPECT_EQ(cloud.shared_limit, "account");
  EXPECT_EQ(cloud.compression, "none");
  const std::vector<limit::Window>& account = loaded.config.shared_limits.at("account");
  EXPECT_EQ(account.at(0).unit, limit::Window::Unit::kBytes);
  EXPECT_EQ(account.at(0).count, 2U << 20U);
  EXPECT_EQ(account.at(1).unit, limit::Window::Unit::kRecords);
}

TEST_F(ConfigTest, AUrlLosesItsSlashAtTheEnd) {
  const std::string text = Replace(Replace(Minimal(), "https://ingest.example.com", "https://ingest.example.com/v/"),
                                   "mqtt://127.0.0.1", "mqtt://127.0.0.1:1884/");
  const Loaded loaded = ParseInDir(text);
  ASSERT_TRUE(loaded.ok()) << All(loaded);
  EXPECT_EQ(loaded.config.destinations[0].url, "https://ingest.example.com/v");
  EXPECT_EQ(loaded.config.sources[0].urls[0], "mqtt://127.0.0.1:1884");
}

TEST_F(ConfigTest, TheInstalledExampleLoadsWithoutAProblem) {
  const std::string text = test::ReadAll(std::string(SOURCE_DIR) + "/systemd/packhorse.json");
  const std::string file = dir_ / "packhorse.json";
  test::WriteAll(file, Replace(text, "/etc/packhorse/cloud.token", dir_ / "token"));
  const Loaded loaded = Load(file);
  EXPECT_TRUE(loaded.problems.empty()) << All(loaded);
  EXPECT_EQ(loaded.config.queue.durability, Durability::kWindow);
}

TEST_F(ConfigTest, AFileThatIsNotThereIsNamed) {
  const Loaded loaded = Load(dir_ / "absent.json");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_FALSE(loaded.ok());
  EXPECT_EQ(document::Describe(loaded.problems[0]),
            (dir_ / "absent.json") + ": cannot be read: No such file or directory");
}

TEST_F(ConfigTest, ADirectoryInsteadOfAFileIsRefused) {
  const Loaded loaded = Load(dir_.path());
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems[0].message, "is a directory");
}

TEST_F(ConfigTest, APipeInsteadOfAFileIsRefusedAndDoesNotBlock) {
  ASSERT_EQ(mkfifo((dir_ / "pipe").c_str(), 0600), 0);
  const Loaded loaded = Load(dir_ / "pipe");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems[0].message, "is not a regular file");
}

TEST_F(ConfigTest, AFileOfOneMebibyteIsReadAndOneByteMoreIsNot) {
  const std::string text = Minimal();
  const std::string file = dir_ / "large.json";
  test::WriteAll(file, text + std::string((1U << 20U) - text.size(), ' '));
  EXPECT_TRUE(Load(file).ok());
  test::WriteAll(file, text + std::string((1U << 20U) - text.size() + 1, ' '));
  const Loaded loaded = Load(file);
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_EQ(loaded.problems[0].message, "is too large: 1048577 bytes");
  EXPECT_EQ(loaded.problems[0].allowed, "at most 1048576 bytes (1.0 MiB)");
}

TEST_F(ConfigTest, AnEmptyFileIsRefused) {
  test::WriteAll(dir_ / "empty.json", "");
  const Loaded loaded = Load(dir_ / "empty.json");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_NE(loaded.problems[0].message.find("is empty"), std::string::npos);
}

TEST_F(ConfigTest, ManyMistakesAreAllReportedAtOnceInFileOrder) {
  const Loaded loaded = ParseInDir(R"({
    "gateway": { "id": "", "atributes": {} },
    "sources": [ { "name": "plant", "urls": ["tcp://10.0.0.1"], "keep_alive": 30, "receive_maximum": 0,
                   "password": "hunter2-secret" } ],
    "streams": [ { "name": "t", "source": "plnt", "topics": ["a/#/b"], "lane": "urgnt", "destinations": ["clod"] } ],
    "queue": { "max_bytes": "1GB", "durability": { "window": "1h" } },
    "destinations": [ { "name": "cloud", "url": "http://example.com", "batch": { "max_records": 1.5 },
                        "auth": { "type": "bearer" } } ],
    "log": { "level": "verbose" }
  })");
  const std::vector<std::string> expected = {"/gateway/id",
                                             "/gateway/atributes",
                                             "/sources/0/urls/0",
                                             "/sources/0/keep_alive",
                                             "/sources/0/receive_maximum",
                                             "/sources/0/password",
                                             "/streams/0/source",
                                             "/streams/0/topics/0",
                                             "/streams/0/lane",
                                             "/streams/0/destinations/0",
                                             "/queue/max_bytes",
                                             "/queue/durability/window",
                                             "/destinations/0/url",
                                             "/destinations/0/batch/max_records",
                                             "/destinations/0/auth",
                                             "/log/level"};
  std::vector<std::string> paths;
  for (const document::Problem& problem : loaded.problems) {
    paths.push_back(problem.path);
    EXPECT_EQ(problem.file, "test.json");
    EXPECT_GT(problem.line, 0U) << document::Describe(problem);
  }
  EXPECT_EQ(paths, expected) << All(loaded);
  EXPECT_EQ(All(loaded).find("hunter2"), std::string::npos);
}

TEST_F(ConfigTest, SubscriptionFiltersLeaveOutWhatAnotherFilterCovers) {
  Config config;
  Stream first;
  first.source = "plant";
  first.topics = {"a/{device}/b", "a/x/b", "c/+"};
  Stream second;
  second.source = "plant";
  second.topics = {"c/#", "a/{d}/b"};
  Stream other;
  other.source = "elsewhere";
  other.topics = {"#"};
  config.streams = {first, second, other};
  EXPECT_EQ(SubscriptionFilters(config, "plant"), (std::vector<std::string>{"a/+/b", "c/#"}));
  EXPECT_EQ(SubscriptionFilters(config, "elsewhere"), std::vector<std::string>{"#"});
  EXPECT_TRUE(SubscriptionFilters(config, "none").empty());
}

}  // namespace
}  // namespace packhorse::config
