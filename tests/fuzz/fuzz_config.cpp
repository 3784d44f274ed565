// Any text as configuration: an answer, never a crash; what is not accepted names at least one mistake.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/config.h"
#include "document/problems.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto loaded = packhorse::config::Parse(text, "fuzz.json");
  if (!loaded.ok() && loaded.problems.empty()) {
    std::abort();
  }
  for (const auto& problem : loaded.problems) {
    if (packhorse::document::Describe(problem).find('\n') != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
