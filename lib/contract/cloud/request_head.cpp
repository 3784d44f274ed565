#include "contract/cloud/request_head.h"

#include "contract/cloud/path_text.h"

namespace packhorse::contract {

std::string WritePath(Renderer& renderer, const Text& text) {
  std::string path;
  std::vector<FilledPart> filled;
  for (const Piece& piece : text.pieces) {
    const std::size_t begin = path.size();
    if (!renderer.Write(piece, path, AppendPath)) {
      return "";
    }
    if (piece.placeholder) {
      filled.push_back({begin, path.size(), piece.placeholder->name});
    }
  }
  if (std::string fault = PathFault(path, filled); !fault.empty()) {
    renderer.Unfit(std::move(fault));
    return "";
  }
  return path;
}

std::string WriteTarget(Renderer& renderer, const Text& path_text, const QueryTexts& query) {
  std::string path = WritePath(renderer, path_text);
  char separator = path.find('?') == std::string::npos ? '?' : '&';
  for (const auto& [name, value] : query) {
    std::string pair;
    renderer.Write(name, pair, AppendQuery);
    pair += '=';
    const Placeholder* alone = value.alone();
    if (alone != nullptr && alone->source != Source::kSecret && IsMissing(renderer.ValueOf(*alone))) {
      continue;
    }
    renderer.Write(value, pair, AppendQuery);
    path += separator;
    path += pair;
    separator = '&';
  }
  return path;
}

bool WriteHeader(Renderer& renderer, const std::string& name, const Text& value, Headers& headers) {
  const Placeholder* alone = value.alone();
  if (alone != nullptr && alone->source != Source::kSecret && IsMissing(renderer.ValueOf(*alone))) {
    return true;
  }
  std::string text;
  if (!renderer.Write(value, text, AppendHeader)) {
    return false;
  }
  headers.emplace_back(name, std::move(text));
  return true;
}

}  // namespace packhorse::contract
