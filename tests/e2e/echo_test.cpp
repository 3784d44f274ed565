// A cloud that says our own secret back, in every place of a reply, in every form.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "site.h"
#include "support/scripted_server.h"

namespace packhorse::test {
namespace {

using nlohmann::json;

constexpr auto kToken = "pk/live+8Jq2v\"x0Zt5";
constexpr auto kBase64 = "cGsvbGl2ZSs4SnEydiJ4MFp0N";  // what its bytes decide of it
constexpr auto kPercent = "pk%2Flive%2B8Jq2v%22x0Zt5";

// What stands behind the head of a request, and the ids of its records.
std::vector<std::string> RecordIds(const std::string& request) {
  std::vector<std::string> ids;
  const json body = json::parse(request.substr(request.find("\r\n\r\n") + 4), nullptr, false);
  for (const json& record : body.value("records", json::array())) {
    ids.push_back(record.value("record_id", ""));
  }
  return ids;
}

// The reply to the n-th request: one of each kind, then a 207 that takes all but the first record. What was refused
// once, in `refused`, is refused alone too: otherwise it may be delivered before the test looks at the list.
std::string ReplyTo(int n, const std::string& request, std::set<std::string>* refused) {
  const std::string token = kToken;
  const std::string echo = "X-Request-Id: " + token + "\r\nSunset: for " + token + "\r\n";
  const std::string problem =
      json{{"type", "https://cloud.test/" + token}, {"title", "no " + token}, {"detail", std::string("x") + kBase64}}
          .dump();
  const std::string type = "Content-Type: application/problem+json\r\n";
  switch (n) {
    case 0:
      return ScriptedServer::Reply("500 Oh", "who is " + token + ", or " + kPercent, echo);
    case 1:
      return ScriptedServer::Reply("503 Busy", problem, type + echo);
    case 2:
      return ScriptedServer::Reply("401 No", problem, type + echo + "WWW-Authenticate: Bearer realm=" + token + "\r\n");
    case 3:
      return ScriptedServer::Reply("302 There", "", echo + "Location: http://127.0.0.1:9/" + token + "/x\r\n");
    case 4:
      return ScriptedServer::Reply("200 OK", "<html><title>" + token + "</title></html>",
                                   "Content-Type: text/html\r\n");
    case 5:
      return ScriptedServer::Reply("200 " + token, R"({"accepted":-1,"token":")" + token + "\"}", echo);
    default:
      break;
  }
  const std::vector<std::string> ids = RecordIds(request);
  if (ids.size() < 2) {
    if (!ids.empty() && refused->count(ids[0]) > 0) {
      return ScriptedServer::Reply("422 No", problem, type + echo);
    }
    return ScriptedServer::Reply("200 OK", json{{"accepted", ids.size()}}.dump(),
                                 "Content-Type: application/json\r\n" + echo);
  }
  refused->insert(ids[0]);
  const json body = {{"accepted", ids.size() - 1},
                     {"rejected", {{{"record_id", ids[0]}, {"error", {{"title", token}, {"detail", kBase64}}}}}}};
  return ScriptedServer::Reply("207 Multi", body.dump(), "Content-Type: application/json\r\n" + echo);
}

void ExpectSilence(const std::string& where, const std::string& text) {
  EXPECT_FALSE(text.empty()) << where;
  for (const std::string& form :
       {std::string(kToken), std::string(kBase64), std::string(kPercent), std::string("pk/live+8Jq2v\\\"x0Zt5")}) {
    EXPECT_EQ(text.find(form), std::string::npos) << where << " has " << form;
  }
}

TEST(Echo, OfASecretIsNeitherShownNorStored) {
  std::atomic<int> count{0};
  std::mutex mutex;  // over `refused`
  std::set<std::string> refused;
  const ScriptedServer cloud([&](ScriptedConnection& connection, int) {
    for (std::string request; !(request = connection.ReadRequest()).empty();) {
      const std::lock_guard<std::mutex> lock(mutex);
      connection.Write(ReplyTo(count++, request, &refused));
    }
  });
  Site site;
  WriteAll(site.Path("cloud.token"), std::string(kToken) + "\n", 0600);
  json& destination = site.config()["destinations"][0];
  destination["url"] = cloud.url();
  destination["compression"] = "none";
  destination["batch"]["max_age"] = "1s";
  site.config()["log"]["level"] = "debug";
  site.StartBridge();
  site.Publish(4);
  std::string seen;
  EXPECT_TRUE(WaitFor([&] {  // each reply stops the destination in its own way
    if (count > 6) {
      site.Publish(4);  // for a reply that takes some; what was refused is split by now
    }
    seen += site.Cli({"--json", "status"}).out + site.Cli({"--json", "events"}).out;
    site.Cli({"resume", "cloud"});
    return count > 6 && site.Cli({"--json", "dead", "list"}).out.find("***") != std::string::npos;
  }));
  ExpectSilence("status and events", seen);
  const std::string dead = site.Cli({"--json", "dead", "list"}).out;
  EXPECT_NE(dead.find("***"), std::string::npos) << dead;
  ExpectSilence("the dead letters", dead);
  // Refused by now, or set aside: either way the list has its number.
  const std::string id = std::to_string(std::atoi(dead.substr(dead.find("\"id\":") + 5).c_str()));
  ExpectSilence("a record of it", site.Cli({"--json", "dead", "show", id}).out);
  const std::string exchanges = site.Cli({"--json", "exchanges", "cloud"}).out;
  EXPECT_NE(exchanges.find("***"), std::string::npos) << exchanges;
  EXPECT_NE(exchanges.find("\"request_headers\""), std::string::npos) << exchanges;
  ExpectSilence("the failed exchanges", exchanges + site.Cli({"exchanges"}).out);
  ExpectSilence("the export of the dead letters", site.Cli({"dead", "export", "-"}).out);
  EXPECT_EQ(site.StopBridge(), 0);
  ExpectSilence("the log", site.BridgeLog());
  ExpectSilence("the database", ReadAll(site.Path("queue.db")));
  ExpectSilence("the export of the queue",
                site.Cli({"queue", "export", "--from-file", site.Path("queue.db")}).out + "anything");
}

}  // namespace
}  // namespace packhorse::test
