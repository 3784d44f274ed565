#include "delivery/exchanges.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace packhorse::delivery {
namespace {

using outcome::Action;

constexpr std::size_t kRequestStartBytes = 1'024;
constexpr std::size_t kReplyStartBytes = 2'048;
constexpr std::size_t kVerdictBytes = 512;

constexpr std::array<std::pair<Action, std::string_view>, 7> kActionWords = {{
    {Action::kThrottled, "told to wait"},
    {Action::kRetry, "failed, to be tried again"},
    {Action::kUnknown, "outcome unknown, to be tried again"},
    {Action::kTooLarge, "too large"},
    {Action::kBisect, "refused on its merits"},
    {Action::kAuth, "credentials refused"},
    {Action::kDeviation, "a success that is none"},
}};

std::string_view ActionWords(Action action) {
  const auto* found = std::find_if(kActionWords.begin(), kActionWords.end(),
                                   [action](const auto& entry) { return entry.first == action; });
  return found == kActionWords.end() ? Name(action) : found->second;
}

bool Failed(const outcome::Verdict& verdict) {
  return verdict.action != Action::kDelivered && verdict.action != Action::kConfirm &&
         (verdict.action != Action::kPartial ||
          std::any_of(verdict.records.begin(), verdict.records.end(),
                      [](const outcome::RecordResult& record) { return record.verdict != RecordVerdict::kDelivered; }));
}

std::string VerdictOf(const outcome::Verdict& verdict, const std::vector<std::string>& secrets) {
  return ShownText(std::string(ActionWords(verdict.action)) + ": " + WordsOf(verdict), secrets, kVerdictBytes);
}

// A compressed or binary body tells nobody anything.
std::string RequestStart(const std::string& body, bool coded, const std::vector<std::string>& secrets) {
  const std::string_view start = std::string_view(body).substr(0, kRequestStartBytes);
  const bool text = !coded && Utf8PrefixBytes(start) + 4 > start.size() && start.find('\0') == std::string_view::npos;
  return text ? ShownText(body, secrets, kRequestStartBytes) : std::string();
}

std::size_t BytesOf(const HeaderList& headers) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) {
    bytes += name.size() + value.size() + sizeof(std::pair<std::string, std::string>);
  }
  return bytes;
}

std::size_t BytesOf(const Exchange& exchange) {
  return sizeof(Exchange) + exchange.path.size() + exchange.request_start.size() + exchange.reply_start.size() +
         exchange.transport_error.size() + exchange.verdict.size() + exchange.provider_request_id.size() +
         BytesOf(exchange.request_headers) + BytesOf(exchange.reply_headers);
}

// The name of the header that is made of the batch's key; empty: there is none.
std::string_view HeaderWithKey(const HeaderList& headers, std::string_view key) {
  for (const auto& [name, value] : headers) {
    if (!key.empty() && value.find(key) != std::string::npos) {
      return name;
    }
  }
  return {};
}

}  // namespace

void Exchanges::Note(const queue::PreparedBatch& batch, const SentRequest& sent, const outcome::Reply& reply,
                     const outcome::Verdict& verdict, std::chrono::microseconds elapsed, WallTime at) {
  if (!Failed(verdict)) {
    return;
  }
  const std::string_view plain = HeaderWithKey(sent.headers, batch.idempotency_key);
  const std::vector<std::string> secrets = SecretsOf(sent.path, sent.headers, plain);
  Exchange exchange;
  exchange.at = at;
  exchange.batch_key = batch.idempotency_key;
  exchange.trace_id = batch.trace_id;
  exchange.records = batch.records;
  exchange.method = sent.method;
  exchange.path = ShownPath(sent.path);
  exchange.request_headers = ShownHeaders(sent.headers, plain);
  const std::string& body = sent.body ? *sent.body : batch.body;
  exchange.request_bytes = body.size();
  exchange.request_start = RequestStart(body, !sent.body && !batch.content_encoding.empty(), secrets);
  exchange.status = reply.complete ? reply.status : 0;
  exchange.transport_error = ShownText(reply.error, secrets, kVerdictBytes);
  exchange.elapsed = elapsed;
  exchange.reply_headers = ShownHeaders(reply.headers, "");
  for (auto& [name, value] : exchange.reply_headers) {
    value = ShownText(value, secrets, value.size());
  }
  exchange.reply_bytes = reply.body.size();
  exchange.reply_start = ShownText(reply.body, secrets, kReplyStartBytes);
  exchange.provider_request_id = verdict.provider_request_id;
  exchange.verdict = VerdictOf(verdict, secrets);
  bytes_ += BytesOf(exchange);
  exchanges_.push_back(std::move(exchange));
  while (exchanges_.size() > kMost || (bytes_ > kMaxBytes && exchanges_.size() > 1)) {
    bytes_ -= BytesOf(exchanges_.front());
    exchanges_.pop_front();
  }
}

}  // namespace packhorse::delivery
