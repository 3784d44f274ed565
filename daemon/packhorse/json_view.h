#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace packhorse::cli {

// Reads a JSON answer without trusting it: a member that is missing or of another type reads as empty, zero or none.
// A view shares the parsed text; cheap to copy.
class JsonView {
 public:
  explicit JsonView(const std::string& text);

  JsonView operator[](const char* name) const;                    // a member; an empty view when there is none
  std::vector<JsonView> Items() const;                            // of an array
  std::vector<std::pair<std::string, JsonView>> Members() const;  // of an object, in order

  bool Exists() const;  // present and not null
  std::string Text() const;
  std::uint64_t Count() const;
  std::optional<double> Number() const;
  bool Flag() const;
  std::optional<WallTime> Time() const;
  // As it stands in JSON; text without its quotes.
  std::string Shown() const;

 private:
  struct Document;
  JsonView(std::shared_ptr<const Document> document, const void* node);
  std::shared_ptr<const Document> document_;
  const void* node_;  // into document_, may be null
};

// A moment as people like to read it; "-" when there is none.
std::string When(const JsonView& time, WallTime now);

}  // namespace packhorse::cli
