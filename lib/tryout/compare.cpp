#include "tryout/compare.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/secret_mark.h"
#include "base/text.h"
#include "base/units.h"
#include "document/document.h"
#include "tryout/json_value.h"
#include "tryout/probes.h"
#include "tryout/reply_space.h"
#include "tryout/run.h"

namespace packhorse::tryout {
namespace {

using contract::CloudContract;
using contract::RenderedRecord;
using contract::SettingRule;
using document::Node;
using Kind = document::Node::Kind;
using Level = Finding::Level;

constexpr std::size_t kShownChange = 120;
constexpr std::size_t kMaxReplyFindings = 50;

// Collects findings, each one once.
class Findings {
 public:
  void Add(Level level, std::string place, std::string message) {
    if (said_.insert(place + "\n" + message).second) {
      list_.push_back({level, std::move(place), std::move(message)});
    }
  }
  void Break(std::string place, std::string message) { Add(Level::kBreak, std::move(place), std::move(message)); }
  void Warn(std::string place, std::string message) { Add(Level::kWarning, std::move(place), std::move(message)); }
  std::vector<Finding> Take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
  std::set<std::string> said_;
};

contract::BatchHeader HeaderOfProbe(const RenderedRecord& record) {
  contract::BatchHeader header;
  header.batch_id = "batch-1";
  header.gateway_id = "gateway";
  header.gateway_attributes = {{"site", "plant"}};
  header.created_at = WallTime(std::chrono::seconds(1'795'165'931));
  header.part = record.part;
  return header;
}

const SettingRule* FindRule(const std::vector<SettingRule>& rules, const std::string& name) {
  const auto found =
      std::find_if(rules.begin(), rules.end(), [&](const SettingRule& rule) { return rule.name == name; });
  return found == rules.end() ? nullptr : &*found;
}

void CompareSettings(const Compared& before, const Compared& after, Findings& findings) {
  for (const SettingRule& rule : before.settings) {
    const std::string place = "settings /" + rule.name;
    const SettingRule* now = FindRule(after.settings, rule.name);
    if (now == nullptr) {
      findings.Break(place, "is gone: a configuration that gives it is refused");
    } else if (now->table != rule.table) {
      findings.Break(place, now->table ? "is a table now: a configuration with a value is refused"
                                       : "is no table any more: a configuration that names one is refused");
    } else if (now->required && !rule.required) {
      findings.Break(place, "is required now: a configuration without it is refused");
    } else if (now->secret != rule.secret) {
      findings.Break(
          place, now->secret ? "is a secret now: a configuration that writes it is refused" : "is no secret any more");
    }
  }
  for (const SettingRule& rule : after.settings) {
    if (rule.required && FindRule(before.settings, rule.name) == nullptr) {
      findings.Break("settings /" + rule.name, "is new and required: a configuration of before is refused");
    }
  }
}

void CompareAuth(const CloudContract& before, const CloudContract& after, Findings& findings) {
  const contract::RequestAuth old = before.Auth({});
  const contract::RequestAuth now = after.Auth({});
  const auto name = [](const contract::RequestAuth& auth) {
    return auth.scheme.empty() ? "left to the destination" : auth.scheme;
  };
  if (old.scheme != now.scheme) {
    findings.Break("auth", "was " + name(old) + ", is " + name(now));
  } else if (old.parameters != now.parameters) {
    findings.Break("auth", "other parameters of " + name(now) + ": requests are signed in another way");
  }
}

void CompareAccepts(const CloudContract& before, const CloudContract& after, Findings& findings) {
  const contract::Accepts& old = before.accepts();
  const contract::Accepts& now = after.accepts();
  const auto raised = [&](const char* name, std::uint64_t was, std::uint64_t is) {
    const bool unlimited = is == 0 && was != 0;
    if (unlimited || (was != 0 && is > was)) {
      findings.Warn(std::string("accepts /") + name,
                    "was " + std::to_string(was) + ", is " + (unlimited ? "without limit" : std::to_string(is)));
    }
  };
  raised("max_items", old.max_items, now.max_items);
  raised("max_bytes", old.max_bytes, now.max_bytes);
  raised("max_sent_bytes", old.max_sent_bytes, now.max_sent_bytes);
  if (old.outside != now.outside) {
    findings.Break("accepts /outside", "what is too old or too new ends in another way");
  }
  if (old.oldest != now.oldest || old.newest != now.newest) {
    findings.Warn("accepts", "the window of times that are taken is another one");
  }
  if (before.recognises_records() && !after.recognises_records()) {
    findings.Break("accepts", "the receiver does not recognise records that come twice any more");
  }
}

std::string Upper(std::string_view name) { return document::Quoted(name); }

void CompareHeadersOf(const contract::Headers& old, const contract::Headers& now, Findings& findings) {
  const auto find = [](const contract::Headers& headers, const std::string& name) -> const std::string* {
    const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& header) {
      return Lower(std::string_view(header.first)) == Lower(std::string_view(name));
    });
    return found == headers.end() ? nullptr : &found->second;
  };
  for (const auto& [name, value] : old) {
    const std::string* is = find(now, name);
    if (is == nullptr) {
      findings.Break("headers", Upper(name) + " is gone");
    } else if (*is != value) {
      findings.Break("headers", Upper(name) + " was " + Shorten(MaskSecretMarks(value), kShownChange) + ", is " +
                                    Shorten(MaskSecretMarks(*is), kShownChange));
    }
  }
  for (const auto& [name, value] : now) {
    if (find(old, name) == nullptr) {
      findings.Warn("headers", Upper(name) + " is new");
    }
  }
}

bool IsNumber(const Node& node) { return node.kind == Kind::kInteger || node.kind == Kind::kNumber; }

// Whether a node is of the same type: whole numbers and others are not, for a receiver's column is of one of them.
bool SameType(const Node& a, const Node& b) { return a.kind == b.kind; }

// Compares bodies of one probe, member by member.
class BodyComparison {
 public:
  BodyComparison(const Probe& probe, bool first, const Node& whole_before, const Node& whole_after, Findings& findings)
      : probe_(probe), first_(first), whole_(whole_before), whole_after_(whole_after), findings_(findings) {}

  void Walk(const Node& old, const Node& now, const std::string& pointer) {
    const std::string place = "request " + (pointer.empty() ? "/" : pointer);
    if (!SameType(old, now)) {
      const bool numbers = IsNumber(old) && IsNumber(now);
      findings_.Break(place,
                      std::string(numbers ? "the number is of another type: was " : "the type is another one: was ") +
                          Shown(old) + ", is " + Shown(now) + Where());
      return;
    }
    if (old.kind == Kind::kObject) {
      WalkMembers(old, now, pointer);
    } else if (old.kind == Kind::kArray) {
      if (old.items.size() != now.items.size()) {
        findings_.Break(place, "had " + std::to_string(old.items.size()) + " elements, has " +
                                   std::to_string(now.items.size()) + Where());
      }
      for (std::size_t i = 0; i < std::min(old.items.size(), now.items.size()); ++i) {
        Walk(old.items[i], now.items[i], document::Below(pointer, std::to_string(i)));
      }
    } else if (FirstDifference(old, now)) {
      findings_.Break(place, Changed(old, now));
    }
  }

 private:
  static std::string Shown(const Node& node) { return Shorten(WriteCompact(node), kShownChange); }
  std::string Where() const { return first_ ? "" : ", in " + probe_.what; }

  // What a value was and is; a moment of the other clock is named so.
  std::string Changed(const Node& old, const Node& now) const {
    const std::string what = ": was " + Shown(old) + ", is " + Shown(now) + Where();
    const auto names = [](const Node& node, const char* arrival, const char* device) {
      return node.text.find(arrival) != std::string::npos ? 1 : node.text.find(device) != std::string::npos ? 2 : 0;
    };
    // The two moments of a probe, as far as every writing of one shows it: the digits of an epoch, the minute and
    // second of a text.
    const int was = std::max(names(old, "1795165921", "1795165918"), names(old, "09:12:01", "09:11:58"));
    const int is = std::max(names(now, "1795165921", "1795165918"), names(now, "09:12:01", "09:11:58"));
    return (was != is && was != 0 && is != 0 ? "the clock is another one" : "the value is another one") + what;
  }

  void WalkMembers(const Node& old, const Node& now, const std::string& pointer) {
    for (const document::Member& member : old.members) {
      const std::string below = document::Below(pointer, member.name);
      if (const Node* found = now.Find(member.name)) {
        Walk(member.value, *found, below);
      } else if (first_ || IsThere(whole_after_, below)) {  // what is gone altogether has been said
        findings_.Break("request " + below, first_ ? "is gone" : "may be missing now" + Where());
      }
    }
    for (const document::Member& member : now.members) {
      const std::string below = document::Below(pointer, member.name);
      // New altogether: a receiver of before does not look. Known to it and left out before: null and absent are not
      // the same.
      if (old.Find(member.name) == nullptr && !first_ && IsThere(whole_, below)) {
        findings_.Break("request " + below, "was left out, is " + Shown(member.value) + Where());
      }
    }
  }

  static bool IsThere(const Node& whole, const std::string& pointer) {
    const Node* at = &whole;
    std::size_t begin = 1;
    while (at != nullptr && begin <= pointer.size()) {
      const std::size_t end = std::min(pointer.find('/', begin), pointer.size());
      const std::string token = pointer.substr(begin, end - begin);
      std::size_t index = 0;
      if (at->kind == Kind::kArray) {
        at = ReadNumber(token, index) && index < at->items.size() ? &at->items[index] : nullptr;
      } else {
        at = at->Find(token);
      }
      begin = end + 1;
    }
    return at != nullptr;
  }

  const Probe& probe_;
  const bool first_;         // the probe with everything
  const Node& whole_;        // what `before` makes of that
  const Node& whole_after_;  // what `after` makes of it
  Findings& findings_;
};

// A body as one JSON value: several lines of JSON are a list. None: it is no JSON.
std::optional<Node> JsonOf(const std::string& body) {
  document::Document one = document::ParseDocument(body);
  if (!one.problem) {
    return std::move(one.root);
  }
  Node list;
  list.kind = Kind::kArray;
  for (std::size_t begin = 0; begin < body.size();) {
    const std::size_t end = std::min(body.find('\n', begin), body.size());
    document::Document line = document::ParseDocument(std::string_view(body).substr(begin, end - begin));
    if (line.problem) {
      return std::nullopt;
    }
    list.items.push_back(std::move(line.root));
    begin = end + 1;
  }
  return list;
}

void CompareRequest(const contract::Rendered& old, const contract::Rendered& now, Findings& findings) {
  if (old.path != now.path) {
    findings.Break("path", "was " + MaskSecretMarks(old.path) + ", is " + MaskSecretMarks(now.path));
  }
  if (old.content_type != now.content_type) {
    findings.Break("headers", "\"Content-Type\" was " + old.content_type + ", is " + now.content_type);
  }
}

// Bodies of the first probe that has items in both.
using Whole = std::optional<std::pair<Node, Node>>;

void CompareBodies(const Probe& probe, const std::string& old, const std::string& now, Whole& whole,
                   Findings& findings) {
  const bool first = !whole.has_value();
  const std::optional<Node> was = JsonOf(old);
  const std::optional<Node> is = JsonOf(now);
  if (was && is) {
    if (first) {
      whole.emplace(*was, *is);
    }
    BodyComparison(probe, first, whole->first, whole->second, findings).Walk(*was, *is, "");
  } else if (old != now) {
    findings.Break("request", "another body of " + probe.what + ": was " + document::Quoted(old, kShownChange) +
                                  ", is " + document::Quoted(now, kShownChange));
  }
}

void CompareProbes(const CloudContract& before, const CloudContract& after, Findings& findings) {
  Whole whole;
  for (const Probe& probe : Probes()) {
    const RenderedRecord old = before.RenderRecord(probe.record);
    const RenderedRecord now = after.RenderRecord(probe.record);
    const bool sent = old.fate == RenderedRecord::Fate::kItems;
    if (old.fate != now.fate) {
      findings.Break("request", probe.what + (sent ? " was sent, is not any more" : " meets another end"));
      continue;
    }
    if (!sent) {
      continue;
    }
    if (old.items() != now.items()) {
      findings.Break("request",
                     probe.what + " had " + std::to_string(old.items()) + " items, has " + std::to_string(now.items()));
      continue;
    }
    if (old.part.empty() != now.part.empty()) {
      findings.Break("request /split_by", "records share a request with others than before");
    }
    const contract::Rendered was = before.RenderBatch(HeaderOfProbe(old), {&old, 1});
    const contract::Rendered is = after.RenderBatch(HeaderOfProbe(now), {&now, 1});
    CompareRequest(was, is, findings);
    CompareHeadersOf(before.RequestHeaders(HeaderOfProbe(old)), after.RequestHeaders(HeaderOfProbe(now)), findings);
    CompareBodies(probe, was.body, is.body, whole, findings);
  }
}

// What the API is asked for has to stay; that it is asked at all is no matter of its records.
void CompareReconcile(const CloudContract& before, const CloudContract& after, Findings& findings) {
  if (before.reconcile() == nullptr) {
    return;
  }
  if (after.reconcile() == nullptr) {
    findings.Warn("reconcile", "is gone: nobody notices any more what the API has lost");
    return;
  }
  contract::ReconcileQuestion question;
  question.gateway = HeaderOfProbe({});
  question.to = question.from + std::chrono::hours(1);
  const std::string old = before.RenderReconcile(question).path;
  const std::string now = after.RenderReconcile(question).path;
  if (old != now) {
    findings.Break("reconcile /path", "was " + MaskSecretMarks(old) + ", is " + MaskSecretMarks(now));
  }
  const auto& sums = after.reconcile()->sums;
  for (const contract::ReconcileRules::Sum& sum : before.reconcile()->sums) {
    if (std::none_of(sums.begin(), sums.end(), [&](const auto& each) { return each.measurement == sum.measurement; })) {
      findings.Warn("reconcile /sums", "the sum of " + sum.measurement + " is compared no more");
    }
  }
  if (before.reconcile()->named_sum && !after.reconcile()->named_sum) {
    findings.Break("reconcile /sums", "a destination can name no measurements any more");
  }
}

std::string VerdictOf(const TriedReply& reply) { return reply.records.empty() ? reply.batch : Join(reply.records); }

void CompareReplies(const CloudContract& before, const CloudContract& after, Findings& findings) {
  const ReplySpace space = RepliesFor({&before.response(), &after.response()});
  std::map<std::pair<std::string, std::string>, std::size_t> said;  // by what it was and is, for each status
  std::size_t count = 0;
  for (const Sample::Reply& reply : space.replies) {
    const TriedReply was = JudgeReply(before.response(), RequestOfSpace(), reply);
    const TriedReply is = JudgeReply(after.response(), RequestOfSpace(), reply);
    if (VerdictOf(was) == VerdictOf(is)) {
      continue;
    }
    const std::string change = "was " + VerdictOf(was) + ", is " + VerdictOf(is);
    if (said[{std::to_string(reply.status), change}]++ == 0 && ++count <= kMaxReplyFindings) {
      findings.Break("response", Shorten(reply.title, 2 * kShownChange) + ": " + change);
    }
  }
  if (count > kMaxReplyFindings) {
    findings.Break("response", "and " + std::to_string(count - kMaxReplyFindings) + " more changes");
  }
  if (!space.complete) {
    findings.Warn("response", "the rules ask for more than can be tried: not every combination was");
  }
}

// What asks for a confirmation, and what confirms. How often, and for how long, may change.
void CompareConfirmations(const CloudContract& old, const CloudContract& now, Findings& findings) {
  const contract::Confirmation* was = old.confirmation();
  const contract::Confirmation* is = now.confirmation();
  if (was == nullptr || is == nullptr) {
    return;  // the verdicts tell
  }
  if (was->otherwise != is->otherwise || old.response().confirm != now.response().confirm) {
    findings.Break("confirm", "another reply confirms, or means something else");
  }
  contract::BatchHeader header;
  header.batch_id = "batch";
  header.gateway_id = "gateway";
  const auto before = old.RenderConfirmation(header, {"/key"});
  const auto after = now.RenderConfirmation(header, {"/key"});
  if (before && after &&
      (before->method != after->method || before->path != after->path || before->headers != after->headers ||
       before->body != after->body)) {
    findings.Break("confirm", "the request is another one");
  }
}

}  // namespace

std::vector<Finding> Compare(const Compared& before, const Compared& after) {
  Findings findings;
  const CloudContract& old = *before.contract;
  const CloudContract& now = *after.contract;
  CompareSettings(before, after, findings);
  if (old.method() != now.method()) {
    findings.Break("method", "was " + old.method() + ", is " + now.method());
  }
  if (old.codings() != now.codings()) {
    findings.Break("coding", "was " + Join(old.codings()) + ", is " + Join(now.codings()));
  }
  CompareAuth(old, now, findings);
  CompareAccepts(old, now, findings);
  CompareProbes(old, now, findings);
  CompareReplies(old, now, findings);
  CompareReconcile(old, now, findings);
  CompareConfirmations(old, now, findings);
  return findings.Take();
}

}  // namespace packhorse::tryout
