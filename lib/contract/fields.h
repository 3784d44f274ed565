#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/text.h"
#include "contract/json_flatten.h"
#include "record/canonical_record.h"

namespace packhorse::contract {

// From the fields of a document to the lists of a record. Records are written over, as their memory is used again. Pure
// functions.

// Into a text of an earlier message, which mostly says the same: devices send the same names each time. Then a call
// would cost more than the comparing.
[[gnu::always_inline]] inline void Put(std::string_view text, std::string& into) {
  if (!SameText(text, into)) {
    into = text;
  }
}

// Marks all but the last of the leaves that share a name as no leaves. True when any name came twice, also as an object
// or array: of repeated objects the members are merged.
bool DropRepeated(std::span<Field> fields);

// The leaves as attributes (texts) and measurements, in place of whatever the lists of the record hold.
void Distribute(std::span<const Field> fields, CanonicalRecord& record);

}  // namespace packhorse::contract
