#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cloud_fixture.h"

namespace packhorse::contract {
namespace {

using test::Contract;
using test::Told;
using test::WithItem;

struct Mistake {
  std::string text;
  std::string pointer;
  std::string says;  // contained in the problem
};

void Expect(const Mistake& mistake) {
  const ContractRead read = ReadCloudContract(mistake.text, "file");
  EXPECT_EQ(read.definition, nullptr) << mistake.text;
  bool found = false;
  for (const document::Problem& problem : read.problems) {
    const std::string told = document::Describe(problem);
    found = found || (problem.path == mistake.pointer && told.find(mistake.says) != std::string::npos);
  }
  EXPECT_TRUE(found) << "wanted " << mistake.pointer << ": " << mistake.says << "\n" << Told(read);
}

std::string Path(const std::string& path, const std::string& more = "") {
  return Contract(R"({"path":")" + path + R"(","body":{"json":"{items}"},"item":"{record}"})", more);
}

TEST(CloudMistakes, NamesAndFiltersThatDoNotExistHaveASuggestion) {
  for (const Mistake& mistake : {
           Mistake{WithItem(R"({"a":"{devce_id}"})"), "/request/item/a", "did you mean \"device_id\"?"},
           Mistake{WithItem(R"({"a":"{time|unix_mss}"})"), "/request/item/a", "did you mean \"unix_ms\"?"},
           Mistake{WithItem(R"({"a":"{device_id|lookup:ids}"})"), "/request/item/a", "there is no table \"ids\""},
           Mistake{WithItem(R"({"a":"{device_id|unix_ms}"})"), "/request/item/a", "does not fit"},
           Mistake{WithItem(R"({"a":"{device_id|tags}"})"), "/request/item/a", "does not fit"},
           Mistake{WithItem(R"({"a":"{device_id|default}"})"), "/request/item/a", "needs a value"},
           Mistake{WithItem(R"({"a":"{device_id|safe:1}"})"), "/request/item/a", "takes no value"},
           Mistake{WithItem(R"({"a":"{device_id"})"), "/request/item/a", "not closed"},
           Mistake{WithItem(R"({"a":"{settings.tokn}"})", R"("settings":{"token":{}})"), "/request/item/a",
                   "did you mean \"settings.token\"?"},
           Mistake{WithItem(R"({"a":"{value}"})"), "/request/item/a", "only with \"each\""},
           Mistake{WithItem(R"({"*":"{device_id}"})"), "/request/item/*", "takes the members of a map"},
           Mistake{WithItem(R"({"a":"{items}"})"), "/request/item/a", "cannot stand here"},
       }) {
    Expect(mistake);
  }
}

TEST(CloudMistakes, ASizeOfAnotherKindIsToldWhatASizeIs) {
  for (const char* size : {"1.5", "true", "[]", "\"1,5MB\""}) {
    Expect({Path("/p", std::string(R"("accepts":{"max_bytes":)") + size + "}"), "/accepts/max_bytes",
            "a whole number of bytes, or one with KB"});
  }
}

TEST(CloudMistakes, APathStartsWithASlashAndLeadsNowhereElse) {
  for (const Mistake& mistake : {
           Mistake{Path("v1/points"), "/request/path", "does not start with '/'"},
           Mistake{Path("{gateway.id}/points"), "/request/path", "does not start with '/'"},
           Mistake{Path("/a/../b"), "/request/path", "makes \"..\" a segment of the path"},
           Mistake{Path("/a/%2e%2E"), "/request/path", "a segment of the path"},
           Mistake{Path("/{gateway.id}/./b?x=1"), "/request/path", "makes \".\" a segment of the path"},
       }) {
    Expect(mistake);
  }
  for (const char* path : {"/", "/a//b/", "/a...b/.c?x=/../", "/{gateway.id}.."}) {
    EXPECT_NE(ReadCloudContract(Path(path), "file").definition, nullptr) << path;
  }
}

TEST(CloudMistakes, WhatARequestTakesFromRecordsMustBeOneValue) {
  for (
      const Mistake& mistake : {
          Mistake{Path("/d/{device_id}"), "/request/path", "split_by"},
          Mistake{
              Contract(
                  R"({"path":"/p","headers":{"X":"{let.k|json}"},"let":{"k":{"d":"{device_id}"}},"split_by":"{stream}","body":{"json":"{items}"},"item":"{record}"})"),
              "/request/headers/X", "split_by"},
          Mistake{Contract(R"({"path":"/p","body":{"json":{"d":"{topic}","i":"{items}"}},"item":"{record}"})"),
                  "/request/body/json/d", "split_by"},
          Mistake{
              Contract(
                  R"({"path":"/p","group":{"by":["{stream}"],"as":{"d":"{device_id}","v":"{items}"}},"body":{"json":"{groups}"},"item":"{record}"})"),
              "/request/group/as", "group.by"},
          Mistake{Contract(R"({"path":"/p","body":{"json":"{item}"},"item":"{record}"})"), "/request/body/json",
                  "max_items"},
      }) {
    Expect(mistake);
  }
}

TEST(CloudMistakes, WhatIsMissingSaysWhatItIs) {
  const ContractRead read = ReadCloudContract(R"({"contract":"acme@1.0"})", "file");
  EXPECT_NE(Told(read).find("\"response\" is missing (line 1; allowed: a list of rules for replies)"),
            std::string::npos)
      << Told(read);
  EXPECT_EQ(Told(read).find("allowed: a )"), std::string::npos) << Told(read);
}

TEST(CloudMistakes, SecretsStandInPathQueryAndHeadersAlone) {
  const std::string settings = R"("settings":{"key":{"secret":true}})";
  Expect({WithItem(R"({"a":"{settings.key}"})", settings), "/request/item/a", "secret"});
  Expect({Contract(R"({"path":"/p","body":{"json":{"k":"{settings.key}","i":"{items}"}},"item":"{record}"})", settings),
          "/request/body/json/k", "secret"});
  Expect({Path("/{settings.key|base64}", settings), "/request/path", "takes no filter"});
  Expect({Path("/", R"("settings":{"key":{"secret":true,"default":"x"}})"), "/settings/key/default", "no default"});
}

TEST(CloudMistakes, TheBodyTakesItsItemsOnce) {
  for (const Mistake& mistake : {
           Mistake{Contract(R"({"path":"/p","body":{"json":{"a":1}},"item":"{record}"})"), "/request/body/json",
                   "exactly once"},
           Mistake{Contract(R"({"path":"/p","body":{"json":["{items}","{items}"]},"item":"{record}"})"),
                   "/request/body/json", "exactly once"},
           Mistake{Contract(R"({"path":"/p","body":{"json":{"a":"x {items}"}},"item":"{record}"})"),
                   "/request/body/json", "exactly once"},
           Mistake{Contract(R"({"path":"/p","body":{"json":"{groups}"},"item":"{record}"})"), "/request/body/json",
                   "there is no \"group\""},
           Mistake{Contract(R"({"path":"/p","body":{"json":"{items}"}})"), "/request", "\"item\" is missing"},
           Mistake{Contract(R"({"path":"/p","body":{"json":"{items}","text":"{items}"},"item":"{record}"})"),
                   "/request/body", "more than one"},
           Mistake{Contract(R"({"path":"/p","body":{"text":"{items}"},"item":"{record}"})"), "/request/body",
                   "\"escape\" is missing"},
           Mistake{Contract(R"({"path":"/p","body":{"ndjson":"{item}"},"item":"{record}"})"), "/request/body/ndjson",
                   "put it in [ ]"},
           Mistake{
               Contract(R"({"path":"/p","body":{"line_protocol":{"measurement":"{gateway.id}","fields":"{fields}"}}})"),
               "/request/body/line_protocol", "cannot stand here"},
       }) {
    Expect(mistake);
  }
}

TEST(CloudMistakes, KeysSizesAndWordsAreChecked) {
  for (const Mistake& mistake : {
           Mistake{Path("/", R"("acepts":{})"), "/acepts", "did you mean \"accepts\"?"},
           Mistake{Path("/", R"("accepts":{"max_bytes":"1 MB"})"), "/accepts/max_bytes", "is not a size"},
           Mistake{Path("/", R"("accepts":{"oldest":7})"), "/accepts/oldest", "did you mean \"7s\"?"},
           Mistake{Path("/", R"("accepts":{"kinds":["telemtry"]})"), "/accepts/kinds/0", "did you mean \"telemetry\"?"},
           Mistake{Path("/", R"("time":"devise")"), "/time", "did you mean \"device\"?"},
           Mistake{Path("/", R"("limits":[{"per":"1s"}])"), "/limits/0", "limits nothing"},
           Mistake{Contract(R"({"path":"/","headers":{"Host":"x"},"body":{"json":"{items}"},"item":"{record}"})"),
                   "/request/headers/Host", "cannot be set"},
       }) {
    Expect(mistake);
  }
}

TEST(CloudMistakes, AllAreToldAtOnce) {
  const ContractRead read = ReadCloudContract(
      R"({"contract":"Acme","request":{"path":"/{x}","boddy":1,"body":{"json":"{items}"},"item":{"a":"{y}","b":"{z|w}"}},)"
      R"("response":[{"status":"200","verdict":"ok"}]})",
      "file");
  EXPECT_GE(read.problems.size(), 7U) << Told(read);
  for (const document::Problem& problem : read.problems) {
    EXPECT_EQ(problem.line, 1U) << document::Describe(problem);
  }
}

TEST(CloudMistakes, CommentsAndNotesMayStandAnywhereAndANoteThatIsSentIsSent) {
  const auto contract = test::Make(R"({ // a contract
    "contract":"acme@1.0", "note":"n", "settings":{"a":{"default":"x","note":"n"}},
    "request":{"note":"n","path":"/p","body":{"json":"{items}"},"item":{"note":"{record_id}"}},
    "accepts":{"note":"n"}, "limits":[{"requests":1,"per":"1s","note":"n"}],
    "response":[{"status":204,"verdict":"accepted","note":"n"}] })");
  ASSERT_NE(contract, nullptr);
  EXPECT_EQ(contract->RenderRecord(test::Bare()).text.view(), R"({"note":"q.n.8"})");
  EXPECT_EQ(contract->limits().size(), 1U);
}

}  // namespace
}  // namespace packhorse::contract
