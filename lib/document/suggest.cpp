#include "document/suggest.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"
#include "document/document.h"

namespace packhorse::document {
namespace {

constexpr std::size_t kMaxWord = 64;  // longer ones are no misspelling of anything here

std::string Plain(std::string_view word) {
  std::string plain;
  for (const char c : word) {
    if (c != '_' && c != '-') {
      plain += Lower(c);
    }
  }
  return plain;
}

// Optimal string alignment: the Damerau-Levenshtein distance in which no part is edited twice.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    d[i][0] = i;
  }
  for (std::size_t j = 0; j <= b.size(); ++j) {
    d[0][j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

bool Begins(std::string_view text, std::string_view beginning) {
  return beginning.size() >= 3 && text.substr(0, beginning.size()) == beginning;
}

}  // namespace

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kMaxWord) {
    return "";
  }
  const std::string plain = Plain(word);
  std::string nearest;
  std::size_t least = 3;
  for (const std::string& candidate : candidates) {
    const std::string other = Plain(candidate);
    // A third of a short word wrong is another word.
    const std::size_t allowed = std::min<std::size_t>(2, std::max(plain.size(), other.size()) / 3);
    const std::size_t distance = other.size() > kMaxWord ? 3 : Distance(plain, other);
    if (distance <= allowed && distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  if (!nearest.empty()) {
    return nearest;
  }
  const auto begins = std::find_if(candidates.begin(), candidates.end(), [&](const std::string& candidate) {
    return Begins(Plain(candidate), plain) || Begins(plain, Plain(candidate));
  });
  return begins == candidates.end() ? "" : *begins;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : "did you mean " + Quoted(nearest) + "?";
}

std::string List(const std::vector<std::string>& candidates) {
  constexpr std::size_t kMaxListed = 24;
  std::string list;
  for (std::size_t i = 0; i < candidates.size() && i < kMaxListed; ++i) {
    list += (i == 0 ? "" : ", ") + candidates[i];
  }
  return candidates.size() > kMaxListed ? list + ", and " + std::to_string(candidates.size() - kMaxListed) + " more"
                                        : list;
}

}  // namespace packhorse::document
