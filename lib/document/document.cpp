#include "document/document.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "base/units.h"

namespace packhorse::document {
namespace {

using Json = nlohmann::json;

// Reads characters and remembers how far reading came, so that values get line numbers. The parser reads at most one
// character ahead, which never is beyond the line feed of the value's own line.
class TrackingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const {
    *reached_ = at_;
    return *at_;
  }
  TrackingIterator& operator++() {
    ++at_;
    return *this;
  }
  TrackingIterator operator++(int) {
    TrackingIterator before = *this;
    ++at_;
    return before;
  }
  bool operator==(const TrackingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const TrackingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** reached_;
};

SyntaxProblem ProblemAt(std::string_view text, std::size_t offset, std::string message) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto lines = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return SyntaxProblem{std::move(message), lines + 1, before.size() - line_start + 1};
}

// The parser's explanation without what it quotes from the text. Its form (nlohmann/json 3.11, parser.hpp) is
// "... while parsing CONTEXT - REASON; last read: 'TEXT'; expected TOKEN", the last two parts being optional.
std::string Explain(std::string_view what) {
  constexpr std::string_view kWhile = "while parsing ";
  constexpr std::string_view kRead = "; last read: '";
  constexpr std::string_view kExpected = "; expected ";
  static constexpr std::array<std::string_view, 7> kTokens = {
      "string literal", "']'", "'}'", "':'", "','", "end of input", "'[', '{', or a literal"};
  std::string text;
  const std::size_t start = what.find(kWhile);
  if (start != std::string_view::npos) {
    const std::size_t read = what.find(kRead, start);
    text = "in " + std::string(what.substr(start + kWhile.size(), read == std::string_view::npos
                                                                      ? std::string_view::npos
                                                                      : read - start - kWhile.size()));
    if (read != std::string_view::npos) {
      const std::size_t expected = what.rfind(kExpected);
      const std::string_view token =
          expected == std::string_view::npos ? std::string_view() : what.substr(expected + kExpected.size());
      if (std::find(kTokens.begin(), kTokens.end(), token) != kTokens.end()) {
        text += std::string(kExpected) + std::string(token);
      }
    }
  }
  return text;
}

// What people most often do to JSON by hand, told from the characters around the error.
std::string Hint(std::string_view text, std::size_t offset, std::string_view what) {
  if (offset >= text.size()) {
    return "the text ends too early; is a bracket not closed?";
  }
  const char at = text[offset];
  const std::size_t last = text.substr(0, offset).find_last_not_of(" \t\r\n");
  const char before = last == std::string_view::npos ? '\0' : text[last];
  if (at == '\'') {
    return "text stands in double quotes";
  }
  if ((at == '}' || at == ']') && before == ',') {
    return "there must be no comma before a closing bracket";
  }
  const bool wants_end =
      what.size() > 3 && (what.substr(what.size() - 3) == "'}'" || what.substr(what.size() - 3) == "']'");
  if (wants_end && what.find("; last read: ") == std::string_view::npos) {
    return "a comma seems to be missing before this";
  }
  return "";
}

class Builder final : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const char** reached) : text_(text), reached_(reached), counted_(text.data()) {}

  bool null() override { return Add(Node{}); }
  bool boolean(bool value) override {
    Node node;
    node.kind = Node::Kind::kBoolean;
    node.boolean = value;
    return Add(std::move(node));
  }
  bool number_integer(number_integer_t value) override {
    return AddNumber(Node::Kind::kInteger, value, static_cast<double>(value), std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    const auto number = static_cast<double>(value);
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return AddNumber(Node::Kind::kNumber, 0, number, std::to_string(value));
    }
    return AddNumber(Node::Kind::kInteger, static_cast<std::int64_t>(value), number, std::to_string(value));
  }
  bool number_float(number_float_t value, const string_t& written) override {
    return AddNumber(Node::Kind::kNumber, 0, value, written);
  }
  bool string(string_t& value) override {
    Node node;
    node.kind = Node::Kind::kString;
    node.text = std::move(value);
    return Add(std::move(node));
  }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return Open(Node::Kind::kObject); }
  bool start_array(std::size_t /*size*/) override { return Open(Node::Kind::kArray); }
  bool end_object() override { return CloseTop(); }
  bool end_array() override { return CloseTop(); }
  bool key(string_t& name) override {
    Frame& frame = open_.back();
    frame.duplicate = !frame.names.insert(name).second;
    frame.name = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*last_token*/, const Json::exception& error) override {
    const std::size_t offset = position > 0 ? position - 1 : 0;
    if (error.id == 406) {  // number overflow
      problem_ = ProblemAt(text_, offset, "a number is too large for any computer");
      return false;
    }
    std::string message = "not valid JSON";
    const std::string hint = Hint(text_, offset, error.what());
    const std::string explanation = Explain(error.what());
    message += hint.empty() ? "" : ": " + hint;
    message += explanation.empty() ? "" : " (" + explanation + ")";
    problem_ = ProblemAt(text_, offset, std::move(message));
    return false;
  }

  Document Take() {
    Document document{std::move(root_), std::move(problem_)};
    return document;
  }

 private:
  struct Frame {
    Node node;
    std::string name;  // of the member that comes next
    bool duplicate = false;
    std::unordered_set<std::string> names;
  };

  bool Fail(std::string message) {
    problem_ = ProblemAt(text_, static_cast<std::size_t>(*reached_ - text_.data()), std::move(message));
    return false;
  }

  bool Stamp(Node& node) {
    if (++values_ > kMaxDocumentValues) {
      return Fail("more than " + std::to_string(kMaxDocumentValues) + " values");
    }
    node.order = values_;
    return true;
  }

  bool AddNumber(Node::Kind kind, std::int64_t integer, double number, std::string written) {
    Node node;
    node.kind = kind;
    node.integer = integer;
    node.number = number;
    node.text = std::move(written);
    return Add(std::move(node));
  }

  bool Add(Node node) {
    if (!Stamp(node)) {
      return false;
    }
    node.line = Line();
    Attach(std::move(node));
    return true;
  }

  bool Open(Node::Kind kind) {
    if (open_.size() >= kMaxDocumentLevels) {
      return Fail("nested deeper than " + std::to_string(kMaxDocumentLevels) + " levels");
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.line = Line();
    if (!Stamp(frame.node)) {
      return false;
    }
    open_.push_back(std::move(frame));
    return true;
  }

  bool CloseTop() {
    Node node = std::move(open_.back().node);
    open_.pop_back();
    Attach(std::move(node));
    return true;
  }

  void Attach(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = open_.back();
    if (frame.node.kind == Node::Kind::kArray) {
      frame.node.items.push_back(std::move(node));
    } else {
      frame.node.members.push_back(Member{std::move(frame.name), std::move(node), frame.duplicate});
    }
  }

  // Counts on from the last call, so that the whole text is counted once.
  std::size_t Line() {
    line_ += static_cast<std::size_t>(std::count(counted_, *reached_, '\n'));
    counted_ = *reached_;
    return line_;
  }

  std::string_view text_;
  const char** reached_;
  const char* counted_;
  std::size_t line_ = 1;
  std::size_t values_ = 0;
  std::vector<Frame> open_;
  Node root_;
  std::optional<SyntaxProblem> problem_;
};

// What is wrong with the bytes themselves, before any parsing.
std::optional<SyntaxProblem> CheckBytes(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) {
    return SyntaxProblem{"is " + std::to_string(text.size()) + " bytes long; at most " +
                         FormatBytes(kMaxDocumentBytes) + " are read"};
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return SyntaxProblem{"is empty; it must hold one JSON object"};
  }
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    return SyntaxProblem{"starts with a byte order mark (BOM); save it as UTF-8 without one", 1, 1};
  }
  if (text.substr(0, 2) == "\xFF\xFE" || text.substr(0, 2) == "\xFE\xFF") {
    return SyntaxProblem{"is UTF-16; save it as UTF-8", 1, 1};
  }
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos) {
    return ProblemAt(text, at, "holds a NUL byte; it must be UTF-8 text");
  }
  if (const std::size_t good = Utf8PrefixBytes(text); good < text.size()) {
    return ProblemAt(text, good, "is not valid UTF-8");
  }
  return std::nullopt;
}

}  // namespace

const Node* Node::Find(std::string_view name) const {
  for (const Member& member : members) {
    if (member.name == name) {
      return &member.value;
    }
  }
  return nullptr;
}

const Node& Node::operator[](std::string_view name) const {
  static const Node absent;
  const Node* found = Find(name);
  return found == nullptr ? absent : *found;
}

Document ParseDocument(std::string_view text) {
  if (std::optional<SyntaxProblem> problem = CheckBytes(text)) {
    return Document{Node{}, std::move(problem)};
  }
  const char* reached = text.data();
  Builder builder(text, &reached);
  const bool complete =
      Json::sax_parse(TrackingIterator(text.data(), &reached), TrackingIterator(text.data() + text.size(), &reached),
                      &builder, nlohmann::detail::input_format_t::json, true, true);
  Document document = builder.Take();
  if (!complete && !document.problem) {
    document.problem = SyntaxProblem{"could not be parsed"};
  }
  return document;
}

std::string_view KindName(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kBoolean:
      return "true or false";
    case Node::Kind::kInteger:
      return "a whole number";
    case Node::Kind::kNumber:
      return "a number";
    case Node::Kind::kString:
      return "a string";
    case Node::Kind::kArray:
      return "an array";
    case Node::Kind::kObject:
      return "an object";
  }
  return "a value";
}

std::string Quoted(std::string_view text, std::size_t max_bytes) {
  std::string quoted = "\"";
  for (const char c : Shorten(text, max_bytes)) {
    if (IsControl(c)) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      quoted += escape.data();
    } else if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string Display(const Node& node) {
  if (node.hidden && node.kind != Node::Kind::kObject && node.kind != Node::Kind::kArray) {
    return "(not shown)";
  }
  switch (node.kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kBoolean:
      return node.boolean ? "true" : "false";
    case Node::Kind::kInteger:
    case Node::Kind::kNumber:
      return Shorten(node.text, 40);
    case Node::Kind::kString:
      return Quoted(node.text);
    case Node::Kind::kArray:
      return "an array of " + std::to_string(node.items.size());
    case Node::Kind::kObject:
      return "an object of " + std::to_string(node.members.size());
  }
  return "";
}

std::string Below(std::string_view pointer, std::string_view token) {
  std::string text(pointer);
  text += '/';
  for (const char c : Shorten(token, 80)) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace packhorse::document
