#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/text/scalar.h"

namespace packhorse::format {

// InfluxDB's line protocol: measurement,tag=value field=1.5,text="a" 1465839830100400200
// https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/

// How whole numbers are written. A field that is 21 now and 21.5 later must not change its type.
enum class LineIntegers {
  kFloat,    // 21
  kInteger,  // 21i; what 64 signed bits do not hold stays a float
};

// One line and its line feed, from names and values in UTF-8. Each place has its own escapes; what the protocol has
// none for is written otherwise, and the line is `lossy`: a line break in a name or tag is a blank and in a field \n as
// two characters, a backslash at the end of a name or tag is a slash, a # that begins the line an underscore. Tags and
// fields without a name, without a value (null, empty tags, NaN and infinities) are left out; others are written as
// given, in the order given: two of one name are the caller's mistake. `missing`: a measurement, or a field.
Written AppendLine(std::string& out, std::string_view measurement, std::span<const Named> tags,
                   std::span<const Named> fields, std::optional<std::int64_t> time_ns,
                   LineIntegers integers = LineIntegers::kFloat);

// The lines of a body of whole lines that AppendLine() made, each with its line feed. None: the last one is cut, or
// there are more than `most`.
std::optional<std::vector<std::string_view>> SplitLines(std::string_view body, std::size_t most);

}  // namespace packhorse::format
