#include "format/line_protocol/writer.h"

#include <cmath>
#include <limits>

#include "format/text/escape.h"

namespace packhorse::format {
namespace {

constexpr std::string_view kMeasurementSpecial = ", ";
constexpr std::string_view kTagSpecial = ",= ";

// A name or tag. Nothing stands for a line break there, and a backslash at the end would escape what follows.
void AppendLineWord(std::string& out, std::string_view text, std::string_view special, bool* lossy) {
  const std::size_t start = out.size();
  if (text.find_first_of("\r\n") == std::string_view::npos) {
    AppendBackslashed(out, text, special);
  } else {
    std::string blank(text);
    for (char& c : blank) {
      c = c == '\r' || c == '\n' ? ' ' : c;
    }
    AppendBackslashed(out, blank, special);
    *lossy = true;
  }
  if (out.size() > start && out.back() == '\\') {
    out.back() = '/';
    *lossy = true;
  }
}

void AppendLineText(std::string& out, std::string_view text, bool* lossy) {
  out += '"';
  if (text.find_first_of("\r\n") == std::string_view::npos) {
    AppendBackslashed(out, text, "\"\\");
  } else {  // replies count lines, so a line stays one
    *lossy = true;
    for (const char c : text) {
      if (c == '\n' || c == '\r') {
        out += c == '\n' ? "\\n" : "\\r";
      } else {
        AppendBackslashed(out, std::string_view(&c, 1), "\"\\");
      }
    }
  }
  out += '"';
}

bool IsFieldValue(const Scalar& value) {
  const double* number = std::get_if<double>(&value);
  return number != nullptr ? std::isfinite(*number) : !std::holds_alternative<std::nullptr_t>(value);
}

void AppendFieldValue(std::string& out, const Scalar& value, LineIntegers integers, bool* lossy) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    AppendLineText(out, *text, lossy);
    return;
  }
  AppendText(out, value);
  if (integers != LineIntegers::kInteger) {
    return;
  }
  const auto* positive = std::get_if<std::uint64_t>(&value);
  if (std::holds_alternative<std::int64_t>(value) ||
      (positive != nullptr && *positive <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))) {
    out += 'i';
  }
}

void AppendTags(std::string& out, std::span<const Named> tags, bool* lossy) {
  std::string text;
  for (const Named& tag : tags) {
    if (tag.name.empty()) {
      continue;
    }
    text.clear();
    const auto* borrowed = std::get_if<std::string_view>(&tag.value);
    if (borrowed == nullptr && IsFieldValue(tag.value)) {
      AppendText(text, tag.value);
    }
    const std::string_view value = borrowed != nullptr ? *borrowed : text;
    if (!value.empty()) {
      out += ',';
      AppendLineWord(out, tag.name, kTagSpecial, lossy);
      out += '=';
      AppendLineWord(out, value, kTagSpecial, lossy);
    }
  }
}

}  // namespace

Written AppendLine(std::string& out, std::string_view measurement, std::span<const Named> tags,
                   std::span<const Named> fields, std::optional<std::int64_t> time_ns, LineIntegers integers) {
  if (measurement.empty()) {
    return {"a measurement", false};
  }
  Written written;
  const std::size_t start = out.size();
  AppendLineWord(out, measurement, kMeasurementSpecial, &written.lossy);
  if (out[start] == '#') {  // a comment, which nobody stores
    out[start] = '_';
    written.lossy = true;
  }
  AppendTags(out, tags, &written.lossy);
  char before = ' ';
  for (const Named& field : fields) {
    if (field.name.empty() || !IsFieldValue(field.value)) {
      continue;
    }
    out += before;
    before = ',';
    AppendLineWord(out, field.name, kTagSpecial, &written.lossy);
    out += '=';
    AppendFieldValue(out, field.value, integers, &written.lossy);
  }
  if (before == ' ') {
    out.resize(start);
    return {"a field", false};
  }
  if (time_ns) {
    out += ' ';
    AppendText(out, *time_ns);
  }
  out += '\n';
  return written;
}

std::optional<std::vector<std::string_view>> SplitLines(std::string_view body, std::size_t most) {
  std::vector<std::string_view> lines;
  while (!body.empty()) {
    const std::size_t end = body.find('\n');
    if (end == std::string_view::npos || lines.size() == most) {
      return std::nullopt;
    }
    lines.push_back(body.substr(0, end + 1));
    body.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace packhorse::format
