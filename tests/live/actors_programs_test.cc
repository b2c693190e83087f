// Actors in the programs: nodes that host the demonstration kinds, and gridctl's verbs for them.
#include <algorithm>
#include <boost/json.hpp>
#include <thread>

#include "tests/live/etcd_process.h"
#include "tests/live/tools_fixture.h"

namespace grid::live {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string PortOf(const std::string& name) { return name.substr(name.rfind(':') + 1); }

// The body of a page of --admin.
std::string PageOf(const std::string& name, const std::string& path) {
  boost::asio::ip::tcp::iostream server("127.0.0.1", PortOf(name));
  server.expires_after(seconds(20));
  server << "GET " << path << " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" << std::flush;
  std::stringstream answer;
  answer << server.rdbuf();
  return answer.str().substr(answer.str().find("\r\n\r\n") + 4);
}

// Three nodes: `first` serves the directory and hosts nothing, `east` and `west` host the kinds.
class ActorsProgramsTest : public testing::Test {
 protected:
  void SetUp() override { StartNodes({}); }
  // `others`: further members that the nodes know.
  void StartNodes(const std::vector<std::string>& others) {
    const std::vector<std::string> names = {first_, east_, west_};
    for (const std::string& name : names) {
      Arguments arguments = {"--local", name, "--directory", "hosted:" + first_};
      for (const std::string& peer : names + others) {
        if (peer != name) arguments = arguments + Arguments{"--peer", peer};
      }
      if (name == east_) arguments = arguments + Demo("east", more_.node);
      if (name == west_) arguments = arguments + Demo("west", more_.other);
      nodes_.push_back(StartNode(arguments));
      ASSERT_NE(nodes_.back(), nullptr);
    }
  }
  static Arguments Demo(const std::string& zone, const std::string& admin) {
    return {"--kinds", "demo", "--zone", zone, "--admin", "127.0.0.1:" + PortOf(admin)};
  }
  void WaitForMembers() {
    for (const std::string& name : {first_, east_, west_}) {
      ASSERT_TRUE(Eventually({"names", "sys/member"}, name)) << name;
    }
  }
  // Whoever serves the directory goes last.
  void TearDown() override {
    while (!nodes_.empty()) {
      if (nodes_.back() != nullptr && nodes_.back()->running()) {
        nodes_.back()->Signal(SIGTERM);
        EXPECT_EQ(nodes_.back()->Wait(kLimit), 0) << nodes_.back()->err();
      }
      nodes_.pop_back();
    }
  }

  Result Gridctl(const Arguments& arguments) {
    return RunProgram(Arguments{kGridctl} + arguments + Arguments{"--remote", first_} +
                      Arguments{"--timeout", "60s"});
  }
  // Runs it until it prints `text`.
  bool Eventually(const Arguments& arguments, const std::string& text) {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (std::chrono::steady_clock::now() < end) {
      if (Gridctl(arguments).out.find(text) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }
  // Of both that host the kinds.
  std::string Host() const { return "(" + east_ + "|" + west_ + ")"; }

  // A name that dials all of `others`: who is started last finds everybody there.
  static std::string Dialler(const std::vector<std::string>& others) {
    for (;;) {
      const Names names;
      const auto dials = [&](const std::string& other) {
        return names.dialler != other && ShouldDial(names.dialler, other);
      };
      if (std::all_of(others.begin(), others.end(), dials)) return names.dialler;
    }
  }

  const Names more_;
  const std::string first_ = more_.dialler;
  const std::string east_ = Dialler({first_});
  const std::string west_ = Dialler({first_, east_});
  std::vector<std::unique_ptr<Process>> nodes_;
};

TEST_F(ActorsProgramsTest, StartSaysWhereItRuns_AndThatItRunsAlready) {
  WaitForMembers();
  const Result started = Gridctl(
      {"start", "demo/counter/1", "--on", east_, "--param", "from=10", "--param", "_token=secret"});
  EXPECT_EQ(started.status, 0) << started.err;
  EXPECT_EQ(started.out, "demo/counter/1 started at " + east_ + "\n");
  const Result again = Gridctl({"start", "demo/counter/1", "--on", west_, "--json"});
  EXPECT_EQ(again.status, 0) << again.err;
  const json::value outcome = json::parse(again.out);
  EXPECT_EQ(outcome.at("outcome"), "already running");
  EXPECT_EQ(outcome.at("member"), json::string_view(east_));
  const Result placed = Gridctl({"start", "demo/echo/1", "--placement", "with(zone=west)"});
  EXPECT_EQ(placed.out, "demo/echo/1 started at " + west_ + "\n") << placed.err;

  const Result names = Gridctl({"names", "demo", "--attributes"});
  EXPECT_THAT(names.out, HasSubstr("start.from=10"));
  EXPECT_THAT(names.out, Not(HasSubstr("secret")));
  for (const std::string& admin : {more_.node, more_.other}) {
    EXPECT_THAT(PageOf(admin, "/metrics"), HasSubstr("grid_kind_started_total 1\n"));
  }
  const json::value status = json::parse(PageOf(more_.node, "/status.json"));
  EXPECT_EQ(status.at("actor_residents"), 1);
  EXPECT_EQ(status.at("membership_joined"), 1);
  // The number that it was given, and what is added.
  EXPECT_EQ(Gridctl({"ask", "demo/counter/1", "5"}).out, "15\n");
  for (const auto& node : nodes_) EXPECT_THAT(node->err(), Not(HasSubstr("secret")));

  const Result nowhere = Gridctl({"start", "demo/nothing/1"});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_THAT(nowhere.err, OneLineWith("hosts no such kind (not-sent)"));
  const Result wrong_number = Gridctl({"start", "demo/counter/2", "--param", "from=x", "--json"});
  EXPECT_EQ(wrong_number.status, 1);
  EXPECT_THAT(wrong_number.err, OneLineWith("parameter from: no integer: x"));
  EXPECT_EQ(json::parse(wrong_number.out).at("code"), "INVALID_ARGUMENT");
}

TEST_F(ActorsProgramsTest, SendAskAndGather) {
  WaitForMembers();
  for (const char* name : {"demo/echo/1", "demo/counter/1", "demo/crasher/1", "demo/sleeper/1"}) {
    ASSERT_EQ(Gridctl({"start", name}).status, 0) << name;
  }
  EXPECT_EQ(Gridctl({"ask", "demo/echo", R"({"a": [1, null]})"}).out, "{\"a\":[1,null]}\n");
  EXPECT_EQ(Gridctl({"ask", "demo/echo/1", "two words"}).out, "\"two words\"\n");
  EXPECT_EQ(Gridctl({"ask", "demo/sleeper", "1", "--key", "k"}).out, "1\n");
  const Result sent = Gridctl({"send", "demo/counter", "2", "--ack", "delivered"});
  EXPECT_EQ(sent.out, "delivered\n") << sent.err;
  const Result told = Gridctl({"send", "demo/counter", "3", "--json", "--routing", "all"});
  EXPECT_EQ(told.out, "{\"acknowledged\":\"processed\"}\n") << told.err;
  const json::value answer = json::parse(Gridctl({"ask", "demo/counter", "1", "--json"}).out);
  EXPECT_EQ(answer.at("from"), "demo/counter/1");
  EXPECT_EQ(answer.at("answer"), 6);

  // An exception is its sender's answer; the actor begins anew.
  EXPECT_EQ(Gridctl({"ask", "demo/crasher", "hi"}).out, "1\n");
  EXPECT_EQ(Gridctl({"ask", "demo/crasher", "hi"}).out, "2\n");
  const Result crash = Gridctl({"ask", "demo/crasher", "crash"});
  EXPECT_EQ(crash.status, 1);
  EXPECT_THAT(crash.err, OneLineWith("let out an exception: crash"));
  EXPECT_THAT(crash.err, HasSubstr("(executed)"));
  EXPECT_EQ(Gridctl({"ask", "demo/crasher", "hi"}).out, "1\n");

  const Result all = Gridctl({"gather", "demo", "text"});
  EXPECT_EQ(all.status, 0);
  EXPECT_THAT(all.err, OneLineWith("2 of 4 answered"));
  EXPECT_THAT(all.out, testing::ContainsRegex("demo/echo/1 at " + Host() + "  \"text\"\n"));
  EXPECT_THAT(all.out, HasSubstr("  error: a counter adds integers"));
  const Result first = Gridctl({"gather", "demo", "7", "--first", "1", "--json"});
  EXPECT_EQ(first.status, 0);
  for (const std::string& line : Lines(first.out)) {
    EXPECT_TRUE(json::parse(line).as_object().contains("from")) << line;
  }
  // Nobody has answered.
  const Result none = Gridctl({"gather", "demo/counter", "text", "--json"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, OneLineWith("0 of 1 answered"));
  EXPECT_EQ(json::parse(none.out).at("delivery"), "executed");
  const Result nobody = Gridctl({"gather", "demo/none", "1"});
  EXPECT_EQ(nobody.status, 1);
  EXPECT_THAT(nobody.err, OneLineWith("nobody is at demo/none"));
  const Result asked = Gridctl({"ask", "demo/none", "1"});
  EXPECT_EQ(asked.status, 1);
  EXPECT_THAT(asked.err, OneLineWith("(not-sent)"));
  EXPECT_THAT(Gridctl({"ask", "demo/echo", "1", "--type", "other"}).err,
              OneLineWith("does not know messages of type \"other\""));
  // What the flags say does not fit the verb.
  const Result several = Gridctl({"ask", "demo/echo", "1", "--routing", "all"});
  EXPECT_EQ(several.status, 2) << several.err;
}

TEST_F(ActorsProgramsTest, StopFindsTheHolder_DrainTakesAllBelowAPath) {
  WaitForMembers();
  for (const char* name : {"demo/echo/1", "demo/sleeper/1", "demo/counter/1", "demo/counter/2"}) {
    ASSERT_EQ(Gridctl({"start", name}).status, 0) << name;
  }
  const Result stopped = Gridctl({"stop", "demo/echo/1"});
  EXPECT_EQ(stopped.status, 0) << stopped.err;
  EXPECT_THAT(stopped.out, MatchesRegex("demo/echo/1 stopped at " + Host() + "\n"));
  const Result again = Gridctl({"stop", "demo/echo/1"});
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.err, OneLineWith("nobody is at demo/echo/1"));
  // One that does not finish in time.
  ASSERT_EQ(Gridctl({"send", "demo/sleeper", "600000", "--ack", "delivered"}).status, 0);
  const Result killed = Gridctl({"stop", "demo/sleeper/1", "--limit", "100ms", "--json"});
  EXPECT_EQ(killed.status, 0) << killed.err;
  EXPECT_EQ(json::parse(killed.out).at("outcome"), "killed");
  // What is no actor says so, and is left alone.
  const Result member = Gridctl({"drain", "sys/member"});
  EXPECT_EQ(member.status, 1);
  EXPECT_THAT(member.err, HasSubstr("is not here (rejected)"));
  const Result drained = Gridctl({"drain", "demo/counter"});
  EXPECT_EQ(drained.status, 0) << drained.err;
  const std::vector<std::string> lines = Lines(drained.out);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], MatchesRegex("demo/counter/1 stopped at " + Host()));
  EXPECT_EQ(Gridctl({"names", "demo"}).out, "");
}

// The nodes have one more peer, for gridctl as a member.
class DrainMemberProgramsTest : public ActorsProgramsTest {
 protected:
  void SetUp() override {
    StartNodes({operator_});
    // Until all members have been there, a directory that has just begun gives no names away.
    const auto node = StartNode({"--local", operator_, "--peer", first_, "--peer", east_, "--peer",
                                 west_, "--directory", "hosted:" + first_});
    ASSERT_NE(node, nullptr);
    WaitForMembers();
    ASSERT_TRUE(Eventually({"names", "sys/member"}, operator_));
    node->Signal(SIGTERM);
    EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
  }
  Result GridctlAsMember(const Arguments& arguments) {
    return Gridctl(arguments + Arguments{"--member", "--local", operator_});
  }

  const std::string operator_ = Dialler({first_, east_, west_});
};

TEST_F(DrainMemberProgramsTest, AMemberThatDrainsGetsNoMore_AndRunsOn) {
  ASSERT_EQ(Gridctl({"start", "demo/echo/1", "--on", east_}).status, 0);
  const Result client = Gridctl({"drain", east_});
  EXPECT_EQ(client.status, 1);
  EXPECT_THAT(client.err, OneLineWith("connect as a member: --member"));
  const Result drained = GridctlAsMember({"drain", east_});
  EXPECT_EQ(drained.status, 0) << drained.err;
  EXPECT_EQ(drained.out, east_ + " drains, and so do its 1 actors\n");
  for (const char* name : {"demo/echo/2", "demo/echo/3"}) {
    EXPECT_EQ(Gridctl({"start", name}).out, std::string(name) + " started at " + west_ + "\n");
  }
  const Result refused = Gridctl({"start", "demo/echo/4", "--on", east_});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, OneLineWith("leaving (not-sent)"));
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(Gridctl({"ask", "demo/echo", "1", "--json"}).out, HasSubstr(west_));
  }
  EXPECT_EQ(Gridctl({"ask", "demo/echo/1", "1"}).out, "1\n");
  const Result unknown = GridctlAsMember({"drain", "http://127.0.0.1:1"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, OneLineWith("http://127.0.0.1:1 is no member"));
}

TEST_F(ActorsProgramsTest, PatrolKeepsWhatTheFileSays) {
  WaitForMembers();
  const TempDir dir;
  const std::string file = dir.File("kinds.yaml");
  WriteFile(file,
            "- kind: demo/counter\n  count: 2\n  parameters: {from: 5}\n"
            "- {kind: demo/echo, count: 1, placement: with(zone=west)}\n");
  const Result once = Gridctl({"patrol", file, "--once"});
  EXPECT_EQ(once.status, 0) << once.err;
  EXPECT_THAT(once.out, HasSubstr("started demo/counter/1 at "));
  EXPECT_THAT(once.out, HasSubstr("started demo/echo/0 at " + west_));
  EXPECT_EQ(Gridctl({"ask", "demo/counter/0", "1"}).out, "6\n");

  Process patrol({kGridctl, "patrol", file, "--remote", first_});
  ASSERT_TRUE(patrol.WaitForOutput("runs demo/counter/1 at ", kLimit)) << patrol.err();
  // Whoever is ended by somebody else comes back.
  ASSERT_EQ(Gridctl({"stop", "demo/counter/0"}).status, 0);
  EXPECT_TRUE(patrol.WaitForOutput("ended demo/counter/0 at ", kLimit)) << patrol.err();
  EXPECT_TRUE(patrol.WaitForOutput("started demo/counter/0 at ", kLimit)) << patrol.err();
  // With its member, too. It says where it goes.
  nodes_.back()->Signal(SIGTERM);
  EXPECT_EQ(nodes_.back()->Wait(kLimit), 0) << nodes_.back()->err();
  EXPECT_TRUE(patrol.WaitForOutput("ended demo/echo/0 at " + west_, kLimit)) << patrol.err();
  EXPECT_TRUE(patrol.WaitForStderr("demo/echo/0 did not start: no member for", kLimit));
  // Those that were there, too, have found another place: nobody starts them any more.
  for (const char* name : {"demo/counter/0 ", "demo/counter/1 "}) {
    ASSERT_TRUE(Eventually({"names", "demo"}, name)) << name;
  }
  patrol.Signal(SIGTERM);
  EXPECT_EQ(patrol.Wait(kLimit), 0) << patrol.err();

  // It can't be so: nobody is in the west.
  const Result failed = RunProgram(
      {kGridctl, "patrol", file, "--once", "--json", "--remote", first_, "--timeout", "3s"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err, HasSubstr("demo/echo: 1 to start, 0 to stop"));
  EXPECT_EQ(json::parse(Lines(failed.out).at(0)).at("event"), "runs");

  WriteFile(file, "- {kind: demo/counter, count: 0}\n- {kind: demo/echo, count: 0}\n");
  const Result none = Gridctl({"patrol", file, "--once"});
  EXPECT_EQ(none.status, 0) << none.err;
  EXPECT_EQ(Gridctl({"names", "demo"}).out, "");
}

// Of two, with files that differ, one acts; the other one takes over when that ends.
TEST_F(ActorsProgramsTest, TwoPatrols_OneActs_TheOtherWaits) {
  WaitForMembers();
  const TempDir dir;
  const std::string two = dir.File("two.yaml"), three = dir.File("three.yaml");
  WriteFile(two, "- {kind: demo/counter, count: 2}\n");
  WriteFile(three, "- {kind: demo/counter, count: 3}\n");
  Process first({kGridctl, "patrol", two, "--local", "first@here", "--remote", first_});
  ASSERT_TRUE(first.WaitForOutput("started demo/counter/1 at ", kLimit)) << first.err();
  Process second({kGridctl, "patrol", three, "--remote", first_});
  ASSERT_TRUE(second.WaitForStderr("it is first@here who acts; we wait", kLimit)) << second.err();
  ASSERT_TRUE(second.WaitForOutput("runs demo/counter/1 at ", kLimit)) << second.err();

  // Who wants it once waits as well: it is so already, or it can't be so yet.
  EXPECT_EQ(Gridctl({"patrol", two, "--once"}).status, 0);
  const Result failed =
      RunProgram({kGridctl, "patrol", three, "--once", "--remote", first_, "--timeout", "2s"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err,
              HasSubstr("demo/counter: 1 to start, 0 to stop, and it is not us who act"));
  // A period has passed by far: the second one would have acted.
  EXPECT_EQ(Lines(Gridctl({"names", "demo/counter"}).out).size(), 2u);

  first.Signal(SIGTERM);
  EXPECT_EQ(first.Wait(kLimit), 0) << first.err();
  // It has given the name back, and has not left it to its lease.
  EXPECT_THAT(Gridctl({"names", "sys/patrol"}).out, Not(HasSubstr("first@here")));
  EXPECT_TRUE(second.WaitForOutput("started demo/counter/2 at ", kLimit)) << second.err();
  second.Signal(SIGTERM);
  EXPECT_EQ(second.Wait(kLimit), 0) << second.err();
}

TEST(ActorsProgramsEtcdTest, MembersAreThoseInEtcd) {
  const Names names;
  const EtcdProcess etcd;
  const Arguments at = {"--directory", "etcd://" + etcd.address()};
  const auto node =
      StartNode(Arguments{"--local", names.node, "--kinds", "demo", "--realm", "shop"} + at);
  ASSERT_NE(node, nullptr);
  const auto end = std::chrono::steady_clock::now() + kLimit;
  Result started;
  do {
    started = RunProgram(Arguments{kGridctl, "start", "shop/counter/1"} + at);
  } while (started.status != 0 && std::chrono::steady_clock::now() < end);
  EXPECT_EQ(started.out, "shop/counter/1 started at " + names.node + "\n") << started.err;
  EXPECT_EQ(RunProgram(Arguments{kGridctl, "ask", "shop", "3"} + at).out, "3\n");
  // Twice: the name of who patrols is given back.
  const TempDir dir;
  const std::string file = dir.File("kinds.yaml");
  WriteFile(file, "- {kind: shop/echo, count: 1}\n");
  for (const char* line : {"started shop/echo/0 at ", "runs shop/echo/0 at "}) {
    const Result once = RunProgram(Arguments{kGridctl, "patrol", file, "--once"} + at);
    EXPECT_EQ(once.status, 0) << once.err;
    EXPECT_EQ(once.out, line + names.node + "\n");
    EXPECT_EQ(RunProgram(Arguments{kGridctl, "names", "sys/patrol"} + at).out, "");
  }
  node->Signal(SIGTERM);
  EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
  EXPECT_EQ(RunProgram(Arguments{kGridctl, "names"} + at).out, "");
}

TEST(ActorsProgramsLocalTest, NodeWithoutPeersServesActors_AndPeersDoNotTakePart) {
  const Names names;
  const auto node = StartNode({"--local", names.node, "--peer", names.other, "--directory", "local",
                               "--kinds", "demo", "--register", "shop/web/1"});
  ASSERT_NE(node, nullptr);
  const auto gridctl = [&](const Arguments& arguments) {
    return RunProgram(Arguments{kGridctl} + arguments +
                      Arguments{"--remote", names.node, "--timeout", "60s"});
  };
  const Result started = gridctl({"start", "demo/counter/1", "--param", "from=40"});
  EXPECT_EQ(started.out, "demo/counter/1 started at " + names.node + "\n") << started.err;
  EXPECT_EQ(gridctl({"ask", "demo/counter/1", "2"}).out, "42\n");
  const Result all = gridctl({"names"});
  for (const char* name : {"demo/counter/1 ", "shop/web/1 ", "sys/member/"}) {
    EXPECT_THAT(all.out, HasSubstr(name)) << all.err;
  }
  // A node that believes it to be everybody's.
  const auto other = StartNode({"--local", names.other, "--peer", names.node, "--directory",
                                "hosted:" + names.node, "--register", "shop/web/2"});
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(other->WaitForStderr("for that member's names alone", kLimit)) << other->err();
  EXPECT_EQ(gridctl({"names"}).out, all.out);
  EXPECT_EQ(gridctl({"stop", "demo/counter/1"}).status, 0);
}

TEST(ActorsProgramsArgumentsTest, BadArgumentsExitWithTwo) {
  const TempDir dir;
  WriteFile(dir.File("good.yaml"), "- {kind: demo/echo, count: 1}\n");
  WriteFile(dir.File("bad.yaml"), "- kind: demo/counter\n  count: many\n");
  const Arguments local = {kGridnode, "--local", "http://127.0.0.1:1"};
  const Arguments at = {"--remote", "http://127.0.0.1:1"};
  const auto gridctl = [&](const Arguments& arguments) {
    return Arguments{kGridctl} + arguments + at;
  };
  for (const Arguments& arguments : std::vector<Arguments>{
           local + Arguments{"--kinds", "others"},
           local + Arguments{"--realm", "shop"},
           local + Arguments{"--kinds", "demo", "--realm", "a/b"},
           local + Arguments{"--kinds", "demo", "--directory", "none"},
           local + Arguments{"--zone", "east", "--directory", "none"},
           gridctl({"start"}),
           gridctl({"start", "demo/counter"}),
           gridctl({"start", "demo/counter/1", "--param", "from"}),
           gridctl({"start", "demo/counter/1", "--placement", "nearby"}),
           gridctl({"start", "demo/counter/1", "--placement", "random", "--on", "http://a:1"}),
           gridctl({"stop", "demo/counter"}),
           gridctl({"stop", "demo/counter/1", "--mode", "softly"}),
           gridctl({"stop", "demo/counter/1", "--limit", "soon"}),
           gridctl({"drain", "demo//counter"}),
           gridctl({"ask", "demo"}),
           gridctl({"ask", "demo//x", "1"}),
           gridctl({"ask", "demo", "1", "--routing", "some"}),
           gridctl({"ask", "demo", "1", "--type", ""}),
           gridctl({"ask", "demo", "1", "--key", "k", "--routing", "all"}),
           gridctl({"send", "demo", "1", "--ack", "seen"}),
           gridctl({"gather", "demo", "1", "--first", "0"}),
           gridctl({"patrol", "/no/such/file"}),
           {kGridctl, "ask", "demo", "1"},
           gridctl({"patrol", dir.File("good.yaml"), "--local", "http://127.0.0.1:2"}),
           {kGridctl, "patrol", dir.File("bad.yaml"), "--directory", "hosted"}}) {
    const Result result = RunProgram(arguments);
    EXPECT_EQ(result.status, 2) << testing::PrintToString(arguments) << result.err;
    EXPECT_THAT(result.err, OneLineWith(": "));
    EXPECT_EQ(result.out, "");
  }
  EXPECT_THAT(RunProgram(gridctl({"patrol", dir.File("bad.yaml")})).err,
              OneLineWith("bad.yaml:2: count: not a number from 0 to 100000"));
}

}  // namespace
}  // namespace grid::live
