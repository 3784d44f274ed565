#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "format/json/plain.h"
#include "format/text/scalar.h"

namespace packhorse::format {

// Why a text is not JSON. `reason` is one of the stable names of DeviceContract, `what` is for people; both are
// literals.
struct JsonFault {
  const char* reason = nullptr;
  const char* what = nullptr;
  std::size_t offset = 0;
};

// Reads JSON (RFC 8259) token by token, without a tree and without copying what needs no unescaping. Every method
// returns false when it fails and leaves fault() set; nothing may be read after that. Not thread-safe. `text` must
// outlive the reader.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  // Skips white space and shows the next byte without taking it; '\0' at the end of the text.
  char Peek() { return at_ != end_ && *at_ > ' ' ? *at_ : SkipSpace(); }
  bool AtEnd() const { return at_ == end_; }
  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }
  // The text from an offset up to what is read next.
  std::string_view Since(std::size_t from) const { return {begin_ + from, offset() - from}; }

  // Takes one byte that Peek() has shown.
  void Take() { ++at_; }
  // Skips white space and takes the next byte if it is `c`, which is neither white space nor NUL.
  bool TakeIf(char c) {
    if ((at_ != end_ && *at_ == c) || Peek() == c) {
      ++at_;
      return true;
    }
    return false;
  }
  // A string, unescaped; valid until the next call. REQUIRES: Peek() == '"'.
  bool ReadString(std::string_view* out) {
    const char* const start = at_ + 1;
    at_ = SkipPlainWords(start, end_);
    if (at_ == end_ || *at_ != '"') {
      return ReadSpecial(start, out);
    }
    *out = std::string_view(start, static_cast<std::size_t>(at_ - start));
    ++at_;
    return true;
  }
  // A number, true, false or null. Integers of 64 bits are exact. REQUIRES: `first` is what Peek() has shown.
  bool ReadScalar(char first, Scalar* out) { return BeginsNumber(first) ? ReadNumber(out) : ReadWord(out); }
  static constexpr bool BeginsNumber(char c) { return IsDigit(c) || c == '-'; }
  // Whether what ReadString() gave is part of the text, and so lives as long as that does.
  bool IsOfText(std::string_view read) const { return read.data() != scratch_.data(); }

  // Whether something read since the last call could not be represented: digits that a double does not hold, a number
  // beyond its range (read as null), half a surrogate pair (read as U+FFFD).
  bool TakeLossy() { return std::exchange(lossy_, false); }

  // Both return false. Unexpected() is invalid_json, or truncated_json when the text ends here.
  bool Unexpected(const char* what);
  bool Fail(const char* reason, const char* what);
  const JsonFault& fault() const { return fault_; }

 private:
  // The next byte, whatever it is; '\0' at the end of the text.
  char Next() const { return at_ != end_ ? *at_ : '\0'; }
  std::string_view Rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }
  char SkipSpace();
  bool FailOfNoNumber();

  bool ReadSpecial(const char* start, std::string_view* out);
  bool ReadEscapes(std::string_view* out);
  bool AppendEscape();
  bool ReadHex4(unsigned* out);
  bool ReadUnicodeEscape();
  bool ReadWord(Scalar* out);
  bool ReadLiteral(std::string_view literal, Scalar value, Scalar* out);
  bool ReadNumber(Scalar* out);
  bool ReadLongNumber(Scalar* out);
  bool ScanNumber(bool* integer);
  bool ScanDigits();

  const char* begin_;
  const char* at_;
  const char* end_;
  bool lossy_ = false;
  std::string scratch_;
  JsonFault fault_;
};

}  // namespace packhorse::format
