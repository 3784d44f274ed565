#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace packhorse::daemon {

// The arguments of a control command: a JSON object from the other side of a socket, so every getter checks. A member
// that no getter asked for is ignored: members are added, never renamed. Not thread-safe.
class Args {
 public:
  // kInvalidArgument unless `text` is a JSON object.
  static Result<Args> Parse(const std::string& text);
  ~Args();
  Args(Args&&) noexcept;
  Args& operator=(Args&&) noexcept;

  // Absent members give the fallback; a member of another type or out of range is kInvalidArgument.
  Result<std::string> Text(const char* name, const std::string& fallback) const;
  Result<std::int64_t> Integer(const char* name, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
  Result<bool> Flag(const char* name) const;
  Result<std::vector<std::int64_t>> Integers(const char* name, std::size_t max_items) const;

 private:
  struct Impl;
  explicit Args(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace packhorse::daemon
