// The programs as an operator uses them: the command lines of their contract, on loopback.
#include <boost/json.hpp>

#include "tests/live/tools_fixture.h"

namespace grid::live {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::Not;

// Each way round: gridctl dials the node, the node dials gridctl.
class BothDirections : public ToolsTest, public testing::WithParamInterface<bool> {
 protected:
  const std::string& local() const { return GetParam() ? names_.dialler : names_.dialled; }
};
INSTANTIATE_TEST_SUITE_P(Dial, BothDirections, testing::Bool(), [](const auto& dials) {
  return dials.param ? "GridctlDials" : "NodeDials";
});

TEST_P(BothDirections, Call) {
  const Result echo = GridctlAs(local(), {"call", "78", "--payload", "hello"});
  EXPECT_EQ(echo.status, 0) << echo.err;
  EXPECT_EQ(echo.out, "hello\n");
  EXPECT_EQ(echo.err, "");
}

TEST_P(BothDirections, Stream) {
  const Result echo = GridctlAs(local(), {"stream", "3"}, "one\ntwo\n\nlast");
  EXPECT_EQ(echo.status, 0) << echo.err;
  EXPECT_EQ(echo.out, "one\ntwo\n\nlast\n");
}

TEST_P(BothDirections, WholeBattery) {
  const std::string file = dir_.File("battery.json");
  const Result battery = GridctlAs(local(), {"conformance", "--json", file});
  EXPECT_EQ(battery.status, 0) << battery.out << battery.err;
  EXPECT_THAT(battery.out, Not(HasSubstr("FAIL")));
  EXPECT_THAT(battery.out, HasSubstr("SKIP restart: "));
  const json::value summary = json::parse(ReadWholeFile(file));
  EXPECT_EQ(summary.at("passed"), summary.at("total"));
  EXPECT_GE(summary.at("total").as_int64(), 50);
  EXPECT_EQ(summary.at("skipped"), 3);
  const std::string passed = json::serialize(summary.at("passed"));
  EXPECT_THAT(battery.out, HasSubstr("\n" + passed + " of " + passed + "\n"));
}

TEST_F(ToolsTest, Client_NeedsNoNameAndNoEntry) {
  const std::unique_ptr<Process> node = StartNode({"--local", names_.other});
  ASSERT_NE(node, nullptr);
  for (const Arguments& as : {Arguments{}, Arguments{"--local", "backup@host7"}}) {
    const Result echo = RunProgram(
        Arguments{kGridctl, "call", "78", "--payload", "hello", "--remote", names_.other} + as);
    EXPECT_EQ(echo.status, 0) << echo.err;
    EXPECT_EQ(echo.out, "hello\n");
  }
  const Result member = RunProgram({kGridctl, "call", "78", "--member", "--local", names_.dialler,
                                    "--remote", names_.other, "--timeout", "3s"});
  EXPECT_EQ(member.status, 1);
  node->Signal(SIGTERM);
  EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
}

TEST_F(ToolsTest, WholeBatteryAsAClient) {
  const Result battery = Gridctl({"conformance"});
  EXPECT_EQ(battery.status, 0) << battery.out << battery.err;
}

TEST_F(ToolsTest, CallShowsNothingForNilAndEmpty) {
  for (const char* handler : {"15", "16"}) {
    const Result reply = Gridctl({"call", handler});
    EXPECT_EQ(reply.status, 0) << reply.err;
    EXPECT_EQ(reply.out, "");
  }
}

TEST_F(ToolsTest, CallOptions) {
  EXPECT_EQ(Gridctl({"call", "2", "--subroute", "sub/route", "--payload", "x"}).out, "sub:x\n");
  EXPECT_EQ(Gridctl({"call", "78", "--payload", "x", "--raw"}).out, "x");
  const std::string binary = std::string("\x00\xff\n", 3);
  WriteFile(dir_.File("payload"), binary);
  EXPECT_EQ(Gridctl({"call", "78", "--payload-file", dir_.File("payload"), "--raw"}).out, binary);
  EXPECT_EQ(Gridctl({"call", "78", "--payload-file", "-", "--raw"}, "piped").out, "piped");
}

TEST_F(ToolsTest, CallAsJson) {
  const json::value text = json::parse(Gridctl({"call", "78", "--payload", "hi", "--json"}).out);
  EXPECT_EQ(text.at("text"), "hi");
  EXPECT_EQ(text.at("payload_hex"), "6869");
  EXPECT_EQ(text.at("nil"), false);
  EXPECT_EQ(json::parse(Gridctl({"call", "15", "--json"}).out).at("nil"), true);
  const json::value empty = json::parse(Gridctl({"call", "16", "--json"}).out);
  EXPECT_EQ(empty.at("nil"), false);
  EXPECT_EQ(empty.at("size"), 0);
  const Result failed = Gridctl({"call", "1", "--payload", "x", "--json"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(json::parse(failed.out).at("error"), "remote error: x");
  EXPECT_EQ(json::parse(failed.out).at("remote"), true);
}

TEST_F(ToolsTest, FailedCallsSayWhyInOneLine) {
  const Result error = Gridctl({"call", "1", "--payload", "xyz"});
  EXPECT_EQ(error.status, 1);
  EXPECT_EQ(error.out, "");
  EXPECT_THAT(error.err, OneLineWith("remote error: xyz (executed)"));
  const Result unknown = Gridctl({"call", "60"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, OneLineWith("(rejected)"));
  const Result late = Gridctl({"call", "10", "--payload", "5000", "--timeout", "1500ms"});
  EXPECT_EQ(late.status, 1);
  EXPECT_THAT(late.err, OneLineWith("(maybe-executed)"));
}

TEST_F(ToolsTest, StreamOptions) {
  EXPECT_EQ(Gridctl({"stream", "5", "--payload", "4"}).out, "0\n1\n2\n3\n");
  EXPECT_EQ(Gridctl({"stream", "9", "--payload", "2", "--capacity", "16"}).out, "0\n1\n");
  EXPECT_EQ(Gridctl({"stream", "7", "--subroute", "sub/route"}, "a\nb\n").out, "sub:a\nsub:b\n");
  EXPECT_EQ(Gridctl({"stream", "4", "--capacity", "16"}, "a\nb\n").out, "a\nb\n");
  EXPECT_EQ(Gridctl({"stream", "17", "--payload", ""}).out, "empty\n");
  EXPECT_EQ(Gridctl({"stream", "17", "--no-input"}, "ignored\n").out, "nil\n");
  const Result failed = Gridctl({"stream", "6"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_EQ(failed.out, "0\n1\n2\n");
  EXPECT_THAT(failed.err, OneLineWith("stream failed"));
}

TEST_F(ToolsTest, BenchPrintsExactlyTheDocumentedKeys) {
  for (const char* mode : {"echo", "stream", "oneway"}) {
    const Result bench = Gridctl({"bench", "--mode", mode, "--inflight", "32", "--size", "100",
                                  "--duration", "500ms", "--warm-up", "100ms"});
    ASSERT_EQ(bench.status, 0) << mode << ": " << bench.err;
    const json::object report = json::parse(bench.out).as_object();
    std::vector<std::string> keys;
    for (const auto& item : report) keys.emplace_back(item.key());
    EXPECT_EQ(keys, (std::vector<std::string>{"requests", "seconds", "rps", "p50_us", "p90_us",
                                              "p99_us", "p999_us", "max_us", "errors",
                                              "bytes_per_s", "client_cpu_s", "server_cpu_s"}));
    EXPECT_GT(report.at("requests").to_number<uint64_t>(), 100u) << mode;
    EXPECT_EQ(report.at("errors").to_number<uint64_t>(), 0u) << mode;
    EXPECT_TRUE(report.at("server_cpu_s").is_number()) << mode;
    EXPECT_GT(report.at("p50_us").to_number<double>(), 0) << mode;
  }
}

TEST_F(ToolsTest, BenchReportsErrors) {
  const Result bench = Gridctl({"bench", "--handler", "1", "--duration", "200ms"});
  EXPECT_EQ(bench.status, 1);
  EXPECT_THAT(bench.err, OneLineWith("remote error"));
  EXPECT_GT(json::parse(bench.out).at("errors").to_number<uint64_t>(), 0u);
}

TEST_F(ToolsTest, BatteryFilter) {
  const Result some = Gridctl({"conformance", "--only", "typed map"});
  EXPECT_EQ(some.status, 0) << some.err;
  EXPECT_EQ(some.out, "PASS single: typed map\nPASS single: typed map, empty\n2 of 2\n");
  const Result none = Gridctl({"conformance", "--only", "no such case"});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, OneLineWith("--only"));
}

TEST(Gridctl, Decode) {
  const std::string hex = "970100cdea604e0e03c40568656c6c6f81f402a0";
  for (const Result& decoded :
       {RunProgram({kGridctl, "decode", hex}), RunProgram({kGridctl, "decode", "-"}, hex),
        RunProgram({kGridctl, "decode"}, hex + "\n")}) {
    EXPECT_EQ(decoded.status, 0) << decoded.err;
    EXPECT_THAT(decoded.out, HasSubstr("op_name: Request\n"));
    EXPECT_THAT(decoded.out, HasSubstr("text: hello\n"));
  }
  const json::value parsed = json::parse(RunProgram({kGridctl, "decode", "--json", hex}).out);
  EXPECT_EQ(parsed.at("handler"), 78);
  const Result bad = RunProgram({kGridctl, "decode", "97010000000f03c400ab"});
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.err, OneLineWith("CRC flag"));
  const Result odd = RunProgram({kGridctl, "decode", "123"});
  EXPECT_EQ(odd.status, 1);
  EXPECT_THAT(odd.err, OneLineWith("odd number"));
  const Result mismatch =
      RunProgram({kGridctl, "decode", "970100cdea604e0e03c40568656c6c6f81f402a1"});
  EXPECT_EQ(mismatch.status, 1);
  EXPECT_THAT(mismatch.out, HasSubstr("ok: false\n"));
  EXPECT_THAT(mismatch.err, OneLineWith("CRC"));
}

TEST(Gridctl, BadArgumentsExitWithTwo) {
  const Arguments both = {"--local", "http://127.0.0.1:1", "--remote", "http://127.0.0.1:2"};
  for (const Arguments& arguments : std::vector<Arguments>{
           {},
           {"nonsense"},
           {"call", "78"},
           Arguments{"call"} + both,
           Arguments{"call", "0"} + both,
           Arguments{"call", "65536"} + both,
           Arguments{"call", "78", "--timeout", "soon"} + both,
           Arguments{"call", "78", "--payload", "a", "--payload-file", "b"} + both,
           Arguments{"call", "78", "--token-file", "/no/such/file"} + both,
           Arguments{"call", "78", "--tls-cert", "c"} + both,
           {"call", "78", "--member", "--local", "127.0.0.1:1", "--remote", "http://127.0.0.1:2"},
           {"call", "78", "--member", "--remote", "http://127.0.0.1:2"},
           {"call", "78", "--local", "two words", "--remote", "http://127.0.0.1:2"},
           {"call", "78", "--local", "http://127.0.0.1:1", "--remote", "nowhere"},
           {"call", "78", "--local", "http://127.0.0.1:1", "--remote", "http://127.0.0.1:1"},
           Arguments{"bench", "--mode", "sideways"} + both,
           Arguments{"bench", "--inflight", "0"} + both,
           Arguments{"bench", "--duration", "0s"} + both}) {
    const Result result = RunProgram(Arguments{kGridctl} + arguments);
    EXPECT_EQ(result.status, 2) << testing::PrintToString(arguments) << result.err;
    EXPECT_THAT(result.err, OneLineWith("gridctl: "));
    EXPECT_EQ(result.out, "");
  }
}

TEST(Gridctl, HelpExitsWithZero) {
  for (const Arguments& arguments : std::vector<Arguments>{{"--help"},
                                                           {"call", "--help"},
                                                           {"stream", "--help"},
                                                           {"bench", "--help"},
                                                           {"conformance", "--help"},
                                                           {"names", "--help"},
                                                           {"watch", "--help"},
                                                           {"flush", "--help"},
                                                           {"decode", "--help"}}) {
    const Result result = RunProgram(Arguments{kGridctl} + arguments);
    EXPECT_EQ(result.status, 0);
    EXPECT_THAT(result.out, HasSubstr("Usage: gridctl"));
    EXPECT_EQ(result.err, "");
  }
}

TEST(Gridctl, NobodyThereIsAFailureOnTime) {
  const Names names;
  const auto begin = std::chrono::steady_clock::now();
  const Result result = RunProgram({kGridctl, "call", "78", "--local", names.dialler, "--remote",
                                    names.node, "--timeout", "1s"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, OneLineWith("no connection to " + names.node));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(30));
}

TEST(Restart, BatteryIncludesTheKilledRemoteInBothDirections) {
  const Names names;
  const TempDir dir;
  const std::string pid_file = dir.File("pid");
  const std::string start = "'" + kGridnode + "' --local " + names.node + " --peer " +
                            names.dialler + " --peer " + names.dialled + " >'" + dir.File("out") +
                            "' 2>&1 & echo $! >'" + pid_file + "'";
  const std::string stop = "kill -9 $(cat '" + pid_file + "')";
  ASSERT_EQ(RunProgram({"/bin/sh", "-c", start}).status, 0);
  for (const std::string& local : {names.dialler, names.dialled}) {
    const Result battery = RunProgram({kGridctl, "conformance", "--only", "restart", "--restart",
                                       stop + "; sleep 0.5; " + start, "--member", "--local", local,
                                       "--remote", names.node});
    EXPECT_EQ(battery.status, 0) << battery.err;
    EXPECT_THAT(battery.out, HasSubstr("\n3 of 3\n")) << battery.out;
  }
  RunProgram({"/bin/sh", "-c", stop});
}

}  // namespace
}  // namespace grid::live
