// gridnode by itself: its flags, configuration, signals, tokens, TLS, and the operator's pages.
#include <boost/json.hpp>
#include <thread>

#include "tests/live/tools_fixture.h"

namespace grid::live {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::StartsWith;

std::string PortOf(const std::string& name) { return name.substr(name.rfind(':') + 1); }
std::string AddressOf(const std::string& name) { return "127.0.0.1:" + PortOf(name); }

// The whole answer to one request, head and body.
std::string Http(const std::string& name, const std::string& method, const std::string& path) {
  boost::asio::ip::tcp::iostream server("127.0.0.1", PortOf(name));
  server.expires_after(seconds(20));
  server << method << " " << path << " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
         << std::flush;
  std::stringstream answer;
  answer << server.rdbuf();
  return answer.str();
}
std::string Body(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }

TEST(Gridnode, SaysReadyAndEndsOnSignals) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const Names names;
    const std::unique_ptr<Process> node = StartNode({"--local", names.node});
    ASSERT_NE(node, nullptr);
    EXPECT_EQ(node->out(), "ready " + names.node + "\n");
    node->Signal(signal);
    EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
  }
}

TEST(Gridnode, SecondSignalEndsItAtOnce) {
  const Names names;
  const std::unique_ptr<Process> node = StartNode({"--local", names.node, "--peer", names.dialler});
  ASSERT_NE(node, nullptr);
  // A request that runs keeps the node draining.
  Process call(
      {kGridctl, "call", "10", "--payload", "60000", "--timeout", "50s", "--remote", names.node});
  std::this_thread::sleep_for(seconds(3));
  const auto begin = std::chrono::steady_clock::now();
  node->Signal(SIGTERM);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  ASSERT_EQ(kill(node->pid(), 0), 0);
  node->Signal(SIGTERM);
  EXPECT_EQ(node->Wait(kLimit), 1);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1900));
}

TEST(Gridnode, BadArgumentsExitWithTwo) {
  const Names names;
  const TempDir dir;
  WriteFile(dir.File("unknown.yaml"), "local: " + names.node + "\ncolour: blue\n");
  WriteFile(dir.File("nested.yaml"), "local: {a: b}\n");
  WriteFile(dir.File("broken.yaml"), "local: [\n");
  for (const Arguments& arguments :
       std::vector<Arguments>{{},
                              {"--local", "nonsense"},
                              {"--local", names.node, "--unknown"},
                              {"--local", names.node, "--io-threads", "0"},
                              {"--local", names.node, "--workers", "many"},
                              {"--local", names.node, "--log-level", "loud"},
                              {"--local", names.node, "--peer", "nonsense"},
                              {"--local", names.node, "--peer", names.node},
                              {"--local", names.node, "--route", "no-slash"},
                              {"--local", names.node, "--token-file", "/no/such/file"},
                              {"--local", names.node, "--tls-key", "k"},
                              {"--config", "/no/such/file"},
                              {"--config", dir.File("unknown.yaml")},
                              {"--config", dir.File("nested.yaml")},
                              {"--config", dir.File("broken.yaml")}}) {
    const Result result = RunProgram(Arguments{kGridnode} + arguments);
    EXPECT_EQ(result.status, 2) << testing::PrintToString(arguments) << result.err;
    EXPECT_THAT(result.err, OneLineWith("gridnode: "));
    EXPECT_EQ(result.out, "");
  }
}

TEST(Gridnode, TakenPortIsAFailure) {
  const Names names;
  const std::unique_ptr<Process> node = StartNode({"--local", names.node});
  ASSERT_NE(node, nullptr);
  const Result second = RunProgram({kGridnode, "--local", names.node});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, HasSubstr("gridnode: "));
}

TEST(Gridnode, ReadsItsFlagsFromYamlAndTheCommandLineWins) {
  const Names names;
  const TempDir dir;
  WriteFile(dir.File("node.yaml"),
            "local: " + names.other + "\npeer:\n  - " + names.dialler + "\n  - " + names.dialled +
                "\nio-threads: 2\nroute: /from/yaml\nwithout:\n  - meta\n  - credits\n");
  const std::unique_ptr<Process> node =
      StartNode({"--config", dir.File("node.yaml"), "--local", names.node});
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->out(), "ready " + names.node + "\n");
  const Result call = RunProgram({kGridctl, "call", "78", "--payload", "x", "--route", "/from/yaml",
                                  "--local", names.dialler, "--remote", names.node});
  EXPECT_EQ(call.out, "x\n") << call.err;
}

TEST(Gridnode, TokenMustMatch) {
  const Names names;
  const TempDir dir;
  WriteFile(dir.File("good"), "secret\n");
  WriteFile(dir.File("bad"), "guess\n");
  const std::unique_ptr<Process> node =
      StartNode({"--local", names.node, "--peer", names.dialler, "--token-file", dir.File("good")});
  ASSERT_NE(node, nullptr);
  const Arguments call = {kGridctl,      "call",     "78",       "--payload", "x", "--local",
                          names.dialler, "--remote", names.node, "--timeout", "3s"};
  const Result good = RunProgram(call + Arguments{"--token-file", dir.File("good")});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_EQ(good.out, "x\n");
  for (const Arguments& token : std::vector<Arguments>{{"--token-file", dir.File("bad")}, {}}) {
    const Result bad = RunProgram(call + token);
    EXPECT_EQ(bad.status, 1);
    EXPECT_EQ(bad.out, "");
    EXPECT_THAT(bad.err, OneLineWith("403"));
  }
}

TEST(Gridnode, AdminPages) {
  const Names names;
  const std::unique_ptr<Process> node = StartNode(
      {"--local", names.node, "--peer", names.dialler, "--admin", AddressOf(names.other)});
  ASSERT_NE(node, nullptr);
  ASSERT_EQ(RunProgram({kGridctl, "call", "78", "--member", "--local", names.dialler, "--remote",
                        names.node})
                .status,
            0);
  EXPECT_THAT(Http(names.other, "GET", "/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(Body(Http(names.other, "GET", "/readyz?verbose")), "ready\n");
  const std::string metrics = Http(names.other, "GET", "/metrics");
  EXPECT_THAT(metrics, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics, HasSubstr("grid_connects_total{peer=\"" + names.dialler + "\"} 1\n"));
  const json::value status = json::parse(Body(Http(names.other, "GET", "/status.json")));
  EXPECT_EQ(status.at("local"), json::string_view(names.node));
  EXPECT_GE(status.at("peers").as_object().at(names.dialler).at("messages_in").to_number<int>(), 1);
  EXPECT_THAT(Http(names.other, "GET", "/console"), HasSubstr("status.json"));
  EXPECT_THAT(Http(names.other, "GET", "/nothing"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Http(names.other, "POST", "/healthz"), StartsWith("HTTP/1.1 405"));
  const std::string head = Http(names.other, "HEAD", "/healthz");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(Body(head), "");
  node->Signal(SIGTERM);
  EXPECT_EQ(node->Wait(kLimit), 0) << node->err();
}

// One authority, and a certificate for 127.0.0.1 signed by it.
class TlsTest : public ToolsTest {
 protected:
  void SetUp() override {
    const std::string script = R"(set -e; cd "$1"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=test authority" -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj "/CN=127.0.0.1" -keyout node.key -out node.csr
printf 'subjectAltName=IP:127.0.0.1\n' >san
openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out node.pem
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=stranger" -keyout other.key -out other.pem)";
    const Result made = RunProgram({"/bin/bash", "-c", script, "make-certificates", dir_.File("")});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  Arguments Tls() const {
    return {"--tls-cert", dir_.File("node.pem"), "--tls-key", dir_.File("node.key"),
            "--tls-ca",   dir_.File("ca.pem")};
  }

  const Names https_{"https"};
};

TEST_F(TlsTest, TheBattery_InBothDirections_AndAsAClient) {
  node_ = StartNode(
      Arguments{"--local", https_.node, "--peer", https_.dialler, "--peer", https_.dialled} +
      Tls());
  ASSERT_NE(node_, nullptr);
  for (const Arguments& as : {Arguments{"--member", "--local", https_.dialler},
                              Arguments{"--member", "--local", https_.dialled}, Arguments{}}) {
    const Result battery =
        RunProgram(Arguments{kGridctl, "conformance", "--remote", https_.node} + as + Tls());
    EXPECT_EQ(battery.status, 0) << battery.out << battery.err;
  }
}

TEST_F(TlsTest, UnknownAuthorityIsRefusedByName) {
  node_ = StartNode(Arguments{"--local", https_.node, "--peer", https_.dialler} + Tls());
  ASSERT_NE(node_, nullptr);
  const Arguments call = {kGridctl,   "call",      "78",        "--local", https_.dialler,
                          "--remote", https_.node, "--timeout", "3s"};
  for (const Arguments& trust : std::vector<Arguments>{{"--tls-ca", dir_.File("other.pem")}, {}}) {
    const Result refused = RunProgram(call + trust);
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, OneLineWith("certificate"));
  }
}

}  // namespace
}  // namespace grid::live
