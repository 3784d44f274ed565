#include "tryout/reply_space.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/text.h"

namespace packhorse::tryout {
namespace {

using contract::Condition;
using contract::ItemList;
using contract::Place;
using contract::ResponseRule;
using contract::ResponseRules;
using contract::Wanted;
using JsonValue = nlohmann::ordered_json;

constexpr std::size_t kRecords = 3;
constexpr const char* kOther = "something else";
// What an API may answer whatever its contract says.
constexpr int kUsualStatuses[] = {200, 201, 202, 204, 207, 301, 400, 401, 403, 404,
                                  408, 409, 410, 413, 422, 429, 500, 502, 503};

// One value of a place: none is "it is not there".
using Choice = std::optional<JsonValue>;
// A place or list, and what may stand there.
struct Dimension {
  Place place;
  bool list = false;
  std::vector<Choice> choices;
};

JsonValue ToJsonValue(const std::string& text) {
  JsonValue value = JsonValue::parse(text, nullptr, false);
  return value.is_number() || value.is_boolean() ? value : JsonValue(text);
}

Choice ValueFor(const Wanted& wanted) {
  switch (wanted.kind) {
    case Wanted::Kind::kLiteral:
      return ToJsonValue(wanted.text);
    case Wanted::Kind::kPrefix:
      return JsonValue(wanted.text + "~");
    case Wanted::Kind::kSuffix:
      return JsonValue("~" + wanted.text);
    case Wanted::Kind::kContains:
      return JsonValue("~" + wanted.text + "~");
    case Wanted::Kind::kClass:
      return JsonValue(wanted.hundreds * 100 + 57);
    case Wanted::Kind::kPresent:
      return JsonValue(kOther);
    case Wanted::Kind::kAbsent:
      break;
  }
  return std::nullopt;
}

void AddChoice(Dimension& dimension, Choice choice) {
  if (std::find(dimension.choices.begin(), dimension.choices.end(), choice) == dimension.choices.end()) {
    dimension.choices.push_back(std::move(choice));
  }
}

// Below a document an element's place and the document's are one.
bool SamePlace(const Place& a, const Place& b) {
  const auto root = [](Place::Of of) { return of == Place::Of::kElement ? Place::Of::kDocument : of; };
  return root(a.of) == root(b.of) && a.path == b.path;
}

Dimension& DimensionOf(std::vector<Dimension>& all, const Place& place) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Dimension& dimension) {
    return !dimension.list && SamePlace(dimension.place, place);
  });
  if (found != all.end()) {
    return *found;
  }
  all.push_back({place, false, {std::nullopt, JsonValue(kOther)}});
  return all.back();
}

void AddConditions(std::vector<Dimension>& all, const std::vector<Condition>& when) {
  for (const Condition& condition : when) {
    Dimension& dimension = DimensionOf(all, condition.place);
    for (const Wanted& wanted : condition.wanted) {
      AddChoice(dimension, ValueFor(wanted));
    }
  }
}

// Sets a value in a document; false where the places contradict each other (/a is a text, /a/b a number).
bool Set(JsonValue& document, const std::vector<std::string>& path, const JsonValue& value) {
  JsonValue* at = &document;
  for (const std::string& token : path) {
    std::size_t index = 0;
    if ((at->is_null() || at->is_array()) && ReadNumber(token, index) && index < 16) {
      if (at->is_null()) {
        *at = JsonValue::array();
      }
      while (at->size() <= index) {
        at->push_back(nullptr);
      }
      at = &(*at)[index];
      continue;
    }
    if (at->is_null()) {
      *at = JsonValue::object();
    }
    if (!at->is_object()) {
      return false;
    }
    at = &(*at)[token];
  }
  if (!at->is_null()) {
    return false;
  }
  *at = value;
  return true;
}

// Calls `use` with each combination of choices; false when it was stopped at `most`.
template <typename Use>
bool ForEachCombination(const std::vector<Dimension>& dimensions, std::size_t most, Use use) {
  std::vector<std::size_t> at(dimensions.size(), 0);
  for (std::size_t count = 0; count < most; ++count) {
    use(at);
    std::size_t turn = 0;
    while (turn < at.size() && ++at[turn] == dimensions[turn].choices.size()) {
      at[turn++] = 0;
    }
    if (turn == at.size()) {
      return true;
    }
  }
  return false;
}

// The element of a list for record `index`, below the "*" of its path.
std::optional<JsonValue> ElementOf(const ItemList& list, const std::vector<Dimension>& dimensions,
                                   const std::vector<std::size_t>& at, std::size_t index) {
  JsonValue element;
  bool possible = true;
  if (list.by != ItemList::By::kPosition && list.at.of == Place::Of::kElement) {
    JsonValue key = list.by == ItemList::By::kId     ? JsonValue(RequestOfSpace().records[index])
                    : list.by == ItemList::By::kLine ? JsonValue(index + 1)
                                                     : JsonValue(index);
    possible = Set(element, list.at.path, key);
  }
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    const Choice& choice = dimensions[i].choices[at[i]];
    if (choice && dimensions[i].place.of == Place::Of::kElement) {
      possible = Set(element, dimensions[i].place.path, *choice) && possible;
    }
  }
  if (!possible) {
    return std::nullopt;
  }
  return element.is_null() ? JsonValue::object() : element;
}

// A list is there with no element, or with one for each record, all alike.
Dimension DimensionOf(const ItemList& list) {
  Dimension dimension;
  dimension.list = true;
  const auto star = std::find(list.each.begin(), list.each.end(), "*");
  dimension.place = {Place::Of::kDocument, {list.each.begin(), star}};
  const std::vector<std::string> below(star == list.each.end() ? star : star + 1, list.each.end());
  dimension.choices = {std::nullopt, JsonValue(JsonValue::array())};
  std::vector<Dimension> inner;
  for (const contract::ItemRule& rule : list.item) {
    AddConditions(inner, rule.when);
  }
  ForEachCombination(inner, kMaxRepliesOfStatus / 8, [&](const std::vector<std::size_t>& at) {
    JsonValue elements = JsonValue::array();
    for (std::size_t index = 0; index < kRecords; ++index) {
      std::optional<JsonValue> element = ElementOf(list, inner, at, index);
      if (!element) {
        return;
      }
      JsonValue outer;
      Set(outer, below, *element);
      elements.push_back(below.empty() ? *element : outer);
    }
    AddChoice(dimension, std::move(elements));
  });
  return dimension;
}

bool Fits(const ResponseRule& rule, int status) {
  return rule.status.empty() || std::any_of(rule.status.begin(), rule.status.end(), [status](const auto& range) {
           return range.first <= status && status <= range.second;
         });
}

void AddList(std::vector<Dimension>& all, const ItemList& list) {
  Dimension dimension = DimensionOf(list);
  const auto found = std::find_if(all.begin(), all.end(), [&](const Dimension& other) {
    return other.list && other.place.path == dimension.place.path;
  });
  if (found == all.end()) {
    all.push_back(std::move(dimension));
    return;
  }
  for (Choice& choice : dimension.choices) {
    AddChoice(*found, std::move(choice));
  }
}

std::vector<Dimension> DimensionsFor(const std::vector<const ResponseRules*>& all, int status) {
  std::vector<Dimension> dimensions;
  for (const ResponseRules* rules : all) {
    for (const ResponseRule& rule : rules->rules) {
      if (!Fits(rule, status)) {
        continue;
      }
      AddConditions(dimensions, rule.when);
      for (const ItemList& list : rule.lists) {
        AddList(dimensions, list);
      }
      if (rule.accepted_count) {
        AddChoice(DimensionOf(dimensions, *rule.accepted_count), JsonValue(kRecords));
        AddChoice(DimensionOf(dimensions, *rule.accepted_count), JsonValue(kRecords - 1));
      }
      if (rule.rejected_count) {
        AddChoice(DimensionOf(dimensions, *rule.rejected_count), JsonValue(1));
      }
      if (rule.first_bad) {
        AddChoice(DimensionOf(dimensions, rule.first_bad->at), JsonValue(2));
      }
    }
  }
  return dimensions;
}

std::string NameOf(const Place& place) {
  switch (place.of) {
    case Place::Of::kHeader:
      return "header " + Join(place.path, "");
    case Place::Of::kText:
      return "text";
    default:
      return "/" + Join(place.path, "/");
  }
}

// None: the values contradict each other.
std::optional<Sample::Reply> ReplyOf(int status, const std::vector<Dimension>& dimensions,
                                     const std::vector<std::size_t>& at) {
  Sample::Reply reply;
  reply.status = status;
  reply.title = "HTTP " + std::to_string(status);
  JsonValue document;
  bool json = true;
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    const Choice& choice = dimensions[i].choices[at[i]];
    const Place& place = dimensions[i].place;
    if (!choice) {
      continue;
    }
    const std::string text = choice->is_string() ? choice->get<std::string>() : choice->dump();
    reply.title += ", " + NameOf(place) + ": " + choice->dump();
    if (place.of == Place::Of::kHeader) {
      reply.headers.emplace_back(Lower(std::string_view(Join(place.path, ""))), text);
    } else if (place.of == Place::Of::kText) {
      reply.body = text;
      json = false;
    } else if (!Set(document, place.path, *choice)) {
      return std::nullopt;
    }
  }
  if (json && !document.is_null()) {
    reply.body = document.dump(-1, ' ', false, JsonValue::error_handler_t::replace);
    reply.headers.emplace_back("content-type", "application/json");
  } else if (!json && !document.is_null()) {
    return std::nullopt;  // a body is a text or a document
  }
  return reply;
}

std::set<int> StatusesOf(const std::vector<const ResponseRules*>& all) {
  std::set<int> statuses(std::begin(kUsualStatuses), std::end(kUsualStatuses));
  for (const ResponseRules* rules : all) {
    for (const ResponseRule& rule : rules->rules) {
      for (const auto& [low, high] : rule.status) {
        statuses.insert({low, high});
      }
    }
  }
  return statuses;
}

}  // namespace

const Tried::Request& RequestOfSpace() {
  static const Tried::Request request = {"POST", "/", {}, "", {"record-1", "record-2", "record-3"}, {1, 1, 1}};
  return request;
}

ReplySpace RepliesFor(const std::vector<const ResponseRules*>& all) {
  ReplySpace space;
  for (const int status : StatusesOf(all)) {
    const std::vector<Dimension> dimensions = DimensionsFor(all, status);
    const bool complete = ForEachCombination(dimensions, kMaxRepliesOfStatus, [&](const std::vector<std::size_t>& at) {
      if (std::optional<Sample::Reply> reply = ReplyOf(status, dimensions, at)) {
        space.replies.push_back(*std::move(reply));
      }
    });
    space.complete = space.complete && complete;
  }
  return space;
}

}  // namespace packhorse::tryout
