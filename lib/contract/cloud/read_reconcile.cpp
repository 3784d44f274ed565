#include "contract/cloud/read_reconcile.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "contract/cloud/path_text.h"
#include "contract/cloud/reply_place.h"

namespace packhorse::contract {
namespace {

using document::Node;

constexpr std::string_view kName = "{name}";

bool NamesSource(const Text& text, Source source) {
  return std::any_of(text.pieces.begin(), text.pieces.end(),
                     [&](const Piece& piece) { return piece.placeholder && piece.placeholder->source == source; });
}

class ReconcileReader {
 public:
  ReconcileReader(const Node& node, Declared& declared, document::Problems& problems)
      : node_(node), declared_(declared), problems_(problems) {}

  ReconcileDefinition Read() {
    ReconcileDefinition out;
    out.path = Parse(node_["path"].text, node_["path"]);
    CheckPath(out.path, node_["path"], problems_);
    for (const document::Member& member : node_["query"].members) {
      Text name = Parse(member.name, member.value);
      out.query.emplace_back(std::move(name), Parse(member.value.text, member.value));
    }
    for (const document::Member& member : node_["headers"].members) {
      out.headers.emplace_back(member.name, Parse(member.value.text, member.value));
    }
    ReadRules(out.rules);
    for (const Source bound : {Source::kFrom, Source::kTo}) {
      if (!Asks(out, bound)) {
        problems_.Error(node_, bound == Source::kFrom ? "does not say from when" : "does not say until when",
                        {.allowed = "{from} and {to} in path or query", .show_value = false});
      }
    }
    if (out.rules.next && !Asks(out, Source::kCursor)) {
      problems_.Error(node_["next"], "takes a cursor that no request sends", {.allowed = "{cursor} in path or query"});
    }
    return out;
  }

 private:
  Text Parse(const std::string& text, const Node& at) {
    return ParseText(text, at, Where::kAsk, false, declared_, problems_);
  }

  static bool Asks(const ReconcileDefinition& out, Source source) {
    return NamesSource(out.path, source) || std::any_of(out.query.begin(), out.query.end(), [&](const auto& pair) {
             return NamesSource(pair.second, source);
           });
  }

  std::vector<std::string> Pointer(const Node& node) {
    std::optional<std::vector<std::string>> tokens = PointerTokens(node.text);
    if (!tokens) {
      problems_.Error(node, "is no JSON pointer", {.allowed = "\"/name\", \"/outer/name\""});
    }
    return std::move(tokens).value_or(std::vector<std::string>{});
  }

  void ReadRules(ReconcileRules& rules) {
    const Node& each = node_["each"];
    if (each.usable()) {
      rules.each = PlaceReader(problems_).ReadEach(each);
      if (std::count(rules.each.begin(), rules.each.end(), "*") > 1 ||
          (!rules.each.empty() && rules.each.back() != "*")) {
        problems_.Error(each, "must end with its only *", {.allowed = "a list, as \"/windows/*\""});
      } else if (!rules.each.empty()) {
        rules.each.pop_back();
      }
    }
    rules.stream = Pointer(node_["stream"]);
    rules.hour = Pointer(node_["hour"]);
    rules.count = Pointer(node_["count"]);
    if (const Node& hash = node_["hash"]; hash.usable()) {
      rules.hash = Pointer(hash);
    }
    ReadSums(rules);
    if (const Node& next = node_["next"]; next.usable()) {
      rules.next = Pointer(next);
    }
    rules.oldest = std::chrono::milliseconds(node_["oldest"].integer);
  }

  void ReadSums(ReconcileRules& rules) {
    for (const document::Member& member : node_["sums"].members) {
      std::vector<std::string> place = Pointer(member.value);
      const bool named = std::find(place.begin(), place.end(), kName) != place.end();
      if (member.name != "*") {
        rules.sums.push_back({member.name, std::move(place)});
        continue;
      }
      if (!named && !place.empty()) {
        problems_.Error(member.value, "is one place for the sums of several measurements",
                        {.allowed = "a place with the step {name}, as \"/sums/{name}\""});
      }
      rules.named_sum = std::move(place);
    }
  }

  const Node& node_;
  Declared& declared_;
  document::Problems& problems_;
};

}  // namespace

std::vector<ReconcileRules::Sum> ReconcileRules::SumsWith(const std::vector<std::string>& named) const {
  std::vector<Sum> all = sums;
  for (const std::string& name : named) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const Sum& sum) { return sum.measurement == name; });
    if (named_sum && !known) {
      all.push_back({name, *named_sum});
      std::replace(all.back().place.begin(), all.back().place.end(), std::string(kName), name);
    }
  }
  return all;
}

ReconcileDefinition ReadReconcile(const Node& node, Declared& declared, document::Problems& problems) {
  return ReconcileReader(node, declared, problems).Read();
}

}  // namespace packhorse::contract
