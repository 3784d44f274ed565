#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace packhorse::delivery {

// What of a request and its reply may be shown to people: everything but secrets. Secrets are told by where they stand
// (the name of a header or of a query parameter) and by their bytes (base/mask.h); what is hidden is "***". Pure
// functions, apart from the secrets that base/mask.h remembers.

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// Whether a header or query parameter of this name carries a secret or a proof of one: Authorization, Cookie,
// X-Api-Key, X-Amz-Security-Token, Webhook-Signature, sig, p. Not Idempotency-Key and WWW-Authenticate.
bool NamesSecret(std::string_view name);

// A path with its query, in one line, bounded.
std::string ShownPath(std::string_view path);
// In their order, bounded in number and size. `plain`: the name of a header that is no secret whatever it is called;
// may be empty.
HeaderList ShownHeaders(const HeaderList& headers, std::string_view plain);

// What a request has in secret places, as it may come back in a reply; at least 8 bytes each.
std::vector<std::string> SecretsOf(std::string_view path, const HeaderList& headers, std::string_view plain);
// `text` in one line of at most `max_bytes`, without `secrets` and without those that are remembered.
std::string ShownText(std::string_view text, const std::vector<std::string>& secrets, std::size_t max_bytes);

}  // namespace packhorse::delivery
