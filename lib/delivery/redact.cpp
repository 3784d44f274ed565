#include "delivery/redact.h"

#include <algorithm>
#include <array>

#include "base/mask.h"
#include "base/secret_mark.h"
#include "base/text.h"
#include "outcome/reply_text.h"

namespace packhorse::delivery {
namespace {

constexpr std::size_t kMaxHeaders = 40;
constexpr std::size_t kNameBytes = 64;
constexpr std::size_t kValueBytes = 256;
constexpr std::size_t kPathBytes = 1'024;
// What is shorter is found everywhere.
constexpr std::size_t kShortestEcho = 8;
constexpr std::string_view kHidden = "***";

constexpr std::array<std::string_view, 4> kNoSecrets = {"www-authenticate", "proxy-authenticate", "idempotency-key",
                                                        "x-idempotency-key"};
// In any part of a name.
constexpr std::array<std::string_view, 10> kParts = {"auth",   "token",  "secret",  "signature",  "passw",
                                                     "cookie", "apikey", "session", "credential", "jwt"};
// As a word of a name.
constexpr std::array<std::string_view, 10> kNameWords = {"key", "sig",  "sign", "sas",  "pwd",
                                                         "pw",  "pass", "p",    "code", "pin"};

bool HasWord(std::string_view name, std::string_view word) {
  for (std::size_t at = name.find(word); at != std::string_view::npos; at = name.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !IsAlnum(name[at - 1])) && (end == name.size() || !IsAlnum(name[end]))) {
      return true;
    }
  }
  return false;
}

bool IsHidden(std::string_view name, std::string_view plain) {
  return NamesSecret(name) && (plain.empty() || Lower(std::string_view(name)) != Lower(std::string_view(plain)));
}

// Calls `visit` with the name and the place of the value of each query parameter.
template <typename Visit>
void VisitParameters(std::string_view path, const Visit& visit) {
  std::size_t at = path.find('?');
  while (at < path.size()) {
    const std::size_t begin = at + 1;
    at = std::min(path.find_first_of("&;", begin), path.size());
    const std::size_t equals = path.find('=', begin);
    if (equals < at) {
      visit(path.substr(begin, equals - begin), equals + 1, at);
    }
  }
}

void AddEcho(std::string_view secret, std::vector<std::string>& secrets) {
  if (secret.size() >= kShortestEcho) {
    secrets.emplace_back(secret);
  }
}

}  // namespace

bool NamesSecret(std::string_view name) {
  const std::string lower = Lower(name);
  if (std::find(kNoSecrets.begin(), kNoSecrets.end(), lower) != kNoSecrets.end()) {
    return false;
  }
  return std::any_of(kParts.begin(), kParts.end(),
                     [&](std::string_view part) { return lower.find(part) != std::string::npos; }) ||
         std::any_of(kNameWords.begin(), kNameWords.end(), [&](std::string_view word) { return HasWord(lower, word); });
}

std::string ShownPath(std::string_view path) {
  std::string shown;
  std::size_t copied = 0;
  VisitParameters(path, [&](std::string_view name, std::size_t from, std::size_t to) {
    if (NamesSecret(name)) {
      shown.append(path, copied, from - copied).append(kHidden);
      copied = to;
    }
  });
  shown.append(path, copied);
  return outcome::OneLine(MaskSecretMarks(shown), kPathBytes);
}

HeaderList ShownHeaders(const HeaderList& headers, std::string_view plain) {
  HeaderList shown;
  for (const auto& [name, value] : headers) {
    if (shown.size() == kMaxHeaders) {
      break;
    }
    shown.emplace_back(outcome::OneLine(name, kNameBytes), IsHidden(name, plain)
                                                               ? std::string(kHidden)
                                                               : outcome::OneLine(MaskSecretMarks(value), kValueBytes));
  }
  return shown;
}

std::vector<std::string> SecretsOf(std::string_view path, const HeaderList& headers, std::string_view plain) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : headers) {
    if (IsHidden(name, plain)) {
      AddEcho(value, secrets);
      // Behind the scheme: RFC 9110 section 11.4.
      AddEcho(std::string_view(value).substr(std::min(value.find(' '), value.size() - 1) + 1), secrets);
    }
  }
  VisitParameters(path, [&](std::string_view name, std::size_t from, std::size_t to) {
    if (NamesSecret(name)) {
      AddEcho(path.substr(from, to - from), secrets);
    }
  });
  return secrets;
}

std::string ShownText(std::string_view text, const std::vector<std::string>& secrets, std::size_t max_bytes) {
  std::size_t longest = LongestSecretForm();
  for (const std::string& secret : secrets) {
    longest = std::max(longest, secret.size());
  }
  // A secret that is looked for must not be cut.
  std::string shown(text.substr(0, max_bytes + longest));
  for (const std::string& secret : secrets) {
    for (std::size_t at = shown.find(secret); at != std::string::npos; at = shown.find(secret, at + kHidden.size())) {
      shown.replace(at, secret.size(), kHidden);
    }
  }
  return outcome::OneLine(shown, max_bytes);
}

}  // namespace packhorse::delivery
