#include "control/connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace packhorse::control {

void Connection::Receive(MonoTime now) {
  std::array<char, 16384> chunk{};
  // One byte more than the longest line with its line feed proves that a line is too long.
  while (WantsToRead()) {
    const ssize_t n = recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n > 0) {
      input_.append(chunk.data(), static_cast<std::size_t>(n));
      last_active_ = now;
    } else if (n == 0) {
      end_of_input_ = true;
    } else if (errno != EINTR) {
      broken_ = broken_ || (errno != EAGAIN && errno != EWOULDBLOCK);
      return;
    }
  }
}

bool Connection::NextLine(std::string& line, MonoTime now) {
  if (broken_ || finishing_ || wait != Wait::kNothing || !output_.empty()) {
    return false;
  }
  const std::size_t end = input_.find('\n');
  if ((end == std::string::npos ? input_.size() : end) > limits_.request_bytes) {
    Queue(FormatError({ErrorCode::kLimitExceeded,
                       "a request has more than " + std::to_string(limits_.request_bytes) + " bytes in its line"}),
          now);
    finishing_ = true;
    input_.clear();
    return false;
  }
  if (end == std::string::npos) {
    return false;
  }
  line = input_.substr(0, end);
  input_.erase(0, end + 1);
  return true;
}

void Connection::Queue(std::string_view line, MonoTime now) {
  if (broken_) {
    return;
  }
  if (output_.size() - written_ + line.size() + 1 > Most()) {
    broken_ = true;
    return;
  }
  if (output_.empty()) {
    last_active_ = now;
  }
  output_.append(line);
  output_ += '\n';
}

std::size_t Connection::Most() const { return following ? limits_.follower_bytes : limits_.unsent_bytes; }

void Connection::Flush(MonoTime now) {
  while (!broken_ && written_ < output_.size()) {
    const ssize_t n =
        send(fd_.get(), output_.data() + written_, output_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      written_ += static_cast<std::size_t>(n);
      last_active_ = now;
    } else if (errno != EINTR) {
      broken_ = errno != EAGAIN && errno != EWOULDBLOCK;
      break;
    }
  }
  // What was written is let go in large steps, so that a long answer is not moved once per write.
  if (written_ == output_.size()) {
    output_.clear();
    output_.shrink_to_fit();
    written_ = 0;
  } else if (written_ > Most() / 2) {
    output_.erase(0, written_);
    written_ = 0;
  }
}

bool Connection::Ended(MonoTime now) const {
  if (broken_) {
    return true;
  }
  const bool waiting = wait != Wait::kNothing || following;
  if (output_.empty() && (finishing_ || (end_of_input_ && !waiting && !HasLine()))) {
    return true;
  }
  // Whoever waits for us may wait; whoever lets us wait with a half request or an unread answer may not.
  return now >= Deadline() && (!waiting || !output_.empty());
}

bool Connection::HasLine() const {
  return wait == Wait::kNothing && !finishing_ &&
         (input_.size() > limits_.request_bytes || input_.find('\n') != std::string::npos);
}

bool Connection::WantsToRead() const {
  return !broken_ && !finishing_ && !end_of_input_ && input_.size() <= limits_.request_bytes + 1;
}

bool Connection::WantsIteration() const { return !broken_ && (!output_.empty() || HasLine()); }

}  // namespace packhorse::control
