#include "tools/common/directory_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/temp_dir.h"

namespace grid::tools {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using Kind = DirectoryChoice::Kind;

TEST(DirectoryFlags, SayWhereItIs) {
  EXPECT_EQ(ChooseDirectory({})->kind, Kind::kNone);
  EXPECT_EQ(ChooseDirectory({.directory = "none"})->kind, Kind::kNone);
  EXPECT_EQ(ChooseDirectory({.directory = "local"})->kind, Kind::kLocal);
  EXPECT_EQ(ChooseDirectory({.directory = "hosted"})->kind, Kind::kHosted);
  EXPECT_EQ(ChooseDirectory({.directory = "hosted"})->host, "");
  EXPECT_EQ(ChooseDirectory({.directory = "hosted:http://a:1"})->host, "http://a:1");
  const auto etcd = ChooseDirectory({.directory = "etcd://a:1,[::1]:2"});
  ASSERT_TRUE(etcd.ok()) << etcd.status();
  EXPECT_EQ(etcd->kind, Kind::kEtcd);
  EXPECT_THAT(etcd->etcd.endpoints, ElementsAre("http://a:1", "http://[::1]:2"));
  EXPECT_EQ(etcd->etcd.prefix, "grid/");
  const auto tls = ChooseDirectory({.directory = "etcds://a:1,b:2", .etcd_ca = "ca"});
  ASSERT_TRUE(tls.ok()) << tls.status();
  EXPECT_EQ(tls->kind, Kind::kEtcd);
  EXPECT_THAT(tls->etcd.endpoints, ElementsAre("https://a:1", "https://b:2"));
  EXPECT_EQ(tls->etcd.ca_file, "ca");
}

TEST(DirectoryFlags, KnowWhatAClientCanUse) {
  EXPECT_TRUE(IsEtcd({.directory = "etcd://a:1"}));
  EXPECT_TRUE(IsEtcd({.directory = "etcds://a:1"}));
  for (const char* text : {"", "none", "local", "hosted", "hosted:http://a:1", "etcd:http://a:1"}) {
    EXPECT_FALSE(IsEtcd({.directory = text})) << text;
  }
}

TEST(DirectoryFlags, ReadThePassword) {
  const test::TempDir dir;
  std::ofstream(dir.File("password")) << "secret\n";
  const auto etcd = ChooseDirectory({.directory = "etcd://a:1",
                                     .etcd_user = "root",
                                     .etcd_password_file = dir.File("password"),
                                     .etcd_prefix = "mine/"});
  ASSERT_TRUE(etcd.ok()) << etcd.status();
  EXPECT_EQ(etcd->etcd.password, "secret");
  EXPECT_EQ(etcd->etcd.prefix, "mine/");
}

std::string WhyNot(const DirectoryFlags& flags) {
  const absl::Status status = ChooseDirectory(flags).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(DirectoryFlags, NameWhatIsWrong) {
  for (const char* text : {"zookeeper", "etcd:http://a:1", "localhost", "http://a:1"}) {
    EXPECT_THAT(WhyNot({.directory = text}), HasSubstr(std::string("--directory ") + text +
                                                       ": not local, hosted, hosted:URL, "));
  }
  EXPECT_THAT(WhyNot({.directory = "hosted:here"}), HasSubstr("--directory hosted:here: host"));
  for (const char* address :
       {"", "a", "a:", "a:x", "a:0", "a:1/", "http://a:1", "u@a:1", "[::80]"}) {
    EXPECT_THAT(WhyNot({.directory = std::string("etcd://b:1,") + address}),
                EndsWith(std::string(": \"") + address + "\" is not HOST:PORT"));
  }
  EXPECT_THAT(WhyNot({.directory = "etcd://"}), HasSubstr("\"\" is not HOST:PORT"));
  EXPECT_THAT(WhyNot({.directory = "etcd://a:1", .etcd_user = "root"}),
              HasSubstr("--etcd-user and --etcd-password-file"));
  EXPECT_THAT(
      WhyNot(
          {.directory = "etcd://a:1", .etcd_user = "root", .etcd_password_file = "/no/such/file"}),
      HasSubstr("--etcd-password-file"));
  EXPECT_THAT(WhyNot({.directory = "etcds://a:1", .etcd_cert = "c"}), HasSubstr("--etcd-key"));
}

// Rather than do without what was asked for.
TEST(DirectoryFlags, NameWhatNothingWouldLookAt) {
  using Flag = std::pair<const char*, std::string DirectoryFlags::*>;
  const Flag any[] = {{"--etcd-user", &DirectoryFlags::etcd_user},
                      {"--etcd-password-file", &DirectoryFlags::etcd_password_file},
                      {"--etcd-prefix", &DirectoryFlags::etcd_prefix}};
  const Flag tls[] = {{"--etcd-ca", &DirectoryFlags::etcd_ca},
                      {"--etcd-cert", &DirectoryFlags::etcd_cert},
                      {"--etcd-key", &DirectoryFlags::etcd_key}};
  const auto with = [](const char* directory, std::string DirectoryFlags::*flag) {
    DirectoryFlags flags{.directory = directory};
    flags.*flag = "x";
    return flags;
  };
  for (const char* directory : {"", "none", "local", "hosted", "hosted:http://a:1"}) {
    for (const auto& [name, flag] : any) {
      EXPECT_EQ(
          WhyNot(with(directory, flag)),
          std::string(name) + ": needs --directory etcd://HOST:PORT,... or etcds://HOST:PORT,...");
    }
  }
  for (const char* directory : {"", "none", "local", "hosted", "hosted:http://a:1", "etcd://a:1"}) {
    for (const auto& [name, flag] : tls) {
      EXPECT_EQ(WhyNot(with(directory, flag)),
                std::string(name) + ": needs --directory etcds://HOST:PORT,...");
    }
  }
}

// Whatever order they were given in, and on whichever node.
TEST(DirectoryFlags, HostsAreTheSameEverywhere) {
  EXPECT_THAT(*DirectoryHosts({"http://b:1", "http://a:1", "http://c:1"}, ""),
              ElementsAre("http://a:1", "http://b:1", "http://c:1"));
  EXPECT_THAT(*DirectoryHosts({"http://c:1", "http://b:1", "http://a:1"}, "http://c:1"),
              ElementsAre("http://c:1", "http://a:1", "http://b:1"));
  EXPECT_FALSE(DirectoryHosts({"http://a:1"}, "http://b:1").ok());
}

}  // namespace
}  // namespace grid::tools
