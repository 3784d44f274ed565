#include "contract/cloud/split_items.h"

#include <optional>

#include "format/line_protocol/writer.h"
#include "format/remote_write/writer.h"

namespace packhorse::contract {
namespace {

constexpr std::size_t kMost = 1'000'000;

// Where the JSON text behind a quote, which is at `at`, ends: behind its other quote.
std::size_t EndOfString(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    at += text[at] == '\\' ? 1U : 0U;
  }
  return at + 1;
}

// Values with commas between them. JSON of ours has no white space.
std::optional<std::vector<std::string_view>> SplitValues(std::string_view text) {
  std::vector<std::string_view> values;
  std::size_t depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char each = text[at];
    if (each == '"') {
      at = EndOfString(text, at);
      continue;
    }
    if (each == ',' && depth == 0) {
      values.push_back(text.substr(begin, at - begin));
      begin = at + 1;
    }
    if ((each == '}' || each == ']') && depth == 0) {
      return std::nullopt;
    }
    depth += each == '{' || each == '[' ? 1U : 0U;
    depth -= each == '}' || each == ']' ? 1U : 0U;
    ++at;
  }
  if (depth > 0 || begin > text.size()) {
    return std::nullopt;
  }
  if (!text.empty()) {
    values.push_back(text.substr(begin));
  }
  return values;
}

std::optional<std::vector<std::string_view>> SplitLinesOfItems(std::string_view text, std::size_t lines) {
  std::vector<std::string_view> items;
  std::size_t begin = 0;
  std::size_t count = 0;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (++count == lines) {
      items.push_back(text.substr(begin, at + 1 - begin));
      begin = at + 1;
      count = 0;
    }
  }
  return begin == text.size() ? std::optional(std::move(items)) : std::nullopt;
}

}  // namespace

Result<std::vector<std::string>> SplitItems(const CloudDefinition& definition, std::string_view items) {
  std::optional<std::vector<std::string_view>> parts;
  switch (definition.body) {
    case BodyKind::kNdjson:
      parts = SplitLinesOfItems(items, definition.lines.size());
      break;
    case BodyKind::kLineProtocol:
      parts = format::SplitLines(items, kMost);
      break;
    case BodyKind::kRemoteWrite:
      parts = format::SplitSeries(items, kMost);
      break;
    default:
      parts = SplitValues(items);
      break;
  }
  if (!parts) {
    return Error{ErrorCode::kCorrupt, "the body of a batch is not what " + definition.contract + " makes"};
  }
  return std::vector<std::string>(parts->begin(), parts->end());
}

}  // namespace packhorse::contract
