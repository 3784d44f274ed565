#pragma once

#include <cstddef>
#include <vector>

#include "base/topic.h"
#include "config/document.h"
#include "config/problems.h"

namespace packhorse::config {

// What a schema cannot say. `root` is what CheckAgainstSchema() answered; values that are not valid there are passed
// over.

// Names are unique and references lead somewhere.
void CheckReferences(const Node& root, Problems& problems);
// Topic patterns are valid, and no two subscriptions of one source overlap.
void CheckTopics(const Node& root, Problems& problems);
// URLs are well-formed, and plaintext stays on this machine unless it is allowed.
void CheckUrls(const Node& root, Problems& problems);
// Secrets and TLS files are there and safe.
void CheckSecrets(const Node& root, Problems& problems);
// Settings that must fit each other.
void CheckCombinations(const Node& root, Problems& problems);

// Which patterns of one source must be subscribed: [i] is false when another pattern covers pattern i (of equal ones
// the first stays).
std::vector<bool> Subscribed(const std::vector<TopicPattern>& patterns);

}  // namespace packhorse::config
