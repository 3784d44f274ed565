#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace packhorse {

// What kind of failure it is. Callers branch on the code; people read the message.
enum class ErrorCode {
  kInvalidArgument,   // the caller's or the user's input is wrong
  kNotFound,          // a file, key or id does not exist
  kAlreadyExists,     // something is in the way
  kPermissionDenied,  // the operating system or a policy said no
  kUnavailable,       // the other side is not there now; trying later may help
  kTimeout,           // no answer in time
  kIo,                // reading, writing or syncing failed
  kDiskFull,          // ENOSPC, EDQUOT, SQLITE_FULL
  kCorrupt,           // stored or received bytes contradict their format
  kUnsupported,       // understood, but not something this build or version does
  kLimitExceeded,     // a stated bound was reached
  kBusy,              // held by another process or another operation
  kInternal,          // a broken invariant: our bug
};

// Stable lower-case name, for logs and JSON: "not_found".
std::string_view Name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  // Puts `context` in front on the way up: "open queue: <message>". The code stays.
  [[nodiscard]] Error With(std::string_view context) const;
};

// Error for a failed system call: message is `what` and strerror(number); ENOSPC, EACCES, ENOENT, ... choose the code.
Error ErrnoError(std::string_view what, int number);

// A value or an Error. Ignoring one does not compile. Member names follow std::expected, so that it can become it.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: has_value().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  // By value, so that `for (auto& item : *List())` keeps the list.
  T value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !has_value().
  const Error& error() const { return std::get<1>(state_); }

  T value_or(T fallback) const& { return has_value() ? value() : std::move(fallback); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  // REQUIRES: !has_value().
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

// Returns the error of a Result or Status to the caller, where there is one:
//
//   const Result<Meta> meta = LoadMeta(db);
//   RETURN_IF_ERROR(meta);
//   RETURN_IF_ERROR(db.Execute("BEGIN"));
//
// A macro, for only a macro can return. The counter keeps the names of nested ones apart.
#define RETURN_IF_ERROR(...) PACKHORSE_RETURN_IF_ERROR(PACKHORSE_JOIN(packhorse_result_, __COUNTER__), __VA_ARGS__)
#define PACKHORSE_RETURN_IF_ERROR(NAME, ...)     \
  if (const auto& NAME = (__VA_ARGS__); !NAME) { \
    return NAME.error();                         \
  }                                              \
  static_assert(true)
#define PACKHORSE_JOIN(A, B) PACKHORSE_JOIN_(A, B)
#define PACKHORSE_JOIN_(A, B) A##B

}  // namespace packhorse
