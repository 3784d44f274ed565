#include "queue/column_codec.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "queue/bytes.h"
#include "queue/number_text.h"
#include "queue/row_codec.h"

namespace packhorse::queue {
namespace {

// Kinds of text, at most, and payloads of each, at least: other payloads stay whole.
constexpr std::size_t kMaxTexts = 1'024;
constexpr std::size_t kPayloadsPerText = 2;
constexpr std::size_t kWhole = 0;  // stands for the kind of text of a payload that stays whole; others begin at 1
constexpr std::int64_t kNanosPerMicro = 1'000;

// The columns that every segment has, in their order.
enum Column : std::uint8_t {
  kOrigins,
  kOriginOf,
  kSequence,
  kReceived,
  kBoot,
  kRest,
  kTexts,
  kTextOf,
  kLength,
  kPayload
};
constexpr std::size_t kColumns = kPayload + 1;

// Damaged bytes may hold any numbers; adding them must stay defined.
std::int64_t Add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t Subtract(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t Times(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

// The number with as many decimals as another one has: what the other one is compared with.
std::int64_t WithDecimals(const NumberText& number, std::uint32_t decimals) {
  std::int64_t digits = number.digits;
  for (std::uint32_t have = number.decimals(); have < decimals; ++have) {
    digits = Times(digits, 10);
  }
  for (std::uint32_t have = number.decimals(); have > decimals; --have) {
    digits /= 10;
  }
  return digits;
}

// The numbers that a kind of text had last: with this topic, else with any.
class Last {
 public:
  // `numbers` of them; those before, or null.
  const NumberText* Before(std::size_t origin, std::size_t text) const {
    if (const auto found = by_origin_.find(Key(origin, text)); found != by_origin_.end()) {
      return numbers_.data() + found->second;
    }
    return text < by_text_.size() && by_text_[text] ? numbers_.data() + *by_text_[text] : nullptr;
  }
  void Remember(std::size_t origin, std::size_t text, const NumberText* numbers, std::size_t count) {
    const auto [at, fresh] = by_origin_.try_emplace(Key(origin, text), numbers_.size());
    if (fresh) {
      numbers_.insert(numbers_.end(), numbers, numbers + count);
    } else {
      std::copy_n(numbers, count, numbers_.begin() + static_cast<std::ptrdiff_t>(at->second));
    }
    by_text_.resize(std::max(by_text_.size(), text + 1));
    by_text_[text] = at->second;
  }

 private:
  static std::uint64_t Key(std::size_t origin, std::size_t text) {
    return (static_cast<std::uint64_t>(origin) << 16U) | text;
  }
  std::unordered_map<std::uint64_t, std::size_t> by_origin_;
  std::vector<std::optional<std::size_t>> by_text_;
  std::vector<NumberText> numbers_;
};

// The columns of one place in one kind of text.
struct TextPlace {
  std::string format;
  std::string digits;
};

// Numbers texts in the order in which they come.
class Dictionary {
 public:
  // The text, which lasts as long as this, and its number; `fresh`: it is new.
  const std::pair<const std::string, std::size_t>& Find(std::string_view text, bool& fresh) {
    const auto found = numbers_.find(text);
    fresh = found == numbers_.end();
    return fresh ? *numbers_.emplace(text, numbers_.size()).first : *found;
  }
  bool Knows(std::string_view text) const { return numbers_.contains(text); }
  std::size_t size() const { return numbers_.size(); }

 private:
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): named by the standard
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> numbers_;
};

// A kind of text: what payloads have around their numbers.
struct Text {
  std::string_view around;
  std::vector<std::string_view> pieces;  // of it
  std::size_t numbers = 0;
  std::size_t payloads = 0;
  std::size_t number = kWhole;  // as it is stored
};

class ColumnWriter {
 public:
  explicit ColumnWriter(std::string_view rows) : rows_(rows) {}

  std::string Write() {
    WriteHeads();
    TakeApart();
    WritePayloads();
    std::string out;
    PutVarint(out, text_of_.size());
    PutVarint(out, stored_texts_);
    for (const std::string& column : columns_) {
      PutText(out, column);
    }
    for (const std::vector<TextPlace>& text : places_) {
      PutVarint(out, text.size());
      for (const TextPlace& place : text) {
        PutText(out, place.format);
        PutText(out, place.digits);
      }
    }
    return out;
  }

 private:
  // Finds out which payloads are of one kind.
  void TakeApart() {
    std::vector<std::size_t> last_of_origin(origins_, kNone);
    std::size_t last = kNone;
    for (ByteReader in(rows_); !in.rest().empty() && in.ok();) {
      const Row row = ReadRow(in);
      std::size_t& last_here = last_of_origin[origin_of_[text_of_.size()]];
      last_here = TextOf(row.payload, last_here == kNone ? last : last_here);
      last = last_here == kNone ? last : last_here;
      text_of_.push_back(last_here);
      if (last_here != kNone) {
        ++texts_[last_here].payloads;
      }
    }
    for (Text& text : texts_) {
      text.number = text.payloads < kPayloadsPerText ? kWhole : ++stored_texts_;
    }
  }

  // The kind of a payload, which is expected to be the same as another's; its numbers come behind the others.
  std::size_t TextOf(std::string_view payload, std::size_t expected) {
    const std::size_t before = numbers_.size();
    if (expected != kNone && TakeNumbersOut(payload, texts_[expected].pieces, numbers_)) {
      return expected;
    }
    numbers_.resize(before);
    const bool fits =
        TakeNumbersOut(payload, around_, numbers_) && (texts_.size() < kMaxTexts || dictionary_.Knows(around_));
    if (!fits) {
      numbers_.resize(before);
      return kNone;
    }
    bool fresh = false;
    const auto& [known, text] = dictionary_.Find(around_, fresh);
    if (fresh) {
      texts_.push_back(Text{known, PiecesOf(known), numbers_.size() - before});
    }
    return text;
  }

  void WriteHeads() {
    Dictionary origins;
    std::string origin;
    std::uint64_t sequence = 0;
    for (ByteReader in(rows_); !in.rest().empty() && in.ok();) {
      const Row row = ReadRow(in);
      origin.clear();
      PutVarint(origin, row.stream);
      origin += static_cast<char>(static_cast<unsigned char>(row.flags));
      PutText(origin, row.topic);
      bool fresh = false;
      const std::size_t number = origins.Find(origin, fresh).second;
      columns_[kOrigins] += fresh ? origin : "";
      origin_of_.push_back(number);
      PutVarint(columns_[kOriginOf], number);
      PutVarint(columns_[kSequence], row.sequence - sequence);
      sequence = row.sequence;
      PutSigned(columns_[kReceived], row.received);
      PutSigned(columns_[kBoot], Subtract(row.boot, Times(row.received, kNanosPerMicro)));
      columns_[kRest] += row.rest;
    }
    origins_ = origins.size();
  }

  void WritePayloads() {
    for (const Text& text : texts_) {
      if (text.number != kWhole) {
        PutText(columns_[kTexts], text.around);
        places_.emplace_back(text.numbers);
      }
    }
    Last last;
    const NumberText* numbers = numbers_.data();
    std::size_t message = 0;
    for (ByteReader in(rows_); !in.rest().empty() && in.ok(); ++message) {
      const Row row = ReadRow(in);
      static const Text kNoText;
      const Text& text = text_of_[message] == kNone ? kNoText : texts_[text_of_[message]];
      PutVarint(columns_[kTextOf], text.number);
      if (text.number == kWhole) {
        PutVarint(columns_[kLength], row.payload.size());
        columns_[kPayload] += row.payload;
      } else {
        WriteNumbers(last, origin_of_[message], text, numbers);
      }
      numbers += text.numbers;
    }
  }
  void WriteNumbers(Last& last, std::size_t origin, const Text& text, const NumberText* numbers) {
    std::vector<TextPlace>& places = places_[text.number - 1];
    const NumberText* before = last.Before(origin, text.number);
    for (std::size_t place = 0; place < text.numbers; ++place) {
      PutVarint(places[place].format, numbers[place].format);
      const std::int64_t base = before == nullptr ? 0 : WithDecimals(before[place], numbers[place].decimals());
      PutSigned(places[place].digits, Subtract(numbers[place].digits, base));
    }
    last.Remember(origin, text.number, numbers, text.numbers);
  }

  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  std::string_view rows_;
  std::string around_;  // of the payload that is looked at
  std::size_t origins_ = 0;
  Dictionary dictionary_;
  std::vector<Text> texts_;           // as they come
  std::vector<std::size_t> text_of_;  // by message
  std::size_t stored_texts_ = 0;
  std::vector<NumberText> numbers_;  // of all messages, one after the other
  std::vector<std::size_t> origin_of_;
  std::array<std::string, kColumns> columns_;
  std::vector<std::vector<TextPlace>> places_;  // by text that is stored
};

// Gives the rows one after the other.
class ColumnReader {
 public:
  // False: these are no columns.
  bool Open(std::string_view columns) {
    ByteReader in(columns);
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
  struct Origin {
    std::uint64_t stream = 0;
    unsigned flags = 0;
    std::string_view topic;
  };
  struct Place {
    std::string_view before;  // the text in front of it
    ByteReader format;
    ByteReader digits;
  };
  struct TextReader {
    std::vector<Place> places;
    std::string_view behind;  // the text behind the last of them
    std::size_t max_bytes = 0;

    bool Open(std::string_view around, ByteReader& in) {
      const std::uint64_t count = in.Varint();
      if (count > kMaxNumbers) {
        return false;
      }
      max_bytes = around.size() + static_cast<std::size_t>(count) * kMaxNumberBytes;
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::size_t end = around.find(kNumberPlace);
        if (end == std::string_view::npos) {
          return false;
        }
        const std::string_view format = in.Text();
        places.push_back({around.substr(0, end), ByteReader(format), ByteReader(in.Text())});
        around.remove_prefix(end + 1);
      }
      behind = around;
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
    std::array<NumberText, kMaxNumbers> numbers;
    const NumberText* before = last_.Before(origin, text);
    room_.resize(std::max(room_.size(), reader.max_bytes));
    char* to = room_.data();
    const auto copy = [&](std::string_view piece) {
      std::copy(piece.begin(), piece.end(), to);
      to += piece.size();
    };
    for (std::size_t i = 0; i < reader.places.size(); ++i) {
      Place& place = reader.places[i];
      NumberText& number = numbers[i];
      number.format = static_cast<std::uint32_t>(place.format.Varint());
      number.digits = place.digits.Signed();
      if (before != nullptr) {
        number.digits = Add(number.digits, WithDecimals(before[i], number.decimals()));
      }
      if (!place.format.ok() || !place.digits.ok() || !IsNumber(number)) {
        return false;
      }
      copy(place.before);
      to = WriteNumber(to, number);
    }
    copy(reader.behind);
    payload_ = std::string_view(room_.data(), static_cast<std::size_t>(to - room_.data()));
    last_.Remember(origin, text, numbers.data(), reader.places.size());
    return true;
  }

  std::uint64_t messages_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t sequence_ = 0;
  std::array<ByteReader, kColumns> columns_ = MakeColumns();
  std::vector<Origin> origins_;
  std::vector<TextReader> texts_;
  Last last_;
  std::string_view payload_;  // of the row that is being made
  std::string room_;          // for it, where it has to be put together

  static std::array<ByteReader, kColumns> MakeColumns() {
    const ByteReader empty{std::string_view()};
    return {empty, empty, empty, empty, empty, empty, empty, empty, empty, empty};
  }
};

Error Damaged() { return Error{ErrorCode::kCorrupt, "segment: its columns do not hold"}; }

}  // namespace

std::string ToColumns(std::string_view rows) { return ColumnWriter(rows).Write(); }

Result<std::string> FromColumns(std::string_view columns, std::size_t max_bytes) {
  ColumnReader reader;
  if (!reader.Open(columns)) {
    return Damaged();
  }
  std::string rows;
  while (!reader.AtEnd()) {
    if (!reader.Next(rows) || rows.size() > max_bytes) {
      return Damaged();
    }
  }
  return reader.Exhausted() ? Result<std::string>(std::move(rows)) : Damaged();
}

bool Reproduces(std::string_view columns, std::string_view rows) {
  ColumnReader reader;
  if (!reader.Open(columns)) {
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
