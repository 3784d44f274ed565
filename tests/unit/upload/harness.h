#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "upload/uploader.h"

namespace packhorse::upload {

inline MonoTime After(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

inline std::unique_ptr<Uploader> NewUploader() {
  auto made = MakeUploader("packhorse/test");
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(made).value() : nullptr;
}

// Drives the uploader until nothing is in flight; false when that takes more than 20 s.
inline bool Drain(Uploader& uploader) {
  const MonoTime end = After(std::chrono::seconds(20));
  while (uploader.in_flight() > 0 && std::chrono::steady_clock::now() < end) {
    const auto ready = uploader.Poll({}, end);
    if (!ready) {
      ADD_FAILURE() << ready.error().message;
      return false;
    }
  }
  return uploader.in_flight() == 0;
}

// Sends one request and waits for its response.
inline Response Exchange(Uploader& uploader, const Endpoint& endpoint, Request request) {
  std::optional<Response> answer;
  uploader.Send(endpoint, std::move(request), [&](Response response) { answer = std::move(response); });
  EXPECT_TRUE(Drain(uploader));
  EXPECT_TRUE(answer.has_value());
  return answer.value_or(Response{});
}

inline Request Post(std::string path, std::string_view body = "{}") {
  Request request;
  request.path = std::move(path);
  request.headers = {{"Content-Type", "application/json"}};
  request.body = body;
  return request;
}

inline Endpoint At(std::string base_url) {
  Endpoint endpoint;
  endpoint.base_url = std::move(base_url);
  endpoint.connect_timeout = std::chrono::seconds(5);
  endpoint.timeout = std::chrono::seconds(10);
  return endpoint;
}

}  // namespace packhorse::upload
