#include "cloud.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace packhorse::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSmallBody = 2'000;
constexpr std::size_t kQuickRecords = 3;  // of a batch that a slow cloud answers in time
constexpr microseconds kTimeout = 30s;
constexpr Instant kMended = 2 * kDay;

upload::Response Answered(int status, std::string body, const char* type = "application/json") {
  upload::Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers = {{"content-type", type}};
  return response;
}

upload::Response Broken(upload::Transport transport) {
  upload::Response response;
  response.transport = transport;
  response.error = "broken";
  return response;
}

std::string Rejected(const std::string& id) {
  return R"({"record_id":")" + id + R"(","error":{"title":"bad","status":422}})";
}

}  // namespace

std::string_view Name(Conduct conduct) {
  constexpr std::array<std::string_view, kConducts> kNames = {
      "fine",        "unreachable",     "unavailable",    "throttles",   "slow",          "small bodies",
      "no bodies",   "wrong token",     "wrong url",      "html",        "loses replies", "takes some",
      "refuses all", "one bad backend", "one bad naming", "two at once", "lies"};
  return kNames.at(static_cast<std::size_t>(conduct));
}

Cloud::Cloud(const Machine& machine, const Messages& messages, std::uint64_t seed, bool keeps_highest)
    : machine_(machine), messages_(messages), random_(seed), keeps_highest_(keeps_highest) {}

Kind Cloud::Judge(Number number) {
  const Kind kind = messages_.KindOf(number);
  if (!keeps_highest_ || kind == Kind::kGood) {
    return kind;
  }
  const Instant first = seen_bad_.emplace(number, machine_.now()).first->second;
  return machine_.now() - first > kMended ? Kind::kGood : kind;
}

namespace {

// As body.find(text, from), which stops at each quote on the way.
std::size_t Find(std::string_view body, std::string_view text, std::size_t from) {
  const void* found = memmem(body.data() + from, body.size() - from, text.data(), text.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - body.data());
}

}  // namespace

std::vector<Cloud::Record> Cloud::Read(std::string_view body) {
  constexpr std::string_view kId = "\"record_id\":\"";
  constexpr std::string_view kSeq = "\"seq\":{\"value\":";
  std::vector<Record> records;
  for (std::size_t at = Find(body, kId, 0); at != std::string_view::npos; at = Find(body, kId, at)) {
    at += kId.size();
    const std::size_t end = body.find('"', at);
    const std::size_t seq = Find(body, kSeq, end);
    if (seq == std::string_view::npos) {
      problem_ = "a record without its number: " + std::string(body.substr(0, 500));
      break;
    }
    records.push_back({std::string(body.substr(at, end - at)),
                       static_cast<Number>(std::stoul(std::string(body.substr(seq + kSeq.size(), 10)))), Kind::kGood});
  }
  for (Record& record : records) {
    record.kind = Judge(record.number);
    const auto [known, fresh] = ids_.emplace(record.id, record.number);
    if (!fresh && known->second != record.number) {
      problem_ =
          record.id + " was message " + std::to_string(known->second) + " and is " + std::to_string(record.number);
    }
  }
  return records;
}

void Cloud::Store(const std::vector<Record>& records) {
  for (const Record& record : records) {
    if (keeps_highest_) {
      const std::size_t dot = record.id.rfind('.');
      const std::uint64_t sequence = std::stoull(record.id.substr(dot + 1));
      std::uint64_t& highest = highest_[record.id.substr(0, dot)];
      if (sequence <= highest) {
        continue;
      }
      highest = sequence;
    }
    stored_.insert(record.number);
  }
}

template <typename Records>
bool HasBad(const Records& records, Kind kind) {
  return std::any_of(records.begin(), records.end(), [&](const auto& record) { return record.kind == kind; });
}

// As a cloud does that works.
upload::Response Cloud::OnMerits(const std::vector<Record>& records) {
  if (HasBad(records, Kind::kForbidden)) {
    return Answered(403, "<html>blocked</html>", "text/html");
  }
  if (HasBad(records, Kind::kCrashes)) {
    return Answered(500, "{}");
  }
  if (HasBad(records, Kind::kRefused)) {
    return Answered(422, R"({"title":"bad"})", "application/problem+json");
  }
  std::string rejected;
  std::vector<Record> good;
  for (const Record& record : records) {
    if (record.kind == Kind::kNamed) {
      rejected += (rejected.empty() ? "" : ",") + Rejected(record.id);
    } else {
      good.push_back(record);
    }
  }
  Store(good);
  const std::string accepted = R"({"accepted":)" + std::to_string(good.size());
  return rejected.empty() ? Answered(200, accepted + "}")
                          : Answered(207, accepted + R"(,"rejected":[)" + rejected + "]}");
}

upload::Response Cloud::TakeSome(const std::vector<Record>& records) {
  if (std::any_of(records.begin(), records.end(), [](const Record& each) { return each.kind != Kind::kGood; })) {
    return OnMerits(records);
  }
  const std::size_t taken = random_() % (records.size() + 1);
  Store({records.begin(), records.begin() + static_cast<std::ptrdiff_t>(taken)});
  std::string retry;
  for (std::size_t i = taken; i < records.size(); ++i) {
    retry += (retry.empty() ? "\"" : ",\"") + records[i].id + "\"";
  }
  return Answered(207, R"({"accepted":)" + std::to_string(taken) + R"(,"retry":[)" + retry + "]}");
}

upload::Response Cloud::NameAllButOne(const std::vector<Record>& records) {
  std::string rejected;
  for (std::size_t i = 1; i < records.size(); ++i) {
    rejected += (rejected.empty() ? "" : ",") + Rejected(records[i].id);
  }
  if (rejected.empty() || records.front().kind != Kind::kGood) {
    return Answered(400, "{}");
  }
  Store({records.front()});
  return Answered(207, R"({"accepted":1,"rejected":[)" + rejected + "]}");
}

upload::Response Cloud::Decide(const std::vector<Record>& records, std::size_t bytes, microseconds& takes) {
  switch (conduct_) {
    case Conduct::kFine:
      return OnMerits(records);
    case Conduct::kUnreachable:
      return Broken(Draw(50) ? upload::Transport::kConnect : upload::Transport::kResolve);
    case Conduct::kUnavailable:
      return Answered(503, "");
    case Conduct::kThrottles: {
      upload::Response response = Answered(429, "");
      response.headers.emplace_back("retry-after", std::to_string(1 + random_() % 120));
      return response;
    }
    case Conduct::kSlow:
      if (records.size() <= kQuickRecords) {
        takes = 20s;
        return OnMerits(records);
      }
      takes = kTimeout;
      if (Draw(50)) {
        static_cast<void>(OnMerits(records));
      }
      return Broken(upload::Transport::kTimeout);
    case Conduct::kSmallBodies:
      return bytes > kSmallBody ? Answered(413, "<html>too large</html>", "text/html") : OnMerits(records);
    case Conduct::kNoBodies:
      return Answered(413, "<html>too large</html>", "text/html");
    case Conduct::kWrongToken:
      return Answered(401, "");
    case Conduct::kWrongUrl:
      return Answered(404, "");
    case Conduct::kHtml:
      return Answered(200, "<html>please log in</html>", "text/html");
    case Conduct::kLosesReplies: {
      upload::Response response = OnMerits(records);
      return Draw(60) ? Broken(upload::Transport::kReset) : response;
    }
    case Conduct::kTakesSome:
      return TakeSome(records);
    case Conduct::kRefusesAll:
      return Answered(422, R"({"title":"no"})", "application/problem+json");
    case Conduct::kOneBadBackend:
      return Draw(50) ? Answered(400, "{}") : OnMerits(records);
    case Conduct::kOneBadNaming:
      return Draw(50) ? NameAllButOne(records) : OnMerits(records);
    case Conduct::kTwoAtOnce:
      return replies_.size() >= 2 ? Answered(429, "") : OnMerits(records);
    case Conduct::kLies:
      for (const Record& record : records) {
        if (!stored_.contains(record.number)) {
          lied_.insert(record.number);
        }
      }
      return Answered(200, R"({"accepted":)" + std::to_string(records.size()) + "}");
  }
  return Answered(500, "");
}

void Cloud::Send(const upload::Endpoint&, upload::Request request, std::function<void(upload::Response)> done) {
  ++requests_;
  connection_ += request.new_connection || request.leave_kept ? 1U : 0U;
  microseconds takes = std::chrono::milliseconds(50 + random_() % 400);
  upload::Response response;
  if (!request.only_connect) {
    response = Decide(Read(request.body), request.body.size(), takes);
  } else if (conduct_ == Conduct::kUnreachable) {
    response = Broken(upload::Transport::kConnect);
  }
  response.elapsed = takes;
  response.connection = connection_;
  connection_ += response.transport == upload::Transport::kOk ? 0U : 1U;
  replies_.emplace(machine_.now() + takes, Reply{std::move(response), std::move(done)});
}

void Cloud::Answer() {
  while (!replies_.empty() && replies_.begin()->first <= machine_.now()) {
    Reply reply = std::move(replies_.begin()->second);
    replies_.erase(replies_.begin());
    reply.done(std::move(reply.response));
  }
}

}  // namespace packhorse::simulation
