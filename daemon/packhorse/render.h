#pragma once

#include <istream>
#include <string>
#include <vector>

#include "packhorse/globals.h"
#include "packhorse/reading.h"

namespace packhorse::cli {

struct RenderOptions {
  std::vector<std::string> messages;  // topic, payload, topic, payload, ...; a payload "-" is on standard input
  std::string contract;               // file or name; empty: that of the destination
  std::vector<std::string> settings;  // NAME=VALUE, beside or instead of the destination's
  std::string destination;            // empty: the first one
  bool pending = false;               // what waits in the queue, instead of messages
  std::int64_t limit = 10;            // of what waits
  ReadingOptions reading;             // how messages are read
};

// `packhorse render`: the requests that would be sent for messages, without sending them: method, address, headers and
// the body before its coding. Secrets are masked; times in the body are repeated readable. Exit code 1 where a message
// cannot be decoded or has nothing that is sent.
int Render(const Globals& globals, const RenderOptions& options, std::istream& in);

}  // namespace packhorse::cli
