#pragma once

#include <string>

#include "outcome/reply_document.h"

namespace packhorse::outcome {

// What a reply says for people. Pure functions; nothing throws; all answers are single lines of at most 2 KiB.

// What an error reply says.
struct Problem {
  std::string type;    // RFC 9457 `type`
  std::string detail;  // title and detail; a message in one of the usual members; or the start of the body
};
Problem ReadProblem(const Reply& reply);

// The provider's words about one item: a text, a problem of RFC 9457, or the value as it is. Null: "no reason given".
std::string WordsOf(const JsonValue* error);

}  // namespace packhorse::outcome
