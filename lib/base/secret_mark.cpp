#include "base/secret_mark.h"

#include <algorithm>

#include "base/encode.h"
#include "base/text.h"

namespace packhorse {
namespace {

constexpr char kBegin = '\x01';
constexpr char kEnd = '\x02';

Status AppendValue(std::string& out, MarkPlace place, std::string_view name, const std::string& value) {
  if (place == MarkPlace::kPath && (value == "." || value == "..")) {
    return Error{ErrorCode::kInvalidArgument, "the secret '" + std::string(name) + "' would lead to another path"};
  }
  if (place != MarkPlace::kHeader) {
    out += PercentEncode(value);
    return {};
  }
  if (std::any_of(value.begin(), value.end(), IsControl)) {
    return Error{ErrorCode::kInvalidArgument,
                 "the secret '" + std::string(name) + "' has a control character, which a header cannot carry"};
  }
  out += value;
  return {};
}

}  // namespace

std::string SecretMark(MarkPlace place, std::string_view name) {
  std::string mark{kBegin, static_cast<char>(place)};
  mark += name;
  mark += kEnd;
  return mark;
}

bool HasSecretMark(std::string_view text) { return text.find(kBegin) != std::string_view::npos; }

Result<std::string> FillSecrets(std::string_view text,
                                const std::function<const std::string*(std::string_view name)>& value) {
  std::string out;
  while (!text.empty()) {
    const std::size_t begin = text.find(kBegin);
    out += text.substr(0, begin);
    const std::size_t end = begin == std::string_view::npos ? begin : text.find(kEnd, begin);
    if (end == std::string_view::npos || end < begin + 2) {
      break;
    }
    const std::string_view name = text.substr(begin + 2, end - begin - 2);
    const std::string* secret = value(name);
    if (secret == nullptr) {
      return Error{ErrorCode::kNotFound, "there is no value for the secret '" + std::string(name) + "'"};
    }
    RETURN_IF_ERROR(AppendValue(out, static_cast<MarkPlace>(text[begin + 1]), name, *secret));
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string MaskSecretMarks(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t begin = text.find(kBegin);
    out += text.substr(0, begin);
    if (begin == std::string_view::npos) {
      break;
    }
    out += "***";
    const std::size_t end = text.find(kEnd, begin);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

}  // namespace packhorse
