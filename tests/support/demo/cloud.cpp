#include "cloud.h"

#include <sqlite3.h>

#include <chrono>
#include <exception>
#include <optional>

#include "base/random.h"
#include "support/process.h"
#include "support/time_series.h"

namespace packhorse::demo {
namespace {

using test::Process;

class ReferenceCloud final : public Cloud {
 public:
  explicit ReferenceCloud(CloudOptions options) : options_(std::move(options)), port_(test::FreePort()) {
    test::WriteAll(Path("cloud.token"), RandomBase32(32), 0600);
  }

  std::string name() const override { return "packhorse-cloud"; }

  packhorse::Status Start() override {
    std::vector<std::string> command = options_.launcher;
    command.insert(command.end(), {options_.bin + "/packhorse-cloud", "--listen", "127.0.0.1:" + std::to_string(port_),
                                   "--database", Path("cloud.db"), "--token-file", Path("cloud.token")});
    process_.emplace(command, Path("packhorse-cloud.log"));
    if (!test::WaitFor([&] { return test::PortOpen(port_) || !process_->Running(); }) || !process_->Running()) {
      return Error{ErrorCode::kUnavailable, "did not start"};
    }
    return {};
  }
  void Kill() override { process_->Kill(); }
  bool Running() override { return process_->Running(); }

  nlohmann::ordered_json Destination() const override {
    return {{"contract", "packhorse-ingest@1"},
            {"url", "http://127.0.0.1:" + std::to_string(port_)},
            {"auth", {{"type", "bearer"}, {"token", {{"file", Path("cloud.token")}}}}}};
  }

  Result<std::uint64_t> StopAndCount() override {
    if (const int code = process_->Stop(std::chrono::seconds(15)); code != 0) {
      return Error{ErrorCode::kUnavailable, "ended with exit code " + std::to_string(code)};
    }
    return Count();
  }

 private:
  std::string Path(const std::string& file) const { return options_.work + "/" + file; }

  Result<std::uint64_t> Count() const {
    sqlite3* database = nullptr;
    sqlite3_stmt* statement = nullptr;
    constexpr const char* kCount = "SELECT COUNT(*) FROM (SELECT DISTINCT queue_id,lane,sequence FROM records)";
    std::optional<std::uint64_t> count;
    if (sqlite3_open_v2(Path("cloud.db").c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK &&
        sqlite3_prepare_v2(database, kCount, -1, &statement, nullptr) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
      count = static_cast<std::uint64_t>(sqlite3_column_int64(statement, 0));
    }
    const std::string message = sqlite3_errmsg(database);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    if (!count) {
      return Error{ErrorCode::kIo, "read " + Path("cloud.db") + ": " + message};
    }
    return *count;
  }

  CloudOptions options_;
  int port_;
  std::optional<Process> process_;
};

class InfluxCloud final : public Cloud {
 public:
  explicit InfluxCloud(CloudOptions options) : options_(std::move(options)), port_(test::FreePort()) {}

  std::string name() const override { return "influxdb"; }

  packhorse::Status Start() override {
    try {
      server_.emplace(options_.work, port_, options_.launcher);
      server_->Query("CREATE DATABASE packhorse");
    } catch (const std::exception& error) {
      return Error{ErrorCode::kUnavailable, std::string("did not start: ") + error.what()};
    }
    return {};
  }
  void Kill() override { server_->process().Kill(); }
  bool Running() override { return server_->process().Running(); }

  nlohmann::ordered_json Destination() const override {
    return {{"contract", "influxdb@1"},
            {"url", "http://127.0.0.1:" + std::to_string(port_)},
            {"settings", {{"db", "packhorse"}}}};
  }

  // A device counts its messages in `seq`.
  Result<std::uint64_t> StopAndCount() override {
    std::uint64_t count = 0;
    try {
      for (const char* measurement : {"telemetry", "buffered"}) {
        const std::string statement =
            std::string("SELECT COUNT(DISTINCT(seq)) FROM ") + measurement + " GROUP BY device";
        for (const nlohmann::json& series : server_->QueryAll(statement, "packhorse")) {
          count += series.at("values").at(0).at(1).get<std::uint64_t>();
        }
      }
    } catch (const std::exception& error) {
      return Error{ErrorCode::kUnavailable, std::string("does not say what it has: ") + error.what()};
    }
    server_->process().Stop(std::chrono::seconds(15));
    return count;
  }

 private:
  CloudOptions options_;
  int port_;
  std::optional<test::InfluxDb> server_;
};

}  // namespace

std::unique_ptr<Cloud> MakeCloud(const std::string& name, CloudOptions options) {
  if (name == "reference") {
    return std::make_unique<ReferenceCloud>(std::move(options));
  }
  if (name == "influxdb") {
    return std::make_unique<InfluxCloud>(std::move(options));
  }
  return nullptr;
}

}  // namespace packhorse::demo
