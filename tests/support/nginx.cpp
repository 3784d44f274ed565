#include "support/nginx.h"

#include <chrono>
#include <sstream>
#include <stdexcept>

namespace packhorse::test {
namespace {

std::string Configure(const std::string& dir, const std::string& http) {
  std::string text = "daemon off;\nmaster_process off;\npid " + dir + "/nginx.pid;\nerror_log " + dir +
                     "/nginx.error info;\nevents { worker_connections 256; }\nhttp {\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    text += std::string(kind) + "_temp_path " + dir + "/nginx_" + kind + ";\n";
  }
  text +=
      "log_format packhorse '$connection|$request_method|$request_uri|$status|$server_protocol|$ssl_client_s_dn|';\n";
  text += "access_log " + dir + "/nginx.access packhorse;\n" + http + "\n}\n";
  const std::string file = dir + "/nginx.conf";
  WriteAll(file, text);
  return file;
}

}  // namespace

Nginx::Nginx(const std::string& dir, int port, const std::string& http)
    : dir_(dir), port_(port), process_({"nginx", "-p", dir, "-c", Configure(dir, http)}, dir + "/nginx.output") {
  // Written once all its ports are open; it opens them one after the other.
  const auto ready = [this] { return ReadAll(dir_ + "/nginx.pid") == std::to_string(process_.pid()) + "\n"; };
  if (!WaitFor([&] { return ready() || !process_.Running(); }) || !process_.Running()) {
    throw std::runtime_error("nginx does not start: " + ReadAll(dir_ + "/nginx.output") +
                             ReadAll(dir_ + "/nginx.error"));
  }
}

std::vector<Nginx::Access> Nginx::Log() const {
  std::vector<Access> lines;
  std::istringstream log(ReadAll(dir_ + "/nginx.access"));
  for (std::string line; std::getline(log, line);) {
    std::istringstream fields(line);
    Access access;
    for (std::string* field :
         {&access.connection, &access.method, &access.uri, &access.status, &access.protocol, &access.client}) {
      std::getline(fields, *field, '|');
    }
    lines.push_back(access);
  }
  return lines;
}

std::vector<Nginx::Access> Nginx::LogOf(const std::string& uri, std::size_t count) const {
  std::vector<Access> lines;
  WaitFor(
      [&] {
        lines = Log();
        std::erase_if(lines, [&](const Access& access) { return access.uri != uri; });
        return lines.size() >= count;
      },
      std::chrono::seconds(5));
  return lines;
}

}  // namespace packhorse::test
