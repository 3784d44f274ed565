#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace packhorse {

// The names of an enumeration, one for each value from 0 on, in this order: one array for both directions.
template <typename Enum, std::size_t N>
struct EnumNames {
  std::array<std::string_view, N> names;

  // "unknown" for what is no value of the enumeration.
  constexpr std::string_view Of(Enum value) const {
    const auto index = static_cast<std::size_t>(value);
    return index < N ? names[index] : std::string_view("unknown");
  }

  constexpr std::optional<Enum> Find(std::string_view name) const {
    for (std::size_t index = 0; index < N; ++index) {
      if (names[index] == name) {
        return static_cast<Enum>(index);
      }
    }
    return std::nullopt;
  }
};

}  // namespace packhorse
