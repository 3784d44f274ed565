#pragma once

#include <string>

#include "contract/cloud/renderer.h"

namespace packhorse::contract {

// Items of the formats that have a writer of their own: line_protocol, otlp, remote_write.

// Appends one item. False, and nothing appended: the renderer's fault() says why. `series` is what the item is called
// among those of its record: empty where two may be called alike.
bool AppendMapped(const CloudDefinition& definition, Renderer& renderer, std::string& out, std::string& series);

// Before the first item of a body, and behind the last.
void AppendHeadOfMapped(const CloudDefinition& definition, Renderer& renderer, std::string& out);
std::string_view TailOfMapped(const CloudDefinition& definition);

}  // namespace packhorse::contract
