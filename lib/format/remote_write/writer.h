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

// Prometheus remote write 1.0: the Protobuf message prometheus.WriteRequest, which is nothing but its series one after
// the other. https://prometheus.io/docs/specs/prw/remote_write_spec/
// The body is sent in Snappy's block format.

// One series with one sample. The writer sorts the labels and makes their names legal: every character but letters,
// digits and _ (in `__name__`'s value also :) becomes _, and a digit in front gets one before it; such a series is
// `lossy`. Labels without a value are left out. NaN and infinities are numbers here; a boolean is 1 or 0, a whole
// number beyond 2^53 is rounded and `lossy`. `missing`: the label __name__, a number (null and text are none), or names
// of labels that differ.
Written AppendSeries(std::string& out, std::span<const Named> labels, const Scalar& value, std::int64_t time_ms);

// The series of a body that AppendSeries() made, each with its tag and length. None: it is no such body, or there are
// more than `most`.
std::optional<std::vector<std::string_view>> SplitSeries(std::string_view body, std::size_t most);

}  // namespace packhorse::format
