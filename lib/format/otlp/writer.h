#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "format/text/scalar.h"

namespace packhorse::format {

// Metrics of the OpenTelemetry protocol in its JSON form: proto3 JSON, with 64 bits as text and enums as numbers.
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
// A body is OtlpHead(), metrics with commas between them, OtlpTail().

// Everything before the first metric: one resource with these attributes, one scope.
void AppendOtlpHead(std::string& out, std::span<const Named> resource, std::string_view scope);
// Everything behind the last metric.
std::string_view OtlpTail();

// One gauge with one data point. A boolean is 1 or 0; what 64 signed bits do not hold is a double; NaN and infinities
// are written, as proto3 JSON names them. Attributes without a name or that are null are left out. An empty unit is
// left out. `missing`: a name, or a number (null and text are none).
Written AppendMetric(std::string& out, std::string_view name, std::string_view unit, const Scalar& value,
                     std::int64_t time_ns, std::span<const Named> attributes);

}  // namespace packhorse::format
