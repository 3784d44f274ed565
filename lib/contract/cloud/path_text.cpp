#include "contract/cloud/path_text.h"

#include <algorithm>

namespace packhorse::contract {
namespace {

// Takes one dot off the front: ".", "%2e", or "%252e", which is one once it is decoded twice.
bool TakeDot(std::string_view& text) {
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    return true;
  }
  std::string_view rest = text;
  if (!rest.starts_with('%')) {
    return false;
  }
  rest.remove_prefix(1);
  while (rest.starts_with("25")) {
    rest.remove_prefix(2);
  }
  if (!rest.starts_with("2e") && !rest.starts_with("2E")) {
    return false;
  }
  text = rest.substr(2);
  return true;
}

bool IsDots(std::string_view segment) {
  return TakeDot(segment) && (segment.empty() || (TakeDot(segment) && segment.empty()));
}

// The placeholders in a segment, "a and b".
std::string NamesWithin(const std::vector<FilledPart>& filled, std::size_t begin, std::size_t end) {
  std::string names;
  for (const FilledPart& part : filled) {
    if (part.begin <= end && part.end >= begin) {
      names += names.empty() ? "" : " and ";
      names += part.name;
    }
  }
  return names;
}

// A slash that the contract itself writes at the end, or twice, stays as it is.
std::string SegmentFault(std::string_view path, std::size_t begin, std::size_t end,
                         const std::vector<FilledPart>& filled) {
  const std::string_view segment = path.substr(begin, end - begin);
  if (IsDots(segment)) {
    const std::string names = NamesWithin(filled, begin, end);
    return (names.empty() ? "it" : names) + " makes " + document::Quoted(segment) + " a segment of the path";
  }
  const auto hollow = std::find_if(filled.begin(), filled.end(), [&](const FilledPart& part) {
    return part.begin == part.end && part.begin == begin && segment.empty();
  });
  return hollow == filled.end() ? "" : std::string(hollow->name) + " leaves a segment of the path empty";
}

}  // namespace

std::string PathFault(std::string_view path, const std::vector<FilledPart>& filled) {
  path = path.substr(0, path.find('?'));
  std::size_t begin = path.find('/');
  while (begin != std::string_view::npos) {
    ++begin;
    const std::size_t slash = path.find('/', begin);
    const std::size_t end = slash == std::string_view::npos ? path.size() : slash;
    if (std::string fault = SegmentFault(path, begin, end, filled); !fault.empty()) {
      return fault;
    }
    begin = slash;
  }
  return "";
}

void CheckPath(const Text& path, const document::Node& at, document::Problems& problems) {
  if (path.pieces.empty()) {
    return;  // told of its own
  }
  // A placeholder that is escaped has no slash; a letter stands for it.
  std::string known;
  for (const Piece& piece : path.pieces) {
    known += piece.placeholder ? "x" : piece.literal;
  }
  const Piece& first = path.pieces.front();
  if (!(first.placeholder && first.placeholder->raw) && !known.starts_with('/')) {
    problems.Error(at, "the path does not start with '/'", {.allowed = "\"/\" and what follows the destination's URL"});
  } else if (const std::string fault = PathFault(known, {}); !fault.empty()) {
    problems.Error(at, fault + ", which leads elsewhere", {.allowed = "a path without such segments"});
  }
}

}  // namespace packhorse::contract
