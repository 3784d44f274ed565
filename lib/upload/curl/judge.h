#pragma once

#include <cstdint>
#include <string_view>

#include "upload/uploader.h"

namespace packhorse::upload {

// Where an attempt stood when libcurl ended it.
struct Progress {
  std::uint64_t head_sent = 0;  // bytes of request line and headers handed to the connection
  std::uint64_t body_sent = 0;
  std::uint64_t body_size = 0;
  bool proxy_failed = false;  // no connection to the other side was made, because of a proxy
  int status = 0;             // of the last status line; 0: none came
  bool headers_done = false;  // of a final (not 1xx) response

  bool sent_any() const { return head_sent > 0; }
  bool sent_all() const { return sent_any() && body_sent >= body_size; }
};

// What a CURLcode means for the request. `error_text` is libcurl's own. Pure function; any thread.
Transport Judge(int code, const Progress& progress, std::string_view error_text);

}  // namespace packhorse::upload
