#include "tryout/sample.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "contract/device_time.h"
#include "document/check.h"
#include "document/schema.h"
#include "document/suggest.h"
#include "embedded.h"
#include "tryout/json_value.h"

namespace packhorse::tryout {
namespace {

namespace fs = std::filesystem;
using document::Node;
using document::Problems;
using Kind = document::Node::Kind;
using Fate = contract::RenderedRecord::Fate;

constexpr std::array<std::pair<std::string_view, Fate>, 4> kFates = {
    {{"items", Fate::kItems}, {"skipped", Fate::kSkipped}, {"dead_letter", Fate::kDeadLetter}, {"wait", Fate::kWait}}};

const std::vector<std::string>& RecordWords() {
  static const std::vector<std::string> words = {"accepted",  "duplicate", "retry",
                                                 "throttled", "rejected",  "too_large"};
  return words;
}

const std::vector<std::string>& BatchWords() {
  static const std::vector<std::string> words = {"accepted",        "duplicate", "retry",  "throttled",
                                                 "rejected",        "too_large", "auth",   "hold",
                                                 "partial_unknown", "deviation", "confirm"};
  return words;
}

// Text of a place that may hold any text, control characters too.
std::string ReadText(const Node& node, Problems& problems) {
  if (node.kind != Kind::kString) {
    problems.Error(node, "must be a string");
    return {};
  }
  return node.text;
}

WallTime ReadMoment(const Node& node, Problems& problems) {
  const auto time = contract::ParseDateTime(node.text);
  if (!time || !time->has_zone) {
    problems.Error(node, "is not a time", {.allowed = "RFC 3339, such as \"2026-11-20T09:15:31Z\""});
    return {};
  }
  return WallTime(std::chrono::seconds(time->instant.seconds) + std::chrono::microseconds(time->instant.nanos / 1'000));
}

std::map<std::string, std::string> ReadTexts(const Node& node) {
  std::map<std::string, std::string> texts;
  for (const document::Member& member : node.members) {
    texts[member.name] = member.value.text;
  }
  return texts;
}

// A table is an object.
std::map<std::string, std::string> ReadSettings(const Node& node) {
  std::map<std::string, std::string> settings;
  for (const document::Member& member : node.members) {
    settings[member.name] = member.value.kind == Kind::kObject ? WriteCompact(member.value) : member.value.text;
  }
  return settings;
}

contract::Headers ReadHeaders(const Node& node) {
  contract::Headers headers;
  for (const document::Member& member : node.members) {
    headers.emplace_back(Lower(std::string_view(member.name)), member.value.text);
  }
  return headers;
}

RecordKind ReadKind(const Node& node) {
  for (const RecordKind kind :
       {RecordKind::kState, RecordKind::kMetadata, RecordKind::kConnectivity, RecordKind::kGap}) {
    if (Name(kind) == node.text) {
      return kind;
    }
  }
  return RecordKind::kTelemetry;
}

Sample::Message ReadMessage(const Node& node, Problems& problems) {
  Sample::Message message;
  message.stream = node["stream"].text;
  message.topic = node["topic"].text;
  message.device = node["device"].text;
  message.kind = ReadKind(node["kind"]);
  message.received_at = ReadMoment(node["received_at"], problems);
  const Node& payload = node["payload"];
  message.payload = payload.kind == Kind::kString ? payload.text : WriteCompact(payload);
  return message;
}

// Of several members that exclude each other, the one that is written; none: null.
const Node* OneOf(const Node& node, std::initializer_list<const char*> names, Problems& problems) {
  const Node* found = nullptr;
  for (const char* name : names) {
    const Node* member = node.Find(name);
    if (member != nullptr && found != nullptr) {
      problems.Error(*member, "a body is written in one way only", {.show_value = false});
    }
    found = member == nullptr ? found : member;
  }
  return found;
}

Sample::Request ReadRequest(const Node& node, Problems& problems) {
  Sample::Request request;
  request.method = node["method"].text;
  request.path = node["path"].text;
  request.headers = ReadHeaders(node["headers"]);
  OneOf(node, {"body", "body_lines", "body_text", "body_base64"}, problems);
  if (const Node* json = node.Find("body")) {
    request.body = Sample::JsonBody{*json};
  } else if (const Node* lines = node.Find("body_lines")) {
    request.body = Sample::LinesBody{lines->items};
  } else if (const Node* text = node.Find("body_text")) {
    request.body = Sample::TextBody{ReadText(*text, problems)};
  } else if (const Node* base64 = node.Find("body_base64")) {
    request.body = Sample::Base64Body{base64->text};
  }
  return request;
}

std::string ReadVerdict(const Node& node, const std::vector<std::string>& words, Problems& problems) {
  if (node.kind != Kind::kString || std::find(words.begin(), words.end(), node.text) == words.end()) {
    problems.Error(node, "is no verdict",
                   {.allowed = document::List(words), .suggestion = document::DidYouMean(node.text, words)});
    return {};
  }
  return node.text;
}

Sample::Reply ReadReply(const Node& node, Problems& problems) {
  Sample::Reply reply;
  reply.title = node["title"].text;
  reply.status = static_cast<int>(node["status"].integer);
  reply.headers = ReadHeaders(node["headers"]);
  reply.reason = node["reason"].text;
  if (const Node* wait = node.Find("wait")) {
    reply.wait = std::chrono::milliseconds(wait->integer);
  }
  OneOf(node, {"body", "body_text"}, problems);
  const bool typed = std::any_of(reply.headers.begin(), reply.headers.end(),
                                 [](const auto& header) { return header.first == "content-type"; });
  if (const Node* json = node.Find("body")) {
    reply.body = WriteCompact(*json);
    if (!typed) {
      reply.headers.emplace_back("content-type", "application/json");
    }
  } else if (const Node* text = node.Find("body_text")) {
    reply.body = ReadText(*text, problems);
  }
  const Node& expected = node["expected"];
  if (expected.kind == Kind::kArray) {
    for (const Node& word : expected.items) {
      reply.records.push_back(ReadVerdict(word, RecordWords(), problems));
    }
  } else {
    reply.batch = ReadVerdict(expected, BatchWords(), problems);
  }
  return reply;
}

void ReadChecked(const Node& root, Sample& sample, Problems& problems) {
  sample.title = root["title"].text;
  sample.settings = ReadSettings(root["settings"]);
  sample.batch.gateway_id = root["gateway"]["id"].text;
  sample.batch.gateway_attributes = ReadTexts(root["gateway"]["attributes"]);
  sample.batch.batch_id = root["batch"]["id"].text;
  sample.batch.created_at = ReadMoment(root["batch"]["created_at"], problems);
  for (const Node& message : root["messages"].items) {
    sample.messages.push_back(ReadMessage(message, problems));
  }
  for (const Node& fate : root["fates"].items) {
    const auto* found =
        std::find_if(kFates.begin(), kFates.end(), [&](const auto& entry) { return entry.first == fate.text; });
    sample.fates.push_back(found == kFates.end() ? Fate::kItems : found->second);
  }
  const Node* one = root.Find("request");
  const Node* several = root.Find("requests");
  if (one != nullptr && several != nullptr) {
    problems.Error(*several, "stands beside \"request\"", {.allowed = "one of the two", .show_value = false});
  }
  if (one != nullptr) {
    sample.requests.push_back(ReadRequest(*one, problems));
  }
  for (const Node& request : several == nullptr ? std::vector<Node>() : several->items) {
    sample.requests.push_back(ReadRequest(request, problems));
  }
  for (const Node& reply : root["replies"].items) {
    sample.replies.push_back(ReadReply(reply, problems));
  }
}

bool HasError(const std::vector<document::Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const document::Problem& problem) {
    return problem.severity == document::Problem::Severity::kError;
  });
}

}  // namespace

SampleRead ReadSample(std::string_view text, const std::string& file) {
  SampleRead read;
  read.sample.file = file;
  Problems problems(file);
  const document::Document document = document::ParseDocument(text);
  if (document.problem) {
    problems.File(document.problem->message, document.problem->line, "one JSON object");
    read.problems = problems.Take();
    return read;
  }
  const document::Document schema = document::EmbeddedSchema("cloud-sample.schema.json");
  const Node root = document::CheckAgainstSchema(document.root, document::Schema(schema.root, schema.root), problems);
  read.problems = problems.Take();
  if (!HasError(read.problems)) {
    ReadChecked(root, read.sample, problems);
    read.problems = problems.Take();
  }
  return read;
}

std::string SampleFolderOf(const std::string& contract_file) {
  constexpr std::string_view kEnd = ".json";
  const std::size_t cut = contract_file.ends_with(kEnd) ? contract_file.size() - kEnd.size() : contract_file.size();
  return contract_file.substr(0, cut) + ".samples";
}

Result<std::vector<SampleRead>> ReadSamples(const std::string& folder) {
  std::vector<SampleRead> samples;
  if (!Exists(folder)) {
    return samples;
  }
  std::error_code failed;
  std::vector<std::string> files;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().extension() == ".json") {
      files.push_back(at->path().string());
    }
  }
  if (failed) {
    return ErrnoError(folder, failed.value());
  }
  if (files.size() > kMaxSamples) {
    return Error{ErrorCode::kLimitExceeded, folder + " holds more than " + std::to_string(kMaxSamples) + " samples"};
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) {
    const Result<std::string> text = ReadFile(file, document::kMaxDocumentBytes);
    RETURN_IF_ERROR(text);
    samples.push_back(ReadSample(*text, file));
  }
  return samples;
}

std::vector<SampleRead> ShippedSamples(std::string_view contract) {
  const std::string folder = "cloud/" + std::string(contract) + ".samples/";
  std::vector<SampleRead> samples;
  for (const embedded::File& file : embedded::Samples()) {
    if (file.path.starts_with(folder)) {
      samples.push_back(ReadSample(file.text, std::string(file.path)));
    }
  }
  return samples;
}

}  // namespace packhorse::tryout
