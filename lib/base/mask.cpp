#include "base/mask.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <list>
#include <mutex>
#include <utility>
#include <vector>

#include "base/encode.h"
#include "base/text.h"
#include "base/unescape.h"

namespace packhorse {
namespace {

constexpr std::size_t kMaxSecrets = 256;
// The beginning of a secret at the end of a text that is taken for one that was cut.
constexpr std::size_t kShortestPiece = 8;
// Escapes within escapes: a redirect in a JSON text on an HTML page.
constexpr int kLayers = 4;
// Characters that stand for one: \u0041.
constexpr std::size_t kLongestEscape = 6;
constexpr std::string_view kMask = "***";

// The characters of base64 that the bytes alone decide when `offset` other bytes stand before them (RFC 4648).
std::string Base64Within(std::string_view bytes, std::size_t offset) {
  const std::size_t begin = (offset * 8 + 5) / 6;
  const std::size_t end = (offset + bytes.size()) * 8 / 6;
  return Base64(std::string(offset, '\0') + std::string(bytes)).substr(begin, end - begin);
}

// RFC 4648 section 5, as in a URL.
std::string UrlSafe(std::string base64) {
  std::replace(base64.begin(), base64.end(), '+', '-');
  std::replace(base64.begin(), base64.end(), '/', '_');
  return base64;
}

// One secret in all the forms in which it is looked for once escapes are undone, in lower case and without white space.
struct Known {
  std::string secret;  // as it is, in lower case
  std::vector<std::string> forms;
  bool whole_words = false;

  explicit Known(std::string_view as_it_is)
      : secret(Lower(as_it_is)), whole_words(as_it_is.size() < kShortSecretBytes) {
    const std::string stripped = Unescaped(as_it_is).text();
    whole_words = whole_words || stripped.size() < kShortSecretBytes;
    if (whole_words) {
      return;
    }
    Add(stripped);
    std::string in_a_form(as_it_is);  // application/x-www-form-urlencoded
    std::replace(in_a_form.begin(), in_a_form.end(), ' ', '+');
    Add(in_a_form);
    Add(Hex(as_it_is));
    Add(Hex(as_it_is, ":"));
    for (std::size_t offset = 0; offset < 3; ++offset) {
      const std::string base64 = Base64Within(as_it_is, offset);
      Add(base64);
      Add(UrlSafe(base64));
    }
  }
  Known(const Known&) = delete;
  Known& operator=(const Known&) = delete;
  ~Known() {
    explicit_bzero(secret.data(), secret.size());
    for (std::string& form : forms) {
      explicit_bzero(form.data(), form.size());
    }
  }
  void Add(const std::string& form) {
    const std::string lower = Lower(form);
    if (std::find(forms.begin(), forms.end(), lower) == forms.end()) {
      forms.push_back(lower);
    }
  }
};

struct Memory {
  std::mutex mutex;
  std::list<Known> known, entries;  // the latest first; guarded by mutex
};

// Never destroyed: other threads may show something until the process ends.
Memory& Secrets() {
  static Memory* memory = new Memory;
  return *memory;
}

bool IsWord(std::string_view text, std::size_t at, std::size_t size) {
  return (at == 0 || !IsAlnum(text[at - 1])) && (at + size == text.size() || !IsAlnum(text[at + size]));
}

using Span = std::pair<std::size_t, std::size_t>;  // begin, end

void FindWords(std::string_view lower, const Known& known, std::vector<Span>& found) {
  for (std::size_t at = lower.find(known.secret); at != std::string_view::npos; at = lower.find(known.secret, at + 1)) {
    if (IsWord(lower, at, known.secret.size())) {
      found.emplace_back(at, at + known.secret.size());
    }
  }
}

void FindForms(const Unescaped& seen, std::string_view lower, const Known& known, bool pieces,
               std::vector<Span>& found) {
  for (const std::string& form : known.forms) {
    for (std::size_t at = lower.find(form); at != std::string_view::npos; at = lower.find(form, at + 1)) {
      found.push_back(seen.Origin(at, form.size()));
    }
    for (std::size_t size = std::min(form.size() - 1, lower.size()); pieces && size >= kShortestPiece; --size) {
      if (lower.substr(lower.size() - size) == std::string_view(form).substr(0, size)) {
        found.push_back(seen.Origin(lower.size() - size, size));
        break;
      }
    }
  }
}

// Guarded by the memory's mutex.
std::vector<Span> FindAll(std::string_view text, const std::list<Known>& known, bool pieces) {
  std::vector<Span> found;
  const std::string whole = Lower(text);
  for (const Known& one : known) {
    if (one.whole_words) {
      FindWords(whole, one, found);
    }
  }
  Unescaped seen(text);
  for (int layer = 0; layer <= kLayers; ++layer) {
    const std::string lower = Lower(seen.text());
    for (const Known& one : known) {
      FindForms(seen, lower, one, pieces, found);
    }
    if (!seen.Next()) {
      break;
    }
  }
  return found;
}

std::string Mask(std::string_view text, bool pieces) {
  std::vector<Span> found;
  {
    Memory& memory = Secrets();
    const std::lock_guard lock(memory.mutex);
    for (const std::list<Known>* known : {&memory.known, &memory.entries}) {
      if (!known->empty() && !text.empty()) {
        const std::vector<Span> more = FindAll(text, *known, pieces);
        found.insert(found.end(), more.begin(), more.end());
      }
    }
  }
  std::sort(found.begin(), found.end());
  std::string masked;
  std::size_t copied = 0;
  for (std::size_t i = 0; i < found.size();) {
    auto [begin, end] = found[i];
    for (++i; i < found.size() && found[i].first <= end; ++i) {  // forms may overlap
      end = std::max(end, found[i].second);
    }
    masked.append(text, copied, begin - copied);
    masked += kMask;
    copied = end;
  }
  masked.append(text.substr(copied));
  return masked;
}

void Remember(std::string_view secret, std::list<Known> Memory::*list) {
  if (secret.empty()) {
    return;
  }
  Memory& memory = Secrets();
  const std::lock_guard lock(memory.mutex);
  std::list<Known>& known = memory.*list;
  const std::string lower = Lower(secret);
  const auto same = std::find_if(known.begin(), known.end(), [&](const Known& each) { return each.secret == lower; });
  if (same != known.end()) {
    known.splice(known.begin(), known, same);
    return;
  }
  known.emplace_front(secret);
  if (known.size() > kMaxSecrets) {
    known.pop_back();
  }
}

}  // namespace

void RememberSecret(std::string_view secret) { Remember(secret, &Memory::known); }
void RememberEntry(std::string_view secret) { Remember(secret, &Memory::entries); }

std::string MaskSecrets(std::string_view text) { return Mask(text, false); }

std::string MaskSecretsAndPieces(std::string_view text) { return Mask(text, true); }

std::size_t LongestSecretForm() {
  Memory& memory = Secrets();
  const std::lock_guard lock(memory.mutex);
  std::size_t longest = 0;
  for (const std::list<Known>* list : {&memory.known, &memory.entries}) {
    for (const Known& known : *list) {
      for (const std::string& form : known.forms) {
        longest = std::max(longest, form.size());
      }
    }
  }
  return kLongestEscape * longest;
}

}  // namespace packhorse
