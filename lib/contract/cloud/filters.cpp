#include <utility>

#include "base/encode.h"
#include "contract/cloud/renderer.h"
#include "format/json/writer.h"

namespace packhorse::contract {
namespace {

// Digits behind the point of a moment, `count` of them.
void AppendFraction(std::string& out, std::uint32_t nanos, std::size_t count) {
  std::string digits = std::to_string(nanos);
  digits.insert(0, 9 - digits.size(), '0');
  out += '.';
  out += digits.substr(0, count);
}

Datum UnixSeconds(const Instant& instant) {
  if (instant.nanos == 0) {
    return instant.seconds;
  }
  // Before 1970 the fraction counts the other way.
  std::string text;
  std::int64_t seconds = instant.seconds;
  std::uint32_t nanos = instant.nanos;
  if (seconds < 0) {
    ++seconds;
    nanos = 1'000'000'000U - nanos;
    text = "-";
    seconds = -seconds;
  }
  text += std::to_string(seconds);
  AppendFraction(text, nanos, 9);
  text.erase(text.find_last_not_of('0') + 1);
  return Decimal{std::move(text)};
}

// Whole units since 1970, rounded down.
Datum UnixUnits(const Instant& instant, std::int64_t per_second) {
  std::int64_t units = 0;
  if (__builtin_mul_overflow(instant.seconds, per_second, &units) ||
      __builtin_add_overflow(units, std::int64_t{instant.nanos} / (1'000'000'000 / per_second), &units)) {
    return Missing{};
  }
  return units;
}

Datum Rfc3339(Instant instant, std::size_t digits) {
  if (!HasFourDigitYear(instant)) {
    return Missing{};
  }
  const std::uint32_t nanos = std::exchange(instant.nanos, 0);
  std::string text;
  AppendRfc3339(text, instant);
  if (digits > 0) {
    text.pop_back();
    AppendFraction(text, nanos, digits);
    text += 'Z';
  }
  return text;
}

Datum OfTime(Filter filter, const Instant& instant) {
  switch (filter) {
    case Filter::kUnix:
      return UnixSeconds(instant);
    case Filter::kUnixS:
      return instant.seconds;
    case Filter::kUnixMs:
      return UnixUnits(instant, 1'000);
    case Filter::kUnixUs:
      return UnixUnits(instant, 1'000'000);
    case Filter::kUnixNs:
      return UnixUnits(instant, 1'000'000'000);
    case Filter::kRfc3339Ms:
      return Rfc3339(instant, 3);
    case Filter::kRfc3339S:
      return Rfc3339(instant, 0);
    default:
      break;
  }
  if (!HasFourDigitYear(instant)) {
    return Missing{};
  }
  std::string text;
  AppendRfc3339(text, instant);
  return text;
}

Datum Number(Datum value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    return std::int64_t{*flag ? 1 : 0};
  }
  const bool number = std::holds_alternative<std::int64_t>(value) || std::holds_alternative<std::uint64_t>(value) ||
                      std::holds_alternative<double>(value) || std::holds_alternative<Decimal>(value);
  return number ? std::move(value) : Datum(Missing{});
}

Datum Tags(const MapView& map, JsonStyle style) {
  std::string list = "[";
  for (const MapEntry& entry : Entries(map)) {
    std::string tag = entry.name + ":";
    if (std::holds_alternative<std::nullptr_t>(entry.value) || !AppendText(tag, entry.value, style)) {
      continue;
    }
    list += list.size() == 1 ? "" : ",";
    format::AppendString(list, tag);
  }
  return list.size() == 1 ? Datum(Missing{}) : Datum(JsonText{list + "]"});
}

Datum OfMap(Filter filter, MapView map, JsonStyle style) {
  map.units = map.units && filter == Filter::kNested;
  map.numbers = map.numbers || filter == Filter::kNumbers;
  if (filter == Filter::kSafeNames) {
    map.naming = Naming::kSafe;
  } else if (filter == Filter::kNested) {
    map.naming = Naming::kNested;
  }
  return filter == Filter::kTags ? Tags(map, style) : Datum(map);
}

Datum OfText(Filter filter, const Datum& value, JsonStyle style) {
  std::string text;
  if (std::holds_alternative<std::nullptr_t>(value)) {
    return filter == Filter::kString ? Datum(nullptr) : Datum(Missing{});
  }
  if (!AppendText(text, value, style)) {
    return Missing{};
  }
  switch (filter) {
    case Filter::kBase64:
      return Base64(text);
    case Filter::kHex:
      return Hex(text);
    case Filter::kUrl:
      return PercentEncode(text);
    case Filter::kSafe:
      return SafeName(text);
    default:
      return text;
  }
}

}  // namespace

Datum Apply(const AppliedFilter& filter, Datum value, JsonStyle style) {
  if (filter.filter == Filter::kDefault) {
    if (!IsMissing(value)) {
      return value;
    }
    return filter.argument == "null" ? Datum(nullptr) : Datum(filter.argument);
  }
  if (IsMissing(value)) {
    return value;
  }
  if (filter.filter == Filter::kJson) {
    std::string text;
    return AppendJson(text, value, style) ? Datum(std::move(text)) : Datum(Missing{});
  }
  if (filter.filter == Filter::kNumber) {
    return Number(std::move(value));
  }
  if (const auto* instant = std::get_if<Instant>(&value); instant != nullptr && filter.filter >= Filter::kUnix) {
    return OfTime(filter.filter, *instant);
  }
  if (const auto* map = std::get_if<MapView>(&value)) {
    const bool of_map = filter.filter == Filter::kValues || filter.filter == Filter::kNumbers ||
                        filter.filter == Filter::kSafeNames || filter.filter == Filter::kTags ||
                        filter.filter == Filter::kNested;
    if (of_map) {
      return OfMap(filter.filter, *map, style);
    }
  } else if (filter.filter >= Filter::kUnix) {
    return Missing{};
  }
  return OfText(filter.filter, value, style);
}

}  // namespace packhorse::contract
