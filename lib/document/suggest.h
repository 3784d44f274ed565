#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace packhorse::document {

// The candidate that `word` was most likely meant to be, or empty. Capitals, '-' and '_' do not count; at most two
// letters may be missing, wrong, doubled or swapped (fewer in short words), or one is the beginning of the other.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);
// `did you mean "..."?` for the nearest candidate, or empty.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);
// The candidates with commas, the first few of many.
std::string List(const std::vector<std::string>& candidates);

}  // namespace packhorse::document
