#include "outcome/item_verdicts.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "contract/cloud/reply_place.h"
#include "outcome/reply_text.h"
#include "outcome/reply_words.h"

namespace packhorse::outcome {
namespace {

using contract::ItemList;
using contract::RuleVerdict;

constexpr std::size_t kMaxIdBytes = 128;
constexpr std::size_t kItemDetailBytes = 2'048;
constexpr std::string_view kEach = "*";

struct Item {
  bool named = false;
  std::optional<RuleVerdict> verdict;
  std::string words;  // of a refused item
};

bool Taken(RuleVerdict verdict) { return verdict == RuleVerdict::kAccepted || verdict == RuleVerdict::kDuplicate; }
bool Refused(RuleVerdict verdict) { return verdict == RuleVerdict::kRejected || verdict == RuleVerdict::kTooLarge; }

// Where the items of each record begin; one more at the end.
std::vector<std::size_t> Begins(const Sent& sent) {
  std::vector<std::size_t> begins(sent.records + 1);
  for (std::size_t i = 0; i < sent.records; ++i) {
    const bool one_each = sent.items_per_record.size() != sent.records;
    begins[i + 1] = begins[i] + (one_each ? 1U : sent.items_per_record[i]);
  }
  return begins;
}

// The outcome of one record from its items.
RecordResult WorstOf(const std::vector<Item>& items, std::size_t begin, std::size_t end) {
  RecordResult result;
  std::size_t refused = 0;
  bool again = begin == end;  // nothing was sent of it
  for (std::size_t i = begin; i < end; ++i) {
    const RuleVerdict verdict = items[i].verdict.value_or(RuleVerdict::kRetry);
    again = again || !(Taken(verdict) || Refused(verdict));
    if (Refused(verdict) && refused++ == 0) {
      result.detail = items[i].words;
    }
  }
  if (again) {
    return {RecordVerdict::kRetry, ""};
  }
  if (refused > 0) {
    result.verdict = RecordVerdict::kRejected;
    if (end - begin > 1) {
      result.detail = OneLine(
          std::to_string(refused) + " of its " + std::to_string(end - begin) + " items refused: " + result.detail,
          kItemDetailBytes);
    }
  }
  return result;
}

void Conclude(const std::vector<Item>& items, const std::vector<std::size_t>& begins, ItemAnswer& answer) {
  for (const Item& item : items) {
    if (!item.verdict) {
      ++answer.unnamed;
      continue;
    }
    answer.accepted += Taken(*item.verdict) ? 1U : 0U;
    answer.rejected += Refused(*item.verdict) ? 1U : 0U;
    answer.throttled += *item.verdict == RuleVerdict::kThrottled ? 1U : 0U;
  }
  answer.records.reserve(begins.size() - 1);
  for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
    answer.records.push_back(WorstOf(items, begins[i], begins[i + 1]));
  }
}

// Applies the lists of one rule.
class ListReader {
 public:
  ListReader(ReplyView& view, const contract::ResponseRule& rule, const Sent& sent)
      : view_(view), rule_(rule), sent_(sent), begins_(Begins(sent)), items_(begins_.back()) {}

  ItemAnswer Read() {
    for (const ItemList& list : rule_.lists) {
      position_ = 0;
      const std::size_t named = named_;
      Walk(view_.Body(rule_.many_documents).json, list, 0);
      CheckLength(list);
      says_something_ = says_something_ || named_ > named;
    }
    ApplyRest();
    CheckCount();
    if (answer_.contradiction.empty() && !says_something_) {
      Contradict("the body does not have the declared shape");
    }
    if (answer_.contradiction.empty()) {
      Conclude(items_, begins_, answer_);
    }
    return std::move(answer_);
  }

 private:
  void Contradict(std::string why) {
    if (answer_.contradiction.empty()) {
      answer_.contradiction = std::move(why);
    }
  }
  bool contradicted() const { return !answer_.contradiction.empty(); }

  // Visits all values at the path of a list, each "*" for each element, in order.
  void Walk(const JsonValue& root, const ItemList& list, std::size_t begin) {
    const auto star = std::find(list.each.begin() + static_cast<std::ptrdiff_t>(begin), list.each.end(), kEach);
    const JsonValue* value = At(root, std::span(list.each.begin() + static_cast<std::ptrdiff_t>(begin), star));
    if (star == list.each.end()) {
      Name(value, list);
      return;
    }
    if (value == nullptr || value->is_null()) {
      return;
    }
    if (!value->is_array()) {
      Contradict("a list of " + std::string(ItemWord(sent_)) + " is none");
      return;
    }
    says_something_ = says_something_ || rule_.rest.has_value();
    for (const JsonValue& element : *value) {
      if (contradicted()) {
        return;
      }
      Walk(element, list, static_cast<std::size_t>(star - list.each.begin()) + 1);
    }
  }

  // One element of a list. A null one says nothing of its item.
  void Name(const JsonValue* element, const ItemList& list) {
    const auto range = Find(element, list);
    if (!range) {
      return;
    }
    for (std::size_t i = range->first; i < range->second; ++i) {
      Item& item = items_[i];
      if (item.named) {
        Contradict("it names " + Singular() + " twice: " + shown_);
        return;
      }
      item.named = true;
      ++named_;
      if (element != nullptr && !element->is_null()) {
        Judge(*element, list, item);
      }
    }
  }

  void Judge(const JsonValue& element, const ItemList& list, Item& item) {
    const auto rule = std::find_if(list.item.begin(), list.item.end(), [&](const contract::ItemRule& each) {
      return view_.Fits(each.when, rule_.many_documents, &element);
    });
    if (rule == list.item.end()) {
      return;
    }
    item.verdict = rule->verdict;
    if (Refused(rule->verdict)) {
      item.words = Words(rule->reason, element);
    }
  }

  std::string Words(const std::optional<contract::Place>& reason, const JsonValue& element) {
    if (!reason) {
      return WordsOf(&element);
    }
    if (const JsonValue* value = view_.Value(*reason, rule_.many_documents, &element); value != nullptr) {
      return WordsOf(value);
    }
    const auto text = view_.Text(*reason, rule_.many_documents, &element);
    return text ? OneLine(*text, kItemDetailBytes) : WordsOf(nullptr);
  }

  // The items that an element is about: begin and end.
  std::optional<std::pair<std::size_t, std::size_t>> Find(const JsonValue* element, const ItemList& list) {
    if (list.by == ItemList::By::kPosition) {
      const std::size_t at = position_++;
      shown_ = std::to_string(at);
      return at < items_.size() ? std::optional(std::pair(at, at + 1)) : std::nullopt;  // see CheckLength
    }
    const JsonValue* at = element == nullptr ? nullptr : view_.Value(list.at, rule_.many_documents, element);
    if (list.by == ItemList::By::kId) {
      return FindId(at);
    }
    const auto number = CountOrText(at);
    if (!number) {
      Contradict("an item of a list has no number");
      return std::nullopt;
    }
    shown_ = std::to_string(*number);
    const std::uint64_t first = list.by == ItemList::By::kLine ? 1 : 0;
    if (*number < first || *number - first >= items_.size()) {
      Contradict("it names " + Singular() + " that was not sent: " + shown_);
      return std::nullopt;
    }
    const auto index = static_cast<std::size_t>(*number - first);
    return std::pair(index, index + 1);
  }

  std::optional<std::pair<std::size_t, std::size_t>> FindId(const JsonValue* id) {
    if (id == nullptr || !id->is_string()) {
      Contradict("an item of a record list has no record id");
      return std::nullopt;
    }
    if (records_.empty()) {
      std::size_t place = 0;
      for (std::string& sent_id : sent_.record_ids()) {
        records_.emplace(std::move(sent_id), place++);
      }
    }
    shown_ = OneLine(id->get_ref<const std::string&>(), kMaxIdBytes);
    const auto found = records_.find(id->get_ref<const std::string&>());
    if (found == records_.end()) {
      Contradict("it names a record that was not sent: " + shown_);
      return std::nullopt;
    }
    return std::pair(begins_[found->second], begins_[found->second + 1]);
  }

  // A list by position names every item. One that ends early is only believed where the rule says what that means, or
  // where the reply was cut.
  void CheckLength(const ItemList& list) {
    if (list.by != ItemList::By::kPosition || contradicted()) {
      return;
    }
    const bool may_be_short = position_ > 0 && (rule_.rest || view_.Body(rule_.many_documents).cut);
    if (position_ > items_.size() || (position_ < items_.size() && !may_be_short)) {
      Contradict("it lists " + std::to_string(position_) + ", but " + std::to_string(items_.size()) + " " +
                 std::string(ItemWord(sent_)) + " were sent");
    }
  }

  void ApplyRest() {
    const bool whole = !view_.Body(rule_.many_documents).cut;
    if (!rule_.rest || (Taken(*rule_.rest) && !whole)) {
      return;
    }
    for (Item& item : items_) {
      if (!item.named) {
        item.verdict = rule_.rest;
        item.words = Refused(*rule_.rest) ? WordsOf(nullptr) : "";
      }
    }
  }

  void CheckCount() {
    if (!rule_.accepted_count) {
      return;
    }
    const auto counted = Count(view_.Value(*rule_.accepted_count, rule_.many_documents, nullptr));
    if (!counted) {
      Contradict("it has no count of accepted " + std::string(ItemWord(sent_)));
      return;
    }
    says_something_ = true;
    std::uint64_t accepted = 0;
    std::uint64_t duplicates = 0;
    for (const Item& item : items_) {
      accepted += item.verdict && Taken(*item.verdict) ? 1U : 0U;
      duplicates += item.verdict == RuleVerdict::kDuplicate ? 1U : 0U;
    }
    // Whether duplicates count as accepted is a matter of taste.
    if (*counted != accepted && *counted != accepted - duplicates) {
      Contradict("accepted " + std::to_string(*counted) + " and named " + std::to_string(named_) + ", but " +
                 std::to_string(items_.size()) + " " + std::string(ItemWord(sent_)) + " were sent");
    }
  }

  std::string Singular() const { return ItemWord(sent_) == "records" ? "a record" : "an item"; }

  ReplyView& view_;
  const contract::ResponseRule& rule_;
  const Sent& sent_;
  std::vector<std::size_t> begins_;
  std::vector<Item> items_;
  std::unordered_map<std::string, std::size_t> records_;
  std::size_t position_ = 0;
  std::size_t named_ = 0;
  bool says_something_ = false;
  std::string shown_;  // what the element names, for messages
  ItemAnswer answer_;
};

}  // namespace

std::size_t ItemCount(const Sent& sent) {
  if (sent.items_per_record.size() != sent.records) {
    return sent.records;
  }
  return std::accumulate(sent.items_per_record.begin(), sent.items_per_record.end(), std::size_t{0});
}

std::string_view ItemWord(const Sent& sent) { return ItemCount(sent) == sent.records ? "records" : "items"; }

ItemAnswer ReadLists(ReplyView& view, const contract::ResponseRule& rule, const Sent& sent) {
  return ListReader(view, rule, sent).Read();
}

ItemAnswer ReadFirstBad(ReplyView& view, const contract::ResponseRule& rule, const Sent& sent,
                        const std::string& words) {
  using By = contract::ResponseRule::FirstBad::By;
  ItemAnswer answer;
  const std::vector<std::size_t> begins = Begins(sent);
  const std::uint64_t first = rule.first_bad->by == By::kLine ? 1 : 0;
  std::uint64_t number = 0;
  const auto text = view.Text(rule.first_bad->at, rule.many_documents, nullptr);
  const bool read = text && ReadNumber(std::string_view(contract::NumberText(*text)), number);
  if (!read || number < first || number - first >= begins.back()) {
    answer.contradiction =
        !read ? "it has no number of the first bad one" : "it names one that was not sent: " + std::to_string(number);
    return answer;
  }
  std::vector<Item> items(begins.back());
  const auto bad = static_cast<std::size_t>(number - first);
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].verdict = i < bad ? rule.first_bad->before : i > bad ? rule.first_bad->after : RuleVerdict::kRejected;
    items[i].words = Refused(*items[i].verdict) ? words : "";
  }
  Conclude(items, begins, answer);
  return answer;
}

bool NamesAnybody(ReplyView& view, const contract::ResponseRule& rule) {
  return std::any_of(rule.lists.begin(), rule.lists.end(), [&](const ItemList& list) {
    const auto star = std::find(list.each.begin(), list.each.end(), kEach);
    const JsonValue* value = At(view.Body(rule.many_documents).json, std::span(list.each.begin(), star));
    return value != nullptr && !value->is_null() && !(value->is_array() && value->empty());
  });
}

}  // namespace packhorse::outcome
