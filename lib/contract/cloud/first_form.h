#pragma once

#include <string>

#include "contract/cloud/response_rules.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Cloud contracts as they were first written: {"request": {"envelope": "packhorse"}}. Such files are released and never
// change; they mean the same as a contract in the language of today.
struct FirstForm {
  std::string text;  // the same contract in that language, without its response
  ResponseRules response;
};

bool IsFirstForm(const document::Node& root);
// Mistakes are problems at their places. REQUIRES: IsFirstForm().
FirstForm ReadFirstForm(const document::Node& written, document::Problems& problems);

}  // namespace packhorse::contract
