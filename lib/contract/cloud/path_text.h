#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/placeholder.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::contract {

// Paths of requests. A segment "." or ".." leads to another path (RFC 3986 section 5.2.4), and so may one that a value
// leaves empty: none of them is sent. Any thread.

// What a placeholder became: `path` from `begin` to `end`.
struct FilledPart {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view name;
};

// What is wrong with a path, for people; empty: nothing. The query behind it does not count. Dots count also where they
// are percent-encoded, once or more often. `filled`: in the order of the path.
std::string PathFault(std::string_view path, const std::vector<FilledPart>& filled);

// A path of a contract that can lead nowhere, or elsewhere, whatever its placeholders become: a problem at `at`.
void CheckPath(const Text& path, const document::Node& at, document::Problems& problems);

}  // namespace packhorse::contract
