#include "contract/cloud/read_response.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>

#include "base/text.h"
#include "contract/cloud/reply_place.h"
#include "document/suggest.h"

namespace packhorse::contract {
namespace {

using document::Node;
using document::Problems;

constexpr std::size_t kMaxRules = 200;
constexpr std::size_t kMaxLists = 8;
constexpr std::size_t kMaxItemRules = 64;

struct VerdictWord {
  std::string_view word;
  RuleVerdict verdict;
};
constexpr VerdictWord kVerdicts[] = {{"accepted", RuleVerdict::kAccepted},
                                     {"duplicate", RuleVerdict::kDuplicate},
                                     {"retry", RuleVerdict::kRetry},
                                     {"throttled", RuleVerdict::kThrottled},
                                     {"rejected", RuleVerdict::kRejected},
                                     {"too_large", RuleVerdict::kTooLarge},
                                     {"auth", RuleVerdict::kAuth},
                                     {"hold", RuleVerdict::kHold},
                                     {"partial_unknown", RuleVerdict::kPartialUnknown},
                                     {"confirm", RuleVerdict::kConfirm}};

enum class VerdictScope { kItem, kBatch };

// The words that may stand in this scope.
std::vector<std::string> Words(VerdictScope scope) {
  std::vector<std::string> words;
  for (const VerdictWord& each : kVerdicts) {
    if (scope == VerdictScope::kBatch || each.verdict < RuleVerdict::kAuth) {
      words.emplace_back(each.word);
    }
  }
  return words;
}

class ResponseReader {
 public:
  ResponseReader(Problems& problems, bool confirm) : problems_(problems), places_(problems), confirm_(confirm) {}

  ResponseRules Read(const Node& list) {
    ResponseRules rules;
    if (!IsList(list, "a list of rules", kMaxRules)) {
      return rules;
    }
    for (const Node& rule : list.items) {
      if (IsObject(rule, "a rule")) {
        rules.rules.push_back(ReadRule(rule));
      }
    }
    return rules;
  }

 private:
  bool IsList(const Node& node, std::string allowed, std::size_t most) {
    if (node.kind != Node::Kind::kArray) {
      problems_.Error(node, "is " + std::string(KindName(node.kind)), {.allowed = std::move(allowed)});
      return false;
    }
    if (node.items.empty() || node.items.size() > most) {
      problems_.Error(node, node.items.empty() ? "is empty" : "has too many entries",
                      {.allowed = std::move(allowed) + ", 1 to " + std::to_string(most)});
      return false;
    }
    return true;
  }

  bool IsObject(const Node& node, std::string_view what) {
    if (node.kind == Node::Kind::kObject) {
      return true;
    }
    problems_.Error(node, "is " + std::string(KindName(node.kind)),
                    {.allowed = std::string(what) + ", which is an object"});
    return false;
  }

  void CheckKeys(const Node& object, const std::vector<std::string>& known) {
    for (const document::Member& member : object.members) {
      if (member.duplicate) {
        problems_.Error(member.value, document::Quoted(member.name) + " stands here twice");
      } else if (member.name != "note" && std::find(known.begin(), known.end(), member.name) == known.end()) {
        problems_.Error(member.value, "unknown key " + document::Quoted(member.name),
                        {.allowed = document::List(known),
                         .suggestion = document::DidYouMean(member.name, known),
                         .show_value = false});
      }
    }
  }

  std::optional<RuleVerdict> ReadVerdict(const Node& node, VerdictScope scope) {
    const std::vector<std::string> words = Words(scope);
    if (node.kind == Node::Kind::kString) {
      for (const VerdictWord& each : kVerdicts) {
        if (each.word == node.text && each.verdict == RuleVerdict::kConfirm && !confirm_) {
          problems_.Error(node, "needs \"confirm\" beside \"response\", which says what to ask",
                          {.allowed = R"("confirm": { "key", "request", "done", "every", "within" })"});
          return std::nullopt;
        }
        if (each.word == node.text && (scope == VerdictScope::kBatch || each.verdict < RuleVerdict::kAuth)) {
          return each.verdict;
        }
        if (each.word == node.text) {
          problems_.Error(node, "is a verdict of a whole batch only", {.allowed = document::List(words)});
          return std::nullopt;
        }
      }
    }
    problems_.Error(node, "is no verdict",
                    {.allowed = document::List(words),
                     .suggestion = node.kind == Node::Kind::kString ? document::DidYouMean(node.text, words) : ""});
    return std::nullopt;
  }

  std::optional<RuleVerdict> ReadOptionalVerdict(const Node& object, std::string_view key, VerdictScope scope) {
    const Node* node = object.Find(key);
    return node == nullptr ? std::nullopt : ReadVerdict(*node, scope);
  }

  std::optional<Place> ReadOptionalPlace(const Node& object, std::string_view key) {
    const Node* node = object.Find(key);
    return node == nullptr ? std::nullopt : places_.ReadPlace(*node);
  }

  void ReadWhen(const Node& object, std::vector<Condition>& when) {
    if (const Node* node = object.Find("when"); node != nullptr && IsObject(*node, "places and what is wanted there")) {
      when = places_.ReadConditions(*node);
    }
  }

  void ReadStatus(const Node& node, ResponseRule& rule) {
    if (node.kind != Node::Kind::kArray) {
      ReadOneStatus(node, rule);
    } else if (IsList(node, "statuses", kMaxRules)) {
      for (const Node& each : node.items) {
        ReadOneStatus(each, rule);
      }
    }
  }

  void ReadOneStatus(const Node& node, ResponseRule& rule) {
    constexpr std::int64_t kLowest = 100;
    constexpr std::int64_t kHighest = 599;
    if (node.kind == Node::Kind::kInteger && node.integer >= kLowest && node.integer <= kHighest) {
      rule.status.emplace_back(static_cast<int>(node.integer), static_cast<int>(node.integer));
      return;
    }
    if (node.kind == Node::Kind::kString) {
      if (const int hundreds = ClassOf(node.text); hundreds >= 1 && hundreds <= 5) {
        rule.status.emplace_back(hundreds * 100, hundreds * 100 + 99);
        return;
      }
    }
    int number = 0;
    const bool quoted = node.kind == Node::Kind::kString && ReadNumber(node.text, number);
    problems_.Error(node, quoted ? "is a number in quotes" : "is no status",
                    {.allowed = "a number from 100 to 599, \"1xx\" to \"5xx\", or a list of them",
                     .suggestion = quoted ? "did you mean " + node.text + "?" : ""});
  }

  std::optional<Wait> ReadWait(const Node& node) {
    static const std::vector<std::string> kUnits = {"ms", "s", "m", "h"};
    constexpr std::array<std::int64_t, 4> kMilliseconds = {1, 1'000, 60'000, 3'600'000};
    if (!IsObject(node, "a wait")) {
      return std::nullopt;
    }
    CheckKeys(node, {"at", "unit"});
    const Node* at = node.Find("at");
    const Node* unit = node.Find("unit");
    if (at == nullptr || unit == nullptr) {
      problems_.Error(node, "says not what it takes", {.allowed = "\"at\", a place, and \"unit\": ms, s, m or h"});
      return std::nullopt;
    }
    const auto place = places_.ReadPlace(*at);
    const auto found = std::find(kUnits.begin(), kUnits.end(), unit->text);
    if (unit->kind != Node::Kind::kString || found == kUnits.end()) {
      problems_.Error(*unit, "is no unit of a wait", {.allowed = document::List(kUnits)});
      return std::nullopt;
    }
    const auto index = static_cast<std::size_t>(found - kUnits.begin());
    return place ? std::optional(Wait{*place, std::chrono::milliseconds(kMilliseconds.at(index))}) : std::nullopt;
  }

  ItemRule ReadItemRule(const Node& node) {
    ItemRule rule;
    CheckKeys(node, {"when", "verdict", "reason"});
    ReadWhen(node, rule.when);
    if (node.Find("verdict") == nullptr) {
      problems_.Error(node, "says no verdict", {.allowed = document::List(Words(VerdictScope::kItem))});
    }
    rule.verdict = ReadOptionalVerdict(node, "verdict", VerdictScope::kItem).value_or(RuleVerdict::kRetry);
    rule.reason = ReadOptionalPlace(node, "reason");
    return rule;
  }

  void ReadBy(const Node& node, ItemList& list) {
    if (node.kind == Node::Kind::kString && node.text == "index") {
      list.by = ItemList::By::kPosition;
      return;
    }
    constexpr std::pair<std::string_view, ItemList::By> kWays[] = {
        {"index", ItemList::By::kIndex}, {"line", ItemList::By::kLine}, {"id", ItemList::By::kId}};
    const std::string allowed =
        R"("index" (the order of the list), or one of {"index": place}, {"line": place}, {"id": place})";
    if (node.kind != Node::Kind::kObject) {
      problems_.Error(node, "does not say how elements and items are matched", {.allowed = allowed});
      return;
    }
    CheckKeys(node, {"index", "line", "id"});
    std::size_t ways = 0;
    for (const auto& [key, by] : kWays) {
      if (const Node* place = node.Find(key); place != nullptr) {
        ++ways;
        list.by = by;
        list.at = places_.ReadPlace(*place).value_or(Place{});
      }
    }
    if (ways != 1) {
      problems_.Error(node, ways == 0 ? "names no place" : "names more than one place", {.allowed = allowed});
    }
  }

  ItemList ReadList(const Node& node) {
    ItemList list;
    CheckKeys(node, {"each", "by", "item"});
    const Node* each = node.Find("each");
    const Node* by = node.Find("by");
    const Node* item = node.Find("item");
    if (each == nullptr || by == nullptr || item == nullptr) {
      problems_.Error(node, "is not complete", {.allowed = "\"each\", \"by\" and \"item\", all three"});
    }
    if (each != nullptr) {
      list.each = places_.ReadEach(*each);
    }
    if (by != nullptr) {
      ReadBy(*by, list);
    }
    if (item != nullptr && IsList(*item, "rules for an element", kMaxItemRules)) {
      for (const Node& rule : item->items) {
        if (IsObject(rule, "a rule for an element")) {
          list.item.push_back(ReadItemRule(rule));
        }
      }
    }
    return list;
  }

  std::optional<ResponseRule::FirstBad> ReadFirstBad(const Node& node) {
    ResponseRule::FirstBad bad;
    if (!IsObject(node, "where the first bad item stands")) {
      return std::nullopt;
    }
    CheckKeys(node, {"line", "index", "before", "after"});
    const Node* line = node.Find("line");
    const Node* index = node.Find("index");
    if ((line == nullptr) == (index == nullptr) || node.Find("before") == nullptr || node.Find("after") == nullptr) {
      problems_.Error(node, "is not complete",
                      {.allowed = "\"line\" or \"index\" with a place, and verdicts \"before\" and \"after\""});
      return std::nullopt;
    }
    bad.by = line != nullptr ? ResponseRule::FirstBad::By::kLine : ResponseRule::FirstBad::By::kIndex;
    bad.at = places_.ReadPlace(line != nullptr ? *line : *index).value_or(Place{});
    bad.before = ReadOptionalVerdict(node, "before", VerdictScope::kItem).value_or(RuleVerdict::kRetry);
    bad.after = ReadOptionalVerdict(node, "after", VerdictScope::kItem).value_or(RuleVerdict::kRetry);
    return bad;
  }

  void ReadParts(const Node& node, ResponseRule& rule) {
    if (const Node* status = node.Find("status"); status != nullptr) {
      ReadStatus(*status, rule);
    }
    ReadWhen(node, rule.when);
    rule.verdict = ReadOptionalVerdict(node, "verdict", VerdictScope::kBatch);
    rule.reason = ReadOptionalPlace(node, "reason");
    rule.rest = ReadOptionalVerdict(node, "rest", VerdictScope::kItem);
    rule.accepted_count = ReadOptionalPlace(node, "accepted_count");
    rule.rejected_count = ReadOptionalPlace(node, "rejected_count");
    if (const Node* wait = node.Find("wait"); wait != nullptr) {
      rule.wait = ReadWait(*wait);
    }
    if (const Node* lists = node.Find("lists"); lists != nullptr && IsList(*lists, "lists of a reply", kMaxLists)) {
      for (const Node& list : lists->items) {
        if (IsObject(list, "a list of a reply")) {
          rule.lists.push_back(ReadList(list));
        }
      }
    }
    if (const Node* bad = node.Find("first_bad"); bad != nullptr) {
      rule.first_bad = ReadFirstBad(*bad);
    }
  }

  void ReadWords(const Node& node, ResponseRule& rule) {
    if (const Node* then = node.Find("then"); then != nullptr) {
      rule.bisect = then->text == "bisect";
      if (then->kind != Node::Kind::kString || (!rule.bisect && then->text != "accept")) {
        problems_.Error(*then, "is not known",
                        {.allowed = "\"bisect\" or \"accept\"",
                         .suggestion = document::DidYouMean(then->text, {"bisect", "accept"})});
      }
    }
    if (const Node* as = node.Find("as"); as != nullptr) {
      rule.many_documents = as->text == "ndjson";
      if (as->kind != Node::Kind::kString || (!rule.many_documents && as->text != "json")) {
        problems_.Error(
            *as, "is not known",
            {.allowed = "\"json\" or \"ndjson\"", .suggestion = document::DidYouMean(as->text, {"json", "ndjson"})});
      }
    }
  }

  // What has to stand together and what excludes each other.
  void CheckTogether(const Node& node) {
    const Node* verdict = node.Find("verdict");
    const Node* lists = node.Find("lists");
    const bool first_bad = node.Find("first_bad") != nullptr;
    const bool partial = verdict != nullptr && verdict->text == "partial_unknown";
    const bool accepted = verdict != nullptr && verdict->text == "accepted";
    if (verdict == nullptr && lists == nullptr && !first_bad) {
      problems_.Error(node, "says nothing of what was sent",
                      {.allowed = "one of \"verdict\", \"lists\" and \"first_bad\"", .show_value = false});
    }
    if ((verdict != nullptr && (first_bad || (lists != nullptr && !accepted))) || (lists != nullptr && first_bad)) {
      problems_.Error(node, "says more than one thing of what was sent",
                      {.allowed = "one of \"verdict\", \"lists\" and \"first_bad\"", .show_value = false});
    }
    const auto only = [&](std::string_view key, bool fits, std::string_view where) {
      if (const Node* found = node.Find(key); found != nullptr && !fits) {
        problems_.Error(*found, document::Quoted(key) + " means nothing here", {.allowed = std::string(where)});
      }
    };
    only("rest", lists != nullptr && verdict == nullptr, "only beside \"lists\", without a verdict of the batch");
    only("accepted_count", accepted || (lists != nullptr && verdict == nullptr),
         "only beside \"lists\" or the verdict \"accepted\"");
    only("rejected_count", partial, "only beside the verdict \"partial_unknown\"");
    only("then", partial, "only beside the verdict \"partial_unknown\"");
    if (partial && node.Find("then") == nullptr) {
      problems_.Error(*verdict, "needs \"then\"", {.allowed = R"("then": "bisect" or "then": "accept")"});
    }
  }

  // A list by position names every item: what it leaves out cannot be taken for accepted.
  void CheckRest(const Node& node, const ResponseRule& rule) {
    const bool accepts = rule.rest == RuleVerdict::kAccepted || rule.rest == RuleVerdict::kDuplicate;
    for (const ItemList& list : rule.lists) {
      if (accepts && list.by == ItemList::By::kPosition) {
        problems_.Error(
            node["rest"], "would take items for accepted that a list by position leaves out",
            {.allowed = R"(another verdict, or a list "by" {"index": place}, {"line": place}, {"id": place})"});
        return;
      }
    }
  }

  ResponseRule ReadRule(const Node& node) {
    static const std::vector<std::string> kKeys = {"status", "when",           "verdict",   "reason",
                                                   "wait",   "lists",          "rest",      "accepted_count",
                                                   "then",   "rejected_count", "first_bad", "as"};
    ResponseRule rule;
    CheckKeys(node, kKeys);
    CheckTogether(node);
    ReadParts(node, rule);
    ReadWords(node, rule);
    CheckRest(node, rule);
    return rule;
  }

  Problems& problems_;
  PlaceReader places_;
  bool confirm_;
};

}  // namespace

ResponseRules ReadResponseRules(const Node& list, Problems& problems, bool confirm) {
  return ResponseReader(problems, confirm).Read(list);
}

}  // namespace packhorse::contract
