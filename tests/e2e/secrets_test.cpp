// Secrets of every kind in one running bridge whose every exchange fails: no output, no file and no argument of a
// process has one of them in any form.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/encode.h"
#include "base/url.h"
#include "site.h"
#include "support/connect_proxy.h"
#include "support/scripted_server.h"

namespace packhorse::test {
namespace {

using nlohmann::json;

// Each is what nobody else writes, with characters that every encoding changes.
std::string SecretOf(const std::string& name) { return "zq+" + name + "/7vK\"x=93w"; }

class Secrets : public ::testing::Test {
 protected:
  static MosquittoOptions Broker() {
    MosquittoOptions options;
    options.users["bridge"] = SecretOf("mqtt");
    return options;
  }

  json Secret(const std::string& name) { return SecretIs(name, SecretOf(name)); }
  json SecretIs(const std::string& name, const std::string& value) {
    WriteAll(site_.Path(name + ".secret"), value + "\n", 0600);
    values_.push_back(value);
    return {{"file", site_.Path(name + ".secret")}};
  }
  void Add(const std::string& name, json auth, json more = json::object()) {
    json destination = {{"name", name},
                        {"contract", "json-array@1"},
                        {"url", cloud_.url()},
                        {"batch", {{"max_age", "100ms"}}},
                        {"auth", std::move(auth)},
                        {"limits", {{{"requests", 1000}, {"per", "10s"}}}}};
    destination.update(more);
    site_.config()["streams"][0]["destinations"].push_back(name);
    site_.config()["destinations"].push_back(std::move(destination));
  }
  void Configure();
  void ExpectNone(const std::string& where, const std::string& text) const;

  // Says back what it got, as a failure.
  ScriptedServer cloud_{[](ScriptedConnection& connection, int number) {
    for (std::string request; !(request = connection.ReadRequest()).empty();) {
      const std::string head = request.substr(0, request.find("\r\n\r\n"));
      connection.Write(ScriptedServer::Reply(number % 2 == 0 ? "500 Oh" : "401 No", head, "X-Request-Id: r-1\r\n"));
    }
  }};
  ConnectProxy proxy_{{.username = "gw", .password = SecretOf("proxy")}};
  Site site_{Broker()};
  std::vector<std::string> values_ = {SecretOf("mqtt"), SecretOf("proxy")};
};

void Secrets::Configure() {
  json& source = site_.config()["sources"][0];
  source["username"] = "bridge";
  source["password"] = Secret("mqtt");
  site_.config()["streams"][0]["destinations"] = json::array();
  site_.config()["destinations"] = json::array();
  site_.config()["log"]["level"] = "debug";
  Add("header", {{"type", "header"}, {"header", "X-Key"}, {"value", Secret("header")}});
  Add("bearer", {{"type", "bearer"}, {"token", SecretIs("bearer", "zq+bearer/7vK-x=93w")}},
      {{"proxy", {{"url", proxy_.url()}, {"username", "gw"}, {"password", Secret("proxy")}}}});
  Add("basic", {{"type", "basic"}, {"username", "gw"}, {"password", Secret("basic")}});
  Add("query", {{"type", "query"}, {"parameter", "api_key"}, {"value", Secret("query")}});
  Add("oauth", {{"type", "oauth2"},
                {"token_url", cloud_.url() + "/token"},
                {"client_id", "gw-1"},
                {"client_secret", Secret("oauth")}});
  Add("aws",
      {{"type", "sigv4"},
       {"service", "kinesis"},
       {"region", "eu-central-1"},
       {"access_key_id", SecretIs("aws_id", "AKZQ7VKX93W7VKX93W0")},
       {"secret_access_key", Secret("aws_key")}},
      {{"contract", "kinesis@1"}, {"settings", {{"stream", "plant"}, {"region", "eu-central-1"}}}});
  Add("azure", {{"type", "azure_sas"},
                {"resource", "{url.host}"},
                {"key", SecretIs("azure", Base64(SecretOf("azure")))},
                {"policy", "send"}});
  Add("hmac", {{"type", "hmac"},
               {"key", Secret("hmac")},
               {"sign", "{request.body}"},
               {"headers", {{"X-Signature", "sha256={signature|hex}"}}}});
  Add("setting", {{"type", "none"}},
      {{"contract", "influxdb@2"}, {"settings", {{"org", "o"}, {"bucket", "b"}, {"token", Secret("setting")}}}});
}

void Secrets::ExpectNone(const std::string& where, const std::string& text) const {
  EXPECT_FALSE(text.empty()) << where;
  for (const std::string& value : values_) {
    std::vector<std::string> forms = {value, PercentEncode(value), json(value).dump()};
    forms.back() = forms.back().substr(1, forms.back().size() - 2);
    // Base64 of something that contains it: what does not depend on what stands before and behind.
    for (std::size_t skip = 0; skip < 3; ++skip) {
      const std::string encoded = Base64(std::string(skip, 'x') + value);
      forms.push_back(encoded.substr(skip == 0 ? 0 : 4, encoded.size() - (skip == 0 ? 4 : 8)));
    }
    for (const std::string& form : forms) {
      const std::size_t at = text.find(form);
      EXPECT_EQ(at, std::string::npos) << where << " has a form of " << value << ": "
                                       << text.substr(at > 60 ? at - 60 : 0, 160);
    }
  }
}

TEST_F(Secrets, OfEveryKindStandInNoOutputNoFileAndNoArgument) {
  Configure();
  site_.StartBridge();
  MqttClient client(
      MqttClient::Options{.port = site_.broker().port(), .username = "bridge", .password = SecretOf("mqtt")});
  ASSERT_TRUE(client.Publish(MqttMessage{"site/a/dev/17/telemetry", R"({"temperature":21.5})"}));
  const auto failed = [&](const std::string& name) {
    return json::parse(site_.Cli({"--json", "exchanges", name}).out, nullptr, false).dump().find("status") !=
           std::string::npos;
  };
  for (const char* name : {"header", "bearer", "basic", "query", "aws", "azure", "hmac", "setting"}) {
    EXPECT_TRUE(WaitFor([&] { return failed(name); })) << name;
  }
  EXPECT_TRUE(WaitFor([&] { return site_.Cli({"events"}).out.find("token") != std::string::npos; }));

  // They did go out: what is looked for below is what the servers saw.
  std::string seen;
  for (const std::string& request : cloud_.requests()) {
    seen += request;
  }
  EXPECT_NE(seen.find(SecretOf("header")), std::string::npos);
  EXPECT_NE(seen.find("Token " + SecretOf("setting")), std::string::npos);
  EXPECT_NE(seen.find(PercentEncode(SecretOf("query"))), std::string::npos);

  const std::string file = site_.Path("packhorse.json");
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"status"},
           {"events"},
           {"exchanges"},
           {"exchanges", "query"},
           {"dead", "list"},
           {"dead", "export", "-"},
           {"ledger"},
           {"check", file},
           {"contract", "list"},
           {"contract", "show", "influxdb@2"},
           {"contract", "test", "influxdb@2"},
           {"--config", file, "render", "--destination", "setting", "site/a/dev/17/telemetry", R"({"a":1})"},
           {"--config", file, "render", "--destination", "query", "site/a/dev/17/telemetry", R"({"a":1})"},
           {"--config", file, "render", "--pending", "--destination", "aws"},
           {"queue", "stats"},
           {"queue", "peek"},
           {"queue", "export"},
           {"reload"},
           {"version"}}) {
    for (const bool as_json : {false, true}) {
      std::vector<std::string> arguments = command;
      if (as_json) {
        arguments.insert(arguments.begin(), "--json");
      }
      const RunResult result = site_.Cli(arguments);
      ExpectNone(command[0] + (command.size() > 1 ? " " + command[1] : ""), result.out + result.err + ".");
    }
  }
  const std::string process = "/proc/" + std::to_string(site_.bridge().pid());
  ExpectNone("the arguments", ReadAll(process + "/cmdline"));
  ExpectNone("the environment", ReadAll(process + "/environ"));
  EXPECT_EQ(site_.StopBridge(), 0);
  ExpectNone("the log", site_.BridgeLog());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(site_.Path(""))) {
    if (entry.is_regular_file() && entry.path().extension() != ".secret" && entry.path().filename() != "cloud.token") {
      ExpectNone(entry.path().string(), ReadAll(entry.path().string()) + ".");
    }
  }
}

}  // namespace
}  // namespace packhorse::test
