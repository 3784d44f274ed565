#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "config/config.h"
#include "document/problems.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace packhorse::config {

// Puts `to` in place of every `from`.
inline std::string Replace(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Names the cases of a table after their `name`.
struct CaseName {
  template <typename Case>
  std::string operator()(const testing::TestParamInfo<Case>& one) const {
    return one.param.name;
  }
};

// A folder with secret and TLS files, and configurations that point to them as DIR/name.
class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    test::WriteAll(dir_ / "token", "t0ken-never-shown\n", 0600);
    test::WriteAll(dir_ / "mqtt.password", "passw0rd-never-shown\n", 0640);
    test::WriteAll(dir_ / "ca.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
    test::WriteAll(dir_ / "client.pem", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n");
    test::WriteAll(dir_ / "client.key", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", 0600);
  }

  std::string InDir(const std::string& text) const { return Replace(text, "DIR", dir_.path()); }
  Loaded ParseInDir(const std::string& text) const { return Parse(InDir(text), "test.json"); }

  // The smallest configuration, with more members put into its objects.
  struct Extra {
    std::string top = {};
    std::string gateway = {};
    std::string source = {};
    std::string stream = {};
    std::string destination = {};
  };
  static std::string Minimal(const Extra& extra) {
    const auto more = [](const std::string& text) { return text.empty() ? std::string() : ", " + text; };
    return R"({"gateway": {"id": "gw-1")" + more(extra.gateway) +
           R"(}, "sources": [{"name": "plant", "urls": ["mqtt://127.0.0.1"])" + more(extra.source) +
           R"(}], "streams": [{"name": "telemetry", "topics": ["a/{device}/b"])" + more(extra.stream) +
           R"(}], "destinations": [{"name": "cloud", "url": "https://ingest.example.com")" + more(extra.destination) +
           "}]" + more(extra.top) + "}";
  }
  static std::string Minimal() { return Minimal(Extra{}); }

  static std::string All(const Loaded& loaded) {
    std::string text;
    for (const document::Problem& problem : loaded.problems) {
      text += document::Describe(problem) + "\n";
    }
    return text;
  }

  test::TempDir dir_;
};

}  // namespace packhorse::config
