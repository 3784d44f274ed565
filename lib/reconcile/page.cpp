#include "reconcile/page.h"

#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/fixed_point.h"
#include "base/text.h"
#include "contract/device_time.h"
#include "document/document.h"
#include "outcome/reply_document.h"

namespace packhorse::reconcile {
namespace {

using outcome::JsonValue;

constexpr std::size_t kHoursOfAPage = 10'000;
constexpr std::size_t kStreamBytes = 256;
constexpr std::int64_t kHourSeconds = 3'600;
constexpr std::size_t kHashDigits = 16;

Error Wrong(std::string what) { return Error{ErrorCode::kCorrupt, std::move(what)}; }

std::string TextAt(const JsonValue& element, const std::vector<std::string>& place) {
  const JsonValue* value = outcome::At(element, place);
  return value == nullptr || !value->is_string() ? std::string() : value->get<std::string>();
}

Result<std::int32_t> HourFrom(const std::string& text) {
  const auto time = contract::ParseDateTime(text);
  if (!time || time->instant.nanos != 0 || time->instant.seconds % kHourSeconds != 0 ||
      time->instant.seconds / kHourSeconds > std::numeric_limits<std::int32_t>::max() || time->instant.seconds < 0) {
    return Wrong(document::Quoted(text) + " is not the beginning of an hour, as 2026-11-20T09:00:00Z is");
  }
  return static_cast<std::int32_t>(time->instant.seconds / kHourSeconds);
}

Result<std::uint64_t> HashFrom(const std::string& text) {
  std::uint64_t hash = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hash, 16);
  if (text.size() != kHashDigits || error != std::errc() || end != text.data() + text.size()) {
    return Wrong(document::Quoted(text) + " is not a hash of 16 hexadecimal digits");
  }
  return hash;
}

// Also in quotes, for APIs that write more digits than a number of 64 bits has.
Result<FixedPoint> SumFrom(const JsonValue& value, const std::string& measurement) {
  const std::optional<FixedPoint> number =
      value.is_number() || value.is_string() ? FixedPoint::Parse(outcome::ValueText(value)) : std::nullopt;
  if (!number) {
    return Wrong("the sum of " + document::Quoted(measurement) + " is no number below 10^18");
  }
  return *number;
}

Status AddHour(const contract::ReconcileRules& rules, const SumPlaces& sums, const JsonValue& element,
               CloudHours& hours) {
  StreamHour of{TextAt(element, rules.stream), 0};
  if (of.stream.empty() || of.stream.size() > kStreamBytes) {
    return Wrong("a stream is missing, or no text of at most " + std::to_string(kStreamBytes) + " bytes");
  }
  const Result<std::int32_t> hour = HourFrom(TextAt(element, rules.hour));
  RETURN_IF_ERROR(hour);
  of.hour = *hour;
  const std::optional<std::uint64_t> count = outcome::CountOrText(outcome::At(element, rules.count));
  if (!count) {
    return Wrong("a count is missing, or is no whole number");
  }
  CloudCount cloud{*count, std::nullopt};
  if (rules.hash && outcome::At(element, *rules.hash) != nullptr) {
    const Result<std::uint64_t> hash = HashFrom(TextAt(element, *rules.hash));
    RETURN_IF_ERROR(hash);
    cloud.id_hash = *hash;
  }
  for (const contract::ReconcileRules::Sum& sum : sums) {
    if (const JsonValue* value = outcome::At(element, sum.place); value != nullptr && !value->is_null()) {
      const Result<FixedPoint> number = SumFrom(*value, sum.measurement);
      RETURN_IF_ERROR(number);
      cloud.sums.emplace(sum.measurement, *number);
    }
  }
  if (hours.size() >= kMaxHours) {
    return Error{ErrorCode::kLimitExceeded, "there are more than " + std::to_string(kMaxHours) + " hours of streams"};
  }
  if (!hours.emplace(std::move(of), std::move(cloud)).second) {
    return Wrong("an hour of a stream comes twice");
  }
  return {};
}

}  // namespace

Result<std::string> ReadPage(const contract::ReconcileRules& rules, const SumPlaces& sums, const outcome::Reply& reply,
                             CloudHours& hours) {
  const outcome::ReplyBody body = outcome::ParseOne(reply, kHoursOfAPage);
  if (!body.readable() || body.empty || reply.truncated) {
    return Wrong(reply.truncated ? "the reply is too long" : body.empty ? "the reply is empty" : body.error);
  }
  const JsonValue* list = outcome::At(body.json, rules.each);
  if (list == nullptr || !list->is_array()) {
    return Wrong("the list of hours is missing");
  }
  for (const JsonValue& element : *list) {
    RETURN_IF_ERROR(AddHour(rules, sums, element, hours));
  }
  const JsonValue* next = rules.next ? outcome::At(body.json, *rules.next) : nullptr;
  if (next == nullptr || next->is_null()) {
    return std::string();
  }
  std::string cursor = outcome::ValueText(*next);
  if (cursor.size() > kMaxCursorBytes) {
    return Error{ErrorCode::kLimitExceeded, "a cursor has more than " + std::to_string(kMaxCursorBytes) + " bytes"};
  }
  return cursor;
}

}  // namespace packhorse::reconcile
