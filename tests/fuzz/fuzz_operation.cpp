// Any bytes as a journal's operation: an error or an operation that can be written again, never a crash.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "queue/operation/operation.h"

namespace queue = packhorse::queue;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto operation = queue::DecodeOperation(bytes);
  if (operation && !queue::DecodeOperation(queue::EncodeOperation(*operation))) {
    std::abort();
  }
  return 0;
}
