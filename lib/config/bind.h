#pragma once

#include "config/config.h"
#include "document/document.h"

namespace packhorse::config {

// The checked document (check.h) as plain values. A value that is not valid becomes zero or empty; never fails.
Config Bind(const document::Node& root);

}  // namespace packhorse::config
