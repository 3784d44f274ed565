#include "names.h"

#include <dlfcn.h>
#include <netdb.h>

#include <atomic>
#include <mutex>

namespace packhorse::upload {
namespace {

struct State {
  std::mutex mutex;
  std::string address = "127.0.0.1";  // guarded by mutex
  std::atomic<int> lookups{0};
};
State& Names() {
  static State state;
  return state;
}

}  // namespace

void SetCloudAddress(const std::string& address) {
  const std::lock_guard lock(Names().mutex);
  Names().address = address;
}

int CloudLookups() { return Names().lookups; }

}  // namespace packhorse::upload

// Takes the place of the C library's for the whole program, libcurl included.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  using Resolver = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Resolver>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node == nullptr || std::string(node) != "cloud.test") {
    return real(node, service, hints, found);
  }
  auto& names = packhorse::upload::Names();
  ++names.lookups;
  const std::lock_guard lock(names.mutex);
  return real(names.address.c_str(), service, hints, found);
}
