#pragma once

#include <string>
#include <utility>
#include <vector>

#include "contract/cloud/renderer.h"
#include "contract/cloud_contract.h"

namespace packhorse::contract {

// What stands before the body of a request, as texts of a definition.

using QueryTexts = std::vector<std::pair<Text, Text>>;
using HeaderTexts = std::vector<std::pair<std::string, Text>>;

// A path without its query. Empty and a fault of `renderer`: something is missing, or the path would lead elsewhere
// (path_text.h).
std::string WritePath(Renderer& renderer, const Text& text);
// Path and query. A query member of which the value is missing is left out.
std::string WriteTarget(Renderer& renderer, const Text& path_text, const QueryTexts& query);
// False and a fault of `renderer`: the header cannot be written. Nothing where its value is missing.
bool WriteHeader(Renderer& renderer, const std::string& name, const Text& value, Headers& headers);

}  // namespace packhorse::contract
