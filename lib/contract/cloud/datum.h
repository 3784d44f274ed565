#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "contract/device_time.h"
#include "record/canonical_record.h"

namespace packhorse::contract {

// What a placeholder stands for while a request is rendered. Views into the record and the contract, valid as long as
// these. Pure functions; any thread.

struct Missing {};
// Digits of a number that no double holds, as JSON writes numbers.
struct Decimal {
  std::string text;
};
// A value that is JSON already: the record, a `let`, a list.
struct JsonText {
  std::string text;
};

enum class Naming : std::uint8_t { kAsIs, kSafe, kNested };

// Names and values of a record, or the gateway's attributes, without a copy.
struct MapView {
  const std::vector<Measurement>* measurements = nullptr;
  const std::vector<Attribute>* attributes = nullptr;
  const std::map<std::string, std::string>* texts = nullptr;
  bool units = false;    // a measurement is {"value", "unit"}, as packhorse-ingest@1 has it
  bool numbers = false;  // numbers alone; a boolean is 1 or 0
  Naming naming = Naming::kAsIs;
};

using Datum = std::variant<Missing, std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string_view,
                           std::string, Decimal, JsonText, Instant, MapView>;

inline bool IsMissing(const Datum& datum) { return std::holds_alternative<Missing>(datum); }
// The value of a measurement or attribute: what is no finite number is Missing.
Datum ToDatum(const Value& value);

// How JSON is written (contracts.md, beside `json`).
struct JsonStyle {
  bool big_integers_as_text = false;  // beyond 2^53, for receivers that have doubles only
};

// One member of a map. `value` is not Missing. `unit` is empty unless MapView::units.
struct MapEntry {
  std::string name;
  Datum value;
  std::string_view unit;
};
// The members in their order; of two with one name the first wins.
std::vector<MapEntry> Entries(const MapView& map);

// REQUIRES: `datum` is not Missing. False, and nothing appended: a map or list without members.
bool AppendJson(std::string& out, const Datum& datum, JsonStyle style);
// Appends `,"name":value` for each member whose name is not in `taken`; the first comma only where `comma` is set.
// Returns whether anything was appended.
bool AppendMembers(std::string& out, const MapView& map, const std::vector<std::string_view>& taken, bool comma,
                   JsonStyle style);
// The value inside a longer text: digits, true, null, a text itself, JSON of the rest. False: there is none (Missing).
bool AppendText(std::string& out, const Datum& datum, JsonStyle style);

// Every character but letters, digits and _ is _. `also` are further ones that may stay.
std::string SafeName(std::string_view name, std::string_view also = "");

}  // namespace packhorse::contract
