// Columns become rows.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/journal/bytes.h"
#include "queue/segment/column_codec.h"
#include "queue/segment/column_layout.h"
#include "queue/segment/number_text.h"
#include "queue/segment/row_codec.h"

namespace packhorse::queue {
namespace columns {
namespace {

// Gives the rows one after the other.
class ColumnReader {
 public:
  // False: these are no columns.
  bool Open(std::string_view columns) {
    ByteReader in(columns);
    row_bytes_ = in.Varint();
    messages_ = in.Varint();
    const std::uint64_t texts = in.Varint();
    for (ByteReader& column : columns_) {
      column = ByteReader(in.Text());
    }
    if (!in.ok() || texts > kMaxTexts || !ReadOrigins()) {
      return false;
    }
    for (std::uint64_t i = 0; i < texts; ++i) {
      TextReader text;
      if (!text.Open(columns_[kTexts].Text(), in)) {
        return false;
      }
      texts_.push_back(std::move(text));
    }
    return in.ok() && in.rest().empty() && columns_[kTexts].ok();
  }
  std::uint64_t row_bytes() const { return row_bytes_; }
  bool AtEnd() const { return given_ == messages_; }

  // Appends the next row; false: these are no columns.
  bool Next(std::string& out) {
    ++given_;
    const std::uint64_t number = columns_[kOriginOf].Varint();
    if (number >= origins_.size()) {
      return false;
    }
    const Origin& origin = origins_[static_cast<std::size_t>(number)];
    Row row;
    row.stream = origin.stream;
    row.flags = origin.flags;
    row.topic = origin.topic;
    sequence_ += columns_[kSequence].Varint();
    row.sequence = sequence_;
    row.received = columns_[kReceived].Signed();
    row.boot = Add(columns_[kBoot].Signed(), Times(row.received, kNanosPerMicro));
    row.rest = TakeRowRest(columns_[kRest], row.flags);
    if (!TakePayload(static_cast<std::size_t>(number))) {
      return false;
    }
    row.payload = payload_;
    PutRow(out, row);
    return std::all_of(columns_.begin(), columns_.end(), [](const ByteReader& column) { return column.ok(); });
  }
  // Nothing may be left over.
  bool Exhausted() const {
    return std::all_of(columns_.begin() + kOriginOf, columns_.end(),
                       [](const ByteReader& column) { return column.rest().empty(); });
  }

 private:
  // In blocks: a call for each of many short pieces takes longer than the copying. Both sides have room for one more.
  static constexpr std::size_t kBlock = 16;
  static char* Copy(char* to, const char* from, std::size_t size) {
    for (std::size_t at = 0; at < size; at += kBlock) {
      std::memcpy(to + at, from + at, kBlock);
    }
    return to + size;
  }

  struct Place {
    std::size_t begin;  // of the text in front of it
    std::size_t size;
    ByteReader format;
    ByteReader digits;
  };
  struct TextReader {
    std::string around;  // with a block more
    std::vector<Place> places;
    std::size_t behind = 0;  // where the text behind the last of them begins
    std::size_t behind_size = 0;
    std::size_t max_bytes = 0;

    bool Open(std::string_view text, ByteReader& in) {
      const std::uint64_t count = in.Varint();
      if (count > kMaxNumbers) {
        return false;
      }
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::size_t end = text.find(kNumberPlace, behind);
        if (end == std::string_view::npos) {
          return false;
        }
        const std::string_view format = in.Text();
        places.push_back({behind, end - behind, ByteReader(format), ByteReader(in.Text())});
        behind = end + 1;
      }
      behind_size = text.size() - behind;
      max_bytes = text.size() + places.size() * kMaxNumberBytes + kBlock;
      around = text;
      around.resize(around.size() + kBlock);
      return in.ok();
    }
  };

  bool ReadOrigins() {
    ByteReader& in = columns_[kOrigins];
    while (in.ok() && !in.rest().empty()) {
      Origin origin;
      origin.stream = in.Varint();
      origin.flags = in.Byte();
      origin.topic = in.Text();
      origins_.push_back(origin);
    }
    return in.ok();
  }

  bool TakePayload(std::size_t origin) {
    const std::uint64_t text = columns_[kTextOf].Varint();
    if (text == kWhole) {
      payload_ = columns_[kPayload].Take(columns_[kLength].Varint());
      return true;
    }
    return text <= texts_.size() && PutTogether(origin, static_cast<std::size_t>(text));
  }

  bool PutTogether(std::size_t origin, std::size_t text) {
    TextReader& reader = texts_[text - 1];
    const LastNumbers::Places last = last_.Next(origin, text, reader.places.size());
    room_.resize(std::max(room_.size(), reader.max_bytes));
    char* to = room_.data();
    for (std::size_t i = 0; i < reader.places.size(); ++i) {
      Place& place = reader.places[i];
      NumberText number{place.digits.Signed(), static_cast<std::uint32_t>(place.format.Varint())};
      if (last.before != nullptr) {
        number.digits = Add(number.digits, WithDecimals(last.before[i], number.decimals()));
      }
      if (!place.format.ok() || !place.digits.ok() || !IsNumber(number)) {
        return false;
      }
      to = WriteNumber(Copy(to, reader.around.data() + place.begin, place.size), number);
      last.now[i] = number;
    }
    to = Copy(to, reader.around.data() + reader.behind, reader.behind_size);
    payload_ = std::string_view(room_.data(), static_cast<std::size_t>(to - room_.data()));
    return true;
  }

  std::uint64_t row_bytes_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t sequence_ = 0;
  std::array<ByteReader, kColumns> columns_ = MakeColumns();
  std::vector<Origin> origins_;
  std::vector<TextReader> texts_;
  LastNumbers last_;
  std::string_view payload_;  // of the row that is being made
  std::string room_;          // for it, where it has to be put together

  static std::array<ByteReader, kColumns> MakeColumns() {
    const ByteReader empty{std::string_view()};
    return {empty, empty, empty, empty, empty, empty, empty, empty, empty, empty};
  }
};

Error Damaged() { return Error{ErrorCode::kCorrupt, "segment: its columns do not hold"}; }

}  // namespace
}  // namespace columns

Result<std::string> FromColumns(std::string_view columns, std::size_t max_bytes) {
  columns::ColumnReader reader;
  if (!reader.Open(columns) || reader.row_bytes() > max_bytes) {
    return columns::Damaged();
  }
  std::string rows;
  rows.reserve(static_cast<std::size_t>(reader.row_bytes()));
  while (!reader.AtEnd()) {
    if (!reader.Next(rows) || rows.size() > reader.row_bytes()) {
      return columns::Damaged();
    }
  }
  return reader.Exhausted() && rows.size() == reader.row_bytes() ? Result<std::string>(std::move(rows))
                                                                 : columns::Damaged();
}

bool Reproduces(std::string_view columns, std::string_view rows) {
  columns::ColumnReader reader;
  if (!reader.Open(columns) || reader.row_bytes() != rows.size()) {
    return false;
  }
  std::string row;
  while (!reader.AtEnd()) {
    row.clear();
    if (!reader.Next(row) || !rows.starts_with(row)) {
      return false;
    }
    rows.remove_prefix(row.size());
  }
  return reader.Exhausted() && rows.empty();
}

}  // namespace packhorse::queue
