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

Value ToValue(const Scalar& scalar) {
  return std::visit(
      [](auto held) {
        if constexpr (std::is_same_v<decltype(held), std::string_view>) {
          return Value(std::in_place_type<std::string>, held);
        } else {
          return Value(held);
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
