#include "contract/cloud/mapping.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "format/line_protocol/writer.h"
#include "format/otlp/writer.h"
#include "format/remote_write/writer.h"

namespace packhorse::contract {
namespace {

// Names and values with the texts that they are made of.
struct Owned {
  std::string name;
  std::string text;
  format::Scalar scalar;
  bool of_text = false;
};

// What a writer takes of a value: numbers, booleans, text. False: nothing.
bool ToScalar(const Datum& datum, Owned& owned) {
  if (const auto* number = std::get_if<double>(&datum)) {
    owned.scalar = *number;
  } else if (const auto* integer = std::get_if<std::int64_t>(&datum)) {
    owned.scalar = *integer;
  } else if (const auto* large = std::get_if<std::uint64_t>(&datum)) {
    owned.scalar = *large;
  } else if (const auto* flag = std::get_if<bool>(&datum)) {
    owned.scalar = *flag;
  } else if (const auto* decimal = std::get_if<Decimal>(&datum)) {
    double read = 0;
    std::from_chars(decimal->text.data(), decimal->text.data() + decimal->text.size(), read);
    owned.scalar = read;
  } else if (std::holds_alternative<Missing>(datum) || std::holds_alternative<std::nullptr_t>(datum)) {
    return false;
  } else {
    owned.of_text = AppendText(owned.text, datum, {});
    return owned.of_text;
  }
  return true;
}

std::vector<Owned> Evaluate(const Pairs& pairs, Renderer& renderer) {
  std::vector<Owned> all;
  std::vector<std::string> taken;
  for (const auto& [key, value] : pairs.written) {
    Owned owned;
    if (!renderer.Write(key, owned.name, AppendPlain)) {
      return {};
    }
    taken.push_back(owned.name);
    if (ToScalar(renderer.ValueOf(value), owned)) {
      all.push_back(std::move(owned));
    }
  }
  for (const Placeholder& merged : pairs.merged) {
    const Datum datum = renderer.ValueOf(merged);
    const auto* map = std::get_if<MapView>(&datum);
    if (map == nullptr) {
      continue;
    }
    for (MapEntry& entry : Entries(*map)) {
      Owned owned;
      const bool own = std::find(taken.begin(), taken.end(), entry.name) == taken.end();
      if (own && ToScalar(entry.value, owned)) {
        owned.name = std::move(entry.name);
        taken.push_back(owned.name);
        all.push_back(std::move(owned));
      }
    }
  }
  return all;
}

std::vector<format::Named> Borrowed(const std::vector<Owned>& all) {
  std::vector<format::Named> named;
  named.reserve(all.size());
  for (const Owned& owned : all) {
    named.push_back({owned.name, owned.of_text ? format::Scalar(std::string_view(owned.text)) : owned.scalar});
  }
  return named;
}

std::optional<std::int64_t> Time(const Mapping& mapping, Renderer& renderer) {
  const Datum datum = renderer.ValueOf(mapping.time);
  if (const auto* time = std::get_if<std::int64_t>(&datum)) {
    return *time;
  }
  renderer.Unfit("time is missing");
  return std::nullopt;
}

bool AppendLineItem(const Mapping& mapping, Renderer& renderer, std::string& out) {
  std::string name;
  renderer.Write(mapping.name, name, AppendPlain);
  const std::vector<Owned> tags = Evaluate(mapping.tags, renderer);
  const std::vector<Owned> fields = Evaluate(mapping.fields, renderer);
  const std::optional<std::int64_t> time = mapping.time.pieces.empty() ? std::nullopt : Time(mapping, renderer);
  if (!renderer.fault().empty()) {
    return false;
  }
  const format::Written written =
      format::AppendLine(out, name, Borrowed(tags), Borrowed(fields), time,
                         mapping.integers ? format::LineIntegers::kInteger : format::LineIntegers::kFloat);
  if (!written) {
    renderer.Unfit(std::string(written.missing) + " is missing");
  }
  return static_cast<bool>(written);
}

bool AppendOtlpItem(const Mapping& mapping, Renderer& renderer, std::string& out) {
  std::string name;
  renderer.Write(mapping.name, name, AppendPlain);
  std::string unit;
  if (const Datum datum = renderer.ValueOf(mapping.unit); !IsMissing(datum)) {
    AppendText(unit, datum, {});
  }
  Owned value;
  if (!ToScalar(renderer.ValueOf(mapping.value), value)) {
    renderer.Unfit("value is missing");
  }
  const std::vector<Owned> attributes = Evaluate(mapping.tags, renderer);
  const std::optional<std::int64_t> time = Time(mapping, renderer);
  if (!renderer.fault().empty()) {
    return false;
  }
  const format::Scalar scalar = value.of_text ? format::Scalar(std::string_view(value.text)) : value.scalar;
  const format::Written written = format::AppendMetric(out, name, unit, scalar, *time, Borrowed(attributes));
  if (!written) {
    renderer.Unfit(std::string(written.missing) + " is missing");
  }
  return static_cast<bool>(written);
}

// What tells series apart: their labels, as the writer makes their names.
std::string SeriesName(const std::vector<Owned>& labels) {
  std::vector<std::string> parts;
  for (const Owned& label : labels) {
    std::string value;
    format::AppendText(value, label.of_text ? format::Scalar(std::string_view(label.text)) : label.scalar);
    parts.push_back(SafeName(label.name) + '\n' + (label.name == "__name__" ? SafeName(value, ":") : value) + '\n');
  }
  std::sort(parts.begin(), parts.end());
  std::string all;
  for (const std::string& part : parts) {
    all += part;
  }
  return all;
}

bool AppendSeriesItem(const Mapping& mapping, Renderer& renderer, std::string& out, std::string& series) {
  Owned value;
  if (!ToScalar(renderer.ValueOf(mapping.value), value)) {
    renderer.Unfit("value is missing");
  }
  const std::vector<Owned> labels = Evaluate(mapping.tags, renderer);
  const std::optional<std::int64_t> time = Time(mapping, renderer);
  if (!renderer.fault().empty()) {
    return false;
  }
  const format::Scalar scalar = value.of_text ? format::Scalar(std::string_view(value.text)) : value.scalar;
  const format::Written written = format::AppendSeries(out, Borrowed(labels), scalar, *time);
  if (!written) {
    renderer.Unfit(std::string(written.missing) + " is missing");
    return false;
  }
  series = SeriesName(labels);
  return true;
}

}  // namespace

bool AppendMapped(const CloudDefinition& definition, Renderer& renderer, std::string& out, std::string& series) {
  switch (definition.body) {
    case BodyKind::kOtlp:
      return AppendOtlpItem(definition.mapping, renderer, out);
    case BodyKind::kRemoteWrite:
      return AppendSeriesItem(definition.mapping, renderer, out, series);
    default:
      return AppendLineItem(definition.mapping, renderer, out);
  }
}

void AppendHeadOfMapped(const CloudDefinition& definition, Renderer& renderer, std::string& out) {
  if (definition.body != BodyKind::kOtlp) {
    return;
  }
  const std::vector<Owned> resource = Evaluate(definition.mapping.resource, renderer);
  std::string scope;
  renderer.Write(definition.mapping.scope, scope, AppendPlain);
  format::AppendOtlpHead(out, Borrowed(resource), scope);
}

std::string_view TailOfMapped(const CloudDefinition& definition) {
  return definition.body == BodyKind::kOtlp ? format::OtlpTail() : std::string_view();
}

}  // namespace packhorse::contract
