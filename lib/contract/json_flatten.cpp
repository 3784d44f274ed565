#include "contract/json_flatten.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace packhorse::contract {
namespace {

// Where a value stands, as far as it matters for times and batches.
enum class Position : std::uint8_t {
  kRoot,     // the document itself
  kMember,   // a member of the root object
  kElement,  // an element of an array that is the root or a member of it
  kDeep,     // anything below
};

class Flattener {
 public:
  Flattener(format::JsonReader& reader, const JsonLimits& limits, const TimeRecogniser& times, Document& out)
      : reader_(reader), limits_(limits), times_(times), out_(out) {}

  bool Run();

 private:
  bool ReadContainer(Position place, std::size_t depth);
  bool ReadBelow(std::string_view path, Position place, std::size_t depth);
  bool ReadObject(Position place, std::size_t depth);
  bool ReadMember(Position place, std::size_t depth);
  bool ReadArray(Position place, std::size_t depth);
  bool ReadElement(Position place, std::size_t index, std::size_t depth, ObjectArray* batch);
  bool ReadLeaf(char first, std::string_view name);
  bool ReadText(Field& field);
  void NoteTime(const TimeField& time, char first, std::size_t start, bool in_element);
  // What ReadString() gave, to last as long as the document.
  std::string_view Keep(std::string_view read) { return reader_.IsOfText(read) ? read : out_.Keep(read); }
  // Whether the last of the fields, with so many bytes of name and text, is within the limits.
  [[gnu::always_inline]] bool CheckField(std::size_t name, std::size_t text) {
    out_.decoded_bytes += name + text;
    const bool within = out_.fields().size() <= limits_.max_fields && name <= limits_.max_name_bytes &&
                        out_.decoded_bytes <= limits_.max_decoded_bytes;
    return within || FailOfField(name);
  }
  bool FailOfField(std::size_t name);

  format::JsonReader& reader_;
  const JsonLimits& limits_;
  const TimeRecogniser& times_;
  Document& out_;
  std::string_view path_;  // the joined name of the object or array that is being read
};

constexpr bool Opens(char c) { return c == '{' || c == '['; }

// Which limit the last of the fields is beyond.
bool Flattener::FailOfField(std::size_t name) {
  if (out_.fields().size() > limits_.max_fields) {
    return reader_.Fail("too_many_fields", "more values than the contract allows in one message");
  }
  if (name > limits_.max_name_bytes) {
    return reader_.Fail("name_too_long", "a joined name longer than the contract allows");
  }
  return reader_.Fail("too_large", "names and texts are larger than the contract allows");
}

bool Flattener::Run() {
  const char first = reader_.Peek();
  return Opens(first) ? ReadContainer(Position::kRoot, 1) : ReadLeaf(first, "value");
}

// The last of the fields may tell the time, as its text or number does that begins with `first`; true, false and null
// tell none.
void Flattener::NoteTime(const TimeField& time, char first, std::size_t start, bool in_element) {
  const bool number = format::JsonReader::BeginsNumber(first);
  if (number || first == '"') {
    out_.times.push_back(
        {out_.fields().size() - 1, &time, number ? reader_.Since(start) : std::string_view(), in_element});
  }
}

// `first` is what Peek() shows. Part of the loops over members and elements, where a call would be a third of its cost.
[[gnu::always_inline]] inline bool Flattener::ReadLeaf(char first, std::string_view name) {
  Field& field = out_.Add(name);
  return (first == '"' ? ReadText(field) : reader_.ReadScalar(first, &field.value)) &&
         CheckField(name.size(), field.text().size());
}

// No part of the loops: they would have to keep for each number what only texts need.
[[gnu::noinline]] bool Flattener::ReadText(Field& field) {
  std::string_view text;
  if (!reader_.ReadString(&text)) {
    return false;
  }
  field.value.emplace<std::string_view>(Keep(text));
  return true;
}

// An object or array; its name is in path_. REQUIRES: Peek() shows its beginning.
bool Flattener::ReadContainer(Position place, std::size_t depth) {
  if (depth > limits_.max_depth) {
    return reader_.Fail("too_deep", "objects and arrays are nested deeper than the contract allows");
  }
  const bool object = reader_.Peek() == '{';
  reader_.Take();
  return object ? ReadObject(place, depth) : ReadArray(place, depth);
}

// Likewise one that stands in another.
bool Flattener::ReadBelow(std::string_view path, Position place, std::size_t depth) {
  const std::string_view above = std::exchange(path_, path);
  const bool read = ReadContainer(place, depth);
  path_ = above;
  return read;
}

bool Flattener::ReadObject(Position place, std::size_t depth) {
  if (reader_.Peek() == '}') {
    reader_.Take();
    return true;
  }
  while (true) {
    if (!ReadMember(place, depth)) {
      return false;
    }
    if (reader_.TakeIf(',')) {
      continue;
    }
    return reader_.TakeIf('}') || reader_.Unexpected("expected ',' or '}' after a member");
  }
}

bool Flattener::ReadMember(Position place, std::size_t depth) {
  if (reader_.Peek() != '"') {
    return reader_.Unexpected("expected a member's name in quotes");
  }
  std::string_view key;
  if (!reader_.ReadString(&key)) {
    return false;
  }
  const bool timely = place == Position::kRoot || place == Position::kElement;
  const TimeField* time = timely ? times_.Find(key) : nullptr;
  const std::string_view name = place == Position::kRoot ? Keep(key) : out_.KeepJoined(path_, key);
  if (!reader_.TakeIf(':')) {
    return reader_.Unexpected("expected ':' after a member's name");
  }
  const char first = reader_.Peek();
  if (!Opens(first)) {
    const std::size_t start = reader_.offset();
    if (!ReadLeaf(first, name)) {
      return false;
    }
    if (time != nullptr) {
      NoteTime(*time, first, start, place != Position::kRoot);
    }
    return true;
  }
  out_.Add(name).leaf = false;
  if (!CheckField(name.size(), 0)) {
    return false;
  }
  return ReadBelow(name, place == Position::kRoot ? Position::kMember : Position::kDeep, depth + 1);
}

bool Flattener::ReadArray(Position place, std::size_t depth) {
  out_.root_is_array = out_.root_is_array || place == Position::kRoot;
  if (reader_.Peek() == ']') {
    reader_.Take();
    return true;
  }
  ObjectArray batch;
  const bool may_be_batch = place == Position::kRoot || place == Position::kMember;
  bool only_objects = true;
  for (std::size_t index = 0;; ++index) {
    only_objects = only_objects && reader_.Peek() == '{';
    if (!ReadElement(place, index, depth, may_be_batch && only_objects ? &batch : nullptr)) {
      return false;
    }
    if (reader_.TakeIf(',')) {
      continue;
    }
    if (reader_.TakeIf(']')) {
      break;
    }
    return reader_.Unexpected("expected ',' or ']' after an element");
  }
  if (may_be_batch && only_objects) {
    batch.end_field = out_.fields().size();
    batch.end_time = out_.times.size();
    out_.arrays.push_back(std::move(batch));
  }
  return true;
}

bool Flattener::ReadElement(Position place, std::size_t index, std::size_t depth, ObjectArray* batch) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), index).ptr;
  const std::string_view name(digits.data(), static_cast<std::size_t>(end - digits.data()));
  const char first = reader_.Peek();
  if (!Opens(first)) {
    const bool of_root = place == Position::kRoot;
    const std::size_t start = reader_.offset();
    if (!ReadLeaf(first, of_root ? out_.Keep(name) : out_.KeepJoined(path_, name))) {
      return false;
    }
    if (of_root && index == 0 && format::JsonReader::BeginsNumber(first)) {
      out_.first_number = reader_.Since(start);
    }
    return true;
  }
  // Not kept with the document: of containers without values there may be more than there is room for their names.
  std::string path(path_);
  if (place != Position::kRoot) {
    path += '.';
  }
  path += name;
  if (batch != nullptr && batch->elements.size() <= limits_.max_records) {
    batch->elements.push_back({out_.fields().size(), out_.times.size(), path.size() + 1});
  }
  const bool near_root = place == Position::kRoot || place == Position::kMember;
  return ReadBelow(path, near_root ? Position::kElement : Position::kDeep, depth + 1);
}

}  // namespace

std::string_view Document::Keep(std::string_view text) {
  char* const room = Room(text.size());
  std::copy(text.begin(), text.end(), room);
  return {room, text.size()};
}

void Document::AddSlots() {
  constexpr std::size_t kFew = 16;
  all_slots_ = std::max(kFew, 2 * all_slots_);
  slots_.resize(all_slots_);
}

void Document::Clear() {
  constexpr std::size_t kKept = 256;
  if (all_slots_ > kKept) {
    slots_ = {};
    all_slots_ = 0;
  }
  used_slots_ = 0;
  times.clear();
  arrays.clear();
  used_room_ = 0;
  more_room_.release();
  root_is_array = false;
  first_number = {};
  decoded_bytes = 0;
  lossy = false;
}

bool ReadDocument(format::JsonReader& reader, const JsonLimits& limits, const TimeRecogniser& times, Document& out) {
  out.Clear();
  if (!Flattener(reader, limits, times, out).Run()) {
    return false;
  }
  out.lossy = reader.TakeLossy();
  return true;
}

}  // namespace packhorse::contract
