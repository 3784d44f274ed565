#include "queue/segment/message_codec.h"

#include <zstd.h>

#include <chrono>
#include <memory>

#include "base/crc32c.h"
#include "queue/journal/bytes.h"
#include "queue/segment/column_codec.h"
#include "queue/segment/row_codec.h"

namespace packhorse::queue {
namespace {

constexpr char kPlain = 0;
constexpr char kZstd = 1;
constexpr char kZstdColumns = 2;
constexpr std::size_t kBlobHeaderBytes = 5;
constexpr std::size_t kMaxPlainBytes = 256ULL << 20U;
constexpr int kZstdLevel = 1;
// A lone message of usual size has nothing to share a dictionary with; compressing it is work for a few bytes.
constexpr std::size_t kMinCompressBytes = 512;

constexpr unsigned kRetained = 1U << 2U;
constexpr unsigned kRedelivered = 1U << 3U;
constexpr unsigned kClockShift = 4;

// Damaged bytes may hold any numbers; adding them must stay defined.
std::int64_t AddWrapping(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// Appends the compressed bytes; false, and nothing appended, when that does not make them smaller. The context is kept:
// making one costs more than compressing a small segment.
bool AppendCompressed(std::string& out, std::string_view plain) {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  const std::size_t before = out.size();
  out.resize(before + ZSTD_compressBound(plain.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), out.data() + before, out.size() - before, plain.data(),
                                             plain.size(), kZstdLevel);
  const bool smaller = ZSTD_isError(size) == 0U && size < plain.size();
  out.resize(smaller ? before + size : before);
  return smaller;
}

// What the message before it in the segment leaves to subtract.
struct Before {
  Sequence sequence = 0;  // this one's, counted from the segment's first
  std::int64_t received = 0;
  std::int64_t boot = 0;
};

struct Texts {
  std::string_view topic;
  std::string_view payload;
  std::string_view content_type;
};

// `head` without its texts; `properties` is a range of pairs of texts.
template <typename Properties>
void PutMessage(std::string& out, const Before& before, const RawMessage& head, const Texts& texts,
                const Properties& properties) {
  const bool extended = !texts.content_type.empty() || !properties.empty();
  PutVarint(out, before.sequence);
  PutVarint(out, head.stream);
  const unsigned flags = (head.qos & 3U) | (head.retained ? kRetained : 0U) | (head.redelivered ? kRedelivered : 0U) |
                         (static_cast<unsigned>(head.clock) << kClockShift) | (extended ? kRowHasProperties : 0U) |
                         (head.received_at_raw ? kRowHasRawStamp : 0U);
  out += static_cast<char>(static_cast<unsigned char>(flags));
  PutSigned(out, head.received_at.time_since_epoch().count() - before.received);
  PutSigned(out, head.boot_time.count() - before.boot);
  PutText(out, texts.topic);
  PutText(out, texts.payload);
  if (extended) {
    PutText(out, texts.content_type);
    PutVarint(out, properties.size());
    for (const auto& [name, value] : properties) {
      PutText(out, name);
      PutText(out, value);
    }
  }
  if (head.received_at_raw) {
    PutSigned(out, (*head.received_at_raw - head.received_at).count());
  }
}

Error Damaged(std::string_view what) {
  return Error{ErrorCode::kCorrupt, "segment: " + std::string(what) + " does not hold"};
}

Result<std::string> Decompress(std::string_view data) {
  const unsigned long long size = ZSTD_getFrameContentSize(data.data(), data.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaxPlainBytes) {
    return Damaged("its compressed size");
  }
  std::string plain(static_cast<std::size_t>(size), '\0');
  const std::size_t got = ZSTD_decompress(plain.data(), plain.size(), data.data(), data.size());
  if (ZSTD_isError(got) != 0U || got != plain.size()) {
    return Damaged("its compression");
  }
  return plain;
}

}  // namespace

void SegmentEncoder::Add(Sequence sequence, const RawMessage& message) {
  PutMessage(plain_, {sequence - first_, received_before_, boot_before_}, message,
             Texts{message.topic, message.payload, message.content_type}, message.user_properties);
  Count(sequence, message, message.payload.size());
}

void SegmentEncoder::AddCurrent(Sequence sequence, const SegmentReader& reader) {
  PutMessage(plain_, {sequence - first_, received_before_, boot_before_}, reader.head_,
             Texts{reader.topic_, reader.payload_, reader.content_type_}, reader.properties_);
  Count(sequence, reader.head_, reader.payload_.size());
}

void SegmentEncoder::Count(Sequence sequence, const RawMessage& head, std::size_t payload_bytes) {
  received_before_ = head.received_at.time_since_epoch().count();
  boot_before_ = head.boot_time.count();
  last_ = sequence;
  payload_bytes_ += payload_bytes;
  ++messages_;
}

void AppendMessage(std::string& out, const RawMessage& message) {
  PutMessage(out, {}, message, Texts{message.topic, message.payload, message.content_type}, message.user_properties);
}

std::string SegmentEncoder::Finish() const {
  const std::uint32_t crc = Crc32c(plain_);
  std::string blob(1, kPlain);
  for (unsigned i = 0; i < 4; ++i) {
    blob += static_cast<char>(static_cast<unsigned char>(crc >> (8U * i)));
  }
  if (plain_.size() < kMinCompressBytes) {
    return blob + plain_;
  }
  if (messages_ > 1) {
    const std::string columns = ToColumns(plain_);
    if (Reproduces(columns, plain_) && AppendCompressed(blob, columns)) {
      blob[0] = kZstdColumns;
      return blob;
    }
  }
  if (!AppendCompressed(blob, plain_)) {
    return blob + plain_;
  }
  blob[0] = kZstd;
  return blob;
}

Result<std::string> OpenSegment(std::string_view blob) {
  if (blob.size() < kBlobHeaderBytes) {
    return Damaged("its length");
  }
  std::uint32_t crc = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    crc |= static_cast<std::uint32_t>(static_cast<unsigned char>(blob[1 + i])) << (8U * i);
  }
  const std::string_view data = blob.substr(kBlobHeaderBytes);
  std::string plain;
  if (blob[0] == kZstd || blob[0] == kZstdColumns) {
    Result<std::string> decompressed = Decompress(data);
    if (decompressed && blob[0] == kZstdColumns) {
      decompressed = FromColumns(*decompressed, kMaxPlainBytes);
    }
    if (!decompressed) {
      return decompressed;
    }
    plain = *std::move(decompressed);
  } else if (blob[0] == kPlain) {
    plain = data;
  } else {
    return Damaged("its codec");
  }
  if (Crc32c(plain) != crc) {
    return Damaged("its checksum");
  }
  return plain;
}

Result<SegmentReader::Head> SegmentReader::Next() {
  ByteReader in(rest_);
  const Row row = ReadRow(in);
  if (!in.ok()) {
    rest_ = {};
    return Damaged("a message");
  }
  rest_ = in.rest();
  received_ = AddWrapping(received_, row.received);
  boot_ = AddWrapping(boot_, row.boot);
  topic_ = row.topic;
  payload_ = row.payload;
  head_.stream = static_cast<StreamId>(row.stream);
  head_.qos = static_cast<std::uint8_t>(row.flags & 3U);
  head_.retained = (row.flags & kRetained) != 0;
  head_.redelivered = (row.flags & kRedelivered) != 0;
  head_.clock = static_cast<ClockState>((row.flags >> kClockShift) & 3U);
  head_.received_at = WallTime(std::chrono::microseconds(received_));
  head_.boot_time = std::chrono::nanoseconds(boot_);
  ReadRest(row.rest, row.flags);
  return Head{first_ + row.sequence, head_.stream};
}

void SegmentReader::ReadRest(std::string_view rest, unsigned flags) {
  ByteReader in(rest);
  content_type_ = {};
  properties_.clear();
  if ((flags & kRowHasProperties) != 0) {
    content_type_ = in.Text();
    for (std::uint64_t left = in.Varint(); left > 0; --left) {
      const std::string_view name = in.Text();
      properties_.emplace_back(name, in.Text());
    }
  }
  head_.received_at_raw.reset();
  if ((flags & kRowHasRawStamp) != 0) {
    head_.received_at_raw = WallTime(std::chrono::microseconds(AddWrapping(received_, in.Signed())));
  }
}

RawMessage SegmentReader::Take() const {
  RawMessage message;
  Write(message);
  return message;
}

// What the message had before leaves its memory.
void SegmentReader::Write(RawMessage& message) const {
  message = head_;
  message.topic = topic_;
  message.payload = payload_;
  message.content_type = content_type_;
  for (const auto& [name, value] : properties_) {
    message.user_properties.emplace_back(name, value);
  }
}

std::string EncodeMessage(Sequence sequence, const RawMessage& message) {
  SegmentEncoder encoder(sequence);
  encoder.Add(sequence, message);
  return encoder.Finish();
}

Result<StoredMessage> DecodeMessage(std::string_view blob, Sequence first_sequence) {
  const Result<std::string> plain = OpenSegment(blob);
  RETURN_IF_ERROR(plain);
  SegmentReader reader(*plain, first_sequence);
  const Result<SegmentReader::Head> head = reader.Next();
  RETURN_IF_ERROR(head);
  return StoredMessage{head->sequence, reader.Take()};
}

std::string EncodeMembers(std::span<const Member> members) {
  std::string bytes;
  Sequence before = 0;
  for (const Member& member : members) {
    PutVarint(bytes, member.sequence - before);
    PutVarint(bytes, member.stream);
    PutVarint(bytes, member.first_record);
    PutVarint(bytes, member.records);
    PutVarint(bytes, member.total_records);
    PutSigned(bytes, member.received_hour);
    before = member.sequence;
  }
  return bytes;
}

Result<std::vector<Member>> DecodeMembers(std::string_view bytes) {
  std::vector<Member> members;
  ByteReader in(bytes);
  Sequence before = 0;
  while (in.ok() && !in.rest().empty()) {
    Member member;
    member.sequence = before + in.Varint();
    member.stream = static_cast<StreamId>(in.Varint());
    member.first_record = static_cast<std::uint32_t>(in.Varint());
    member.records = static_cast<std::uint32_t>(in.Varint());
    member.total_records = static_cast<std::uint32_t>(in.Varint());
    member.received_hour = static_cast<std::int32_t>(in.Signed());
    before = member.sequence;
    members.push_back(member);
  }
  if (!in.ok()) {
    return Error{ErrorCode::kCorrupt, "batch: its list of members does not hold"};
  }
  return members;
}

}  // namespace packhorse::queue
