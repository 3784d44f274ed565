#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/response_rules.h"
#include "outcome/outcome_rules.h"
#include "outcome/wait_hints.h"

namespace packhorse::outcome {

using JsonValue = nlohmann::json;

// The body of a reply as values. `error`: why it is none; then nothing is known of it. A body that is empty has no
// members, and nothing else is known of it either.
struct ReplyBody {
  JsonValue json;
  std::string error;
  bool empty = false;
  bool cut = false;  // many documents: what is behind the last whole one could not be read
  bool readable() const { return error.empty(); }
};

// Parses a body as one document. Bounds: 4 MiB, 32 levels, 64 values an item, at least 16 Ki. Never throws.
ReplyBody ParseOne(const Reply& reply, std::size_t items);
// The same for several documents one after the other, whatever stands between them: a list of them.
ReplyBody ParseMany(const Reply& reply, std::size_t items);

// The value at reference tokens, or null.
const JsonValue* At(const JsonValue& root, std::span<const std::string> tokens);
// A member's text, or empty.
std::string TextMember(const JsonValue& object, const char* name);
// A text as it is, another value as it is written.
std::string ValueText(const JsonValue& value);

// A count, also where it is written as 3.0, which JSON does not tell from 3.
std::optional<std::uint64_t> Count(const JsonValue* value);
// The same, also in quotes, as APIs write numbers of 64 bits and ids.
std::optional<std::uint64_t> CountOrText(const JsonValue* value);

// A reply as rules see it: each part read when first asked for. Not thread-safe; the reply and the hints must outlive
// it. Two headers are seen as they are understood, in whichever form they come: Retry-After is there only where it can
// be read, and RateLimit-Remaining is 0 wherever the rate headers say that nothing is left.
class ReplyView {
 public:
  ReplyView(const Reply& reply, const WaitHints& hints, std::size_t items)
      : reply_(reply), hints_(hints), items_(items) {}

  // Whether all conditions hold. `element`: what their places start at; null: the outermost value.
  bool Fits(const std::vector<contract::Condition>& conditions, bool many, const JsonValue* element);
  // The value at a place of the body, or null.
  const JsonValue* Value(const contract::Place& place, bool many, const JsonValue* element);
  // The text at a place, for people and for waits; none: there is nothing.
  std::optional<std::string> Text(const contract::Place& place, bool many, const JsonValue* element);
  const ReplyBody& Body(bool many);
  bool empty() const { return reply_.body.empty() && !reply_.truncated; }
  // Why the body could not be read when a rule asked for it; empty: it was not asked for, or it could.
  const std::string& failure() const { return failure_; }

 private:
  struct Seen;
  Seen Look(const contract::Place& place, bool many, const JsonValue* element);
  std::string_view HeaderText(const std::string& name) const;

  const Reply& reply_;
  const WaitHints& hints_;
  std::size_t items_;
  std::optional<ReplyBody> one_;
  std::optional<ReplyBody> many_;
  std::string failure_;
  std::string scratch_;  // a number's text
};

}  // namespace packhorse::outcome
