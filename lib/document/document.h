#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace packhorse::document {

struct Member;

// A JSON value with the place where it was written. Plain value; any thread.
struct Node {
  enum class Kind { kNull, kBoolean, kInteger, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::int64_t integer = 0;     // kInteger; after the check also durations in milliseconds and sizes in bytes
  double number = 0;            // kInteger and kNumber
  std::string text;             // kString: the value; numbers: as written
  std::vector<Node> items;      // kArray
  std::vector<Member> members;  // kObject, in the order of the file

  std::size_t line = 0;   // where it ends, counted from 1; 0: not from a file
  std::size_t order = 0;  // rises through the file: problems are sorted by it

  // Set by the check (check.h).
  std::string pointer;  // JSON pointer (RFC 6901)
  bool written = true;  // false: a default
  bool valid = true;    // false: a problem was reported and the value is not to be used
  bool hidden = false;  // the value may be a secret and must not be shown

  // The first member of this name, or null.
  const Node* Find(std::string_view name) const;
  // The same, or a node that is not usable.
  const Node& operator[](std::string_view name) const;
  bool usable() const { return valid && kind != Kind::kNull; }
};

struct Member {
  std::string name;
  Node value;
  bool duplicate = false;  // an earlier member of the object has the same name
};

// Why a text is not a document: for people, without any of its content (which may be a secret).
struct SyntaxProblem {
  std::string message;
  std::size_t line = 0;  // 0: the text as a whole
  std::size_t column = 0;
};

struct Document {
  Node root;
  std::optional<SyntaxProblem> problem;  // set: `root` is incomplete
};

inline constexpr std::size_t kMaxDocumentBytes = 1U << 20U;
inline constexpr std::size_t kMaxDocumentLevels = 32;
inline constexpr std::size_t kMaxDocumentValues = 50'000;

// Parses JSON with // and /* */ comments within the bounds above. Never throws.
Document ParseDocument(std::string_view text);

// "an object", "a string", ...: for messages.
std::string_view KindName(Node::Kind kind);
// A value as it is shown in messages: shortened, control characters escaped, nothing of a hidden one.
std::string Display(const Node& node);
// Text in double quotes, shortened to `max_bytes`, control characters escaped.
std::string Quoted(std::string_view text, std::size_t max_bytes = 60);
// `pointer` with one more reference token.
std::string Below(std::string_view pointer, std::string_view token);

}  // namespace packhorse::document
