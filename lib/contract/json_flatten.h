#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "contract/device_time.h"
#include "format/json/reader.h"
#include "format/text/scalar.h"

namespace packhorse::contract {

// Turns a JSON document into a list of named scalars in one pass, and notes what later decisions need: where device
// time may stand, and which arrays of objects may be batches.

struct JsonLimits {
  std::size_t max_bytes = 0;          // of a payload
  std::size_t max_depth = 0;          // of nested objects and arrays
  std::size_t max_fields = 0;         // of all records of a message together
  std::size_t max_records = 0;        // of a message
  std::size_t max_name_bytes = 0;     // of one joined name
  std::size_t max_decoded_bytes = 0;  // of names and texts of all records of a message together
};

// A scalar, or (leaf unset) an object or array that was a member of an object: kept only to see names that come twice.
// Its texts are parts of the payload or of the document's room.
struct Field {
  std::string_view name;
  format::Scalar value;
  bool leaf = true;

  std::string_view text() const {
    const auto* text = std::get_if<std::string_view>(&value);
    return text == nullptr ? std::string_view() : *text;
  }
};

struct TimeCandidate {
  std::size_t field = 0;  // index into Document::fields()
  const TimeField* rule = nullptr;
  std::string_view number;  // its text, when it is a number
  bool in_element = false;  // of an array; else a member of the root object
};

// An object that is an element of an array.
struct Element {
  std::size_t first_field = 0;
  std::size_t first_time = 0;
  std::size_t prefix_bytes = 0;  // of the names of its fields: the array's name and the index
};

// An array right below the document's root (or the root itself) whose elements are all objects.
struct ObjectArray {
  std::vector<Element> elements;  // at most JsonLimits::max_records and one: more cannot become records
  std::size_t end_field = 0;
  std::size_t end_time = 0;
};

// Of one payload, which outlives it. The room of one is used again for the next.
class Document {
 public:
  std::vector<TimeCandidate> times;
  std::vector<ObjectArray> arrays;
  bool root_is_array = false;
  std::string_view first_number;  // text of the first element when the root is an array and that is a number
  std::size_t decoded_bytes = 0;
  bool lossy = false;

  std::span<Field> fields() { return {slots_.data(), used_slots_}; }
  std::span<const Field> fields() const { return {slots_.data(), used_slots_}; }
  // Another field, null; valid until the next one.
  Field& Add(std::string_view name) {
    if (used_slots_ == all_slots_) {
      AddSlots();
    }
    Field& field = slots_[used_slots_++];
    field.name = name;
    field.value.emplace<std::nullptr_t>();
    field.leaf = true;
    return field;
  }

  // A copy that lives until Clear(); of the second also what joins the names of a container and its member.
  std::string_view Keep(std::string_view text);
  std::string_view KeepJoined(std::string_view container, std::string_view member) {
    const std::size_t size = container.size() + 1 + member.size();
    char* const room = Room(size);
    char* at = std::copy(container.begin(), container.end(), room);
    *at++ = '.';
    std::copy(member.begin(), member.end(), at);
    return {room, size};
  }
  void Clear();

 private:
  void AddSlots();
  char* Room(std::size_t bytes) {
    if (bytes > first_room_.size() - used_room_) {
      return static_cast<char*>(more_room_.allocate(bytes, 1));
    }
    char* const room = first_room_.data() + used_room_;
    used_room_ += bytes;
    return room;
  }

  std::vector<Field> slots_;  // those of the document, and more to be written over
  std::size_t all_slots_ = 0;
  std::size_t used_slots_ = 0;
  // Of names that are joined and of what had escapes; what goes beyond is given back by Clear().
  std::array<char, 4096> first_room_;
  std::size_t used_room_ = 0;
  std::pmr::monotonic_buffer_resource more_room_;
};

// Reads one document; what was in `out` goes. False when it is not JSON or beyond a limit: see the reader's fault().
bool ReadDocument(format::JsonReader& reader, const JsonLimits& limits, const TimeRecogniser& times, Document& out);

}  // namespace packhorse::contract
