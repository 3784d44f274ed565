#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace packhorse::queue {

// The rows of a segment (row_codec.h), turned into columns before they are compressed, and back (FORMAT.md, "A
// segment's bytes"). Numbers, times and topics each stand together, as differences and numbers of a dictionary.
// Payloads that are text with numbers become the text around the numbers, once, and the numbers by their place, as
// differences from those that the same topic sent before. Pure functions; any thread.

// REQUIRES: `rows` are whole rows.
std::string ToColumns(std::string_view rows);

// kCorrupt when the bytes are no columns, or give more than `max_bytes` of rows.
Result<std::string> FromColumns(std::string_view columns, std::size_t max_bytes);

// Whether FromColumns() gives exactly these rows.
bool Reproduces(std::string_view columns, std::string_view rows);

}  // namespace packhorse::queue
