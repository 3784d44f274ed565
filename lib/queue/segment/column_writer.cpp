// Rows become columns.

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "queue/journal/bytes.h"
#include "queue/segment/column_codec.h"
#include "queue/segment/column_layout.h"
#include "queue/segment/number_text.h"
#include "queue/segment/row_codec.h"

namespace packhorse::queue {
namespace columns {
namespace {

constexpr std::size_t kPayloadsPerText = 2;  // at least: a text that occurs once is no shorter for it

// The bytes of a column, with room for a whole number made at a time.
class Column {
 public:
  void Put(std::uint64_t value) {
    MakeRoom(kMaxVarintBytes);
    char* at = bytes_.data() + used_;
    for (; value >= 0x80; value >>= 7U) {
      *at++ = static_cast<char>(static_cast<unsigned char>(value | 0x80U));
    }
    *at++ = static_cast<char>(static_cast<unsigned char>(value));
    used_ = static_cast<std::size_t>(at - bytes_.data());
  }
  void PutSigned(std::int64_t value) { Put(ZigZag(value)); }
  void PutBytes(std::string_view bytes) {
    MakeRoom(bytes.size());
    std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += bytes.size();
  }
  void PutText(std::string_view text) {
    Put(text.size());
    PutBytes(text);
  }
  std::string_view bytes() const { return std::string_view(bytes_).substr(0, used_); }

 private:
  void MakeRoom(std::size_t bytes) {
    if (bytes_.size() - used_ < bytes) {
      bytes_.resize(std::max(2 * bytes_.size(), used_ + bytes));
    }
  }
  std::string bytes_;
  std::size_t used_ = 0;
};

// The columns of one place in one kind of text.
struct TextPlace {
  Column format;
  Column digits;
};

struct OriginHash {
  std::size_t operator()(const Origin& origin) const {
    return std::hash<std::string_view>{}(origin.topic) ^
           std::hash<std::uint64_t>{}((origin.stream << 8U) | origin.flags);
  }
};
struct TextHash {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): named by the standard
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

// A kind of text: what payloads have around their numbers.
struct Text {
  std::string_view around;
  std::vector<std::string_view> pieces;  // of it
  std::vector<TextPlace> places;
  std::size_t payloads = 0;
  std::size_t number = kWhole;  // as it is stored
};

class ColumnWriter {
 public:
  std::string Write(std::string_view rows) {
    for (ByteReader in(rows); !in.rest().empty() && in.ok();) {
      TakeApart(ReadRow(in));
    }
    WritePayloads();
    std::string out;
    PutVarint(out, rows.size());
    PutVarint(out, messages_.size());
    PutVarint(out, stored_texts_);
    for (const Column& column : columns_) {
      PutText(out, column.bytes());
    }
    for (const Text& text : texts_) {
      if (text.number != kWhole) {
        PutPlaces(out, text.places);
      }
    }
    return out;
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  struct Message {
    std::size_t text;  // kNone: the payload is no text with numbers
    std::string_view payload;
  };

  void TakeApart(const Row& row) {
    const std::size_t origin = OriginOf(row);
    columns_[kOriginOf].Put(origin);
    columns_[kSequence].Put(row.sequence - sequence_);
    sequence_ = row.sequence;
    columns_[kReceived].PutSigned(row.received);
    columns_[kBoot].PutSigned(Subtract(row.boot, Times(row.received, kNanosPerMicro)));
    columns_[kRest].PutBytes(row.rest);
    std::size_t& last_here = last_of_origin_[origin];
    const std::size_t text = TextOf(row.payload, last_here == kNone ? last_text_ : last_here);
    messages_.push_back({text, row.payload});
    last_here = text;
    if (text != kNone) {
      last_text_ = text;
      ++texts_[text].payloads;
      PutNumbers(last_.Next(origin, text, numbers_.size()), texts_[text].places);
    }
  }

  std::size_t OriginOf(const Row& row) {
    const auto [found, fresh] = origins_.try_emplace(Origin{row.stream, row.flags, row.topic}, origins_.size());
    if (fresh) {
      columns_[kOrigins].Put(row.stream);
      columns_[kOrigins].PutBytes(std::string(1, static_cast<char>(static_cast<unsigned char>(row.flags))));
      columns_[kOrigins].PutText(row.topic);
      last_of_origin_.push_back(kNone);
    }
    return found->second;
  }

  // The kind of a payload, which is expected to be the same as another's, and its numbers.
  std::size_t TextOf(std::string_view payload, std::size_t expected) {
    numbers_.clear();
    if (expected != kNone && TakeNumbersOut(payload, texts_[expected].pieces, numbers_)) {
      return expected;
    }
    numbers_.clear();
    const bool fits =
        TakeNumbersOut(payload, around_, numbers_) && (texts_.size() < kMaxTexts || text_numbers_.contains(around_));
    if (!fits) {
      return kNone;
    }
    const auto [known, fresh] = text_numbers_.try_emplace(around_, texts_.size());
    if (fresh) {
      texts_.push_back({known->first, PiecesOf(known->first), std::vector<TextPlace>(numbers_.size())});
    }
    return known->second;
  }

  void PutNumbers(LastNumbers::Places last, std::vector<TextPlace>& places) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      const NumberText number = numbers_[i];
      const std::int64_t base = last.before == nullptr ? 0 : WithDecimals(last.before[i], number.decimals());
      places[i].format.Put(number.format);
      places[i].digits.PutSigned(Subtract(number.digits, base));
      last.now[i] = number;
    }
  }

  // Once it is known which texts are worth it.
  void WritePayloads() {
    for (Text& text : texts_) {
      if (text.payloads >= kPayloadsPerText) {
        columns_[kTexts].PutText(text.around);
        text.number = ++stored_texts_;
      }
    }
    for (const Message& message : messages_) {
      const std::size_t text = message.text == kNone ? kWhole : texts_[message.text].number;
      columns_[kTextOf].Put(text);
      if (text == kWhole) {
        columns_[kLength].Put(message.payload.size());
        columns_[kPayload].PutBytes(message.payload);
      }
    }
  }
  static void PutPlaces(std::string& out, const std::vector<TextPlace>& places) {
    PutVarint(out, places.size());
    for (const TextPlace& place : places) {
      PutText(out, place.format.bytes());
      PutText(out, place.digits.bytes());
    }
  }

  std::unordered_map<Origin, std::size_t, OriginHash> origins_;
  std::vector<std::size_t> last_of_origin_;  // the kind of text that it sent last
  std::size_t last_text_ = kNone;            // and any
  std::uint64_t sequence_ = 0;
  std::vector<Message> messages_;
  std::string around_;               // of the payload that is looked at
  std::vector<NumberText> numbers_;  // likewise
  std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> text_numbers_;
  std::vector<Text> texts_;  // as they come
  LastNumbers last_;
  std::size_t stored_texts_ = 0;
  std::array<Column, kColumns> columns_;
};

}  // namespace
}  // namespace columns

std::string ToColumns(std::string_view rows) { return columns::ColumnWriter().Write(rows); }

}  // namespace packhorse::queue
