// The socket file: who may use it, and what is in its way.
#include <grp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "harness.h"
#include "support/process.h"

namespace packhorse::control {
namespace {

struct stat About(const std::string& path) {
  struct stat about {};
  EXPECT_EQ(lstat(path.c_str(), &about), 0) << path;
  return about;
}

bool Exists(const std::string& path) {
  struct stat about {};
  return lstat(path.c_str(), &about) == 0;
}

TEST(Listen, FileIsForOwnerAndGroupWhateverTheMask) {
  for (const mode_t mask : {mode_t{0}, mode_t{0077}, mode_t{0022}}) {
    const test::TempDir dir;
    const mode_t old = umask(mask);
    const auto server = Listen(dir / "s", Echo);
    umask(old);
    ASSERT_TRUE(server) << server.error().message;
    EXPECT_EQ(About(dir / "s").st_mode & 07777U, 0660U);
  }
}

TEST(Listen, GroupIsPackhorseOrThatOfTheFolder) {
  const test::TempDir dir;
  const auto server = Listen(dir / "s", Echo);
  ASSERT_TRUE(server);
  const group* named = getgrnam("packhorse");
  EXPECT_EQ(About(dir / "s").st_gid, named != nullptr ? named->gr_gid : About(dir.path()).st_gid);
}

TEST(Listen, FileGoesWithTheServer) {
  const test::TempDir dir;
  { const auto server = Listen(dir / "s", Echo); }
  EXPECT_FALSE(Exists(dir / "s"));
}

TEST(Listen, StaleSocketIsReplaced) {
  const test::TempDir dir;
  {
    // A socket whose owner was killed: the file stays, nobody listens.
    const Fd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = dir / "s";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(Exists(dir / "s"));
  const Running server(dir / "s", Echo);
  const auto client = Connect(dir / "s");
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_EQ(*(*client)->Ask("echo", "{}"), "{}");
}

TEST(Listen, LiveSocketIsBusyAndStaysAsItIs) {
  const test::TempDir dir;
  const Running first(dir / "s", Echo);
  const auto second = Listen(dir / "s", Echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  EXPECT_NE(second.error().message.find(dir / "s"), std::string::npos);
  EXPECT_TRUE(Connect(dir / "s"));
}

TEST(Listen, FileThatIsNoSocketIsNotTouched) {
  const test::TempDir dir;
  test::WriteAll(dir / "s", "precious");
  const auto server = Listen(dir / "s", Echo);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(test::ReadAll(dir / "s"), "precious");
}

TEST(Listen, SocketThatReplacedOursIsNotRemovedWithUs) {
  const test::TempDir dir;
  auto first = Listen(dir / "s", Echo);
  ASSERT_TRUE(first);
  ASSERT_EQ(unlink((dir / "s").c_str()), 0);
  const auto second = Listen(dir / "s", Echo);
  ASSERT_TRUE(second);
  first->reset();
  EXPECT_TRUE(Exists(dir / "s"));
}

TEST(Listen, PathOf107BytesFitsAndMoreIsAnError) {
  const test::TempDir dir;
  const std::string start = dir.path() + "/";
  const auto fits = Listen(start + std::string(107 - start.size(), 's'), Echo);
  EXPECT_TRUE(fits) << fits.error().message;
  const auto over = Listen(start + std::string(108 - start.size(), 's'), Echo);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Listen("", Echo).error().code, ErrorCode::kInvalidArgument);
}

TEST(Listen, MissingFolderIsNamed) {
  const test::TempDir dir;
  const auto server = Listen(dir / "none/s", Echo);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kNotFound);
  EXPECT_NE(server.error().message.find("none/s"), std::string::npos) << server.error().message;
}

}  // namespace
}  // namespace packhorse::control
