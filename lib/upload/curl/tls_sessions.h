#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "upload/uploader.h"

namespace packhorse::upload {

// The TLS sessions that new connections resume (RFC 8446 section 2.2): a new connection after a failure costs no whole
// handshake. A resumed session is not verified again, so all are forgotten when one of the files changes by which they
// were made. Loop thread.
class TlsSessions {
 public:
  // Whether one of the endpoint's files is another one than when it was last used. Then the sessions are forgotten, and
  // the connections made before should not be used any more.
  bool FilesChanged(const Endpoint& endpoint);
  // A CURLSH; null when there is no memory for one. Kept by each handle that uses it.
  std::shared_ptr<void> share();

 private:
  struct Stamp {
    std::uint64_t device = 0, file = 0;
    std::int64_t size = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Stamp StampOf(const std::string& path);

  std::map<std::string, Stamp> files_;
  std::shared_ptr<void> share_;
};

}  // namespace packhorse::upload
