#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/datum.h"

namespace packhorse::contract {

// Values of a record that its request needs outside the items, as one text: RenderedRecord::part. Pure functions.

void AppendPart(std::string& part, const Datum& value, JsonStyle style);
// The first `count` of them: texts, JSON, or Missing; Missing too where `part` is none that AppendPart() made.
std::vector<Datum> PartsOf(std::string_view part, std::size_t count);

}  // namespace packhorse::contract
