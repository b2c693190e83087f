// The directory of names in the programs: who registers, lists, watches and flushes.
#include <boost/json.hpp>
#include <thread>

#include "tests/live/etcd_process.h"
#include "tests/live/test_certificates.h"
#include "tests/live/tools_fixture.h"

namespace grid::live {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::Not;

// Runs `gridctl names` until it prints `text`.
bool NamesShow(const Arguments& arguments, const std::string& text) {
  const auto end = std::chrono::steady_clock::now() + kLimit;
  while (std::chrono::steady_clock::now() < end) {
    const Result names = RunProgram(Arguments{kGridctl, "names"} + arguments);
    if (names.status == 0 && names.out.find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(NamesTest, HostedByTheFirstOfTheMembers) {
  const Names names;
  std::string first = names.node, second = names.other;
  if (second < first) std::swap(first, second);
  const auto a = StartNode({"--local", first, "--peer", second, "--register",
                            "shop/web/1=version:1.1,_secret:x,url:http://here"});
  const auto b = StartNode({"--local", second, "--peer", first, "--register", "shop/web/2",
                            "--register", "shared:farm/render/all"});
  ASSERT_TRUE(a != nullptr && b != nullptr);
  const Arguments at = {"--remote", first};
  for (const char* name : {"shop/web/1 ", "shop/web/2 ", "farm/render/all "}) {
    ASSERT_TRUE(NamesShow(at, name)) << name << a->err() << b->err();
  }
  // Each node is a member as well, by its own name.
  for (const std::string& member : {first, second}) {
    ASSERT_TRUE(NamesShow(Arguments{"sys/member"} + at, member));
  }
  // Sorted, below one another.
  const std::vector<std::string> all = Lines(RunProgram(Arguments{kGridctl, "names"} + at).out);
  ASSERT_EQ(all.size(), 5u);
  EXPECT_THAT(all[0], testing::MatchesRegex("farm/render/all +shared     epoch [0-9]+  " + second));
  EXPECT_THAT(all[1], testing::MatchesRegex("shop/web/1 +exclusive  epoch [0-9]+  " + first));
  EXPECT_EQ(Lines(RunProgram(Arguments{kGridctl, "names", "farm"} + at).out).size(), 1u);
  const Result none = RunProgram(Arguments{kGridctl, "names", "sho"} + at);
  EXPECT_EQ(none.status, 0) << none.err;
  EXPECT_EQ(none.out, "");
  // What is hidden is hidden everywhere.
  const Arguments one = Arguments{kGridctl, "names", "shop/web/1"} + at;
  const Result shown = RunProgram(one + Arguments{"--attributes"});
  EXPECT_THAT(shown.out, HasSubstr("  url=http://here  version=1.1\n"));
  EXPECT_THAT(shown.out, Not(HasSubstr("secret")));
  const Result as_json = RunProgram(one + Arguments{"--json"});
  EXPECT_THAT(as_json.out, Not(HasSubstr("secret")));
  const json::value entry = json::parse(as_json.out).at("names").at(0);
  EXPECT_EQ(entry.at("name"), "shop/web/1");
  EXPECT_EQ(entry.at("holding"), "exclusive");
  EXPECT_EQ(entry.at("member"), json::string_view(first));
  EXPECT_EQ(entry.at("attributes"), (json::object{{"url", "http://here"}, {"version", "1.1"}}));
  EXPECT_GT(entry.at("epoch").to_number<uint64_t>(), 0u);
  // The other one has no table.
  const Result wrong = RunProgram({kGridctl, "names", "--remote", second});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, OneLineWith("--remote must be the node that does"));
  // A node that ends gives its names back at once.
  b->Signal(SIGTERM);
  EXPECT_EQ(b->Wait(kLimit), 0) << b->err();
  EXPECT_EQ(Lines(RunProgram(Arguments{kGridctl, "names", "shop"} + at).out).size(), 1u);
}

TEST(NamesTest, WatchPrintsWhatHappens) {
  const Names names;
  const auto server = StartNode(
      {"--local", names.node, "--peer", names.other, "--directory", "hosted:" + names.node});
  ASSERT_NE(server, nullptr);
  Process watch(
      {kGridctl, "watch", "shop", "--attributes", "--count", "3", "--remote", names.node});
  Process interrupted({kGridctl, "watch", "shop", "--json", "--remote", names.node});
  ASSERT_TRUE(watch.WaitForOutput("snapshot\n", kLimit)) << watch.err();
  ASSERT_TRUE(interrupted.WaitForOutput("{\"event\":\"snapshot\",\"names\":[]}\n", kLimit));
  auto node = StartNode({"--local", names.other, "--peer", names.node, "--directory",
                         "hosted:" + names.node, "--register", "shop/web/1=version:1.1"});
  ASSERT_NE(node, nullptr);
  ASSERT_TRUE(watch.WaitForOutput("added", kLimit)) << watch.err() << node->err();
  ASSERT_TRUE(interrupted.WaitForOutput("\"added\"", kLimit));
  node->Signal(SIGTERM);
  EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
  EXPECT_EQ(watch.Wait(kLimit), 0) << watch.err();
  const std::vector<std::string> lines = Lines(watch.out());
  ASSERT_EQ(lines.size(), 3u) << watch.out();
  const std::string entry =
      "  shop/web/1  exclusive  epoch [0-9]+  " + names.other + "  version=1.1";
  EXPECT_THAT(lines[1], testing::MatchesRegex("added" + entry));
  EXPECT_THAT(lines[2], testing::MatchesRegex("removed" + entry));
  interrupted.Signal(SIGINT);
  EXPECT_EQ(interrupted.Wait(kLimit), 0) << interrupted.err();
}

TEST(NamesTest, NameThatIsHeldIsWaitedFor) {
  const Names names;
  const Arguments hosted = {"--directory", "hosted:" + names.node};
  const Arguments wants = hosted + Arguments{"--peer", names.node, "--register", "shop/leader/0"};
  const auto server = StartNode(
      Arguments{"--local", names.node, "--peer", names.other, "--peer", names.dialler} + hosted);
  const auto one = StartNode(Arguments{"--local", names.other} + wants);
  const auto two = StartNode(Arguments{"--local", names.dialler} + wants);
  ASSERT_TRUE(server != nullptr && one != nullptr && two != nullptr);
  const Arguments at = {"shop", "--remote", names.node};
  ASSERT_TRUE(NamesShow(at, "shop/leader/0"));
  const bool first =
      RunProgram(Arguments{kGridctl, "names"} + at).out.find(names.other) != std::string::npos;
  Process& holder = first ? *one : *two;
  Process& waits = first ? *two : *one;
  EXPECT_TRUE(waits.WaitForStderr("waits for shop/leader/0: ", kLimit)) << waits.err();
  holder.Signal(SIGTERM);
  EXPECT_EQ(holder.Wait(kLimit), 0) << holder.err();
  EXPECT_TRUE(NamesShow(at, first ? names.dialler : names.other)) << waits.err();
}

TEST(NamesTest, FlushIsForMembersThatConfirm) {
  const Names names;
  const auto server = StartNode({"--local", names.node, "--peer", names.dialler, "--directory",
                                 "hosted:" + names.node, "--register", "shop/web/1"});
  ASSERT_NE(server, nullptr);
  const Arguments at = {"--remote", names.node};
  ASSERT_TRUE(NamesShow(at, "shop/web/1") && NamesShow(at, "sys/member/"));
  const Arguments flush = Arguments{kGridctl, "flush"} + at;
  const Result unconfirmed = RunProgram(flush);
  EXPECT_EQ(unconfirmed.status, 2);
  EXPECT_THAT(unconfirmed.err, OneLineWith("--confirm"));
  const Result client = RunProgram(flush + Arguments{"--confirm"});
  EXPECT_EQ(client.status, 1);
  EXPECT_THAT(client.err, OneLineWith("connect as a member: --member"));
  const std::string before = RunProgram(Arguments{kGridctl, "names"} + at).out;
  EXPECT_THAT(before, HasSubstr("shop/web/1"));
  const Arguments member = {"--confirm", "--member", "--local", names.dialler};
  const Result flushed = RunProgram(flush + member);
  EXPECT_EQ(flushed.status, 0) << flushed.err;
  EXPECT_EQ(flushed.out, "2 names flushed\n");
  // The node finds out, and asks for its name again.
  EXPECT_TRUE(server->WaitForStderr("lost shop/web/1: the directory was flushed", kLimit))
      << server->err();
  ASSERT_TRUE(NamesShow(at, "shop/web/1"));
  EXPECT_NE(RunProgram(Arguments{kGridctl, "names"} + at).out, before);
}

TEST(NamesTest, InEtcd) {
  const Names names;
  const EtcdProcess etcd;
  const Arguments at = {"--directory", "etcd://" + etcd.address(), "--etcd-prefix", "test/"};
  const auto node = StartNode(Arguments{"--local", names.node, "--register", "shop/web/1"} + at);
  ASSERT_NE(node, nullptr);
  ASSERT_TRUE(NamesShow(at, "shop/web/1 ") && NamesShow(at, "sys/member/")) << node->err();
  const Result watch = RunProgram(Arguments{kGridctl, "watch", "--count", "1"} + at);
  EXPECT_EQ(watch.status, 0) << watch.err;
  EXPECT_THAT(watch.out, HasSubstr("snapshot  shop/web/1"));
  // Of another cluster.
  const Result other = RunProgram({kGridctl, "names", "--directory", "etcd://" + etcd.address()});
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_EQ(other.out, "");
  const Result flushed = RunProgram(Arguments{kGridctl, "flush", "--confirm", "--json"} + at);
  EXPECT_EQ(flushed.out, "{\"flushed\":2}\n") << flushed.err;
  EXPECT_TRUE(node->WaitForStderr("lost shop/web/1", kLimit)) << node->err();
  ASSERT_TRUE(NamesShow(at, "shop/web/1 ")) << node->err();
}

TEST(NamesTest, InEtcdOverTls) {
  const Names names;
  TestCertificates authority("authority");
  const CertificateFiles server = authority.Issue("etcd", "IP:127.0.0.1");
  const EtcdProcess etcd({"--cert-file", server.certificate, "--key-file", server.key}, "https");
  const Arguments at = {"--directory", "etcds://" + etcd.address(), "--etcd-ca",
                        authority.ca_file()};
  const auto node = StartNode(Arguments{"--local", names.node, "--register", "shop/web/1"} + at);
  ASSERT_NE(node, nullptr);
  EXPECT_TRUE(NamesShow(at, "shop/web/1 ")) << node->err();
}

TEST(NamesTest, EtcdThatIsNotThere_IsAnErrorThatSaysSo) {
  const Names names;
  const Arguments nobody = {"--directory", "etcd://" + names.node.substr(7)};
  const Result none = RunProgram(Arguments{kGridctl, "names", "--timeout", "500ms"} + nobody);
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, OneLineWith("look whether etcd runs"));
  // The node itself waits for it.
  const auto node = StartNode(Arguments{"--local", names.other} + nobody);
  ASSERT_NE(node, nullptr);
  node->Signal(SIGTERM);
  EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
}

TEST(NamesTest, BadArgumentsExitWithTwo) {
  const Arguments local = {kGridnode, "--local", "http://127.0.0.1:1"};
  const Arguments remote = {"--remote", "http://127.0.0.1:1"};
  for (const Arguments& arguments : std::vector<Arguments>{
           local + Arguments{"--directory", "everywhere"},
           local + Arguments{"--directory", "hosted:http://127.0.0.1:2"},
           local + Arguments{"--directory", "etcd://nowhere"},
           local + Arguments{"--directory", "etcd://127.0.0.1:2", "--etcd-user", "u"},
           local + Arguments{"--directory", "etcd://127.0.0.1:2", "--etcd-ca", "ca.pem"},
           local + Arguments{"--directory", "none", "--register", "a/b/c"},
           local + Arguments{"--register", "a/b"},
           local + Arguments{"--register", "a/b/c=d"},
           {kGridctl, "names"},
           Arguments{kGridctl, "names", "--directory", "etcd://127.0.0.1:2"} + remote,
           Arguments{kGridctl, "names", "a//b"} + remote,
           Arguments{kGridctl, "watch", "--count", "0"} + remote,
           {kGridctl, "flush", "--confirm"}}) {
    const Result result = RunProgram(arguments);
    EXPECT_EQ(result.status, 2) << testing::PrintToString(arguments) << result.err;
    EXPECT_THAT(result.err, OneLineWith(": "));
    EXPECT_EQ(result.out, "");
  }
  // What a node may have, gridctl does not.
  for (const char* directory : {"local", "hosted", "none", "etcd:http://127.0.0.1:2"}) {
    const Result result =
        RunProgram(Arguments{kGridctl, "names", "--directory", directory} + remote);
    EXPECT_EQ(result.status, 2);
    EXPECT_THAT(result.err, OneLineWith(std::string("--directory ") + directory +
                                        ": not etcd://HOST:PORT,..."));
  }
}

TEST(NamesTest, EtcdOptionsWithoutEtcd_ExitWithTwo_AndSayWhatTheyNeed) {
  for (const Arguments& program :
       {Arguments{kGridnode, "--local", "http://127.0.0.1:1"},
        Arguments{kGridnode, "--local", "http://127.0.0.1:1", "--directory", "none"},
        Arguments{kGridctl, "names", "--remote", "http://127.0.0.1:1"},
        Arguments{kGridctl, "ask", "a/b/c", "1", "--remote", "http://127.0.0.1:1"}}) {
    const Result result = RunProgram(program + Arguments{"--etcd-prefix", "test/"});
    EXPECT_EQ(result.status, 2) << testing::PrintToString(program) << result.err;
    EXPECT_THAT(result.err, OneLineWith("--etcd-prefix: needs --directory etcd://HOST:PORT,..."));
    EXPECT_EQ(result.out, "");
  }
}

}  // namespace
}  // namespace grid::live
