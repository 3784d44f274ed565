#pragma once

#include <vector>

#include "config/config.h"

namespace packhorse::daemon {

// Whether two pieces of configuration say the same, so that a reload leaves alone what did not change. Each comparison
// takes its structure apart by structured bindings: a member added to the structure does not compile here until it is
// compared as well.
bool Same(const config::SecretRef& a, const config::SecretRef& b);
bool Same(const config::Auth& a, const config::Auth& b);
bool Same(const config::Tls& a, const config::Tls& b);
bool Same(const config::Source& a, const config::Source& b);
bool Same(const config::Stream& a, const config::Stream& b);
bool Same(const config::Gateway& a, const config::Gateway& b);
bool Same(const config::Destination& a, const config::Destination& b);
bool Same(const std::vector<config::Limit>& a, const std::vector<config::Limit>& b);

}  // namespace packhorse::daemon
