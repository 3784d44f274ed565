#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "record/canonical_record.h"

namespace packhorse::format {

// What readers read and the writers of lines and metrics write: a Value whose text is borrowed. Valid as long as that
// text.
using Scalar = std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string_view>;
Scalar ToScalar(const Value& value);
void AssignAny(Value& value, const Scalar& scalar);
// Likewise the other way: `value` gets a copy, in the memory of the text that it has, if it has one.
void AssignText(Value& value, std::string_view text);
inline void Assign(Value& value, const Scalar& scalar) {
  // Mostly a number takes the place of one.
  const auto replace = [&value](const auto* number) {
    auto* const held = number == nullptr ? nullptr : std::get_if<std::decay_t<decltype(*number)>>(&value);
    if (held != nullptr) {
      *held = *number;
    }
    return held != nullptr;
  };
  if (!replace(std::get_if<double>(&scalar)) && !replace(std::get_if<std::int64_t>(&scalar))) {
    AssignAny(value, scalar);
  }
}

// A name and a value: a tag, field, label or attribute.
struct Named {
  std::string_view name;
  Scalar value;
};

// What became of an item.
struct Written {
  const char* missing = nullptr;  // what an item needs and this one lacks, a literal for people; nothing was appended
  bool lossy = false;             // something could not be written as it is
  explicit operator bool() const { return missing == nullptr; }
};

// The value as plain text: digits, "true", "nan", "inf", "-inf"; the shortest digits that read back to the same double.
// Nothing for null.
void AppendText(std::string& out, const Scalar& value);

}  // namespace packhorse::format
