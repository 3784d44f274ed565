#include "site.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <random>
#include <stdexcept>
#include <thread>

#include "base/file.h"

namespace packhorse::test {
namespace {

using nlohmann::json;

// Each question is a process of its own: asked more often, it would be the load.
constexpr std::chrono::milliseconds kBetweenQuestions{100};

// One request, one reply, connection closed: all that the admin port needs.
std::string HttpPost(int port, const std::string& path, const std::string& body) {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("the cloud's admin port does not answer");
  }
  const std::string request = "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
                              "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  if (write(fd.get(), request.data(), request.size()) != static_cast<ssize_t>(request.size())) {
    throw std::runtime_error("the cloud's admin port does not read");
  }
  std::string reply;
  std::array<char, 4096> chunk{};
  while (true) {
    const ssize_t n = read(fd.get(), chunk.data(), chunk.size());
    if (n <= 0) {
      return reply;
    }
    reply.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

json ExampleConfig(const Mosquitto& broker, int cloud_port, const Site& site) {
  return json{{"gateway", {{"id", "gw-test"}, {"attributes", {{"site", "plant-7"}}}}},
              {"sources",
               {{{"name", "plant"},
                 {"urls", {broker.url()}},
                 {"client_id", "packhorse-test"},
                 {"reconnect", {{"min", "100ms"}, {"max", "1s"}}}}}},
              {"streams",
               {{{"name", "telemetry"},
                 {"source", "plant"},
                 {"topics", {"site/{site}/dev/{device}/+"}},
                 {"contract", "generic-json@1"},
                 {"destinations", {"cloud"}}}}},
              {"queue", {{"path", site.Path("queue.db")}, {"runtime_dir", site.Path("run")}, {"clock_wait", "0s"}}},
              {"destinations",
               {{{"name", "cloud"},
                 {"contract", "packhorse-ingest@1"},
                 {"url", "http://127.0.0.1:" + std::to_string(cloud_port)},
                 {"auth", {{"type", "bearer"}, {"token", {{"file", site.Path("cloud.token")}}}}},
                 {"batch", {{"max_age", "100ms"}}},
                 {"limits", {{{"requests", 100000}, {"per", "10s"}}}}}}},
              {"control", {{"socket", site.socket()}}},
              {"log", {{"level", "info"}, {"format", "text"}}}};
}

}  // namespace

std::string LargePayload(int seq) {
  std::minstd_rand random(static_cast<unsigned>(seq));
  json payload = {{"seq", seq}};
  for (int i = 0; i < 20; ++i) {
    std::string text(200, ' ');
    for (char& each : text) {
      each = static_cast<char>('0' + random() % 64);
    }
    payload["a" + std::to_string(i)] = std::move(text);
  }
  return payload.dump();
}

std::string Site::Bin(const std::string& name) { return std::string(BINARY_DIR) + "/bin/" + name; }

Site::Site(MosquittoOptions broker) : broker_(std::move(broker)), cloud_port_(FreePort()), admin_port_(FreePort()) {
  WriteAll(dir_ / "cloud.token", "right-token\n", 0600);
  config_ = ExampleConfig(broker_, cloud_port_, *this);
  StartCloud();
}

Site::~Site() {
  if (::testing::Test::HasFailure() && bridge_) {
    const std::string log = BridgeLog();
    std::fprintf(stderr, "--- packhorsed ---\n%s\n", log.substr(log.size() > 6000 ? log.size() - 6000 : 0).c_str());
  }
}

void Site::WriteConfig() const { WriteAll(dir_ / "packhorse.json", config_.dump(2)); }

void Site::LaunchBridge(const std::map<std::string, std::string>& environment) {
  WriteConfig();
  bridge_.emplace(std::vector<std::string>{Bin(program_), "--config", dir_ / "packhorse.json"}, dir_ / "packhorsed.log",
                  environment);
}

void Site::StartBridge(const std::map<std::string, std::string>& environment) {
  LaunchBridge(environment);
  if (!WaitFor([&] { return BridgeConnected(); })) {
    throw std::runtime_error("the bridge did not connect: " + BridgeLog());
  }
}

bool Site::BridgeConnected() {
  const json status = Status();
  return status.is_object() && status["sources"].is_array() && !status["sources"].empty() &&
         status["sources"][0]["state"] == "connected";
}

void Site::StartCloud() {
  cloud_.emplace(
      std::vector<std::string>{Bin("packhorse-cloud"), "--listen", "127.0.0.1:" + std::to_string(cloud_port_),
                               "--admin-port", std::to_string(admin_port_), "--database", dir_ / "cloud.db", "--token",
                               "right-token", "--sum", "temperature"},
      dir_ / "cloud.log");
  if (!WaitFor([&] { return PortOpen(cloud_port_) && PortOpen(admin_port_); })) {
    throw std::runtime_error("the cloud did not start: " + ReadAll(dir_ / "cloud.log"));
  }
}

void Site::Admin(const std::string& path, const std::string& body) const {
  const std::string reply = HttpPost(admin_port_, path, body);
  if (reply.rfind("HTTP/1.1 2", 0) != 0) {
    throw std::runtime_error("the cloud refused " + path + ": " + reply);
  }
}

RunResult Site::Cli(std::vector<std::string> arguments, const std::string& input) const {
  arguments.insert(arguments.begin(), {Bin("packhorse"), "--socket", socket()});
  return Run(arguments, input);
}

json Site::Status() const { return json::parse(Cli({"status", "--json"}).out, nullptr, false); }

json Site::Destination() const {
  const json status = Status();
  return status.is_object() ? status["destinations"][0] : json::object();
}

std::int64_t Site::Cloud(const std::string& sql) const {
  sqlite3* db = nullptr;
  sqlite3_stmt* statement = nullptr;
  std::int64_t value = -1;
  if (sqlite3_open_v2((dir_ / "cloud.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    sqlite3_busy_timeout(db, 5'000);
    if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
      value = sqlite3_column_int64(statement, 0);
    }
  }
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return value;
}

void Site::Publish(std::size_t count, const std::string& device) {
  std::vector<MqttMessage> messages;
  for (std::size_t i = 0; i < count; ++i) {
    messages.push_back(MqttMessage{"site/a/dev/" + device + "/telemetry",
                                   R"({"temperature":21.5,"seq":)" + std::to_string(++seq_) + "}"});
  }
  MqttClient client(broker_.port());
  ASSERT_EQ(client.Publish(messages), count);
}

bool Site::PublishRaw(const std::string& payload, bool retained, const std::string& device) {
  MqttClient client(broker_.port());
  MqttMessage message{"site/a/dev/" + device + "/telemetry", payload};
  message.retained = retained;
  return client.Publish(message);
}

bool Site::Settled(std::uint64_t received, std::chrono::milliseconds timeout) {
  const bool settled = WaitFor(
      [&] {
        std::this_thread::sleep_for(kBetweenQuestions);
        const json status = Status();
        return status.is_object() && status["ledger"]["received"] >= received && status["ledger"]["pending"] == 0;
      },
      timeout);
  const json ledger = Status()["ledger"];
  EXPECT_EQ(ledger["received"], ledger["delivered"].get<std::uint64_t>() + ledger["rejected"].get<std::uint64_t>() +
                                    ledger["quarantined"].get<std::uint64_t>() +
                                    ledger["deduplicated"].get<std::uint64_t>() +
                                    ledger["expired"].get<std::uint64_t>() + ledger["dropped"].get<std::uint64_t>() +
                                    ledger["skipped"].get<std::uint64_t>() + ledger["ignored"].get<std::uint64_t>() +
                                    ledger["pending"].get<std::uint64_t>())
      << ledger;
  return settled;
}

bool Site::DestinationIs(const std::string& state, std::chrono::milliseconds timeout) {
  return WaitFor([&] { return Destination().value("state", "") == state; }, timeout);
}

}  // namespace packhorse::test
