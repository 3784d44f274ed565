#pragma once

#include <cstddef>
#include <vector>

#include "base/topic.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::config {

// What a schema cannot say. `root` is what CheckAgainstSchema() answered; values that are not valid there are passed
// over.

// Names are unique and references lead somewhere.
void CheckReferences(const document::Node& root, document::Problems& problems);
// Topic patterns are valid, and no two subscriptions of one source overlap.
void CheckTopics(const document::Node& root, document::Problems& problems);
// URLs are well-formed, and plaintext stays on this machine unless it is allowed.
void CheckUrls(const document::Node& root, document::Problems& problems);
// Secrets and TLS files are there and safe.
void CheckSecrets(const document::Node& root, document::Problems& problems);
// Rules for replies are rules, by the reader that contracts have.
void CheckOutcomes(const document::Node& root, document::Problems& problems);
// Settings that must fit each other.
void CheckCombinations(const document::Node& root, document::Problems& problems);

// Which patterns of one source must be subscribed: [i] is false when another pattern covers pattern i (of equal ones
// the first stays).
std::vector<bool> Subscribed(const std::vector<TopicPattern>& patterns);

}  // namespace packhorse::config
