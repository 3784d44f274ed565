#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace packhorse::config {

// What is wrong with a file that the configuration names, and what mends it.
struct FileProblem {
  std::string message;
  std::string allowed;
};

inline constexpr std::uint64_t kMaxSecretBytes = 64U << 10U;
inline constexpr std::uint64_t kMaxPemBytes = 1U << 20U;

// A regular file that this user can read, neither empty nor larger than `max_bytes`. `secret`: other users must have no
// access at all; access of the group is accepted, because files of /etc usually belong to root and the service's group.
std::optional<FileProblem> CheckFile(const std::string& path, std::uint64_t max_bytes, bool secret);
// The same for a file in PEM form (RFC 7468).
std::optional<FileProblem> CheckPemFile(const std::string& path, bool secret);

}  // namespace packhorse::config
