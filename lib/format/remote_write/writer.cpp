#include "format/remote_write/writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/text.h"

namespace packhorse::format {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr std::string_view kNameLabel = "__name__";

// A Protobuf tag is the field's number and its wire type in the lowest three bits.
constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kFixed64 = 1;
constexpr std::uint32_t kBytes = 2;
constexpr std::uint32_t ProtoTag(std::uint32_t field, std::uint32_t type) { return field << 3U | type; }
// prometheus/prompb: WriteRequest.timeseries; TimeSeries.labels, .samples; Label.name, .value; Sample.value,
// .timestamp.
constexpr std::uint32_t kTimeseriesTag = ProtoTag(1, kBytes);
constexpr std::uint32_t kLabelsTag = ProtoTag(1, kBytes);
constexpr std::uint32_t kSamplesTag = ProtoTag(2, kBytes);
constexpr std::uint32_t kLabelNameTag = ProtoTag(1, kBytes);
constexpr std::uint32_t kLabelValueTag = ProtoTag(2, kBytes);
constexpr std::uint32_t kSampleValueTag = ProtoTag(1, kFixed64);
constexpr std::uint32_t kSampleTimeTag = ProtoTag(2, kVarint);

constexpr std::int64_t kExactWhole = std::int64_t{1} << 53U;  // a double holds every whole number up to it

struct Label {
  std::string name;
  std::string value;
};

// The text as a legal name.
std::string LegalName(std::string_view text, bool colon, bool* lossy) {
  std::string name;
  if (!text.empty() && IsDigit(text.front())) {
    name += '_';
    *lossy = true;
  }
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const bool legal = IsAlnum(c) || c == '_' || (colon && c == ':');
    *lossy = *lossy || !legal;
    name += legal ? c : '_';
    at += legal ? 1 : FirstCharacter(text.substr(at)).bytes;
  }
  return name;
}

std::vector<Label> LegalLabels(std::span<const Named> labels, bool* lossy) {
  std::vector<Label> legal;
  legal.reserve(labels.size());
  for (const Named& label : labels) {
    Label made;
    AppendText(made.value, label.value);
    if (label.name.empty() || made.value.empty()) {
      continue;
    }
    if (label.name == kNameLabel) {
      made.name = kNameLabel;
      made.value = LegalName(made.value, true, lossy);
    } else {
      made.name = LegalName(label.name, false, lossy);
    }
    legal.push_back(std::move(made));
  }
  std::sort(legal.begin(), legal.end(), [](const Label& a, const Label& b) { return a.name < b.name; });
  return legal;
}

const char* WhatIsMissing(const std::vector<Label>& labels) {
  if (std::none_of(labels.begin(), labels.end(), [](const Label& label) { return label.name == kNameLabel; })) {
    return "the label __name__";
  }
  const auto same = [](const Label& a, const Label& b) { return a.name == b.name; };
  return std::adjacent_find(labels.begin(), labels.end(), same) == labels.end() ? nullptr
                                                                                : "names of labels that differ";
}

std::optional<double> SampleValue(const Scalar& value, bool* lossy) {
  if (const auto* boolean = std::get_if<bool>(&value)) {
    return *boolean ? 1.0 : 0.0;
  }
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    *lossy = *lossy || *whole > kExactWhole || *whole < -kExactWhole;
    return static_cast<double>(*whole);
  }
  if (const auto* positive = std::get_if<std::uint64_t>(&value)) {
    *lossy = *lossy || *positive > static_cast<std::uint64_t>(kExactWhole);
    return static_cast<double>(*positive);
  }
  const auto* number = std::get_if<double>(&value);
  return number != nullptr ? std::optional<double>(*number) : std::nullopt;
}

// Every tag here has one byte.
std::size_t BytesFieldSize(std::size_t size) {
  return 1 + CodedOutputStream::VarintSize32(static_cast<std::uint32_t>(size)) + size;
}
std::size_t LabelSize(const Label& label) {
  return BytesFieldSize(label.name.size()) + BytesFieldSize(label.value.size());
}

void WriteBytes(CodedOutputStream& out, std::uint32_t tag, std::string_view bytes) {
  out.WriteTag(tag);
  out.WriteVarint32(static_cast<std::uint32_t>(bytes.size()));
  out.WriteRaw(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

Written AppendSeries(std::string& out, std::span<const Named> labels, const Scalar& value, std::int64_t time_ms) {
  Written written;
  const std::optional<double> number = SampleValue(value, &written.lossy);
  if (!number) {
    return {"a number", false};
  }
  const std::vector<Label> legal = LegalLabels(labels, &written.lossy);
  if (const char* missing = WhatIsMissing(legal)) {
    return {missing, false};
  }
  const auto time = static_cast<std::uint64_t>(time_ms);  // Protobuf's int64 is two's complement
  const std::size_t sample = 1 + sizeof(double) + 1 + CodedOutputStream::VarintSize64(time);
  std::size_t series = BytesFieldSize(sample);
  for (const Label& label : legal) {
    series += BytesFieldSize(LabelSize(label));
  }
  if (series > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return {"a size below 2 GiB", false};
  }
  google::protobuf::io::StringOutputStream text(&out);
  CodedOutputStream coded(&text);
  coded.WriteTag(kTimeseriesTag);
  coded.WriteVarint32(static_cast<std::uint32_t>(series));
  for (const Label& label : legal) {
    coded.WriteTag(kLabelsTag);
    coded.WriteVarint32(static_cast<std::uint32_t>(LabelSize(label)));
    WriteBytes(coded, kLabelNameTag, label.name);
    WriteBytes(coded, kLabelValueTag, label.value);
  }
  coded.WriteTag(kSamplesTag);
  coded.WriteVarint32(static_cast<std::uint32_t>(sample));
  coded.WriteTag(kSampleValueTag);
  std::uint64_t bits = 0;
  static_assert(sizeof(bits) == sizeof(*number));
  std::memcpy(&bits, &*number, sizeof(bits));
  coded.WriteLittleEndian64(bits);
  coded.WriteTag(kSampleTimeTag);
  coded.WriteVarint64(time);
  return written;
}

std::optional<std::vector<std::string_view>> SplitSeries(std::string_view body, std::size_t most) {
  std::vector<std::string_view> series;
  while (!body.empty()) {
    const auto most_read = static_cast<int>(std::min<std::size_t>(body.size(), std::numeric_limits<int>::max()));
    CodedInputStream in(reinterpret_cast<const std::uint8_t*>(body.data()), most_read);
    std::uint32_t size = 0;
    if (in.ReadTag() != kTimeseriesTag || !in.ReadVarint32(&size) || series.size() == most ||
        size > body.size() - static_cast<std::size_t>(in.CurrentPosition())) {
      return std::nullopt;
    }
    series.push_back(body.substr(0, static_cast<std::size_t>(in.CurrentPosition()) + size));
    body.remove_prefix(series.back().size());
  }
  return series;
}

}  // namespace packhorse::format
