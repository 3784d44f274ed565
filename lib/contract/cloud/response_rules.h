#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace packhorse::contract {

// How replies of an API are read, as data: contracts.md, `response`. lib/outcome applies it. Plain values.

enum class RuleVerdict : std::uint8_t {
  kAccepted,
  kDuplicate,  // stored before: as accepted
  kRetry,
  kThrottled,
  kRejected,
  kTooLarge,
  kAuth,  // of a batch only, from here on
  kHold,
  kPartialUnknown,  // some were taken, nobody says which
  kConfirm,         // taken; a second request says whether it is stored
};

// A place in a reply.
struct Place {
  enum class Of : std::uint8_t { kElement, kDocument, kHeader, kText };
  Of of = Of::kElement;           // an element of a list; in rules for the whole reply the same as kDocument
  std::vector<std::string> path;  // reference tokens of a JSON pointer; a header's name in lower case

  bool operator==(const Place&) const = default;
};

// One wanted value: of several, one must fit.
struct Wanted {
  enum class Kind : std::uint8_t { kLiteral, kPrefix, kSuffix, kContains, kPresent, kAbsent, kClass };
  Kind kind = Kind::kLiteral;
  std::string text;  // a number as it is written (3.0 is 3), "true", "false": a number equals its text
  int hundreds = 0;  // kClass: "5xx" is 500 to 599

  bool operator==(const Wanted&) const = default;
};
struct Condition {
  Place place;
  std::vector<Wanted> wanted;

  bool operator==(const Condition&) const = default;
};
struct Wait {
  Place at;
  std::chrono::milliseconds unit{1000};

  bool operator==(const Wait&) const = default;
};

// A rule for one item of a list: the first that fits holds.
struct ItemRule {
  std::vector<Condition> when;
  RuleVerdict verdict = RuleVerdict::kRetry;
  std::optional<Place> reason;

  bool operator==(const ItemRule&) const = default;
};
struct ItemList {
  std::vector<std::string> each;  // path of the list; "*" stands for each element
  enum class By : std::uint8_t { kPosition, kIndex, kLine, kId };
  By by = By::kPosition;
  Place at;  // kIndex (from 0), kLine (from 1), kId
  std::vector<ItemRule> item;

  bool operator==(const ItemList&) const = default;
};

struct ResponseRule {
  std::vector<std::pair<int, int>> status;  // ranges; empty: any
  std::vector<Condition> when;
  // Of the batch; none: `lists` or `first_bad` says it. An accepted batch whose lists name anybody contradicts itself.
  std::optional<RuleVerdict> verdict;
  std::optional<Place> reason;
  std::optional<Wait> wait;
  std::vector<ItemList> lists;
  std::optional<RuleVerdict> rest;      // of items that no list names
  std::optional<Place> accepted_count;  // must be what was sent, or what is left of it beside the named items
  std::optional<Place> rejected_count;  // kPartialUnknown
  bool bisect = false;                  // kPartialUnknown: `then`: find what was refused; false: take it for accepted
  struct FirstBad {
    enum class By : std::uint8_t { kLine, kIndex } by = By::kLine;
    Place at;
    RuleVerdict before = RuleVerdict::kRetry;
    RuleVerdict after = RuleVerdict::kRetry;

    bool operator==(const FirstBad&) const = default;
  };
  std::optional<FirstBad> first_bad;
  bool many_documents = false;  // as: "ndjson"; they are read as a list of documents

  bool operator==(const ResponseRule&) const = default;
};

// How the reply to a second request says that a batch is stored.
struct ConfirmRule {
  Place key;                    // in the reply with the verdict kConfirm: what to ask for
  std::vector<Condition> done;  // in a reply 2xx to the second request; a token "{key}" of a path stands for the key

  bool operator==(const ConfirmRule&) const = default;
};

// What the first reply says: {key}.
struct ConfirmKey {
  std::string text;
  bool number = false;
};

struct ResponseRules {
  std::vector<ResponseRule> rules;  // the first that fits holds; then the common table
  std::optional<ConfirmRule> confirm;

  bool operator==(const ResponseRules&) const = default;
};

}  // namespace packhorse::contract
