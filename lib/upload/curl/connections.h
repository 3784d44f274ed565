#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/file.h"

struct curl_sockaddr;

namespace packhorse::upload {

// The TCP connections that libcurl has open for one uploader, each with a number of its own. libcurl keeps and closes
// them; this only knows them, through the callbacks for opening and closing a socket. Loop thread. Outlives libcurl's
// multi handle, which closes what is left at its end.
class Connections {
 public:
  // CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION; `self` is the object.
  static int OnOpen(void* self, int purpose, curl_sockaddr* address);
  static int OnClose(void* self, int fd);

  // The number of the open connection between these two addresses, in libcurl's words; 0 when there is none.
  std::uint64_t Find(const std::string& local_ip, int local_port, const std::string& remote_ip, int remote_port) const;

 private:
  struct Connection {
    std::uint64_t number = 0;
  };
  std::map<int, Connection> open_;  // by descriptor
  std::uint64_t last_number_ = 0;
};

}  // namespace packhorse::upload
