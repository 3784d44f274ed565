#pragma once

#include <string>

#include "base/result.h"
#include "config/config.h"

namespace packhorse::bridge {

// How a source reaches its broker, as a text that is remembered with the session (ingest::BrokerSession::access): the
// session outlives the configuration. Secrets are named by their place, as in the configuration, and never in it.
std::string AccessOf(const config::Source& source);
// The source as far as the text tells; kCorrupt when it makes no sense.
Result<config::Source> SourceOf(const std::string& access);

}  // namespace packhorse::bridge
