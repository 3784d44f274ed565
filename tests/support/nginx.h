#pragma once

#include <string>
#include <vector>

#include "support/process.h"

namespace packhorse::test {

// A real nginx as one child process, with everything it writes in one folder. Ready when the constructor returns.
class Nginx {
 public:
  // One line of the access log.
  struct Access {
    std::string connection;  // serial number of the connection: equal numbers mean that it was reused
    std::string method;
    std::string uri;
    std::string status;
    std::string protocol;  // "HTTP/1.1", "HTTP/2.0"
    std::string client;    // subject of the client's certificate, or "-"
  };

  // `http` goes into the http { } block: server blocks that listen on 127.0.0.1:`port`. Throws when nginx does not
  // start.
  Nginx(const std::string& dir, int port, const std::string& http);

  int port() const { return port_; }
  // What was logged so far; nginx writes a line shortly after the reply.
  std::vector<Access> Log() const;
  // The lines of this request URI, once there are `count` of them or five seconds have passed.
  std::vector<Access> LogOf(const std::string& uri, std::size_t count) const;

 private:
  std::string dir_;
  int port_;
  Process process_;
};

}  // namespace packhorse::test
