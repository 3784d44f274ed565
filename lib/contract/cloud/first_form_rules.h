#pragma once

#include <string>
#include <vector>

#include "contract/cloud/response_rules.h"

namespace packhorse::contract {

// `response` as the first released cloud contracts write it: statuses, and pointers to a count and two lists.
struct FirstFormResponse {
  std::vector<int> success;         // whole batch accepted if the count, and lists that name nobody, agree
  std::vector<int> partial;         // an answer for each record in the shape below
  std::string accepted_pointer;     // JSON pointer of the count that must equal the records sent; empty: no body check
  std::string rejected_pointer;     // array of {record_id, error}
  std::string rejected_id_pointer;  // within an item
  std::string rejected_error_pointer;
  std::string retry_pointer;  // array of record ids
};

// The same in the language of today.
ResponseRules FirstFormRules(const FirstFormResponse& response);

}  // namespace packhorse::contract
