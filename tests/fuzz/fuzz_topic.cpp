// Any text as topic pattern, any as topic: captures exactly when it matches, and a pattern covers itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/topic.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t split = bytes.find('\n');
  const std::string_view topic = split == std::string_view::npos ? bytes : bytes.substr(split + 1);
  const auto pattern = packhorse::TopicPattern::Parse(bytes.substr(0, split));
  if (!pattern) {
    return 0;
  }
  if (!pattern->Matches(topic) && !pattern->Captures(topic).empty()) {
    std::abort();
  }
  if (!packhorse::Covers(*pattern, *pattern) || !packhorse::Overlap(*pattern, *pattern)) {
    std::abort();
  }
  return 0;
}
