#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "record/canonical_record.h"

namespace packhorse::format {

// Appends JSON to a string. Pure functions.

// `text` in quotes, escaped. Bytes that are not UTF-8 become U+FFFD, so that a body is always valid.
void AppendString(std::string& out, std::string_view text);
void AppendInteger(std::string& out, std::int64_t number);
void AppendUnsigned(std::string& out, std::uint64_t number);
// The shortest form that reads back to the same double, always with a point or an exponent, so that it stays a double.
// What JSON cannot say (NaN, infinities) is null.
void AppendDouble(std::string& out, double number);
void AppendValue(std::string& out, const Value& value);
// FormatUtc() in quotes.
void AppendWallTime(std::string& out, WallTime time);

// The same to memory, for what is written once per record. Return where the next byte goes. REQUIRES: room for
// MostBytes() of what is written.
inline constexpr std::size_t kMostNumberBytes = 40;  // of a number, a time, true, false and null
constexpr std::size_t MostBytes(std::string_view text) { return 6 * text.size() + 2; }
std::size_t MostBytes(const Value& value);
char* WriteString(char* at, std::string_view text);
char* WriteInteger(char* at, std::int64_t number);
char* WriteUnsigned(char* at, std::uint64_t number);
char* WriteDouble(char* at, double number);
char* WriteValue(char* at, const Value& value);
char* WriteWallTime(char* at, WallTime time);

}  // namespace packhorse::format
