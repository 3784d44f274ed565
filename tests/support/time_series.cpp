#include "support/time_series.h"

#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace packhorse::test {
namespace {

using nlohmann::json;

std::string Folder(const std::string& dir) {
  std::filesystem::create_directories(dir);
  return dir;
}

void AwaitServer(Process& process, const std::string& url, const std::string& log) {
  const auto answers = [&] { return Run({"curl", "-sf", "-o", "/dev/null", "-m", "2", url}).exit_code == 0; };
  if (!WaitFor([&] { return !process.Running() || answers(); }) || !process.Running()) {
    throw std::runtime_error("a database does not start: " + ReadAll(log));
  }
}

std::vector<std::string> After(std::vector<std::string> launcher, const std::vector<std::string>& program) {
  launcher.insert(launcher.end(), program.begin(), program.end());
  return launcher;
}

std::string InfluxConfiguration(const std::string& dir, int port) {
  const std::string file = Folder(dir) + "/influxdb.conf";
  // Port 0 of the second address: it serves backups only.
  WriteAll(file, "reporting-disabled = true\nbind-address = \"127.0.0.1:0\"\n[meta]\n  dir = \"" + dir +
                     "/meta\"\n[data]\n  dir = \"" + dir + "/data\"\n  wal-dir = \"" + dir +
                     "/wal\"\n[http]\n  bind-address = \"127.0.0.1:" + std::to_string(port) +
                     "\"\n  log-enabled = false\n[monitor]\n  store-enabled = false\n");
  return file;
}

std::string PrometheusConfiguration(const std::string& dir, const std::string& tsdb) {
  const std::string file = Folder(dir) + "/prometheus.yml";
  WriteAll(file, "global: { scrape_interval: 1h }\n" + (tsdb.empty() ? "" : "storage: { tsdb: { " + tsdb + " } }\n"));
  return file;
}

}  // namespace

std::string Fetch(const std::string& url, const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {"curl", "-sS", "-m", "20"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back(url);
  const RunResult result = Run(command);
  if (result.exit_code != 0) {
    throw std::runtime_error(url + ": " + result.err);
  }
  return result.out;
}

InfluxDb::InfluxDb(const std::string& dir, int port, const std::vector<std::string>& launcher)
    : port_(port),
      process_(After(launcher, {"influxd", "run", "-config", InfluxConfiguration(dir, port)}), dir + "/influxdb.log") {
  AwaitServer(process_, url() + "/ping", dir + "/influxdb.log");
}

std::vector<json> InfluxDb::QueryAll(const std::string& statement, const std::string& database) const {
  const json reply = json::parse(Fetch(url() + "/query?epoch=ns", {"-X", "POST", "--data-urlencode", "q=" + statement,
                                                                   "--data-urlencode", "db=" + database}));
  const json& result = reply.at("results").at(0);
  if (result.contains("error")) {
    throw std::runtime_error(statement + ": " + result["error"].get<std::string>());
  }
  return result.value("series", std::vector<json>());
}

json InfluxDb::Query(const std::string& statement, const std::string& database) const {
  const std::vector<json> series = QueryAll(statement, database);
  return series.empty() ? json() : series.front();
}

VictoriaMetrics::VictoriaMetrics(const std::string& dir, int port)
    : port_(port),
      process_({"victoria-metrics", "-httpListenAddr=127.0.0.1:" + std::to_string(port),
                "-storageDataPath=" + Folder(dir) + "/data", "-retentionPeriod=100y", "-loggerLevel=WARN",
                "-search.latencyOffset=0s"},
               dir + "/victoria-metrics.log") {
  AwaitServer(process_, url() + "/health", dir + "/victoria-metrics.log");
}

std::vector<json> VictoriaMetrics::Export(const std::string& match) const {
  Fetch(url() + "/internal/force_flush");
  std::istringstream lines(Fetch(url() + "/api/v1/export", {"-G", "--data-urlencode", "match[]=" + match}));
  std::vector<json> series;
  for (std::string line; std::getline(lines, line);) {
    series.push_back(json::parse(line));
  }
  return series;
}

Prometheus::Prometheus(const std::string& dir, const std::string& tsdb, int port)
    : port_(port),
      process_({"prometheus", "--config.file=" + PrometheusConfiguration(dir, tsdb),
                "--storage.tsdb.path=" + dir + "/tsdb", "--web.enable-remote-write-receiver",
                "--web.listen-address=127.0.0.1:" + std::to_string(port), "--log.level=warn"},
               dir + "/prometheus.log") {
  AwaitServer(process_, url() + "/-/ready", dir + "/prometheus.log");
}

json Prometheus::Query(const std::string& query) const {
  return json::parse(Fetch(url() + "/api/v1/query", {"-G", "--data-urlencode", "query=" + query}))
      .at("data")
      .at("result");
}

}  // namespace packhorse::test
