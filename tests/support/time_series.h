#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.h"

namespace packhorse::test {

// Real time series databases of Debian, each one child process on loopback with its files in one folder. The server
// answers when the constructor returns; it throws when the server does not start. Not thread-safe.

// What curl gets from a URL; `arguments` are further ones of curl. Throws where nothing answers.
std::string Fetch(const std::string& url, const std::vector<std::string>& arguments = {});

class InfluxDb {
 public:
  // What an earlier one left in the folder is there again. `launcher` goes before the program's own arguments.
  explicit InfluxDb(const std::string& dir, int port = FreePort(), const std::vector<std::string>& launcher = {});

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }
  Process& process() { return process_; }
  // All series of the answer to an InfluxQL statement: {"tags": {...}, "columns": [...], "values": [[...]]} each. Times
  // are numbers in nanoseconds.
  std::vector<nlohmann::json> QueryAll(const std::string& statement, const std::string& database = "") const;
  // The first of them; null without one.
  nlohmann::json Query(const std::string& statement, const std::string& database = "") const;

 private:
  int port_;
  Process process_;
};

class VictoriaMetrics {
 public:
  explicit VictoriaMetrics(const std::string& dir, int port = FreePort());

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // All series that match, each with its labels and samples: {"metric": {...}, "values": [...], "timestamps": [...]}.
  std::vector<nlohmann::json> Export(const std::string& match) const;

 private:
  int port_;
  Process process_;
};

class Prometheus {
 public:
  // `tsdb` goes below `storage: tsdb:`, for example "out_of_order_time_window: 48h".
  explicit Prometheus(const std::string& dir, const std::string& tsdb = "", int port = FreePort());

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // The result of an instant query: a list of {"metric": {...}, "value"|"values": ...}.
  nlohmann::json Query(const std::string& query) const;

 private:
  int port_;
  Process process_;
};

}  // namespace packhorse::test
