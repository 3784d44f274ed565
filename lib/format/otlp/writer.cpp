#include "format/otlp/writer.h"

#include <cmath>
#include <limits>
#include <optional>

#include "format/json/writer.h"

namespace packhorse::format {
namespace {

void AppendProtoDouble(std::string& out, double number) {
  if (std::isfinite(number)) {
    AppendDouble(out, number);
  } else {
    out += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  }
}

void AppendProtoInteger(std::string& out, std::int64_t number) {
  out += '"';
  AppendInteger(out, number);
  out += '"';
}

// What 64 signed bits hold exactly: a whole number, a boolean as 1 or 0.
std::optional<std::int64_t> SignedNumber(const Scalar& value) {
  if (const auto* boolean = std::get_if<bool>(&value)) {
    return *boolean ? 1 : 0;
  }
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return *number;
  }
  const auto* positive = std::get_if<std::uint64_t>(&value);
  if (positive != nullptr && *positive <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return static_cast<std::int64_t>(*positive);
  }
  return std::nullopt;
}

double FloatingNumber(const Scalar& value) {
  const auto* positive = std::get_if<std::uint64_t>(&value);
  return positive != nullptr ? static_cast<double>(*positive) : std::get<double>(value);
}

// AnyValue. REQUIRES: not null.
void AppendAny(std::string& out, const Scalar& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    out += R"({"stringValue":)";
    AppendString(out, *text);
  } else if (const auto* boolean = std::get_if<bool>(&value)) {
    out += R"({"boolValue":)";
    out += *boolean ? "true" : "false";
  } else if (const std::optional<std::int64_t> number = SignedNumber(value)) {
    out += R"({"intValue":)";
    AppendProtoInteger(out, *number);
  } else {
    out += R"({"doubleValue":)";
    AppendProtoDouble(out, FloatingNumber(value));
  }
  out += '}';
}

void AppendAttributes(std::string& out, std::span<const Named> attributes) {
  out += R"("attributes":[)";
  bool first = true;
  for (const Named& attribute : attributes) {
    if (attribute.name.empty() || std::holds_alternative<std::nullptr_t>(attribute.value)) {
      continue;
    }
    out += first ? R"({"key":)" : R"(,{"key":)";
    first = false;
    AppendString(out, attribute.name);
    out += R"(,"value":)";
    AppendAny(out, attribute.value);
    out += '}';
  }
  out += ']';
}

}  // namespace

void AppendOtlpHead(std::string& out, std::span<const Named> resource, std::string_view scope) {
  out += R"({"resourceMetrics":[{"resource":{)";
  AppendAttributes(out, resource);
  out += R"(},"scopeMetrics":[{"scope":{"name":)";
  AppendString(out, scope);
  out += R"(},"metrics":[)";
}

std::string_view OtlpTail() { return "]}]}]}"; }

Written AppendMetric(std::string& out, std::string_view name, std::string_view unit, const Scalar& value,
                     std::int64_t time_ns, std::span<const Named> attributes) {
  if (name.empty()) {
    return {"a name", false};
  }
  if (std::holds_alternative<std::nullptr_t>(value) || std::holds_alternative<std::string_view>(value)) {
    return {"a number", false};
  }
  out += R"({"name":)";
  AppendString(out, name);
  if (!unit.empty()) {
    out += R"(,"unit":)";
    AppendString(out, unit);
  }
  out += R"(,"gauge":{"dataPoints":[{"timeUnixNano":)";
  AppendProtoInteger(out, time_ns);
  if (const std::optional<std::int64_t> number = SignedNumber(value)) {
    out += R"(,"asInt":)";
    AppendProtoInteger(out, *number);
  } else {
    out += R"(,"asDouble":)";
    AppendProtoDouble(out, FloatingNumber(value));
  }
  out += ',';
  AppendAttributes(out, attributes);
  out += "}]}}";
  return {nullptr, std::holds_alternative<std::uint64_t>(value) && !SignedNumber(value)};
}

}  // namespace packhorse::format
