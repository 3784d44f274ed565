#include "control/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "control/connection.h"
#include "control/socket.h"

namespace packhorse::control {
namespace {

using Wait = Connection::Wait;

constexpr int kBacklog = 16;
constexpr int kEventsPerIteration = 32;
constexpr int kRequestsPerIteration = 64;  // of one connection, before the loop goes on
constexpr int kAcceptsPerIteration = 64;
constexpr std::size_t kSmallAnswer = 65'536;  // always fits
constexpr std::chrono::seconds kListenPause{1};
constexpr std::chrono::seconds kFileLook{1};
// Keys of the epoll set; connections have their ids, which begin above.
constexpr std::uint64_t kListenerKey = 0;
constexpr std::uint64_t kTimerKey = 1;

bool SaysLater(const Answer& answer) {
  return !answer && answer.error().code == ErrorCode::kBusy && answer.error().message.empty();
}

// Root and the user we run as.
bool MayChange(int fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

// Everything hangs on one epoll descriptor, which is itself readable when there is something to read, to write or to
// end. So the loop polls one descriptor, whatever the number of clients, and needs to know nothing of what they wait
// for.
class UnixServer final : public Server {
 public:
  UnixServer(std::string path, std::function<Answer(const Call&)> handler, const Limits& limits, const Clock& clock)
      : path_(std::move(path)), handler_(std::move(handler)), limits_(limits), clock_(clock) {}
  ~UnixServer() override;
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;

  Status Open();
  std::vector<int> Fds() const override { return {epoll_.get()}; }
  void Serve() override;
  bool Push(std::uint64_t id, const std::string& result_json) override;
  bool HasRoom(std::uint64_t id) override {
    const Connection* connection = Find(id);
    return connection == nullptr || connection->unsent() <= limits_.follower_bytes / 2;
  }
  void AnswerLater(std::uint64_t id, const Answer& answer) override;

 private:
  Status Watch(int fd, std::uint64_t key);
  void AcceptAll();
  // Until then; none: listen again.
  void PauseListening(std::optional<MonoTime> until);
  void Admit(Fd fd);
  bool OurFile() const;
  void KeepFile();
  // Whether there is room for one more. Whoever may change things finds it also where others have taken everything:
  // then one ends that lets us wait.
  bool MakeRoom(bool may_change);
  void ServeConnection(std::uint64_t id, Connection& connection);
  void Handle(std::uint64_t id, Connection& connection, const std::string& line);
  void QueueAnswer(Connection& connection, const Answer& answer) const;
  std::size_t Held() const;
  // Ends what is to be ended and tells epoll and the timer what to wait for.
  void Settle();
  void SetTimer(std::optional<MonoTime> next, MonoTime now) const;
  Connection* Find(std::uint64_t id);

  const std::string path_;
  const std::function<Answer(const Call&)> handler_;
  const Limits limits_;
  const Clock& clock_;
  Fd listener_;
  Fd timer_;
  Fd epoll_;
  struct stat file_ {};  // of our socket file, to know it again
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_id_ = kTimerKey + 1;
  std::optional<MonoTime> paused_until_;
  MonoTime next_look_{};  // at our file
  bool serving_ = false;
};

Status UnixServer::Open() {
  Result<Fd> listener = BindTo(path_, kBacklog);
  RETURN_IF_ERROR(listener);
  listener_ = std::move(listener).value();
  if (lstat(path_.c_str(), &file_) != 0) {
    return ErrnoError("examine " + path_, errno);
  }
  timer_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!timer_.valid() || !epoll_.valid()) {
    return ErrnoError("make the descriptors of the control socket", errno);
  }
  RETURN_IF_ERROR(Watch(listener_.get(), kListenerKey));
  return Watch(timer_.get(), kTimerKey);
}

UnixServer::~UnixServer() {
  if (listener_.valid() && OurFile()) {
    unlink(path_.c_str());
  }
}

bool UnixServer::OurFile() const {
  struct stat now {};
  return lstat(path_.c_str(), &now) == 0 && now.st_dev == file_.st_dev && now.st_ino == file_.st_ino;
}

Status UnixServer::Watch(int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoError("watch a control connection", errno);
  }
  return {};
}

Connection* UnixServer::Find(std::uint64_t id) {
  const auto found = connections_.find(id);
  return found == connections_.end() || !found->second.alive() ? nullptr : &found->second;
}

bool UnixServer::MakeRoom(bool may_change) {
  const auto others = static_cast<std::size_t>(std::count_if(
      connections_.begin(), connections_.end(), [](const auto& entry) { return !entry.second.may_change(); }));
  if (!may_change && others + limits_.reserved >= limits_.connections) {
    return false;
  }
  if (connections_.size() < limits_.connections) {
    return true;
  }
  Connection* goes = nullptr;
  for (auto& [id, connection] : connections_) {
    if (connection.alive() && (goes == nullptr ? connection.LetsUsWait() : connection.GivesWayBefore(*goes))) {
      goes = &connection;
    }
  }
  if (!may_change || goes == nullptr) {
    return false;
  }
  goes->Drop();  // Settle() takes it out, once this iteration is over
  return true;
}

// Somebody may have removed or replaced it: then nobody finds us there any more.
void UnixServer::KeepFile() {
  const MonoTime now = clock_.Mono();
  if (now < next_look_) {
    return;
  }
  next_look_ = now + kFileLook;
  if (OurFile()) {
    return;
  }
  if (Result<Fd> listener = BindTo(path_, kBacklog); listener && lstat(path_.c_str(), &file_) == 0) {
    listener_ = std::move(listener).value();
    static_cast<void>(Watch(listener_.get(), kListenerKey));
    paused_until_.reset();
  }
}

void UnixServer::Admit(Fd fd) {
  const auto refuse = [&](const char* why) {
    const std::string line = FormatError({ErrorCode::kLimitExceeded, why}) + "\n";
    [[maybe_unused]] const ssize_t n = send(fd.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  };
  const bool may_change = MayChange(fd.get());
  if (!MakeRoom(may_change)) {
    refuse("packhorsed serves as many control connections as it may; end one (a 'packhorse tail'?) and try again");
    return;
  }
  const std::uint64_t id = next_id_++;
  if (!Watch(fd.get(), id)) {
    refuse("packhorsed cannot serve another control connection");
    return;
  }
  const auto [entry, added] = connections_.try_emplace(id, std::move(fd), may_change, limits_, clock_.Mono());
  entry->second.events = EPOLLIN;
}

// Without a free descriptor a client that waits would keep the listener readable and the loop turning.
void UnixServer::PauseListening(std::optional<MonoTime> until) {
  epoll_event event{};
  event.events = until ? 0U : EPOLLIN;
  event.data.u64 = kListenerKey;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), &event);
  paused_until_ = until;
}

void UnixServer::AcceptAll() {
  for (int i = 0; i < kAcceptsPerIteration; ++i) {
    Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        PauseListening(clock_.Mono() + kListenPause);
      }
      return;
    }
    Admit(std::move(fd));
  }
}

std::size_t UnixServer::Held() const {
  std::size_t bytes = 0;
  for (const auto& [id, connection] : connections_) {
    bytes += connection.held();
  }
  return bytes;
}

void UnixServer::QueueAnswer(Connection& connection, const Answer& answer) const {
  if (!answer) {
    connection.Queue(FormatError(answer.error()), clock_.Mono());
    return;
  }
  const std::string line = FormatResult(*answer, false);
  if (line.size() + 1 > limits_.unsent_bytes) {
    connection.Queue(
        FormatError({ErrorCode::kLimitExceeded, "the answer has more than " + std::to_string(limits_.unsent_bytes) +
                                                    " bytes; ask for less at a time"}),
        clock_.Mono());
    return;
  }
  if (line.size() > kSmallAnswer && Held() + line.size() > limits_.all_unsent_bytes) {
    connection.Queue(
        FormatError({ErrorCode::kBusy, "others have large answers that they do not read; ask again later"}),
        clock_.Mono());
    return;
  }
  connection.Queue(line, clock_.Mono());
}

void UnixServer::Handle(std::uint64_t id, Connection& connection, const std::string& line) {
  Result<Call> call = ParseRequest(line);
  if (!call) {
    QueueAnswer(connection, call.error());
    return;
  }
  call->may_change = connection.may_change();
  call->connection = id;
  connection.wait = Wait::kHandler;
  const Answer answer = handler_(*call);
  if (!SaysLater(answer)) {
    connection.wait = Wait::kNothing;
    QueueAnswer(connection, answer);
  } else if (connection.wait == Wait::kHandler) {  // else AnswerLater() came before the handler returned
    connection.wait = Wait::kAnswer;
  }
}

void UnixServer::ServeConnection(std::uint64_t id, Connection& connection) {
  std::string line;
  connection.Receive(clock_.Mono());
  connection.Flush(clock_.Mono());
  for (int i = 0; i < kRequestsPerIteration && connection.NextLine(line, clock_.Mono()); ++i) {
    Handle(id, connection, line);
    connection.Flush(clock_.Mono());
    connection.Receive(clock_.Mono());
  }
  connection.Flush(clock_.Mono());
}

void UnixServer::Serve() {
  if (serving_) {
    return;  // a handler called us
  }
  serving_ = true;
  std::array<epoll_event, kEventsPerIteration> events{};
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerIteration, 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kListenerKey) {
      AcceptAll();
    } else if (Connection* connection = Find(event.data.u64); connection != nullptr) {
      ServeConnection(event.data.u64, *connection);
      if ((event.events & (EPOLLHUP | EPOLLERR)) != 0) {
        connection->Drop();  // the peer has closed both directions; what it had sent was handled
      }
    }
  }
  KeepFile();
  serving_ = false;
  Settle();
}

void UnixServer::Settle() {
  const MonoTime now = clock_.Mono();
  if (paused_until_ && now >= *paused_until_) {
    PauseListening(std::nullopt);
  }
  std::optional<MonoTime> next = paused_until_;
  for (auto entry = connections_.begin(); entry != connections_.end();) {
    Connection& connection = entry->second;
    if (connection.Ended(now)) {
      entry = connections_.erase(entry);  // closing takes it out of the epoll set
      continue;
    }
    epoll_event event{};
    event.events = (connection.WantsToRead() ? EPOLLIN : 0U) | (connection.WantsIteration() ? EPOLLOUT : 0U);
    event.data.u64 = entry->first;
    if (event.events != connection.events) {
      epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd(), &event);
      connection.events = event.events;
    }
    if (connection.Deadline() > now) {
      next = std::min(next.value_or(connection.Deadline()), connection.Deadline());
    }
    ++entry;
  }
  SetTimer(next, now);
}

// Makes the epoll descriptor readable when the next connection has been idle for too long. Setting it again also clears
// it.
void UnixServer::SetTimer(std::optional<MonoTime> next, MonoTime now) const {
  itimerspec when{};
  if (next) {
    const auto left = std::max<std::chrono::nanoseconds>(*next - now, std::chrono::nanoseconds(1));
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    when.it_value.tv_sec = static_cast<time_t>(whole.count());
    when.it_value.tv_nsec = static_cast<long>((left - whole).count());
  }
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

bool UnixServer::Push(std::uint64_t id, const std::string& result_json) {
  Connection* connection = Find(id);
  if (connection == nullptr) {
    return false;
  }
  connection->following = true;
  connection->Queue(FormatResult(result_json, true), clock_.Mono());
  connection->Flush(clock_.Mono());
  const bool alive = connection->alive();
  if (!serving_) {
    Settle();
  }
  return alive;
}

void UnixServer::AnswerLater(std::uint64_t id, const Answer& answer) {
  Connection* connection = Find(id);
  if (connection == nullptr || connection->wait == Wait::kNothing) {
    return;
  }
  connection->wait = Wait::kNothing;
  QueueAnswer(*connection, answer);
  connection->Flush(clock_.Mono());
  if (!serving_) {
    Settle();
  }
}

}  // namespace

Result<std::unique_ptr<Server>> ListenWithin(const std::string& path, std::function<Answer(const Call&)> handler,
                                             const Limits& limits, const Clock& clock) {
  auto server = std::make_unique<UnixServer>(path, std::move(handler), limits, clock);
  RETURN_IF_ERROR(server->Open());
  return std::unique_ptr<Server>(std::move(server));
}

Result<std::unique_ptr<Server>> Listen(const std::string& path, std::function<Answer(const Call&)> handler) {
  return ListenWithin(path, std::move(handler), Limits{}, SystemClock());
}

}  // namespace packhorse::control
