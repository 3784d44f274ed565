#include "format/text/scalar.h"

#include <array>
#include <charconv>
#include <type_traits>

namespace packhorse::format {

Scalar ToScalar(const Value& value) {
  return std::visit(
      [](const auto& held) -> Scalar {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string>) {
          return std::string_view(held);
        } else {
          return held;
        }
      },
      value);
}

void AssignText(Value& value, std::string_view text) {
  if (auto* const held = std::get_if<std::string>(&value)) {
    *held = text;
  } else {
    value.emplace<std::string>(text);
  }
}

void AssignAny(Value& value, const Scalar& scalar) {
  std::visit(
      [&value](auto held) {
        if constexpr (std::is_same_v<decltype(held), std::string_view>) {
          AssignText(value, held);
        } else {
          value = held;
        }
      },
      scalar);
}

void AppendText(std::string& out, const Scalar& value) {
  std::visit(
      [&out](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, bool>) {
          out += held ? "true" : "false";
        } else if constexpr (std::is_same_v<Held, std::string_view>) {
          out += held;
        } else if constexpr (!std::is_same_v<Held, std::nullptr_t>) {
          std::array<char, 32> digits{};
          out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), held).ptr);
        }
      },
      value);
}

}  // namespace packhorse::format
