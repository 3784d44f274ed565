#pragma once

#include <string>

namespace packhorse::test {

// Makes a queue as the format 1.0 had it: stream "telemetry" to "cloud" in the normal lane, messages "old 1" to
// "old <messages>" pending.
void MakeQueueOfFormat10(const std::string& path, int messages);

}  // namespace packhorse::test
