#include "tryout/run.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/encode.h"
#include "base/secret_mark.h"
#include "base/text.h"
#include "base/units.h"
#include "contract/device_contract.h"
#include "contract/sent_order.h"
#include "document/document.h"
#include "tryout/json_value.h"

namespace packhorse::tryout {
namespace {

using contract::RenderedRecord;
using Fate = RenderedRecord::Fate;
using outcome::Action;

constexpr std::size_t kShownBody = 400;

std::string_view Word(Fate fate) {
  switch (fate) {
    case Fate::kItems:
      return "items";
    case Fate::kSkipped:
      return "skipped";
    case Fate::kDeadLetter:
      return "dead_letter";
    case Fate::kWait:
    case Fate::kHeld:
      return "wait";
  }
  return "";
}

std::string Word(const outcome::Verdict& verdict) {
  switch (verdict.action) {
    case Action::kDelivered:
      return verdict.refused_unnamed > 0 ? "partial_unknown" : "accepted";
    case Action::kPartial:
      return "";
    case Action::kThrottled:
      return "throttled";
    case Action::kRetry:
    case Action::kUnknown:
      return "retry";
    case Action::kTooLarge:
      return "too_large";
    case Action::kBisect:
      return verdict.maybe_stored ? "partial_unknown" : "rejected";
    case Action::kAuth:
      return "auth";
    case Action::kHold:
      return "hold";
    case Action::kDeviation:
      return "deviation";
    case Action::kConfirm:
      return "confirm";
  }
  return "";
}

std::string Word(RecordVerdict verdict) {
  switch (verdict) {
    case RecordVerdict::kDelivered:
      return "accepted";
    case RecordVerdict::kRetry:
      return "retry";
    case RecordVerdict::kRejected:
      return "rejected";
  }
  return "";
}

// Words that end alike for a record: a sample may use either.
std::string Same(const std::string& word) {
  if (word == "duplicate") {
    return "accepted";
  }
  return word == "throttled" || word == "too_large" ? "retry" : word;
}

// Values of secret settings, as the sample has them.
Result<std::string> Filled(std::string_view text, const contract::CloudContract& contract, const Sample& sample) {
  return FillSecrets(text, [&](std::string_view name) -> const std::string* {
    if (const std::string* entry = contract.SecretEntry(name)) {
      return entry;
    }
    const auto found = sample.settings.find(std::string(name));
    return found == sample.settings.end() ? nullptr : &found->second;
  });
}

Result<Tried::Request> MakeRequest(const contract::CloudContract& contract, const Sample& sample,
                                   const std::string& part, const std::vector<RenderedRecord>& records) {
  contract::BatchHeader header = sample.batch;
  header.part = part;
  const contract::Rendered rendered = contract.RenderBatch(header, records);
  Tried::Request request;
  request.method = contract.method();
  request.body = rendered.body;
  Result<std::string> path = Filled(rendered.path, contract, sample);
  RETURN_IF_ERROR(path);
  request.path = *std::move(path);
  if (!rendered.content_type.empty()) {
    request.headers.emplace_back("Content-Type", rendered.content_type);
  }
  for (const auto& [name, value] : contract.RequestHeaders(header)) {
    Result<std::string> filled = Filled(value, contract, sample);
    RETURN_IF_ERROR(filled);
    request.headers.emplace_back(name, *std::move(filled));
  }
  for (const RenderedRecord& record : records) {
    request.items.push_back(record.items());
  }
  return request;
}

void CompareHeaders(const Sample::Request& expected, const Tried::Request& is, std::vector<std::string>& found) {
  for (const auto& entry : expected.headers) {
    const std::string& name = entry.first;
    const std::string& value = entry.second;
    const auto header = std::find_if(is.headers.begin(), is.headers.end(),
                                     [&](const auto& each) { return Lower(std::string_view(each.first)) == name; });
    if (header == is.headers.end()) {
      found.push_back("header " + name + ": expected \"" + value + "\", is not there");
    } else if (header->second != value) {
      found.push_back("header " + name + ": expected \"" + value + "\", is \"" + header->second + "\"");
    }
  }
}

void CompareJson(const document::Node& expected, std::string_view text, const std::string& what,
                 std::vector<std::string>& found) {
  const document::Document is = document::ParseDocument(text);
  if (is.problem) {
    found.push_back(what + ": is not JSON: " + Shorten(text, kShownBody));
  } else if (const auto difference = FirstDifference(expected, is.root)) {
    found.push_back(what + " " + *difference);
  }
}

void CompareLines(const std::vector<document::Node>& expected, std::string_view text, std::vector<std::string>& found) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      found.emplace_back("body: the last line has no line feed");
    }
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  if (lines.size() != expected.size()) {
    found.push_back("body: expected " + std::to_string(expected.size()) + " lines, are " +
                    std::to_string(lines.size()));
  }
  for (std::size_t i = 0; i < std::min(lines.size(), expected.size()); ++i) {
    CompareJson(expected[i], lines[i], "line " + std::to_string(i + 1), found);
  }
}

void CompareText(const std::string& expected, const std::string& is, std::vector<std::string>& found) {
  if (expected != is) {
    found.push_back("body: expected " + document::Quoted(expected, kShownBody) + ", is " +
                    document::Quoted(is, kShownBody));
  }
}

void CompareBody(const Sample::Body& expected, const std::string& is, std::vector<std::string>& found) {
  if (const auto* json = std::get_if<Sample::JsonBody>(&expected)) {
    CompareJson(json->value, is, "body", found);
  } else if (const auto* lines = std::get_if<Sample::LinesBody>(&expected)) {
    CompareLines(lines->lines, is, found);
  } else if (const auto* text = std::get_if<Sample::TextBody>(&expected)) {
    CompareText(text->text, is, found);
  } else if (const auto* base64 = std::get_if<Sample::Base64Body>(&expected)) {
    CompareText(base64->base64, Base64(is), found);
  }
}

void CompareRequests(const Sample& sample, const Tried& tried, std::vector<std::string>& found) {
  if (sample.requests.empty()) {
    return;
  }
  if (sample.requests.size() != tried.requests.size()) {
    found.push_back("expected " + std::to_string(sample.requests.size()) + " requests, are " +
                    std::to_string(tried.requests.size()));
  }
  for (std::size_t i = 0; i < std::min(sample.requests.size(), tried.requests.size()); ++i) {
    const Sample::Request& expected = sample.requests[i];
    const Tried::Request& is = tried.requests[i];
    if (expected.method != is.method || expected.path != is.path) {
      found.push_back("expected " + expected.method + " " + expected.path + ", is " + is.method + " " + is.path);
    }
    CompareHeaders(expected, is, found);
    CompareBody(expected.body, is.body, found);
  }
}

void CompareFates(const Sample& sample, const Tried& tried, std::vector<std::string>& found) {
  if (!sample.fates.empty() && sample.fates.size() != tried.records.size()) {
    found.push_back("expected " + std::to_string(sample.fates.size()) + " fates, are " +
                    std::to_string(tried.records.size()));
    return;
  }
  for (std::size_t i = 0; i < tried.records.size(); ++i) {
    const Fate expected = sample.fates.empty() ? Fate::kItems : sample.fates[i];
    const RenderedRecord& record = tried.records[i];
    if (record.fate != expected) {
      found.push_back("record " + tried.record_ids[i] + ": expected " + std::string(Word(expected)) + ", is " +
                      std::string(Word(record.fate)) + (record.reason.empty() ? "" : ": " + record.reason) +
                      (record.detail.empty() ? "" : ", " + record.detail));
    }
  }
}

void CompareReply(const Sample::Reply& expected, const TriedReply& is, std::vector<std::string>& found) {
  const std::string place =
      "reply " + (expected.title.empty() ? std::to_string(expected.status) : "\"" + expected.title + "\"") + ": ";
  const std::string batch = is.records.empty() ? is.batch : Join(is.records);
  if (!expected.records.empty()) {
    bool same = expected.records.size() == is.records.size();
    for (std::size_t i = 0; same && i < is.records.size(); ++i) {
      same = Same(expected.records[i]) == Same(is.records[i]);
    }
    // All accepted is the same, whether it is said of each or of the batch.
    const bool all = is.batch == "accepted" && std::all_of(expected.records.begin(), expected.records.end(),
                                                           [](const auto& word) { return Same(word) == "accepted"; });
    if (!same && !all) {
      found.push_back(place + "expected " + Join(expected.records) + "; is " + batch);
    }
  } else if (expected.batch != is.batch && !(expected.batch == "duplicate" && is.batch == "accepted")) {
    found.push_back(place + "expected " + expected.batch + "; is " + batch + ": " + is.reason);
  }
  if (is.reason.find(expected.reason) == std::string::npos) {
    found.push_back(place + "expected a reason with \"" + expected.reason + "\"; is \"" + is.reason + "\"");
  }
  if (expected.wait && expected.wait != is.wait) {
    found.push_back(place + "expected to wait " + FormatDuration(*expected.wait) + "; is " +
                    (is.wait ? FormatDuration(*is.wait) : "nothing"));
  }
}

}  // namespace

Result<std::vector<CanonicalRecord>> DecodeMessages(const Sample& sample) {
  const auto device = contract::FindDeviceContract("generic-json@1");
  RETURN_IF_ERROR(device);
  std::vector<CanonicalRecord> records;
  Sequence sequence = 0;
  for (const Sample::Message& message : sample.messages) {
    RawMessage raw;
    raw.topic = message.topic;
    raw.payload = message.payload;
    raw.received_at = message.received_at;
    raw.clock = ClockState::kSynchronized;
    contract::DecodeContext context;
    context.queue_id = "samples";
    context.sequence = ++sequence;
    context.stream = message.stream;
    contract::Decoded decoded = (*device)->Decode(raw, context);
    if (decoded.kind != contract::Decoded::Kind::kRecords) {
      return Error{ErrorCode::kInvalidArgument, "message " + std::to_string(sequence) +
                                                    " gives no record: " + decoded.reason + " " + decoded.detail};
    }
    for (CanonicalRecord& record : decoded.records) {
      record.device_id = message.device;
      record.kind = message.kind;
      records.push_back(std::move(record));
    }
  }
  return records;
}

Result<Tried> Render(const contract::CloudContract& contract, const Sample& sample) {
  const Result<std::vector<CanonicalRecord>> records = DecodeMessages(sample);
  RETURN_IF_ERROR(records);
  Tried tried;
  std::vector<std::string> parts;
  std::map<std::string, std::pair<std::vector<RenderedRecord>, std::vector<std::string>>> of_part;
  for (const CanonicalRecord& record : *records) {
    RenderedRecord rendered = contract.RenderRecord(record);
    rendered.time = contract.TimeOf(record).value_or(record.server_received_at);
    tried.record_ids.push_back(record.record_id);
    if (rendered.fate == Fate::kItems) {
      auto& [of, ids] = of_part[rendered.part];
      if (of.empty()) {
        parts.push_back(rendered.part);
      }
      of.push_back(rendered);
      ids.push_back(record.record_id);
    }
    tried.records.push_back(std::move(rendered));
  }
  for (const std::string& part : parts) {
    auto& [as_they_come, ids] = of_part[part];
    const std::vector<std::uint32_t> order = contract::SentOrder(contract.accepts(), as_they_come);
    const std::vector<RenderedRecord> of = contract::AsSent<RenderedRecord>(order, as_they_come);
    Result<Tried::Request> request = MakeRequest(contract, sample, part, of);
    RETURN_IF_ERROR(request);
    request->records = contract::AsSent(order, ids);
    tried.requests.push_back(*std::move(request));
  }
  return tried;
}

TriedReply JudgeReply(const contract::ResponseRules& rules, const Tried::Request& request, const Sample::Reply& reply) {
  outcome::Reply received;
  received.complete = true;
  received.status = reply.status;
  received.headers = reply.headers;
  received.body = reply.body;
  const outcome::Verdict verdict =
      outcome::Judge(received, rules,
                     outcome::Sent{request.records.size(), [&] { return request.records; }, request.items}, WallTime{});
  TriedReply tried;
  tried.batch = Word(verdict);
  tried.wait = verdict.retry_after;
  tried.reason = WordsOf(verdict);
  for (const outcome::RecordResult& record : verdict.records) {
    tried.records.push_back(Word(record.verdict));
  }
  const auto bad = std::find_if(verdict.records.begin(), verdict.records.end(), [](const auto& record) {
    return record.verdict != RecordVerdict::kDelivered && !record.detail.empty();
  });
  if (bad != verdict.records.end()) {
    tried.reason = bad->detail;
  }
  return tried;
}

std::vector<std::string> RunSample(const contract::CloudContract& contract, const Sample& sample) {
  const Result<Tried> tried = Render(contract, sample);
  if (!tried) {
    return {tried.error().message};
  }
  std::vector<std::string> found;
  CompareFates(sample, *tried, found);
  CompareRequests(sample, *tried, found);
  if (!sample.replies.empty() && tried->requests.empty()) {
    found.emplace_back("there is no request that a reply could answer");
    return found;
  }
  for (const Sample::Reply& reply : sample.replies) {
    CompareReply(reply, JudgeReply(contract.response(), tried->requests.front(), reply), found);
  }
  return found;
}

}  // namespace packhorse::tryout
