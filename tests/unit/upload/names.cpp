#include "names.h"

#include <dlfcn.h>
#include <netdb.h>
#include <sys/time.h>

#include <atomic>
#include <ctime>
#include <mutex>
#include <string>

namespace packhorse::upload {
namespace {

struct State {
  std::mutex mutex;
  std::string address = "127.0.0.1";  // guarded by mutex
  std::atomic<int> lookups{0};
  std::atomic<int> ahead{0};
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

void SetTimeAhead(int seconds) { Names().ahead = seconds; }

}  // namespace packhorse::upload

// Both take the place of the C library's for the whole program, libcurl included.
extern "C" std::time_t time(std::time_t* into) {
  timeval now{};
  gettimeofday(&now, nullptr);
  const std::time_t seconds = now.tv_sec + packhorse::upload::Names().ahead;
  if (into != nullptr) {
    *into = seconds;
  }
  return seconds;
}

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
  using Resolver = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Resolver>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node != nullptr && std::string(node) == "both.test") {
    addrinfo* six = nullptr;
    addrinfo* four = nullptr;
    const int failed = real("127.0.0.1", service, hints, &four);
    if (failed != 0 || real("::1", service, hints, &six) != 0) {
      *found = four;  // a machine without IPv6
      return failed;
    }
    addrinfo* last = six;
    while (last->ai_next != nullptr) {
      last = last->ai_next;
    }
    last->ai_next = four;
    *found = six;
    return 0;
  }
  if (node == nullptr || std::string(node) != "cloud.test") {
    return real(node, service, hints, found);
  }
  auto& names = packhorse::upload::Names();
  ++names.lookups;
  const std::lock_guard lock(names.mutex);
  return real(names.address.c_str(), service, hints, found);
}
