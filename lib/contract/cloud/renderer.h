#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/definition.h"

namespace packhorse::contract {

// The value of a setting, in the order of the definition's.
struct FilledSetting {
  std::optional<Text> value;
  std::shared_ptr<const LookupTable> table;
};
using FilledSettings = std::vector<FilledSetting>;

// What there is to write from. A record's items are written before their request is known: `batch` is null then, and
// what only the request knows becomes a mark that ReplaceMarks() fills in.
struct Scope {
  const CanonicalRecord* record = nullptr;
  const Measurement* measurement = nullptr;  // below `each`
  std::string_view item;                     // {item} of a line
  const BatchHeader* batch = nullptr;
  std::size_t items = 0;                                        // {batch.items}
  const ConfirmKey* key = nullptr;                              // {key} of `confirm`
  std::size_t index = 0;                                        // {index}
  std::span<const Datum> slots;                                 // values of the record outside its items
  const std::function<void(std::string& out)>* body = nullptr;  // writes {items}, {groups}, {item}
  const ReconcileQuestion* question = nullptr;                  // {from}, {to}, {cursor}
  bool received = false;                                        // the time is when it was received
  // For a check: what the request knows is invented, and a table has every such key; or all but the gateway is.
  bool invented = false;
  bool of_gateway = false;
  bool keep_nan = false;  // a measurement that is no finite number is a number
};

// Writes texts and templates of a definition. Not thread-safe; lives as long as one record or request is written.
class Renderer {
 public:
  enum class Wrote : std::uint8_t { kYes, kMissing, kUnfit };

  Renderer(const CloudDefinition& definition, const FilledSettings& settings, const Scope& scope)
      : definition_(definition), settings_(settings), scope_(scope) {}

  // After kMissing and kUnfit `out` is as it was.
  Wrote Json(const Template& value, std::string& out);
  // False: something is missing, see fault(). `append` adds a value as its place wants it, false where it cannot.
  using Append = bool (*)(std::string& out, std::string_view value);
  bool Write(const Text& text, std::string& out, Append append);
  bool Write(const Piece& piece, std::string& out, Append append);
  // A text that is one placeholder keeps its type; a longer one with something missing is a fault and Missing.
  Datum ValueOf(const Text& text);
  Datum ValueOf(const Placeholder& placeholder);

  // What is missing, for people; empty: nothing.
  const std::string& fault() const { return fault_; }
  void Unfit(std::string what);
  // Why the value of ValueOf(placeholder), which came last, is Missing.
  std::string WhyMissing(const Placeholder& placeholder) const {
    return not_in_table_.empty() ? placeholder.name + " is missing" : not_in_table_;
  }

 private:
  Wrote JsonOfText(const Text& text, std::string& out);
  Wrote JsonObject(const Template& value, std::string& out);
  Wrote JsonList(const Template& value, std::string& out);
  bool JsonKey(const TemplateMember& member, std::string& out, std::vector<std::string>& keys);
  Datum Plain(const Placeholder& placeholder);
  Datum OfRecordNamed(Source source);
  Datum OfRequestNamed(const Placeholder& placeholder);
  Datum OfQuestionNamed(Source source) const;
  Datum Let(std::uint32_t number);
  Datum LookUp(const AppliedFilter& filter, const Datum& key, bool invented);
  bool IsInvented(const Placeholder& placeholder) const;
  bool IsMark(const Placeholder& placeholder) const { return placeholder.kept && scope_.batch == nullptr; }

  const CloudDefinition& definition_;
  const FilledSettings& settings_;
  const Scope& scope_;
  std::string fault_;
  std::string not_in_table_;
};

// The time of a record by the clock that a contract chooses.
std::optional<Instant> TimeBy(ClockOfTime clock, const CanonicalRecord& record);

// Marks in rendered items: a value of JSON, or a piece of a longer text.
void AppendMark(std::string& out, char kind, std::uint32_t number);
// `item` with each mark replaced by what `fill` appends for it.
void ReplaceMarks(std::string& out, std::string_view item,
                  const std::function<void(std::string& out, char kind, std::uint32_t number)>& fill);

// How the entry of a secret table is called in a mark (base/secret_mark.h).
std::string SecretEntryName(std::string_view table, std::string_view key);

Datum Apply(const AppliedFilter& filter, Datum value, JsonStyle style);

// Appenders for the places of a text.
bool AppendPlain(std::string& out, std::string_view value);
bool AppendEscapedJson(std::string& out, std::string_view value);
bool AppendPath(std::string& out, std::string_view value);
bool AppendQuery(std::string& out, std::string_view value);
bool AppendRaw(std::string& out, std::string_view value);
bool AppendHeader(std::string& out, std::string_view value);

}  // namespace packhorse::contract
